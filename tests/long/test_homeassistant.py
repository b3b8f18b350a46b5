"""A real Home Assistant judges what it is told, and uses the real daemon."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from broker import Broker, Listener
from daemon import Daemon
from homeassistant import HomeAssistant, clean, installed, running

from avatard.api.door import Status
from avatard.plugins.mqtt.discovery import device_message, discovery_topic, gone_since

pytestmark = pytest.mark.long

FULL = Status(
    state="idle", muted=False, volume=60, turn=None, queued=0, uptime_s=1.0, voice="en-us", voices=("en-us", "fr"),
    face="fox", faces=("fox", "owl"), screen=True,
)  # fmt: skip
HEALTH = {
    "memory_mb": 151.5, "budget_mb": 400, "tier": "tidy", "fps": 25.0, "latency_ms": None, "lag_ms": 1, "uptime_s": 7,
    "drops": 0, "temperature_c": 48.2, "stuck": [], "problem": "ON", "problems": {"microphone": "unplugged"},
}  # fmt: skip
JUDGE = """
import asyncio, importlib, json, sys
import voluptuous as vol
from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA
from homeassistant.core import HomeAssistant
from homeassistant.helpers import frame

def verdict(payload):
    found = {}
    try:
        DEVICE_DISCOVERY_SCHEMA(payload)
    except vol.Invalid as err:
        found["device"] = str(err)
    for name, options in payload["components"].items():
        options = dict(options)
        platform = importlib.import_module("homeassistant.components.mqtt." + options.pop("platform"))
        options |= {"device": payload["device"], "origin": payload["origin"]}
        try:
            if dropped := options.keys() - platform.DISCOVERY_SCHEMA(options).keys():
                found[name] = f"unknown: {dropped}"
        except vol.Invalid as err:
            found[name] = str(err)
    return found

async def main():
    frame.async_setup(HomeAssistant("."))
    json.dump([verdict(p) for p in json.load(sys.stdin)], sys.stdout)

