"""What Home Assistant is told: one retained message that describes the device and all its entities.

Entity ids are left to Home Assistant, which makes them of the device's and the entity's name
(``notify.living_room_say``): the key to ask for others differs between its releases. No entity is disabled by default:
when the device is withdrawn, Home Assistant clears its topic once more for each of those, and warns of that itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from avatard.api.door import Status
from avatard.api.news import State, Tier

HEALTH_EXPIRES_S = 90
"""Health comes every 30 s; what missed it three times is unavailable."""
TEXT_LIMIT = 255
"""The longest state that Home Assistant keeps."""

Component = tuple[str, dict[str, Any]]
"""Its name in the message, which ends its unique id too, and its options. A name has no underscore: ids stay apart."""


def discovery_topic(prefix: str, id: str) -> str:
    """Where Home Assistant looks for the device message."""
    return f"{prefix}/device/avatard_{id}/config"


def device_message(
    id: str, title: str, base: str, version: str, status: Status, *, temperature: bool,
    gone: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Describe the device whose topics begin with ``base``.

    Args:
        id: of the avatard, as in its topics.
        title: what the device is called.
        base: what its topics begin with.
        version: of the program.
        status: what can be chosen and switched.
        temperature: whether ``health`` knows one.
        gone: components (name → platform) that Home Assistant knows and shall forget; the message that forgets them is
            followed by one without.
    """
    components = {
        name: {**options, "unique_id": f"avatard_{id}_{name}"}
        for part in (_state(base), _timers(base), _events(base), _commands(base), _settings(base, status),
                     _program(base), _health(f"{base}/health", temperature))
        for name, options in part
    }  # fmt: skip
    return {
        "device": {
            "identifiers": [f"avatard_{id}"], "name": title, "manufacturer": "avatard", "model": "Talking face",
            "sw_version": version,
        },
        "origin": {"name": "avatard", "sw_version": version},
        "availability_topic": f"{base}/availability",
        "payload_available": "online",
        "payload_not_available": "offline",
        "components": components | {name: {"platform": platform} for name, platform in (gone or {}).items()},
    }  # fmt: skip


def platforms(payload: bytes) -> dict[str, str]:
    """Name the components of a device message with their platforms; none where the payload is not such a message."""
    try:
        message = json.loads(payload)
        components = message.get("components", message.get("cmps", {}))
        found = {str(name): options.get("platform", options.get("p")) for name, options in components.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}
    return {name: platform for name, platform in found.items() if isinstance(platform, str)}


def gone_since(earlier: bytes, message: Mapping[str, Any]) -> dict[str, str]:
    """Name what the retained message ``earlier`` had and ``message`` has no more, or as something else."""
    components = message["components"]
    return {n: p for n, p in platforms(earlier).items() if components.get(n, {}).get("platform") != p}


def _state(base: str) -> Iterator[Component]:
    yield "state", {
        "platform": "sensor", "name": "State", "icon": "mdi:face-agent", "device_class": "enum",
        "options": list(get_args(State)), "state_topic": f"{base}/state", "json_attributes_topic": f"{base}/attributes",
    }  # fmt: skip
    yield "problem", {
        "platform": "binary_sensor", "name": "Problem", "device_class": "problem", "entity_category": "diagnostic",
        "expire_after": HEALTH_EXPIRES_S, "state_topic": f"{base}/health", "value_template": "{{ value_json.problem }}",
        "payload_on": "ON", "payload_off": "OFF", "json_attributes_topic": f"{base}/health",
        # The rest of the health would make a new state every 30 s.
        "json_attributes_template": "{{ {'problems': value_json.get('problems', {})} | tojson }}",
    }  # fmt: skip


def _timers(base: str) -> Iterator[Component]:
    yield "timer", {
        "platform": "sensor", "name": "Next timer", "icon": "mdi:timer-outline", "device_class": "timestamp",
        "state_topic": f"{base}/timers", "value_template": "{{ value_json.next }}",
        "json_attributes_topic": f"{base}/timers",
        "json_attributes_template": "{{ {'timers': value_json.timers} | tojson }}",
    }  # fmt: skip


def _events(base: str) -> Iterator[Component]:
    for name, title, icon in (
        ("wake", "Wake word", "mdi:ear-hearing"),
        ("transcript", "Transcript", "mdi:text-recognition"),
        ("reply", "Reply", "mdi:message-reply-text"),
    ):
        yield name, {"platform": "event", "name": title, "icon": icon, "state_topic": f"{base}/{name}",
                     "event_types": [name]}  # fmt: skip


