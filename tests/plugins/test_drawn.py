"""The drawn face: frames that match their sound, a mouth that shuts, motion without a jump, a loop that closes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from avatard.api.flow import FPS, FRAME_SAMPLES, Pixels, Sentence, SpeechAudio, VideoFrame
from avatard.face.shapes import REST, MouthShape, MouthTracker
from avatard.plugins.drawn.config import RenderConfig
from avatard.plugins.drawn.engine import Painter
from avatard.plugins.drawn.leaves import KEPT, STEPS
from avatard.plugins.drawn.motion import BLINK, Life, Pose
from avatard.plugins.drawn.mouth import lips
from avatard.plugins.drawn.palette import PALETTES
from avatard.plugins.drawn.render import DrawnFace
from avatard.plugins.drawn.scene import MOUTH, SHEET
from avatard.runtime.config import Configuration
from avatard.runtime.house import open_house

SIZE = 256
OPEN = MouthShape(0.9, 0.5, 0.1)


class Here:
    """A model without a thread."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.calls: list[tuple[Any, ...]] = []

    async def load(self) -> None: ...

    async def unload(self) -> None: ...

    async def call(self, method: str, *args: Any) -> Any:
        self.calls.append((method, *args))
        return getattr(self.engine, method)(*args)

    async def stream(self, method: str, *args: Any) -> AsyncGenerator[Any, None]:
        for item in getattr(self.engine, method)(*args):
            yield item


class Blank:
    """Draws nothing, quickly."""

    def talk(self, index: int, shape: MouthShape, lift: float, share: float) -> Pixels:
        return np.zeros((2, 2, 3), np.uint8)


@pytest.fixture(scope="module")
def painter() -> Iterator[Painter]:
    yield Painter("apricot", SIZE, 1)


def around(pixels: Pixels, middle: tuple[float, float], side: float, up: float, down: float) -> np.ndarray:
    unit = len(pixels) / SHEET
    left, right = int((middle[0] - side) * unit), int((middle[0] + side) * unit)
    return pixels[int((middle[1] - up) * unit) : int((middle[1] + down) * unit), left:right].astype(int)


def hum(seconds: float) -> np.ndarray:
    time = np.arange(round(seconds * 48_000)) / 48_000
    sound = sum(np.sin(2 * np.pi * 120 * n * time) * np.exp(-(((120 * n - 700) / 250) ** 2)) for n in range(1, 12))
    return (9000 * sound / np.abs(sound).max()).astype(np.int16)


async def speech(*parts: np.ndarray) -> AsyncGenerator[SpeechAudio, None]:
    for number, audio in enumerate(parts):
        yield SpeechAudio(Sentence(f"{number}.", number), audio, 48_000, True)


