"""The screen as furniture in the real daemon, beside the bridge to a real broker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from broker import HOST, Broker, Listener
from daemon import Daemon
from screens import WLOPM, backlight, device, script

BASE, DISCOVERY = "avatard/den", "homeassistant/device/avatard_den/config"
RESTING = {"dim_minutes": 0, "sleep_minutes": 0.02, "touch": False}


def until(condition: Callable[[], bool], what: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.02)


class Home:
    """A daemon whose screen is a program, and what Home Assistant hears of it."""

    def __init__(self, folder: Path, broker: Broker, listener: Listener, bridges: dict[str, Any]) -> None:
        self.programs = folder / "bin"
        script(self.programs, "wlopm", WLOPM)
        self.listener = listener
        self.mqtt = {"host": HOST, "port": broker.port}
        self.screen = RESTING | {"root": str(folder / "root")}
        given = {"mqtt": self.mqtt, "backlight": self.screen}
        self.daemon = Daemon(folder, name="den", **{key: given[key] for key in bridges})
        self.daemon.env |= {"PATH": f"{self.programs}:{os.environ['PATH']}", "WAYLAND_DISPLAY": "wayland-1"}

    @property
    def outputs(self) -> set[str]:
        """The states of the screen's outputs."""
        return {line.split()[1] for line in (self.programs / "state").read_text().splitlines()}

    def wait(self, word: str) -> None:
        """The broker is told, and the screen is so."""
        until(lambda: [m.text for m in self.listener.of(f"{BASE}/screen")][-1:] == [word],
              lambda: ([m.text for m in self.listener.of(f"{BASE}/screen")], self.daemon.log[-3000:]))  # fmt: skip
        until(lambda: self.outputs == {word.lower()}, lambda: self.outputs)

    def announced(self, there: bool) -> None:
        """Home Assistant has the switch, or has not."""
        self.listener.wait_for(DISCOVERY, lambda m: ("screen" in m.json()["components"]) is there, 20)


@pytest.mark.long
@pytest.mark.parametrize("bridges", [["mqtt", "backlight"], ["backlight", "mqtt"]], ids=" then ".join)
def test_the_screen_sleeps_and_is_woken(tmp_path: Path, bridges: list[str]) -> None:
    with Broker(tmp_path) as broker, Listener(broker, "avatard/#", "homeassistant/#") as listener:
        home = Home(tmp_path, broker, listener, dict.fromkeys(bridges))
        with home.daemon as daemon:
            home.announced(True)
            home.wait("OFF")  # by itself
            listener.clear()
            listener.publish(f"{BASE}/say/set", "Dinner is ready.")
            listener.wait_for(f"{BASE}/screen", lambda m: m.text == "ON", 20)
            home.wait("OFF")
            listener.clear()
            listener.publish(f"{BASE}/screen/set", "ON")
            listener.wait_for(f"{BASE}/screen", lambda m: m.text == "ON", 20)
            home.wait("OFF")
            daemon.stop()
        assert home.outputs == {"on"}, "whoever comes after the daemon finds a screen that is lit"
        assert "Traceback" not in daemon.log, daemon.log


def test_off_holds_until_somebody_comes(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker, "avatard/#", "homeassistant/#") as listener:
        home = Home(tmp_path, broker, listener, dict.fromkeys(["mqtt", "backlight"]))
        home.screen |= {"sleep_minutes": 60, "touch": True}
        finger = device(tmp_path / "root", "event0", "Goodix", properties="2")
        os.mkfifo(finger)
        with home.daemon as daemon:
            listener.wait_for(f"{BASE}/screen", lambda m: m.text == "ON", 20)
            listener.publish(f"{BASE}/screen/set", "OFF")
            home.wait("OFF")
            listener.clear()
            listener.publish(f"{BASE}/say/set", "Dinner is ready.")
            listener.wait_for(f"{BASE}/turn", None, 30)
            assert home.outputs == {"off"} and not listener.of(f"{BASE}/screen"), listener.of(f"{BASE}/screen")
            with finger.open("wb", buffering=0) as hand:
                hand.write(bytes(24))
                home.wait("ON")
            listener.wait_for(f"{BASE}/state", lambda m: m.text == "idle", 20)
            listener.publish(f"{BASE}/screen/set", "OFF")
            home.wait("OFF")
            daemon.command("listen")
            home.wait("ON")


