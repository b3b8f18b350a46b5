"""The network that hears mouths: spectra in, open, wide, round and teeth out. Plain numpy.

Each spectral column is put on the scale of how loud the voice is of late and heard together with its neighbours, once;
a picture is made of twelve such columns around its middle, and of what is kept of those before (a gated recurrent
unit: whose voice it is, in what room). How it is trained, and on what, stands in models/lipsync.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from avatard.api.errors import StageFailed
from avatard.face.mel import BANDS, SILENT, Columns, first_column

Floats = NDArray[np.float32]
Layer = tuple[Floats, Floats]
"""A matrix in blocks of rows, shape (blocks, outputs of each, inputs), and the bias of all outputs."""

EDGE = 2
"""Columns to each side that a column is heard with."""
TAPS, STRIDE = 12, 2
"""How many heard columns a picture is made of, and how far apart they are."""
BEHIND, AHEAD = 15, 7
"""Where the first and the last of them lie before and after the picture's middle."""
FALL, HUSHED, EARLY = 0.006, -1.0, 3
"""How loud it is of late: the loudest band's fall a column (6 dB a second), its least (-62 dB), and how many columns
ahead it is looked up."""
MIDDLE = 2
"""Columns from a picture's begin to its middle. All that is ahead is heard 200 ms after the picture's begin."""
PHASES = 5
"""Where between two columns a picture's middle lies, in steps of a fifth; each phase has weights of its own."""
WEIGHTS = Path("models", "lipsync", "mouth.npz")
"""Under ``avatard/_data`` in a wheel, or in the checkout."""
SMALL = 9000
"""Weights in one product: OpenBLAS shares larger ones among threads, which costs more than it saves here."""
HALF = np.float32(0.5)
NAMES = ("hear", "mix", "take", "keep", "show")


