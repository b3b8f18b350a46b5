"""What is said again is neither spoken nor drawn again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from avatard.api.flow import FPS, FRAME_SAMPLES, EncodedChunk, Sentence, VideoFrame
from avatard.api.news import SentenceSpoken, StateChanged, TurnReport
from avatard.runtime.config import Configuration
from avatard.runtime.foundation import open_foundation
from avatard.runtime.house import House, furnished, open_house
from avatard.talk.blend import FADE
from avatard.talk.phrases import Phrase, Phrases, Recorder, key_of

Scripted = Callable[..., Configuration]


class Counted:
    """Counts what an engine is asked for."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.calls = engine, 0
        for name in ("choices", "chosen"):
            if hasattr(engine, name):
                setattr(self, name, getattr(engine, name))

    def speak(self, sentence: Sentence) -> Any:
        self.calls += 1
        return self.engine.speak(sentence)

    def render(self, speech: AsyncIterator[Any]) -> Any:
        self.calls += 1
        return self.engine.render(speech)


def counted(house: House) -> tuple[Counted, Counted]:
    """Put counters before the voice and the face."""
    voice: Any = house.place._means.voice
    for ranking in (voice.tts, voice.render):
        ranking._opened[0] = Counted(ranking._opened[0])
    return voice.tts._opened[0], voice.render._opened[0]


def shown(house: House) -> list[VideoFrame]:
    """What the display was shown since the last look."""
    display: Any = house.place.displays._sinks[0][1]
    frames = list(display.played)
    display.played.clear()
    return frames


async def says(house: House, text: str) -> TurnReport:
    report = await (await house.door.say(text)).finished
    assert (report.error, report.reply) == ("", text)
    return report


def phrases(house: House) -> Phrases:
    return house.place._means.voice.phrases


async def test_the_second_time_nobody_works(scripted: Scripted) -> None:
    async with open_house(scripted()) as house:
        tts, render = counted(house)
        await says(house, "Dinner is ready. Come and eat.")
        first, calls = shown(house), (tts.calls, render.calls)
        await says(house, "Dinner is ready. Come and eat.")
        second = shown(house)
    assert calls == (2, 2) == (tts.calls, render.calls)
    assert (phrases(house).hits, phrases(house).misses) == (2, 2)
    assert [(f.pts, f.sentence) for f in first] == [(f.pts, f.sentence) for f in second]
    assert np.array_equal([f.audio for f in first], [f.audio for f in second])
    ends = [n for n, f in enumerate(second) if f.sentence and f.sentence.index == 0][-1] + 1
    for number, (a, b) in enumerate(zip(first, second, strict=True)):
        assert a.pixels is not None and b.pixels is not None
        if not ends <= number < ends + FADE:
            assert np.abs(a.pixels.astype(int) - b.pixels).max() <= 3


async def test_a_part_that_was_said_before_goes_over_into_what_was_not(scripted: Scripted) -> None:
    """The scripted face is as bright as the sound is loud: cut in between, and the picture would jump."""
    async with open_house(scripted(tts={"platform": "scripted", "seconds_per_word": 0.4})) as house:
        await says(house, "Dinner.")
        shown(house)
        tts, _ = counted(house)
        await says(house, "Hello there. Dinner. And more.")
        frames = shown(house)
    assert tts.calls == 2 and phrases(house).hits == 1
    assert [f.pts for f in frames] == [n / FPS for n in range(len(frames))]
    index = [f.sentence.index for f in frames if f.sentence]
    assert index == sorted(index) and set(index) == {0, 1, 2}
    seen = [f.pixels for f in frames if f.pixels is not None]
    assert len(seen) == len(frames)
    for at in (index.index(1), index.index(2)):
        before, after = seen[at - 1].astype(int), seen[at].astype(int)
        assert np.abs(after - before).max() <= 255 / (FADE + 1) + 3


async def test_a_reply_is_kept_when_it_comes_again(scripted: Scripted) -> None:
    async with open_house(scripted()) as house:
        tts, _ = counted(house)
        for calls, kept in ((1, False), (2, True), (2, True)):
            assert (await (await house.door.ask("hello")).finished).reply == "You said: hello."
            assert (tts.calls, phrases(house).megabytes > 0) == (calls, kept)


async def test_another_voice_and_another_language_say_it_themselves(scripted: Scripted) -> None:
    tts = {"platform": "scripted", "voices": ["anna", "berta"]}
    async with open_house(scripted(tts=tts)) as house:
        await says(house, "Good morning.")
        await house.door.set_voice("berta")
        await says(house, "Good morning.")
        await says(house, "Good morning.")
        await house.door.set_voice("anna")
        await says(house, "Good morning.")
        await (await house.door.say("Good morning.", language="de")).finished
        assert (phrases(house).hits, phrases(house).misses) == (2, 3)


