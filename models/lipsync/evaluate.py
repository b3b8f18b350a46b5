"""Judge the mouth: python models/lipsync/evaluate.py

On sentences and voices that are not in the training: r and lag of each number, how often lips meet on p b m, stillness
in silence and in noise; and what a picture costs.
"""

from __future__ import annotations

import json
import shutil
import time

import numpy as np
import soxr
from data import RATE
from heldout import Recording, held_out, made_up, person, usual
from numpy.typing import NDArray
from phones import GRID, Track
from speech import Espeak
from voices import ORDINARY

from avatard.api.flow import FPS, FRAME_SAMPLES, SPEECH_RATE
from avatard.face.shapes import MouthTracker

NAMES = ("open", "wide", "round", "teeth")
SHUT = 0.1
"""Lips closer than this are shut to who looks on."""


def shapes(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """The track of a 16 kHz recording as a renderer sees it, shape (frames, 4)."""
    wide = soxr.resample(sound.astype(np.float32), RATE, SPEECH_RATE).clip(-32768, 32767).astype(np.int16)
    wide = np.concatenate([wide, np.zeros(-len(wide) % FRAME_SAMPLES, np.int16)])
    tracker, out = MouthTracker(), []
    for at in range(0, len(wide), FRAME_SAMPLES):
        out += tracker.feed(wide[at : at + FRAME_SAMPLES])
    return np.array([(s.open, s.wide, s.round, s.teeth) for s in out + tracker.finish()])


def at_frames(truth: Track, frames: int) -> NDArray[np.intp]:
    """Where the middles of the frames lie in a track."""
    return np.minimum(((np.arange(frames) + 0.5) / FPS * GRID).astype(np.intp), len(truth.speech) - 1)


def correlation(a: NDArray[np.floating], b: NDArray[np.floating], lag: int) -> float:
    """Pearson's r of ``a`` taken ``lag`` frames later than ``b``."""
    count = len(a)
    return float(np.corrcoef(a[max(0, lag) : count + min(0, lag)], b[max(0, -lag) : count - max(0, lag)])[0, 1])


def judged(recordings: list[Recording]) -> dict[str, object]:
    """Compare with what is known of the recordings."""
    seen, truth, closed = [], [], []
    for sound, track in recordings:
        got = shapes(sound)
        at = at_frames(track, len(got))
        seen.append(got)
        truth.append(track.mouth[at])
        closed.append(track.closed[at])
    mouth, wanted, shut = np.concatenate(seen), np.concatenate(truth), np.concatenate(closed)
    figures: dict[str, object] = {"frames": len(mouth)}
    for k, name in enumerate(NAMES):
        by_lag = {lag: correlation(mouth[:, k], wanted[:, k], lag) for lag in range(-3, 4)}
        figures[name] = {"r": round(by_lag[0], 4), "lag": max(by_lag, key=by_lag.__getitem__)}
    met = {limit: float(np.mean(mouth[shut, 0] < limit)) for limit in (0.05, SHUT, 0.2)}
    figures["shut_on_pbm"] = {str(limit): round(share, 4) for limit, share in met.items()}
    figures["shut_elsewhere_wanted_open"] = round(float(np.mean(mouth[wanted[:, 0] > 0.4, 0] < SHUT)), 4)
    return figures


def stillness() -> dict[str, float]:
    """The most that the mouth opens and wanders where nobody speaks, by level of the noise."""
    rng, out = np.random.default_rng(0), {}
    white = rng.normal(0, 1, RATE * 8)
    brown = np.convolve(white, 0.97 ** np.arange(200), "same")
    for name, sound in (("silence", white * 0), ("white", white), ("brown", brown / np.std(brown))):
        for level in (-70, -60, -50, -40):
            got = shapes((sound * 32768 * 10 ** (level / 20)).clip(-32768, 32767).astype(np.int16))
            out[f"{name} {level} dBFS"] = round(float(np.abs(got - (0, 0.5, 0, 0)).max()), 3)
    return out


def cost() -> dict[str, float]:
    """Processor time of one picture, from 48 kHz sound to its shape, microseconds."""
    block = np.random.default_rng(0).normal(0, 3000, FRAME_SAMPLES).astype(np.int16)
    tracker, spent = MouthTracker(), []
    for _ in range(1500):
        began = time.thread_time()
        tracker.feed(block)
        spent.append((time.thread_time() - began) * 1e6)
    return {"min": round(min(spent), 1), "median": round(float(np.median(spent)), 1)}


def main() -> None:
    """Print the figures as JSON."""
    espeak = Espeak()
    figures: dict[str, object] = {"usual_voice": judged(usual(espeak)), "unseen": judged(held_out(espeak))}
    figures["ordinary"] = judged(held_out(espeak, ORDINARY))
    figures["made_up"] = judged(made_up(espeak))
    if shutil.which("flite"):
        figures["unseen_person"] = judged(person())
    figures |= {"most_movement_without_speech": stillness(), "microseconds": cost()}
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
