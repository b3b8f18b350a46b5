"""A virtual sound card: a PulseAudio server of the test's own, with a microphone and a speaker."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import wave
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

    def unplug(self) -> None:
        """Take the microphone away."""
        module = next(line for line in self.pactl("list", "short", "modules").splitlines() if "sink_name=mic" in line)
        self.pactl("unload-module", module.split()[0])

    def plug(self, **options: object) -> None:
        """Put it back, with what PulseAudio's module-null-sink takes (``rate``, ``channels``)."""
        given = {"rate": RATE} | options
        self.pactl("load-module", "module-null-sink", "sink_name=mic", *(f"{k}={v}" for k, v in given.items()))

    def room(self, folder: Path) -> Room:
        """A room about the microphone: it is never quite silent."""
        return Room(self.env, folder)

    @property
    def listeners(self) -> int:
        """How many listen to the microphone."""
        sources = [line.split() for line in self.pactl("list", "short", "sources").splitlines()]
        mine = {index for index, name, *_ in sources if name == "mic.monitor"}
        outputs = self.pactl("list", "short", "source-outputs").splitlines()
        return sum(line.split()[1] in mine for line in outputs)


class Room:
    """A little noise, as long as ``sounds`` has begun and not ended."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self._env, self._file = env, folder / "room.wav"
        self._process: subprocess.Popen[bytes] | None = None
        noise = np.random.default_rng(0).normal(0, 40, 600 * 16_000).astype(np.int16)
        with wave.open(str(self._file), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(noise.tobytes())

    def begin(self) -> None:
        command = ["paplay", "--device=mic", "--latency-msec=100", str(self._file)]
        self._process = subprocess.Popen(command, env=self._env)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


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
