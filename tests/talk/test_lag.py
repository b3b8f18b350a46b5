"""First words are heard: silence before an answer where an amplifier swallows its beginning, and late sound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatard.api.flow import FPS, FRAME_SAMPLES, LISTEN_RATE, SPEECH_RATE, AudioFrame, VideoFrame
from avatard.runtime.config import ConfigProblems, Configuration, from_mapping, load
from avatard.runtime.config.schema import json_schema
from avatard.runtime.house import open_house
from avatard.talk import lag
from avatard.talk.displays import Displays
from avatard.talk.guests import Guests
from avatard.talk.lag import Lag
from avatard.talk.played import Played
from avatard.talk.ranking import Ranking


class Amplifier:
    """A display whose first 300 ms after a quiet time nobody hears."""

    accepts = "frames"
    pictures = True
    swallows = 0.3

    def __init__(self) -> None:
        self.shown = 0.0
        self.frames: list[VideoFrame] = []
        self.heard: list[float] = []
        """The answer's own samples that came out: each frame's first."""
        self.clock: Callable[[], float] | None = None
        self.asleep = True

    async def play(self, stream: AsyncIterator[VideoFrame]) -> None:
        self.shown, self.frames = 0.0, []
        swallows = round(self.swallows * FPS) if self.asleep else 0
        async for frame in stream:
            self.frames.append(frame)
            if len(self.frames) > swallows and frame.audio.any():
                self.heard.append(int(frame.audio[0]))
            self.shown = frame.pts + 1 / FPS
        self.asleep = False

    def follow(self, shown: Callable[[], float] | None) -> None:
        self.clock = shown

    async def chime(self, sound: Any) -> None: ...

    def set_volume(self, percent: int) -> None: ...


async def answer(count: int) -> AsyncIterator[VideoFrame]:
    """Frames whose sound and picture are their number, from 1 on."""
    for index in range(count):
        await asyncio.sleep(0)
        picture = np.full((2, 2, 3), index + 1, np.uint8)
        yield VideoFrame(picture, np.full(FRAME_SAMPLES, index + 1, np.int16), index / FPS)


def displays(*pairs: tuple[Amplifier, Lag]) -> Displays:
    sinks: Any = [(f"sink {n}", sink) for n, (sink, _) in enumerate(pairs)]
    return Displays(sinks, Ranking("encoder", []), Guests(), [one for _, one in pairs])


def pictures(sink: Amplifier) -> list[int | None]:
    return [None if f.pixels is None else int(f.pixels[0, 0, 0]) for f in sink.frames]


async def test_without_a_lead_in_the_first_words_are_swallowed_and_with_one_they_are_heard() -> None:
    bare, led = Amplifier(), Amplifier()
    await displays((bare, Lag())).play(answer(25), lambda: None)
    assert len(bare.heard) == 25 - 7 or len(bare.heard) == 25 - 8, bare.heard
    await displays((led, Lag(lead_in=0.32))).play(answer(25), lambda: None)
    assert led.heard == list(range(1, 26)), led.heard


async def test_the_lead_in_counts_neither_as_the_answer_nor_as_its_first_frame() -> None:
    one, first = Amplifier(), []
    both = displays((one, Lag(lead_in=0.4)))
    await both.play(answer(5), lambda: first.append(len(one.frames)))
    assert len(one.frames) == 15 and [f.pts for f in one.frames] == pytest.approx([i / FPS for i in range(15)])
    assert not any(f.audio.any() for f in one.frames[:10])
    assert pictures(one) == [1, *[None] * 9, 1, 2, 3, 4, 5], "the face rests meanwhile"
    assert len(first) == 5 and first[0] >= 7, "the first frame was handed over behind the silence"
    assert both.shown == pytest.approx(5 / FPS)


async def test_an_answer_right_after_another_sound_needs_no_lead_in(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Amplifier()
    both = displays((one, Lag(lead_in=0.4)))
    await both.play(answer(5), lambda: None)
    await both.play(answer(5), lambda: None)
    assert len(one.frames) == 5 and both.shown == pytest.approx(5 / FPS)
    at = time.monotonic() + lag.QUIET + 0.1
    monkeypatch.setattr("avatard.talk.lag.time.monotonic", lambda: at)
    assert both.lead_in == 10
    await both.chime(np.zeros(SPEECH_RATE, np.int16))
    assert both.lead_in == 0


async def test_all_displays_share_the_longest_lead_in_so_that_lips_and_sound_stay_together() -> None:
    first, second = Amplifier(), Amplifier()
    both = displays((first, Lag()), (second, Lag(lead_in=0.2)))
    await both.play(answer(5), lambda: None)
    assert [f.pts for f in first.frames] == [f.pts for f in second.frames] and len(first.frames) == 10
    assert second.clock is not None
    assert second.clock() == pytest.approx(10 / FPS) and both.shown == pytest.approx(5 / FPS)


async def test_pictures_wait_for_late_sound_and_nothing_counts_as_heard_before_it_is() -> None:
    late, other = Amplifier(), Amplifier()
    both = displays((late, Lag(delay=0.12)), (other, Lag()))
    await both.play(answer(5), lambda: None)
    assert pictures(late) == [1, None, None, 1, 2, 3, 4, 5], "each picture three frames behind its sound"
    assert [int(f.audio[0]) for f in late.frames] == [1, 2, 3, 4, 5, 0, 0, 0], "it ends when the last is heard"
    assert pictures(other) == [1, 2, 3, 4, 5]
    late.shown = 0.2
    assert both.shown == pytest.approx(0.08)
    assert other.clock is not None and other.clock() == pytest.approx(0.08)


async def test_a_late_display_that_follows_runs_ahead_by_its_delay() -> None:
    first, late = Amplifier(), Amplifier()
    both = displays((first, Lag()), (late, Lag(delay=0.08)))
    await both.play(answer(5), lambda: None)
    first.shown = 0.1
    assert late.clock is not None and late.clock() == pytest.approx(0.18)
    assert both.shown == pytest.approx(0.1)


def test_what_was_played_is_laid_where_a_late_display_lets_it_be_heard() -> None:
    sound = np.zeros(SPEECH_RATE, np.int16)
    sound[: SPEECH_RATE // 10] = 9000

    def loudest(delay: float) -> float:
        played = Played(delay)
        played.add(np.zeros(0, np.int16), 10.0)
        played.add(sound, 10.0)
        found = []
        for index in range(40):
            frame = AudioFrame(np.zeros(400, np.int16), LISTEN_RATE, index / 40, 10.0 + (index + 1) / 40)
            played.heard(frame)
            found.append(int(np.abs(played.during(frame)).max()))
        return next(i for i, loud in enumerate(found) if loud > 4000) / 40

    assert loudest(0.2) - loudest(0.0) == pytest.approx(0.2, abs=0.026)


async def test_an_answer_through_the_whole_house_is_led_in_and_remembered_as_it_was_heard(
    scripted: Callable[..., Configuration],
) -> None:
    configuration = scripted(display={"platform": "scripted", "pace": "fast", "lead_in_ms": 400, "delay_ms": 80})
    async with open_house(configuration) as house:
        ticket = await house.door.ask("hello there")
        report = await ticket.finished
        sink: Any = house.place.displays._own[0][1]
        frames = list(sink.played)
        speaking = [f for f in frames if f.sentence is not None]
    assert report.reply == "You said: hello there." and not report.error
    assert len(frames) == 10 + len(speaking) + 2, "silence, the answer, and two frames until the last is heard"
    assert frames.index(speaking[0]) == 10 and report.frames["count"] == len(speaking)


def test_the_keys_stand_beside_the_platforms_own_and_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "avatard.yaml"
    path.write_text("display:\n  - platform: speaker\n    device: USB\n    lead_in_ms: 400\n    delay_ms: 120\n")
    entry = load(path).stages["display"][0]
    assert (entry.options.device, entry.options.lead_in_ms, entry.options.delay_ms) == ("USB", 400, 120)  # type: ignore[attr-defined]
    path.write_text("display:\n  - platform: speaker\n    lead_in_ms: 9000\n    delay: 3\n")
    with pytest.raises(ConfigProblems) as caught:
        load(path)
    text = str(caught.value)
    assert f"{path}:3: display.0.lead_in_ms: input should be less than or equal to 5000" in text, text
    assert f"{path}:4: display.0.delay: unknown key; did you mean 'delay_ms'?" in text, text
    assert from_mapping({"display": "none"}).stages["display"] == from_mapping({"display": "none"}).stages["display"]
    forms = json_schema()["properties"]["display"]["anyOf"][0]["anyOf"]
    assert all({"lead_in_ms", "delay_ms"} <= form["properties"].keys() for form in forms[1:]), forms
    with pytest.raises(ConfigProblems, match="lead_in_ms"):
        from_mapping({"microphone": {"platform": "sounddevice", "lead_in_ms": 3}})
