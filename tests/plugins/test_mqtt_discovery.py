"""What Home Assistant is told about the device; its own verdict stands in tests/long/test_homeassistant.py."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatard.api.door import Status
from avatard.api.news import Health, State
from avatard.plugins.mqtt import publications
from avatard.plugins.mqtt.discovery import device_message, discovery_topic, gone_since, platforms
from avatard.plugins.mqtt.outbox import Outbox

BARE = Status(state="idle", muted=False, volume=60, turn=None, queued=0, uptime_s=1.0)
FULL = Status(
    state="idle", muted=False, volume=60, turn=None, queued=0, uptime_s=1.0, voice="en-gb", voices=("en-us", "fr"),
    face="fox", faces=("fox", "owl"), screen=True,
)  # fmt: skip


def message(status: Status = FULL, *, id: str = "den", temperature: bool = True, **changes: Any) -> dict[str, Any]:
    return device_message(id, "The den", f"avatard/{id}", "1.2.3", status, temperature=temperature, **changes)


def topics(found: dict[str, Any], suffix: str = "topic") -> set[str]:
    return {v for c in found["components"].values() for k, v in c.items() if k.endswith(suffix)}


def test_the_message_is_json_and_names_device_origin_and_availability() -> None:
    found = json.loads(json.dumps(message()))
    # Home Assistant refuses a message with a key that it does not know.
    assert set(found) == {"device", "origin", "availability_topic", "payload_available", "payload_not_available",
                          "components"}, set(found)  # fmt: skip
    assert found["device"]["identifiers"] == ["avatard_den"] and found["device"]["name"] == "The den", found["device"]
    assert found["device"]["sw_version"] == found["origin"]["sw_version"] == "1.2.3", found["device"]
    assert found["availability_topic"] == "avatard/den/availability"
    assert discovery_topic("homeassistant", "den") == "homeassistant/device/avatard_den/config"


def test_every_entity_has_a_name_an_id_and_what_shows_it() -> None:
    found = message()["components"]
    assert set(found) == {
        "state", "timer", "problem", "wake", "transcript", "reply", "say", "ask", "listen", "stop", "restart", "reload",
        "mute", "screen", "volume", "voice", "face", "update", "memory", "tier", "latency", "fps", "temperature",
    }, set(found)  # fmt: skip
    assert len({c["name"] for c in found.values()}) == len(found)
    assert not any("enabled_by_default" in c for c in found.values())
    for name, component in found.items():
        assert component["unique_id"] == f"avatard_den_{name}"
        assert re.fullmatch(r"[a-zA-Z0-9-]+", name), name
        assert "device_class" in component or "icon" in component or name == "update", name
        assert re.fullmatch(r"mdi:[a-z-]+", component.get("icon", "mdi:x")), component


def test_no_command_is_retained_and_only_commands_end_in_set() -> None:
    found = message()
    commands = [c for c in found["components"].values() if "command_topic" in c]
    assert len(commands) == 12, commands
    assert all(c["retain"] is False and c["command_topic"].endswith("/set") for c in commands), commands
    assert all(t.startswith("avatard/den/") for t in topics(found))
    assert not any(t.endswith("/set") for t in topics(found) - topics(found, "command_topic"))
    assert found["components"]["update"]["command_topic"] == "avatard/den/restart/set"


def test_what_a_box_does_not_have_is_not_shown() -> None:
    bare = message(BARE, temperature=False)["components"]
    assert set(message()["components"]) - set(bare) == {"screen", "voice", "face", "temperature"}, set(bare)
    one = Status(state="idle", muted=False, volume=60, turn=None, queued=0, uptime_s=1, face="fox", faces=("fox",))
    assert "face" not in message(one)["components"]


def test_what_is_chosen_from_has_what_serves_and_what_a_state_can_be() -> None:
    found = message()["components"]
    assert found["voice"]["options"] == ["en-us", "fr", "en-gb"], found["voice"]
    assert found["face"]["options"] == ["fox", "owl"], found["face"]
    assert found["state"]["options"] == list(get_args(State)), found["state"]


def test_events_name_their_one_type_and_what_rests_on_health_expires() -> None:
    found = message()["components"]
    events = {name: c for name, c in found.items() if c["platform"] == "event"}
    assert {name: c["event_types"] for name, c in events.items()} == {
        "wake": ["wake"], "transcript": ["transcript"], "reply": ["reply"]}, events  # fmt: skip
    health = [c for c in found.values() if c.get("state_topic") == "avatard/den/health"]
    assert len(health) == 6 and all(c["expire_after"] == 90 for c in health), health
    assert not any("expire_after" in c for c in found.values() if c not in health)


@given(st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True), st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True))
def test_avatards_side_by_side_stay_apart(one: str, two: str) -> None:
    if one == two:
        return
    a, b = message(id=one), message(id=two)
    ids = [c["unique_id"] for m in (a, b) for c in m["components"].values()]
    assert len(set(ids)) == len(ids), (one, two)
    assert discovery_topic("homeassistant", one) != discovery_topic("homeassistant", two)
    assert not topics(a) & topics(b)


def test_what_went_away_is_forgotten_once() -> None:
    earlier = json.dumps(message()).encode()
    bare = message(BARE, temperature=False)
    gone = gone_since(earlier, bare)
    assert gone == {"screen": "switch", "voice": "select", "face": "select", "temperature": "sensor"}, gone
    withdrawn = message(BARE, temperature=False, gone=gone)["components"]
    assert withdrawn["voice"] == {"platform": "select"}, withdrawn["voice"]
    assert withdrawn["state"] == bare["components"]["state"]
    assert gone_since(json.dumps(bare).encode(), bare) == {}
    other = {"components": {"state": {"platform": "binary_sensor", "unique_id": "x"}}}
    assert gone_since(json.dumps(other).encode(), bare) == {"state": "binary_sensor"}


def test_abbreviations_are_read_too() -> None:
    assert platforms(b'{"cmps": {"say": {"p": "notify"}, "x": {"p": 3}}}') == {"say": "notify"}


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"3", b"[]", b"null", b'{"components": 3}', b'{"components": {"a": 3}}', b"[" * 100_000]
)
def test_what_is_no_device_message_names_nothing(payload: bytes) -> None:
    assert platforms(payload) == {}


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["components", "cmps", "p", "platform", "x"]), inner, max_size=3),
).map(lambda found: json.dumps(found).encode()))  # fmt: skip
def test_whatever_lies_on_the_topic_nothing_escapes(payload: bytes) -> None:
    assert all(isinstance(p, str) for p in platforms(payload).values())


async def test_the_device_is_described_when_it_changes_and_not_with_each_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Told:
        """Who is asked how things are."""

        now = FULL

        def status(self) -> Status:
            return self.now

    made: list[bool] = []
    usual = publications.device_message
    monkeypatch.setattr(
        publications, "device_message", lambda *args, **kw: made.append(kw["temperature"]) or usual(*args, **kw)
    )
    told, outbox = Told(), Outbox(10)
    told_of = publications.Publications(
        "den", "Den", "avatard/den", "homeassistant", True, told, outbox  # type: ignore[arg-type]
    )  # fmt: skip
    told_of.begin()
    cold = Health(1, 2, "normal", 25, None, 0, 0, 0)
    warm = replace(cold, temperature_c=41.5)
    for _ in range(3):
        told_of.take(cold)
    assert made == [False]
    told_of.take(warm)
    told_of.take(warm)
    assert made == [False, True]
    told.now = replace(FULL, faces=(*FULL.faces, "another"))
    told_of.take(warm)
    told_of.take(warm)
    assert made == [False, True, True]
    outbox.sent(await outbox.next(100))
    told.now = replace(FULL, faces=())
    for _ in range(4):
        told_of.take(warm)
    assert len(made) == 5 and forgotten(outbox) == {"face"}, "it waits for the broker"
    told.now = replace(FULL, faces=(), voices=())
    told_of.take(warm)
    assert forgotten(outbox) == {"face", "voice"}, "what was not told yet is not lost"
    outbox.sent(await outbox.next(100))
    assert forgotten(outbox) == set(), "what is gone is told once, and once more without it"
    outbox.sent(await outbox.next(100))
    told_of.take(warm)
    assert len(made) == 7 and outbox.waiting(told_of.discovery_topic) is None


def forgotten(outbox: Outbox) -> set[str]:
    """The components that the message which waits tells Home Assistant to forget."""
    payload = outbox.waiting("homeassistant/device/avatard_den/config")
    assert payload is not None
    return {name for name, options in json.loads(payload)["components"].items() if options.keys() == {"platform"}}
