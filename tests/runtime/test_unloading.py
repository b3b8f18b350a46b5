"""Real engines are put down while they are idle and come back at their next call."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from avatard.api.errors import ConfigError
from avatard.api.flow import AudioFrame, Samples, Sentence
from avatard.plugins.file.wav import read_wav
from avatard.runtime.config import built_in, from_mapping
from avatard.runtime.foundation import Foundation, open_foundation
from avatard.runtime.house import open_house
from avatard.runtime.plugin import Opener

QUIET = np.zeros(8000, np.int16)


@pytest.fixture
async def opener() -> AsyncIterator[Opener]:
    configuration = from_mapping({"rooms": ["kitchen", "office"]})
    async with open_foundation(configuration) as foundation, asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        yield Opener(stack, tasks, foundation, configuration)


def models(foundation: Foundation) -> dict[str, Any]:
    return {model.name: model for model in foundation.governor.belongings.models}


async def put_down(foundation: Foundation) -> list[str]:
    """Do what tier shed does; say which models went."""
    steps = foundation.governor.belongings.do("unload_models", 0)
    return [what.removeprefix("unload_models: ") async for what in steps]


def frames(sound: Samples) -> list[AudioFrame]:
    return [AudioFrame(sound[at : at + 512], 16_000, at / 16_000, 0.0) for at in range(0, len(sound) - 511, 512)]


async def spoken(stage: Any, text: str) -> Samples:
    import soxr

    pieces = [piece async for piece in stage.speak(Sentence(text, 0))]
    whole = np.concatenate([p.audio for p in pieces])
    sound: Samples = soxr.resample(whole, pieces[0].rate, 16_000).astype(np.int16)
    return np.concatenate([QUIET, sound, QUIET])


async def test_espeak(opener: Opener) -> None:
    stage = await opener.open(built_in("espeak", "tts"))
    first = await spoken(stage, "What time is it?")
    assert len(psutil.Process().children()) == 1
    assert await put_down(opener.foundation) == ["tts.espeak"]
    assert psutil.Process().children() == []
    again = await spoken(stage, "What time is it?")
    assert np.abs(again).max() > 5000 and abs(len(again) - len(first)) < 2000
    sentence = stage.speak(Sentence("One two three four five six seven.", 0))
    pieces = [await anext(sentence)]
    assert await put_down(opener.foundation) == ["tts.espeak"], "all of the sound is here already"
    pieces += [piece async for piece in sentence]
    assert pieces[-1].last and sum(len(p.audio) for p in pieces) > pieces[0].rate


async def test_pocketsphinx_understands_after_it_was_put_down(opener: Opener) -> None:
    opener.grammars.append((await opener.open(built_in("intents", "conversation"))).grammar("en"))
    stage, voice = await opener.open(built_in("pocketsphinx", "stt")), await opener.open(built_in("espeak", "tts"))
    question = frames(await spoken(voice, "what time is it"))
    for _ in range(3):
        async with stage.open("en") as stream:
            for frame in question:
                await stream.feed(frame)
            assert "stt.pocketsphinx" not in await put_down(opener.foundation), "a request is open"
            assert (await stream.finish()).text == "what time is it"
        assert "stt.pocketsphinx" in await put_down(opener.foundation)


@pytest.mark.parametrize("platform", ["microwakeword", "openwakeword"])
async def test_wake_words_keep_what_they_have_heard(opener: Opener, platform: str) -> None:
    stage, voice = await opener.open(built_in(platform, "wake_word")), await opener.open(built_in("espeak", "tts"))
    sound = frames(np.concatenate([QUIET, QUIET, await spoken(voice, "okay nabu"), QUIET]))
    for _ in range(2):
        found = []
        async with stage.open() as stream:
            for frame in sound:
                found.append(await stream.feed(frame))
                if len(found) == len(sound) // 2:
                    assert f"wake_word.{platform}" not in await put_down(opener.foundation)
        assert [f.phrase for f in found if f] == ["okay_nabu"]
        assert f"wake_word.{platform}" in await put_down(opener.foundation)


async def test_silero(opener: Opener) -> None:
    stage, voice = await opener.open(built_in("silero", "vad")), await opener.open(built_in("espeak", "tts"))
    sound = frames(await spoken(voice, "what time is it"))
    for _ in range(2):
        async with stage.open() as stream:
            assert max([await stream.feed(frame) for frame in sound]) > 0.5
            assert "vad.silero" not in await put_down(opener.foundation)
        assert "vad.silero" in await put_down(opener.foundation)


async def test_a_recorded_command_wakes_the_recogniser_again(opener: Opener, recordings: Path) -> None:
    opener.grammars.append((await opener.open(built_in("intents", "conversation"))).grammar("en"))
    stage = await opener.open(built_in("pocketsphinx", "stt"))
    await put_down(opener.foundation)
    sound = read_wav(sorted(recordings.glob("turn_on_the_office_lights_*.wav"))[0])
    async with stage.open("en") as stream:
        for frame in frames(np.concatenate([QUIET[:4000], sound, QUIET])):
            await stream.feed(frame)
        assert (await stream.finish()).text == "turn on the office lights"


HOARD = """
import asyncio, json, psutil
from avatard.runtime.model import Granting, ThreadModel, one_arena

class Hoard:
    # Many small pieces, as engines keep them: the allocator does not give such back by itself.
    def __init__(self):
        self.pieces = [bytearray(b"x" * 20_000) for _ in range(6000)]

    def size(self):
        return sum(map(len, self.pieces))

def own_mb():
    return psutil.Process().memory_full_info().uss / 1e6

async def main():
    model = ThreadModel(Hoard, {}, 120, "stt", "hoard", Granting())
    await model.load()
    await model.unload()
    before, seen = own_mb(), []
    for _ in range(3):
        assert await model.call("size") == 120_000_000
        seen.append(round(own_mb() - before))
        await model.unload()
        seen.append(round(own_mb() - before))
    print(json.dumps(seen))

one_arena()
asyncio.run(main())
"""


def test_unloading_gives_the_memory_back() -> None:
    # In a process of its own: one heap for all threads is chosen at the start, before other libraries make theirs.
    done = subprocess.run([sys.executable, "-c", HOARD], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert min(seen[::2]) > 100 and max(seen[1::2]) < 10, f"megabytes loaded and unloaded in turn: {seen}"


async def test_what_real_engines_take_is_measured_and_remembered(opener: Opener) -> None:
    await opener.open(built_in("espeak", "tts"))
    await opener.open(built_in("scripted", "stt"))
    known = models(opener.foundation)
    assert set(known) == {"tts.espeak"}
    ledger = opener.foundation.governor.belongings.megabytes(known["tts.espeak"])
    path = opener.foundation.paths.state / "models.json"
    assert json.loads(path.read_text()) == {"tts.espeak": ledger, "tts.espeak expected": 18} and 3 < ledger < 60


async def test_a_house_that_cannot_fit_says_what_it_needs() -> None:
    configuration = from_mapping({"memory": {"budget_mb": 20}, "microphone": "scripted", "display": "none"}, "box.yaml")
    with pytest.raises(ConfigError, match=r"^box.yaml:1: memory.budget_mb: 20 is too little: .* take \d+ MB"):
        async with open_house(configuration):
            pass
    assert psutil.Process().children() == []


async def test_a_closed_plugin_is_forgotten() -> None:
    configuration = from_mapping({"microphone": "scripted", "display": "none"})
    async with open_foundation(configuration) as foundation:
        async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
            await Opener(stack, tasks, foundation, configuration).open(built_in("espeak", "tts"))
            assert models(foundation)
        assert not models(foundation)