async def test_frames_carry_their_sound_their_time_and_their_sentence(painter: Painter) -> None:
    said = [hum(0.31), hum(0.2)]
    frames = [frame async for frame in DrawnFace(Here(painter)).render(speech(*said))]
    sound = np.concatenate(said)
    assert len(frames) == -(-len(sound) // FRAME_SAMPLES)
    assert np.array_equal(np.concatenate([frame.audio for frame in frames])[: len(sound)], sound)
    assert [frame.pts for frame in frames] == [index / FPS for index in range(len(frames))]
    assert [frame.sentence.index for frame in frames if frame.sentence] == [0] * 8 + [1] * 5
    for frame in frames:
        assert frame.pixels is not None
        assert frame.pixels.shape == (SIZE, SIZE, 3) and frame.pixels.dtype == np.uint8


async def test_the_mouth_moves_in_speech_and_the_answer_ends_with_it_shut() -> None:
    model = Here(Blank())
    assert len([frame async for frame in DrawnFace(model).render(speech(hum(0.8)))]) == 20
    shapes = [call[2] for call in model.calls]
    assert max(shape.open for shape in shapes) > 0.4
    assert shapes[-1].open == 0


async def test_at_half_rate_every_second_picture_is_left_out_but_never_the_last() -> None:
    for seconds in (0.8, 0.84):
        face = DrawnFace(Here(Blank()))
        face.rate = "half"
        frames = [frame async for frame in face.render(speech(hum(seconds)))]
        pictures = [frame.pixels is not None for frame in frames]
        assert pictures[::2] == [True] * len(pictures[::2]) and pictures[-1]
        assert pictures.count(False) >= 7


async def test_an_answer_begins_and_ends_with_the_loops_first_picture(painter: Painter) -> None:
    quiet = np.zeros(4 * FRAME_SAMPLES, np.int16)
    face = DrawnFace(Here(painter))
    still = (await anext(face.idle(4))).pixels
    for _ in range(2):
        frames = [frame.pixels async for frame in face.render(speech(quiet, hum(0.8), quiet))]
        assert np.array_equal(frames[0], still) and np.array_equal(frames[-1], still)
        assert not any(np.array_equal(frame, still) for frame in frames[6:-6])


async def test_a_sound_that_comes_at_once_does_not_snap_the_mouth_open() -> None:
    model, tracker = Here(Blank()), MouthTracker()
    async for _frame in DrawnFace(model).render(speech(hum(0.8))):
        pass
    heard = tracker.feed(hum(0.8)) + tracker.finish()
    drawn = [call[2].open for call in model.calls]
    assert heard[0].open > 0.1, heard[0]
    assert drawn[0] == pytest.approx(heard[0].open / 3) and drawn[1] == pytest.approx(heard[1].open * 2 / 3)
    assert drawn[2:-1] == [shape.open for shape in heard[2:-1]]


async def test_its_motion_grows_from_nothing_and_ends_in_nothing() -> None:
    model = Here(Blank())
    async for _frame in DrawnFace(model).render(speech(hum(2))):
        pass
    shares = [call[4] for call in model.calls]
    assert shares[0] == shares[-1] == 0 and shares[20:-10] == [1] * 20
    assert max(abs(b - a) for a, b in pairwise(shares)) < 0.4


async def test_an_answer_without_sound_has_no_frames() -> None:
    face = DrawnFace(Here(Blank()))
    assert [frame async for frame in face.render(speech())] == []
    assert [frame async for frame in face.render(speech(np.zeros(0, np.int16)))] == []


async def test_the_next_answer_goes_on_where_the_last_one_was() -> None:
    model = Here(Blank())
    face = DrawnFace(model)
    for _ in range(2):
        async for _frame in face.render(speech(hum(0.2))):
            pass
    assert [call[1] for call in model.calls] == list(range(10))


async def test_closing_the_frames_closes_the_speech() -> None:
    closed = False

    async def endless() -> AsyncGenerator[SpeechAudio, None]:
        nonlocal closed
        try:
            while True:
                yield SpeechAudio(Sentence("On and on.", 0), hum(0.2), 48_000, False)
        finally:
            closed = True

    frames = DrawnFace(Here(Blank())).render(endless())
    await anext(frames)
    await frames.aclose()
    assert closed


async def test_the_idle_loop_is_silent_moves_and_closes(painter: Painter) -> None:
    frames: list[VideoFrame] = [frame async for frame in DrawnFace(Here(painter)).idle(4)]
    assert len(frames) == 4 * FPS
    assert not any(frame.audio.any() for frame in frames)
    pictures = [frame.pixels.astype(int) for frame in frames if frame.pixels is not None]
    steps = [np.abs(b - a).mean() for a, b in pairwise(pictures)]
    assert max(steps) > 0
    assert np.abs(pictures[0] - pictures[-1]).mean() <= np.quantile(steps, 0.95)


@pytest.mark.parametrize("length", [1, 10, 25, 60, 100, 250, 1000])
def test_a_loop_ends_as_it_began(length: int) -> None:
    life = Life(3, length)
    first, after = life.pose(0), life.pose(length)
    assert first.lids == 0 and first.gaze == after.gaze == (0, 0)
    for a, b in zip((*first.shift, first.tilt, *first.turn), (*after.shift, after.tilt, *after.turn), strict=True):
        assert abs(a - b) < 1e-9


def test_it_blinks_every_two_to_six_seconds_and_the_seed_decides_when() -> None:
    def blinks(seed: int) -> list[int]:
        lids = [Life(seed).pose(index).lids for index in range(5000)]
        begun = [index for index in range(1, 5000) if lids[index] == BLINK[0] and lids[index - 1] < BLINK[0]]
        return [at for number, at in enumerate(begun) if number == 0 or at - begun[number - 1] > 2 * len(BLINK)]

    gaps = np.diff(blinks(1)) / FPS
    assert gaps.min() > 1.95 and gaps.max() < 6.05 and np.std(gaps) > 0.3
    assert blinks(1) == blinks(1) != blinks(2)


def test_nothing_jumps_but_lids_and_gaze() -> None:
    poses = [Life(1).pose(index) for index in range(1000)]
    for a, b in pairwise(poses):
        assert np.abs(np.subtract((*a.shift, *a.turn, a.sway), (*b.shift, *b.turn, b.sway))).max() < 0.8
        assert abs(a.tilt - b.tilt) < 0.003


@pytest.mark.parametrize("shape", [REST, OPEN, MouthShape(0.3, 1, 0), MouthShape(0.3, 0, 1), MouthShape(1, 1, 1)])
def test_lips_keep_their_order_and_smile_when_shut(shape: MouthShape) -> None:
    curves = lips(shape, (0, 0))
    assert (curves.upper <= curves.lower + 1e-9).all()
    assert (curves.outer_upper <= curves.upper + 1e-6)[8:-8].all()
    assert (curves.lower <= curves.outer_lower + 1e-6)[8:-8].all()
    if shape is REST:
        assert np.array_equal(curves.upper, curves.lower)
        assert curves.seam[0] < curves.seam[20] > curves.seam[-1]


def test_a_shape_is_seen_where_the_mouth_is_and_nowhere_else(painter: Painter) -> None:
    shut, wide = (painter._draw(Pose(), shape, 0.0) for shape in (REST, OPEN))
    assert np.abs(around(wide, MOUTH, 20, 5, 30) - around(shut, MOUTH, 20, 5, 30)).mean() > 40
    changed = np.abs(wide.astype(int) - shut).max(-1) > 24
    changed[int((MOUTH[1] - 40) * SIZE / SHEET) : int((MOUTH[1] + 80) * SIZE / SHEET)] = False
    # What is left are the lower lids, which rise a little with a wide open mouth.
    assert changed.mean() < 0.01


def test_shut_lids_hide_the_eyes(painter: Painter) -> None:
    awake, asleep = (around(painter._draw(Pose(lids=lids), REST, 0), (190, 262), 20, 20, 5) for lids in (0.0, 1.0))
    assert awake.min() < 60 < asleep.min()


def test_teeth_are_seen_in_a_hiss_and_hidden_behind_pursed_lips(painter: Painter) -> None:
    def light(shape: MouthShape) -> int:
        return int((around(painter._draw(Pose(), shape, 0), MOUTH, 40, 15, 30).min(-1) > 215).sum())

    hiss, bare, pursed = MouthShape(0.3, 0.75, 0, 0.95), MouthShape(0.3, 0.75, 0, 0.1), MouthShape(0.3, 0.15, 1, 0)
    assert light(hiss) > 1.15 * light(bare)
    assert light(pursed) < 0.2 * light(bare)


def test_pursed_lips_are_as_round_as_they_are_wide() -> None:
    curves = lips(MouthShape(0.25, 0.15, 1, 0), (0, 0))
    tall = (curves.outer_lower - curves.outer_upper).max()
    assert 0.7 < tall / np.ptp(curves.outer_x) < 1.4


def test_there_is_no_seam_around_what_is_redrawn() -> None:
    painter = Painter("apricot", SIZE, 1)
    life = Pose(turn=(3, 1.4), gaze=(6, 2), sway=8)
    base, drawn = painter._canvas[..., :3].astype(int), (painter._draw(life, OPEN, 1.0), painter._canvas)[1]
    for pen in (*painter._eyes._pens, *painter._eyes._brow_pens, painter._mouth._room, painter._leaves._pen):
        before, after = pen.of(base), pen.of(drawn)[..., :3].astype(int)
        for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
            assert np.abs(before[edge] - after[edge]).max() <= 3


def test_leaves_bent_again_are_as_they_were_and_few_are_kept() -> None:
    painter = Painter("apricot", SIZE, 1)
    leaves, canvas = painter._leaves, painter._canvas

    def drawn(step: int) -> bytes:
        leaves.draw(canvas, step / STEPS)
        return leaves._pen.of(canvas).tobytes()

    swings = [[drawn(step) for step in range(-KEPT, KEPT)] for _ in range(2)]
    assert swings[0] == swings[1] and len(set(swings[0])) > KEPT
    assert len(leaves._bent) == KEPT


def test_a_picture_stays_as_it_was_given(painter: Painter) -> None:
    kept = painter.talk(0, REST, 0.0)
    copy = kept.copy()
    painter.talk(1, OPEN, 1.0)
    assert np.array_equal(kept, copy)
    assert np.array_equal(painter.talk(0, REST, 0.0), copy)


@pytest.mark.parametrize("palette", PALETTES)
def test_every_palette_has_a_dark_mouth_and_light_teeth(palette: str) -> None:
    mouth = around(Painter(palette, SIZE, 1)._draw(Pose(), OPEN, 0), MOUTH, 22, 8, 40)
    assert mouth.max(-1).min() < 110
    assert mouth.min(-1).max() > 225


@pytest.mark.parametrize("size", [272, 512, 1024])
def test_any_size_is_the_same_face(size: int, painter: Painter) -> None:
    import cv2

    pose = Pose(turn=(-3, -1.4), gaze=(-6, -3), tilt=0.01, shift=(2, -2))
    large = Painter("apricot", size, 1)._draw(pose, OPEN, 0.5)
    small = cv2.resize(large, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(small - painter._draw(pose, OPEN, 0.5)).mean() < 2.5


def test_the_options_and_the_palettes_are_the_same() -> None:
    for name in PALETTES:
        assert RenderConfig(palette=name).palette == name
    for wrong in ({"palette": "mud"}, {"size": 100}, {"size": 2048}, {"size": 513}, {"colour": 1}):
        with pytest.raises(ValidationError):
            RenderConfig(**wrong)


async def test_a_portrait_shows_other_colours_and_changes_nothing(scripted: Callable[..., Configuration]) -> None:
    async with open_house(scripted(avatar={"render": ["drawn"]})) as house:
        renderer: Any = await house.place._means.voice.render.engine()
        worn = (await anext(aiter(renderer.idle(1)))).pixels
        portraits = {name: await renderer.portrait(name) for name in renderer.choices}
        assert {p.shape for p in portraits.values()} == {(192, 192, 3)}
        means = sorted(tuple(p.mean((0, 1)).round()) for p in portraits.values())
        assert len(set(means)) == len(renderer.choices), means
        assert await renderer.portrait("nobody") is None
        assert np.array_equal((await anext(aiter(renderer.idle(1)))).pixels, worn)
