"""What the daemon and its children use, measured with psutil."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import psutil


def memory_mb(pid: int | None = None) -> float:
    """Megabytes of a process (this one) and all its children: PSS where the system gives it, else RSS."""
    me = psutil.Process(pid)
    total = 0
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            try:
                info = process.memory_full_info()
                total += getattr(info, "pss", info.rss)
            except psutil.AccessDenied:
                total += process.memory_info().rss
    return round(total / 1e6, 1)


def cpu_seconds() -> float:
    """CPU time of this process, its living children and those that it has waited for."""
    me = psutil.Process()
    own = me.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in me.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return float(total)


class Usage:
    """Follows the peak over a time."""

    def __init__(self) -> None:
        """Begin now."""
        self._began, self._cpu = time.monotonic(), cpu_seconds()
        self.peak_mb = memory_mb()

    async def follow(self) -> None:
        """Look twice a second, for ever."""
        while True:
            self.peak_mb = max(self.peak_mb, memory_mb())
            await asyncio.sleep(0.5)

    def report(self) -> dict[str, float]:
        """The ``process`` of report.json."""
        return {
            "cpu_seconds": round(cpu_seconds() - self._cpu, 2), "memory_peak_mb": self.peak_mb,
            "wall_seconds": round(time.monotonic() - self._began, 2),
        }  # fmt: skip
