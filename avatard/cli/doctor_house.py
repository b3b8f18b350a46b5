"""The doctor's look at the house: whether a daemon runs, displays with pictures, the broker, memory."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from dataclasses import replace
from typing import Any

import numpy as np
import psutil

from avatard.api.errors import AvatardError, NotReady
from avatard.api.flow import SPEECH_RATE
from avatard.api.news import Problem, Subscription
from avatard.api.stages import Patient
from avatard.cli.doctor_engines import SAYINGS, spoken
from avatard.cli.examination import Examination, failure
from avatard.cli.findings import Finding
from avatard.cli.playing import Played, play
from avatard.cli.remote import command, find_socket
from avatard.runtime.budget import budget_of
from avatard.runtime.config import PlatformEntry, built_in
from avatard.runtime.foundation import open_foundation
from avatard.runtime.house import furnished

SHOWN = 1.0
"""Seconds that a display with pictures is shown something."""
BROKER_LIMIT = 15.0
"""Seconds that the broker may take for all of it."""


def running(id: str) -> dict[str, Any] | None:
    """What the running daemon says of itself; None where none answers."""
    try:
        answers = list(command({"do": "status"}, id))
    except (AvatardError, OSError, ValueError):
        return None
    return answers[-1] if answers and answers[-1].get("ok") else None


def daemon(status: dict[str, Any] | None) -> Finding:
    """Whether one runs, and what ails it."""
    if status is None:
        return Finding("daemon", "ok", "does not run, so every device is free", "", {"running": False})
    problems = status.get("problems") or {}
    figures = {"running": True, "problems": problems}
    stop = "for a whole look stop it first:\n  sudo systemctl stop avatard\n  avatard doctor"
    if problems:
        what = "runs, and says: " + "; ".join(f"{where}: {text}" for where, text in problems.items())
        return Finding("daemon", "warning", what, f"see its log:\n  journalctl -u avatard -n 50\n{stop}", figures)
    return Finding("daemon", "warning", "runs: devices that only one can have are busy", stop, figures)


async def display(visit: Examination, entry: PlatformEntry) -> list[Finding]:
    """A display with pictures shows something."""
    part = f"display {entry.platform}"
    if entry.platform == "file":
        path = getattr(entry.options, "path", "")
        return [Finding(part, "ok", f"not tried: it would write over {path}")]
    async with visit.opened(entry) as (sink,):
        if isinstance(sink, Patient) and sink.patient:
            return [Finding(part, "ok", "takes all as fast as it comes")]
        began = time.monotonic()
        await play(visit, entry, sink, np.zeros(int(SHOWN * SPEECH_RATE), np.int16), Played())
        took = time.monotonic() - began
    figures = {"seconds": round(took, 2), "late_frames": int(getattr(sink, "late", 0))}
    return [Finding(part, "ok", f"shows {SHOWN:.0f} s of pictures in {took:.1f} s", "", figures)]


async def broker(visit: Examination, entry: PlatformEntry, status: dict[str, Any] | None) -> list[Finding]:
    """Connect, and see that what is published comes through."""
    where = f"{getattr(entry.options, 'host', '')}:{getattr(entry.options, 'port', None) or 'default port'}"
    if status is not None:
        said = {w: text for w, text in (status.get("problems") or {}).items() if w.split(".")[0] == "mqtt"}
        if said:
            return [failure("broker", AvatardError(next(iter(said.values()))))]
        return [Finding("broker", "ok", f"{where}: the running daemon is connected")]
    began = time.monotonic()
    with visit.foundation.feed.subscribe() as news:
        async with visit.opened(entry):
            word = await _word(news, "mqtt")
    if word.over:
        took = time.monotonic() - began
        what = f"{where}: connected, and what is published comes back; {took:.1f} s"
        return [Finding("broker", "ok", what, "", {"seconds": round(took, 2)})]
    found = failure("broker", AvatardError(word.what))
    return [replace(found, fix=f"{found.fix}\nsee that it runs, and what 'mqtt:' says of it (docs/mqtt.md):\n"
                    "  mosquitto_pub -h HOST -u USER -P PASSWORD -t test -m hello")]  # fmt: skip


async def _word(news: Subscription, where: str) -> Problem:
    """The next that is said of a part's trouble, or of its end."""
    async for event in news:
        if isinstance(event, Problem) and event.where == where:
            return event
    raise NotReady(f"{where}: not a word came")


