"""The ladder, on an event loop whose time passes at once: what is slow is so by the clock, and the same each time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest
from simulation import simulated

from avatard.api.errors import OutOfMemory, StageFailed
from avatard.api.flow import FPS, FRAME_SAMPLES, Samples, Sentence, SpeechAudio, VideoFrame
from avatard.api.news import EngineChanged
from avatard.api.pace import TOLERANCE
from avatard.face.cut import blocks
from avatard.runtime.feed import Feed
from avatard.talk.blend import FADE, Blend, between, fitted, halfway, mixed
from avatard.talk.drawing import PREROLL
from avatard.talk.ladder import PATIENCE, Ladder
from avatard.talk.performance import STUCK
from avatard.talk.progress import Progress
from avatard.talk.ranking import Ranking
from avatard.talk.sound import KEPT, Sound
from avatard.talk.streams import Lookahead
from avatard.talk.tempo import Tempo


class Face:
    """Draws a flat picture of its own brightness; each picture takes so many seconds."""

    def __init__(self, level: int, seconds: float = 0.0, size: int = 8, **strokes: Any) -> None:
        self.level, self.seconds, self.size, self.strokes = level, seconds, size, strokes
        self.begun: list[Samples] = []
        """The first sound of each time that it began."""
        self.drawn = 0
        self.open = 0

    def cost(self) -> float:
        return self.seconds

    async def render(self, speech: AsyncIterator[SpeechAudio]) -> AsyncGenerator[VideoFrame, None]:
        self.open += 1
        try:
            index = 0
            async for audio, sentence in blocks(speech):
                if not index:
                    self.begun.append(audio)
                if index == self.strokes.get("fails_at"):
                    raise self.strokes.get("error", StageFailed("render", "face", "broken"))
                if index == self.strokes.get("hangs_at"):
                    await asyncio.Event().wait()
                if index == self.strokes.get("stumbles_at"):
                    await asyncio.sleep(1.0)
                if index == self.strokes.get("ends_at"):
                    return
                yield await self.picture(index, audio, sentence)
                index += 1
        finally:
            self.open -= 1

    async def picture(self, index: int, audio: Samples, sentence: Sentence) -> VideoFrame:
        await asyncio.sleep(self.cost())
        self.drawn += 1
        return VideoFrame(np.full((self.size, self.size, 3), self.level, np.uint8), audio, index / FPS, sentence)

    async def idle(self, seconds: float) -> AsyncGenerator[VideoFrame, None]:
        for index in range(max(1, round(seconds * FPS))):
            yield await self.picture(index, np.zeros(FRAME_SAMPLES, np.int16), Sentence("", 0))


class HalfFace(Face):
    """One that can leave out every second picture."""

    rate: Literal["full", "half"] = "full"

    async def picture(self, index: int, audio: Samples, sentence: Sentence) -> VideoFrame:
        if self.rate == "half" and index % 2:
            return VideoFrame(None, audio, index / FPS, sentence)
        return await super().picture(index, audio, sentence)


class BatchFace(Face):
    """Draws eight pictures at once."""

    def __init__(self, level: int, seconds: float) -> None:
        super().__init__(level, seconds)
        self.calls = 0

    def cost(self) -> float:
        self.calls += 1
        return self.seconds * 8 if self.calls % 8 == 1 else 0.0


def said(seconds: float, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).integers(-9000, 9000, int(seconds * 48_000)).astype(np.int16)


async def speech(sound: Samples, pause: float = 0.0) -> AsyncGenerator[SpeechAudio, None]:
    """The sound in uneven pieces of two sentences."""
    cut = [*range(0, len(sound), 7001), len(sound)]
    for number, (begin, end) in enumerate(itertools.pairwise(cut)):
        if pause and number == len(cut) // 2:
            await asyncio.sleep(pause)
        sentence = Sentence("a", 0) if begin < len(sound) // 2 else Sentence("b", 1)
        yield SpeechAudio(sentence, sound[begin:end], 48_000, end == len(sound))


@dataclass
class Show:
    """What came of an answer."""

    frames: list[VideoFrame] = field(default_factory=list)
    late: int = 0

    @property
    def sound(self) -> Samples:
        return np.concatenate([f.audio for f in self.frames])

    @property
    def levels(self) -> list[int | None]:
        """How bright each picture is; None where it repeats."""
        return [None if f.pixels is None else int(f.pixels[0, 0, 0]) for f in self.frames]

    def seen(self) -> list[int]:
        """The same, as it is seen."""
        seen: list[int] = []
        for level in self.levels:
            seen.append(level if level is not None else seen[-1])
        return seen


@dataclass
class Stage:
    """A ladder on these faces, and a display that keeps real time."""

    faces: dict[str, Face]
    feed: Feed = field(default_factory=Feed)

    def __post_init__(self) -> None:
        async def opened(face: Face) -> Face:
            await asyncio.sleep(face.strokes.get("opening", 0.0))
            return face

        candidates = [(name, lambda face=face: opened(face)) for name, face in self.faces.items()]
        self.ranking: Ranking[Any] = Ranking("render", candidates, self.feed)
        self.ladder = Ladder(self.ranking, self.feed, lambda: asyncio.get_running_loop().time())

    async def answer(
        self, sound: Samples, hurried: bool = True, pause: float = 0.0, at: Callable[[int], None] = lambda n: None,
        alone: bool = True,
    ) -> Show:  # fmt: skip
        show = Show()
        async with asyncio.TaskGroup() as tasks:
            ahead = Lookahead(tasks)
            drawn = self.ladder.draw(ahead(speech(sound, pause), 16), Progress(tasks, hurried))
            clock = asyncio.get_running_loop().time
            start = -1.0
            async for frame in ahead(drawn, 10):
                at(len(show.frames))
                start = start if start >= 0 else clock() - frame.pts
                if (left := start + frame.pts - clock()) > 0 and hurried:
                    await asyncio.sleep(left)
                elif left < -TOLERANCE:
                    show.late, start = show.late + 1, start - left
                show.frames.append(frame)
            ahead.end()
        assert not alone or all(face.open == 0 for face in self.faces.values())
        return show

    def steps(self, run: Callable[[], Any]) -> tuple[Any, list[str]]:
        with self.feed.subscribe(256) as news:
            result = simulated(run())
            return result, [e.engine for e in news.waiting() if isinstance(e, EngineChanged)]


def whole(show: Show, sound: Samples) -> bool:
    """Whether all of the sound was in it, once, with rising times; the rest is silence."""
    length = -(-len(sound) // FRAME_SAMPLES)
    padded = np.zeros(length * FRAME_SAMPLES, np.int16)
    padded[: len(sound)] = sound
    times = [round(f.pts * FPS) for f in show.frames]
    return times == list(range(length)) and np.array_equal(show.sound, padded)


def test_who_keeps_up_stays() -> None:
    stage, sound = Stage({"a": Face(100, 0.03), "b": Face(200)}), said(6.01)
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert whole(show, sound) and (steps, show.late) == ([], 0)
    assert show.levels == [100] * 151
    assert [f.sentence.index for f in show.frames if f.sentence][:76].count(0) in (75, 76)


def test_a_slow_network_goes_to_half_rate_and_then_to_shapes() -> None:
    stage = Stage({"network": HalfFace(100, 0.06), "shapes": Face(200, 0.005)})
    sound = said(6.0)
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert steps == ["network at half rate"] and stage.ladder.name == steps[-1]
    assert whole(show, sound) and show.late <= 1
    assert None not in show.levels[40:-1], "between two pictures lies what is halfway"
    assert stage.faces["network"].drawn < 100

    crowded = stage.faces["network"]
    crowded.seconds = 0.2
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert steps == ["shapes"] and whole(show, sound) and show.late <= 1
    assert crowded.rate == "half"
    at = next(n for n, level in enumerate(show.levels) if level not in (100, None))
    assert at < 25, "within the sentence's first second"
    assert max(abs(np.diff(show.seen()))) <= 100 / (FADE + 1) + 1, "no step is seen as a jump"
    assert show.levels[at + FADE :] == [200] * (150 - at - FADE)


def test_two_answers_that_are_both_too_slow_step_down_once() -> None:
    stage = Stage({"network": HalfFace(100, 0.06), "shapes": Face(200, 0.005)})
    sounds = said(6.0), said(5.0, 2)

    async def both() -> list[Show]:
        return await asyncio.gather(*(stage.answer(sound, alone=False) for sound in sounds))

    shows, steps = stage.steps(both)
    assert steps == ["network at half rate"], steps
    assert all(whole(show, sound) and show.late <= 1 for show, sound in zip(shows, sounds, strict=True))


def test_where_half_the_rate_would_not_do_it_is_left_out() -> None:
    stage = Stage({"network": HalfFace(100, 0.3), "shapes": Face(200, 0.005)})
    sound = said(4.0)
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert steps == ["shapes"] and whole(show, sound)


def test_the_last_step_is_a_still_picture_of_the_face_at_rest() -> None:
    stage, sound = Stage({"a": Face(100, 0.5), "b": Face(220, 0.3)}), said(8.0)
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert steps == ["b", "still"] and whole(show, sound) and show.late <= 1
    assert show.levels[-50:] == [None] * 50 and show.seen()[-1] == 100
    assert max(abs(np.diff(show.seen()))) <= 120 / (FADE + 1) + 1
    assert stage.ladder.name == "still"
    again, steps = stage.steps(lambda: stage.answer(sound))
    assert steps == [] and whole(again, sound), "it stays there for a while"
    assert again.levels[0] == 220 and again.levels[-1] is None, "the face at rest is drawn once"


def test_one_slow_picture_is_none_too_many() -> None:
    stage = Stage({"a": Face(100, 0.01, stumbles_at=40), "b": Face(200)})
    sound = said(6.0)
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert (steps, show.late) == ([], 0) and whole(show, sound)
    assert 0 < show.levels.count(None) <= 15, "the sound went on meanwhile"
    assert show.levels[-60:] == [100] * 60


def test_pictures_that_come_in_batches_are_judged_as_batches() -> None:
    stage, sound = Stage({"a": BatchFace(100, 0.03), "b": Face(200)}), said(8.0)
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert steps == [] and whole(show, sound)
    slow = Stage({"a": BatchFace(100, 0.06), "b": Face(200)})
    show, steps = slow.steps(lambda: slow.answer(sound))
    assert steps == ["b"] and whole(show, sound)


def test_waiting_for_words_is_not_the_renderers_fault() -> None:
    stage, sound = Stage({"a": Face(100, 0.02), "b": Face(200)}), said(6.0)
    show, steps = stage.steps(lambda: stage.answer(sound, pause=3.0))
    assert steps == [] and whole(show, sound) and set(show.levels) == {100}


def test_a_file_is_drawn_as_well_as_can_be_however_long_it_takes() -> None:
    stage, sound = Stage({"a": Face(100, 2.0), "b": Face(200)}), said(3.0)
    show, steps = stage.steps(lambda: stage.answer(sound, hurried=False))
    assert steps == [] and whole(show, sound) and set(show.levels) == {100}


@pytest.mark.parametrize("error", [StageFailed("render", "face", "NaN"), OutOfMemory("no room")])
@pytest.mark.parametrize("at", [0, 1, 30, 59, 74])
@pytest.mark.parametrize("hurried", [True, False])
def test_a_failure_in_mid_sentence_loses_no_sound(error: Exception, at: int, hurried: bool) -> None:
    stage = Stage({"a": Face(100, 0.01, fails_at=at, error=error), "b": Face(200, 0.01)})
    sound = said(3.0)
    show, steps = stage.steps(lambda: stage.answer(sound, hurried))
    assert steps == ["b"] and whole(show, sound) and show.late == 0
    assert show.levels[at - 1 if at else 0] == (100 if at else 200)
    assert max(abs(np.diff(show.seen())), default=0) <= 100 / (FADE + 1) + 1
    begun = max(0, at - PREROLL) * FRAME_SAMPLES
    assert np.array_equal(stage.faces["b"].begun[0], sound[begun : begun + FRAME_SAMPLES])
    assert (stage.ranking.above is None) == isinstance(error, StageFailed)


def test_one_that_hangs_is_given_up_and_the_sound_goes_on() -> None:
    stage = Stage({"a": Face(100, 0.01, hangs_at=30), "b": Face(200, 0.01)})
    sound = said(4.0)
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert steps == ["b"] and whole(show, sound) and show.late == 0
    assert show.levels.count(None) in range(STUCK, STUCK + 5) and show.levels[-1] == 200


def test_one_that_ends_too_soon_has_failed() -> None:
    stage, sound = Stage({"a": Face(100, ends_at=20), "b": Face(200)}), said(2.0)
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert steps == ["b"] and whole(show, sound)


def test_while_the_next_one_opens_the_sound_goes_on() -> None:
    stage = Stage({"a": Face(100, 0.01, fails_at=30), "b": Face(200, 0.002, opening=2.5)})
    sound = said(6.0)
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert steps == ["b"] and whole(show, sound) and show.late == 0
    assert 40 < show.levels.count(None) < 70 and show.levels[-1] == 200
    assert max(abs(np.diff(show.seen()))) <= 100 / (FADE + 1) + 1


def test_the_last_one_that_fails_leaves_its_picture() -> None:
    stage, sound = Stage({"a": Face(100, 0.01, fails_at=30)}), said(3.0)
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert steps == ["still"] and whole(show, sound)
    begun = Stage({"a": Face(100, fails_at=0)})
    with pytest.raises(ExceptionGroup) as caught:
        simulated(begun.answer(sound))
    assert isinstance(caught.value.exceptions[0], StageFailed)


def test_the_governor_steps_in_the_midst_of_a_sentence() -> None:
    stage, sound = Stage({"a": Face(100, 0.01), "b": Face(200, 0.01)}), said(4.0)

    def short(frame: int) -> None:
        if frame == 30:
            stage.ranking.step_down("memory is short")

    show, steps = stage.steps(lambda: stage.answer(sound, at=short))
    assert steps == ["b"] and whole(show, sound) and show.late == 0
    assert (show.levels[30], show.levels[60]) == (100, 200)
    assert stage.ranking.above == "a" and stage.ranking.above_for("speed") is None


def test_up_again_after_a_while_and_less_often_when_it_fails() -> None:
    stage = Stage({"network": HalfFace(100, 0.3), "shapes": Face(200, 0.005)})
    network, sound = stage.faces["network"], said(6.0)

    async def day() -> tuple[list[float], list[tuple[float, str]]]:
        tries: list[float] = []
        steps: list[tuple[float, str]] = []
        clock = asyncio.get_running_loop().time
        with stage.feed.subscribe(256) as news:
            while clock() < 1200:
                if clock() > 600:
                    network.seconds = 0.01
                begun, began = len(network.begun), clock()
                show = await stage.answer(sound)
                assert whole(show, sound) and show.late == 0
                assert max(abs(np.diff(show.seen()))) <= 100 / (FADE + 1) + 1
                tries += [began] * (len(network.begun) > begun and stage.ladder.name == "shapes")
                steps += [(clock(), e.engine) for e in news.waiting() if isinstance(e, EngineChanged)]
                await asyncio.sleep(5)
        return tries, steps

    tries, steps = simulated(day())
    assert tries[0] == 0, "the first answer, in which it steps down"
    # One that begins near an answer's end goes on in the next.
    pauses = np.diff([at for n, at in enumerate(tries) if not n or at - tries[n - 1] > 15])
    assert len(pauses) >= 3 and all(b > 1.5 * a for a, b in itertools.pairwise([PATIENCE / 2, *pauses])), tries
    assert [engine for _, engine in steps] == ["shapes", "network"], "only what keeps up is shown again"
    assert 600 < steps[-1][0] < 1200 and stage.ladder.name == "network"


def test_a_better_one_is_loaded_while_another_is_seen() -> None:
    stage = Stage({"network": Face(100, 0.01, opening=3.0), "shapes": Face(200, 0.005)})
    stage.ranking.step_down("it was slow", "speed")
    sound = said(8.0)
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert steps == ["network"] and whole(show, sound) and show.late == 0
    assert show.levels[0] == 200 and show.levels[-1] == 100 and None not in show.levels
    assert max(abs(np.diff(show.seen()))) <= 100 / (FADE + 1) + 1


def test_one_that_fails_while_it_is_tried_is_not_seen() -> None:
    stage = Stage({"network": Face(100, 0.01, fails_at=3), "shapes": Face(200, 0.005)})
    stage.ranking.step_down("it was slow", "speed")
    sound = said(4.0)
    show, steps = stage.steps(lambda: stage.answer(sound))
    assert steps == [] and whole(show, sound) and set(show.levels) == {200}
    assert len(stage.faces["network"].begun) == 1, "it is left in peace for a while"


def test_memory_and_speed_do_not_undo_each_other() -> None:
    stage = Stage({"a": Face(100), "b": Face(200), "c": Face(250)})
    ranking = stage.ranking
    ranking.step_down("it is slow", "speed")
    assert not ranking.step_up("there is room") and ranking.name == "b"
    ranking.step_down("memory is short")
    assert not ranking.step_up("it is tried again", "speed") and ranking.name == "c"
    assert ranking.step_up("there is room") and ranking.step_up("it is tried again", "speed")
    assert (ranking.name, ranking.above, ranking.above_for("speed")) == ("a", None, None)


def test_pictures_of_another_size_are_fitted_to_the_stream() -> None:
    stage = Stage({"a": Face(100, fails_at=10), "b": Face(200, size=16)})
    show, _ = stage.steps(lambda: stage.answer(said(2.0)))
    assert {f.pixels.shape for f in show.frames if f.pixels is not None} == {(8, 8, 3)}
    assert show.levels[-1] == 200


async def test_between_two_pictures() -> None:
    async def frames() -> AsyncGenerator[VideoFrame, None]:
        for index, level in enumerate([10, None, 20, None, None, 40, None]):
            picture = None if level is None else np.full((2, 2, 3), level, np.uint8)
            yield VideoFrame(picture, np.zeros(FRAME_SAMPLES, np.int16), index / FPS)

    shown = [frame async for frame in between(frames())]
    assert [None if f.pixels is None else int(f.pixels[0, 0, 0]) for f in shown] == [10, 15, 20, None, None, 40, None]
    assert [round(f.pts * FPS) for f in shown] == list(range(7))


def test_mixing() -> None:
    a, b = (np.random.default_rng(seed).integers(0, 256, (9, 7, 3)).astype(np.uint8) for seed in (1, 2))
    assert np.array_equal(mixed(a, b, 0), a) and np.array_equal(mixed(a, b, 1), b)
    assert np.abs(mixed(a, b, 0.25).astype(float) - (0.75 * a + 0.25 * b)).max() <= 1
    assert np.array_equal(halfway(a, b), ((a.astype(int) + b) // 2).astype(np.uint8))
    assert fitted(a, 9, 7) is a and fitted(a, 4, 3).shape == (4, 3, 3)
    blend = Blend()
    assert blend.show(None) is None and blend.show(a) is a and blend.first is a


async def test_sound_is_read_on_by_whoever_comes_next() -> None:
    sound = said(3.0)
    async with asyncio.TaskGroup() as tasks:
        ahead = Lookahead(tasks)
        kept = Sound(ahead(speech(sound), 4))
        first = kept.after(0)
        head = [await anext(first) for _ in range(3)]
        waiting = asyncio.ensure_future(anext(kept.after(0)))
        await waiting
        await first.aclose()
        rest = [piece async for piece in kept.after(5)]
        ahead.end()
    assert np.array_equal(np.concatenate([p.audio for p in rest]), sound[5 * FRAME_SAMPLES :])
    assert np.array_equal(np.concatenate([p.audio for p in head]), sound[: 3 * 7001]) and rest[-1].last
    assert kept.complete and kept.frames == 75
    block = kept.block(74)
    assert block is not None and block[1].index == 1 and kept.block(75) is None
    kept.forget(74)
    assert kept.block(74 - KEPT) is not None and kept.block(10) is None


def test_the_tempo_forgets_what_is_long_ago() -> None:
    tempo = Tempo()
    for seconds in [9.0] + [0.1] * 30 + [0.02] * 11:
        tempo.drew(seconds)
    assert tempo.load == pytest.approx(0.5) and not tempo.too_slow(0.0)
    for _ in range(4):
        tempo.drew(0.2)
    assert tempo.lately == pytest.approx(5) and (tempo.load or 9) < 3
    for _ in range(11):
        tempo.drew(0.05)
    assert tempo.load == pytest.approx(1.25) and tempo.too_slow(0.1) and not tempo.too_slow(0.3)
