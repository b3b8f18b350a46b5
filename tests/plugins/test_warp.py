"""The talking photograph: the photograph itself in silence, a mouth that moves and shuts, nothing torn, no jump."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from portraits import face
from pydantic import ValidationError
from test_drawn import Here, hum, speech

from avatard.api.errors import ConfigError, Refused
from avatard.api.flow import FPS, FRAME_SAMPLES, Pixels, SpeechAudio
from avatard.face.bundle import load, save
from avatard.face.shapes import REST, MouthShape
from avatard.plugins.warp.anatomy import Anatomy, opening
from avatard.plugins.warp.config import RenderConfig
from avatard.plugins.warp.engine import Puppet
from avatard.plugins.warp.motion import BLINK, Pose, pose
from avatard.plugins.warp.render import AHEAD, TalkingPhotograph

SIZE = 384
AH, EE = MouthShape(0.9, 0.5, 0.1), MouthShape(0.25, 0.95, 0)
OO, MM = MouthShape(0.3, 0.2, 0.9), MouthShape(0, 0.5, 0.1)
HISS = MouthShape(0.12, 0.75, 0, 1)
STILL, ANY = Pose(), Path("astronaut.face")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("face")
    face(folder)
    return folder / "astronaut.face"


@pytest.fixture(scope="module")
def puppet(path: Path) -> Puppet:
    return Puppet(str(path), SIZE, 1)


def drawn(puppet: Puppet, shape: MouthShape, share: float = 1.0) -> Pixels:
    """The mouth alone, without any motion of the head."""
    return puppet._draw(0, STILL, shape, 0.0, share)


def anatomy(puppet: Puppet) -> Anatomy:
    return Anatomy.of(puppet._face.landmarks[0])


def between(puppet: Puppet, pixels: Pixels, shape: MouthShape) -> np.ndarray:
    """The pixels between the lips, in the middle third."""
    own = anatomy(puppet)
    mouth = opening(own, shape, 1.0)
    x = round(own.middle[0])
    top, bottom = own.middle[1] + mouth.upper[10], own.middle[1] + mouth.lower[10]
    third = round(mouth.half / 3)
    return pixels[round(top) + 2 : round(bottom) - 1, x - third : x + third].astype(int)


def lips(puppet: Puppet, shape: MouthShape, share: float = 1.0) -> tuple[float, float, float]:
    mouth = opening(anatomy(puppet), shape, share)
    return mouth.gap / anatomy(puppet).unit, mouth.half / anatomy(puppet).unit, mouth.drop / anatomy(puppet).unit


def test_silence_is_the_photograph_to_the_last_bit(puppet: Puppet) -> None:
    assert np.array_equal(puppet.rest(0, 100), puppet._face.frames[0])
    assert np.array_equal(puppet.talk(0, REST, 0.0, 0.0), puppet._face.frames[0])


def test_lips_shut_open_spread_and_purse(puppet: Puppet) -> None:
    (shut, _, _), (ah, ah_half, drop), (ee, ee_half, _), (_, oo_half, _) = (lips(puppet, s) for s in (MM, AH, EE, OO))
    assert shut == pytest.approx(0, abs=1e-6) and 0.03 < ee < ah < 0.4
    assert oo_half < 0.8 * ah_half < ah_half < ee_half
    assert drop > 0.1
    gaps = [lips(puppet, MouthShape(opened, 0.5, 0))[0] for opened in np.linspace(0, 1, 11)]
    assert gaps == sorted(gaps) and np.diff(gaps).max() < 0.05


def test_shut_lips_show_no_teeth(puppet: Puppet) -> None:
    """The photograph smiles with its teeth; an m must hide them."""
    own = anatomy(puppet)
    x, y = own.middle
    upper, lower = own.edges[1:3, 10]
    area = np.s_[round(y + (upper + lower) / 2) : round(y + lower), round(x) - 12 : round(x) + 12]

    def teeth(pixels: Pixels) -> float:
        lab = cv2.cvtColor(pixels[area].astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
        return float(((lab[..., 0] > 78) & (lab[..., 1] < 8)).mean())

    assert teeth(puppet._face.frames[0]) > 0.6
    assert teeth(drawn(puppet, MM)) < 0.15


def test_an_open_mouth_is_dark_with_light_teeth_above(puppet: Puppet) -> None:
    inside = between(puppet, drawn(puppet, AH), AH).mean((1, 2))
    assert inside[: len(inside) // 4].max() > 130
    assert inside[len(inside) // 2 :].min() < 60


def test_teeth_are_drawn_where_the_photograph_shows_none(puppet: Puppet, tmp_path: Path) -> None:
    from avatard.face.features import find

    shut = drawn(puppet, MM)
    x, y, w, h = puppet._face.boxes[0]
    marks = find(shut, (x, y, w, h))
    assert np.abs(marks.lips[1] - marks.lips[2]).max() == 0
    save(tmp_path / "shut.face", [shut], [(x, y, w, h)], [marks])
    other = Puppet(str(tmp_path / "shut.face"), SIZE, 1)
    assert np.array_equal(other.talk(0, REST, 0.0, 0.0), shut)
    inside = between(other, drawn(other, AH), AH).mean((1, 2))
    assert inside[: len(inside) // 3].max() > 120 and inside.min() < 70


@pytest.mark.parametrize("own", [True, False], ids=["of the photograph", "drawn"])
@pytest.mark.parametrize("wide", [0.6, 0.75, 0.95])
def test_a_hiss_bares_the_teeth(puppet: Puppet, tmp_path: Path, wide: float, own: bool) -> None:
    if not own:
        marks = puppet._face.landmarks[0]
        shut = replace(marks, lips=marks.lips[[0, 1, 1, 3]])
        save(tmp_path / "shut.face", [drawn(puppet, MM)], [puppet._face.boxes[0]], [shut])
        puppet = Puppet(str(tmp_path / "shut.face"), SIZE, 1)

    def light(shape: MouthShape) -> int:
        return int((between(puppet, drawn(puppet, shape), shape).max(-1) > 110).sum())

    hidden, half, bared = (light(MouthShape(0.12, wide, 0, teeth)) for teeth in (0, 0.5, 1))
    assert bared > half > hidden and bared > 1.4 * hidden, (hidden, half, bared)


def test_teeth_part_neither_shut_lips_nor_open_ones(puppet: Puppet) -> None:
    for shape in (MM, AH):
        assert np.array_equal(drawn(puppet, replace(shape, teeth=1.0)), drawn(puppet, shape))


@pytest.mark.parametrize(
    "shape", [AH, EE, OO, MM, HISS, MouthShape(1, 1, 1), MouthShape(1, 0, 0), MouthShape(0, 0, 1)]
)
def test_nothing_is_torn(puppet: Puppet, shape: MouthShape) -> None:
    """Every pixel around the mouth comes from a place next to where its neighbours come from."""
    flesh, captured = puppet._mouth._flesh, []

    class Spy:
        INTER_CUBIC, BORDER_REPLICATE = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE

        @staticmethod
        def remap(picture: Pixels, x: np.ndarray, y: np.ndarray, *rest: int, **more: int) -> Pixels:
            captured.append((x, y))
            return np.zeros((*x.shape, 3), np.uint8)

    mouth = opening(anatomy(puppet), shape, 1.0)
    upper, lower = flesh.edges(mouth)
    real, flesh._cv2 = flesh._cv2, Spy
    try:
        flesh.warp(puppet._face.frames[0], mouth, upper, lower)
    finally:
        flesh._cv2 = real
    x, y = captured[0]
    # Between the lips the flesh is torn, of course: there the inner mouth is painted.
    open_here = (flesh.y > upper - 1) & (flesh.y < lower + 1)
    for field in (x, y):
        for axis in (0, 1):
            step = np.abs(np.diff(field, axis=axis))
            hidden = np.take(open_here, range(1, open_here.shape[axis]), axis) | np.take(
                open_here, range(open_here.shape[axis] - 1), axis
            )
            assert step[~hidden].max() < 3.2, step[~hidden].max()
    # What is above stays above: nothing is folded over.
    down = np.diff(y, axis=0)
    hidden = open_here[1:] | open_here[:-1]
    assert down[~hidden].min() > -0.25
    # At the patch's border nothing has moved, but where it is the picture's border too.
    still = [(x[0], flesh._px[0]), (y[0], flesh._py[0]), (x[:, 0], flesh._px[:, 0]), (x[:, -1], flesh._px[:, -1])]
    still += [(y[:, 0], flesh._py[:, 0]), (y[:, -1], flesh._py[:, -1]), (y[-1], flesh._py[-1])]
    assert max(float(np.abs(here - there).max()) for here, there in still) < 0.6


@pytest.mark.parametrize("shape", [AH, EE, OO, MM])
def test_nothing_but_the_mouth_and_jaw_changes(puppet: Puppet, shape: MouthShape) -> None:
    changed = np.abs(drawn(puppet, shape).astype(int) - puppet._face.frames[0]).max(-1) > 12
    assert changed.any()
    rows, _ = np.nonzero(changed)
    eyes = puppet._face.landmarks[0].eyes[..., 1].max()
    assert rows.min() > eyes + 0.25 * anatomy(puppet).unit


def test_the_way_into_speech_and_out_is_smooth(puppet: Puppet) -> None:
    shares = np.linspace(0, 1, 7)
    frames = [drawn(puppet, MM, float(share)).astype(int) for share in shares]
    steps = [np.abs(b - a).mean() for a, b in pairwise(frames)]
    whole = np.abs(frames[-1] - frames[0]).mean()
    assert max(steps) < 0.5 * whole, (steps, whole)


async def test_frames_carry_their_sound_and_end_as_the_photograph(puppet: Puppet) -> None:
    said = [hum(0.31), hum(0.5)]
    model = Here(puppet)
    frames = [frame async for frame in TalkingPhotograph(model, ANY).render(speech(*said))]
    sound = np.concatenate(said)
    assert len(frames) == -(-len(sound) // FRAME_SAMPLES)
    assert np.array_equal(np.concatenate([frame.audio for frame in frames])[: len(sound)], sound)
    assert [frame.pts for frame in frames] == [index / FPS for index in range(len(frames))]
    assert [frame.sentence.index for frame in frames if frame.sentence] == [0] * 8 + [1] * 13
    assert np.array_equal(frames[-1].pixels, puppet._face.frames[0])
    assert [round(call[5], 2) for call in model.calls][:3] == [0.0, 0.02, 0.07]
    shares = [call[4] for call in model.calls if call[0] == "talk"]
    assert 0 < shares[0] < 0.3 and max(shares) == 1.0 and shares[-1] == 0.0
    assert max(np.abs(np.diff(shares))) < 0.4
    assert [call[1] for call in model.calls] == list(range(len(frames)))


async def test_a_pause_brings_the_photographs_own_mouth_back(puppet: Puppet) -> None:
    model = Here(puppet)
    pause = np.zeros(48_000, np.int16)
    async for _ in TalkingPhotograph(model, ANY).render(speech(hum(0.6), pause, hum(0.6))):
        pass
    shares = [call[4] for call in model.calls if call[0] == "talk"]
    first, last = round(0.6 * FPS), round(1.6 * FPS)
    assert min(shares[first : last - AHEAD]) == 0.0
    assert shares[last] > 0.5, "the mouth is ready when the sound begins"


async def test_at_half_rate_every_second_picture_is_left_out_but_never_the_last(puppet: Puppet) -> None:
    for seconds in (0.8, 0.84):
        face = TalkingPhotograph(Here(puppet), ANY)
        face.rate = "half"
        pictures = [frame.pixels is not None async for frame in face.render(speech(hum(seconds)))]
        assert pictures[::2] == [True] * len(pictures[::2]) and pictures[-1]
        assert pictures.count(False) >= 8


async def test_an_answer_without_sound_has_no_frames(puppet: Puppet) -> None:
    assert [frame async for frame in TalkingPhotograph(Here(puppet), ANY).render(speech())] == []
    short = [frame async for frame in TalkingPhotograph(Here(puppet), ANY).render(speech(hum(0.03)))]
    assert len(short) == 1 and np.array_equal(short[0].pixels, puppet._face.frames[0])


async def test_closing_the_frames_closes_the_speech(puppet: Puppet) -> None:
    closed = False

    async def endless() -> AsyncGenerator[SpeechAudio, None]:
        nonlocal closed
        try:
            while True:
                async for piece in speech(hum(0.2)):
                    yield piece
        finally:
            closed = True

    frames = TalkingPhotograph(Here(puppet), ANY).render(endless())
    await anext(frames)
    await frames.aclose()
    assert closed


async def test_the_idle_loop_is_silent_lives_and_closes(puppet: Puppet) -> None:
    frames = [frame async for frame in TalkingPhotograph(Here(puppet), ANY).idle(4)]
    assert len(frames) == 4 * FPS and not any(frame.audio.any() for frame in frames)
    pictures = [frame.pixels.astype(int) for frame in frames if frame.pixels is not None]
    steps = [np.abs(b - a).mean() for a, b in pairwise(pictures)]
    assert min(steps) > 0 and np.abs(pictures[0] - pictures[-1]).mean() <= np.quantile(steps, 0.95)


@pytest.mark.parametrize("length", [1, 10, 60, 100, 250])
def test_a_loop_ends_as_it_began(length: int) -> None:
    first, after = pose(3, 0, length), pose(3, length, length)
    assert first == Pose() and after.lids == 0
    assert np.abs([*after.shift, after.tilt, *after.turn]).max() < 1e-9


def test_it_blinks_now_and_then_and_the_seed_decides_when() -> None:
    lids = [[pose(seed, index).lids for index in range(2000)] for seed in (1, 2)]
    begun = [[i for i in range(1, 2000) if own[i] == BLINK[0] and own[i - 1] == 0] for own in lids]
    assert begun[0] != begun[1] and len(begun[0]) == 20
    assert np.diff(begun[0]).min() > 1.9 * FPS and np.diff(begun[0]).max() < 6.1 * FPS


def test_a_blink_hides_the_eyes_and_nothing_else(puppet: Puppet) -> None:
    shut = puppet._draw(0, Pose(lids=1.0), REST, 0.0, 0.0)
    for eye in puppet._face.landmarks[0].eyes:
        x, y = (round(float(v)) for v in eye.mean((0, 1)))
        pupil = np.s_[y - 2 : y + 2, x - 2 : x + 2]
        assert puppet._face.frames[0][pupil].mean() < 90 < shut[pupil].mean()
    changed = np.abs(shut.astype(int) - puppet._face.frames[0]).max(-1) > 12
    rows = np.nonzero(changed.any(1))[0]
    own, eyes = anatomy(puppet), puppet._face.landmarks[0].eyes
    assert rows.min() > eyes[..., 1].min() - 0.35 * own.unit and rows.max() < eyes[..., 1].max() + 0.2 * own.unit


def test_the_head_moves_and_the_pictures_edge_stays(puppet: Puppet) -> None:
    moved = puppet._draw(0, Pose(shift=(4, 3), tilt=0.01, turn=(3, 2)), REST, 1.0, 0.0).astype(int)
    own = puppet._face.frames[0]
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.abs(moved[edge] - own[edge]).max() <= 1
    assert np.abs(moved - own).mean() > 1


def test_a_picture_stays_as_it_was_given(puppet: Puppet) -> None:
    kept = puppet.talk(5, REST, 0.0, 1.0)
    copy = kept.copy()
    puppet.talk(6, AH, 1.0, 1.0)
    assert np.array_equal(kept, copy) and np.array_equal(puppet.talk(5, REST, 0.0, 1.0), copy)


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_any_size_is_the_same_face(path: Path, puppet: Puppet, size: int) -> None:
    large = drawn(Puppet(str(path), size, 1), AH)
    assert large.shape == (size, size, 3)
    same = cv2.resize(large, (SIZE, SIZE), interpolation=cv2.INTER_AREA if size > SIZE else cv2.INTER_CUBIC)
    assert np.abs(same.astype(int) - drawn(puppet, AH)).mean() < 3


def test_a_film_keeps_its_own_life(path: Path, tmp_path: Path) -> None:
    still = load(path)
    frames = [np.roll(still.frames[0], step, 1) for step in range(3)]
    marks = [still.landmarks[0].moved(1.0, (step, 0)) for step in range(3)]
    save(tmp_path / "film.face", frames, [still.boxes[0]] * 3, marks)
    film = Puppet(str(tmp_path / "film.face"), 256, 1)
    pictures = [film.talk(index, REST, 0.0, 0.0) for index in range(8)]
    assert all(np.array_equal(pictures[index], pictures[index + 4]) for index in range(4))
    assert np.array_equal(pictures[1], pictures[3]) and not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(film.talk(2, AH, 0.0, 1.0), pictures[2])


async def test_another_face_is_worn_from_the_next_answer_on(path: Path, tmp_path: Path) -> None:
    still = load(path)
    save(tmp_path / "dark.face", [still.frames[0] // 3], list(still.boxes), list(still.landmarks))
    (tmp_path / "bad.face").write_bytes(b"half")
    known = {name: tmp_path / f"{name}.face" for name in ("dark", "bad")}
    photograph = TalkingPhotograph(Here(Puppet(str(path), 256, 1)), path, lambda: known)
    assert photograph.choices == ("astronaut", "bad", "dark") and photograph.chosen == "astronaut"

    async def level() -> float:
        return float(np.mean([frame.pixels.mean() async for frame in photograph.idle(0.2) if frame.pixels is not None]))

    light = await level()
    for wrong, why in (("nobody", "there is no face 'nobody'; there are"), ("bad", "import it again")):
        with pytest.raises(Refused, match=why):
            await photograph.choose(wrong)
    assert photograph.chosen == "astronaut" and await level() == light
    await photograph.choose("dark")
    assert photograph.chosen == "dark" and await level() == pytest.approx(light / 3, rel=0.03)
    await photograph.choose("astronaut")
    assert await level() == light


def test_a_broken_face_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.face").write_bytes(b"half")
    with pytest.raises(ConfigError, match=r"x\.face.*import it again"):
        Puppet(str(tmp_path / "x.face"), 256, 1)


def test_the_options() -> None:
    assert RenderConfig(face="anna").face == "anna"
    for wrong in ({"face": ""}, {"size": 100}, {"size": 2048}, {"size": 513}, {"colour": 1}):
        with pytest.raises(ValidationError):
            RenderConfig(**wrong)
