"""Daemons as people run them, and plugins of a test's own.

    with Running(tmp_path, "tts: espeak") as daemon:
        daemon.hang_up()
        assert daemon.status()["problems"] == {}
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import psutil

from avatard.api.errors import AvatardError, NotReady
from avatard.cli.remote import command

AVATARD = [sys.executable, "-m", "avatard"]
BASE = {
    "name": "box", "microphone": "scripted", "wake_word": "scripted", "vad": "scripted", "stt": "scripted",
    "conversation": "scripted", "tts": "espeak", "display": "{platform: none, pace: fast}",
}  # fmt: skip


def yaml_of(**changes: str | None) -> str:
    """The smallest daemon, each key's value as YAML text; None leaves a key out."""
    return "".join(f"{key}: {value}\n" for key, value in (BASE | changes).items() if value is not None)


def plugin(folder: Path, name: str, domain: str, code: str, schema: str = "") -> None:
    """Install a plugin as a wheel would, in a folder that is on the path; ``schema``: the fields of its options."""
    package = folder / f"avatard_{name}"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "manifest.yaml").write_text(f"name: {name}\nprovides: [{domain}]\nsummary: for a test\n")
    (package / "config.py").write_text(
        "from pydantic import BaseModel\n\n\nclass Options(BaseModel, frozen=True, extra='forbid'):\n"
        f"    {schema or 'pass'}\n\n\nSCHEMAS = {{{domain!r}: Options}}\n"
    )
    (package / f"{domain}.py").write_text(code)
    info = folder / f"avatard_{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: avatard-{name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[avatard.plugins]\n{name} = avatard_{name}\n")


def eventually(want: Callable[[], Any], seconds: float = 10) -> Any:
    """Return what ``want`` gives once that is true."""
    end = time.monotonic() + seconds
    while True:
        try:
            if found := want():
                return found
        except (AvatardError, psutil.NoSuchProcess):
            pass
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


class Running:
    """One ``avatard run``; its log goes to a file."""

    def __init__(self, folder: Path, *, ready: bool = True, env: dict[str, str] | None = None, **keys: Any) -> None:
        """Write the configuration and start; wait until it is ready, unless told not to."""
        self.config, self._log = folder / "avatard.yaml", folder / "daemon.log"
        self.write(**keys)
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [*AVATARD, "run", "-c", str(self.config)], stderr=log, env=os.environ | (env or {})
            )
        self.family: set[psutil.Process] = set()
        """Every child that was seen."""
        if ready:
            self.logged("ready: ")
            self.children()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def write(self, **keys: Any) -> None:
        """Write another configuration: keys as ``yaml_of`` takes them, or the whole ``text``."""
        self.config.write_text(keys["text"] if "text" in keys else yaml_of(**keys))

    def logged(self, pattern: str, times: int = 1, seconds: float = 20) -> str:
        """Wait until the log has it so many times; return the last line that has."""
        def found() -> str:
            assert self.process.poll() is None, self.log
            lines = [line for line in self.log.splitlines() if re.search(pattern, line)]
            return lines[-1] if len(lines) >= times else ""

        try:
            return str(eventually(found, seconds))
        except AssertionError as err:
            raise AssertionError(f"{pattern!r} {times} times: {err}\n{self.log}") from err

    def do(self, do: str, **more: Any) -> dict[str, Any]:
        """Give it a command; return the last answer."""
        return list(command({"do": do, **more}, "box"))[-1]

    def status(self) -> dict[str, Any]:
        """What it is doing; ``NotReady`` while the house is opened."""
        answer = self.do("status")
        if not answer["ok"]:
            raise NotReady(answer["error"])
        return answer

    def kill_voice(self) -> None:
        """Kill the child that speaks; return when it is gone."""
        voice = self.voice()
        voice.kill()
        psutil.wait_procs([voice], timeout=5)

    def saying(self, text: str) -> subprocess.Popen[bytes]:
        """Have it say something in the background; return once it is at it."""
        saying = subprocess.Popen([*AVATARD, "say", text], stderr=subprocess.DEVNULL)
        eventually(lambda: self.status()["state"] == "responding")
        return saying

    def hang_up(self, *outcome: str, **keys: Any) -> None:
        """Write another configuration, have it read, and wait for the word about it in the log."""
        self.write(**keys)
        pattern = outcome[0] if outcome else r"avatard: reloaded"
        before = len(re.findall(pattern, self.log))
        self.process.send_signal(signal.SIGHUP)
        self.logged(pattern, before + 1)

    def children(self) -> list[psutil.Process]:
        found = psutil.Process(self.process.pid).children(recursive=True)
        self.family.update(found)
        return found

    def voice(self) -> psutil.Process:
        """The child that speaks."""
        return next(c for c in self.children() if "avatard.runtime.child" in c.cmdline())

    def end(self, how: int = signal.SIGTERM, seconds: float = 10) -> int:
        """End it; return its exit status. No child outlives it."""
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended already, as it was told
            self.children()
        self.process.send_signal(how)
        code = self.process.wait(seconds)
        left = psutil.wait_procs(self.family, timeout=2)[1]
        assert not [p for p in left if p.status() != psutil.STATUS_ZOMBIE], left
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for child in self.family:
            if child.is_running():
                child.kill()
