"""Cutting: sample-exact at any piece size; the 16 kHz copy is the same streamed as in one go."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatard.api.flow import FRAME_SAMPLES, Samples, Sentence, SpeechAudio
from avatard.face.cut import Decimator, blocks

FIRST, SECOND = Sentence("One.", 0), Sentence("Two.", 1)


def noise(count: int, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).integers(-9000, 9000, count).astype(np.int16)


async def pieces(*parts: tuple[Sentence, Samples]) -> AsyncGenerator[SpeechAudio, None]:
    for sentence, audio in parts:
        yield SpeechAudio(sentence, audio, 48_000, True)


@given(st.lists(st.integers(0, 5000), max_size=8))
async def test_nothing_is_lost_and_the_last_block_is_padded(lengths: list[int]) -> None:
    parts = [(FIRST, noise(length, seed)) for seed, length in enumerate(lengths)]
    cut = [audio async for audio, _ in blocks(pieces(*parts))]
    spoken = np.concatenate([audio for _, audio in parts] or [noise(0)])
    together = np.concatenate([*cut, noise(0)])
    assert all(len(audio) == FRAME_SAMPLES and audio.dtype == np.int16 for audio in cut)
    assert len(cut) == -(-len(spoken) // FRAME_SAMPLES)
    assert np.array_equal(together[: len(spoken)], spoken)
    assert not together[len(spoken) :].any()


async def test_a_block_belongs_to_the_sentence_of_its_first_sample() -> None:
    cut = [owner async for _, owner in blocks(pieces((FIRST, noise(2000)), (SECOND, noise(3000))))]
    assert cut == [FIRST, FIRST, SECOND]


async def test_no_speech_gives_no_block() -> None:
    assert [block async for block in blocks(pieces())] == []


async def test_closing_it_closes_the_speech() -> None:
    closed = False

    async def speech() -> AsyncGenerator[SpeechAudio, None]:
        nonlocal closed
        try:
            while True:
                yield SpeechAudio(FIRST, noise(FRAME_SAMPLES), 48_000, False)
        finally:
            closed = True

    cut = blocks(speech())
    await anext(cut)
    await cut.aclose()
    assert closed


@given(st.lists(st.integers(0, 900), min_size=1, max_size=12))
def test_streamed_or_at_once_the_16_khz_copy_is_the_same(lengths: list[int]) -> None:
    sound = noise(sum(lengths))
    whole, stream, at = Decimator().feed(sound), Decimator(), 0
    out = []
    for length in lengths:
        out.append(stream.feed(sound[at : at + length]))
        at += length
    assert len(whole) == -(-len(sound) // 3)
    assert np.array_equal(np.concatenate(out), whole)


@pytest.mark.parametrize(("hertz", "low", "high"), [(300, 0.99, 1.01), (5000, 0.97, 1.01), (9500, 0.0, 0.01)])
def test_what_would_fold_back_is_taken_out(hertz: int, low: float, high: float) -> None:
    tone = (16384 * np.sin(2 * np.pi * hertz * np.arange(48_000) / 48_000)).astype(np.int16)
    heard = Decimator().feed(tone)[200:-200]
    assert low <= np.sqrt(2) * np.std(heard) * 2 <= high


def test_it_is_late_by_what_it_says() -> None:
    click = np.zeros(3000, np.int16)
    click[1500] = 30_000
    assert int(np.argmax(Decimator().feed(click))) == 500 + Decimator.delay
