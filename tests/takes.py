"""Answers and a silent film for the pages, recorded once a session from the drawn face."""

from __future__ import annotations

import subprocess
from functools import cache

import cv2
import numpy as np
from webhouse import Take

from avatard.api.flow import FRAME_SAMPLES, SPEECH_RATE
from avatard.face.shapes import MouthShape
from avatard.plugins.drawn.engine import Painter

SIZE = 256
SENTENCES = ((0.0, "It is ten past four."), (1.2, "The pasta is ready in six minutes."), (2.4, "Good appetite!"))


@cache
def film() -> tuple[bytes, bytes]:
    """The silent film as MP4 and its first picture as JPEG."""
    import imageio_ffmpeg

    painter = Painter("apricot", SIZE, 1)
    pictures = [painter.rest(i, 50) for i in range(50)]
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "bgr24",
        "-s", f"{SIZE}x{SIZE}", "-r", "25", "-i", "-", "-c:v", "libx264", "-preset", "ultrafast",
        "-pix_fmt", "yuv420p", "-threads", "1", "-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "-",
    ]  # fmt: skip
    raw = b"".join(np.ascontiguousarray(picture).tobytes() for picture in pictures)
    made = subprocess.run(command, input=raw, capture_output=True, check=True, timeout=60).stdout
    return made, jpeg(pictures[0])


@cache
def spoken(seconds: float = 3.6) -> Take:
    """A mouth that opens and shuts, and a tone that is as loud as it is open."""
    painter = Painter("apricot", SIZE, 1)
    jpegs, sounds = [], []
    for index in range(round(seconds * 25)):
        much = float(0.5 - 0.5 * np.cos(index * 0.9))
        jpegs.append(jpeg(painter.talk(index, MouthShape(much), 0.0)))
        at = np.arange(index * FRAME_SAMPLES, (index + 1) * FRAME_SAMPLES) / SPEECH_RATE
        sounds.append((4000 * much * np.sin(2 * np.pi * 220 * at)).astype("<i2").tobytes())
    return Take(jpegs, sounds, SENTENCES, SIZE)


def flashes(seconds: float, every: int = 25) -> Take:
    """Black, but every so many frames white for one frame, at whose first sample the sound clicks."""
    white, black = (jpeg(np.full((64, 64, 3), shade, np.uint8)) for shade in (255, 0))
    silent, click = np.zeros(FRAME_SAMPLES, "<i2"), np.zeros(FRAME_SAMPLES, "<i2")
    click[:48] = 30_000
    marks = [index % every == every - 1 for index in range(round(seconds * 25))]
    return Take(
        [white if mark else black for mark in marks], [(click if mark else silent).tobytes() for mark in marks], (), 64
    )


def jpeg(picture: np.ndarray) -> bytes:
    data: bytes = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
    return data
