"""The doctor's echo row: how much of our own voice each canceller takes out of the microphone."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from contextlib import AsyncExitStack
from typing import Any

import numpy as np

from avatard.api.echo import Audible, EchoStream
from avatard.api.errors import NotReady
from avatard.api.flow import LISTEN_RATE, SPEECH_RATE, AudioFrame, Samples
from avatard.cli import chirps
from avatard.cli.doctor_sound import BEFORE, loudspeaker, recorded
from avatard.cli.examination import Examination
from avatard.cli.findings import Finding
from avatard.cli.playing import Played, play_on
from avatard.runtime.timing import lag_of
from avatard.talk.displays import Displays
from avatard.talk.played import Played as Reference

SECONDS, JUDGED = 9.0, 4.0
"""Seconds that are played, and of those the last that count: the cancellers have learned the room by then."""
ENOUGH_DB = 10.0
"""So much should the best canceller take; wake words over our own voice are found from there on."""
SECOND = 16
"""Frames"""
HEARD = 4.0
"""Times the room's own power that an echo must have to be measured."""


async def echo(visit: Examination) -> list[Finding]:
    """Play our own voice, and measure what the cancellers leave of it."""
    entries, entry = visit.entries("echo"), loudspeaker(visit)
    cancels = [one for one in entries if one.platform != "none"]
    system = await asyncio.to_thread(system_canceller)
    if not cancels:
        what = "off (echo: none)" + (f"; the system's canceller is there: {system}" if system else "")
        fix = "" if system else "unless the sound card cancels by itself, delete 'echo: none'"
        return [Finding("echo", "ok" if system else "warning", what, fix, {"system": system})]
    if entry is None or not visit.entries("microphone"):
        return []
    try:
        async with visit.opened(visit.entries("microphone")[0], entry, *cancels) as (microphone, sink, *engines):
            if not microphone.live:
                return [_unmeasured("the microphone is a recording", "use a real one:\n  microphone: sounddevice")]
            if not isinstance(sink, Audible):
                why = f"{entry.platform} does not tell what it plays"
                return [_unmeasured(why, "take a display that does, or the system's canceller (docs/echo.md):\n"
                                    "  display: {platform: speaker}")]  # fmt: skip
            heard = await _heard(visit, microphone, sink, entry, engines)
    except NotReady as err:
        return [_unmeasured(str(err).partition("; ")[0], "mend the rows 'sound in' and 'sound out' first")]
    return [judged([one.platform for one in cancels], *heard, system)]


async def _heard(
    visit: Examination, microphone: Any, sink: Any, entry: Any, engines: list[Any]
) -> tuple[list[AudioFrame], list[Samples], list[list[Samples]]]:
    """The microphone's frames, what was played beside each, and each canceller's remainder."""
    voice = visit.speech if visit.speech is not None and len(visit.speech) > SPEECH_RATE else chirps.chirps()
    sound = np.tile(voice, 1 + int(SECONDS * SPEECH_RATE / len(voice)))[: int(SECONDS * SPEECH_RATE)]
    async with visit.encoding() as encoder, AsyncExitStack() as stack:
        displays = Displays([(entry.platform, sink)], encoder, lags=[lag_of(entry.options)])
        reference = displays.played
        assert reference is not None
        streams = [await stack.enter_async_context(engine.open()) for engine in engines]
        cleaning = _Cleaning(reference, streams)
        recording = await stack.enter_async_context(recorded(microphone))
        task = asyncio.ensure_future(cleaning.follow(recording.frames))
        try:
            await asyncio.sleep(BEFORE)
            visit.teller.note("it speaks, and listens to itself")
            await play_on(displays, sound, Played(), visit.pictures)
        finally:
            task.cancel()
            await asyncio.wait({task})
    return recording.frames[: len(cleaning.played)], cleaning.played, cleaning.left


class _Cleaning:
    """Takes what was played out of each frame, as listening does."""

    def __init__(self, reference: Reference, streams: list[EchoStream]) -> None:
        self._reference, self._streams = reference, streams
        self.played: list[Samples] = []
        self.left: list[list[Samples]] = []

    async def follow(self, frames: list[AudioFrame]) -> None:
        while True:
            while len(self.played) < len(frames):
                frame = frames[len(self.played)]
                self._reference.heard(frame)
                played = self._reference.during(frame)
                left = [(await stream.clean(frame, played)).samples for stream in self._streams]
                self.played.append(played)
                self.left.append(left)
            await asyncio.sleep(0.02)


def judged(
    names: list[str], frames: list[AudioFrame], played: list[Samples], left: list[list[Samples]], system: str
) -> Finding:
    """How many dB each has taken."""
    def power(pieces: list[Samples]) -> float:
        return float(np.mean(np.concatenate(pieces).astype(np.float64) ** 2)) if pieces else 0.0

    first = frames[0].end if frames else 0.0
    quiet = power([frame.samples for frame in frames if frame.end < first + BEFORE - 0.1])
    count = int(JUDGED * LISTEN_RATE / max(1, len(frames[0].samples))) if frames else 0
    loud = [n for n in range(len(left)) if power([played[n]]) > 100.0**2][-count:]
    echoes = power([frames[n].samples for n in loud])
    if echoes < HEARD * quiet + 1:
        return _unmeasured("the microphone hardly hears the loudspeaker, so there is little to cancel",
                           "mend the row 'loop' first, or turn the loudspeaker up:\n  alsamixer")  # fmt: skip
    def took(index: int) -> float:
        """The median of what it took in a second: a sound card that skips costs one of them."""
        parts = [loud[at : at + SECOND] for at in range(0, len(loud), SECOND)]
        pairs = [(power([frames[n].samples for n in part]), power([left[n][index] for n in part])) for part in parts]
        return round(float(np.median([10 * np.log10(max(a, 1.0) / max(b, 1.0)) for a, b in pairs])), 1)

    taken = {name: took(index) for index, name in enumerate(names)}
    best = max(taken.values())
    what = "takes " + ", ".join(f"{name} {db:.0f} dB" for name, db in taken.items())
    what += f"; the system has one too: {system}" if system else ""
    figures = {"taken_db": taken, "echo_db": chirps.decibels(echoes**0.5), "system": system}
    if best >= ENOUGH_DB:
        return Finding("echo", "ok", what, "", figures)
    return Finding("echo", "warning", f"{what}: little", "turn the loudspeaker down, or move it away from the "
                   "microphone; or take the system's canceller (docs/echo.md):\n  pactl load-module module-echo-cancel",
                   figures)  # fmt: skip


def system_canceller() -> str:
    """The name of PipeWire's or PulseAudio's echo-cancelled source; empty where there is none."""
    if shutil.which("pactl") is None:
        return ""
    try:
        command = ["pactl", "list", "short", "sources"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    names = [line.split("\t")[1] for line in done.stdout.splitlines() if line.count("\t") > 1]
    return next((n for n in names if "echo-cancel" in n or "echocancel" in n), "")


def _unmeasured(why: str, fix: str) -> Finding:
    return Finding("echo", "warning", f"not measured: {why}", fix)
