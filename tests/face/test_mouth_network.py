"""The mouth's network: judged on voices and sentences that it never heard, still in silence, exact in pieces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from avatard.api.errors import StageFailed
from avatard.face import network
from avatard.face.mel import mel
from avatard.face.network import MouthNetwork
from avatard.face.shapes import REST, MouthTracker

RECIPE = ROOT / "models" / "lipsync"


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    """What the recipe's own judge prints, on sentences and voices that are kept out of the training."""
    done = subprocess.run(
        [sys.executable, str(RECIPE / "evaluate.py")], capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


# What is aimed at is 0.95 for the opening and 0.92 for wide and round. All is reached but for the opening in unseen
# voices: short by a thousandth or two in ordinary ones (f4, m5, klatt4) and by a hundredth with the odd ones among them
# (Andy, belinda, boris; models/lipsync/README.md): there, what must not be lost. "made_up" are fresh voices written
# at random, odder than any that people use.
LEAST = [
    ("usual_voice", "open", 0.96), ("usual_voice", "wide", 0.96), ("usual_voice", "round", 0.96),
    ("usual_voice", "teeth", 0.96), ("ordinary", "open", 0.945), ("ordinary", "wide", 0.95),
    ("ordinary", "round", 0.95), ("ordinary", "teeth", 0.94), ("unseen", "open", 0.935), ("unseen", "wide", 0.925),
    ("unseen", "round", 0.92), ("unseen", "teeth", 0.94), ("made_up", "open", 0.915),
]  # fmt: skip


@pytest.mark.parametrize(("voices", "number", "least"), LEAST)
def test_unseen_sentences_are_followed_without_lag(
    figures: dict[str, Any], voices: str, number: str, least: float
) -> None:
    found = figures[voices][number]
    assert found["r"] >= least, found
    assert found["lag"] == 0, found


@pytest.mark.parametrize(("voices", "least"), [("usual_voice", 0.95), ("ordinary", 0.9), ("unseen", 0.9)])
def test_lips_meet_on_p_b_m_and_not_on_open_vowels(figures: dict[str, Any], voices: str, least: float) -> None:
    found = figures[voices]
    assert found["shut_on_pbm"]["0.1"] >= least, found
    assert found["shut_elsewhere_wanted_open"] < 0.05, found


def test_the_mouth_is_still_where_nobody_speaks(figures: dict[str, Any]) -> None:
    moved = figures["most_movement_without_speech"]
    assert {level: most for level, most in moved.items() if most > 0.02} == {}


def test_the_judged_sentences_are_not_the_trained_ones() -> None:
    sys.path.insert(0, str(RECIPE))
    try:
        import sentences
        import voices
    finally:
        sys.path.remove(str(RECIPE))
    assert not set(voices.UNSEEN) & set(voices.VARIANTS)
    assert voices.UNSEEN_PERSON not in voices.PEOPLE
    rng, words = np.random.default_rng(0), sentences.dictionary()
    made = {sentences.sentence(rng, words, "en-us") for _ in range(2000)}
    assert not {text.lower().strip(".") for text in made} & {text.lower().strip(".") for text in sentences.HELD_OUT}


def test_the_weights_are_small() -> None:
    assert (RECIPE / "mouth.npz").stat().st_size <= 500_000


SOUND = np.convolve(np.random.default_rng(5).normal(0, 0.2, 24_000), np.ones(5) / 5) * np.sin(np.arange(24_004) / 900)
COLUMNS = mel(SOUND)


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=12), st.integers(0, 45))
def test_in_pieces_it_sees_exactly_the_same(lengths: list[int], frames: int) -> None:
    columns = COLUMNS[: sum(lengths)]
    whole, pieces = MouthNetwork(), MouthNetwork()
    at, out = 0, []
    for length in lengths:
        out += pieces.feed(columns[at : at + length])
        at += length
    expected = whole.feed(columns)
    assert len(out) == len(expected)
    out += pieces.finish(columns[at:], frames)
    expected += whole.finish(columns[:0], frames)
    assert len(expected) >= frames
    assert np.array_equal(np.array(out), np.array(expected))


def test_nothing_is_drawn_out_of_silence() -> None:
    tracker = MouthTracker()
    shapes = [shape for _ in range(50) for shape in tracker.feed(np.zeros(1920, np.int16))] + tracker.finish()
    assert shapes == [REST] * 50


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut short", b"\x93NUMPY not an archive"])
def test_broken_weights_are_named(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if content is not None:
        (tmp_path / "mouth.npz").write_bytes(content)
    monkeypatch.setattr(network, "WEIGHTS", tmp_path / "mouth.npz")
    network._layer.cache_clear()
    with pytest.raises(StageFailed, match=r"mouth\.npz cannot be read"):
        MouthTracker()
