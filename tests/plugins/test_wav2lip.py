"""The Wav2Lip renderer: what the network hears, when it draws, what is shown, and the child that it lives in."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import portraits
import pytest
from conftest import missing, speech_like
from test_architecture import imports
from wav2lip import bundle, changed, meet, tiny

from avatard.api.context import Model
from avatard.api.errors import ConfigError, NotReady, Refused, StageFailed
from avatard.api.flow import FRAME_SAMPLES, Sentence, SpeechAudio, VideoFrame
from avatard.api.stages import Choices
from avatard.face.bundle import load
from avatard.face.compose import mask
from avatard.face.cut import Decimator
from avatard.face.mel import mel, windows
from avatard.plugins.wav2lip.build import Builder
from avatard.plugins.wav2lip.canvas import Canvas, there_and_back
from avatard.plugins.wav2lip.engine import Engine, masked
from avatard.plugins.wav2lip.hearing import Hearing, silent
from avatard.plugins.wav2lip.render import CAREFUL, NetworkFace
from avatard.runtime.config import from_mapping
from avatard.runtime.foundation import open_foundation
from avatard.runtime.model import Granting
from avatard.runtime.plugin import Opener
from avatard.runtime.process import memory_mb
from avatard.runtime.worker import ChildModel

CROP = 96 * 96 * 3


class Here:
    """A model without a thread."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.counts: list[int] = []

    def use(self) -> AsyncExitStack:
        return AsyncExitStack()

    async def call(self, method: str, *args: Any) -> Any:
        if method == "draw":
            self.counts.append(len(args[0]))
        return getattr(self.engine, method)(*args)


def made(tmp_path: Path, **changes: Any) -> str:
    builder = Builder(str(tiny(tmp_path, **changes)), str(tmp_path / "cache"), True, True)
    return list(builder.build(1 << 30))[-1]["folder"]


def engine(tmp_path: Path, room: int = 1 << 26) -> Engine:
    return Engine(made(tmp_path), 1, ["auto"], room)


def face_of(tmp_path: Path, frames: int = 1, drawing: Any = None) -> tuple[NetworkFace, Here]:
    path, canvas = bundle(tmp_path, frames), Canvas(128)
    worn = canvas.wear(canvas.read(str(path)), 96, 96)
    network = Here(drawing or engine(tmp_path))
    other = {"head2": bundle(tmp_path, 2), "broken": tmp_path / "broken.face"}
    return NetworkFace(network, Here(canvas), worn, path, 4, 0, lambda: other), network  # type: ignore[arg-type]


def sound(*seconds: float) -> Any:
    """Speech and silence by turns, 48 kHz."""
    parts = [
        speech_like(s, 48_000) if n % 2 == 0 else np.zeros(int(s * 48_000), np.int16) for n, s in enumerate(seconds)
    ]
    return np.concatenate(parts)


async def spoken(samples: Any, piece: int = 1 << 30) -> AsyncIterator[SpeechAudio]:
    for at in range(0, len(samples), piece):
        yield SpeechAudio(Sentence("A sentence.", 0), samples[at : at + piece], 48_000, at + piece >= len(samples))


async def shown(face: NetworkFace, samples: Any, piece: int = 1 << 30) -> list[VideoFrame]:
    return [frame async for frame in face.render(spoken(samples, piece))]


def moved(frames: list[VideoFrame], plain: Any) -> list[float]:
    """How far each picture is from the plain one."""
    return [float(np.abs(f.pixels.astype(int) - plain).mean()) for f in frames if f.pixels is not None]


@pytest.mark.parametrize("offset", [0, -40, -200, 60])
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_what_is_heard_does_not_depend_on_the_pieces(offset: int, piece: int) -> None:
    samples = sound(1.2)
    blocks = list(samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES))
    hearing = Hearing(offset)
    found: list[Any] = []
    for at in range(0, len(blocks), piece):
        found += hearing.feed(blocks[at : at + piece])
        assert len(found) <= at + piece
    found += hearing.finish()
    decimator = Decimator()
    low = np.concatenate([decimator.feed(s) for s in (np.concatenate(blocks), np.zeros(24, np.int16))])[
        Decimator.delay :
    ]
    low = np.concatenate([np.zeros(max(0, -offset) * 16), low[max(0, offset) * 16 :]])
    expected = windows(mel(low), len(blocks))
    assert len(found) == len(blocks) == 30
    assert np.abs(np.stack(found) - expected).max() < 1e-5


