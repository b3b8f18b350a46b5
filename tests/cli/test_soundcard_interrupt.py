"""What is told of an interrupted answer is what the loudspeaker really gave."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daemons import Running, eventually
from soundcard import RATE, SoundCard, soundcard

from avatard.cli.remote import command

pytestmark = pytest.mark.long

__all__ = ["soundcard"]

WORDS = "nine two nine two nine two nine two nine two nine two nine two nine two nine two nine two"
"""One sentence of equal words, about 8 seconds."""


def ask() -> dict[str, Any]:
    return list(command({"do": "ask", "text": "count"}, "box"))[-1]


def sounded(sound: np.ndarray) -> float:
    """Seconds from the first sound to the last."""
    step = RATE // 100
    loud = np.abs(sound[: len(sound) // step * step].reshape(-1, step).astype(int)).max(axis=1) > 200
    found = np.flatnonzero(loud)
    return float(found[-1] - found[0] + 1) / 100 if len(found) else 0.0


def test_what_was_said_is_what_sounded(soundcard: SoundCard, tmp_path: Path) -> None:
    conversation = f"{{platform: scripted, replies: {{'*': {WORDS}.}}}}"
    daemon = Running(tmp_path, env=soundcard.env, display="speaker", conversation=conversation)
    with daemon, ThreadPoolExecutor(1) as others:
        whole = soundcard.record()
        report = ask()
        assert report["reply"] == f"{WORDS}."
        seconds = sounded(whole.stop())
        for after in (0.7, 2.0, 4.0):
            part = soundcard.record()
            asked = others.submit(ask)
            eventually(lambda: daemon.status()["state"] == "responding")
            time.sleep(after)
            daemon.do("stop")
            report = asked.result(10)
            time.sleep(0.5)
            heard = sounded(part.stop())
            words = len(report["reply"].split())
            assert report["interrupted"] and WORDS.startswith(report["reply"]), report
            assert abs(words - len(WORDS.split()) * heard / seconds) <= 1.5, (words, heard, seconds)
        assert words > 5
