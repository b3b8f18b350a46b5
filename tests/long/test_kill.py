"""Killed at any moment, it goes on from there: timers, histories and settings are whole, and nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from daemons import AVATARD, eventually

from avatard.api.errors import NotReady, StageFailed
from avatard.cli.remote import command

pytestmark = pytest.mark.long

KILLS = int(os.environ.get("AVATARD_KILLS", "200"))
STATE = {"models.json", "sessions.json", "settings.json", "timers.json"}
QUESTIONS = ("what time is it", "what can you do", "tell me a story", "how much time is left on my timer")
NAMES = ("pizza", "tea", "pasta", "bread", "soup", "rice", "cake", "eggs")
HISTORY = 10
RING = "bell"
CONFIG = """\
name: box
sounds: {{wake: false, ring: false}}
sessions: {{expire_minutes: 600, history: {history}}}
microphone: scripted
wake_word: scripted
vad: scripted
stt: scripted
conversation: intents
tts: espeak
echo: none
encoder: scripted
avatar: {{render: [{{platform: none}}]}}
display: {{platform: none, pace: {pace}}}
"""


class Killed(Exception):
    """The daemon went away in the midst of a command."""


@dataclass
class Known:
    """What was acknowledged, and the command that was under way when it was killed."""

    timers: dict[int, tuple[str, float]] = field(default_factory=dict)
    """id → name, end in Unix time"""
    histories: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    muted: bool = False
    volume: int = 100
    flying: dict[str, Any] | None = None
    stopping: bool = False
    """Whether what rings was told to be still, and nobody has looked yet whether it is."""
    kinds: set[str] = field(default_factory=set)
    """Of commands in whose midst it was killed."""


class Victim:
    """One start of the daemon, which does not live long."""

    def __init__(self, folder: Path, known: Known, dice: random.Random) -> None:
        self.known, self._dice = known, dice
        config = folder / "avatard.yaml"
        config.write_text(CONFIG.format(history=HISTORY, pace=dice.choice(("fast", "fast", "real"))))
        self._log = folder / "daemon.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen([*AVATARD, "run", "-c", str(config)], stderr=log)
        self._saying: list[threading.Thread] = []

    @property
    def log(self) -> str:
        return self._log.read_text()

    def until_ready(self) -> None:
        eventually(lambda: "ready: " in self.log or self.process.poll() is not None, 30)
        if self.process.poll() is not None:
            raise Killed

    def kill_in(self, seconds: float) -> threading.Thread:
        """Kill it so many seconds from now on."""
        def kill() -> None:
            time.sleep(seconds)
            self.process.send_signal(signal.SIGKILL)

        killing = threading.Thread(target=kill)
        killing.start()
        return killing

    def do(self, do: str, **more: Any) -> dict[str, Any]:
        self.known.flying = {"do": do, **more}
        try:
            answer = list(command(self.known.flying, "box"))[-1]
        except (NotReady, StageFailed, OSError) as err:
            self.process.wait(5)  # else it went away by itself
            raise Killed from err
        assert answer["ok"], (answer, self.known.flying)
        self.known.flying = None
        return answer

    def say(self) -> None:
        """Have it speak, without waiting for it."""
        def say() -> None:
            with contextlib.suppress(NotReady, StageFailed, OSError):
                list(command({"do": "say", "text": "One and two and three."}, "box"))

        self._saying.append(threading.Thread(target=say))
        self._saying[-1].start()

    def ask(self) -> None:
        """Ask; what is said in answer is in the session's history."""
        session, text = self._dice.choice(("room", "kitchen", "anna")), self._dice.choice(QUESTIONS)
        answer = self.do("ask", text=text, session=session)
        assert answer["reply"] and not answer["error"], answer
        self.known.histories.setdefault(session, []).append((text, answer["reply"]))
        del self.known.histories[session][:-HISTORY]

    def about_timers(self) -> None:
        """Set one, let one end later, or cancel one."""
        known, dice = self.known, self._dice
        there = [id for id, (name, _) in known.timers.items() if name != RING]
        free = sorted({*NAMES} - {name for name, _ in known.timers.values()})
        does = dice.choice(("set_timer", "set_timer", "add_to_timer", "cancel_timer"))
        if does == "set_timer" and free:
            timer = self.do(does, seconds=dice.randint(7200, 30_000), name=dice.choice(free))
        elif does != "set_timer" and there:
            more = {"seconds": dice.randint(-60, 600)} if does == "add_to_timer" else {}
            timer = self.do(does, id=dice.choice(there), **more)
        else:
            return
        known.timers.pop(timer["id"], None)
        if does != "cancel_timer":
            known.timers[timer["id"]] = timer["name"], timer["ends"]

    def ring(self) -> None:
        """Set a timer that ends at once."""
        timer = self.do("set_timer", seconds=1, name=RING)
        self.known.timers[timer["id"]] = RING, timer["ends"]

    def silence(self) -> None:
        """Wait until what is to ring rings, and stop it."""
        known = self.known
        while ids := [id for id, (name, _) in known.timers.items() if name == RING]:
            ringing = {t["id"]: t["ringing"] for t in self.do("status")["timers"]}
            if ids[0] not in ringing:
                assert known.stopping, (ids, ringing)
                del known.timers[ids[0]]
                known.stopping = False
            elif ringing[ids[0]]:
                known.stopping = True
                self.do("stop")
            time.sleep(0.05)

    def anything(self) -> None:
        """One command."""
        self.silence()
        match self._dice.randrange(9):
            case 0 | 1 | 2:
                self.about_timers()
            case 3:
                self.ask()
            case 4:
                self.say()
            case 5:
                on = self._dice.random() < 0.5
                self.do("mute", on=on)
                self.known.muted = on
            case 6:
                percent = self._dice.randint(0, 100)
                self.do("volume", percent=percent)
                self.known.volume = percent
            case 7:
                self.ring()
            case _:
                self.do("stop")

    def finish(self, killing: threading.Thread) -> None:
        killing.join()
        assert self.process.wait(10) == -signal.SIGKILL, self.log
        for saying in self._saying:
            saying.join()