def _commands(base: str) -> Iterator[Component]:
    yield "say", {"platform": "notify", "name": "Say", "icon": "mdi:bullhorn", **_command(base, "say")}
    yield "ask", {"platform": "text", "name": "Ask", "icon": "mdi:chat-question-outline", "min": 1, "max": TEXT_LIMIT,
                  **_command(base, "ask")}  # fmt: skip
    yield "listen", {"platform": "button", "name": "Listen", "icon": "mdi:microphone-message",
                     **_command(base, "listen")}  # fmt: skip
    yield "stop", {"platform": "button", "name": "Stop", "icon": "mdi:stop-circle-outline", **_command(base, "stop")}
    yield "restart", {"platform": "button", "name": "Restart", "device_class": "restart", "entity_category": "config",
                      **_command(base, "restart")}  # fmt: skip
    yield "reload", {"platform": "button", "name": "Reload", "icon": "mdi:file-refresh-outline",
                     "entity_category": "config", **_command(base, "reload")}  # fmt: skip


def _command(base: str, name: str) -> dict[str, Any]:
    """What is asked of us; a command that the broker kept would come again at each start."""
    return {"command_topic": f"{base}/{name}/set", "retain": False}


def _settings(base: str, status: Status) -> Iterator[Component]:
    yield "mute", {"platform": "switch", "name": "Mute", "icon": "mdi:microphone-off", **_mirrored(base, "mute")}
    if status.screen is not None:
        yield "screen", {"platform": "switch", "name": "Screen", "icon": "mdi:monitor", **_mirrored(base, "screen")}
    yield "volume", {
        "platform": "number", "name": "Volume", "icon": "mdi:volume-high", "min": 0, "max": 100, "step": 1,
        "mode": "slider", "unit_of_measurement": "%", **_mirrored(base, "volume"),
    }  # fmt: skip
    if status.voices:
        yield "voice", {
            "platform": "select", "name": "Voice", "icon": "mdi:account-voice", "entity_category": "config",
            "options": _options(status.voices, status.voice), **_mirrored(base, "voice"),
        }  # fmt: skip
    if len(status.faces) > 1:
        yield "face", {
            "platform": "select", "name": "Face", "icon": "mdi:face-man", "entity_category": "config",
            "options": _options(status.faces, status.face), **_mirrored(base, "face"),
        }  # fmt: skip


def _mirrored(base: str, name: str) -> dict[str, Any]:
    return {"state_topic": f"{base}/{name}", **_command(base, name)}


def _options(names: tuple[str, ...], serving: str) -> list[str]:
    """What may be chosen; what serves is among it, or Home Assistant takes its name for an error."""
    return list(dict.fromkeys((*names, serving) if serving else names))


def _program(base: str) -> Iterator[Component]:
    yield "update", {
        "platform": "update", "name": "Update", "title": "avatard", "entity_category": "config",
        "state_topic": f"{base}/version",
        # The latest version is the one installed on the disk: to start again is to run it.
        **_command(base, "restart"), "payload_install": "install",
    }  # fmt: skip


def _health(topic: str, temperature: bool) -> Iterator[Component]:
    yield "memory", _figure(topic, "memory_mb", "Memory", "mdi:memory", device_class="data_size",
                            unit_of_measurement="MB", suggested_display_precision=0)  # fmt: skip
    tier = _figure(topic, "tier", "Memory tier", "mdi:stairs", device_class="enum", options=list(get_args(Tier)))
    del tier["state_class"]
    yield "tier", tier
    yield "latency", _figure(topic, "latency_ms", "Latency", "mdi:timer-outline", device_class="duration",
                             unit_of_measurement="ms", suggested_display_precision=0)  # fmt: skip
    yield "fps", _figure(topic, "fps", "Frame rate", "mdi:filmstrip", unit_of_measurement="fps",
                         suggested_display_precision=1)  # fmt: skip
    if temperature:
        yield "temperature", _figure(topic, "temperature_c", "Temperature", "mdi:thermometer",
                                     device_class="temperature", unit_of_measurement="°C",
                                     suggested_display_precision=0)  # fmt: skip


def _figure(topic: str, key: str, title: str, icon: str, **options: Any) -> dict[str, Any]:
    """A figure of the health; one that is not known yet says None, which Home Assistant shows as unknown."""
    return {
        "platform": "sensor", "name": title, "icon": icon, "entity_category": "diagnostic",
        "state_class": "measurement", "expire_after": HEALTH_EXPIRES_S, "state_topic": topic,
        "value_template": f"{{{{ value_json.get('{key}') }}}}", **options,
    }  # fmt: skip