@pytest.mark.long
def test_a_screen_that_does_not_obey(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker, "avatard/#", "homeassistant/#") as listener:
        home = Home(tmp_path, broker, listener, dict.fromkeys(["mqtt", "backlight"]))
        home.screen["sleep_minutes"] = 60
        with home.daemon as daemon:
            listener.wait_for(f"{BASE}/screen", lambda m: m.text == "ON", 20)
            script(home.programs, "wlopm", "echo unplugged; exit 1\n")
            listener.publish(f"{BASE}/screen/set", "OFF")
            told = listener.wait_for(f"{BASE}/problem", lambda m: m.json()["where"] == "backlight", 20).json()
            assert told["what"] == "'wlopm --off *' failed with 1: unplugged" and not told["over"], told
            listener.wait_for(f"{BASE}/problem", lambda m: m.json()["where"] == "screen/set", 20)
            listener.publish(f"{BASE}/say/set", "I still speak.")
            assert listener.wait_for(f"{BASE}/reply", None, 30).json()["text"] == "I still speak."
            assert [m.text for m in listener.of(f"{BASE}/screen")] == ["ON"]
            script(home.programs, "wlopm", WLOPM)
            listener.wait_for(f"{BASE}/problem", lambda m: m.json()["where"] == "backlight" and m.json()["over"], 20)
            home.wait("OFF")
            problems = [m.json() for m in listener.of(f"{BASE}/problem")]
            assert [p["over"] for p in problems if p["where"] == "backlight"] == [False, True], problems
            assert daemon.log.count("trying again") == 1, daemon.log


def test_it_comes_and_goes_with_reloads(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker, "avatard/#", "homeassistant/#") as listener:
        home = Home(tmp_path, broker, listener, dict.fromkeys(["mqtt"]))
        with home.daemon as daemon:
            home.announced(False)
            for _ in range(2):
                listener.clear()
                daemon.config["backlight"] = home.screen
                daemon.reload()
                home.announced(True)
                home.wait("OFF")
                listener.clear()
                del daemon.config["backlight"]
                daemon.reload()
                home.announced(False)
                until(lambda: home.outputs == {"on"}, lambda: home.outputs)
        assert "Traceback" not in daemon.log, daemon.log


def test_named_means_that_come_later_are_waited_for(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker, "avatard/#", "homeassistant/#") as listener:
        home = Home(tmp_path, broker, listener, dict.fromkeys(["mqtt", "backlight"]))
        home.screen["means"] = "wlopm"
        script(home.programs, "wlopm", "echo no compositor; exit 1\n")
        with home.daemon as daemon:
            listener.wait_for(f"{BASE}/problem", lambda m: "no compositor" in m.json()["what"], 20)
            script(home.programs, "wlopm", WLOPM)
            home.announced(True)
            home.wait("OFF")
        assert "Traceback" not in daemon.log, daemon.log


def test_a_panel_without_rights_is_told_with_what_to_do(tmp_path: Path) -> None:
    panel = backlight(tmp_path / "root")
    (panel / "brightness").unlink()
    (panel / "brightness").symlink_to("/proc/sys/kernel/cap_last_cap")  # a number that nobody may write, root neither
    with Broker(tmp_path) as broker, Listener(broker, f"{BASE}/#") as listener:
        home = Home(tmp_path, broker, listener, dict.fromkeys(["mqtt", "backlight"]))
        with home.daemon as daemon:
            home.wait("OFF")
        assert "switched by wlopm" in daemon.log, daemon.log
        (warning,) = [line for line in daemon.log.splitlines() if line.startswith("W ")]
        assert "panel/brightness: Permission denied; install systemd/99-avatard.rules" in warning, warning


def test_a_screen_that_hangs_holds_up_no_answer(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker, "avatard/#") as listener:
        home = Home(tmp_path, broker, listener, dict.fromkeys(["mqtt", "backlight"]))
        with home.daemon as daemon:
            home.wait("OFF")
            script(home.programs, "wlopm", "sleep 600\n")
            listener.clear()
            listener.publish(f"{BASE}/say/set", "I speak in the dark.")
            listener.wait_for(f"{BASE}/turn", None, 30)
            assert not listener.of(f"{BASE}/problem"), "it was said while the screen still had its 5 s"
            told = listener.wait_for(f"{BASE}/problem", None, 20).json()
            assert told["what"] == "'wlopm --on *' did not end within 5 s", told
            assert daemon.stop() == 0
        assert "did not close" not in daemon.log and "Traceback" not in daemon.log, daemon.log
