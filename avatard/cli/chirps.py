"""A row of chirps that a microphone can find again: where they were heard, how loud, and what was swallowed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import LISTEN_RATE, SPEECH_RATE, Samples

Wave = NDArray[np.float64]
Complex = NDArray[np.complex128]

CHIRP = 0.04
"""Seconds of one; so finely is seen what was swallowed."""
COUNT = 90
LOW, HIGH = 700, 3800
"""Hz: what small loudspeakers give and small microphones take."""
LOUD = 9000
BLOCK = 10
"""Chirps that are looked for as one: over 0.4 s two clocks do not part."""
CLEAR = 8.0
"""How far the finding must stand out, in the spread of everything else: noise alone comes to 5 at most."""
SEAMS, REACH = 3, LISTEN_RATE // 2
"""So many gaps are looked across, and so far, samples."""
ROW = 4
"""Chirps that must be there one after the other"""
PRESENT = 0.25
"""Share of the usual strength from which on a chirp counts as heard."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where the chirps are in a recording."""

    at: float
    """Seconds into the recording, of the first chirp's beginning, heard or not"""
    clarity: float
    """How far it stands out"""
    missing: float
    """Seconds of the beginning that were not heard"""
    skipped: float
    """Seconds that came between: a sound card, or a sound server, ran dry"""
    level_db: float
    """How loud they are, dB below the loudest possible"""


def chirps(hertz: int = SPEECH_RATE) -> Samples:
    """All of them; each goes from one pitch to another, no two alike."""
    return np.asarray(_rows(hertz).real.reshape(-1) * LOUD, np.int16)


def seconds() -> float:
    """How long they take."""
    return COUNT * CHIRP


def find(recording: Samples) -> Found | None:
    """Find them in a recording at 16 kHz; None where they are not in it."""
    heard = recording.astype(np.float64)
    blocks = _rows(LISTEN_RATE).reshape(COUNT // BLOCK, -1)
    if len(heard) < blocks.size or not heard.any():
        return None
    strength = np.zeros(len(heard) - blocks.size + 1)
    for number, block in enumerate(blocks):
        strength += _alike(heard, block)[number * len(block) :][: len(strength)]
    at = int(strength.argmax())
    apart = np.abs(np.arange(len(strength)) - at) > LISTEN_RATE // 50
    rest = strength[apart]
    if len(rest) < LISTEN_RATE // 10:
        return None
    clarity = float((strength[at] - np.median(rest)) / max(float(rest.std()), 1e-9))
    if clarity < CLEAR:
        return None
    rows = _rows(LISTEN_RATE)
    enough = _enough(heard, rows, at)
    heard_from, skipped = _begins(heard, rows, at, enough, COUNT * 2 // 3), 0
    for _ in range(SEAMS):
        # What is not at its place may be beside it: a sound card that ran dry has put a gap between.
        moved = _moved(heard, rows[max(0, heard_from - BLOCK) : heard_from], at + skipped, heard_from, enough)
        if moved is None:
            break
        skipped += moved
        heard_from = _begins(heard, rows, at + skipped, enough, heard_from)
    part = heard[at + COUNT * 2 // 3 * rows.shape[1] : at + rows.size]
    level = decibels(float(np.sqrt(np.mean(part * part))))
    return Found(at / LISTEN_RATE, round(clarity, 1), heard_from * CHIRP, abs(skipped) / LISTEN_RATE, level)


def _enough(heard: Wave, rows: Complex, at: int) -> float:
    """How strong a chirp must be to count as heard."""
    last = range(COUNT * 2 // 3, COUNT)
    right = [_best(heard, rows[n], at + n * rows.shape[1]) for n in last]
    wrong = [_best(heard, rows[n - COUNT // 2], at + n * rows.shape[1]) for n in last]
    return max(PRESENT * float(np.median(right)), 1.5 * float(np.median(wrong)))


def _begins(heard: Wave, rows: Complex, at: int, enough: float, before: int) -> int:
    """From which chirp on, before another that is there, they are there: one alone may be another one's likeness."""
    there = [_best(heard, rows[n], at + n * rows.shape[1]) >= enough for n in range(before)]
    return next((n for n in range(before) if all(there[n : n + ROW])), before)


def _moved(heard: Wave, wanted: Complex, at: int, end: int, enough: float) -> int | None:
    """By how many samples the chirps before number ``end`` are heard away from their place; None: they are not."""
    if not len(wanted):
        return None
    place = at + (end - len(wanted)) * wanted.shape[1]
    begin = max(0, place - REACH)
    found = _alike(heard[begin : place + wanted.size + REACH], wanted)[: REACH + place - begin]
    best = int(found.argmax())
    return begin + best - place if found[best] >= enough * len(wanted) else None


def decibels(level: float) -> float:
    """A root mean square as dB below the loudest possible."""
    return round(20 * float(np.log10(max(level, 0.1) / 32768)), 1)


def _rows(hertz: int) -> Complex:
    """The chirps, one a row, as complex waves: their phase does not matter where they are looked for."""
    rng = np.random.default_rng(7)
    count = round(CHIRP * hertz)
    t = np.arange(count) / hertz
    first, last = rng.uniform(LOW, HIGH, COUNT), rng.uniform(LOW, HIGH, COUNT)
    phase = 2 * np.pi * (np.outer(first, t) + np.outer((last - first) / (2 * CHIRP), t * t))
    edge = np.minimum(1.0, np.minimum(t, CHIRP - t) / 0.004)
    waves: Complex = np.exp(1j * phase) * edge
    return waves


def _alike(heard: Wave, wanted: Complex) -> Wave:
    """How much of ``wanted`` is in what was heard, from each sample on."""
    size = 1 << (len(heard) + wanted.size - 1).bit_length()
    product = np.fft.fft(heard, size) * np.conj(np.fft.fft(wanted.reshape(-1), size))
    return np.asarray(np.abs(np.fft.ifft(product))[: len(heard)])


def _best(heard: Wave, chirp: Complex, at: int, slack: int = 64) -> float:
    """How much of a chirp is about there."""
    begin = max(0, at - slack)
    piece = heard[begin : at + len(chirp) + slack]
    return float(np.abs(np.correlate(piece, np.conj(chirp), "valid")).max()) if len(piece) >= len(chirp) else 0.0
