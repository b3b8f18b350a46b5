"""What the doctor plays is found again: in rooms, in noise, with its beginning swallowed, across gaps."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from avatard.api.flow import LISTEN_RATE, SPEECH_RATE
from avatard.cli.chirps import CHIRP, chirps, find, seconds
from avatard.cli.findings import Finding
from avatard.cli.levels import Meter, one_sided
from avatard.cli.rooms import room

SOUND = soxr.resample(chirps().astype(np.float64), SPEECH_RATE, LISTEN_RATE)


def recorded(sound: np.ndarray, at: float = 0.31, gain: float = 1.0, noise: float = 20.0) -> np.ndarray:
    heard = np.random.default_rng(2).normal(0, noise, int(7 * LISTEN_RATE))
    begin = int(at * LISTEN_RATE)
    heard[begin : begin + len(sound)] += gain * sound
    return np.clip(heard, -32768, 32767).astype(np.int16)


def test_they_take_as_long_as_they_say() -> None:
    assert len(chirps()) == pytest.approx(seconds() * SPEECH_RATE)


@pytest.mark.parametrize(("gain", "noise"), [(1.0, 20.0), (0.1, 100.0), (0.03, 300.0)])
def test_they_are_found_where_they_are(gain: float, noise: float) -> None:
    found = find(recorded(SOUND, 0.31, gain, noise))
    assert found is not None and found.at == pytest.approx(0.31, abs=0.002)
    assert (found.missing, found.skipped) == (0, 0)


@pytest.mark.parametrize("swallowed", [0.3, 1.0, 2.0])
def test_what_was_swallowed_is_told(swallowed: float) -> None:
    sound = SOUND.copy()
    sound[: int(swallowed * LISTEN_RATE)] = 0
    found = find(recorded(sound, noise=60))
    assert found is not None and found.at == pytest.approx(0.31, abs=0.002)
    assert found.missing == pytest.approx(swallowed, abs=CHIRP) and found.skipped == 0


@pytest.mark.parametrize("number", range(4))
def test_they_are_found_in_rooms_by_clocks_that_part(number: int) -> None:
    there = room(number)
    sound = there.heard(np.concatenate([SOUND, np.zeros(LISTEN_RATE)]))
    sound = np.interp(np.arange(len(sound)) * (1 + 200e-6), np.arange(len(sound)), sound)
    found = find(recorded(sound, gain=0.2, noise=100))
    assert found is not None and found.at == pytest.approx(0.31 + there.delay, abs=0.01) and found.missing == 0


def test_a_gap_is_no_beginning_that_was_swallowed() -> None:
    seam = int(1.04 * LISTEN_RATE)
    found = find(recorded(np.concatenate([SOUND[:seam], np.zeros(1600), SOUND[seam:]])))
    assert found is not None and found.missing == 0 and found.skipped == pytest.approx(0.1, abs=0.002)
    sound = np.concatenate([np.zeros(4800), SOUND[4800:seam], np.zeros(1600), SOUND[seam:]])
    found = find(recorded(sound))
    assert found is not None and found.missing == pytest.approx(0.3, abs=CHIRP)


def test_noise_speech_and_silence_are_no_chirps() -> None:
    rng = np.random.default_rng(5)
    assert all(find(rng.normal(0, 300, 7 * LISTEN_RATE).astype(np.int16)) is None for _ in range(8))
    assert find(np.zeros(7 * LISTEN_RATE, np.int16)) is None
    assert find(np.zeros(100, np.int16)) is None


def frame(level: float, seed: int = 1) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).normal(0, level, 1024), -32768, 32767).astype(np.int16)


def verdict(*frames: np.ndarray, spoken: bool = True) -> Finding:
    meter = Meter()
    for one in frames:
        meter.take(one)
        assert len(meter.bar()) < 80 and len(meter.bar(18)) < 60
    return meter.verdict("sound in", spoken)


def test_the_level_meters_verdicts() -> None:
    quiet, loud = [frame(10, n) for n in range(20)], [frame(3000, n) for n in range(20)]
    assert verdict(*quiet, *loud).state == "ok"
    assert (said := verdict(*quiet)).state == "warning" and "too quiet" in said.what
    assert verdict(*quiet, spoken=False).state == "ok", "nobody was asked to speak"
    assert (said := verdict(*[np.zeros(1024, np.int16)] * 5)).state == "failed" and "zeros" in said.what
    assert (said := verdict(*[np.full(1024, 7, np.int16)] * 5)).state == "failed" and "stuck" in said.what
    assert (said := verdict(*quiet, *[frame(20_000, n) for n in range(9)])).state == "warning"
    assert "cut off" in said.what and "-6dB" in said.fix
    assert (said := verdict(*loud)).state == "warning" and "room is loud" in said.what
    assert verdict().state == "failed"


def test_a_channel_that_is_silent_is_told() -> None:
    good = verdict(frame(10), frame(3000), frame(10, 2))
    assert one_sided("sound in", [-30.0, -31.0], good).state == "ok"
    told = one_sided("sound in", [-30.0, -110.3], good)
    assert told.state == "warning" and "channel 2 of 2 is silent" in told.what
