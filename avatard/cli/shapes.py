"""``avatard shapes``: the mouth track of a recording."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.errors import AvatardError
from avatard.api.flow import FPS, FRAME_SAMPLES, SPEECH_RATE, Samples
from avatard.face.shapes import AT_ONCE, MouthShape, MouthTracker

EPILOG = """examples:
  avatard shapes speech.wav             # the track as a picture
  avatard shapes speech.wav --json      # {"fps": 25, "open": [...], "wide": [...], "round": [...], "teeth": [...]}
"""
NUMBERS = ("open", "wide", "round", "teeth")
BARS, PLAIN = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
"""From 0 to 1; the second for terminals without the first."""
MARGIN = 15
"""Letters before the bars of a line."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "shapes", help="show what the mouth does in a recording", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("wav", type=Path, metavar="WAV", help="the recording: PCM of any rate, mono or stereo")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Track the recording and print it."""
    shapes = track(args.wav)
    columns = {name: [round(getattr(shape, name), 4) for shape in shapes] for name in NUMBERS}
    print(json.dumps({"fps": FPS, **columns}) if args.json else "\n".join(picture(columns)))
    return 0


def track(path: Path) -> list[MouthShape]:
    """Return the shape of each 40 ms of a WAV file; an hour of it takes no more memory than a second.

    Raises:
        AvatardError: naming the file and what is wrong with it.
    """
    tracker, shapes = MouthTracker(), []
    left: Samples = np.zeros(0, np.int16)
    for piece in _sound(path):
        sound = np.concatenate([left, piece])
        whole = len(sound) - len(sound) % FRAME_SAMPLES
        for at in range(0, whole, AT_ONCE * FRAME_SAMPLES):
            shapes += tracker.feed(sound[at : min(whole, at + AT_ONCE * FRAME_SAMPLES)])
        left = sound[whole:]
    if len(left):
        shapes += tracker.feed(np.concatenate([left, np.zeros(FRAME_SAMPLES - len(left), np.int16)]))
    return shapes + tracker.finish()


def picture(columns: dict[str, list[float]]) -> list[str]:
    """Draw the track, some seconds below one another: a bar for each frame."""
    bars = BARS if (sys.stdout.encoding or "").lower().startswith("utf") else PLAIN
    width = max(FPS, (shutil.get_terminal_size().columns - MARGIN) // FPS * FPS)
    lines = []
    for begin in range(0, len(columns["open"]), width):
        for name in NUMBERS:
            label = f"{begin / FPS:6.1f} s" if name == NUMBERS[0] else ""
            marks = (bars[round(value * (len(bars) - 1))] for value in columns[name][begin : begin + width])
            lines.append(f"{label:8} {name:5} {''.join(marks)}".rstrip())
        lines.append("")
    return lines[:-1]


def _sound(path: Path) -> Iterator[Samples]:
    """Yield the recording at 48 kHz, a second of it at a time."""
    import soxr

    try:
        with wave.open(str(path)) as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            if not 1000 <= rate <= 768_000 or not file.getnframes():
                raise AvatardError(f"recording {path}: no sound in it ({file.getnframes()} samples, {rate} Hz)")
            stream = soxr.ResampleStream(rate, SPEECH_RATE, 1, dtype="float32")
            while data := file.readframes(rate):
                whole = len(data) - len(data) % (width * channels)
                mono = _floats(data[:whole], width).reshape(-1, channels).mean(axis=1, dtype=np.float32)
                yield _int16(stream.resample_chunk(mono))
            yield _int16(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    except OSError as err:
        raise AvatardError(f"recording {path}: {err.strerror}") from err
    except (wave.Error, EOFError) as err:
        reason, mend = str(err) or "it is cut short", "ffmpeg -i INPUT -c:a pcm_s16le OUTPUT.wav"
        raise AvatardError(f"recording {path}: not a PCM WAV file ({reason}); convert it with: {mend}") from err


def _floats(data: bytes, width: int) -> NDArray[np.float32]:
    """Samples of 1 to 4 bytes as numbers in [-1, 1]."""
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / np.float32(128)
    parts = np.frombuffer(data, np.uint8).reshape(-1, width)
    wide = np.zeros((len(parts), 4), np.uint8)
    wide[:, 4 - width :] = parts
    sound: NDArray[np.float32] = wide.view("<i4")[:, 0].astype(np.float32)
    return sound / np.float32(2**31)


def _int16(sound: NDArray[np.float32]) -> Samples:
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16)
