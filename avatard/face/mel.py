"""The log-mel spectrogram that lip-sync networks listen to, whole and streaming: the same numbers either way.

Source: Wav2Lip's audio settings (16 kHz, pre-emphasis 0.97, 800-point Hann windows every 200 samples, magnitudes on
80 Slaney bands from 55 to 7600 Hz, decibels laid on [-4, 4]). Digital silence is -4 everywhere.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import FPS, LISTEN_RATE

Sound = NDArray[np.floating[Any]]
"""16 kHz mono in [-1, 1], shape (n,)."""
Columns = NDArray[np.float32]
"""Spectra in order of time, shape (columns, 80), in [-4, 4]."""

FFT, HOP, BANDS = 800, 200, 80
"""Samples under a window, samples from one to the next, mel bands."""
COLUMNS_PER_SECOND = LISTEN_RATE // HOP
LOWEST, HIGHEST = 55.0, 7600.0
"""Hz: the edges of the first and the last band."""
EMPHASIS = 0.97
FLOOR = 1e-5
"""Magnitude: softer is silence."""
SILENT = -4.0
"""What silence is in every band."""
WIDTH = 16
"""Columns in the window of one picture: 200 ms."""


def mel(sound: Sound) -> Columns:
    """Return the spectrogram of a whole recording: ``1 + len(sound) // 200`` columns."""
    stream = MelStream()
    return np.concatenate([stream.feed(sound), stream.finish()])


class MelStream:
    """The spectrogram piece by piece; column j is complete with sample 200 j + 399."""

    def __init__(self) -> None:
        """Nothing was heard yet: half a window of silence lies before the first sample."""
        self._sound = np.zeros(FFT // 2)
        self._last = 0.0

    def feed(self, sound: Sound) -> Columns:
        """Take the next samples; return the columns that are complete, shape (m, 80)."""
        if not len(sound):
            return np.zeros((0, BANDS), np.float32)
        heard = np.asarray(sound, np.float64)
        sharp = np.empty_like(heard)
        sharp[0] = heard[0] - EMPHASIS * self._last
        sharp[1:] = heard[1:] - EMPHASIS * heard[:-1]
        self._last = float(heard[-1])
        return self._columns(sharp)

    def finish(self) -> Columns:
        """The sound has ended, half a window of silence follows: return the columns that were waiting for it."""
        return self._columns(np.zeros(FFT // 2))

    def _columns(self, sharp: NDArray[np.float64]) -> Columns:
        self._sound = np.concatenate([self._sound, sharp])
        count = (len(self._sound) - FFT) // HOP + 1
        if count <= 0:
            return np.zeros((0, BANDS), np.float32)
        out = np.empty((count, BANDS), np.float32)
        # A plain view: numpy's sliding_window_view takes longer than the sums over a picture's three windows.
        step = self._sound.itemsize
        windows: NDArray[np.float64] = np.ndarray((count, FFT), np.float64, self._sound, 0, (HOP * step, step))
        for at in range(0, count, 4096):  # an hour of sound must not need an hour of spectra at once
            out[at : at + 4096] = _spectra(windows[at : at + 4096])
        self._sound = self._sound[count * HOP :].copy()
        return out


def windows(columns: Columns, frames: int | None = None) -> NDArray[np.float32]:
    """Return what a network hears for each picture: 16 columns from int(i · 80 / 25) on, shape (pictures, 80, 16).

    Args:
        columns: a whole spectrogram; one that is shorter than a window is followed by silence.
        frames: how many pictures there are; those past the end hear the last 16 columns. None: as long as windows
            fit, and one more that hears the last 16 columns, as Wav2Lip does.
    """
    if len(columns) < WIDTH:
        columns = np.concatenate([columns, np.full((WIDTH - len(columns), BANDS), SILENT, np.float32)])
    last = len(columns) - WIDTH
    if frames is None:
        frames = next(i for i in range(len(columns) + 1) if first_column(i) > last) + 1
    starts = np.minimum([first_column(i) for i in range(frames)], last).astype(np.intp)
    view = np.lib.stride_tricks.sliding_window_view(columns, WIDTH, axis=0)
    return np.ascontiguousarray(view[starts])


class WindowStream:
    """The windows of one answer, piece by piece: feed it columns, then ``finish`` it with the count of pictures."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self._kept = np.zeros((0, BANDS), np.float32)
        self._gone = 0
        self._given = 0

    def feed(self, columns: Columns) -> list[NDArray[np.float32]]:
        """Take the next columns; return the windows that are full, each of shape (80, 16)."""
        self._kept = np.concatenate([self._kept, columns])
        out = []
        while (start := first_column(self._given) - self._gone) + WIDTH <= len(self._kept):
            out.append(np.ascontiguousarray(self._kept[start : start + WIDTH].T))
            self._given += 1
        # The last 16 columns stay: they serve the pictures past the end.
        spare = max(0, min(first_column(self._given) - self._gone, len(self._kept) - WIDTH))
        self._kept, self._gone = self._kept[spare:], self._gone + spare
        return out

    def finish(self, frames: int) -> list[NDArray[np.float32]]:
        """The columns have ended; return the windows up to picture ``frames`` that were not given yet."""
        missing = np.full((max(0, WIDTH - len(self._kept)), BANDS), SILENT, np.float32)
        last = np.ascontiguousarray(np.concatenate([self._kept, missing])[-WIDTH:].T)
        rest = [last.copy() for _ in range(self._given, frames)]
        self._given += len(rest)
        return rest


def first_column(index: int) -> int:
    """Where the window of picture ``index`` begins."""
    return index * COLUMNS_PER_SECOND // FPS


def _spectra(windows: NDArray[np.float64]) -> Columns:
    """Each row by itself, so that it does not matter how many come together."""
    hann, bins, weights, starts = _tables()
    magnitude = np.abs(np.fft.rfft(windows * hann, axis=1)).take(bins, axis=1)
    magnitude *= weights
    laid = np.add.reduceat(magnitude, starts, axis=1)
    np.log10(np.maximum(FLOOR, laid, out=laid), out=laid)
    laid *= 1.6  # 8 (20 log10(x) - 20 + 100) / 100 - 4
    laid += 2.4
    np.minimum(np.maximum(laid, -4, out=laid), 4, out=laid)
    return laid.astype(np.float32)


@lru_cache(1)
def _tables() -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64], NDArray[np.intp]]:
    """The periodic Hann window, and the triangles of all bands in a row: their bins, weights, and first places."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)
    edges = _hertz(np.linspace(_slaney(LOWEST), _slaney(HIGHEST), BANDS + 2))
    frequency = np.arange(FFT // 2 + 1) * (LISTEN_RATE / FFT)
    bins: list[NDArray[np.intp]] = []
    weights: list[NDArray[np.float64]] = []
    for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
        slopes = np.minimum((frequency - low) / (middle - low), (high - frequency) / (high - middle))
        inside = np.flatnonzero(slopes > 0)
        bins.append(inside)
        weights.append(slopes[inside] * 2 / (high - low))
    starts = np.cumsum([0, *(len(inside) for inside in bins[:-1])])
    return hann, np.concatenate(bins), np.concatenate(weights), starts


BEND = 1000.0
"""Hz: the Slaney scale is linear below, 3 mel each 200 Hz, and logarithmic above, 27 mel each factor of 6.4."""


def _slaney(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < BEND else 15 + 27 * math.log(hertz / BEND) / math.log(6.4)


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mels < 15, mels * 200 / 3, BEND * np.exp((mels - 15) * math.log(6.4) / 27))
