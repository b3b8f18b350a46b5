"""What systemd is told, on a socket that stands in for it."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from avatard.runtime.life import Life
from avatard.runtime.notify import Notifier, Watchdog

PING = b"WATCHDOG=1"


class Systemd:
    """The other end."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(address)

    def heard(self) -> list[bytes]:
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096))
            except BlockingIOError:
                return messages


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@avatard-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    other = Systemd("\0" + name[1:] if name.startswith("@") else name)
    with other.socket:
        yield other


def test_each_message_as_bytes(systemd: Systemd) -> None:
    notifier = Notifier.from_environment()
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.ready()
    notifier.status("listening\nin the kitchen – ü")
    notifier.reloading()
    notifier.stopping()
    notifier.watchdog()
    ready, status, reloading, *rest = systemd.heard()
    assert ready == b"READY=1"
    assert status == "STATUS=listening in the kitchen – ü".encode()
    at = re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=(\d+)", reloading)
    assert at and before <= int(at[1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000, reloading
    assert rest == [b"STOPPING=1", PING]


@pytest.mark.parametrize("value", [None, "", "vsock:2:1234"])
def test_without_systemd_nothing_is_said(value: str | None) -> None:
    notifier = Notifier.from_environment({} if value is None else {"NOTIFY_SOCKET": value})
    notifier.ready()
    notifier.watchdog()


def test_systemd_that_does_not_hear_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    address = str(tmp_path / "notify")
    notifier = Notifier(address)
    notifier.ready()
    notifier.ready()
    assert len(caplog.records) == 1 and address in caplog.text, caplog.text
    other = Systemd(address)
    with other.socket:
        notifier.ready()
        assert other.heard() == [b"READY=1"]


@pytest.mark.parametrize(("environment", "limit"), [
    ({"WATCHDOG_USEC": "30000000"}, 30.0),
    ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
    ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
    ({"WATCHDOG_USEC": "0"}, None),
    ({"WATCHDOG_USEC": "soon"}, None),
    ({}, None),
])  # fmt: skip
def test_whose_watchdog_it_is(environment: dict[str, str], limit: float | None) -> None:
    assert Watchdog.from_environment(Notifier(None), Life().stuck, environment).limit == limit


async def test_no_watchdog_no_ping(systemd: Systemd) -> None:
    await asyncio.wait_for(Watchdog(Notifier.from_environment(), Life().stuck, None).run(), 5)
    assert systemd.heard() == []


class Steps:
    """Sleeps end when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[float] = []
        self._go = asyncio.Semaphore(0)
        self._sleep = asyncio.sleep
        monkeypatch.setattr("avatard.runtime.notify.asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self._go.acquire()

    async def next(self) -> None:
        """Let the watchdog go round once."""
        count = len(self.asked)
        self._go.release()
        while len(self.asked) == count:
            await self._sleep(0.001)


async def test_no_ping_while_any_task_is_stuck(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    now = 100.0
    life = Life(lambda: now)
    life.watch("place").beat(1000)
    beats = life.watch("microphone"), life.watch("mqtt")
    for beat in beats:
        beat.beat(5)
    steps = Steps(monkeypatch)
    task = asyncio.ensure_future(Watchdog(Notifier.from_environment(), life.stuck, 30).run())
    while not steps.asked:
        await steps._sleep(0.001)
    assert (systemd.heard(), steps.asked) == ([PING], [15.0])
    await steps.next()
    assert systemd.heard() == [PING]

    now += 6
    await steps.next()
    await steps.next()
    assert systemd.heard() == []
    beats[0].beat(100)
    await steps.next()
    assert systemd.heard() == [], "one is still stuck"
    assert [r.levelname for r in caplog.records] == ["ERROR", "WARNING"], caplog.text
    assert "no life from microphone, mqtt" in caplog.text and "microphone shows life again" in caplog.text

    life.forget("mqtt", beats[1])
    await steps.next()
    await steps.next()
    assert systemd.heard() == [PING, PING]
    assert len(caplog.records) == 3 and "mqtt shows life again" in caplog.text, caplog.text
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_blocked_loop_sends_no_ping(systemd: Systemd) -> None:
    task = asyncio.ensure_future(Watchdog(Notifier.from_environment(), Life().stuck, 0.02).run())
    pings = 0
    while pings < 3:
        pings += len(systemd.heard())
        await asyncio.sleep(0.005)
    systemd.heard()
    time.sleep(0.3)  # noqa: ASYNC251 — this is the fault
    assert systemd.heard() == []
    while not systemd.heard():
        await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