async def test_what_was_interrupted_is_not_kept(scripted: Scripted) -> None:
    async with open_house(scripted(display={"platform": "scripted"})) as house:
        ticket = await house.door.say("one two three four five six seven eight nine")
        with house.feed.subscribe() as news:
            async for event in news:
                if event == StateChanged("responding"):
                    break
        await house.door.stop()
        assert (await ticket.finished).interrupted
        assert phrases(house).megabytes == 0


async def test_what_was_drawn_by_two_is_not_kept(scripted: Scripted) -> None:
    render = [{"platform": "scripted", "fail_after": 10}, {"platform": "scripted", "tint": 255}]
    async with open_house(scripted(avatar={"render": render})) as house:
        await says(house, "one two three four")
        assert phrases(house).megabytes == 0
        assert house.place._means.voice.ladder.rung.position == 1
        frames = shown(house)
        await says(house, "one two three four")
        await says(house, "one two three four")
        assert (phrases(house).hits, phrases(house).misses) == (1, 2)
    blue = [-1 if f.pixels is None else int(f.pixels[0, 0, 0]) for f in frames]
    assert blue[:9] != [255] * 9 and blue[15:] == [255] * (len(blue) - 15), blue
    assert len(frames) == len(shown(house)) // 2


async def test_two_hundred_sentences_fit_into_their_room(scripted: Scripted) -> None:
    tts = {"platform": "scripted", "seconds_per_word": 0.1}
    async with open_house(scripted(memory={"cache_mb": 0.5}, tts=tts)) as house:
        sizes = []
        for number in range(200):
            await says(house, f"Number {number}.")
            sizes.append(phrases(house).megabytes)
            shown(house)
        kept = phrases(house)
    assert max(sizes) <= 0.5 and min(sizes[100:]) > 0.4
    assert kept.dropped > 100
    assert kept.megabytes == pytest.approx(sum(p.bytes for p in kept._kept.values()) / 1e6)


async def test_the_governor_may_drop_them(scripted: Scripted) -> None:
    configuration = scripted()
    async with open_foundation(configuration) as foundation:
        belongings = foundation.governor.belongings
        async with furnished(configuration, foundation) as house:
            await says(house, "Good morning.")
            assert phrases(house).megabytes > 0
            async with aclosing(belongings.do("drop_caches", 0)) as done:
                assert [what async for what in done] == ["drop_caches: phrases"]
            assert phrases(house).megabytes == 0
            await says(house, "Good morning.")
        assert belongings.caches == []


async def test_none_is_kept_where_that_is_not_wanted(scripted: Scripted) -> None:
    async with open_house(scripted(memory={"cache_mb": 0})) as house:
        for _ in range(3):
            await says(house, "Good morning.")
        assert (phrases(house).hits, phrases(house).megabytes) == (0, 0)


async def test_where_nobody_looks_only_the_sound_is_kept(scripted: Scripted) -> None:
    async with open_house(scripted(display={"platform": "scripted", "pace": "fast"})) as house:
        display: Any = house.place.displays._sinks[0][1]
        display.pictures = False
        tts, _ = counted(house)
        lengths = [(await says(house, "Good morning.")).frames["count"] for _ in range(2)]
        assert tts.calls == 1 and lengths[0] == lengths[1] == 15
        assert phrases(house).megabytes * 1e6 == pytest.approx(15 * FRAME_SAMPLES * 2)


