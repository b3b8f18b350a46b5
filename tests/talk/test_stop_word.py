"""A stop word without a wake word: said by real voices, heard by the real recogniser, while it rings or speaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatard.api.errors import ConfigError, StageFailed
from avatard.api.flow import AudioFrame, Samples, WakeDetected
from avatard.api.news import Problem, StateChanged
from avatard.cli.conversation import write_wav
from avatard.plugins.pocketsphinx.stop_engine import Source
from avatard.runtime.config import Configuration, from_mapping
from avatard.runtime.feed import Feed
from avatard.runtime.house import open_house
from avatard.runtime.voices import voices
from avatard.talk.ownvoice import OwnVoice
from avatard.talk.recorded import level
from avatard.talk.stopword import StopWord

Scripted = Callable[..., Configuration]
RATE = 16_000
LONG = "one two three four five six seven eight nine ten " * 8


async def said(folder: Path, text: str, voice: str = "en-us+m1", after: float = 1.3) -> dict[str, Any]:
    """A microphone that hears somebody say it after so many seconds, in a room that is not quite silent."""
    async with voices() as speaking:
        sound = await speaking.say(text, voice, 150)
    whole = np.concatenate([np.zeros(int(after * RATE)), sound * (2500 / level(sound)), np.zeros(3 * RATE)])
    whole += np.random.default_rng(3).normal(0, 20, len(whole))
    path = folder / f"{text}.wav"
    write_wav(path, np.clip(whole, -32768, 32767).astype(np.int16))
    return {"platform": "file", "path": str(path), "pace": "real"}


def house(scripted: Scripted, microphone: dict[str, Any], when: Any = "always", **more: Any) -> Configuration:
    slow = {"platform": "scripted", "seconds_per_word": 0.3}
    return scripted(
        microphone=microphone, listening={"stop_word": when}, display={"platform": "scripted"}, tts=slow, **more
    )


async def test_a_ring_ends_and_the_other_timer_is_not_lost(scripted: Scripted, tmp_path: Path) -> None:
    microphone = await said(tmp_path, "Please stop!", after=2.5)
    async with open_house(house(scripted, microphone, "ringing")) as opened:
        await opened.door.set_timer(1, "egg")
        await opened.door.set_timer(60, "tea")
        with opened.feed.subscribe(512) as news:
            async with asyncio.timeout(20):
                async for event in news:
                    if event == StateChanged("responding"):
                        break
                while opened.place.current is not None:
                    await asyncio.sleep(0.05)
        assert [t.name for t in opened.door.status().timers] == ["tea"]
        assert opened.place.state == "idle"


async def test_an_answer_ends_as_with_the_command(scripted: Scripted, tmp_path: Path) -> None:
    async def one(language: str, text: str, voice: str) -> None:
        configuration = house(scripted, await said(tmp_path, text, voice), language=language)
        async with open_house(configuration) as opened:
            first, waits = await opened.door.say(LONG), await opened.door.say("never heard")
            async with asyncio.timeout(20):
                reports = [await first.finished, await waits.finished]
            assert [r.interrupted for r in reports] == [True, True], language
            assert 0 < reports[0].frames["count"] < 25 * 10 and reports[1].reply == ""
            assert (await (await opened.door.say("Next.")).finished).reply == "Next."

    await asyncio.gather(one("en", "Okay stop.", "en-us+m1"), one("es", "¡Silencio!", "es+m3"))


async def test_it_goes_on_where_that_is_off_or_it_says_so_itself(scripted: Scripted, tmp_path: Path) -> None:
    microphone = await said(tmp_path, "Please stop!")

    async def one(when: str, text: str) -> None:
        async with open_house(house(scripted, microphone, when)) as opened:
            ticket = await opened.door.say(text)
            while opened.place.state != "responding":
                await asyncio.sleep(0.01)
            await asyncio.sleep(4)
            assert not ticket.finished.done() and opened.place.state == "responding", (when, text)
            await opened.door.stop()
            assert (await ticket.finished).interrupted

    await asyncio.gather(
        one("off", LONG), one("ringing", LONG), one("always", f"If I bother you please stop me now {LONG}")
    )


async def test_a_microwakeword_model_serves_too(scripted: Scripted, tmp_path: Path) -> None:
    import pymicro_wakeword

    model = Path(pymicro_wakeword.__file__).parent / "models" / "alexa.json"
    hears = {"platform": "microwakeword", "model": str(model)}
    microphone = await said(tmp_path, "Alexa.", "en-us+m7")
    async with open_house(house(scripted, microphone, stop_word=hears)) as opened:
        async with asyncio.timeout(20):
            assert (await (await opened.door.say(LONG)).finished).interrupted


async def test_a_model_that_is_not_there_is_told(scripted: Scripted) -> None:
    with pytest.raises(ConfigError, match="microwakeword: model: the model mww-stop is not installed: avatard models"):
        async with open_house(scripted(stop_word="microwakeword", listening={"stop_word": "ringing"})):
            pass


@pytest.mark.parametrize(("given", "message"), [
    ({"listening": {"stop_word": "sometimes"}}, "'off', 'ringing' or 'always'"),
    ({"stop_word": "vosk"}, "no platform 'vosk' for stop_word"),
    ({"stop_word": ["pocketsphinx", "microwakeword"]}, "one platform is needed"),
    ({"stop_word": {"platform": "microwakeword", "threshold": 2}}, "less than 1"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_mapping(given)


def test_off_may_be_written_as_yaml_reads_it() -> None:
    assert from_mapping({"listening": {"stop_word": False}}).core.listening.stop_word == "off"
    assert from_mapping({}).core.listening.stop_word == "ringing"


def found(*parts: tuple[float, float]) -> list[int]:
    """Steps of 20 ms in what was taken for a saying, of noise of these (seconds, loudness)."""
    rng, source = np.random.default_rng(4), Source()
    sound = np.concatenate([rng.normal(0, loud, int(seconds * RATE)) for seconds, loud in parts]).astype(np.int16)
    sayings: list[Samples] = []
    for first in range(0, len(sound) - 1023, 1024):
        sayings += source.feed(sound[first : first + 1024], (first + 1024) / RATE)
    return [len(saying) // 320 for saying in sayings]


@pytest.mark.parametrize(("parts", "count"), [
    ([(1, 20), (0.5, 2000), (1, 20)], 1),
    ([(1, 400), (0.5, 2000), (1, 400)], 1),  # what a canceller leaves of us is quiet beside a person
    ([(1, 1000), (0.5, 2000), (1, 1000)], 0),
    ([(0.2, 20), (0.5, 2000), (1, 20)], 0),
    ([(1, 20), (0.3, 2000), (0.15, 20), (0.3, 2000), (1, 20)], 1),
    ([(1, 20), (1.5, 2000), (1, 20)], 0),
    ([(1, 20), (0.05, 2000), (1, 20)], 0),
    ([(1, 20), (0.5, 2000), (0.2, 20)], 0),
    ([(3, 20)], 0), ([(1, 5), (0.5, 40), (1, 5)], 0),
    ([(1, 20), (0.4, 2000), (0.8, 20), (0.4, 2000), (1, 20)], 1),  # the second has the first before it
    ([(1, 20), (0.4, 2000), (2, 20), (0.4, 2000), (1, 20)], 2),
])  # fmt: skip
def test_a_saying_is_short_and_stands_alone(parts: list[tuple[float, float]], count: int) -> None:
    lengths = found(*parts)
    assert len(lengths) == count, lengths
    assert all(18 < length < 100 for length in lengths)


class Detector:
    """Hears "stop" in loud frames; may be broken."""

    def __init__(self) -> None:
        self.broken, self.opened, self.open_now = False, 0, 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Detector]:
        self.opened += 1
        self.open_now += 1
        try:
            yield self
        finally:
            self.open_now -= 1

    async def feed(self, frame: AudioFrame) -> WakeDetected | None:
        if self.broken:
            raise StageFailed("stop_word", "test", "broken")
        return WakeDetected("please stop", 1.0, frame.end) if frame.samples.any() else None


LOUD = AudioFrame(np.full(512, 9000, np.int16), RATE, 0.0, 100.0)


async def test_it_listens_only_while_something_can_be_stopped() -> None:
    detector = Detector()
    stop = StopWord(detector, OwnVoice(lambda: 0.0, lambda: 100.0), Feed(), always=False)
    for state in ("idle", "listening", "processing", "responding"):
        assert await stop.take(LOUD, state, False) is None  # type: ignore[arg-type]
    assert detector.opened == 0
    assert await stop.take(LOUD, "responding", True) is not None
    assert await stop.take(LOUD, "processing", True) is not None and detector.opened == 1
    assert await stop.take(LOUD, "idle", False) is None and detector.open_now == 0
    assert await stop.take(LOUD, "responding", True) is not None and detector.opened == 2
    await stop.rest()
    assert detector.open_now == 0


async def test_one_that_fails_is_told_of_once_and_asked_again_at_the_next_ring() -> None:
    detector, feed = Detector(), Feed()
    stop = StopWord(detector, OwnVoice(lambda: 0.0, lambda: 100.0), feed, always=False)
    detector.broken = True
    with feed.subscribe() as news:
        for _ in range(5):
            assert await stop.take(LOUD, "responding", True) is None
        assert detector.opened == 1 and detector.open_now == 0
        await stop.take(LOUD, "idle", False)
        await stop.take(LOUD, "responding", True)
        await stop.take(LOUD, "idle", False)
        detector.broken = False
        assert await stop.take(LOUD, "responding", True) is not None
        problems = [event for event in news.waiting() if isinstance(event, Problem)]
    assert [(p.where, p.over) for p in problems] == [("stop_word", False), ("stop_word", True)]


def test_our_own_word_counts_where_its_sentence_is_said() -> None:
    now = 105.0
    own = OwnVoice(lambda: now - 100, lambda: now)
    with own.speaking(list) as answer:
        answer.begun = True
        answer.lines += [(0.0, "It rains."), (4.0, "Then stop the car."), (9.0, "It rains again.")]
        frame = AudioFrame(np.zeros(512, np.int16), RATE, 0.0, now)
        assert own.sounds(frame)
        assert [own.says("please stop", 100 + at) for at in (2.0, 5.0, 9.5, 12.0)] == [False, True, True, False]
        assert not own.says("be quiet", 105.0)
    assert not OwnVoice(lambda: 0.0).says("stop", 100.0)