def test_sound_shorter_than_a_window_and_silence() -> None:
    hearing = Hearing(0)
    assert hearing.feed([np.zeros(FRAME_SAMPLES, np.int16)]) == []
    (window,) = hearing.finish()
    assert window.shape == (80, 16) and (window == -4).all() and silent(window)
    assert Hearing(0).finish() == []
    loud = Hearing(0)
    assert not any(map(silent, loud.feed(list(sound(0.4).reshape(-1, FRAME_SAMPLES)))))


async def test_silence_skips_the_network_and_the_mouth_comes_and_goes_softly(tmp_path: Path) -> None:
    face, network = face_of(tmp_path)
    plain = load(tmp_path / "head1.face").frames[0].astype(int)
    frames = await shown(face, np.concatenate([np.zeros(48_000, np.int16), sound(1.0, 1.0)]))
    assert len(frames) == 75
    off = moved(frames, plain)
    assert off[:19] == [0.0] * 19 and off[56:] == [0.0] * 19 and min(off[28:44]) > 0
    assert sum(network.counts) == sum(value > 0 for value in off) < 40
    # It comes: what is seen of it in the first picture is a part of what is seen once it is there.
    first = next(n for n, value in enumerate(off) if value)
    assert off[first] < 0.5 * max(off[first + 4 : first + 8])
    last = max(n for n, value in enumerate(off) if value)
    assert off[last] < 0.5 * max(off[last - 8 : last - 4])


async def test_an_answer_that_ends_abruptly_ends_on_the_plain_picture(tmp_path: Path) -> None:
    face, _ = face_of(tmp_path)
    plain = load(tmp_path / "head1.face").frames[0].astype(int)
    off = moved(await shown(face, sound(0.8)), plain)
    assert off[-1] == 0 and off[-2] < off[-4] and off[10] > 0


async def test_the_first_pictures_come_one_by_one_and_then_several_at_once(tmp_path: Path) -> None:
    face, network = face_of(tmp_path)
    await shown(face, sound(1.0))
    assert network.counts[:CAREFUL] == [1] * CAREFUL and max(network.counts) == 4
    alone, calls = face_of(tmp_path)
    await shown(alone, sound(1.0), FRAME_SAMPLES)
    assert calls.counts[0] == 1 and sum(calls.counts) == sum(network.counts)


async def test_at_half_rate_the_network_draws_every_second_picture_and_the_last_is_there(tmp_path: Path) -> None:
    face, network = face_of(tmp_path)
    whole = await shown(face, sound(1.0))
    drawn, face.rate = sum(network.counts), "half"
    half = await shown(face, sound(1.0))
    assert abs((sum(network.counts) - drawn) - drawn / 2) <= 1
    pictures = [frame.pixels is not None for frame in half]
    assert pictures == [n % 2 == 0 for n in range(24)] + [True]
    off = [np.abs(a.pixels.astype(int) - b.pixels).max() for a, b in zip(whole[::2], half[::2], strict=True)]  # type: ignore[union-attr]
    assert max(off) <= 1, off
    assert all(np.array_equal(a.audio, b.audio) for a, b in zip(whole, half, strict=True))


async def test_batches_and_pieces_do_not_change_the_picture(tmp_path: Path) -> None:
    one = await shown(face_of(tmp_path, 3)[0], sound(0.6))
    other = await shown(face_of(tmp_path, 3)[0], sound(0.6), 700)
    off = [np.abs(a.pixels.astype(int) - b.pixels).max() for a, b in zip(one, other, strict=True)]  # type: ignore[union-attr]
    assert len(one) == 15 and max(off) <= 1, off
    assert all(np.array_equal(a.audio, b.audio) for a, b in zip(one, other, strict=True))


async def test_only_the_lower_half_of_the_face_changes(tmp_path: Path) -> None:
    face, _ = face_of(tmp_path)
    plain = load(tmp_path / "head1.face").frames[0]
    frames = await shown(face, sound(0.6))
    for frame in frames[4:10]:
        assert frame.pixels is not None
        changed = np.argwhere((frame.pixels != plain).any(-1))
        (top, left), (bottom, right) = changed.min(0), changed.max(0)
        assert top >= 20 + 0.45 * 100 and bottom < 20 + 100 and left >= 30 and right < 100


