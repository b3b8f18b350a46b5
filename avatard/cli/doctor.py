"""``avatard doctor``: proves each part on this machine, and says what to do about what fails."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

from avatard.api.errors import NotReady
from avatard.cli import doctor_house, doctor_sound
from avatard.cli.channels import channel_levels
from avatard.cli.doctor_echo import echo
from avatard.cli.doctor_engines import LOOKS
from avatard.cli.examination import Examination, failure
from avatard.cli.findings import Finding, Teller, screen, silenced
from avatard.cli.levels import Meter, one_sided
from avatard.runtime.config import ConfigProblems, Configuration, find_file, load
from avatard.runtime.foundation import open_foundation
from avatard.runtime.voices import voices

LIMITS = {"stt": 120.0, "tts": 90.0, "render": 120.0, "encoder": 90.0, "conversation": 90.0, "display": 30.0,
          "vad": 60.0, "wake_word": 90.0}  # fmt: skip
"""Seconds that each look may take; a model may have to be loaded."""
SHORT = 5.0
"""Seconds of ``--level`` where nobody watches."""

EPILOG = """examples:
  avatard doctor                      everything; it plays chirps, and speaks to itself for a while
  avatard doctor --memory             also what each process and each engine takes, against the budget
  avatard doctor --level              a level meter: speak, and see whether the microphone hears it
  avatard doctor -c avatard.yaml --json > report.json

Each row is ok, warning or failed; below a row that is not ok stands what to do. Leave the box silent for
some minutes before, with its amplifier on: then 'loop' also sees how much of the first words is swallowed.
Exit status: 0 nothing failed, 1 something failed, 78 the configuration must be changed.
"""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "doctor", help="prove each part on this machine, and say what to do",
        description="Open each part as the daemon does, prove it, and say what to do about what fails.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration; see 'avatard check'")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON; what goes on, on standard error")
    parser.add_argument("--memory", action="store_true", help="also measure each process and engine, all of them open")
    parser.add_argument("--level", action="store_true", help="only a level meter of the microphone, until Ctrl-C")
    parser.add_argument("--seconds", type=float, default=None, metavar="N", help="--level: so long")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look at everything; 0 nothing failed, 1 something did, 78 the configuration must be changed."""
    teller, path = screen(args.json), find_file(args.config)
    try:
        configuration = load(path)
    except ConfigProblems as err:
        for p in err.problems:
            teller.tell(Finding("configuration", "failed", f"{p.file}:{p.line}: {p.key}: {p.text}",
                                "change that line, and see that all is right:\n  avatard check"))  # fmt: skip
        _print(teller, args.json)
        return 78
    look = partial(_level, seconds=args.seconds) if args.level else partial(_everything, path=path, memory=args.memory)
    with silenced(teller):
        asyncio.run(_visit(configuration, teller, look))
    if not args.level:
        teller.sum_up()
    _print(teller, args.json)
    return 1 if any(finding.state == "failed" for finding in teller.findings) else 0


def _print(teller: Teller, as_json: bool) -> None:
    if as_json:
        print(json.dumps([finding.as_dict() for finding in teller.findings]))


async def _visit(configuration: Configuration, teller: Teller, look: Callable[[Examination], Any]) -> None:
    async with open_foundation(configuration) as foundation, voices() as speaking:
        await look(Examination(configuration, foundation, teller, speaking))


async def _everything(visit: Examination, path: Path | None, memory: bool) -> None:
    configuration, told = visit.configuration, visit.teller.tell
    engines = ", ".join(e.platform for s in configuration.stages.values() for e in s)
    told(Finding("configuration", "ok", f"{path or 'the built-in default'}: {engines}"))
    status = await asyncio.to_thread(doctor_house.running, configuration.id)
    visit.busy = status is not None
    told(doctor_house.daemon(status))
    if visit.entries("microphone"):
        await visit.look("sound in", 20, partial(doctor_sound.sound_in, visit))
    if visit.entries("display"):
        await visit.look("loop", 40, partial(doctor_sound.loop, visit))
    for domain, at in LOOKS.items():
        for entry in visit.entries(domain):
            part = domain.replace("_", " ") if domain in ("wake_word", "vad") else f"{domain} {entry.platform}"
            await visit.look(part, LIMITS[domain], partial(at, visit, entry))
    if visit.entries("echo"):
        await visit.look("echo", 60, partial(echo, visit))
    heard = doctor_sound.loudspeaker(visit)
    for entry in visit.entries("display"):
        if entry is not heard:
            at = partial(doctor_house.display, visit, entry)
            await visit.look(f"display {entry.platform}", LIMITS["display"], at)
    for entry in visit.entries("bridge"):
        if entry.platform == "mqtt":
            await visit.look("broker", doctor_house.BROKER_LIMIT, partial(doctor_house.broker, visit, entry, status))
    weigh = doctor_house.memory_of_all if memory else doctor_house.memory
    await visit.look("memory", 180, partial(weigh, visit, status))


async def _level(visit: Examination, seconds: float | None) -> None:
    """A level meter, until somebody ends it."""
    if not visit.entries("microphone"):
        visit.teller.tell(Finding("sound in", "failed", "the configuration has no microphone",
                                  "write:\n  microphone: sounddevice"))  # fmt: skip
        return
    meter, ended, teller = Meter(), asyncio.Event(), visit.teller
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, ended.set)
    entry = visit.entries("microphone")[0]
    limit = seconds if seconds is not None else (float("inf") if teller.live else SHORT)
    teller.line(f"{entry.platform}: speak as you would from where you usually are"
                + ("; Ctrl-C ends" if teller.live else ""))  # fmt: skip
    try:
        async with visit.opened(entry) as (microphone,):
            await _metered(microphone, meter, ended, limit, teller)
    except NotReady as err:
        teller.tell(failure("sound in", err))
        return
    levels = await asyncio.to_thread(channel_levels, entry)
    verdict = meter.verdict("sound in", True)
    teller.tell(one_sided("sound in", levels, verdict) if levels else verdict)


async def _metered(microphone: Any, meter: Meter, ended: asyncio.Event, limit: float, teller: Teller) -> None:
    """Take frames, and draw, until it has ended."""
    began = time.monotonic()
    async with aclosing(microphone.frames()) as frames:
        async for frame in frames:
            meter.take(frame.samples)
            if teller.live:
                teller.draw(meter.bar())
            if ended.is_set() or time.monotonic() - began > limit:
                return
