"""The real daemon as a process of its own, in folders of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parent.parent
FOLDERS = ("XDG_STATE_HOME", "XDG_CACHE_HOME")
EARS: dict[str, Any] = {
    "sounds": {"wake": False}, "avatar": {"render": [{"platform": "none"}]}, "display": {"platform": "none"},
    **{stage: {"platform": "scripted"} for stage in ("microphone", "wake_word", "vad", "stt")},
}  # fmt: skip
"""Nothing is heard and nothing is shown: what is left is real, espeak too."""


class Daemon:
    """``avatard run`` with the keys of ``config``; between ``stop`` and ``start`` they may change."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.config: dict[str, Any] = EARS | config
        self.file = folder / "avatard.yaml"
        self._log = folder / "avatard.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.env = dict(os.environ) | {"PYTHONPATH": str(ROOT)}
        for name in FOLDERS:
            (folder / name.lower()).mkdir(parents=True, exist_ok=True)
            self.env[name] = str(folder / name.lower())
        # The test's own is short enough for a socket in it.
        self.env["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(dir=os.environ.get("XDG_RUNTIME_DIR"))

    @property
    def log(self) -> str:
        """What it logged, over restarts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def write(self) -> None:
        """Write the configuration: JSON is YAML."""
        self.file.write_text(json.dumps(self.config))

    def start(self, seconds: float = 60) -> None:
        """Start, and wait until it is ready."""
        self.write()
        before = self.log.count("ready")
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "avatard", "run", "-c", str(self.file)]
            self._process = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)
        end = time.monotonic() + seconds
        while self.log.count("ready") == before:
            assert self._process.poll() is None and time.monotonic() < end, self.log[-4000:]
            time.sleep(0.05)

    def command(self, *words: str) -> str:
        """Run ``avatard WORDS`` for it: what a script in the house would do."""
        command = [sys.executable, "-m", "avatard", *words]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def reload(self) -> None:
        """Have it read what ``config`` has become."""
        self.write()
        self._send(signal.SIGHUP)

    def kill(self) -> None:
        """End it without a word."""
        self._send(signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        """End it in good order; return its exit status."""
        if self._process is None:
            return 0
        self._send(signal.SIGTERM)
        return self._wait()

    def _send(self, what: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(what)

    def _wait(self) -> int:
        assert self._process
        process, self._process = self._process, None
        try:
            return process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