asyncio.run(main())
"""


def verdicts(*payloads: dict[str, Any]) -> list[dict[str, str]]:
    """What Home Assistant's own schemas find wrong in each message, by component."""
    done = subprocess.run([installed(), "-P", "-c", JUDGE], input=json.dumps(payloads), capture_output=True, text=True,
                          env=clean(), check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def message(id: str = "den", title: str = "The den", status: Status = FULL, **changes: Any) -> dict[str, Any]:
    return device_message(id, title, f"avatard/{id}", "1.2.3", status, temperature=True, **changes)


def test_its_schemas_take_every_component_and_refuse_a_spoilt_one() -> None:
    good = message()
    names = list(good["components"])
    spoilt = []
    for name in names:
        spoilt.append(deepcopy(good))
        spoilt[-1]["components"][name]["icon"] = "no icon"
    first, *rest = verdicts(good, *spoilt)
    assert first == {}, first
    assert [set(v) for v in rest] == [{n} for n in names], rest


def test_what_is_special_in_a_component_is_judged_too() -> None:
    wrong: dict[str, dict[str, Any]] = {
        "state": {"unit_of_measurement": "s"}, "reply": {"event_types": [["x"]]}, "say": {"command_topic": "a/#"},
        "ask": {"max": 256}, "volume": {"min": 200}, "voice": {"optimistic": "perhaps"}, "tier": {"options": []},
        "problem": {"device_class": "nonsense"}, "mute": {"retain": "perhaps"}, "update": {"unheard_of": 1},
        "stop": {"entity_category": "urgent"}, "memory": {"expire_after": -1},
    }  # fmt: skip
    spoilt = []
    for name, change in wrong.items():
        spoilt.append(message())
        spoilt[-1]["components"][name] |= change
    found = verdicts(*spoilt)
    assert [set(v) for v in found] == [{n} for n in wrong], found


def test_what_is_wrong_with_the_device_is_found() -> None:
    keyed, nameless, loose = message(), message(), message()
    keyed["unheard_of"] = 1
    del nameless["origin"]["name"]
    del loose["components"]["say"]["unique_id"]
    found = verdicts(keyed, nameless, loose)
    assert ["device" in f for f in found] == [True, True, True], found


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture(scope="module")
def home(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAssistant]:
    with running(tmp_path_factory.mktemp("home"), broker) as home:
        yield home


class Puppet:
    """Says over MQTT what a daemon would say."""

    def __init__(self, wire: Listener, home: HomeAssistant, id: str, title: str) -> None:
        self.id, self.base, self.title, self._wire, self._home = id, f"avatard/{id}", title, wire, home

    def describe(self, status: Status = FULL, **changes: Any) -> dict[str, Any]:
        described = message(self.id, self.title, status, **changes)
        self._wire.publish(discovery_topic("homeassistant", self.id), json.dumps(described), retain=True)
        return described

    def tell(self, topic: str, payload: Any, retain: bool = True) -> None:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        self._wire.publish(f"{self.base}/{topic}", text, retain=retain)

    def tell_all(self) -> None:
        for topic, payload in {
            "state": "idle", "attributes": {"session": "room", "muted": False}, "mute": "OFF", "screen": "ON",
            "volume": "60", "voice": "en-us", "face": "fox", "availability": "online",
            "version": {"installed_version": "1.2.3", "latest_version": "1.3.0"},
        }.items():  # fmt: skip
            self.tell(topic, payload)
        self.tell("health", HEALTH, retain=False)

    def vanish(self) -> None:
        # The entities first: while they are there an empty state is an error.
        self._wire.publish(discovery_topic("homeassistant", self.id), retain=True)
        self._home.until(lambda: not self._home.device(f"avatard_{self.id}")[0])
        for topic in {m.topic for m in self._wire.of(f"{self.base}/#") if m.retain}:
            self._wire.publish(topic, retain=True)


@pytest.fixture
def puppet(broker: Broker, home: HomeAssistant) -> Iterator[Callable[..., Puppet]]:
    puppets: list[Puppet] = []
    with Listener(broker, "avatard/#") as wire:

        def make(id: str, title: str) -> Puppet:
            puppets.append(Puppet(wire, home, id, title))
            puppets[-1].describe()
            puppets[-1].tell_all()
            return puppets[-1]

        yield make
        for puppet in puppets:
            puppet.vanish()


def test_every_entity_is_shown_with_its_value(home: HomeAssistant, puppet: Callable[..., Puppet]) -> None:
    one = puppet("den", "The den")
    home.until_state("switch.the_den_screen", "on")
    one.tell("health", HEALTH, retain=False)
    home.until_state("sensor.the_den_temperature", "48.2")
    device, entities = home.device("avatard_den")
    assert (device["name"], device["sw_version"]) == ("The den", "1.2.3"), device
    assert set(entities) == {c["unique_id"] for c in message()["components"].values()}, set(entities)
    shown = {e["entity_id"]: home.state(e["entity_id"]) for e in entities.values()}
    assert shown == {
        "sensor.the_den_state": "idle", "binary_sensor.the_den_problem": "on", "event.the_den_wake_word": "unknown",
        "event.the_den_transcript": "unknown", "event.the_den_reply": "unknown", "notify.the_den_say": "unknown",
        "text.the_den_ask": "unknown", "button.the_den_listen": "unknown", "button.the_den_stop": "unknown",
        "button.the_den_restart": "unknown", "button.the_den_reload": "unknown", "switch.the_den_mute": "off",
        "switch.the_den_screen": "on", "number.the_den_volume": "60", "select.the_den_voice": "en-us",
        "select.the_den_face": "fox", "update.the_den_update": "on", "sensor.the_den_memory": "151.5",
        "sensor.the_den_memory_tier": "tidy", "sensor.the_den_latency": "unknown", "sensor.the_den_frame_rate": "25.0",
        "sensor.the_den_temperature": "48.2", "sensor.the_den_next_timer": "unknown",
    }, shown  # fmt: skip
    problem = home.entity("binary_sensor.the_den_problem")["attributes"]
    assert problem["problems"] == {"microphone": "unplugged"} and "memory_mb" not in problem, problem
    assert home.entity("sensor.the_den_state")["attributes"]["session"] == "room"
    one.tell("reply", {"event_type": "reply", "text": "word " * 100}, retain=False)
    home.until(lambda: home.state("event.the_den_reply") != "unknown")
    reply = home.entity("event.the_den_reply")["attributes"]
    assert (reply["event_type"], reply["text"]) == ("reply", "word " * 100), reply
    one.tell("availability", "offline")
    home.until_state("number.the_den_volume", "unavailable")
    assert {home.state(id) for id in shown} == {"unavailable"}, shown
    assert home.complaints() == [], home.complaints()


def test_what_is_pressed_arrives_once_and_is_not_kept(
    home: HomeAssistant, broker: Broker, puppet: Callable[..., Puppet]
) -> None:
    puppet("den", "The den")
    home.until_state("number.the_den_volume", "60")
    with Listener(broker, "avatard/den/+/set") as wire:
        home.call("notify", "send_message", "notify.the_den_say", message="Dinner is ready, Zoë", title="dropped")
        home.call("text", "set_value", "text.the_den_ask", value="what time is it")
        for name in ("listen", "stop", "restart", "reload"):
            home.call("button", "press", f"button.the_den_{name}")
        home.call("switch", "turn_on", "switch.the_den_mute")
        home.call("switch", "turn_off", "switch.the_den_screen")
        home.call("number", "set_value", "number.the_den_volume", value=35)
        home.call("select", "select_option", "select.the_den_voice", option="fr")
        home.call("select", "select_option", "select.the_den_face", option="owl")
        home.call("update", "install", "update.the_den_update")
        wire.wait_for("avatard/den/restart/set", lambda m: m.text == "install")
        came = [(m.topic.split("/")[2], m.text, m.retain) for m in wire.messages]
        assert came == [
            ("say", "Dinner is ready, Zoë", False), ("ask", "what time is it", False), ("listen", "PRESS", False),
            ("stop", "PRESS", False), ("restart", "PRESS", False), ("reload", "PRESS", False), ("mute", "ON", False),
            ("screen", "OFF", False), ("volume", "35", False), ("voice", "fr", False), ("face", "owl", False),
            ("restart", "install", False),
        ], came  # fmt: skip
    # Nothing was mirrored, so nothing has changed.
    assert home.state("number.the_den_volume") == "60" and home.state("switch.the_den_mute") == "off"
    assert not any(t.endswith("/set") for t in broker.retained("avatard/#"))
    assert home.complaints() == [], home.complaints()


def test_two_stand_side_by_side_and_what_one_loses_is_forgotten(
    home: HomeAssistant, puppet: Callable[..., Puppet]
) -> None:
    one, _ = puppet("den", "The den"), puppet("hall", "Hall")
    home.until_state("select.hall_face", "fox")
    home.until_state("select.the_den_face", "fox")
    bare = Status(state="idle", muted=False, volume=60, turn=None, queued=0, uptime_s=1.0)
    earlier = json.dumps(message()).encode()
    gone = gone_since(earlier, message(status=bare))
    assert set(gone) == {"screen", "voice", "face"}, gone
    one.describe(bare, gone=gone)
    one.describe(bare)
    home.until_state("select.the_den_face", "")
    _, den = home.device("avatard_den")
    _, hall = home.device("avatard_hall")
    assert {id.removeprefix("avatard_hall_") for id in hall} - {id.removeprefix("avatard_den_") for id in den} == {
        "screen", "voice", "face"}, den.keys()  # fmt: skip
    assert home.state("select.hall_face") == "fox"
    assert home.complaints() == [], home.complaints()


KITCHEN = {
    "sensor.kitchen_state", "binary_sensor.kitchen_problem", "event.kitchen_wake_word", "event.kitchen_transcript",
    "event.kitchen_reply", "notify.kitchen_say", "text.kitchen_ask", "button.kitchen_listen", "button.kitchen_stop",
    "button.kitchen_restart", "button.kitchen_reload", "switch.kitchen_mute", "number.kitchen_volume",
    "select.kitchen_voice", "update.kitchen_update", "sensor.kitchen_memory", "sensor.kitchen_memory_tier",
    "sensor.kitchen_latency", "sensor.kitchen_frame_rate", "sensor.kitchen_next_timer",
}  # fmt: skip
LONG = "This is a very long announcement that nobody wants to hear to its end. " * 20


@pytest.fixture
def daemon(tmp_path: Path, broker: Broker, home: HomeAssistant) -> Iterator[Daemon]:
    """The real daemon, shown by Home Assistant."""
    with Daemon(tmp_path, name="Kitchen", mqtt={"host": "127.0.0.1", "port": broker.port}) as daemon:
        home.until_state("sensor.kitchen_state", "idle")
        yield daemon


@pytest.fixture
def wire(broker: Broker) -> Iterator[Listener]:
    with Listener(broker, "avatard/kitchen/#") as wire:
        yield wire


def hidden(home: HomeAssistant) -> set[str]:
    """Which of the daemon's entities are not there or not available."""
    return {id for id in KITCHEN if home.state(id) in ("", "unavailable")}


def shown_again(home: HomeAssistant) -> None:
    home.until(lambda: not hidden(home), 60, lambda: hidden(home))


def test_the_daemon_is_shown_with_every_entity(home: HomeAssistant, daemon: Daemon) -> None:
    shown_again(home)
    device, entities = home.device("avatard_kitchen")
    assert (device["name"], device["manufacturer"]) == ("Kitchen", "avatard"), device
    assert {e["entity_id"] for e in entities.values()} == KITCHEN, entities.keys()
    assert home.state("binary_sensor.kitchen_problem") == "off"
    assert home.state("update.kitchen_update") == "off"
    assert home.state("switch.kitchen_mute") == "off"
    assert 10 < float(home.state("sensor.kitchen_memory")) < 2000
    assert home.complaints() == [], home.complaints()


def test_a_message_is_spoken_and_a_question_answered(home: HomeAssistant, daemon: Daemon, wire: Listener) -> None:
    home.call("notify", "send_message", "notify.kitchen_say", message="The washing is done.")
    home.until_state("sensor.kitchen_state", "responding")
    turn = wire.wait_for("avatard/kitchen/turn").json()
    assert (turn["reply"], turn["source"], turn["interrupted"]) == ("The washing is done.", "mqtt", False), turn
    assert turn["frames"]["count"] > 20 and turn["error"] == "", turn
    home.until_state("sensor.kitchen_state", "idle")
    assert home.entity("event.kitchen_reply")["attributes"]["text"] == "The washing is done."
    home.call("text", "set_value", "text.kitchen_ask", value="what time is it")
    answer = wire.wait_for("avatard/kitchen/turn", lambda m: m.json()["heard"] == "what time is it").json()
    assert answer["reply"].startswith("It is"), answer
    home.until(lambda: home.entity("event.kitchen_reply")["attributes"]["text"] == answer["reply"])
    assert home.complaints() == [], home.complaints()


def test_stop_stops(home: HomeAssistant, daemon: Daemon, wire: Listener) -> None:
    home.call("notify", "send_message", "notify.kitchen_say", message=LONG)
    home.call("notify", "send_message", "notify.kitchen_say", message="Never said.")
    home.until_state("sensor.kitchen_state", "responding")
    home.call("button", "press", "button.kitchen_stop")
    turn = wire.wait_for("avatard/kitchen/turn", seconds=5).json()
    assert turn["interrupted"] and turn["reply"] != LONG, turn
    home.until_state("sensor.kitchen_state", "idle", 5)
    home.call("notify", "send_message", "notify.kitchen_say", message="Last.")
    wire.wait_for("avatard/kitchen/turn", lambda m: m.json()["reply"] == "Last.")
    said = [m.json()["text"] for m in wire.of("avatard/kitchen/reply")]
    assert said[-1] == "Last." and "Never said." not in said, said
    assert home.complaints() == [], home.complaints()


def test_volume_and_mute_are_mirrored_both_ways(home: HomeAssistant, daemon: Daemon) -> None:
    home.call("number", "set_value", "number.kitchen_volume", value=35)
    home.until_state("number.kitchen_volume", "35")
    assert json.loads(daemon.command("status", "--json"))["volume"] == 35
    daemon.command("volume", "70")
    home.until_state("number.kitchen_volume", "70")
    home.call("switch", "turn_on", "switch.kitchen_mute")
    home.until_state("switch.kitchen_mute", "on")
    assert json.loads(daemon.command("status", "--json"))["muted"] is True
    daemon.command("mute", "off")
    home.until_state("switch.kitchen_mute", "off")
    assert home.complaints() == [], home.complaints()


def test_what_is_heard_arrives_as_events(home: HomeAssistant, daemon: Daemon) -> None:
    daemon.stop()
    talk = [{"silence": 3}, {"wake": "okay_nabu"}, {"silence": 0.3}, {"say": "what time is it"},
            {"silence": 5}] * 5  # fmt: skip
    daemon.config["microphone"] = {"platform": "scripted", "script": talk}
    daemon.start()
    heard = ("event.kitchen_transcript", "text", "what time is it")
    for id, key, value in (("event.kitchen_wake_word", "phrase", "okay_nabu"), heard):
        home.until(lambda id=id, key=key, value=value: home.entity(id)["attributes"].get(key) == value, 30)  # type: ignore[misc]
    home.until(lambda: str(home.entity("event.kitchen_reply")["attributes"].get("text")).startswith("It is"), 30)
    assert home.complaints() == [], home.complaints()


def test_a_killed_daemon_is_unavailable_and_the_next_one_brings_all_back(home: HomeAssistant, daemon: Daemon) -> None:
    shown_again(home)
    daemon.kill()
    home.until(lambda: hidden(home) == KITCHEN, 10, lambda: KITCHEN - hidden(home))
    daemon.start()
    shown_again(home)
    daemon.stop()
    home.until(lambda: hidden(home) == KITCHEN, 10, lambda: KITCHEN - hidden(home))
    assert home.complaints() == [], home.complaints()


def test_restart_and_reload_are_pressed(home: HomeAssistant, daemon: Daemon, wire: Listener) -> None:
    home.call("button", "press", "button.kitchen_restart")
    wire.wait_for("avatard/kitchen/availability", lambda m: m.text == "offline")
    home.until(lambda: daemon.log.count("ready") == 2, 30, lambda: daemon.log)
    home.until_state("sensor.kitchen_state", "idle")
    daemon.config["name"] = "Scullery"
    daemon.config["id"] = "kitchen"
    daemon.write()
    home.call("button", "press", "button.kitchen_reload")
    home.until(lambda: home.device("avatard_kitchen")[0]["name"] == "Scullery", 30, lambda: daemon.log)
    assert home.state("sensor.kitchen_state") == "idle"
    assert home.complaints() == [], home.complaints()


def test_a_broker_that_lost_everything_is_told_again(home: HomeAssistant, daemon: Daemon, broker: Broker) -> None:
    shown_again(home)
    home.call("number", "set_value", "number.kitchen_volume", value=41)
    home.until_state("number.kitchen_volume", "41")
    before = broker.retained("#")
    assert "homeassistant/device/avatard_kitchen/config" in before, before.keys()
    broker.kill()
    home.until(lambda: hidden(home) == KITCHEN, 30, lambda: KITCHEN - hidden(home))
    log = len(broker.log)
    broker.start(lose=True)
    home.until(lambda: broker.retained("#") == before, 30, lambda: broker.retained("#"))
    # Home Assistant connects first and subscribes a little later; events before that are not for it.
    home.until(lambda: "avatard/kitchen/reply (QoS" in broker.log[log:], 60)
    shown_again(home)
    home.until_state("number.kitchen_volume", "41")
    home.call("notify", "send_message", "notify.kitchen_say", message="Here again.")
    home.until(lambda: home.entity("event.kitchen_reply")["attributes"].get("text") == "Here again.")
    assert home.complaints() == [], home.complaints()


def test_a_home_assistant_that_starts_again_has_all_back(
    home: HomeAssistant, daemon: Daemon, broker: Broker
) -> None:
    shown_again(home)
    home.call("number", "set_value", "number.kitchen_volume", value=42)
    home.until_state("number.kitchen_volume", "42")
    home.stop()
    daemon.command("mute", "on")
    with Listener(broker, "homeassistant/#") as wire:
        home.start()
        born = wire.wait_for("homeassistant/status", lambda m: m.text == "online", 30)
        wire.wait_for("homeassistant/device/avatard_kitchen/config", lambda m: m.at > born.at and m.retain)
    home.until_state("switch.kitchen_mute", "on")
    shown_again(home)
    assert home.state("number.kitchen_volume") == "42"
    assert home.complaints() == [], home.complaints()


def test_two_daemons_stand_side_by_side(home: HomeAssistant, daemon: Daemon, broker: Broker, tmp_path: Path) -> None:
    hall = Daemon(tmp_path / "hall", name="Hall", mqtt={"host": "127.0.0.1", "port": broker.port})
    with hall, Listener(broker, "avatard/+/turn") as wire:
        home.until_state("number.hall_volume", "100")
        home.call("number", "set_value", "number.hall_volume", value=20)
        home.call("notify", "send_message", "notify.hall_say", message="Only here.")
        assert wire.wait_for("avatard/hall/turn").json()["reply"] == "Only here."
        home.until_state("number.hall_volume", "20")
        assert home.state("number.kitchen_volume") == "100"
        assert wire.of("avatard/kitchen/turn") == []
        del hall.config["mqtt"]
        hall.reload()
        home.until(lambda: not home.device("avatard_hall")[0], 15, lambda: hall.log)
        home.until(lambda: not broker.retained("avatard/hall/#"), 10, lambda: broker.retained("avatard/hall/#"))
    assert home.device("avatard_kitchen")[0]["name"] == "Kitchen"
    assert home.complaints() == [], home.complaints()


def test_a_bridge_that_is_switched_off_takes_its_device_away(
    home: HomeAssistant, daemon: Daemon, broker: Broker
) -> None:
    shown_again(home)
    del daemon.config["mqtt"]
    daemon.reload()
    home.until(lambda: not home.device("avatard_kitchen")[0], 15, lambda: daemon.log)
    home.until(lambda: not broker.retained("#"), 10, lambda: broker.retained("#"))
    assert home.complaints() == [], home.complaints()
