"""The real whisper.cpp on models that are made here: they say what they were made to say, whatever they hear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from ggml import whisper

from avatard.api.errors import NotReady
from avatard.api.flow import AudioFrame, Partial
from avatard.api.news import TurnFinished
from avatard.api.recognition import ModelRecognizer
from avatard.plugins.whisper import files
from avatard.plugins.whisper.engine import LONGEST, WhisperEngine
from avatard.plugins.whisper.guards import heard
from avatard.runtime.config import Configuration
from avatard.runtime.house import open_house
from avatard.runtime.model import Granting
from avatard.runtime.worker import ChildModel

USUAL = {"language": "", "partials": 0, "threads": 1, "short_context": False, "rejection": 0.3}
NOISE = np.random.default_rng(3).normal(0, 3000, 16_000 * 3).astype(np.int16)


def engine(path: Path, **options: Any) -> WhisperEngine:
    return WhisperEngine(str(path), **(USUAL | options))


def ask(one: WhisperEngine, language: str = "en", sound: np.ndarray = NOISE) -> tuple[str, str]:
    one.begin(language)
    for at in range(0, len(sound), 512):
        one.feed(sound[at : at + 512].tobytes())
    return one.finish()[:2]


def frames(seconds: float) -> list[AudioFrame]:
    return [AudioFrame(NOISE[:512], 16_000, i * 0.032, 0.0) for i in range(int(seconds / 0.032))]


@asynccontextmanager
async def recognizer(path: Path, **options: Any) -> AsyncIterator[tuple[ModelRecognizer, ChildModel]]:
    model = ChildModel(WhisperEngine, {"model": str(path)} | USUAL | options, 60, "stt", "whisper", Granting())
    try:
        yield ModelRecognizer(model, multilingual=True), model
    finally:
        await model.unload()


def test_the_real_library_says_what_the_model_says(tmp_path: Path) -> None:
    one = engine(whisper(tmp_path / "ggml-en.bin", "turn on the lights"))
    assert ask(one) == ("turn on the lights", "en")
    assert ask(one) == ("turn on the lights", "en"), "the request before is not forgotten"
    assert engine(tmp_path / "ggml-en.bin", short_context=True).finish()[0] == ""
    assert ask(engine(tmp_path / "ggml-en.bin", short_context=True)) == ("turn on the lights", "en")


def test_languages(tmp_path: Path) -> None:
    path = whisper(tmp_path / "ggml-many.bin", "mach das licht an", language="de")
    assert ask(engine(path), "de") == ("mach das licht an", "de")
    assert ask(engine(path), "zh-Hant")[1] == "zh"
    assert ask(engine(path, language="auto"), "en") == ("mach das licht an", "de")
    assert ask(engine(path, language="fr"), "en")[1] == "fr"
    with pytest.raises(NotReady, match="no language 'xx'; give a code such as de, or auto"):
        engine(path, language="xx")
    with pytest.raises(NotReady, match="knows English alone, not 'de'"):
        ask(engine(whisper(tmp_path / "ggml-en.bin")), "de")


def test_what_is_no_speech_is_not_heard(tmp_path: Path) -> None:
    one = engine(whisper(tmp_path / "ggml-en.bin"))
    for sound in (np.zeros(0, np.int16), NOISE[:2000], np.zeros(48_000, np.int16), np.full(48_000, 20, np.int16)):
        assert ask(one, sound=sound) == ("", "en")
    for says in ("thanks for watching", "[BLANK_AUDIO]", "(music)", "♪ la la ♪", " ".join(["never"] * 20)):
        path = whisper(tmp_path / "ggml-credits.bin", says)
        assert ask(engine(path)) == ("", "en"), says
    assert ask(engine(tmp_path / "ggml-en.bin", rejection=1.0)) == ("", "en")


def test_guards() -> None:
    for text in ("Thank you.", "Turn on the lights.", "no no no", "播放音乐。", "Thank you for watching the dog."):
        assert heard(text, 0.9, 0.3) == text
    assert heard("(sighs) What time is it?", 0.9, 0.3) == "What time is it?"
    for text in ("", " . ", "Thanks for watching!", "Untertitel im Auftrag des ZDF für funk, 2017", "[Music] *coughs*",
                 "Subtitles by the Amara.org community", "字幕由某某提供", "so " * 40):  # fmt: skip
        assert heard(text, 0.9, 0.3) == "", text
    assert heard("turn on the lights", 0.2, 0.3) == ""


def test_endless_sound_is_bounded(tmp_path: Path) -> None:
    one = engine(whisper(tmp_path / "ggml-en.bin"))
    one.begin("en")
    for _ in range(70):
        one.feed(NOISE[:16_000].tobytes())
    assert one._count == LONGEST
    assert one.finish()[0].startswith("turn on the lights")


async def test_partials_come_while_it_is_fed(tmp_path: Path) -> None:
    async with recognizer(whisper(tmp_path / "ggml-en.bin"), partials=0.5) as (stage, _):
        async with stage.open("en") as stream:
            found: list[Partial] = []
            async with asyncio.timeout(20):
                while not found:
                    for frame in frames(0.6):
                        found += [p] if (p := await stream.feed(frame)) else []
                    await asyncio.sleep(0.05)
            assert found == [Partial("turn on the lights")]
            result = await stream.finish()
    assert (result.text, result.language) == ("turn on the lights", "en") and result.confidence > 0.9


class Looked(WhisperEngine):
    """Counts how often the library asks whether to go on, and is cancelled when it asks for the ``stop``th time."""

    looks, stop = 0, 0

    @property
    def _stopped(self) -> bool:
        self.looks += 1
        if self.looks == self.stop:
            self.cancel()
        return self._told

    @_stopped.setter
    def _stopped(self, told: bool) -> None:
        self._told = told


def test_a_cancel_ends_the_decoding(tmp_path: Path) -> None:
    """Between two words; what has begun to encode, whisper.cpp encodes to its end."""
    text = "turn on the lights " * 4 + "now"
    one = Looked(str(whisper(tmp_path / "ggml-long.bin", text)), **USUAL)
    assert ask(one) == (text, "en")
    assert (whole := one.looks) > 17
    one.looks, one.stop = 0, 5
    assert ask(one) == ("", "en")
    assert one.looks < 10 < whole
    one.stop = 0
    assert ask(one) == (text, "en")


async def test_a_cancelled_request_leaves_the_child_in_step(tmp_path: Path) -> None:
    async with recognizer(whisper(tmp_path / "ggml-slow.bin", layers=12)) as (stage, model):
        for _ in range(3):
            async with stage.open("en") as stream:
                await stream.feed(AudioFrame(NOISE, 16_000, 0.0, 0.0))
                finishing = asyncio.ensure_future(stream.finish())
                await asyncio.sleep(0.05)
                finishing.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await finishing
        async with stage.open("en") as stream:
            for frame in frames(1.0):
                await stream.feed(frame)
            assert (await stream.finish()).text == "turn on the lights"
        assert model.pid is not None
        pid = model.pid
        await model.unload()
        assert not psutil.pid_exists(pid)


def damaged(how: str, path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes({
        "empty": b"", "page": b"<!DOCTYPE html><title>404</title>", "gguf": b"GGUF" + data[4:], "header": data[:20],
        "vocabulary": data[:200_000], "weights": data[:-1000], "half": data[: len(data) // 2],
        "absurd": data[:4] + b"\xff" * 44 + data[48:], "more": data + bytes(500),
    }[how])  # fmt: skip


@pytest.mark.parametrize("how", ["empty", "page", "gguf", "header", "vocabulary", "weights", "half", "absurd", "more"])
def test_what_is_no_model_is_named(tmp_path: Path, how: str) -> None:
    path = whisper(tmp_path / "ggml-en.bin")
    damaged(how, path)
    with pytest.raises(NotReady, match=r"ggml-en\.bin: no Whisper model of whisper\.cpp, or cut short .*get it again"):
        engine(path)


def test_a_cut_at_any_place_is_found(tmp_path: Path) -> None:
    path = whisper(tmp_path / "ggml-en.bin")
    data = path.read_bytes()
    rng = np.random.default_rng(9)
    for cut in (*rng.integers(0, len(data), 16), *range(len(data) - 8, len(data))):
        path.write_bytes(data[:cut])
        with pytest.raises(NotReady, match="cut short"):
            files.check(path)


async def test_the_next_engine_hears_instead(tmp_path: Path, scripted: Callable[..., Configuration]) -> None:
    path = whisper(tmp_path / "ggml-en.bin")
    damaged("half", path)
    for wrong in (str(path), str(tmp_path / "ggml-none.bin")):
        stt = [{"platform": "whisper", "model": wrong}, {"platform": "scripted"}]
        async with open_house(scripted(stt=stt)) as house:
            assert house.engines()["stt"] == "scripted"


async def test_a_spoken_question_is_answered(tmp_path: Path, scripted: Callable[..., Configuration]) -> None:
    """The whole daemon with the real library in its child: what it heard is what the answer repeats."""
    stt = {"platform": "whisper", "model": str(whisper(tmp_path / "ggml-en.bin", "is the window open"))}
    script = [{"wake": "x"}, {"silence": 0.3}, {"say": "something else"}, {"silence": 1.0}]
    microphone = {"platform": "scripted", "pace": "fast", "script": script}
    async with open_house(scripted(stt=stt, microphone=microphone)) as house:
        with house.feed.subscribe(256) as news:
            async with asyncio.timeout(20):
                report = await anext(e.report async for e in news if isinstance(e, TurnFinished))
        assert house.engines()["stt"] == "whisper"
    assert (report.heard, report.reply) == ("is the window open", "You said: is the window open.")


def test_models_by_name(tmp_path: Path) -> None:
    path = whisper(tmp_path / "ggml-base.en-q5_1.bin")
    assert {files.located(name, tmp_path) for name in ("base.en-q5_1", path.name, str(path))} == {path}
    with pytest.raises(NotReady, match=r"no model .*ggml-tiny\.bin; models in .*: base\.en-q5_1"):
        files.located("tiny", tmp_path)
