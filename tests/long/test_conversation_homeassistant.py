"""From a recording to a light: through Home Assistant's conversation API, and through sentences of one's own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
import pytest
from broker import HOST, Broker, Listener
from daemon import Daemon
from homeassistant import HomeAssistant, running

from avatard.cli.conversation import write_wav
from avatard.plugins.file.wav import read_wav

pytestmark = pytest.mark.long

TEMPLATE = """
conversation:
input_boolean: {desk: {initial: false}}
template:
  - light:
      - name: Desk lamp
        unique_id: desk
        state: "{{ is_state('input_boolean.desk', 'on') }}"
        turn_on: {action: input_boolean.turn_on, target: {entity_id: input_boolean.desk}}
        turn_off: {action: input_boolean.turn_off, target: {entity_id: input_boolean.desk}}
"""
CEILING = {"name": "Office ceiling", "unique_id": "ceiling", "command_topic": "office/ceiling/set",
           "state_topic": "office/ceiling"}  # fmt: skip
REAL: dict[str, Any] = {
    "name": "Kitchen", "wake_word": "microwakeword", "vad": "silero", "stt": "pocketsphinx",
}  # fmt: skip
NUMBERS = itertools.count()
LIGHTS = ("light.desk_lamp", "light.office_ceiling")


class Lamp:
    """A lamp on the broker: does what it is told, and says what it does."""

    def __init__(self, broker: Broker) -> None:
        self._client = client = paho.Client(paho.CallbackAPIVersion.VERSION2, "ceiling")
        client.on_connect = lambda client, *_: client.subscribe(CEILING["command_topic"])
        client.on_message = lambda client, _, m: client.publish(CEILING["state_topic"], m.payload, retain=True)
        client.connect(HOST, broker.port)
        client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture(scope="module")
def home(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAssistant]:
    """One with an office in which two lights are: one of its own, one on the broker."""
    with running(tmp_path_factory.mktemp("home"), broker, TEMPLATE) as home, Listener(broker, "#") as wire:
        lamp = Lamp(broker)
        wire.publish("homeassistant/light/ceiling/config", json.dumps(CEILING), retain=True)
        wire.publish("office/ceiling", "OFF", retain=True)
        home.until(lambda: all(home.state(id) == "off" for id in LIGHTS), why=lambda: [home.entity(i) for i in LIGHTS])
        area = home.ask({"type": "config/area_registry/create", "name": "Office"})[0]["area_id"]
        put = {"type": "config/entity_registry/update", "area_id": area}
        home.ask(put | {"entity_id": LIGHTS[0], "aliases": ["台灯"]}, put | {"entity_id": LIGHTS[1]})
        yield home
        lamp.close()


@pytest.fixture
def dark(home: HomeAssistant) -> HomeAssistant:
    """All lights are off."""
    for id in LIGHTS:
        home.call("light", "turn_off", id)
    home.until(lambda: all(home.state(id) == "off" for id in LIGHTS))
    return home


@pytest.fixture
def asked(tmp_path: Path, recordings: Path) -> dict[str, Any]:
    """A microphone at which somebody wakes it and says: turn on the office lights."""
    path, pause = tmp_path / "asked.wav", np.zeros(8000, np.int16)
    said = [read_wav(recordings / f"{name}.wav") for name in ("alexa", "turn_on_the_office_lights_03")]
    write_wav(path, np.concatenate([np.zeros(48_000, np.int16), said[0], pause, said[1], pause]))
    return {"platform": "file", "path": str(path)}


def assist(home: HomeAssistant, **options: Any) -> dict[str, Any]:
    """Home Assistant as a responder, with a long-lived token as a person makes one."""
    if "token" not in options:
        wish = {"type": "auth/long_lived_access_token", "client_name": f"avatard {next(NUMBERS)}", "lifespan": 1}
        options["token"] = home.ask(wish)[0]
    return {"platform": "home_assistant", "url": f"http://{HOST}:{home.port}", **options}


def test_a_recorded_command_turns_on_the_lights_through_the_conversation(
    dark: HomeAssistant, broker: Broker, asked: dict[str, Any], tmp_path: Path
) -> None:
    mqtt = {"host": HOST, "port": broker.port}
    daemon = Daemon(tmp_path, **REAL, microphone=asked, mqtt=mqtt, conversation=["intents", assist(dark)])
    with Listener(broker, "avatard/kitchen/turn", "office/#") as wire, daemon:
        turn = wire.wait_for("avatard/kitchen/turn", seconds=60).json()
        assert (turn["heard"], turn["error"]) == ("turn on the office lights", ""), turn
        assert "lights" in turn["reply"] and turn["frames"]["count"] > 10, turn
        for id in LIGHTS:
            dark.until_state(id, "on")
        assert [m.text for m in wire.of("office/ceiling/set")] == ["ON"]
    assert dark.complaints() == [], dark.complaints()


def test_a_recorded_command_turns_on_the_light_as_a_message(
    dark: HomeAssistant, broker: Broker, asked: dict[str, Any], tmp_path: Path
) -> None:
    actions = {
        "platform": "mqtt_actions", "allow": ["office/+/set"], "actions": {"office": {
            "sentences": ["(turn | switch) {state} the office lights"], "topic": "office/ceiling/set",
            "payload": "{state}", "slots": {"state": {"on": "ON", "off": "OFF"}}, "reply": "The office is {state}.",
        }},
    }  # fmt: skip
    mqtt = {"host": HOST, "port": broker.port}
    daemon = Daemon(tmp_path, **REAL, microphone=asked, mqtt=mqtt, conversation=[actions, "intents"])
    with Listener(broker, "avatard/kitchen/turn", "office/#") as wire, daemon:
        turn = wire.wait_for("avatard/kitchen/turn", seconds=60).json()
        assert (turn["heard"], turn["reply"]) == ("turn on the office lights", "The office is on."), turn
        dark.until_state("light.office_ceiling", "on")
        assert [(m.text, m.retain) for m in wire.of("office/ceiling/set")] == [("ON", False)]
    assert dark.state("light.desk_lamp") == "off", "it is not on the broker"
    assert dark.complaints() == [], dark.complaints()


def test_what_is_written_is_answered_and_what_is_not_understood_goes_on(
    dark: HomeAssistant, tmp_path: Path
) -> None:
    chain = ["intents", assist(dark), "scripted"]
    with Daemon(tmp_path, name="Kitchen", conversation=chain) as daemon:
        assert daemon.command("ask", "turn on the desk lamp")
        dark.until_state("light.desk_lamp", "on")
        assert "yes" in daemon.command("ask", "is the desk lamp on").lower()
        assert daemon.command("ask", "who are you").startswith("I am avatard")
        assert "not aware of any area called cellar" in daemon.command("ask", "turn on the cellar lights")
        assert daemon.command("ask", "colourless green ideas sleep furiously").startswith("You said")
    assert dark.complaints() == [], dark.complaints()


@pytest.mark.parametrize(
    ("language", "command", "name"),
    [
        ("de", "Schalte die Desk Lamp ein", "Ich bin avatard"), ("es", "Enciende Desk Lamp", "Soy avatard"),
        ("fr", "Allume Desk Lamp", "Je suis avatard"), ("zh", "打开台灯", "我是avatard"),
    ],
)  # fmt: skip
def test_in_other_languages(language: str, command: str, name: str, dark: HomeAssistant, tmp_path: Path) -> None:
    who = {"de": "Wie heißt du?", "es": "¿Quién eres?", "fr": "Qui es-tu ?", "zh": "你是谁"}[language]
    with Daemon(tmp_path, name="Kitchen", language=language, conversation=["intents", assist(dark)]) as daemon:
        assert daemon.command("ask", command)
        dark.until_state("light.desk_lamp", "on")
        assert daemon.command("ask", who).startswith(name)
    assert dark.complaints() == [], dark.complaints()


def test_a_wrong_token_and_a_home_that_is_away(dark: HomeAssistant, tmp_path: Path) -> None:
    with Daemon(tmp_path, name="Kitchen", conversation=["intents", assist(dark, token="wrong"), "scripted"]) as daemon:
        assert daemon.command("ask", "turn on the desk lamp").startswith("You said")
        problems = json.loads(daemon.command("status", "--json"))["problems"]
        assert "make a long-lived access token" in problems["conversation.home_assistant"], problems
        daemon.stop()
        daemon.config["conversation"][1] |= {"url": f"http://{HOST}:9"}
        daemon.start()
        assert daemon.command("ask", "turn on the desk lamp").startswith("You said")
        problems = json.loads(daemon.command("status", "--json"))["problems"]
        assert "is it running" in problems["conversation.home_assistant"], problems
    assert dark.state("light.desk_lamp") == "off"
