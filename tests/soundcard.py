"""A virtual sound card: a PulseAudio server of the test's own, with a microphone and a speaker."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import missing

RATE = 48_000


class SoundCard:
    """``play`` is heard by the microphone; ``heard`` is what the speaker gave."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env

    def pactl(self, *args: str) -> str:
        return subprocess.run(["pactl", *args], env=self.env, capture_output=True, text=True, check=True).stdout

    def play(self, path: Path) -> None:
        subprocess.run(["paplay", "--device=mic", str(path)], env=self.env, check=True)

    def record(self) -> Recording:
        return Recording(self.env)


class Recording:
    """What the speaker gives, from now on."""

    def __init__(self, env: dict[str, str]) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed by stop()
        command = ["parec", "--device=speaker.monitor", f"--rate={RATE}", "--channels=1", "--format=s16le",
                   "--latency-msec=20"]  # fmt: skip
        self._process = subprocess.Popen(command, env=env, stdout=self._file)

    def stop(self) -> np.ndarray:
        """Return what was heard."""
        self._process.terminate()
        self._process.wait()
        self._file.seek(0)
        data = self._file.read()
        self._file.close()
        return np.frombuffer(data[: len(data) // 2 * 2], np.int16)


@pytest.fixture
def soundcard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundCard]:
    for program in ("pulseaudio", "pactl", "paplay", "parec"):
        if shutil.which(program) is None:
            missing(f"{program} (Debian: pulseaudio, pulseaudio-utils)")
    home = tmp_path / "pulse"
    home.mkdir()
    (home / ".asoundrc").write_text("pcm.!default pulse\nctl.!default pulse\n")
    for key, value in {"XDG_RUNTIME_DIR": str(home), "HOME": str(home), "PULSE_RUNTIME_PATH": str(home)}.items():
        monkeypatch.setenv(key, value)
    env = dict(os.environ)
    server = subprocess.Popen(
        ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit", "--use-pid-file=no",
         "--load=module-native-protocol-unix", "--load=module-null-sink sink_name=speaker rate=48000",
         "--load=module-null-sink sink_name=mic rate=48000"],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    card = SoundCard(env)
    for _ in range(100):
        if subprocess.run(["pactl", "info"], env=env, capture_output=True, check=False).returncode == 0:
            break
        time.sleep(0.1)
    card.pactl("set-default-sink", "speaker")
    card.pactl("set-default-source", "mic.monitor")
    yield card
    server.kill()
    server.wait()
