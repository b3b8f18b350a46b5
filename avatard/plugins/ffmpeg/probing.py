"""Proof that an encoder works: what it makes of a few pictures must decode to those pictures.

A list of encoders proves nothing: Debian's ffmpeg names five for hardware that is not there, and some builds turn out
garbage with exit status 0.
"""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np

from avatard.api.errors import StageFailed
from avatard.api.flow import FPS, FRAME_SAMPLES, SPEECH_RATE
from avatard.api.mp4 import NotMp4, codecs
from avatard.plugins.ffmpeg import matroska
from avatard.plugins.ffmpeg.fragments import Fragments
from avatard.plugins.ffmpeg.process import cannot_start

LIMIT = 10.0
"""Seconds for each encoder."""
SIZE = (640, 360)
"""Of the pictures that are encoded: some hardware refuses small ones."""
LATE = "it took longer"
"""How the finding begins that may be another at the next start: the machine may have been busy."""
PICTURES = 12
SMALL = (32, 18)
"""Of the pictures that are compared."""
APART = 30.0
"""Mean difference of luma, of 255, that is still the same picture; grey or green in its place differ by 80 and more."""


def pictures() -> list[np.ndarray]:
    """A bright half that moves over a dark ground."""
    found = []
    for index in range(PICTURES):
        picture = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
        picture[:, index * 20 : index * 20 + 320] = 215
        found.append(picture)
    return found


async def examine(program: str, command: list[str]) -> str:
    """Why this command cannot serve; empty where it can.

    Args:
        program: the ffmpeg that decodes.
        command: the one that encodes to fragmented MP4, as it will really be used.
    """
    shown = pictures()
    tone = (np.sin(np.arange(FRAME_SAMPLES) * (2 * np.pi * 450 / SPEECH_RATE)) * 8000).astype(np.int16).tobytes()
    film = matroska.header(*SIZE, SPEECH_RATE) + b"".join(
        matroska.cluster(index * 1000 // FPS, picture.tobytes(), tone) for index, picture in enumerate(shown)
    )
    try:
        status, made, said = await ask(command, film)
        if status != 0:
            return f"it ended with status {status}: {said or 'it said nothing'}"
        chunks = list(Fragments(0.0).feed(made))
        if len(chunks) < 2 or not codecs(chunks[0].data).startswith("avc"):
            return "it made no H.264"
        seen = await _decoded(program, made)
    except TimeoutError:
        return f"{LATE} than {LIMIT:.0f} s"
    except NotMp4 as err:
        return f"what it made is no MP4: {err}"
    if len(seen) < PICTURES // 2:
        return f"of {PICTURES} pictures only {len(seen)} could be decoded"
    apart = max(float(np.abs(_small(one) - other).mean()) for one, other in zip(shown, seen, strict=False))
    return f"it makes other pictures than it is given (luma differs by {apart:.0f})" if apart > APART else ""


async def version(program: str) -> str:
    """The first line that it says of itself.

    Raises:
        NotReady: it cannot be started.
        StageFailed: it is no ffmpeg.
    """
    return (await _told(program, "-version")).partition("\n")[0]


async def listed(program: str) -> frozenset[str]:
    """The encoders that it was built with.

    Raises:
        NotReady: it cannot be started.
        StageFailed: it is no ffmpeg.
    """
    lines = (await _told(program, "-hide_banner", "-encoders")).splitlines()
    return frozenset(words[1] for line in lines if len(words := line.split()) > 1)


async def ask(command: list[str], data: bytes = b"") -> tuple[int, bytes, str]:
    """Run it to its end: exit status, what came out, and its last complaint.

    Raises:
        NotReady: it cannot be started.
        TimeoutError: it took too long, and was ended.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except OSError as err:
        raise cannot_start(command[0], err) from err
    try:
        made, said = await asyncio.wait_for(process.communicate(data), LIMIT)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    lines = said.decode(errors="replace").strip().splitlines()
    return process.returncode or 0, made, " | ".join(lines[-2:])


async def _told(program: str, *arguments: str) -> str:
    try:
        status, made, said = await ask([program, *arguments])
    except TimeoutError as late:
        raise StageFailed("encoder", "ffmpeg", f"{program} {arguments[-1]} does not end") from late
    if status != 0 or not made:
        raise StageFailed("encoder", "ffmpeg", f"{program} {arguments[-1]}: status {status} {said}".rstrip())
    return made.decode(errors="replace")


async def _decoded(program: str, film: bytes) -> list[np.ndarray]:
    command = [
        program, "-hide_banner", "-nostdin", "-loglevel", "error", "-f", "mp4", "-i", "pipe:0", "-map", "0:v", "-vf",
        f"scale={SMALL[0]}:{SMALL[1]}:flags=area,format=gray", "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1",
    ]  # fmt: skip
    _, made, _ = await ask(command, film)
    size = SMALL[0] * SMALL[1]
    whole = np.frombuffer(made[: len(made) // size * size], np.uint8)
    return list(whole.reshape(-1, SMALL[1], SMALL[0]).astype(float))


def _small(picture: np.ndarray) -> np.ndarray:
    rows, columns = SIZE[1] // SMALL[1], SIZE[0] // SMALL[0]
    grey = picture.mean(axis=2).reshape(SMALL[1], rows, SMALL[0], columns)
    return np.asarray(grey.mean(axis=(1, 3)))
