"""The real daemon on a virtual sound card: microphone and speaker, real engines."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
import wave
from pathlib import Path

import numpy as np
import psutil
import pytest
from soundcard import RATE, SoundCard, soundcard

from avatard.cli.conversation import record_questions

pytestmark = pytest.mark.alone

__all__ = ["soundcard"]


def lines_of(process: subprocess.Popen[str]) -> tuple[list[str], threading.Thread]:
    lines: list[str] = []

    def read() -> None:
        assert process.stderr
        with process.stderr:
            for line in process.stderr:
                lines.append(line)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    return lines, reading


def wait_for(lines: list[str], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not any(what in line for line in lines):
        assert time.monotonic() < end, f"no {what!r} in {lines}"
        time.sleep(0.02)


def loud(sound: np.ndarray) -> np.ndarray:
    """Which 20 ms pieces are heard."""
    step = RATE // 50
    return np.abs(sound[: len(sound) // step * step].reshape(-1, step).astype(int)).max(axis=1) > 200


def test_a_question_is_answered_and_the_wake_word_ends_the_answer(soundcard: SoundCard, tmp_path: Path) -> None:
    time_question, _, long_question = asyncio.run(record_questions(tmp_path))
    config = tmp_path / "avatard.yaml"
    config.write_text("name: sound\nsounds: {wake: false}\nlogging: {level: debug}\n")
    process = subprocess.Popen([sys.executable, "-m", "avatard", "run", "-c", str(config)], env=soundcard.env,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    lines, reading = lines_of(process)
    try:
        wait_for(lines, "ready")
        wait_for(lines, "microphone: works again") if any("trying again" in x for x in lines) else time.sleep(1)
        speaker = soundcard.record()
        soundcard.play(time_question)
        wait_for(lines, "heard: what time is it")
        wait_for(lines, "said: It is")
        first = speaker.stop()
        assert loud(first).sum() > 25
        me = psutil.Process(process.pid)
        before = me.num_threads(), len(me.children(recursive=True))
        speaker = soundcard.record()
        lines.clear()
        soundcard.play(long_question)
        wait_for(lines, "heard: what can you do")
        wait_for(lines, "state: responding")
        wake = tmp_path / "wake.wav"
        with wave.open(str(time_question)) as question, wave.open(str(wake), "wb") as file:
            file.setparams(question.getparams())
            file.writeframes(question.readframes(int(1.45 * 16_000)))
        soundcard.play(wake)
        wait_for(lines, "(interrupted)")
        time.sleep(0.3)
        cut = loud(speaker.stop())
        assert cut.sum() > 25 and not cut[-5:].any(), (cut.sum(), cut[-20:].astype(int), lines[-12:])
        time.sleep(8)
        assert (me.num_threads(), len(me.children(recursive=True))) <= before
    finally:
        process.terminate()
        process.wait(10)
        reading.join()
    assert process.returncode == 0
