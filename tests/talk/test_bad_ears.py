"""A recogniser that is spoilt while the daemon runs: the next one hears the same request, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from ggml import whisper
from kaldi import kaldi
from zipformer import zipformer

from avatard.api.news import EngineChanged, TurnFinished, TurnReport
from avatard.runtime.config import Configuration
from avatard.runtime.foundation import open_foundation
from avatard.runtime.house import furnished

Scripted = Callable[..., Configuration]
MODELS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "whisper": (whisper, "."), "vosk": (kaldi, "am/final.mdl"), "sherpa_onnx": (zipformer, "encoder.onnx"),
}  # fmt: skip


def settings(scripted: Scripted, platform: str, path: Path, requests: int) -> Configuration:
    """The recogniser with a scripted one behind it, and so many spoken requests, some seconds apart."""
    stt = [{"platform": platform, "model": str(path)}, {"platform": "scripted"}]
    request = [{"wake": "x"}, {"silence": 0.3}, {"say": "what was said"}, {"silence": 4.0}]
    microphone = {"platform": "scripted", "script": [{"silence": 0.5}, *request * requests]}
    return scripted(stt=stt, microphone=microphone)


async def next_turn(news: Any) -> TurnReport:
    async with asyncio.timeout(30):
        return await anext(event.report async for event in news if isinstance(event, TurnFinished))


def child() -> psutil.Process:
    (process,) = (p for p in psutil.Process().children() if "avatard.runtime.child" in p.cmdline())
    return process


@pytest.mark.parametrize("platform", ["vosk", "sherpa_onnx", pytest.param("whisper", marks=pytest.mark.long)])
async def test_a_file_that_is_spoilt_after_it_was_unloaded(scripted: Scripted, tmp_path: Path, platform: str) -> None:
    make, part = MODELS[platform]
    path = make(tmp_path / "model.bin")
    configuration = settings(scripted, platform, path, 1)
    async with open_foundation(configuration) as ground, furnished(configuration, ground) as house:
        (model,) = (m for m in ground.governor.belongings.models if m.name == f"stt.{platform}")
        assert house.engines()["stt"] == platform
        await model.unload()
        spoilt = path / part if path.is_dir() else path
        spoilt.write_bytes(spoilt.read_bytes()[:200])
        with house.feed.subscribe(256) as news:
            report = await next_turn(news)
        assert (report.heard, report.error) == ("what was said", ""), report
        assert report.reply == "You said: what was said." and house.engines()["stt"] == "scripted"


@pytest.mark.long
async def test_a_child_that_dies_in_the_midst_of_a_request(scripted: Scripted, tmp_path: Path) -> None:
    """That request is lost and said to be; what was waiting is said, and the next request is heard."""
    configuration = settings(scripted, "whisper", whisper(tmp_path / "model.bin", "is the window open"), 2)
    async with open_foundation(configuration) as ground, furnished(configuration, ground) as house:
        with house.feed.subscribe(512) as news:
            while house.door.status().state != "listening":
                await asyncio.sleep(0.005)
            waiting = await house.door.say("Dinner is ready.")
            child().kill()
            reports = [await next_turn(news) for _ in range(3)]
            changed = [e for e in news.waiting() if isinstance(e, EngineChanged)]
        said = (await waiting.finished).reply
    assert said == "Dinner is ready." and not changed
    lost = [r for r in reports if "its process ended" in r.error]
    heard = [r for r in reports if r.heard]
    assert len(lost) == 1 and [r.heard for r in heard] == ["is the window open"], reports
