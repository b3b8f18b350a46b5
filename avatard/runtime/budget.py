"""How much memory there is to spend, and whether the machine itself runs short of it."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Literal

import psutil

from avatard.api.errors import ConfigError
from avatard.api.news import Tier
from avatard.runtime.config.core import Memory

CGROUP_SHARE, MACHINE_SHARE = 0.9, 0.5
"""What ``auto`` takes of our control group's limit; without one, of the machine's memory."""
UNLIMITED = 2**60
"""Bytes; cgroup v1 writes a number above it where there is no limit."""
LITTLE, VERY_LITTLE = 0.08, 0.04
"""Shares of the machine's memory that are available when it runs short."""
STALLED, ALL_STALLED = 20.0, 10.0
"""Percent of the last 10 s in which some task, or every task, waited for memory (/proc/pressure/memory, avg10)."""

CGROUPS, OWN_CGROUP, PRESSURE = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"), Path("/proc/pressure/memory")


def budget_of(setting: int | Literal["auto"]) -> float:
    """Megabytes that the daemon and its children may take."""
    if setting != "auto":
        return float(setting)
    limit = cgroup_limit_mb()
    machine = psutil.virtual_memory().total / 1e6
    return round(limit * CGROUP_SHARE if limit is not None else machine * MACHINE_SHARE, 1)


def too_little(source: str, settings: Memory, budget: float, needed: float) -> ConfigError:
    """The error for a budget that what was chosen does not fit into: what it needs, and what to write."""
    enough = math.ceil(needed / settings.tidy_percent * 10) * 10
    auto = " (auto)" if settings.budget_mb == "auto" else ""
    return ConfigError(
        f"{source}: memory.budget_mb: {budget:.0f}{auto} is too little: the engines of this configuration take "
        f"{needed:.0f} MB as measured; write 'budget_mb: {enough}' or more under 'memory:', or choose smaller engines"
    )


def cgroup_limit_mb(root: Path = CGROUPS, own: Path = OWN_CGROUP) -> float | None:
    """The tightest memory limit of our control group and those around it; None where there is none."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    limits: list[int] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            limits += _limits(root, path, ("memory.max", "memory.high"))
        elif "memory" in controllers.split(","):
            limits += _limits(root / "memory", path, ("memory.limit_in_bytes",))
    limits = [limit for limit in limits if limit < UNLIMITED]
    return min(limits) / 1e6 if limits else None


def room_mb(used: float) -> float:
    """Megabytes that can still be had from the machine and our control group, of which we use ``used``."""
    available = psutil.virtual_memory().available / 1e6
    limit = cgroup_limit_mb()
    return available if limit is None else min(available, limit - used)


def strain(pressure: Path = PRESSURE) -> Tier:
    """What the machine's own want of memory asks for: ``normal``, ``tidy`` or ``shed``, never more."""
    memory = psutil.virtual_memory()
    share = memory.available / memory.total
    some, full = _stalls(pressure)
    if share < VERY_LITTLE or full > ALL_STALLED:
        return "shed"
    return "tidy" if share < LITTLE or some > STALLED else "normal"


def _limits(root: Path, path: str, names: tuple[str, ...]) -> list[int]:
    """The limits of the group and of every group above it; a container sees its own group as the root."""
    found: list[int] = []
    folder = root / path.strip("/")
    while folder.is_relative_to(root):
        for name in names:
            try:
                text = (folder / name).read_text().strip()
            except OSError:
                continue
            if text.isdigit():
                found.append(int(text))
        folder = folder.parent
    return found


def _stalls(pressure: Path) -> tuple[float, float]:
    try:
        text = pressure.read_text()
    except OSError:
        return 0.0, 0.0
    found = {kind: float(value) for kind, value in re.findall(r"^(some|full) avg10=([\d.]+)", text, re.MULTILINE)}
    return found.get("some", 0.0), found.get("full", 0.0)
