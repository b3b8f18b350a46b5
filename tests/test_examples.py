"""The examples hold: configurations are accepted, and what Home Assistant is given exists in what it is told."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from broker import HOST, Broker, Listener
from homeyaml import (
    BARE,
    BASE,
    EQUIPPED,
    HOME,
    ROOT,
    TOPIC,
    Input,
    commands,
    components,
    entities,
    example,
    load,
    offered,
    topics,
)

from avatard.plugins.backlight.config import ScreenConfig
from avatard.plugins.mqtt.commands import Say
from avatard.plugins.mqtt.discovery import device_message, discovery_topic
from avatard.runtime.config import ConfigProblems
from avatard.runtime.config import load as configuration
from avatard.runtime.config.core import Memory

EXAMPLES = sorted((ROOT / "config" / "examples").glob("*.yaml"))
DOCS = sorted((ROOT / "docs").glob("*.md"))
HOUSEHOLD = {
    "binary_sensor.front_door_bell", "sensor.washing_machine_power", "binary_sensor.hallway_motion",
    "weather.forecast_home", "script.television_on", "notify.mobile_app_my_phone", "input_text.announcement",
}  # fmt: skip
"""What the examples take to be in a house."""


def settled(path: Path, folder: Path) -> Path:
    """Put a configuration where a person would put it, with the secrets beside it."""
    shutil.copy(ROOT / "config" / "secrets.example.yaml", folder / "secrets.yaml")
    return Path(shutil.copy(path, folder / "avatard.yaml"))


def values(node: yaml.Node, key: str) -> list[yaml.Node]:
    """The values of a key, wherever it stands."""
    found: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            found += [value] if name.value == key else []
            found += values(value, key)
    return found


def blocks(path: Path, kind: str) -> list[str]:
    found = re.findall(rf"^ *```{kind}\n(.*?)^ *```", path.read_text(), re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]


def test_there_is_one_for_each_board() -> None:
    assert {f"board-{n}gb.yaml" for n in (1, 2, 4, 8)} | {"announcer.yaml"} <= {p.name for p in EXAMPLES}, EXAMPLES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_is_accepted(path: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "avatard", "check", "--json", "-c", str(settled(path, tmp_path))],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == {"ok": True, "problems": []}, done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_examples_password_is_a_secret(path: Path, tmp_path: Path) -> None:
    passwords = values(yaml.compose(path.read_text()), "password")
    assert [(p.tag, p.value) for p in passwords] == [("!secret", "mqtt_password")], path
    alone = Path(shutil.copy(path, tmp_path))
    with pytest.raises(ConfigProblems, match="'mqtt_password' is neither in"):
        configuration(alone)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_spends_less_than_its_board_has(path: Path, tmp_path: Path) -> None:
    core = configuration(settled(path, tmp_path)).core
    if board := re.fullmatch(r"board-(\d)gb", path.stem):
        assert isinstance(core.memory.budget_mb, int) and core.memory.budget_mb <= 500 * int(board[1]), core.memory


def unknown(data: Any, message: dict[str, Any] | None = None) -> set[str]:
    return entities(data) - offered(message) - HOUSEHOLD


@pytest.mark.parametrize("name", [p.name for p in sorted(HOME.glob("*.yaml"))])
def test_every_entity_that_is_used_exists(name: str) -> None:
    data = example(name)
    assert unknown(data) == set(), (name, unknown(data))


def test_every_part_of_the_dashboard_is_about_the_device() -> None:
    used = entities(example("dashboard.yaml"))
    assert {
        "sensor.living_room_state", "switch.living_room_mute", "number.living_room_volume", "button.living_room_stop",
        "text.living_room_ask", "binary_sensor.living_room_problem",
    } <= used, used  # fmt: skip


def test_an_entity_of_another_name_is_missed() -> None:
    message = device_message("living-room", "Living room", BASE, "1", BARE, temperature=True)
    for name, used in (("say", "notify.living_room_say"), ("state", "sensor.living_room_state")):
        renamed = deepcopy(message)
        renamed["components"][name]["name"] = "Other"
        assert used in unknown([example("automations.yaml"), example("dashboard.yaml")], renamed), used


async def test_every_topic_that_is_used_exists() -> None:
    text = (HOME / "automations.yaml").read_text()
    used = set(TOPIC.findall(text))
    assert used == {f"{BASE}/say/set", f"{BASE}/transcript"}, used
    assert used <= topics() | await commands(), used
    assert components()["say"]["command_topic"] in used and components()["transcript"]["state_topic"] in used


def actions(data: Any) -> list[dict[str, Any]]:
    """Every action in it."""
    if isinstance(data, list):
        return [found for item in data for found in actions(item)]
    if isinstance(data, dict):
        here = [data] if isinstance(data.get("action"), str) else []
        return here + [found for value in data.values() for found in actions(value)]
    return []


def test_automations_have_what_home_assistant_wants() -> None:
    found = example("automations.yaml")
    assert len({a["id"] for a in found}) == len(found) == 6, found
    for automation in found:
        assert {"id", "alias", "mode", "triggers", "actions"} <= set(automation), automation
        assert set(automation) <= {"id", "alias", "mode", "triggers", "conditions", "actions"}, automation
        assert all(t["trigger"] in ("state", "numeric_state", "mqtt") for t in automation["triggers"]), automation
        assert actions(automation["actions"]) == automation["actions"], automation


def test_what_is_published_is_what_say_takes() -> None:
    published = [a["data"] for a in actions(example("automations.yaml")) if a["action"] == "mqtt.publish"]
    assert len(published) == 1, published
    say = Say.model_validate(json.loads(published[0]["payload"]))
    assert say.interrupt and say.volume == 80 and published[0]["retain"] is False, published


def test_the_blueprint_uses_each_of_its_inputs_and_no_other() -> None:
    blueprint = example("blueprint_announce.yaml")
    head = blueprint.pop("blueprint")
    assert head["domain"] == "automation" and {"triggers", "conditions", "actions"} <= set(blueprint), blueprint
    used = set(_inputs(blueprint))
    assert used == set(head["input"]), used ^ set(head["input"])
    required = {name for name, i in head["input"].items() if "default" not in i}
    assert required == {"entity", "say"} and all("selector" in i for i in head["input"].values()), required


def _inputs(data: Any) -> list[str]:
    if isinstance(data, Input):
        return [str(data)]
    several = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return [found for item in several for found in _inputs(item)]


@pytest.mark.parametrize("path", DOCS, ids=lambda p: p.stem)
async def test_a_page_names_what_there_is(path: Path) -> None:
    text = path.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert all((path.parent / link).exists() for link in links), links
    equipped = device_message("living-room", "Living room", BASE, "1", EQUIPPED, temperature=True)
    assert unknown(text, equipped) == set(), unknown(text, equipped)
    used = set(TOPIC.findall(text))
    assert used <= topics() | await commands(), used - topics()
    for block in blocks(path, "yaml"):
        assert load(block), block


def test_configurations_on_the_pages_are_accepted(tmp_path: Path) -> None:
    pages = [ROOT / "docs" / f"{page}.md" for page in ("home-assistant", "languages", "memory")]
    found = [block for page in pages for block in blocks(page, "yaml")]
    ours = [b for b in found if not b.startswith("action:")]
    assert len(ours) == 4, ours
    for block in ours:
        (tmp_path / "page.yaml").write_text(block)
        assert configuration(settled(tmp_path / "page.yaml", tmp_path)).core.memory, block


def test_the_page_on_the_screen_shows_the_defaults() -> None:
    shown, automation = (load(block) for block in blocks(ROOT / "docs" / "screen-power.md", "yaml"))
    written = ScreenConfig.model_validate(shown["backlight"])
    assert written == ScreenConfig(night="22:30-06:30"), written
    assert {"id", "alias", "mode", "triggers", "actions"} == set(automation[0]), automation


def test_the_page_on_memory_tells_the_tiers_as_they_are() -> None:
    text, memory = (ROOT / "docs" / "memory.md").read_text(), Memory()
    (block,) = blocks(ROOT / "docs" / "memory.md", "yaml")
    assert Memory.model_validate(load(block)["memory"] | {"budget_mb": "auto"}) == memory, block
    for tier in ("tidy", "shed", "survive"):
        percent = getattr(memory, f"{tier}_percent")
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{tier}` |")]
        assert f"{percent:.0f} %" in row, row
        assert re.findall(r"`([a-z]+_[a-z]+|trim)`", row) == list(getattr(memory.steps, tier)), row
    for path in EXAMPLES:
        budget = re.search(r"budget_mb: (\d+)", path.read_text())
        row = [line for line in text.splitlines() if f"[{path.name}]" in line]
        assert (not budget and not row) or (budget and row[0].endswith(f"| {budget[1]} |")), (path, row)


def test_commands_on_the_page_are_taken() -> None:
    said = re.findall(r"say/set -m '(\{.*?\})'", (ROOT / "docs" / "mqtt.md").read_text())
    assert said, "no example of JSON"
    for payload in said:
        assert Say.model_validate(json.loads(payload)).text, payload


def test_the_rights_on_the_page_are_enough(tmp_path: Path) -> None:
    (acl,) = blocks(ROOT / "docs" / "mqtt.md", "acl")
    users = {"homeassistant": "one", "avatard": "two", "stranger": "three"}
    config, discovery = tmp_path / "avatard.yaml", discovery_topic("homeassistant", "living-room")
    with Broker(tmp_path, users=users, acl=acl) as broker:
        bridge = f"{{host: {HOST}, port: {broker.port}, username: avatard, password: two}}"
        config.write_text(f"name: Living room\nmicrophone: scripted\ntts: scripted\ndisplay: none\nmqtt: {bridge}\n")
        old = {"components": {"old": {"platform": "sensor", "unique_id": "avatard_living-room_old"}}}
        with Listener(broker, user="homeassistant", password="one") as house:
            house.publish(discovery, json.dumps(old), retain=True)
        process = subprocess.Popen([sys.executable, "-m", "avatard", "run", "-c", str(config)],
                                   stderr=subprocess.PIPE, text=True)  # fmt: skip
        try:
            with Listener(broker, "avatard/#", "homeassistant/#", user="homeassistant", password="one") as house, \
                    Listener(broker, "#", user="stranger", password="three") as stranger:  # fmt: skip
                # It reads its own discovery message: what it no longer has is withdrawn.
                house.wait_for(discovery, lambda m: m.json()["components"].get("old") == {"platform": "sensor"}, 30)
                stranger.publish(f"{BASE}/say/set", "I am a stranger.")
                house.publish(f"{BASE}/say/set", "Dinner is ready.")
                assert house.wait_for(f"{BASE}/reply").json()["text"] == "Dinner is ready."
                house.clear()
                house.publish("homeassistant/status", "online")
                house.wait_for(discovery)
                assert not [m for m in stranger.messages if m.topic.startswith(("avatard", "homeassistant"))]
                assert not house.of(f"{BASE}/reply"), "the stranger was heard"
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=20)
    assert process.returncode == 0, log
