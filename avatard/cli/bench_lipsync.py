"""``avatard bench lipsync``: what one picture costs with each renderer, on the same sound and face, by turns."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from avatard.api.errors import AvatardError
from avatard.api.flow import FRAME_SAMPLES, SPEECH_RATE, Samples, Sentence, SpeechAudio, VideoFrame
from avatard.cli.bench_head import write_head
from avatard.face.cut import batches
from avatard.face.shapes import AT_ONCE, MouthTracker
from avatard.runtime.config import from_mapping
from avatard.runtime.foundation import Foundation, open_foundation
from avatard.runtime.plugin import Opener
from avatard.runtime.process import memory_mb

WARM = 25
"""Pictures that are not counted: the mouth comes softly, caches fill."""
VISIT = 25
"""Pictures of one case before the next has its turn: in service, too, picture follows picture, and what a case has just
used lies in the processor's caches. By turns of one picture each would pay for what the others have thrown out."""
PIECE = 5 * FRAME_SAMPLES
"""Samples of sound that come at once, 0.2 s: a voice speaks in pieces, espeak in such of 0.19 s, others in longer."""
SGEMM = """
import time
import numpy
a = numpy.random.default_rng(0).random((1024, 1024), numpy.float32)
took = []
for _ in range(8):
    began = time.process_time()
    a @ a
    took.append(time.process_time() - began)
print(2 * 1024**3 / min(took) / 1e9)
"""
"""In a process of its own: how many threads a library uses is told it before it starts."""


EPILOG = """example:
  avatard bench lipsync --model wav2lip.onnx --face me.face    your network, your face

Every renderer draws the same speech, by turns; what cannot be had here is left out with a word.
"""


@dataclass(slots=True)
class Case:
    """One way to a picture."""

    renderer: str
    model: str
    options: dict[str, Any]
    """Of the platform; none for the mouth shapes alone."""
    memory_mb: float = 0.0
    frames: AsyncGenerator[Any, None] | None = None
    cpu: list[float] = field(default_factory=list)
    """Seconds a picture, of each visit"""
    wall: list[float] = field(default_factory=list)

    def figures(self, threads: int) -> dict[str, Any]:
        """As in the report."""
        wall = np.percentile(self.wall, (50, 95)) * 1000
        costs = {"cpu_min": min(self.cpu) * 1000, "p50": float(wall[0]), "p95": float(wall[1])}
        return {
            "renderer": self.renderer, "model": self.model, "threads": threads if "model" in self.options else 1,
            "ms_per_frame": {name: round(value, 3) for name, value in costs.items()},
            "memory_mb": round(self.memory_mb, 1),
        }  # fmt: skip


def add_arguments(parser: Any) -> None:
    """Add the options of this bench."""
    parser.add_argument("--frames", type=int, default=250,
                        help=f"pictures of each renderer, {VISIT} in a row; figures are means of such rows")
    parser.add_argument("--model", default="random", help="a Wav2Lip .onnx; default: one without training")
    parser.add_argument("--face", default="", help="a face; default: a drawn head")
    parser.add_argument("--threads", type=int, default=1, help="threads of the network")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="avatard-") as folder:
        face = args.face or str(write_head(Path(folder) / "bench.face"))
        figures = asyncio.run(_measured(_cases(args.model, face, args.threads), args.frames, args.threads))
    if args.json:
        print(json.dumps(figures))
        return 0
    print(f"{figures['cpu']}, {figures['sgemm_gflops']} GFLOPS on one core")
    print(f"{'':10}{'cpu min':>10}{'p50':>10}{'p95':>10}  ms a picture{'MB':>8}  model")
    for case in figures["cases"]:
        costs = "".join(f"{case['ms_per_frame'][name]:10.3f}" for name in ("cpu_min", "p50", "p95"))
        print(f"{case['renderer']:10}{costs}{'':14}{case['memory_mb']:8.1f}  {case['model']}")
    return 0


def _cases(model: str, face: str, threads: int) -> list[Case]:
    network = {"platform": "wav2lip", "model": model, "face": face, "threads": threads, "batch": 1}
    name = "random weights" if model == "random" else Path(model).name
    return [
        Case("whole", name, network | {"split": False}), Case("split", name, network),
        Case("int8", name, network | {"precision": "int8"}), Case("shapes", "", {}),
        Case("warp", "", {"platform": "warp", "face": face}), Case("drawn", "", {"platform": "drawn"}),
    ]  # fmt: skip


