"""The bridge at a real broker: what is told, what is obeyed, what is refused."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from broker import Broker, Listener
from mqtt import at, bridged, broker, listener, online, until

from avatard.plugins.mqtt.publications import Publications
from avatard.runtime.config import Configuration

__all__ = ["broker", "listener"]

Scripted = Callable[..., Configuration]
SLOW = {"display": {"platform": "scripted"}, "tts": {"platform": "scripted", "seconds_per_word": 0.1}}


async def test_what_is_retained_and_what_is_not(scripted: Scripted, broker: Broker, listener: Listener) -> None:
    async with bridged(scripted(**at(broker))) as (house, _):
        await online(listener)
        listener.publish("avatard/test/ask/set", "hello")
        await until(listener, "avatard/test/turn")
        await until(listener, "avatard/test/health")
        await until(listener, "avatard/test/state", lambda m: m.text == "idle")
        kept = await asyncio.to_thread(broker.retained)
    assert kept["avatard/test/availability"] == b"online" and kept["avatard/test/state"] == b"idle"
    assert {"mute", "volume", "attributes", "version"} <= {t.rsplit("/", 1)[1] for t in kept}
    assert "homeassistant/device/avatard_test/config" in kept
    assert not {t for t in kept if t.rsplit("/", 1)[1] in ("wake", "transcript", "reply", "turn", "problem", "health")}
    assert not {t for t in kept if t.endswith("/set")}
    attributes = json.loads(kept["avatard/test/attributes"])
    assert attributes.keys() >= {"session", "turn", "muted", "volume", "face", "renderer", "encoder", "tier"}
    assert (await asyncio.to_thread(broker.retained))["avatard/test/availability"] == b"offline"
    assert house.door.household is None


async def test_a_conversation_is_told(scripted: Scripted, broker: Broker, listener: Listener) -> None:
    script = [{"silence": 2.0}, {"wake": "okay_nabu"}, {"silence": 0.3}, {"say": "hello"}, {"silence": 1.0}]
    microphone, display = {"platform": "scripted", "script": script}, {"platform": "scripted"}
    async with bridged(scripted(microphone=microphone, display=display, **at(broker))):
        await online(listener)
        turn = (await until(listener, "avatard/test/turn")).json()
    assert (turn["source"], turn["heard"], turn["reply"]) == ("microphone", "hello", "You said: hello.")
    assert turn["ms"].keys() >= {"speech_end_to_transcript", "speech_end_to_first_frame", "total"}
    wake, transcript, reply = (listener.of(f"avatard/test/{t}")[0].json() for t in ("wake", "transcript", "reply"))
    assert wake == {"event_type": "wake", "phrase": "okay_nabu", "score": 1.0}
    assert transcript == {"event_type": "transcript", "text": "hello"}
    assert reply == {"event_type": "reply", "turn": turn["turn"], "text": "You said: hello."}
    states = [m.text for m in listener.of("avatard/test/state")]
    assert [s for s in states if s != "idle"] == ["listening", "processing", "responding"], states


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("payload", ["Dinner is ready.", '{"text": "Dinner is ready.", "session": "kitchen"}'])
async def test_say(scripted: Scripted, broker: Broker, listener: Listener, payload: str, protocol: str) -> None:
    async with bridged(scripted(**at(broker, protocol=protocol))):
        await online(listener)
        listener.publish("avatard/test/say/set", payload)
        turn = (await until(listener, "avatard/test/turn")).json()
    assert (turn["source"], turn["reply"], turn["error"]) == ("mqtt", "Dinner is ready.", "")
    assert listener.of("avatard/test/reply")[0].json()["text"] == "Dinner is ready."


async def test_a_command_is_answered_where_it_asks_for_it(
    scripted: Scripted, broker: Broker, listener: Listener
) -> None:
    async with bridged(scripted(**at(broker))):
        await online(listener)
        for command, payload, number in (("say", "Hello", b"1"), ("volume", "300", b"2"), ("mute", "ON", b"3")):
            listener.publish(f"avatard/test/{command}/set", payload, respond="me/answers", correlation=number)
        answers = {}
        for number in (b"1", b"2", b"3"):
            answer = await until(
                listener, "me/answers", lambda m, number=number: m.properties.get("CorrelationData") == number
            )
            answers[number] = answer.json()
    assert answers[b"1"]["ok"] is True and answers[b"1"]["turn"] > 0
    assert answers[b"2"] == {"ok": False, "error": "'300': give a number from 0 to 100"}
    assert answers[b"3"] == {"ok": True}


@pytest.mark.parametrize("topic", [
    "avatard/test/stop/set", "avatard/other/restart/set", "avatard/test/state", "homeassistant/device/x/config",
    "homeassistant/status", "$SYS/x", "a/+/b", "a/#",
])  # fmt: skip
async def test_an_answer_never_becomes_a_command(
    scripted: Scripted, broker: Broker, listener: Listener, topic: str
) -> None:
    async with bridged(scripted(**at(broker))):
        await online(listener)
        listener.publish("avatard/test/mute/set", "OFF", respond=topic)
        listener.publish("avatard/test/mute/set", "OFF", respond="me/answers")
        await until(listener, "me/answers")
    assert [m.topic for m in listener.messages if b'"ok"' in m.payload] == ["me/answers"]


async def test_many_retained_commands_are_all_cleared_and_none_is_held_for_an_echo(
    scripted: Scripted, broker: Broker, listener: Listener
) -> None:
    async with bridged(scripted(**at(broker, protocol="3.1.1", queue=5))) as (house, _):
        await online(listener)
    for number in range(300):
        listener.publish(f"avatard/test/x{number}/set", "boo", retain=True, wait=number == 299)
    listener.publish("avatard/test/stop/set", "x", retain=True)
    async with bridged(scripted(**SLOW, **at(broker, protocol="3.1.1", queue=5))) as (house, _):
        await until(listener, "avatard/test/+/set", lambda m: m.topic.endswith("x299/set") and not m.payload)
        await until(listener, "avatard/test/stop/set", lambda m: not m.payload)
        assert await asyncio.to_thread(broker.retained, "avatard/test/+/set") == {}
        ticket = await house.door.say("one two three four five six seven eight nine ten")
        listener.publish("avatard/test/stop/set", "")
        assert (await ticket.finished).interrupted


async def test_a_packet_that_would_fill_the_memory_never_comes(
    scripted: Scripted, broker: Broker, listener: Listener
) -> None:
    async with bridged(scripted(**at(broker))):
        await online(listener)
        listener.publish("avatard/test/say/set", b"x" * 3_000_000, respond="me/a", correlation=b"large")
        listener.publish("avatard/test/say/set", b"x" * 1_000_000, respond="me/a", correlation=b"small")
        answer = await until(listener, "me/a")
    assert answer.properties["CorrelationData"] == b"small" and "at most 65536" in answer.json()["error"]


async def test_an_error_stays_short(scripted: Scripted, broker: Broker, listener: Listener) -> None:
    async with bridged(scripted(**at(broker))):
        await online(listener)
        listener.publish("avatard/test/say/set", json.dumps({f"k{number}": 1 for number in range(5000)}))
        listener.publish(f"avatard/test/{'x' * 60_000}/set", "hello")
        problems = [await until(listener, "avatard/test/problem", lambda m, w=w: w in m.text) for w in ("k0", "xxx")]
    assert all(len(problem.payload) < 1000 for problem in problems)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_retained_command_is_refused_and_cleared(
    scripted: Scripted, broker: Broker, listener: Listener, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    for command in ("say", "restart", "mute"):
        listener.publish(f"avatard/test/{command}/set", "ON", retain=True)
    async with bridged(scripted(**at(broker, protocol=protocol))) as (house, _):
        await online(listener)
        for command in ("say", "restart", "mute"):
            where = f"{command}/set"
            await until(listener, "avatard/test/problem", lambda m, where=where: m.json()["where"] == where)
        await asyncio.sleep(0.5)
        assert not house.door.muted
        kept = await asyncio.to_thread(broker.retained, "avatard/test/+/set")
        problems = listener.of("avatard/test/problem")
    assert kept == {} and len(problems) == 3, problems
    assert not listener.of("avatard/test/turn")
    assert caplog.text.count("retained command is refused and cleared") == 3


async def test_commands_queued_while_it_was_away_are_never_obeyed(
    scripted: Scripted, broker: Broker, listener: Listener
) -> None:
    mqtt = at(broker, client_id="the-box")
    with Listener(broker, "avatard/test/+/set", id="the-box", mqtt5=False):
        pass
    async with bridged(scripted(**mqtt)):
        await online(listener)
    for number in range(3):
        listener.publish("avatard/test/say/set", f"late {number}", qos=1)
    listener.clear()
    async with bridged(scripted(**mqtt)):
        await online(listener)
        await asyncio.sleep(0.5)
    assert not listener.of("avatard/test/turn") and not listener.of("avatard/test/reply")


async def test_settings_are_mirrored(scripted: Scripted, broker: Broker, listener: Listener) -> None:
    configuration = scripted(
        **at(broker), tts={"platform": "scripted", "voices": ["anna", "bert"]},
        display={"platform": "scripted", "pace": "fast", "screen": True},
    )  # fmt: skip
    async with bridged(configuration) as (house, _):
        await online(listener)
        for name, value in (("mute", "ON"), ("volume", "35"), ("voice", "bert"), ("screen", "OFF")):
            listener.publish(f"avatard/test/{name}/set", value)
            await until(listener, f"avatard/test/{name}", lambda m, value=value: m.text == value)
        status = house.door.status()
        assert (status.muted, status.volume, status.voice, status.screen) == (True, 35, "bert", False)
        await house.door.mute(False)
        await house.door.set_volume(80)
        await until(listener, "avatard/test/volume", lambda m: m.text == "80")
        await until(listener, "avatard/test/mute", lambda m: m.text == "OFF" and m.at > 0)
        listener.publish("avatard/test/voice/set", "carl")
        problem = (await until(listener, "avatard/test/problem")).json()
    assert problem["what"] == "there is no voice 'carl'; there are anna, bert"


BAD: list[tuple[str, bytes, str]] = [
    ("say", b"\xff\xfe\x00", "not UTF-8"),
    ("say", b'{"text": "a"', "not JSON"),
    ("say", b'{"text": "a", "loud": true}', "'loud': unknown key"),
    ("say", b'{"text": 7}', "'text': input should be a valid string"),
    ("say", b'{"text": "a", "volume": 101}', "'volume': input should be less than or equal to 100"),
    ("say", b'{"text": "a", "interrupt": "yes"}', "'interrupt': input should be a valid boolean"),
    ("say", b'{"session": "a"}', "'text': field required"),
    ("say", b"a\x07b", "control character U+0007 at position 1"),
    ("say", b'{"text": "a\\u0000b"}', "control character U+0000"),
    ("say", b"...", "no words"),
    ("say", b"", "no words"),
    ("say", b"word " * 2000, "at most 5000"),
    ("say", b"a" * 1_000_000, "1000000 bytes; at most 65536"),
    ("say", b'{"a":' * 9000, "not JSON"),
    ("ask", b'{"text": "a", "interrupt": true}', "unknown key"),
    ("mute", b"maybe", "give ON or OFF"),
    ("volume", b"nan", "number from 0 to 100"),
    ("volume", b"1e999", "number from 0 to 100"),
    ("screen", b"ON", "no display has a screen"),
    ("face", b"zeus", "there is no face 'zeus'"),
    ("nonsense", b"x", "unknown command"),
    ("reload", b"", "does not run from a file"),
    ("restart", b"", "nobody can start"),
]


async def test_bad_payloads_are_told_and_change_nothing(
    scripted: Scripted, broker: Broker, listener: Listener
) -> None:
    async with bridged(scripted(**at(broker, commands_per_second=1000))) as (house, _):
        await online(listener)
        before = house.door.status()
        for command, payload, words in BAD:
            listener.clear()
            listener.publish(f"avatard/test/{command}/set", payload)
            problem = (await until(listener, "avatard/test/problem")).json()
            assert problem["where"] == f"{command}/set" and words in problem["what"], problem
        after = house.door.status()
        assert (before.muted, before.volume, before.problems) == (after.muted, after.volume, after.problems)
        assert not listener.of("avatard/test/turn")
        listener.publish("avatard/test/say/set", "Still here.")
        assert (await until(listener, "avatard/test/turn")).json()["reply"] == "Still here."


async def test_a_flood_is_refused_and_stop_is_obeyed_at_once(
    scripted: Scripted, broker: Broker, listener: Listener
) -> None:
    async with bridged(scripted(**SLOW, **at(broker))) as (house, _):
        await online(listener)
        for number in range(300):
            listener.publish("avatard/test/say/set", f"one two three {number}", respond="me/a", wait=False)
        await until(listener, "avatard/test/state", lambda m: m.text == "responding")
        listener.publish("avatard/test/stop/set", "")
        interrupted = (await until(listener, "avatard/test/turn", lambda m: m.json()["interrupted"])).json()
        await until(listener, "me/a", lambda m: len(listener.of("me/a")) >= 300, seconds=30)
        answers = [m.json() for m in listener.of("me/a")]
        assert house.place.current is None or house.place.queued == 0
    assert interrupted["interrupted"]
    refused = [a["error"] for a in answers if not a["ok"]]
    assert len(refused) > 200 and all("wait already" in e or "too many" in e for e in refused), refused[:3]


async def test_the_box_lives_without_a_broker(scripted: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    async with bridged(scripted(mqtt={"host": "127.0.0.1", "port": 9})) as (house, _):
        assert (await (await house.door.say("Hello.")).finished).reply == "Hello."
        for _ in range(100):
            await asyncio.sleep(0.05)
            if "mqtt" in house.door.status().problems:
                break
        assert "Connection refused" in house.door.status().problems["mqtt"]
        await asyncio.sleep(1.5)
    assert caplog.text.count("127.0.0.1:9") == 1, caplog.text


async def test_discovery_is_withdrawn(scripted: Scripted, broker: Broker, listener: Listener) -> None:
    topic = "homeassistant/device/avatard_test/config"
    async with bridged(scripted(**at(broker))) as (house, bridges):
        await online(listener)
        assert topic in await asyncio.to_thread(broker.retained)
        await bridges.become(scripted(**at(broker, discovery=False)))
        await until(listener, topic, lambda m: m.payload == b"")
        await bridges.become(scripted(**at(broker)))
        await until(listener, topic, lambda m: m.payload != b"")
        await bridges.become(scripted())
        kept = await asyncio.to_thread(broker.retained)
        assert kept == {}, kept
        assert (await (await house.door.say("Still here.")).finished).reply == "Still here."


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("retain", [False, True], ids=["said", "retained"])
async def test_home_assistants_birth(
    scripted: Scripted, broker: Broker, listener: Listener, monkeypatch: pytest.MonkeyPatch, retain: bool, protocol: str
) -> None:
    monkeypatch.setattr("avatard.plugins.mqtt.bridge.BIRTH_DELAY", (0.1, 0.2))
    async with bridged(scripted(**at(broker, protocol=protocol))):
        await online(listener)
        await until(listener, "avatard/test/health")
        listener.clear()
        listener.publish("homeassistant/status", "online", retain=retain)
        for topic in ("homeassistant/device/avatard_test/config", "avatard/test/state", "avatard/test/health"):
            await until(listener, topic)


async def test_what_an_earlier_avatard_had_is_forgotten(
    scripted: Scripted, broker: Broker, listener: Listener
) -> None:
    topic = "homeassistant/device/avatard_test/config"
    old = {"components": {"lamp": {"platform": "light"}, "state": {"platform": "sensor"}}}
    listener.publish(topic, json.dumps(old), retain=True)
    async with bridged(scripted(**at(broker))):
        message = await until(listener, topic, lambda m: m.json().get("components", {}).get("lamp") == {
            "platform": "light"} and "device" in m.json())  # fmt: skip
        assert message.json()["components"]["state"]["platform"] == "sensor"


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_our_own_description_is_not_an_earlier_one(
    scripted: Scripted, broker: Broker, listener: Listener, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    found: list[bytes] = []
    usual = Publications.found
    monkeypatch.setattr(Publications, "found", lambda self, payload: found.append(payload) or usual(self, payload))
    topic = "homeassistant/device/avatard_test/config"
    old = json.dumps({"components": {"lamp": {"platform": "light"}}})
    listener.publish(topic, old, retain=True)
    async with bridged(scripted(**at(broker, protocol=protocol))) :
        await until(listener, topic, lambda m: "device" in m.json() and "lamp" in m.json()["components"])
        await until(listener, topic, lambda m: "device" in m.json() and "lamp" not in m.json()["components"])
        listener.publish("avatard/test/say/set", "This comes after it.")
        await until(listener, "avatard/test/turn")
    assert found == [old.encode()]


async def test_two_avatards_side_by_side(scripted: Scripted, broker: Broker, listener: Listener) -> None:
    async with bridged(scripted(name="Den", **at(broker))), bridged(scripted(name="Hall", **at(broker))):
        await online(listener, "den")
        await online(listener, "hall")
        listener.publish("avatard/hall/say/set", "In the hall.")
        assert (await until(listener, "avatard/hall/turn")).json()["reply"] == "In the hall."
        kept: dict[str, Any] = await asyncio.to_thread(broker.retained, "homeassistant/#")
    ids = [json.loads(p)["device"]["identifiers"] for p in kept.values()]
    assert sorted(ids) == [["avatard_den"], ["avatard_hall"]]
    assert not listener.of("avatard/den/turn")


async def test_two_with_one_id_are_told(scripted: Scripted, broker: Broker, listener: Listener) -> None:
    async with bridged(scripted(**at(broker))) as (house, _):
        await online(listener)
        listener.clear()
        async with bridged(scripted(**at(broker))):
            await online(listener)
            await asyncio.sleep(0.3)
            assert "does another avatard use avatard/test" in house.door.status().problems["mqtt"]


logging.getLogger("avatard").setLevel(logging.INFO)


async def test_timers_can_be_read(scripted: Scripted, broker: Broker, listener: Listener) -> None:
    async with bridged(scripted(**at(broker))) as (house, _):
        await online(listener)
        await house.door.set_timer(600, "pizza")
        await house.door.set_timer(60, "tea")
        kept = (await until(listener, "avatard/test/timers", lambda m: "tea" in m.text)).json()
        assert [t["name"] for t in kept["timers"]] == ["tea", "pizza"] and kept["next"] == kept["timers"][0]["ends"]
        left = datetime.datetime.fromisoformat(kept["next"]) - datetime.datetime.now(datetime.UTC)
        assert 40 < left.total_seconds() < 61
        listener.clear()
        await house.door.cancel_timer(name="tea")
        await house.door.cancel_timer(name="pizza")
        await until(listener, "avatard/test/timers", lambda m: m.text and m.json() == {"next": None, "timers": []})
        kept = await asyncio.to_thread(broker.retained)
    assert json.loads(kept["avatard/test/timers"])["timers"] == []