async def test_no_picture_of_an_answer_shows_a_seam(tmp_path: Path) -> None:
    """Where the drawn mouth ends, no step: from silence to speech and back, on a photograph, with random weights."""
    import cv2

    pictures = portraits.face(tmp_path)
    canvas = Canvas(512)
    worn = canvas.wear(canvas.read(str(tmp_path / f"{pictures.name}.face")), 96, 96)
    face = NetworkFace(Here(engine(tmp_path)), Here(canvas), worn, tmp_path, 4, 0, dict)  # type: ignore[arg-type]
    frames = [frame.pixels for frame in await shown(face, sound(0.6, 0.4, 0.4)) if frame.pixels is not None]
    plain, region = worn.face.frames[0], worn.regions[0]
    weight = np.zeros(plain.shape[:2], np.float32)
    weight[region.top : region.bottom, region.left : region.right] = mask(region.width, region.height)[..., 0]
    border = cv2.dilate((weight > 0).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & (weight < 0.1)

    def steps(pixels: Any, axis: int) -> Any:
        smooth = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), 1.5)
        found = np.abs(np.diff(smooth, axis=axis)).max(-1)
        return found[border[1:] if axis == 0 else border[:, 1:]]

    assert any(np.abs(pixels.astype(int) - plain).max() > 40 for pixels in frames)
    for pixels in frames:
        for axis in (0, 1):
            before, after = steps(plain, axis), steps(pixels, axis)
            assert after.max() <= before.max() * 1.1, (axis, after.max(), before.max())
            assert after.mean() <= before.mean() + 0.5, (axis, after.mean(), before.mean())


def test_a_network_need_not_be_square(tmp_path: Path) -> None:
    canvas = Canvas(128)
    worn = canvas.wear(canvas.read(str(bundle(tmp_path))), 96, 128)
    assert worn.crops[0].shape == (96, 128, 3)
    assert canvas.lay(worn, 0, worn.crops[0][48:].tobytes(), 1.0).shape == (128, 128, 3)


async def test_another_face_can_be_chosen(tmp_path: Path) -> None:
    face, _ = face_of(tmp_path)
    assert face.choices == ("broken", "head1", "head2") and face.chosen == "head1" and isinstance(face, Choices)
    await face.choose("head2")
    assert face.chosen == "head2"
    (first, second) = [f async for f in face.idle(0.08)]
    stills = load(tmp_path / "head2.face").frames
    assert np.array_equal(first.pixels, stills[0]) and np.array_equal(second.pixels, stills[1])
    (tmp_path / "broken.face").write_bytes(b"no face")
    for name, said in (("nobody", "there are broken, head1, head2"), ("broken", "broken.face: is no face")):
        with pytest.raises(Refused, match=said):
            await face.choose(name)
    assert face.chosen == "head2"
    await face.choose("head1")
    assert len(await shown(face, sound(0.2))) == 5


async def test_a_film_goes_on_from_one_answer_to_the_next(tmp_path: Path) -> None:
    face, _ = face_of(tmp_path, 5)
    stills = load(tmp_path / "head5.face")
    numbers = []
    for _ in range(2):
        frames = await shown(face, np.zeros(6 * FRAME_SAMPLES, np.int16))
        numbers += [next(n for n, still in enumerate(stills.frames) if np.array_equal(still, f.pixels)) for f in frames]
    assert numbers == [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3]


def test_the_silent_loop_comes_back() -> None:
    loop = (0, 1, 2, 3, 2, 1)
    numbers = list(there_and_back(loop, 25))
    assert numbers[0] == 0 and len(numbers) == 25
    assert all(abs(a - b) <= 1 for a, b in zip(numbers, [*numbers[1:], numbers[0]], strict=True)), numbers


async def test_a_picture_that_is_no_number_fails_the_turn(tmp_path: Path) -> None:
    broken = engine(tmp_path)
    broken._network = type("Broken", (), {
        "look": lambda self, face: {}, "draw": lambda self, mel, faces: np.full((len(faces), 3, 48, 96), np.nan),
    })()  # fmt: skip
    with pytest.raises(ValueError, match="not a number"):
        broken.draw([bytes(CROP)], bytes(80 * 16 * 4))