async def _measured(cases: list[Case], frames: int, threads: int) -> dict[str, Any]:
    frames = -(-frames // VISIT) * VISIT
    async with open_foundation(from_mapping({"name": "bench"})) as foundation, asyncio.TaskGroup() as tasks:
        async with AsyncExitStack() as stack:
            there = [case for case in cases if await _open(case, foundation, tasks, stack, WARM + frames)]
            clock = _clock()
            for index in range(0, WARM + frames, VISIT):
                for case in there:
                    await _visit(case, clock, index >= WARM)
            for case in there:
                assert case.frames is not None
                await case.frames.aclose()
    return {
        "cases": [case.figures(threads) for case in there], "sgemm_gflops": await asyncio.to_thread(_sgemm),
        "cpu": _cpu_name(),
    }  # fmt: skip


async def _open(
    case: Case, foundation: Foundation, tasks: asyncio.TaskGroup, stack: AsyncExitStack, frames: int
) -> bool:
    """Open a case; False, with a word, where it cannot be had here."""
    before = memory_mb()
    if not case.options:
        case.frames = _shapes(frames)
    else:
        try:
            configuration = from_mapping({"name": "bench", "avatar": {"render": [case.options]}})
            (entry,) = configuration.stages["render"]
            stage = await Opener(stack, tasks, foundation, configuration).open(entry)
        except AvatardError as err:
            print(f"{case.renderer} is left out: {err}", file=sys.stderr)
            return False
        case.frames = stage.render(_speech(frames))
    case.memory_mb = memory_mb() - before
    return True


async def _visit(case: Case, clock: Callable[[], float], counts: bool) -> None:
    """Let one case draw some pictures."""
    assert case.frames is not None
    cpu, wall = clock(), time.perf_counter()
    frames = [await anext(case.frames) for _ in range(VISIT)]
    cpu, wall = clock() - cpu, time.perf_counter() - wall
    if any(isinstance(frame, VideoFrame) and frame.pixels is None for frame in frames):
        raise RuntimeError(f"{case.renderer} gave no picture")
    if counts:
        case.cpu.append(cpu / VISIT)
        case.wall.append(wall / VISIT)


def _clock() -> Callable[[], float]:
    """CPU seconds of this process and its children, to the nanosecond."""
    # The kernel's clock of another process: clock_getcpuclockid(3), which Python does not offer.
    children = [(~child.pid << 3) | 2 for child in psutil.Process().children(recursive=True)]
    return lambda: time.process_time() + sum(map(time.clock_gettime, children))


def _sound(frames: int) -> Samples:
    """A voice that never pauses: harmonics whose pitch and vowel wander."""
    t = np.arange(frames * FRAME_SAMPLES) / SPEECH_RATE
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(3 * t)) / SPEECH_RATE
    vowel = 1 + np.sin(11 * t)
    voice = sum(np.sin(k * phase) * np.exp(-((k * 140 / 1000 - vowel) ** 2)) for k in range(1, 20))
    return np.asarray(voice / np.abs(voice).max() * 12_000, np.int16)


async def _speech(frames: int) -> AsyncIterator[SpeechAudio]:
    """In small pieces, so that each visit pays for its own sound; a little more than is drawn."""
    sound, sentence = _sound(frames + 25), Sentence("", 0)
    for at in range(0, len(sound), PIECE):
        yield SpeechAudio(sentence, sound[at : at + PIECE], SPEECH_RATE, at + PIECE >= len(sound))


async def _shapes(frames: int) -> AsyncGenerator[Any, None]:
    """The mouth shapes alone."""
    tracker = MouthTracker()
    async with aclosing(batches(_speech(frames), AT_ONCE)) as lots:
        async for lot in lots:
            for shape in tracker.feed(*(audio for audio, _ in lot)):
                yield shape


def _sgemm() -> float:
    one = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    said = subprocess.run([sys.executable, "-c", SGEMM], env=os.environ | one, capture_output=True, check=True)
    return round(float(said.stdout), 1)


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(named, platform.processor() or platform.machine())