async def memory(visit: Examination, status: dict[str, Any] | None) -> list[Finding]:
    """What there is to spend."""
    settings, machine = visit.configuration.core.memory, psutil.virtual_memory()
    budget, free = budget_of(settings.budget_mb), machine.available / 1e6
    figures = {"budget_mb": round(budget), "available_mb": round(free), "machine_mb": round(machine.total / 1e6)}
    what = f"budget {budget:.0f} MB; {free:.0f} of the machine's {machine.total / 1e6:.0f} MB are free"
    if budget > free and status is None:
        fix = "end other programs, or give it less and smaller engines (docs/memory.md):\n  memory: {budget_mb: 300}"
        return [Finding("memory", "warning", f"{what}: less than the budget", fix, figures)]
    return [Finding("memory", "ok", what, "", figures)]


async def memory_of_all(visit: Examination, status: dict[str, Any] | None) -> list[Finding]:
    """What each process and each engine takes."""
    budget = budget_of(visit.configuration.core.memory.budget_mb)
    if status is not None and (pid := await asyncio.to_thread(_pid, visit.configuration.id)) is not None:
        return _weighed(budget, pid, {})
    await visit.voices.close()  # which only the doctor has
    # It hears silence, and shows it to nobody and at once: what the engines take is what counts.
    stages = dict(visit.configuration.stages) | {"microphone": (built_in("scripted", "microphone"),)}
    stages["display"] = (built_in("none", "display", pace="fast"),) if visit.entries("display") else ()
    configuration = replace(visit.configuration, stages=stages)
    async with open_foundation(configuration) as ground, furnished(configuration, ground) as house:
        ticket = await house.door.say(spoken(visit, SAYINGS)[0], source="doctor")
        report = await ticket.finished
        if report.error:
            return [failure("memory", AvatardError(report.error))]
        belongings = ground.governor.belongings
        pids = {getattr(m, "pid", None): m.name for m in belongings.models if m.loaded}
        threads = [m for m in belongings.models if m.loaded and not getattr(m, "pid", None)]
        engines = [(m.name, belongings.megabytes(m)) for m in threads]
        findings = _weighed(budget, psutil.Process().pid, pids)
    rows = [Finding(f"  {name}", "ok", f"{mb:7.0f} MB  on a thread of the daemon", "", {"engine_mb": round(mb, 1)})
            for name, mb in sorted(engines, key=lambda e: -e[1])]  # fmt: skip
    return findings + rows


def _weighed(budget: float, pid: int, names: dict[Any, str]) -> list[Finding]:
    rows, total = [], 0.0
    me = psutil.Process(pid)
    for process in (me, *me.children(recursive=True)):
        try:
            info = process.memory_full_info()
            mb = getattr(info, "pss", info.rss) / 1e6
            name = "daemon" if process.pid == pid else names.get(process.pid) or process.name()
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            mb, name = process.memory_info().rss / 1e6, process.name()
        total += mb
        rows.append(Finding(f"  {name}", "ok", f"{mb:7.0f} MB  process {process.pid}", "", {"pss_mb": round(mb, 1)}))
    share = total / budget
    what = f"{total:.0f} MB of the budget's {budget:.0f} ({100 * share:.0f} %), after one sentence"
    figures = {"pss_mb": round(total, 1), "budget_mb": round(budget)}
    if share <= 0.8:
        return [Finding("memory", "ok", what, "", figures), *rows]
    fix = (f"models are put down again and again; give it more, or take smaller engines:\n"
           f"  memory: {{budget_mb: {total / 0.7:.0f}}}")  # fmt: skip
    return [Finding("memory", "warning" if share <= 1 else "failed", what, fix, figures), *rows]


def _pid(id: str) -> int | None:
    """The process behind the daemon's socket."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(find_socket(id)))
            data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    except (OSError, AvatardError):
        return None
    return int(struct.unpack("3i", data)[0])

