"""The real sherpa-onnx on a model that is made here: it hears a low tone as one word, a high one as another."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from kaldi import tone
from zipformer import zipformer

from avatard.api.errors import NotReady, StageFailed
from avatard.api.flow import AudioFrame, Samples
from avatard.api.recognition import ModelRecognizer
from avatard.plugins.sherpa_onnx.engine import SherpaEngine
from avatard.plugins.sherpa_onnx.files import located, parts
from avatard.runtime.config import Configuration
from avatard.runtime.house import open_house
from avatard.runtime.model import Granting
from avatard.runtime.worker import ChildModel

QUIET = np.zeros(4000, np.int16)
LOW, HIGH = tone(300), tone(6000)
USUAL = {"threads": 1, "int8": True, "rejection": 0.3}


def ask(one: SherpaEngine, *sounds: Samples) -> tuple[list[str], str]:
    """The partials, and what was heard."""
    one.begin()
    sound = np.concatenate(sounds)
    pieces = [one.feed(sound[at : at + 512].tobytes()) for at in range(0, len(sound), 512)]
    return [piece for piece in pieces if piece], one.finish()[0]


def test_the_real_library_hears_tones(tmp_path: Path) -> None:
    one = SherpaEngine(str(zipformer(tmp_path / "tones")), 1, True, 0.3)
    assert ask(one, QUIET, LOW, QUIET, HIGH, QUIET, LOW, QUIET) == (
        ["low", "low high", "low high low"], "low high low")  # fmt: skip
    assert ask(one, QUIET, HIGH, QUIET) == (["high"], "high"), "the request before is not forgotten"
    assert ask(one, QUIET, QUIET) == ([], "") and ask(one, QUIET[:10]) == ([], "")
    noise = np.random.default_rng(1).normal(0, 2000, 32_000).astype(np.int16)
    assert ask(one, noise) == ([], "")
    assert ask(SherpaEngine(str(tmp_path / "tones"), 1, True, 1.0), LOW, QUIET)[1] == ""


@asynccontextmanager
async def recognizer(folder: Path) -> AsyncIterator[tuple[ModelRecognizer, ChildModel]]:
    how: dict[str, Any] = {"model": str(folder)} | USUAL
    model = ChildModel(SherpaEngine, how, 60, "stt", "sherpa_onnx", Granting())
    try:
        yield ModelRecognizer(model), model
    finally:
        await model.unload()


async def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    async with recognizer(zipformer(tmp_path / "tones")) as (stage, model):
        with pytest.raises(StageFailed, match="its process ended"):
            async with stage.open("en") as stream:
                await stream.feed(AudioFrame(LOW, 16_000, 0.0, 0.0))
                assert model.pid is not None
                psutil.Process(model.pid).kill()
                await stream.feed(AudioFrame(LOW, 16_000, 0.0, 0.0))
        async with stage.open("en") as stream:
            for sound in (QUIET, HIGH, QUIET):
                await stream.feed(AudioFrame(sound, 16_000, 0.0, 0.0))
            transcript = await stream.finish()
        assert transcript.text == "high" and transcript.confidence > 0.5


def damage(how: str, folder: Path) -> None:
    encoder = folder / "encoder.onnx"
    if how == "archive":
        shutil.rmtree(folder)
        folder.write_bytes(b"PK\3\4")
    elif how == "no tokens":
        (folder / "tokens.txt").unlink()
    elif how == "few tokens":
        (folder / "tokens.txt").write_text("garbage")
    elif how == "no joiner":
        (folder / "joiner.onnx").unlink()
    elif how == "encoder cut":
        encoder.write_bytes(encoder.read_bytes()[:300])
    elif how == "decoder cut":
        (folder / "decoder.onnx").write_bytes((folder / "decoder.onnx").read_bytes()[:60])
    elif how == "not itself":
        shutil.copy(encoder, folder / "decoder.onnx")
    elif how == "says nothing of itself":
        shutil.copy(folder / "joiner.onnx", encoder)
    elif how == "another kind":
        encoder.write_bytes(encoder.read_bytes().replace(b"lstm", b"none"))


@pytest.mark.parametrize("how", ["archive", "no tokens", "few tokens", "no joiner", "encoder cut", "decoder cut",
                                 "not itself", "says nothing of itself", "another kind"])  # fmt: skip
async def test_what_is_no_model_is_named_and_the_next_engine_hears(
    tmp_path: Path, scripted: Callable[..., Configuration], how: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = zipformer(tmp_path / "tones")
    damage(how, folder)
    stt = [{"platform": "sherpa_onnx", "model": str(folder)}, {"platform": "scripted"}]
    async with open_house(scripted(stt=stt)) as house:
        assert house.engines()["stt"] == "scripted"
    told = [record.getMessage() for record in caplog.records if "sherpa_onnx does not serve" in record.getMessage()]
    assert len(told) == 1 and "tones" in told[0], told
    assert any(fix in told[0] for fix in ("get the model again", "unpack it")), told


def test_files(tmp_path: Path) -> None:
    folder = zipformer(tmp_path / "tones")
    assert located("tones", tmp_path) == located(str(folder), tmp_path) == folder
    with pytest.raises(NotReady, match=r"no model 'small'; models in .*: tones"):
        located("small", tmp_path)
    shutil.copy(folder / "encoder.onnx", folder / "encoder-epoch-99.int8.onnx")
    assert Path(parts(folder, True)["encoder"]).name == "encoder-epoch-99.int8.onnx"
    assert Path(parts(folder, False)["encoder"]).name == "encoder.onnx"
    assert Path(parts(folder, True)["joiner"]).name == "joiner.onnx"