def test_what_is_kept_of_faces_is_bounded(tmp_path: Path) -> None:
    one = engine(tmp_path)
    crops = [np.full(CROP, n, np.uint8).tobytes() for n in range(6)]
    quiet = np.full((6, 80, 16), -4, np.float32).tobytes()
    pictures = one.draw(crops, quiet)
    size = one._kept // 6
    small = Engine(made(tmp_path), 1, ["auto"], size * 2)
    assert (
        small.draw(crops, quiet) == pictures
        and small.draw(crops[::-1], quiet)[-48 * 96 * 3 :] == pictures[: 48 * 96 * 3]
    )
    assert len(small._faces) == 2 and small._kept == 2 * size


def test_the_network_sees_the_face_with_its_lower_half_black_and_whole() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    seen = masked(crop.tobytes(), 96, 96)
    assert seen.shape == (1, 6, 96, 96) and seen.dtype == np.float32
    assert np.allclose(seen[0, 3:].transpose(1, 2, 0) * 255, crop, atol=1e-4)
    assert (seen[0, :3, 48:] == 0).all() and np.array_equal(seen[0, :3, :48], seen[0, 3:, :48])


def test_parts_that_are_gone_and_providers_that_are_not_there(tmp_path: Path) -> None:
    folder = made(tmp_path)
    with pytest.raises(NotReady, match=r"has no CUDAExecutionProvider; it has .*CPU"):
        Engine(folder, 1, ["cuda"], 1)
    (Path(folder) / "face.onnx").unlink()
    with pytest.raises(NotReady, match="gone or damaged"):
        Engine(folder, 1, ["auto"], 1)


def child(folder: str, python: Path, options: dict[str, Any] | None = None) -> ChildModel:
    given = {"folder": folder, "threads": 1, "providers": ["auto"], "room": 1 << 26}
    return ChildModel(Engine, options or given, 50, "render", "wav2lip", Granting(), 1, python)


async def opened(stack: AsyncExitStack, tmp_path: Path, **options: Any) -> tuple[Any, Opener]:
    options = {"model": str(tiny(tmp_path)), "face": str(bundle(tmp_path)), "size": 128} | options
    configuration = from_mapping({"avatar": {"render": [{"platform": "wav2lip", **options}]}})
    foundation = await stack.enter_async_context(open_foundation(configuration))
    tasks = await stack.enter_async_context(asyncio.TaskGroup())
    inner = await stack.enter_async_context(AsyncExitStack())
    opener = Opener(inner, tasks, foundation, configuration)
    return await opener.open(configuration.stages["render"][0]), opener


def living(opener: Opener) -> Any:
    """The model whose child lives: the network."""
    (model,) = (m for m in opener.foundation.governor.belongings.models if getattr(m, "pid", None))
    return model


async def test_the_network_lives_in_a_child_that_is_replaced_when_it_dies(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        face, opener = await opened(stack, tmp_path)
        network: Any = living(opener)
        pid = network.pid
        before = await shown(face, sound(0.4))
        os.kill(pid, 9)
        await asyncio.sleep(0.1)
        after = await shown(face, sound(0.4))
        assert network.pid not in (None, pid)
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(before, after, strict=True))
        await network.unload()
        assert network.pid is None


async def test_a_configuration_that_cannot_work_is_told_as_such(tmp_path: Path) -> None:
    for options, said in (
        ({"model": str(tmp_path / "none.onnx")}, "there is no file .*none.onnx"),
        ({"face": "nobody"}, "no face 'nobody'"),
    ):
        with pytest.raises(BaseExceptionGroup) as caught:
            async with AsyncExitStack() as stack:
                await opened(stack, tmp_path, **options)
        assert caught.group_contains(ConfigError, match=said)


async def test_a_graph_that_runs_whole_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with AsyncExitStack() as stack:
        await opened(stack, tmp_path, split=False)
    assert "runs whole" not in caplog.text
    async with AsyncExitStack() as stack:
        await opened(stack, tmp_path, model=str(changed(tiny(tmp_path, "mixed.onnx"), meet)))
    assert caplog.text.count("mixed.onnx runs whole, which is slower: its two inputs meet") == 1


