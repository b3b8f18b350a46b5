"""One contract for each stage, held by every platform that can be opened without a device."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detectors import silero
from ggml import whisper
from kaldi import kaldi
from pipervoice import voice
from portraits import face
from wav2lip import bundle, tiny
from zipformer import zipformer

from avatard.api.flow import AudioFrame, Sentence, SessionView, SpeechAudio, Transcript, VideoFrame
from avatard.face.bundle import folders
from avatard.runtime.config import PlatformEntry, built_in, from_mapping
from avatard.runtime.foundation import open_foundation
from avatard.runtime.plugin import Opener


@pytest.fixture
async def opener() -> AsyncIterator[Opener]:
    configuration = from_mapping({"rooms": ["kitchen"]})
    async with open_foundation(configuration) as foundation, asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        yield Opener(stack, tasks, foundation, configuration)


async def opened(opener: Opener, platform: str, domain: str) -> Any:
    if domain == "stt" and platform == "pocketsphinx":
        responder = await opener.open(built_in("intents", "conversation"))
        opener.grammars.append(responder.grammar("en"))
    if platform == "warp":
        face(folders()[0], "default")
    if platform == "wav2lip":
        return await opener.open(wav2lip(opener))
    if platform in MADE:
        return await opener.open(MADE[platform](opener.foundation.paths.cache))
    return await opener.open(built_in(platform, domain))


def one(domain: str, **options: Any) -> PlatformEntry:
    """A platform with options."""
    return from_mapping({domain: options}).stages[domain][0]


MADE: dict[str, Callable[[Path], PlatformEntry]] = {
    "piper": lambda folder: one("tts", platform="piper", voice=str(voice(folder))),
    "whisper": lambda folder: one("stt", platform="whisper", model=str(whisper(folder / "ggml-mute.bin", "(noise)"))),
    "sherpa_onnx": lambda folder: one("stt", platform="sherpa_onnx", model=str(zipformer(folder / "transducer"))),
    "silero_onnx": lambda folder: one("vad", platform="silero_onnx", model=str(silero(folder / "vad.onnx"))),
    "vosk": lambda folder: one("stt", platform="vosk", model=str(kaldi(folder / "tones"))),
}
"""Platforms that need a model: it is made in the folder."""


def wav2lip(opener: Opener) -> PlatformEntry:
    """A small network and a picture: it has no face and no network by default."""
    folder = opener.foundation.paths.cache
    folder.mkdir(parents=True, exist_ok=True)
    options = {"platform": "wav2lip", "model": str(tiny(folder)), "face": str(bundle(folder)), "size": 128}
    return from_mapping({"avatar": {"render": [options]}}).stages["render"][0]


def noise(count: int) -> list[AudioFrame]:
    rng = np.random.default_rng(4)
    return [AudioFrame(rng.normal(0, 300, 512).astype(np.int16), 16_000, i * 0.032, 0.0) for i in range(count)]


async def speech() -> AsyncIterator[SpeechAudio]:
    tone = (np.sin(np.arange(30_000) * 0.05) * 9000).astype(np.int16)
    for index in range(2):
        yield SpeechAudio(Sentence(f"Sentence {index}.", index), tone, 48_000, True)


@pytest.mark.parametrize("platform", ["espeak", "piper", "scripted"])
async def test_tts(opener: Opener, platform: str) -> None:
    stage = await opened(opener, platform, "tts")
    for text in ("Hello there, how are you?", "好", "é 1 & <b>", "."):
        pieces = [piece async for piece in stage.speak(Sentence(text, 3))]
        assert [p.last for p in pieces] == [False] * (len(pieces) - 1) + [True]
        assert {p.audio.dtype for p in pieces} == {np.dtype(np.int16)} and {p.sentence.index for p in pieces} == {3}
        assert len({p.rate for p in pieces}) == 1


@pytest.mark.parametrize("platform", ["microwakeword", "openwakeword", "scripted"])
async def test_wake_word(opener: Opener, platform: str) -> None:
    stage = await opened(opener, platform, "wake_word")
    async with stage.open() as first, stage.open() as second:
        for frame in noise(60):
            assert await first.feed(frame) is None and await second.feed(frame) is None


@pytest.mark.parametrize("platform", ["silero", "silero_onnx", "scripted"])
async def test_vad(opener: Opener, platform: str) -> None:
    stage = await opened(opener, platform, "vad")
    for _ in range(2):
        async with stage.open() as stream:
            values = [await stream.feed(frame) for frame in noise(40)]
        assert all(0 <= value <= 1 for value in values) and max(values) < 0.5


@pytest.mark.parametrize("platform", ["pocketsphinx", "scripted", "sherpa_onnx", "vosk", "whisper"])
async def test_stt(opener: Opener, platform: str) -> None:
    stage = await opened(opener, platform, "stt")
    async with stage.open("en") as abandoned:
        await abandoned.feed(noise(1)[0])
    async with stage.open("en") as stream:
        for frame in noise(40):
            await stream.feed(frame)
        transcript = await stream.finish()
    assert (transcript.text, transcript.language) == ("", "en")


@pytest.mark.parametrize("platform", ["intents", "scripted"])
async def test_conversation(opener: Opener, platform: str) -> None:
    stage = await opened(opener, platform, "conversation")
    tokens = await stage.reply(Transcript("what time is it"), SessionView("room"))
    assert "".join([token.text async for token in tokens]).strip().endswith(".")
    grammar = stage.grammar("en")
    assert grammar is None or "what time is it" in grammar.sentences


@pytest.mark.parametrize("platform", ["drawn", "none", "scripted", "warp", "wav2lip"])
async def test_render(opener: Opener, platform: str) -> None:
    stage = await opened(opener, platform, "render")
    frames = [frame async for frame in stage.render(speech())]
    assert {len(f.audio) for f in frames} == {1920} and len(frames) >= 60_000 / 1920
    assert np.allclose([f.pts for f in frames], np.arange(len(frames)) / 25)
    whole = np.concatenate([f.audio for f in frames])
    assert np.array_equal(whole[:60_000], np.concatenate([p.audio async for p in speech()]))
    shapes = {None if f.pixels is None else f.pixels.shape for f in frames}
    assert len(shapes) == 1
    assert len([f async for f in stage.idle(0.4)]) == 10


@pytest.mark.parametrize("platform", ["ffmpeg", "scripted"])
async def test_encoder(opener: Opener, platform: str) -> None:
    stage = await opened(opener, platform, "encoder")

    async def frames() -> AsyncIterator[VideoFrame]:
        for index in range(30):
            yield VideoFrame(np.zeros((64, 64, 3), np.uint8), np.zeros(1920, np.int16), index / 25)

    for container in ("fmp4", "mpegts"):
        chunks = [chunk async for chunk in stage.encode(frames(), container)]
        assert chunks[0].keyframe and all(chunk.data for chunk in chunks)
        assert [c.pts for c in chunks] == sorted(c.pts for c in chunks)


@pytest.mark.parametrize("platform", ["none", "scripted"])
async def test_display(opener: Opener, platform: str) -> None:
    stage = await opened(opener, platform, "display")
    assert stage.accepts in ("frames", "fmp4", "mpegts")

    async def frames() -> AsyncIterator[VideoFrame]:
        for index in range(5):
            yield VideoFrame(None, np.zeros(1920, np.int16), index / 25)

    stage.set_volume(50)
    await stage.chime(np.zeros(100, np.int16))
    await stage.play(frames())
    assert stage.shown == pytest.approx(0.2)
