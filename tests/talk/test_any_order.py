"""Whatever is done, in whatever order and at whatever moment: it comes to rest, and tells nothing but the truth."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from callers import DEEDS as CALLS
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from simulation import simulated
from troubled import do, judged, serves, settled, troubled

from avatard.runtime.config import Configuration

STAGES = ("microphone", "wake_word", "vad", "stt", "conversation", "tts", "render", "display")
FAULTS = ("fail", "absent", "memory", "bug", "stall")
moments = st.sampled_from((0.0, 0.0, 0.01, 0.03, 0.1, 0.3, 0.7, 1.3, 2.1, 4.0, 9.0))
callers = st.integers(1, 2)
deeds = st.one_of(
    st.tuples(st.sampled_from(("wake", "request", "speak", "listen", "stop", "reload", "cancel_timer")), st.just({})),
    st.tuples(st.just("request"), st.just({})),
    st.tuples(st.just("say"), st.fixed_dictionaries({"length": st.integers(1, 5)}, optional={
        "interrupt": st.booleans(), "priority": st.integers(-1, 20), "volume": st.integers(0, 100)})),
    st.tuples(st.just("ask"), st.fixed_dictionaries({"session": st.sampled_from(("room", "anna", "bert"))})),
    st.tuples(st.just("mute"), st.fixed_dictionaries({"on": st.booleans()})),
    st.tuples(st.just("volume"), st.fixed_dictionaries({"percent": st.integers(0, 100)})),
    st.tuples(st.just("set_timer"), st.fixed_dictionaries({"seconds": st.integers(1, 12)})),
    st.tuples(st.just("add_to_timer"), st.fixed_dictionaries({"seconds": st.integers(-5, 20)})),
    st.tuples(st.just("visitor"), st.fixed_dictionaries({"which": callers, "what": st.sampled_from(CALLS)})),
    st.tuples(st.just("leave"), st.fixed_dictionaries({"which": callers})),
    st.tuples(st.just("fault"), st.fixed_dictionaries({"stage": st.sampled_from(STAGES),
                                                       "kind": st.sampled_from(FAULTS)})),
)  # fmt: skip
stories = st.lists(st.tuples(deeds, moments), min_size=6, max_size=24)


async def live(configuration: Configuration, story: list[Any]) -> list[str]:
    """Go through the story, let it come to rest, and return what was wrong."""
    async with troubled(configuration) as house:
        for (name, arguments), pause in story:
            await do(house, name, arguments)
            await asyncio.sleep(pause)
        await settled(house)
        await serves(house)
        wrong = judged(house.world)
    if house.world.microphones:
        wrong.append("a microphone was left open")
    left = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    return wrong + [f"left behind: {name}" for name in left]


def check(configuration: Configuration, story: list[Any]) -> None:
    gc.collect()  # what earlier tests and stories have left must not go away, and be counted, during this one
    files, threads = psutil.Process().num_fds(), threading.active_count()
    wrong = simulated(live(configuration, story))
    assert wrong == [], "\n".join(wrong)
    left = threading.active_count() - threads, psutil.Process().num_fds() - files
    assert left == (0, 0), left


@pytest.fixture
def configuration(scripted: Callable[..., Configuration]) -> Configuration:
    return scripted(
        display={"platform": "scripted"}, tts={"platform": "scripted", "seconds_per_word": 0.2}, echo="none",
        memory={"cache_mb": 0}, sessions={"history": 100},
    )  # fmt: skip


shared = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@pytest.mark.parametrize("part", (1, 2, 3, 4))
def test_in_any_order(configuration: Configuration, part: int) -> None:
    @seed(part)
    @settings(shared, max_examples=5, database=None)
    @given(stories)
    def lived(story: list[Any]) -> None:
        check(configuration, story)

    lived()


@pytest.mark.long
@settings(shared, max_examples=int(os.environ.get("AVATARD_STORIES", "3000")))
@given(st.lists(st.tuples(deeds, moments), min_size=1, max_size=60))
def test_in_any_order_for_long(configuration: Configuration, story: list[Any]) -> None:
    check(configuration, story)
