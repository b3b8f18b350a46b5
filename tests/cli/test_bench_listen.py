"""``avatard bench listen``: the household is the same for the same seed, and what is counted is what happened."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import wave
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatard.__main__ import main
from avatard.api.flow import WakeDetected
from avatard.api.stages import WakeDetector
from avatard.cli import bench_listen, listen_scenes, listen_tally
from avatard.cli.bench_listen import Listener, listen
from avatard.cli.listen_people import PLACES, SPEAKERS, Attempt, Person, Stage, people
from avatard.cli.listen_scenes import SECONDS, Household, Said, Scene
from avatard.cli.listen_sounds import HERTZ, NOISES, music
from avatard.cli.listen_tally import Tally
from avatard.cli.listen_words import NEAR, NEAR_ABROAD, TALKERS, sentence
from avatard.runtime.config import built_in, from_mapping
from avatard.runtime.foundation import open_foundation
from avatard.runtime.plugin import Opener
from avatard.runtime.voices import Voices, voices

PHRASES = ("okay_nabu", "hey_jarvis", "alexa")
CLEAR = "en-gb-scotland+Diogo"
"""A voice whose "alexa" the detector knows."""


@pytest.fixture
async def speaking() -> AsyncIterator[Voices]:
    async with voices() as those:
        yield those


@pytest.fixture
async def wake() -> AsyncIterator[WakeDetector]:
    configuration = from_mapping({"name": "test"})
    async with open_foundation(configuration) as foundation, asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        opener = Opener(stack, tasks, foundation, configuration)
        yield await opener.open(built_in("microwakeword", "wake_word"))


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> int:
    """Minutes of so many seconds: each begins to sound within two."""
    for module in (listen_scenes, bench_listen, listen_tally):
        monkeypatch.setattr(module, "SECONDS", 15)
    return 15


def asked(**changes: Any) -> argparse.Namespace:
    return argparse.Namespace(**({"hours": SECONDS / 3600, "seed": 1, "voices": 0, "person": []} | changes))


async def test_the_same_seed_gives_the_same_household(speaking: Voices, brief: int) -> None:
    scenes = [await Household(speaking, 3).scene(number) for number in range(2)]
    async with voices() as others:
        again = [await Household(others, 3).scene(number) for number in range(2)]
        other = await Household(others, 4).scene(0)
    assert any(scene.said for scene in scenes)
    for one, two in zip(scenes, again, strict=True):
        assert (one.kind, one.said) == (two.kind, two.said)
        assert np.array_equal(one.sound, two.sound)
    assert not np.array_equal(other.sound, scenes[0].sound)


async def test_every_kind_of_minute_sounds_and_none_is_only_noise_at_full_scale(
    speaking: Voices, monkeypatch: pytest.MonkeyPatch, brief: int
) -> None:
    for kind in listen_scenes.KINDS:
        monkeypatch.setattr(listen_scenes, "KINDS", {kind: 1.0})
        scene = await Household(speaking, 1).scene(0)
        assert scene.kind == kind and scene.sound.dtype == np.int16 and len(scene.sound) == brief * HERTZ
        level = float(np.sqrt(np.mean(scene.sound.astype(float) ** 2)))
        assert 3 < level < 15_000, (kind, level)
        assert np.mean(np.abs(scene.sound.astype(int)) >= 32_767) < 0.05, kind
        assert bool(scene.said) == (kind in ("talk", "television", "crowd")), kind
        for said in scene.said:
            assert 0 <= said.begins < said.ends <= brief, said


def test_what_sounds_is_even() -> None:
    for number, make in enumerate((*NOISES, music)):
        sound = make(np.random.default_rng(number), 4 * HERTZ)
        assert len(sound) == 4 * HERTZ and np.isfinite(sound).all()
        assert abs(float(np.sqrt(np.mean(sound**2))) - 1) < 1e-6, number


def test_nobody_in_the_household_says_a_wake_phrase() -> None:
    dice = np.random.default_rng(2)
    said = [sentence(dice) for _ in range(6_000)]
    assert not [text for text, _ in said if re.search(r"\b(alexa|nabu|jarvis)\b", text, re.IGNORECASE)]
    assert len({text for text, _ in said}) > 4_500
    near = [text for text, _ in said if any(one in text for one in (*NEAR, *NEAR_ABROAD))]
    assert 0.02 < len(near) / len(said) < 0.08, len(near)
    assert len({voice.split("+")[0] for _, voice in said}) > 40


def test_who_says_the_phrases_never_talks_in_the_household() -> None:
    assert not set(SPEAKERS) & set(TALKERS)


async def test_every_voice_speaks(speaking: Voices) -> None:
    """A name that espeak-ng does not know is an error, hours into a bench."""
    dice, seen = np.random.default_rng(7), set()
    for _ in range(600):
        text, voice = sentence(dice)
        if voice.split("+")[0] not in seen:
            seen.add(voice.split("+")[0])
            assert len(await speaking.say(text, voice)) > HERTZ // 4, (text, voice)
    assert len(seen) > 40
    assert all(len(one.sound) > HERTZ // 4 for one in await people(speaking, ("alexa",), len(SPEAKERS), 1))


async def test_a_place_is_so_loud_as_it_says(speaking: Voices) -> None:
    person = Person("alexa", CLEAR, await speaking.say("alexa.", CLEAR))
    stage = Stage(Household(speaking, 1), 1)
    for number, place in enumerate(PLACES):
        attempt = await stage.attempt(person, place, number)
        sound = attempt.sound.astype(float)
        begin, end = int(attempt.begins * HERTZ), int(attempt.ends * HERTZ)
        said, quiet = sound[begin:end], np.concatenate([sound[:begin], sound[end:]])
        above = 10 * np.log10(np.mean(said**2) / np.mean(quiet**2))
        assert place.below - 8 < above < place.below + 6, (place.name, above)


async def test_a_phrase_that_is_said_is_found_and_one_that_is_not_is_missed(
    speaking: Voices, wake: WakeDetector
) -> None:
    said = await speaking.say("alexa.", CLEAR)
    stage, tally = Stage(Household(speaking, 1), 1), Tally(PHRASES)
    async with wake.open() as stream:
        listener = Listener(stream)
        near = await stage.attempt(Person("alexa", CLEAR, said), PLACES[0], 0)
        tally.attempted(near, await listener.hear(near.sound))
        silence = Attempt(near.person, near.place, np.zeros_like(near.sound), near.begins, near.ends)
        assert tally.missed[("alexa",)] == 0
        tally.attempted(silence, await listener.hear(silence.sound))
    figures = tally.figures()
    assert figures["missed_percent"] == {"okay_nabu": 0.0, "hey_jarvis": 0.0, "alexa": 50.0}
    assert figures["missed_percent_by_voice"]["alexa"] == {CLEAR: 50.0}
    assert figures["missed_percent_by_place"]["alexa"] == {"near": 50.0}
    assert listener.cpu_seconds > 0 and abs(listener.seconds - 2 * len(near.sound) / HERTZ) < 0.01


def test_another_phrase_or_another_moment_is_a_miss() -> None:
    attempt = Attempt(Person("alexa", "a", np.zeros(9)), PLACES[0], np.zeros(9, np.int16), 2.5, 3.5)
    for wakes, missed in (
        ([WakeDetected("alexa", 0.9, 3.0)], 0), ([WakeDetected("alexa", 0.9, 4.1)], 0),
        ([WakeDetected("okay_nabu", 0.9, 3.0)], 1), ([WakeDetected("alexa", 0.9, 2.0)], 1),
        ([WakeDetected("alexa", 0.9, 4.5)], 1), ([], 1),
    ):  # fmt: skip
        tally = Tally(PHRASES)
        tally.attempted(attempt, wakes)
        assert tally.missed[("alexa",)] == missed, wakes


def test_a_false_wake_is_told_with_what_was_said() -> None:
    tally = Tally(PHRASES)
    quiet = np.zeros(SECONDS * HERTZ, np.int16)
    tally.heard(Scene("quiet", quiet, ()), [])
    tally.heard(Scene("talk", quiet, (Said(1, 3, "a lexer", "en"), Said(9, 11, "well", "de"))),
                [WakeDetected("alexa", 0.95, 3.2)])  # fmt: skip
    figures = tally.figures()
    assert figures["hours"] == round(2 / 60, 3) and figures["false_wakes_per_hour"] == 30.0
    assert figures["false_wakes_per_hour_by_phrase"] == {"okay_nabu": 0.0, "hey_jarvis": 0.0, "alexa": 30.0}
    (one,) = figures["false_wakes"]
    assert (one["phrase"], one["scene"], one["said"]) == ("alexa", "talk", ["en: a lexer"])
    assert abs(one["hour"] - (60 + 3.2) / 3600) < 1e-3


async def test_a_phrase_hidden_in_the_household_is_a_false_wake(
    wake: WakeDetector, monkeypatch: pytest.MonkeyPatch, brief: int
) -> None:
    monkeypatch.setattr(listen_scenes, "KINDS", {"talk": 1.0})
    monkeypatch.setattr(listen_scenes, "sentence", lambda dice: ("Alexa.", "en-gb-x-rp"))
    figures = await listen(wake, PHRASES, asked(seed=3, hours=2 * brief / 3600))
    assert figures["false_wakes_per_hour_by_phrase"]["alexa"] > 120, figures
    assert figures["false_wakes"][0]["said"][0].endswith(": Alexa.")
    assert figures["tried"] == dict.fromkeys(PHRASES, 0)


def test_the_command_gives_what_scripts_rely_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "listen", "--json", "--hours", "0.02", "--voices", "1"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["hours"] == round(1 / 60, 3) and figures["detector"] == "microwakeword"
    assert set(figures["missed_percent"]) == set(PHRASES) == set(figures["false_wakes_per_hour_by_phrase"])
    assert figures["tried"] == dict.fromkeys(PHRASES, len(PLACES))
    assert 0 < figures["cpu_percent_of_a_core"] < 100
    assert all(0 <= missed <= 100 for missed in figures["missed_percent"].values())


def test_a_recorded_person_and_a_configured_phrase(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], brief: int
) -> None:
    config, said = tmp_path / "avatard.yaml", tmp_path / "me.wav"
    config.write_text("name: a\nwake_word: {platform: microwakeword, phrases: [alexa]}\n")
    with wave.open(str(said), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.zeros(16_000, np.int16).tobytes())
    given = ["bench", "listen", "--json", "-c", str(config), "--hours", "0.001", "--voices", "0", "--person"]
    assert main([*given, f"alexa={said}"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["missed_percent_by_voice"] == {"alexa": {"me.wav": 100.0}}  # silence is no phrase
    assert main([*given, f"computer={said}"]) == 78
    assert "is not listened for; there are alexa" in capsys.readouterr().err
    assert main([*given, f"alexa={tmp_path / 'gone.wav'}"]) == 78
    assert "gone.wav" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["turn", "lipsync", "listen", "idle", "soak", "echo"])
def test_each_bench_teaches(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", what, "--help"])
    assert ended.value.code == 0
    help_ = capsys.readouterr().out
    assert "--json" in help_ and f"example:\n  avatard bench {what}" in help_


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "many"])
def test_hours_are_a_number_above_0(hours: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "listen", f"--hours={hours}"])
    assert ended.value.code == 2 and "is no number above 0" in capsys.readouterr().err
