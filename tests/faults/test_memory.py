"""Ballast takes the real daemon, with real engines, through each memory tier and back."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from broker import Broker, Listener

from avatard.cli.remote import command
from avatard.runtime.config.core import Steps
from avatard.runtime.process import memory_mb

AVATARD = [sys.executable, "-m", "avatard"]
EXPIRE = 2.0
"""Seconds after which a session expires here."""
DECLARED = [*Steps().tidy, *Steps().shed, *Steps().survive]

MANIFEST = "name: ballast\nprovides: [conversation]\nsummary: takes as much memory as a file says\n"
CONFIG = """from pathlib import Path
from pydantic import BaseModel

class ConversationConfig(BaseModel, frozen=True, extra="forbid"):
    file: Path

SCHEMAS = {"conversation": ConversationConfig}
"""
RESPONDER = """import asyncio
import json
from contextlib import asynccontextmanager

class Pages:
    def __init__(self):
        self.held = b""

    @property
    def megabytes(self):
        return len(self.held) / 1e6

    def take(self, megabytes):
        self.held = b""
        self.held = b"x" * int(megabytes * 1_000_000)

    shed = lambda self: self.take(0)

class Silent:
    def grammar(self, language):
        return None

    async def reply(self, heard, session):
        return None

@asynccontextmanager
async def async_setup(context, config):
    cache, ballast = Pages(), Pages()

    async def follow(pulse):
        wanted = {}
        while True:
            await asyncio.sleep(0.05)
            before, wanted = wanted, json.loads(config.file.read_text())
            for name, pages in (("cache", cache), ("ballast", ballast)):
                if wanted[name] != before.get(name):
                    pages.take(wanted[name])

    context.keep("pages", cache)
    context.run("follow", follow)
    yield Silent()
"""


def avatard(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*AVATARD, *args], capture_output=True, text=True, timeout=60, check=False)


def until(true: Callable[[], Any], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"did not happen: {what}"
        time.sleep(0.1)


def take(folder: Path, ballast: float, cache: float = 0) -> None:
    """Tell the plugin what to take; it reads a whole file or none."""
    (folder / "part").write_text(json.dumps({"ballast": ballast, "cache": cache}))
    (folder / "part").rename(folder / "ballast.json")


@dataclass
class Daemon:
    """The running program."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> list[str]:
        """What the governor has written."""
        return re.findall(r"governor: memory: (tier \w+|\w+: [^(]+|refuse_sessions|trim)", self.log.read_text())

    def did(self, start: int = 0) -> list[str]:
        """The steps without the tiers."""
        return [line.strip() for line in self.said()[start:] if not line.startswith("tier")]

    def status(self) -> dict[str, Any]:
        return next(command({"do": "status"}, "box"))

    def tier(self) -> str:
        return str(self.status()["tier"])

    def memory(self) -> float:
        return memory_mb(self.process.pid)

    def own(self) -> float:
        """Megabytes that are the daemon's alone: what it shares depends on who else runs on this machine."""
        me = psutil.Process(self.process.pid)
        return sum(p.memory_full_info().uss for p in (me, *me.children(recursive=True))) / 1e6

    def speaks(self) -> bool:
        *_, last = command({"do": "say", "text": "Hello."}, "box")
        return bool(last["ok"]) and self.process.poll() is None

    def holds(self, megabytes: float, tier: str, cache: float = 0) -> None:
        """Take so much ballast, and a cache, and wait for the tier."""
        take(self.log.parent, megabytes, cache)
        until(lambda: self.tier() == tier, f"tier {tier}")

    def answers(self, session: str) -> None:
        """Answer in this session."""
        *words, last = command({"do": "ask", "text": "who are you", "session": session}, "box")
        assert last["ok"] and "".join(w["text"] for w in words).startswith("I am"), last

    def every_engine_works(self) -> None:
        """Each engine is loaded and used: the voice, the intents, and what listens."""
        self.answers("room")
        assert next(command({"do": "listen"}, "box"))["ok"]
        until(lambda: self.status()["state"] == "listening", "listening")
        until(lambda: self.status()["state"] == "idle", "it listened in vain")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def start(tmp_path: Path, broker: Broker) -> Iterator[Callable[..., Daemon]]:
    folder = tmp_path / "custom_plugins" / "ballast"
    folder.mkdir(parents=True)
    for name, text in (("manifest.yaml", MANIFEST), ("config.py", CONFIG), ("conversation.py", RESPONDER)):
        (folder / name).write_text(text)
    running: list[subprocess.Popen[bytes]] = []

    def started(**memory: Any) -> Daemon:
        take(tmp_path, 0)
        config = {
            "name": "box", "microphone": "scripted", "display": {"platform": "none", "pace": "fast"},
            "stt": ["pocketsphinx", "scripted"],
            "conversation": [{"platform": "ballast", "file": str(tmp_path / "ballast.json")}, "intents"],
            "sessions": {"expire_minutes": EXPIRE / 60}, "memory": memory,
            "listening": {"no_speech_seconds": 2}, "mqtt": {"host": "127.0.0.1", "port": broker.port},
        }  # fmt: skip
        (tmp_path / "box.yaml").write_text(yaml.safe_dump(config))
        log = tmp_path / f"log{len(running)}"
        with log.open("wb") as file:
            process = subprocess.Popen([*AVATARD, "run", "-c", str(tmp_path / "box.yaml")], stderr=file)
        running.append(process)
        until(lambda: "ready" in log.read_text() or process.poll() is not None, "ready")
        assert process.poll() is None, log.read_text()
        return Daemon(process, log)

    yield started
    for process in running:
        process.kill()
        process.wait()


