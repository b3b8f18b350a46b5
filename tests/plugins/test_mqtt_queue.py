"""The queue of announcements as those who send them over MQTT see it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from broker import Broker, Listener
from mqtt import at, bridged, broker, listener, online, until

from avatard.api.flow import WakeDetected
from avatard.runtime.config import Configuration
from avatard.runtime.house import House
from avatard.talk.streams import Hearing

__all__ = ["broker", "listener"]

Scripted = Callable[..., Configuration]
SLOW: dict[str, Any] = {"tts": {"platform": "scripted", "seconds_per_word": 0.3}, "display": {"platform": "scripted"}}
LONG = "one two three four five six seven eight nine ten"


async def say(listener: Listener, text: str, **more: Any) -> int:
    """Say it over MQTT; return the turn that the answer names."""
    number = text.encode()
    payload = json.dumps({"text": text, **more})
    listener.publish("avatard/test/say/set", payload, respond="me/answers", correlation=number)
    answer = await until(listener, "me/answers", lambda m: m.properties.get("CorrelationData") == number)
    assert answer.json()["ok"], answer
    return int(answer.json()["turn"])


async def end_of(listener: Listener, turn: int) -> dict[str, Any]:
    """What the ``turn`` event says of it."""
    event: dict[str, Any] = (
        await until(listener, "avatard/test/turn", lambda m: m.json()["turn"] == turn, seconds=20)
    ).json()
    return event


async def heard(house: House, seconds: float = 0.3) -> None:
    """Return when something of the answer in progress was heard."""
    async with asyncio.timeout(10):
        while house.place.state != "responding" or house.place.displays.shown < seconds:
            await asyncio.sleep(0.02)


async def test_an_interrupt_tells_the_one_that_it_ends_and_goes_before_what_waits(
    scripted: Scripted, broker: Broker, listener: Listener
) -> None:
    async with bridged(scripted(**SLOW, **at(broker))) as (house, _):
        await online(listener)
        first = await say(listener, LONG)
        waits = await say(listener, "Later.")
        await heard(house)
        urgent = await say(listener, "Fire.", interrupt=True)
        ends = [await end_of(listener, turn) for turn in (first, urgent, waits)]
        order = [m.json()["turn"] for m in listener.of("avatard/test/turn")]
    assert [(e["interrupted"], e["error"]) for e in ends] == [(True, ""), (False, ""), (False, "")], ends
    assert order == [first, urgent, waits]
    assert LONG.startswith(ends[0]["reply"]) and ends[0]["reply"] not in ("", LONG), ends[0]


async def test_the_more_urgent_goes_first_and_the_older_of_two(
    scripted: Scripted, broker: Broker, listener: Listener
) -> None:
    async with bridged(scripted(**SLOW, **at(broker))) as (_, _):
        await online(listener)
        first = await say(listener, "one two three four five six")
        later = [await say(listener, f"{name}.", priority=priority)
                 for name, priority in (("a", 0), ("b", 5), ("c", -5), ("d", 5), ("e", 0))]  # fmt: skip
        for turn in later:
            await end_of(listener, turn)
        order = [m.json()["reply"] for m in listener.of("avatard/test/turn")]
        assert listener.of("avatard/test/turn")[0].json()["turn"] == first
    assert order[1:] == ["b.", "d.", "a.", "e.", "c."], order


async def test_a_person_ends_an_announcement_and_its_sender_is_told(
    scripted: Scripted, broker: Broker, listener: Listener
) -> None:
    async with bridged(scripted(**SLOW, **at(broker))) as (house, _):
        await online(listener)
        first, waits = await say(listener, LONG), await say(listener, "Later.")
        await heard(house)
        hearing = Hearing()
        await house.place.wake(WakeDetected("okay_nabu", 1.0, 0.0), hearing)
        told = await end_of(listener, first)
        assert house.place.state == "listening" and house.place.queued == 1
        hearing.end()
        assert (await end_of(listener, waits))["reply"] == "Later."
        replies = [m.json()["turn"] for m in listener.of("avatard/test/turn")]
    assert told["interrupted"] and LONG.startswith(told["reply"]) and told["reply"] != LONG, told
    assert replies == [first, waits], "what was interrupted is not said again"


async def test_a_stop_drops_what_waits_and_every_sender_is_told(
    scripted: Scripted, broker: Broker, listener: Listener
) -> None:
    async with bridged(scripted(**SLOW, **at(broker))) as (house, _):
        await online(listener)
        turns = [await say(listener, text) for text in (LONG, "Second.", "Third.")]
        await heard(house)
        listener.publish("avatard/test/stop/set", "")
        ends = [await end_of(listener, turn) for turn in turns]
        assert house.place.queued == 0
    assert all(end["interrupted"] for end in ends), ends
    assert [end["error"] for end in ends] == ["", *["stopped before it began"] * 2]
    assert [end["reply"] for end in ends[1:]] == ["", ""]


async def test_a_queue_that_is_full_says_so(scripted: Scripted, broker: Broker, listener: Listener) -> None:
    async with bridged(scripted(**SLOW, **at(broker), sessions={"max_queue": 1})) as (house, _):
        await online(listener)
        await say(listener, LONG)
        await say(listener, "Waits.")
        listener.publish("avatard/test/say/set", "One too many.", respond="me/answers", correlation=b"x")
        answer = await until(listener, "me/answers", lambda m: m.properties.get("CorrelationData") == b"x")
        assert house.place.queued == 1
    assert answer.json() == {"ok": False, "error": "1 announcements wait already (sessions: max_queue)"}
