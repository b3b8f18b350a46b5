"""The real Vosk on a model that is made here: it hears a low tone as one word, a high one as another."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from kaldi import kaldi, tone

from avatard.api.errors import NotReady, StageFailed
from avatard.api.flow import AudioFrame, Samples, SpokenGrammar
from avatard.api.recognition import ModelRecognizer
from avatard.plugins.intents.engine import grammar
from avatard.plugins.vosk.engine import VoskEngine
from avatard.plugins.vosk.phrases import phrases
from avatard.plugins.vosk.stt import located
from avatard.runtime.config import Configuration
from avatard.runtime.config.core import ROOMS
from avatard.runtime.house import open_house
from avatard.runtime.model import Granting
from avatard.runtime.worker import ChildModel

QUIET = np.zeros(4000, np.int16)
LOW, HIGH = tone(300), tone(6000)


def engine(folder: Path, *sentences: str, wake: tuple[str, ...] = (), rejection: float = 0.5) -> VoskEngine:
    return VoskEngine(str(folder), list(sentences), list(wake), rejection)


def ask(one: VoskEngine, *sounds: Samples) -> tuple[list[str], str]:
    """The partials, and what was heard."""
    one.begin()
    sound = np.concatenate(sounds)
    pieces = [one.feed(sound[at : at + 512].tobytes()) for at in range(0, len(sound), 512)]
    return [piece for piece in pieces if piece], one.finish()[0]


@pytest.mark.parametrize("loose", [False, True])
def test_the_real_library_hears_tones(tmp_path: Path, loose: bool) -> None:
    one = engine(kaldi(tmp_path / "tones", loose))
    assert ask(one, QUIET, LOW, QUIET, HIGH, QUIET) == (["low", "low high"], "low high")
    assert ask(one, QUIET, HIGH, QUIET) == (["high"], "high"), "the request before is not forgotten"
    assert ask(one, QUIET, QUIET) == ([], "")
    noise = np.random.default_rng(1).normal(0, 2000, 32_000).astype(np.int16)
    assert ask(one, noise) == ([], "")


def test_a_pause_in_the_request_loses_nothing(tmp_path: Path) -> None:
    """Vosk ends its utterance at a pause; the request goes on."""
    partials, text = ask(engine(kaldi(tmp_path / "tones")), LOW, *[QUIET] * 12, HIGH, *[QUIET] * 12, LOW)
    assert (partials, text) == (["low", "low high", "low high low"], "low high low")


def test_a_grammar_hears_nothing_else(tmp_path: Path) -> None:
    folder = kaldi(tmp_path / "tones")
    assert ask(engine(folder, "low low"), QUIET, HIGH, QUIET)[1] in ("", "low")
    assert ask(engine(folder, "low high"), QUIET, LOW, QUIET, HIGH, QUIET)[1] == "low high"
    one = engine(folder, "low high", "turn the radio low", wake=("low", "hey jarvis"))
    assert one.missing() == ["hey", "jarvis", "radio", "the", "turn"]
    assert ask(one, QUIET, LOW, QUIET, HIGH, QUIET) == (["high"], "high"), "the wake phrase is no part of it"
    with pytest.raises(NotReady, match="this model takes no grammar; take a small one, or write 'mode: free'"):
        engine(kaldi(tmp_path / "whole", loose=False), "low high")


def test_what_is_unsure_is_rejected(tmp_path: Path) -> None:
    one = engine(kaldi(tmp_path / "tones"), rejection=1.0)
    one._recognizer = Unsure()
    assert ask(one, QUIET)[1] == ""
    one._rejection = 0.5
    assert ask(one, QUIET)[1] == "turn on the lights"
    one._recognizer.unknown = 5
    assert ask(one, QUIET)[1] == ""


class Unsure:
    """Answers as Vosk does where it is not sure: the made model always is."""

    unknown = 1

    def Reset(self) -> None: ...

    def AcceptWaveform(self, sound: bytes) -> int:
        return 0

    def PartialResult(self) -> str:
        return '{"partial": "turn"}'

    def FinalResult(self) -> str:
        words = ["turn", "on", "the", "lights"]
        result = ", ".join(f'{{"conf": 0.7, "end": 1, "start": 0, "word": "{word}"}}' for word in words)
        return f'{{"result": [{result}], "text": "{"[unk] " * self.unknown}{" ".join(words)}"}}'


@asynccontextmanager
async def recognizer(folder: Path) -> AsyncIterator[tuple[ModelRecognizer, ChildModel]]:
    how: dict[str, Any] = {"model": str(folder), "phrases": [], "wake": [], "rejection": 0.5}
    model = ChildModel(VoskEngine, how, 60, "stt", "vosk", Granting())
    try:
        yield ModelRecognizer(model), model
    finally:
        await model.unload()


async def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    async with recognizer(kaldi(tmp_path / "tones")) as (stage, model):
        with pytest.raises(StageFailed, match="its process ended"):
            async with stage.open("en") as stream:
                await stream.feed(AudioFrame(LOW, 16_000, 0.0, 0.0))
                assert model.pid is not None
                psutil.Process(model.pid).kill()
                await stream.feed(AudioFrame(LOW, 16_000, 0.0, 0.0))
        async with stage.open("de") as stream:
            for sound in (QUIET, LOW, QUIET):
                await stream.feed(AudioFrame(sound, 16_000, 0.0, 0.0))
            transcript = await stream.finish()
        assert (transcript.text, transcript.language, transcript.confidence) == ("low", "de", 1.0)


def damage(how: str, folder: Path) -> None:
    network, graph = folder / "am" / "final.mdl", folder / "graph" / "HCLr.fst"
    if how == "empty folder":
        shutil.rmtree(folder)
        folder.mkdir()
    elif how == "archive":
        shutil.rmtree(folder)
        folder.write_bytes(b"PK\3\4")
    elif how == "network cut":
        network.write_bytes(network.read_bytes()[:500])
    elif how == "another network":
        network.write_bytes(b"GGUF" + bytes(1000))
    elif how == "graph cut":
        graph.write_bytes(graph.read_bytes()[:60])
    elif how == "no graph":
        graph.unlink()
    elif how == "no words":
        (folder / "graph" / "words.txt").unlink()
    elif how == "options":
        (folder / "conf" / "model.conf").write_text("--beam=wide\n")
    elif how.startswith("rate "):
        options = folder / "conf" / "mfcc.conf"
        options.write_text(options.read_text().replace("16000", how.removeprefix("rate ")))


@pytest.mark.parametrize("how", ["empty folder", "archive", "network cut", "another network", "graph cut", "no graph",
                                 "no words", "options", "rate 0", "rate 44100",
                                 pytest.param("rate 1000000000", marks=pytest.mark.long)])  # fmt: skip
async def test_what_is_no_model_is_named_and_the_next_engine_hears(
    tmp_path: Path, scripted: Callable[..., Configuration], how: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = kaldi(tmp_path / "tones")
    damage(how, folder)
    stt = [{"platform": "vosk", "model": str(folder)}, {"platform": "scripted"}]
    async with open_house(scripted(stt=stt)) as house:
        assert house.engines()["stt"] == "scripted"
    told = [record.getMessage() for record in caplog.records if "vosk does not serve" in record.getMessage()]
    assert len(told) == 1 and "tones" in told[0], told
    assert any(fix in told[0] for fix in ("get the model again", "unpack it")), told


def test_models_by_name(tmp_path: Path) -> None:
    folder = kaldi(tmp_path / "vosk-model-tones")
    assert located("vosk-model-tones", tmp_path) == located(str(folder), tmp_path) == folder
    with pytest.raises(NotReady, match=r"no model 'small'; models in .*: vosk-model-tones"):
        located("small", tmp_path)


def test_phrases() -> None:
    def of(*sentences: str, **rules: str) -> list[str]:
        return phrases([SpokenGrammar(rules, sentences)])

    assert of("turn (on | off) [the] <room> lights", room="kitchen | office") == [
        f"turn {state}{the} {room} lights"
        for state in ("on", "off") for the in (" the", "") for room in ("kitchen", "office")
    ]  # fmt: skip
    assert of("a [b (c | d)]", "", "e") == ["a b c", "a b d", "a", "e"]
    assert of("very <loop>", loop="much <loop> | <nothing>") == ["very much", "very"]
    many = of("set <n> <n>", n=" | ".join(f"w{n}" for n in range(50)))
    assert pairs(many) == {("set", f"w{a}") for a in range(50)} | {
        (f"w{a}", f"w{b}") for a in range(50) for b in range(50)
    } and len(many) < 3000  # fmt: skip
    house = grammar("en", ROOMS)
    assert house is not None
    written = phrases([house])
    assert len(written) < 10_000 and "what time is it" in written, len(written)
    for said in ("turn on the kitchen lights", "switch off the living room lights", "set a timer for twenty minutes"):
        assert pairs([said]) <= pairs(written), (said, pairs([said]) - pairs(written))


def pairs(texts: list[str]) -> set[tuple[str, str]]:
    return {pair for text in texts for pair in zip(text.split(), text.split()[1:], strict=False)}
