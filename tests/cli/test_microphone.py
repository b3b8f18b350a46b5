"""The real daemon and a microphone that goes away, comes back, or is deaf: on a virtual sound card."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from daemons import AVATARD, Running, eventually
from soundcard import Room, SoundCard, soundcard

from avatard.cli.conversation import record_questions

pytestmark = pytest.mark.alone

__all__ = ["soundcard"]

LIMIT = 5.0
"""Seconds in which a microphone that is there again is heard: the promise, no speed."""
LONG = "This is a long announcement, which goes on and on while somebody pulls the plug. " * 3
STAGES = {
    "microphone": "sounddevice", "wake_word": "microwakeword", "vad": "silero", "stt": "pocketsphinx",
    "conversation": "[intents, {platform: scripted, replies: {'*': 'one two three four five six'}, token_ms: 600}]",
    "display": "speaker", "sounds": "{wake: false}", "avatar": "{render: [none]}", "logging": "{level: debug}",
    "listening": "{no_speech_seconds: 30}",
}  # fmt: skip


class House:
    """The daemon, its card and the room."""

    def __init__(self, daemon: Running, card: SoundCard, room: Room) -> None:
        self.daemon, self.card, self.room = daemon, card, room
        self.took: list[tuple[str, float]] = []
        """State in which it was unplugged, and seconds from plugging it in to its being heard."""
        self._helpers: list[subprocess.Popen[bytes]] = []

    def state(self) -> str:
        return str(self.daemon.status()["state"])

    def becomes(self, state: str, seconds: float = 10) -> None:
        eventually(lambda: self.state() == state, seconds)

    def unplug(self) -> None:
        self.room.end()
        self.card.unplug()

    def plug(self) -> float:
        self.card.plug()
        self.room.begin()
        return time.monotonic()

    def well(self) -> bool:
        """Whether it is idle, has no problem, and listens to the microphone."""
        status = self.daemon.status()
        return status["state"] == "idle" and status["problems"] == {} and self.card.listeners == 1

    def missed(self) -> bool:
        """Whether it says that the microphone is away."""
        status = self.daemon.status()
        return status["state"] == "error" and "unplugged?" in status["problems"].get("microphone", "")

    def recovers(self, state: str, plugged: float) -> None:
        eventually(self.well, LIMIT)
        self.took.append((state, time.monotonic() - plugged))

    def background(self, *words: str) -> subprocess.Popen[bytes]:
        done = subprocess.Popen([*AVATARD, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._helpers.append(done)
        return done

    def close(self) -> None:
        self.room.end()
        for helper in self._helpers:
            helper.kill()
            helper.wait()

    # One unplugging in each state.

    def idle(self) -> None:
        self.unplug()
        eventually(self.missed)
        time.sleep(2)  # longer than one look: it goes on looking
        self.recovers("idle", self.plug())

    def listening(self) -> None:
        self.daemon.do("listen")
        self.becomes("listening")
        self.unplug()
        eventually(self.missed)
        self.recovers("listening", self.plug())

    def processing(self) -> None:
        asking = self.background("ask", "anything")
        self.becomes("processing")
        self.unplug()
        eventually(lambda: "microphone" in self.daemon.status()["problems"])
        assert self.state() in ("processing", "responding"), self.state()
        assert asking.wait(30) == 0
        assert self.missed()
        self.recovers("processing", self.plug())

    def responding(self) -> None:
        before = self.daemon.log.count("said: This is")
        saying = self.background("say", LONG)
        self.becomes("responding")
        self.unplug()
        eventually(lambda: "microphone" in self.daemon.status()["problems"])
        assert self.state() == "responding"
        assert saying.wait(60) == 0
        said = self.daemon.logged("said: This is", before + 1)
        assert "(interrupted)" not in said and said.count("pulls the plug") == 3, said
        assert self.missed()
        self.recovers("responding", self.plug())

    def muted(self) -> None:
        """Away while nobody listens, and back before or after somebody wants to."""
        late = sum(state == "muted" for state, _ in self.took) % 2 == 1
        self.daemon.do("mute", on=True)
        eventually(lambda: self.card.listeners == 0)
        self.unplug()
        time.sleep(1)
        status = self.daemon.status()
        assert (status["state"], status["problems"], status["muted"]) == ("idle", {}, True), status
        if late:
            self.daemon.do("mute", on=False)
            eventually(lambda: self.daemon.status()["state"] == "error")
        plugged = self.plug()
        if not late:
            self.daemon.do("mute", on=False)
        self.recovers("muted", plugged)


@pytest.fixture
def house(soundcard: SoundCard, tmp_path: Path) -> Iterator[House]:
    yield from living(soundcard, tmp_path, **STAGES)


def living(soundcard: SoundCard, folder: Path, **keys: str) -> Iterator[House]:
    room = soundcard.room(folder)
    room.begin()
    try:
        with Running(folder, **keys) as daemon:
            house = House(daemon, soundcard, room)
            try:
                eventually(house.well)
                yield house
            finally:
                house.close()
            assert daemon.end() == 0
    finally:
        room.end()


def hears(house: House, tmp_path: Path) -> None:
    """It hears a question."""
    question, *_ = asyncio.run(record_questions(tmp_path))
    before = house.daemon.log.count("heard: what time is it")
    house.card.play(question)
    house.daemon.logged("heard: what time is it", before + 1)
    eventually(house.well, 30)


@pytest.mark.long
def test_a_microphone_that_is_unplugged_is_found_again(house: House, tmp_path: Path) -> None:
    house.idle()
    house.responding()
    house.listening()
    hears(house, tmp_path)
    log = house.daemon.log
    assert log.count("microphone: works again") == 3 and log.count("trying again") == 3, log


@pytest.mark.long
def test_unplugged_twenty_times_in_every_state(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    for _ in range(4):
        for state in (house.idle, house.listening, house.processing, house.responding, house.muted):
            state()
        hears(house, tmp_path)
    seconds = [took for _, took in house.took]
    with capsys.disabled():
        for state, took in house.took:
            print(f"\n{state:12} {took:.2f} s", end="")
        print(f"\nmedian {median(seconds):.2f} s, worst {max(seconds):.2f} s of {len(seconds)}")
    assert len(house.took) == 20


@pytest.mark.long
def test_a_microphone_that_gives_zeros_is_told_of_and_heard_again(house: House, tmp_path: Path) -> None:
    time.sleep(12)  # so long has it never given any
    opened = house.daemon.log.count("microphone: opened")
    house.room.end()
    house.becomes("error")
    problem = house.daemon.status()["problems"]["microphone"]
    assert "only zeros" in problem and "muted in the mixer" in problem, problem
    eventually(lambda: house.card.listeners == 1)
    house.room.begin()
    eventually(house.well, LIMIT)
    hears(house, tmp_path)
    assert opened >= 1 and house.daemon.log.count("microphone: opened") == opened + 1, house.daemon.log


def test_a_microphone_of_44100_hz_and_two_channels(soundcard: SoundCard, tmp_path: Path) -> None:
    soundcard.unplug()
    soundcard.plug(rate=44_100, channels=2)
    for house in living(soundcard, tmp_path, **STAGES | {"microphone": "{platform: sounddevice, device: 'pulse:mic'}"}):
        hears(house, tmp_path)
