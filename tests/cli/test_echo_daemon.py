"""It does not hear itself: the real daemon on a virtual sound card whose microphone hears the loudspeaker."""

from __future__ import annotations

import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from soundcard import RATE, SoundCard, soundcard
from test_soundcard import lines_of, wait_for

pytestmark = pytest.mark.alone

__all__ = ["soundcard"]

OURS = "These words wake me. Alexa. Okay nabu. Hey jarvis. That was all."
LONG = "It is ten past four in the afternoon, and the sun goes down at half past seven. " * 6


class Box:
    """The daemon, and what it logged."""

    def __init__(self, card: SoundCard, folder: Path, more: str = "") -> None:
        config = folder / "avatard.yaml"
        config.write_text("name: sound\nsounds: {wake: false}\nlogging: {level: debug}\n" + more)
        self.card, self.folder = card, folder
        self.process = subprocess.Popen([sys.executable, "-m", "avatard", "run", "-c", str(config)], env=card.env,
                                        stderr=subprocess.PIPE, text=True)  # fmt: skip
        self.lines, self._reading = lines_of(self.process)
        wait_for(self.lines, "ready")
        time.sleep(1.5)

    def say(self, text: str) -> subprocess.Popen[bytes]:
        """Have it say something, in the background."""
        return subprocess.Popen([sys.executable, "-m", "avatard", "say", text], env=self.card.env,
                                stderr=subprocess.DEVNULL)  # fmt: skip

    def wakes(self) -> list[str]:
        return [line for line in self.lines if "wake word: " in line]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self._reading.join()


@pytest.fixture
def box(soundcard: SoundCard, tmp_path: Path) -> Iterator[Box]:
    box = Box(soundcard, tmp_path)
    yield box
    box.close()


def echoing(card: SoundCard) -> None:
    """Let the microphone hear the loudspeaker."""
    card.pactl("load-module", "module-loopback", "source=speaker.monitor", "sink=mic", "latency_msec=60")


def write(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.clip(sound, -32768, 32767).astype(np.int16).tobytes())
    return path


def level(sound: np.ndarray) -> float:
    loud = sound[np.abs(sound.astype(int)) > 100].astype(float)
    return float(np.sqrt(np.mean(loud * loud)))


@pytest.mark.long
def test_its_own_wake_words_do_not_wake_it_and_a_persons_do(box: Box, recordings: Path, tmp_path: Path) -> None:
    speaker = box.card.record()
    box.say(OURS).wait(60)
    said = speaker.stop()
    assert not box.wakes()
    box.card.play(write(tmp_path / "said.wav", said))
    wait_for(box.lines, "wake word: ")  # from elsewhere the same sound is a wake word
    time.sleep(8)
    echoing(box.card)
    time.sleep(1)
    box.lines.clear()
    for _ in range(2):
        box.say(OURS).wait(60)
    time.sleep(1.5)
    assert not box.wakes(), box.lines
    with wave.open(str(recordings / "alexa.wav")) as file:
        alexa = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        rate = file.getframerate()
    answer = box.say(LONG)
    wait_for(box.lines, "state: responding")
    time.sleep(3)
    box.lines.clear()
    box.card.play(write(tmp_path / "alexa.wav", alexa * (level(said) * 4 / level(alexa)), rate))
    wait_for(box.lines, "wake word: alexa", 5)
    wait_for(box.lines, "(interrupted)", 5)
    answer.wait(10)