async def test_two_answers_at_once_share_the_engines_fairly(scripted: Scripted) -> None:
    """Both come out whole, and neither waits for the other to end."""
    from avatard.talk.timeline import Timeline
    from avatard.talk.turn import Answer, tokens_of

    render = [{"platform": "scripted", "ms_per_picture": 1}]
    async with open_house(scripted(avatar={"render": render}, memory={"cache_mb": 0})) as house:
        voice: Any = house.place._means.voice
        order: list[int] = []
        frames: dict[int, list[VideoFrame]] = {1: [], 2: []}

        class Elsewhere:
            """Another place's displays."""

            pictures, hurried, shown, late = True, False, 0.0, 0

            def __init__(self, number: int) -> None:
                self.number = number

            async def play(self, stream: AsyncIterator[VideoFrame], first: Callable[[], None], film: None) -> None:
                async for frame in stream:
                    first()
                    order.append(self.number)
                    frames[self.number].append(frame)

        async def give(number: int) -> None:
            import dataclasses

            there = dataclasses.replace(voice, displays=Elsewhere(number))
            answer = Answer(number, there, house.feed, Timeline(), "en", lambda: None)
            text = f"{'x' * number} " * 8 + "end."
            await answer.give(tokens_of(text), lambda: None)
            assert answer.said == text.strip()

        async with asyncio.TaskGroup() as tasks:
            for number in (1, 2):
                tasks.create_task(give(number))
        alone = {}
        for number in (1, 2):
            together = np.concatenate([f.audio for f in frames[number]])
            frames[number].clear()
            await give(number)
            alone[number] = np.array_equal(together, np.concatenate([f.audio for f in frames[number]]))
    assert alone == {1: True, 2: True}
    half = order[: len(order) // 2][10:60]
    assert 0.3 < half.count(1) / len(half) < 0.7, order


class Encoded:
    """A display that takes a stream, by its own clock or none."""

    pictures, shown, late, patient = True, 0.0, 0, True
    accepts = "fmp4"

    def __init__(self) -> None:
        self.answers: list[list[EncodedChunk]] = []

    async def play(self, stream: AsyncIterator[EncodedChunk]) -> None:
        self.answers.append(taken := [])
        async for chunk in stream:
            taken.append(chunk)

    async def chime(self, sound: Any) -> None: ...

    def set_volume(self, percent: int) -> None: ...


async def test_an_announcement_is_not_even_encoded_again(scripted: Scripted, tmp_path: Path) -> None:
    async with open_house(scripted(encoder={"platform": "ffmpeg"})) as house:
        display = Encoded()
        house.place.displays._own[0] = ("encoded", display)
        tts, render = counted(house)
        encoder: Any = house.place.displays.encoder
        await encoder.engine()
        encoder._opened[0] = coder = CountedEncoder(encoder._opened[0])
        text = "Dinner is ready. Come and eat."
        with house.feed.subscribe(256) as news:
            first, second = await says(house, text), await says(house, text)
            spoken = [e.sentence.text for e in news.waiting() if isinstance(e, SentenceSpoken)]
        assert (tts.calls, render.calls, coder.calls) == (2, 2, 1)
        assert first.frames["count"] == second.frames["count"] and spoken == ["Dinner is ready.", "Come and eat."] * 2
        assert set(first.ms) == set(second.ms)
        assert display.answers[0] == display.answers[1] and len(display.answers[0]) > 10
        display.accepts = "mpegts"
        await says(house, text)
        assert coder.calls == 2 and tts.calls == 2, "another container is encoded, from the kept sentences"
        await says(house, "Dinner is ready.")
        assert coder.calls == 3 and tts.calls == 2, "another announcement, of a sentence that was kept"
    assert display.answers[2] != display.answers[0]
    film = tmp_path / "film.mp4"
    film.write_bytes(b"".join(chunk.data for chunk in display.answers[1]))
    capture = cv2.VideoCapture(str(film))
    count = 0
    while capture.read()[0]:
        count += 1
    assert count == second.frames["count"]


class CountedEncoder:
    """Counts the streams that are made."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.calls = engine, 0

    def encode(self, frames: Any, container: Any) -> Any:
        self.calls += 1
        return self.engine.encode(frames, container)


def picture(level: int) -> np.ndarray:
    return np.full((16, 16, 3), level, np.uint8)


def recorded(levels: list[int | None], longest: int = 10**6) -> Recorder:
    recorder = Recorder(longest)
    for index, level in enumerate(levels):
        sound = np.full(FRAME_SAMPLES, index, np.int16)
        recorder.take(VideoFrame(None if level is None else picture(level), sound, index / FPS))
    return recorder


async def test_a_recorder_keeps_whole_sentences() -> None:
    phrase = recorded([10, 90, 200]).phrase(pictures=True)
    assert phrase is not None and phrase.seconds == pytest.approx(3 / FPS)
    frames = [frame async for frame in phrase.frames(Sentence("a", 7))]
    assert [int(f.audio[0]) for f in frames] == [0, 1, 2] and frames[0].sentence == Sentence("a", 7)
    assert np.abs(np.array([f.pixels[0, 0, 0] for f in frames if f.pixels is not None], int) - (10, 90, 200)).max() <= 2
    assert recorded([10, None, 200]).phrase(pictures=True) is None, "a picture is missing"
    assert recorded([]).phrase(pictures=True) is None
    assert recorded([None, None]).phrase(pictures=False) is not None
    assert recorded([10, 90, 200], longest=8000).phrase(pictures=True) is None, "it is too long"


def test_the_least_recently_used_goes_first() -> None:
    def phrase(size: int) -> Phrase:
        return Phrase(np.zeros(size // 2, np.int16), (None,))

    kept = Phrases(0.001)
    for key in "abc":
        kept.keep(key, phrase(300))
    assert kept.find("a") is not None
    kept.keep("d", phrase(400))
    assert [key for key in "abcd" if kept.find(key) is not None] == ["a", "d"] or kept.dropped == 1
    assert kept.find("b") is None and kept.find("a") is not None and kept.megabytes <= 0.001
    kept.keep("e", phrase(600))
    assert kept.find("e") is None, "one sentence may not take it all"
    kept.keep("a", phrase(200))
    assert kept.megabytes == pytest.approx(sum(p.bytes for p in kept._kept.values()) / 1e6)
    assert key_of(Sentence("a", 0), 1) == key_of(Sentence("a", 5), 1) != key_of(Sentence("a", 0), 2)
