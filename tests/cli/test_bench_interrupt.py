"""Interrupts in each moment of an answer by the default engines: each takes hold, and nothing is left of them."""

from __future__ import annotations

import pytest

from avatard.cli.bench_interrupt import MOMENTS, measure

pytestmark = pytest.mark.long


async def test_nothing_is_left_of_an_interrupted_answer() -> None:
    figures = await measure(5 * len(MOMENTS), speaker=False)
    assert figures["interrupts"] >= 4 * len(MOMENTS) and set(figures["ms_by_moment"]) == set(MOMENTS), figures
    before, after = figures["left"]["before"], figures["left"]["after"]
    for kind in ("tasks", "threads", "descriptors", "children"):
        assert after[kind] <= before[kind], (kind, figures)