class MouthNetwork:
    """Follows one stream of spectra: feed it columns, then ``finish`` it with the count of pictures.

    A picture is a row of open, wide, round, teeth, speech and closed, each 0-1.
    """

    def __init__(self) -> None:
        """Nothing was heard yet: silence lies before."""
        self._hear, self._mix, self._take, self._keep, self._show = map(_layer, NAMES)
        self._loud = HUSHED
        self._scales: list[float] = []
        self._fresh: Floats = np.zeros((0, BANDS), np.float32)
        self._columns = self._scaled(np.full((BEHIND - MIDDLE + EDGE, BANDS), SILENT, np.float32))
        self._heard: Floats = np.zeros((0, self._hear[1].size), np.float32)
        self._gone = MIDDLE - BEHIND
        """Which column ``heard`` begins with, counted from the stream's first."""
        self._kept: Floats = np.zeros(self._keep[1].size // 3, np.float32)
        self._given = 0

    def feed(self, columns: Columns) -> list[Floats]:
        """Take the next columns; return the pictures that are settled. Many columns at once cost less than a few."""
        self._hear_more(columns)
        firsts: list[int] = []
        while (first := _middle(self._given + len(firsts)) - BEHIND - self._gone) + BEHIND + AHEAD < len(self._heard):
            firsts.append(first)
        out = self._shown(firsts) if firsts else []
        self._given += len(firsts)
        self._heard, self._gone = self._heard[first:], self._gone + min(first, len(self._heard))
        return out

    def finish(self, columns: Columns, frames: int) -> list[Floats]:
        """Take the last columns, silence follows; return the pictures up to ``frames`` that are left."""
        left = max(0, frames - self._given)
        behind = self._gone + len(self._heard) + len(columns)
        missing = np.full((max(0, _middle(frames) + AHEAD + EDGE + EARLY - behind), BANDS), SILENT, np.float32)
        return self.feed(np.concatenate([columns, missing]))[:left]

    def _scaled(self, columns: Columns) -> Floats:
        """Put columns on the voice's own scale; each waits for ``EARLY`` more."""
        for peak in columns.max(axis=1).tolist():
            self._loud = max(peak, self._loud - FALL, HUSHED)
            self._scales.append(self._loud)
        self._fresh = np.concatenate([self._fresh, columns])
        count = max(0, len(self._fresh) - EARLY)
        out: Floats = self._fresh[:count] - np.array(self._scales[EARLY:], np.float32)[:, None]
        np.maximum(out, -5, out=out)
        np.minimum(out, 1, out=out)
        out += 2
        self._fresh, self._scales = self._fresh[count:], self._scales[count:]
        return out

    def _hear_more(self, columns: Columns) -> None:
        self._columns = np.concatenate([self._columns, self._scaled(columns)])
        size = 2 * EDGE + 1
        count = max(0, len(self._columns) - size + 1)
        step = BANDS * self._columns.itemsize
        # Neighbouring columns lie behind each other: a plain view is what each is heard with.
        around: Floats = np.ndarray((count, size * BANDS), np.float32, self._columns, 0, (step, self._columns.itemsize))
        self._heard = np.concatenate([self._heard, _lit(_product(around, self._hear))])
        self._columns = self._columns[count:].copy()

    def _shown(self, firsts: list[int]) -> list[Floats]:
        """The pictures that begin with these columns; all but what is kept is worked out for all of them at once."""
        span = BEHIND + AHEAD + 1
        heard = np.array([self._heard[first : first + span : STRIDE] for first in firsts]).reshape(len(firsts), -1)
        taken = _product(_lit(_product(heard, self._mix)), self._take)
        kept = np.empty((len(firsts), self._kept.size), np.float32)
        for row, new in zip(taken, kept, strict=True):
            self._keep_on(row, new)
        shown = _squashed(_product(kept, self._show).reshape(len(firsts), PHASES, -1))
        return [row[(self._given + n) % PHASES] for n, row in enumerate(shown)]

    def _keep_on(self, taken: Floats, new: Floats) -> None:
        """Work out what is kept after one more picture, into ``new``."""
        size, old = self._kept.size, self._kept
        blocks, bias = self._keep
        kept = (blocks @ old).reshape(-1)
        kept += bias
        gates = kept[: 2 * size]
        gates += taken[: 2 * size]
        _squashed(gates)
        fresh = kept[2 * size :]
        fresh *= gates[:size]
        fresh += taken[2 * size :]
        np.tanh(fresh, out=fresh)
        np.subtract(old, fresh, out=new)
        new *= gates[size:]
        new += fresh
        self._kept = new


def _lit(values: Floats) -> Floats:
    np.maximum(values, 0, out=values)
    return values


def _squashed(values: Floats) -> Floats:
    """The logistic function, in place."""
    values *= HALF
    np.tanh(values, out=values)
    values += 1
    values *= HALF
    return values


def _product(rows: Floats, layer: Layer) -> Floats:
    """Multiply row by row, so that each gives the same bits however many come together."""
    blocks, bias = layer
    out = np.empty((len(rows), len(blocks), blocks.shape[1]), np.float32)
    # A block serves all rows while the cache has it.
    np.matmul(blocks[:, None], rows[None, :, :, None], out=out.transpose(1, 0, 2)[..., None])
    flat: Floats = out.reshape(len(rows), bias.size)
    flat += bias
    return flat


def _middle(index: int) -> int:
    return first_column(index) + MIDDLE


@lru_cache(len(NAMES))
def _layer(name: str) -> Layer:
    """Read a layer's matrix, cut into blocks of rows, and its bias.

    Raises:
        StageFailed: the file is missing or broken.
    """
    package = Path(__file__).parent.parent
    inside = package / "_data"
    path = (inside if inside.is_dir() else package.parent) / WEIGHTS
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            matrix, bias = stored[name] * stored[f"{name}_scale"][:, None], stored[f"{name}_bias"]
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as err:
        raise StageFailed("render", "mouth", f"{path} cannot be read, install avatard again ({err})") from err
    outputs, inputs = matrix.shape
    count = next(n for n in range(1, outputs + 1) if outputs % n == 0 and outputs // n * inputs <= SMALL)
    return np.ascontiguousarray(matrix).reshape(count, outputs // count, inputs), bias
