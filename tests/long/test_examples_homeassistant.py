"""A real Home Assistant takes the example automations and the blueprint, and a real daemon says what they send."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from broker import HOST, Broker, Listener
from homeassistant import HomeAssistant, installed
from homeyaml import BASE, HOME, entities, example, offered

pytestmark = pytest.mark.long

HOUSE = """
automation: !include automations.yaml
automation announce: !include announce.yaml
input_text: {{announcement: {{max: 255}}}}
input_boolean: {{television: }}
script:
  television_on: {{sequence: [{{action: input_boolean.turn_on, target: {{entity_id: input_boolean.television}}}}]}}
command_line:
  - notify: {{name: mobile_app_my_phone, command: "cat > {phone}"}}
"""
WINDOW = {"entity": "binary_sensor.window", "say": ["notify.living_room_say"], "duration": {"seconds": 0}}
NEVER, ALWAYS = {"quiet_from": "00:00:00", "quiet_until": "00:00:00"}, {"quiet_from": "00:00:00",
                                                                       "quiet_until": "23:59:59"}  # fmt: skip


def announcing(alias: str, **inputs: Any) -> dict[str, Any]:
    path = "avatard/blueprint_announce.yaml"
    return {"id": alias, "alias": alias, "use_blueprint": {"path": path, "input": WINDOW | inputs}}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture(scope="module")
def home(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAssistant]:
    home = HomeAssistant(installed(), tmp_path_factory.mktemp("home") / "homeassistant")
    shutil.copy(HOME / "automations.yaml", home.folder)
    blueprints = home.folder / "blueprints" / "automation" / "avatard"
    blueprints.mkdir(parents=True)
    shutil.copy(HOME / "blueprint_announce.yaml", blueprints)
    (home.folder / "announce.yaml").write_text(json.dumps([
        announcing("plain", **NEVER),
        announcing("loud", **NEVER, state="open", message="{{ 1 + 1 }} {windows}", volume=70, interrupt=True),
        announcing("quiet", **ALWAYS, message="Never said."),
    ]))  # fmt: skip
    with (home.folder / "configuration.yaml").open("a") as configuration:
        configuration.write(HOUSE.format(phone=home.folder / "phone"))
    try:
        home.start()
        home.add_mqtt(broker)
        # The automations were there before MQTT, which nobody does: from here on it is as on any other day.
        home.stop()
        home.start()
        yield home
    finally:
        home.stop()


@pytest.fixture(scope="module")
def daemon(broker: Broker, home: HomeAssistant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    config = tmp_path_factory.mktemp("daemon") / "avatard.yaml"
    config.write_text("name: Living room\nmicrophone: scripted\ntts: scripted\ndisplay: {platform: none, pace: fast}\n"
                      f"mqtt: {{host: {HOST}, port: {broker.port}}}\n")  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "avatard", "run", "-c", str(config)])
    try:
        home.until_state("sensor.living_room_state", "idle", 60)
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def wire(broker: Broker, daemon: None) -> Iterator[Listener]:
    with Listener(broker, f"{BASE}/+", f"{BASE}/+/set") as wire:
        yield wire


@pytest.fixture
def change(home: HomeAssistant) -> Callable[..., None]:
    def change(entity: str, *states: str) -> None:
        for state in states:
            home.post(f"states/{entity}", {"state": state, "attributes": {"friendly_name": "The window"}})

    return change


def trigger(home: HomeAssistant, alias: str) -> None:
    """Run the actions; when a day and an hour must be waited for, that is left out."""
    ids = {a["attributes"]["friendly_name"]: a["entity_id"] for a in home.get("states")
           if a["entity_id"].startswith("automation.")}  # fmt: skip
    home.call("automation", "trigger", ids[alias], skip_condition=True)


def spoken(wire: Listener, text: str) -> Any:
    """What was sent to be said, once the daemon has said the text."""
    wire.wait_for(f"{BASE}/reply", lambda m: m.json()["text"] == text)
    (sent,) = wire.of(f"{BASE}/say/set")
    assert not sent.retain
    return json.loads(sent.text) if sent.text.startswith("{") else sent.text


def test_every_automation_is_taken(home: HomeAssistant, daemon: None) -> None:
    found = {a["attributes"]["friendly_name"]: a["state"] for a in home.get("states")
             if a["entity_id"].startswith("automation.")}  # fmt: skip
    wanted = [a["alias"] for a in example("automations.yaml")] + ["plain", "loud", "quiet"]
    assert found == dict.fromkeys(wanted, "on"), found


def test_the_entities_have_the_ids_that_the_examples_use(home: HomeAssistant, daemon: None) -> None:
    measured = {"sensor.living_room_temperature"}
    there = {s["entity_id"] for s in home.get("states") if ".living_room_" in s["entity_id"]}
    assert offered() - measured <= there, offered() - there
    used = {e for name in ("automations.yaml", "dashboard.yaml") for e in entities(example(name)) if ".living_" in e}
    assert used - measured <= there, used - there


def test_somebody_rings(wire: Listener, change: Callable[..., None]) -> None:
    change("binary_sensor.front_door_bell", "off", "on")
    sent = spoken(wire, "Somebody is at the front door.")
    assert sent == {"text": "Somebody is at the front door.", "interrupt": True, "priority": 10, "volume": 80}, sent


def test_the_washing_is_done(home: HomeAssistant, wire: Listener) -> None:
    trigger(home, "avatard: the washing is done")
    assert spoken(wire, "The washing machine is done.") == "The washing machine is done."


@pytest.mark.parametrize("degrees", [None, 6.6])
def test_good_morning(home: HomeAssistant, wire: Listener, degrees: float | None) -> None:
    if degrees is not None:
        home.post("states/weather.forecast_home", {"state": "sunny", "attributes": {"temperature": degrees}})
    trigger(home, "avatard: good morning")
    text = f"Good morning. It is {time.strftime('%A', time.gmtime())}."
    text += "" if degrees is None else "\nIt is 7 degrees outside."
    said = wire.wait_for(f"{BASE}/reply").json()["text"].split()
    assert said == text.split(), said


def test_a_sentence_starts_a_script(home: HomeAssistant, wire: Listener) -> None:
    for heard in ("turn on the kitchen lights", "Turn on the television"):
        assert home.state("input_boolean.television") == "off"
        wire.publish(f"{BASE}/transcript", json.dumps({"event_type": "transcript", "text": heard}))
    home.until_state("input_boolean.television", "on")


def test_a_problem_is_told_to_the_phone(home: HomeAssistant, wire: Listener) -> None:
    phone = home.folder / "phone"
    health = wire.wait_for(f"{BASE}/health", seconds=40).json()
    wire.publish(f"{BASE}/health", json.dumps(health | {"problem": "ON", "problems": {"microphone": "unplugged"}}))
    home.until_state("binary_sensor.living_room_problem", "on")
    trigger(home, "avatard: a problem")
    home.until(lambda: phone.exists() and phone.read_text())
    assert phone.read_text().strip() == "microphone: unplugged.", phone.read_text()


def test_what_is_typed_is_said_and_gone(home: HomeAssistant, wire: Listener) -> None:
    home.call("input_text", "set_value", "input_text.announcement", value="Come downstairs")
    assert spoken(wire, "Come downstairs") == "Come downstairs"
    home.until_state("input_text.announcement", "")
    time.sleep(1)
    assert len(wire.of(f"{BASE}/say/set")) == 1, wire.messages


def test_the_blueprint_announces_with_and_without_a_volume(wire: Listener, change: Callable[..., None]) -> None:
    change("binary_sensor.window", "off", "on")
    sent = spoken(wire, "The window is on.")
    assert sent == {"text": "The window is on.", "interrupt": False, "volume": None}, sent
    wire.clear()
    change("binary_sensor.window", "open")
    sent = spoken(wire, "2 {windows}")
    assert sent == {"text": "2 {windows}", "interrupt": True, "volume": 70}, sent


def test_nothing_was_complained_of(home: HomeAssistant, wire: Listener) -> None:
    # A house without a washing machine, and the first start without MQTT.
    early = ("unknown entity sensor.washing_machine_power", "Cannot subscribe to topic")
    loud = home.complaints(("automation", "blueprint", "script", "avatard", "template", "mqtt"))
    assert [c for c in loud if not any(e in c for e in early)] == [], loud
    assert "Cannot subscribe" not in (home.folder / "home-assistant.log").read_text(), loud
