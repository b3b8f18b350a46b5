"""The spectrogram: equal to librosa's, and to itself however it is cut."""

from __future__ import annotations

import importlib.util

import numpy as np
from conftest import missing
from hypothesis import given
from hypothesis import strategies as st

from avatard.face.mel import SILENT, WIDTH, MelStream, WindowStream, mel, windows


def sound(count: int, seed: int = 0) -> np.ndarray:
    """Tones and noise with pauses."""
    rng = np.random.default_rng(seed)
    time = np.arange(count) / 16_000
    tones = 0.3 * np.sin(2 * np.pi * 220 * time) + 0.1 * np.sin(2 * np.pi * 3100 * time)
    return ((tones + rng.normal(0, 0.05, count)) * (np.sin(9 * time) > -0.3)).astype(np.float32)


def librosas(wave: np.ndarray) -> np.ndarray:
    """The same spectrogram by librosa, from the published settings."""
    import librosa

    sharp = np.append(wave[:1], wave[1:] - 0.97 * wave[:-1].astype(np.float64))
    spectrum = np.abs(librosa.stft(sharp, n_fft=800, hop_length=200, win_length=800))
    basis = librosa.filters.mel(sr=16_000, n_fft=800, n_mels=80, fmin=55, fmax=7600, dtype=np.float64)
    decibels = 20 * np.log10(np.maximum(1e-5, basis @ spectrum)) - 20
    return np.clip(8 * (decibels + 100) / 100 - 4, -4, 4).T


def test_it_is_librosas() -> None:
    if importlib.util.find_spec("librosa") is None:
        missing("librosa (pip install 'avatard[test]')")
    for wave in (sound(48_000), sound(48_131, 1) * 0.001, sound(48_077, 2) * 30, np.zeros(8000, np.float32)):
        ours, theirs = mel(wave), librosas(wave)
        assert ours.shape == theirs.shape == (1 + len(wave) // 200, 80)
        assert np.abs(ours - theirs).max() < 1e-6


@given(st.lists(st.integers(0, 1900), min_size=1, max_size=12))
def test_streamed_it_is_exactly_the_same(lengths: list[int]) -> None:
    wave = sound(sum(lengths))
    stream, at, out = MelStream(), 0, []
    for length in lengths:
        out.append(stream.feed(wave[at : at + length]))
        at += length
        assert sum(map(len, out)) == max(0, (at - 400) // 200 + 1)
    assert np.array_equal(np.concatenate([*out, stream.finish()]), mel(wave))


def test_silence_is_the_lowest_value_and_nothing_leaves_the_range() -> None:
    assert np.array_equal(mel(np.zeros(16_000)), np.full((81, 80), SILENT, np.float32))
    loud = mel(np.random.default_rng(0).choice([-1.0, 1.0], 16_000))
    assert loud.max() <= 4 and loud.min() >= -4
    assert mel(np.zeros(0)).shape == (1, 80)


def test_every_picture_hears_16_columns_from_its_own_time_on() -> None:
    columns = np.repeat(np.arange(241, dtype=np.float32)[:, None], 80, axis=1)
    heard = windows(columns)
    starts = [int(window[0, 0]) for window in heard]
    # 225 is 241 - 16: past the end the last 16 columns serve once.
    assert starts[:6] == [0, 3, 6, 9, 12, 16] and starts[-2:] == [224, 225]
    assert starts[:-1] == [int(i * 80 / 25) for i in range(len(starts) - 1)]
    assert all(np.array_equal(window[7], np.arange(window[0, 0], window[0, 0] + WIDTH)) for window in heard)
    assert [int(window[0, 0]) for window in windows(columns, 75)][-6:] == [220, 224, 225, 225, 225, 225]


@given(st.integers(0, 60), st.lists(st.integers(0, 9), max_size=20))
def test_windows_streamed_are_the_windows_of_the_whole(frames: int, lengths: list[int]) -> None:
    columns = np.random.default_rng(sum(lengths)).random((sum(lengths), 80)).astype(np.float32)
    stream, at, out = WindowStream(), 0, []
    for length in lengths:
        out += stream.feed(columns[at : at + length])
        at += length
    count = max(frames, len(out))
    out += stream.finish(count)
    assert np.array_equal(np.array(out).reshape(-1, 80, 16), windows(columns, count))


def test_what_is_shorter_than_a_window_is_followed_by_silence() -> None:
    heard = windows(np.ones((5, 80), np.float32), 1)
    assert heard.shape == (1, 80, 16)
    assert (heard[0, :, :5] == 1).all() and (heard[0, :, 5:] == SILENT).all()