async def test_every_face_is_looked_at_before_it_is_shown(tmp_path: Path) -> None:
    one = engine(tmp_path)
    crops = [np.full(CROP, n, np.uint8).tobytes() for n in range(3)]
    one.warm(crops)
    assert len(one._faces) == 3 and one.describe()["room"] == (1 << 26) // (one._kept // 3)


@pytest.mark.long
async def test_unloading_the_true_network_gives_its_memory_back(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        face, opener = await opened(stack, tmp_path, model="random")
        network: Any = living(opener)
        await network.unload()
        before = memory_mb()
        frames = await shown(face, sound(0.4))
        loaded = memory_mb()
        await network.unload()
        after = memory_mb()
    assert len(frames) == 10 and loaded - before > 150
    assert loaded - after >= 0.9 * (loaded - before), (before, loaded, after)


def others() -> list[Path]:
    """Interpreters of another version, 3.10 or later."""
    places = [*Path.home().glob(".pyenv/versions/*/bin/python3"), *Path("/usr/bin").glob("python3.[0-9]*")]
    places += [Path(given)] if (given := os.environ.get("AVATARD_OTHER_PYTHON")) else []
    found = []
    for path in places:
        said = subprocess.run([path, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True)
        version = tuple(map(int, said.stdout.split())) if said.returncode == 0 else ()
        if version >= (3, 10) and version != sys.version_info[:2]:
            found.append(path)
    return sorted(found, reverse=True)


def test_what_another_interpreter_loads_needs_numpy_and_onnxruntime_alone() -> None:
    folder = Path(sys.modules[Engine.__module__].__file__ or "").parent
    for name in ("engine", "sessions", "parts"):
        wanted = imports(folder / f"{name}.py") - set(sys.stdlib_module_names) - {"collections.abc"}
        assert wanted <= {"numpy", "numpy.typing", "onnxruntime", "avatard.api.errors", "parts", "sessions"}, wanted


async def test_another_interpreter_finds_our_modules_and_not_our_libraries() -> None:
    pythons = others()
    if not pythons:
        missing("a second Python, 3.10 or later")
    version: Any = ChildModel("platform:python_version", {}, 1, "render", "wav2lip", Granting(), 1, pythons[0])
    paths: Any = ChildModel("avatard.runtime.wire:unpack", {"text": '{"a": 1}', "blob": b""}, 1, "render", "x",
                            Granting(), 1, pythons[0])  # fmt: skip
    try:
        assert not (await version.call("strip")).startswith(".".join(map(str, sys.version_info[:2])) + ".")
        assert await paths.call("get", "a") == 1
    finally:
        await version.unload()
        await paths.unload()


async def test_an_interpreter_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=r"none/python cannot be run: No such file"):
        await child("x", tmp_path / "none" / "python").load()
    false: Model = child("x", Path("/bin/false"))
    with pytest.raises(StageFailed, match=r"its process ended"):
        await false.load()


def with_onnxruntime(folder: Path) -> Path:
    """A virtual environment of another Python that has numpy and onnxruntime."""
    pythons = others()
    if not pythons:
        missing("a second Python, 3.10 or later")
    for python in pythons:
        place = folder / python.parts[-3]
        steps = ([python, "-m", "venv", place], [place / "bin" / "pip", "install", "-q", "numpy", "onnxruntime"])
        if all(subprocess.run(step, capture_output=True).returncode == 0 for step in steps):
            return place
    missing("onnxruntime for a second Python")
    raise AssertionError


@pytest.mark.long
async def test_the_network_runs_under_another_interpreter(tmp_path: Path) -> None:
    """The other one has numpy and onnxruntime, and neither onnx nor anything else of ours."""
    place = with_onnxruntime(tmp_path)
    async with AsyncExitStack() as stack:
        ours, _ = await opened(stack, tmp_path)
        here = await shown(ours, sound(0.6))
    async with AsyncExitStack() as stack:
        theirs, opener = await opened(stack, tmp_path, python=str(place / "bin" / "python"))
        there = await shown(theirs, sound(0.6))
        network: Any = living(opener)
        assert str(place) in Path(f"/proc/{network.pid}/cmdline").read_text()
    off = [np.abs(a.pixels.astype(int) - b.pixels).max() for a, b in zip(here, there, strict=True)]  # type: ignore[union-attr]
    assert max(off) <= 1, off
