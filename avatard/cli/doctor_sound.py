"""The doctor's ears: sound in, sound out, and from the loudspeaker to the microphone."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from avatard.api.errors import NotReady
from avatard.api.flow import AudioFrame, Samples
from avatard.api.stages import DisplaySink, Microphone
from avatard.cli import chirps
from avatard.cli.channels import channel_levels
from avatard.cli.examination import Examination, failure
from avatard.cli.findings import Finding
from avatard.cli.levels import Meter, one_sided
from avatard.cli.playing import Played, play
from avatard.runtime.config import PlatformEntry

LISTENED = 3.0
"""Seconds that sound in is listened to."""
SHORT_BAR = 18
"""Characters"""
BEFORE, AFTER = 0.7, 1.6
"""Seconds that are recorded before and after what is played: so late may it come."""
SILENT = ("none", "file", "scripted")
"""Displays that no microphone hears."""
PATIENCE = 8.0
"""Seconds on top of a sound's own in which it is played, or the device is stuck"""
STUCK = "the sound card, or the sound server before it, is stuck; begin it anew, or plug the card in again:\n" \
        "  systemctl --user restart pipewire pulseaudio\n  aplay -l"
SWALLOWED, LATE = 0.1, 0.08
"""Seconds of the beginning, and of delay, that are worth a line in the configuration."""
LISTS = {"sound in": "  arecord -l", "sound out": "  aplay -l"}
"""What shows the devices"""
BUSY = "the running daemon may hold the device; stop it, and try again:\n  sudo systemctl stop avatard"


@dataclass
class Recording:
    """What a microphone hears."""

    frames: list[AudioFrame] = field(default_factory=list)

    @property
    def offset(self) -> float:
        """From a position in it to when that was captured, monotonic seconds; some frames come late."""
        return min((frame.captured - frame.end for frame in self.frames), default=0.0)

    @property
    def sound(self) -> Samples:
        """All of it."""
        return np.concatenate([np.zeros(0, np.int16), *(frame.samples for frame in self.frames)])


@asynccontextmanager
async def recorded(microphone: Microphone) -> AsyncIterator[Recording]:
    """Record while the block runs; it begins once the first frame has come.

    Raises:
        NotReady: the microphone cannot be had, or has ended.
    """
    recording, heard = Recording(), asyncio.Event()

    async def read() -> None:
        async with aclosing(cast("Any", microphone.frames())) as frames:
            async for frame in frames:
                recording.frames.append(frame)
                heard.set()
        raise NotReady("the microphone has come to its end")

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read())
        try:
            async with asyncio.timeout(PATIENCE):
                await heard.wait()
        except TimeoutError as late:
            raise NotReady(f"the microphone gives nothing for {PATIENCE:.0f} s; is it plugged in?") from late
        yield recording
        reading.cancel()


async def sound_in(visit: Examination) -> list[Finding]:
    """Whether the microphone hears."""
    part, meter = "sound in", Meter()
    entry, asked = visit.entries("microphone")[0], visit.teller.live
    try:
        async with visit.opened(entry) as (microphone,):
            began = time.monotonic()
            async with aclosing(microphone.frames()) as frames:
                async for frame in frames:
                    meter.take(frame.samples)
                    visit.teller.note(f"speak now  {meter.bar(SHORT_BAR)}")
                    if time.monotonic() - began > LISTENED or frame.end > LISTENED:
                        break
        levels = await asyncio.to_thread(channel_levels, entry)
    except NotReady as err:
        return [busy(visit, part, err)]
    verdict = meter.verdict(part, asked and microphone.live)
    return [one_sided(part, levels, verdict) if levels else verdict]


def loudspeaker(visit: Examination) -> PlatformEntry | None:
    """The display that is heard: the first that sounds in the room."""
    entries = [entry for entry in visit.entries("display") if entry.platform not in SILENT]
    return entries[0] if entries else None


def busy(visit: Examination, part: str, err: NotReady) -> Finding:
    """A device that cannot be had; no wonder where the daemon has it."""
    if not visit.busy:
        return failure(part, err, LISTS.get(part, ""))
    return Finding(part, "warning", str(err).partition("; ")[0], BUSY)


async def loop(visit: Examination) -> list[Finding]:
    """Play chirps, and look for them in the microphone."""
    entry, ears = loudspeaker(visit), visit.entries("microphone")
    if entry is None:
        return [Finding("sound out", "warning", "no display of the configuration sounds",
                        "where it is to be heard, write:\n  display: {platform: speaker}")]  # fmt: skip
    try:
        async with visit.opened(entry) as (sink,):
            if not ears:
                return [await _out(visit, entry, sink, Played())]
            return await _looped(visit, entry, sink)
    except NotReady as err:
        none = Finding("loop", "warning", "not tried: no sound comes out", "mend the row 'sound out' first")
        return [busy(visit, "sound out", err), none]