def first_of_each(did: list[str]) -> list[str]:
    """The kinds of steps in the order in which each was first done."""
    return list(dict.fromkeys(what.split(":")[0] for what in did))


@pytest.mark.parametrize("return_seconds", [2, pytest.param(60, marks=pytest.mark.long)])
def test_through_each_tier_and_back(start: Callable[..., Daemon], broker: Broker, return_seconds: int) -> None:
    trial = start()
    trial.every_engine_works()
    budget = round(trial.memory() / 0.6)
    trial.process.terminate()
    assert trial.process.wait(10) == 0

    listener = Listener(broker, "avatard/box/+")
    daemon = start(budget_mb=budget, return_seconds=return_seconds, idle_seconds=1)
    for _ in range(2):
        daemon.every_engine_works()
    before, own = daemon.memory(), daemon.own()
    assert daemon.tier() == "normal" and daemon.did() == [], daemon.log.read_text()

    daemon.answers("guest")
    time.sleep(EXPIRE + 0.5)
    daemon.holds(0.9 * budget - before, "tidy", cache=4)
    assert daemon.speaks()
    assert first_of_each(daemon.did()) == ["expire_sessions", "drop_caches"], daemon.log.read_text()

    daemon.holds(1.1 * budget - before, "shed")
    until(lambda: any("unload_models" in what for what in daemon.did()), "a model is put down")
    assert daemon.speaks()

    daemon.answers("kitchen")
    daemon.holds(1.6 * budget, "survive")
    until(lambda: any("step_down" in what for what in daemon.did()), "the recogniser steps down")
    for _ in range(2):
        assert daemon.speaks()
    refused = avatard("ask", "who are you", "--session", "stranger")
    assert refused.returncode == 1 and "memory is short" in refused.stderr, refused
    daemon.answers("room")
    kinds = first_of_each(daemon.did())
    assert kinds == [step for step in DECLARED if step in kinds], daemon.log.read_text()
    assert set(kinds) >= set(DECLARED) - {"trim"}, daemon.log.read_text()
    assert "step_down: stt.pocketsphinx → stt.scripted" in daemon.did()

    begins = len(daemon.said())
    take(daemon.log.parent, 0)
    until(lambda: daemon.tier() == "normal", "tier normal", 30 + 4 * return_seconds)
    until(lambda: "step_up: stt.pocketsphinx" in daemon.did(begins), "the recogniser serves again")
    assert [what for what in daemon.said()[begins:] if "tier" in what] == ["tier shed", "tier tidy", "tier normal"]
    daemon.every_engine_works()
    after = daemon.own()
    assert abs(after - own) <= 0.1 * own, f"{own:.0f} MB before, {after:.0f} MB after"

    listener.wait_for("avatard/box/health", lambda m: m.json()["tier"] == "survive" and m.json()["budget_mb"] == budget)
    tiers = [tier for tier, _ in itertools.groupby(m.json()["tier"] for m in listener.of("avatard/box/attributes"))]
    assert tiers[-7:] == ["normal", "tidy", "shed", "survive", "shed", "tidy", "normal"], tiers
    listener.close()

    daemon.answers("guest")
    time.sleep(EXPIRE + 0.5)
    begins = len(daemon.said())
    daemon.holds(2 * budget, "survive", cache=4)
    until(lambda: any("step_down" in what for what in daemon.did(begins)), "all at once")
    kinds = first_of_each(daemon.did(begins))
    assert kinds == [step for step in DECLARED if step in kinds], daemon.log.read_text()
    assert set(kinds) >= {"expire_sessions", "drop_caches", "unload_models", "refuse_sessions", "step_down"}, kinds
    daemon.process.terminate()
    assert daemon.process.wait(10) == 0


def test_a_budget_that_no_chain_fits_into(tmp_path: Path) -> None:
    path = tmp_path / "box.yaml"
    path.write_text("name: box\nmicrophone: scripted\ndisplay: none\nmemory:\n  budget_mb: 30\n")
    done = avatard("run", "-c", str(path))
    assert done.returncode == 78, done
    needs = re.search(rf"{re.escape(str(path))}:5: memory.budget_mb: 30 is too little: .* (\d+) MB as measured; "
                      r"write 'budget_mb: (\d+)'", done.stderr)  # fmt: skip
    assert needs is not None, done.stderr
    path.write_text(path.read_text().replace("30", needs[2]))
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen([*AVATARD, "run", "-c", str(path)], stderr=log)
    try:
        until(lambda: "ready" in (tmp_path / "log").read_text() or process.poll() is not None, "ready")
        assert process.poll() is None, (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()
        log.close()