def left_over(state: str) -> list[psutil.Process]:
    """Whoever lives and was started with this folder of state, besides us."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mine = process.environ().get("XDG_STATE_HOME") == state and process.pid != os.getpid()
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def on_disk_after(known: Known, folder: Path) -> None:
    """What lies there is whole, and says what was acknowledged."""
    files = {path.name for path in folder.iterdir()} if folder.exists() else set()
    parts = {name.replace(".json", ".part") for name in STATE}
    assert files <= STATE | parts, files
    for name in files & STATE:
        json.loads((folder / name).read_bytes())
    sessions = folder / "sessions.json"
    kept = json.loads(sessions.read_bytes()) if sessions.exists() else []
    there = {one["id"]: [(heard, said) for heard, said, _ in one["history"]] for one in kept}
    flying = known.flying or {}
    for session in known.histories.keys() | there.keys():
        wanted, got = known.histories.get(session, []), there.get(session, [])
        if got != wanted:
            # Only the question under way may be there besides, with its whole answer.
            assert flying.get("do") == "ask" and flying.get("session") == session, (session, wanted, got, flying)
            assert got[-1][0] == flying["text"] and [*wanted, got[-1]][-HISTORY:] == got, (session, wanted, got)
    known.histories = there


def restored(known: Known, victim: Victim) -> None:
    """The one that was started again knows what was acknowledged."""
    flying = known.flying or {}
    status = victim.do("status")
    timers = {t["id"]: (t["name"], t["ends"]) for t in status["timers"]}
    for id, (name, ends) in known.timers.items():
        does = flying.get("do") if flying.get("id") == id else ""
        if name == RING:
            assert id in timers or known.stopping, (id, timers)
        elif id not in timers:
            assert does == "cancel_timer", (id, name, timers, flying)
        else:
            assert timers[id][0] == name, (id, name, timers)
            later = flying["seconds"] if does == "add_to_timer" and abs(timers[id][1] - ends) >= 1 else 0
            assert abs(timers[id][1] - ends - later) < 1, (id, ends, timers, flying)
    fresh = [name for id, (name, _) in timers.items() if id not in known.timers]
    assert fresh in ([], [flying.get("name")] if flying.get("do") == "set_timer" else []), (fresh, flying)
    for what, was in (("muted", known.muted), ("volume", known.volume)):
        may = {was, {"muted": flying.get("on"), "volume": flying.get("percent")}[what]}
        assert status[what] in may, (what, status[what], was, flying)
    known.stopping = False
    known.timers, known.muted, known.volume = timers, status["muted"], status["volume"]
    assert "not used" not in victim.log, victim.log


@pytest.mark.skipif(KILLS < 1, reason="no kill is wanted")
def test_killed_at_any_moment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("AVATARD_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    with capsys.disabled():
        print(f"\nAVATARD_SEED={seed}")
    dice, known = random.Random(seed), Known()
    state = os.environ["XDG_STATE_HOME"]
    folder, runtime = Path(state) / "avatard" / "box", Path(os.environ["XDG_RUNTIME_DIR"]) / "avatard"
    began, early = time.monotonic(), 0
    for kill in range(KILLS):
        victim = Victim(tmp_path, known, dice)
        killing = None
        try:
            if dice.random() < 0.25:
                killing = victim.kill_in(dice.uniform(0, 0.9))
            victim.until_ready()
            restored(known, victim)
            killing = killing or victim.kill_in(dice.uniform(0, 1.5))
            while True:
                victim.anything()
        except Killed:
            pass
        except AssertionError as err:
            victim.process.kill()
            raise AssertionError(f"kill {kill} of seed {seed}: {err}\n{victim.log[-3000:]}") from err
        assert killing is not None, (seed, kill, victim.log)
        victim.finish(killing)
        early += "ready: " not in victim.log
        known.kinds.add((known.flying or {}).get("do", ""))
        eventually(lambda: not left_over(state), 5)
        assert {path.name for path in runtime.iterdir()} <= {"box.sock"} if runtime.exists() else True
        try:
            on_disk_after(known, folder)
        except (AssertionError, ValueError) as err:
            raise AssertionError(f"kill {kill} of seed {seed}: {err}") from err
    victim = Victim(tmp_path, known, dice)
    victim.until_ready()
    restored(known, victim)
    victim.process.send_signal(signal.SIGTERM)
    assert victim.process.wait(15) == 0 and not left_over(state)
    assert {path.name for path in folder.iterdir()} <= STATE, "a part that was left is taken away by the next write"
    with capsys.disabled():
        print(f"{KILLS} kills, {early} of them while it started, in {time.monotonic() - began:.0f} s; "
              f"in the midst of {sorted(known.kinds - {''})}")  # fmt: skip