async def _looped(visit: Examination, entry: PlatformEntry, sink: DisplaySink) -> list[Finding]:
    played, out = Played(), None
    try:
        async with visit.opened(visit.entries("microphone")[0]) as (microphone,):
            if not microphone.live:
                out = await _out(visit, entry, sink, played)
                return [out, Finding("loop", "warning", "not tried: the microphone is a recording",
                                     "use a real one:\n  microphone: sounddevice")]  # fmt: skip
            async with recorded(microphone) as recording:
                visit.teller.note("chirps come out of the loudspeaker")
                await asyncio.sleep(BEFORE)
                out = await _out(visit, entry, sink, played)
                await asyncio.sleep(AFTER)
    except NotReady as err:
        out = out or await _out(visit, entry, sink, Played())
        return [out, busy(visit, "loop", err)]
    found = await asyncio.to_thread(chirps.find, recording.sound)
    return [out, loop_finding(entry, recording, found, played)]


async def _out(visit: Examination, entry: PlatformEntry, sink: DisplaySink, played: Played) -> Finding:
    """Play the chirps."""
    sound, began = chirps.chirps(), time.monotonic()
    try:
        async with asyncio.timeout(chirps.seconds() + PATIENCE):
            await play(visit, entry, sink, sound, played)
    except TimeoutError:
        took = time.monotonic() - began
        what = f"{entry.platform}: {chirps.seconds():.1f} s of sound were not played in {took:.0f} s"
        return Finding("sound out", "failed", what, STUCK)
    took = time.monotonic() - began
    figures = {"display": entry.platform, "seconds": round(took, 2), "plays_seconds": round(chirps.seconds(), 2)}
    what = f"{entry.platform} plays: {chirps.seconds():.1f} s of sound took {took:.1f} s"
    if took < 0.9 * chirps.seconds():
        fix = "choose the sound card with 'device:' under 'display:'; what there is:\n  aplay -l"
        return Finding("sound out", "failed", f"{what}: no device can have played it", fix, figures)
    return Finding("sound out", "ok", what, "", figures)


def loop_finding(
    entry: PlatformEntry, recording: Recording, found: chirps.Found | None, played: Played
) -> Finding:
    """What the recording says of the loudspeaker."""
    if found is None:
        level = chirps.decibels(float(np.sqrt(np.mean(recording.sound.astype(np.float64) ** 2))))
        fix = ("turn the loudspeaker up, and see that both are the right devices:\n  alsamixer\n"
               "  aplay -l; arecord -l\nwith headphones on, this row cannot be ok")  # fmt: skip
        what = f"the microphone does not hear the loudspeaker (it hears {level:.0f} dB)"
        return Finding("loop", "failed", what, fix, {"level_db": level})
    heard = recording.offset + found.at
    delay, handed = heard - played.origin, heard - played.handed
    figures = {
        "delay_ms": round(1000 * delay), "handed_to_heard_ms": round(1000 * handed),
        "missing_ms": round(1000 * found.missing), "skipped_ms": round(1000 * found.skipped),
        "level_db": found.level_db, "clarity": found.clarity,
    }  # fmt: skip
    what = (f"heard at {found.level_db:.0f} dB, {1000 * handed:.0f} ms after it was handed over, "
            f"{1000 * delay:.0f} ms after its time")  # fmt: skip
    options: Any = entry.options
    lead, late = rounded(found.missing, 0.1, 0.05), max(0, round(100 * delay) * 10)
    lines = []
    if found.missing >= SWALLOWED and options.lead_in_ms < 1000 * found.missing:
        what += f"; the first {1000 * found.missing:.0f} ms were swallowed"
        lines.append(f"    lead_in_ms: {lead}")
    if delay >= LATE and abs(options.delay_ms - late) > 1000 * LATE:
        lines.append(f"    delay_ms: {late}")
    if not lines:
        return Finding("loop", "ok", what, "", figures)
    why = "so that first words are heard" if "lead_in" in lines[0] else "so that lips and sound stay together"
    fix = "\n".join([f"{why}, write:", "  display:", f"  - platform: {entry.platform}", *lines])
    return Finding("loop", "warning", what, fix, figures)


def rounded(seconds: float, margin: float, step: float) -> int:
    """Milliseconds with a margin, up to the next step."""
    return round(1000 * step * math.ceil(round((seconds + margin) / step, 6)))
