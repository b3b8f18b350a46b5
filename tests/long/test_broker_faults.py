"""The real daemon in conversation while its broker dies, hangs, forgets and comes back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from broker import Broker, Listener

pytestmark = pytest.mark.long

RETAINED = {"availability", "state", "mute", "volume", "attributes", "version", "config"}


class Box:
    """``avatard run`` with a bridge; asked through its own socket, so that no broker is needed for that."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        config = folder / "avatard.yaml"
        config.write_text(
            f"name: box\nmicrophone: scripted\ndisplay: none\nmqtt: {{host: 127.0.0.1, port: {broker.port}, "
            "keepalive: 20}\nmemory: {cache_mb: 0}\n"
        )
        self.log = folder / "box.log"
        self._file = self.log.open("w")
        self.process = subprocess.Popen(self._avatard("run", "-c", str(config)), stderr=self._file)

    def _avatard(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "avatard", *args]

    def do(self, *args: str) -> str:
        done = subprocess.run(self._avatard(*args), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{args}: {done.stderr}\n{self.log.read_text()}"
        return done.stdout

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.do("status", "--json")))

    def close(self) -> None:
        self.process.terminate()
        assert self.process.wait(10) == 0, self.log.read_text()
        self._file.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def box(tmp_path: Path, broker: Broker) -> Iterator[Box]:
    box = Box(tmp_path, broker)
    with Listener(broker, "#") as listener:
        listener.wait_for("avatard/box/probe/set", seconds=30)
    yield box
    box.close()


def talk(box: Box, seconds: float) -> int:
    """Ask again and again; every question must be answered."""
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        assert box.do("ask", "who are you").startswith("I am avatard.")
        count += 1
    return count


def all_back(broker: Broker, seconds: float) -> float:
    """Seconds until everything retained is there again."""
    began = time.monotonic()
    while True:
        kept = {t.rsplit("/", 1)[1] for t, p in broker.retained("#").items() if p != b"offline"}
        if kept >= RETAINED:
            return time.monotonic() - began
        assert time.monotonic() - began < seconds, kept
        time.sleep(0.1)


def connected(broker: Broker, do: Callable[[], None], seconds: float) -> None:
    """Wait until the bridge has come through after ``do()``."""
    do()
    with Listener(broker, "avatard/box/probe/set") as listener:
        listener.wait_for("avatard/box/probe/set", seconds=seconds)


def test_killed_for_a_minute_and_its_data_lost(box: Box, broker: Broker) -> None:
    broker.kill()
    assert talk(box, 60) >= 10
    assert "mqtt" in box.status()["problems"]
    connected(broker, lambda: broker.start(lose=True), seconds=75)
    assert all_back(broker, 5) < 5
    with Listener(broker, "#") as listener:
        listener.publish("avatard/box/say/set", "Back again.")
        assert listener.wait_for("avatard/box/turn", lambda m: m.json()["reply"] == "Back again.").json()["error"] == ""
        assert listener.wait_for("avatard/box/health", lambda m: m.json()["problem"] == "OFF", 40)
    assert "mqtt" not in box.status()["problems"]


def test_stopped_for_thirty_seconds(box: Box, broker: Broker) -> None:
    broker.pause()
    try:
        began = time.monotonic()
        while "mqtt" not in box.status()["problems"]:
            assert time.monotonic() - began < 20 * 1.5, "a broker that hangs was not noticed"
            talk(box, 0.1)
        talk(box, max(0.0, 30 - (time.monotonic() - began)))
    finally:
        broker.resume()
    with Listener(broker, "#") as listener:
        listener.wait_for("avatard/box/availability", lambda m: m.text == "online", 75)
        listener.wait_for("avatard/box/health", lambda m: m.json()["problem"] == "OFF", 75)
        lags = [m.json()["lag_ms"] for m in listener.of("avatard/box/health")]
    assert max(lags) < 250, lags


def test_restarted_ten_times(box: Box, broker: Broker) -> None:
    me = psutil.Process(box.process.pid)
    before = me.num_threads(), me.num_fds()
    for number in range(10):
        broker.stop()
        connected(broker, lambda number=number: broker.start(lose=number % 2 == 1), seconds=75)  # type: ignore[misc]
        assert all_back(broker, 5) < 5
        talk(box, 0.1)
    after = me.num_threads(), me.num_fds()
    assert after[0] <= before[0] + 1 and after[1] <= before[1] + 2, (before, after)


def test_a_thousand_announcements_in_ten_seconds(box: Box, broker: Broker) -> None:
    me = psutil.Process(box.process.pid)
    with Listener(broker, "avatard/box/+", "me/a") as listener:
        flood(listener)
        before = me.memory_info().rss
        flood(listener)
        assert me.memory_info().rss - before < 25e6, "what a flood needs is had by the next one"
    assert box.status()["queued"] == 0


def flood(listener: Listener) -> None:
    """Send a thousand announcements, and then stop: obeyed at once, and every one is answered."""
    listener.clear()
    began = time.monotonic()
    for number in range(1000):
        listener.publish("avatard/box/say/set", f"Announcement {number} of a thousand.", respond="me/a", wait=False)
        time.sleep(max(0.0, began + number / 100 - time.monotonic()))
    asked = time.monotonic()
    listener.publish("avatard/box/stop/set")
    stopped = listener.wait_for("avatard/box/state", lambda m: m.at > asked and m.text == "idle", 5)
    assert stopped.at - asked < 2
    end = time.monotonic() + 20
    while len(answers := [m.json() for m in listener.of("me/a")]) < 1000 and time.monotonic() < end:
        time.sleep(0.1)
    assert len(answers) == 1000 and sum(a["ok"] for a in answers) < 100
    assert all("wait already" in a["error"] or "too many" in a["error"] for a in answers if not a["ok"])
