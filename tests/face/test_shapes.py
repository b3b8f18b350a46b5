"""Mouth shapes: vowels told apart at any loudness, shut in silence, a shape for each block."""

from __future__ import annotations

import json
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from avatard.api.flow import FRAME_SAMPLES, Samples
from avatard.face.shapes import LATE, REST, MouthShape, MouthTracker

RECORDING = Path(__file__).parents[3] / "shared" / "audio" / "librivox_dashwood.wav"
# Peterson and Barney's formants of a man's vowels, Hz.
FORMANTS = {"ah": (730, 1090, 2440), "ee": (270, 2290, 3010), "oo": (300, 870, 2240), "eh": (530, 1840, 2480)}
# How open, wide and round a mouth is that speaks them: models/lipsync/phones.py.
MOUTHS = {"ah": (0.95, 0.5, 0.1), "ee": (0.25, 0.95, 0.0), "oo": (0.25, 0.15, 1.0), "eh": (0.6, 0.7, 0.0)}


def vowel(name: str, seconds: float = 0.6, pitch: float = 120, loud: float = 0.2) -> Samples:
    """A buzz through three resonances, at a root mean square of ``loud``."""
    time = np.arange(round(seconds * 48_000)) / 48_000
    sound = np.zeros_like(time)
    for harmonic in np.arange(pitch, 5000, pitch):
        gain = pitch / harmonic
        for formant, breadth in zip(FORMANTS[name], (80, 100, 130), strict=True):
            gain /= abs(1 - (harmonic / formant) ** 2 + 1j * harmonic * breadth / formant**2)
        sound += gain * np.sin(2 * np.pi * harmonic * time)
    return (sound / np.std(sound) * loud * 32767).clip(-32768, 32767).astype(np.int16)


def track(sound: Samples) -> list[MouthShape]:
    tracker, shapes = MouthTracker(), []
    padded = np.concatenate([sound, np.zeros(-len(sound) % FRAME_SAMPLES, np.int16)])
    for at in range(0, len(padded), FRAME_SAMPLES):
        shapes += tracker.feed(padded[at : at + FRAME_SAMPLES])
    return shapes + tracker.finish()


def middle(sound: Samples) -> MouthShape:
    shapes = track(sound)
    return shapes[len(shapes) // 2]


def test_every_block_gets_its_shape_four_blocks_later() -> None:
    tracker, block = MouthTracker(), vowel("ah", 0.04)
    counts = [len(tracker.feed(block)) for _ in range(9)]
    assert counts == [0] * LATE + [1] * (9 - LATE)
    assert len(tracker.finish()) == LATE
    assert tracker.finish() == []
    assert MouthTracker().finish() == []


@pytest.mark.parametrize("lengths", [[2] * 15, [1, 5, 7, 3, 14], [30]])
def test_blocks_that_come_together_get_the_same_shapes(lengths: list[int]) -> None:
    sound = np.concatenate([vowel("ah", 0.4), vowel("oo", 0.4), vowel("ee", 0.4)])
    blocks = list(sound.reshape(-1, FRAME_SAMPLES))
    tracker, shapes, at = MouthTracker(), [], 0
    for length in lengths:
        shapes += tracker.feed(*blocks[at : at + length])
        at += length
    assert shapes + tracker.finish() == track(sound)
    whole = MouthTracker()
    assert whole.feed(sound) + whole.finish() == track(sound)


def test_silence_is_shut() -> None:
    hush = np.random.default_rng(0).normal(0, 8, 48_000).astype(np.int16)
    for sound in (np.zeros(48_000, np.int16), hush):
        assert all(shape.open == 0 for shape in track(sound))
    assert all(shape == REST for shape in track(np.zeros(9600, np.int16)))


@pytest.mark.parametrize("pitch", [100, 125])
@pytest.mark.parametrize("loud", [0.02, 0.05, 0.2])
def test_vowels_are_told_apart_at_any_loudness(pitch: float, loud: float) -> None:
    heard = {name: middle(vowel(name, 0.32, pitch, loud)) for name in FORMANTS}
    for name, shape in heard.items():
        off = np.subtract((shape.open, shape.wide, shape.round), MOUTHS[name])
        assert np.abs(off).max() < 0.2, (name, shape)
    ah, ee, oo, eh = heard.values()
    assert ah.open > 0.7
    assert ah.open > 2 * max(ee.open, oo.open) and ah.open > eh.open + 0.2 > max(ee.open, oo.open) + 0.3
    assert oo.round > 0.7 > 0.45 > max(ah.round, ee.round, eh.round)
    assert oo.wide < 0.3 < min(ah.wide, ee.wide, eh.wide)


def test_a_pause_shuts_the_mouth_within_two_frames() -> None:
    pause = np.zeros(10 * FRAME_SAMPLES, np.int16)
    word = vowel("ah", 0.4)
    shapes = track(np.concatenate([word, pause, word]))
    assert shapes[5].open > 0.5
    assert all(shape.open == 0 for shape in shapes[12:18])
    assert shapes[24].open > 0.5


def test_a_hiss_bares_the_teeth_and_one_that_goes_on_is_no_speech() -> None:
    noise = np.random.default_rng(1).normal(0, 1, 28_800)
    hiss = (np.diff(noise, n=3, prepend=[0, 0, 0]) * 900).clip(-32768, 32767).astype(np.int16)
    shapes = track(np.concatenate([vowel("ah", 0.32), hiss]))
    assert shapes[9].open < 0.2 and shapes[9].wide > 0.5 and shapes[9].teeth > 0.5
    assert all(shape == REST for shape in shapes[14:20])


@pytest.mark.parametrize("pitch", [100, 120, 180])
def test_a_long_vowel_is_held_and_does_not_flutter(pitch: float) -> None:
    opened = [shape.open for shape in track(vowel("ah", 2.0, pitch))][3:-4]
    assert max(abs(b - a) for a, b in pairwise(opened)) < 0.08
    assert min(opened) > 0.7


def test_shapes_stay_within_bounds_whatever_comes() -> None:
    wild = np.random.default_rng(2).integers(-32768, 32767, 96_000).astype(np.int16)
    for shape in track(wild):
        assert 0 <= shape.open <= 1 and 0 <= shape.wide <= 1 and 0 <= shape.round <= 1


@pytest.mark.skipif(not RECORDING.exists(), reason="needs the recording librivox_dashwood.wav in shared/audio")
def test_recorded_speech_opens_on_open_vowels_and_shuts_on_silence() -> None:
    import soxr

    with wave.open(str(RECORDING)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    shapes = track(soxr.resample(sound, 16_000, 48_000).astype(np.int16))
    words = json.loads(RECORDING.with_suffix(".phones.json").read_text())["w"]
    phones = [(p["t"], p["b"], p["d"]) for word in words for p in word.get("w", [])]

    def opening(kinds: set[str]) -> float:
        found = [shapes[int((begin + lasts / 2) * 25)].open for kind, begin, lasts in phones if kind in kinds]
        return float(np.mean(found))

    wide_open = opening({"AA", "AE", "AO", "AW", "AY"})
    assert wide_open > 0.45
    assert wide_open > 2 * opening({"IY", "UW", "IH", "UH"})
    assert opening({"P", "B", "M"}) < 0.25
