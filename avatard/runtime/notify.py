"""What systemd is told: ready, reloading, stopping, and that every part shows life (sd_notify, its watchdog)."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

log = logging.getLogger("avatard.systemd")

SEND_LIMIT = 1.0
"""Seconds that a message may wait for room in systemd's queue."""


class Notifier:
    """Tells systemd how the daemon is; says nothing where systemd did not start it."""

    def __init__(self, address: str | None) -> None:
        """Speak to this socket: a path, ``@name`` for an abstract one, None for nobody."""
        self._address = address
        self._failing = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Notifier:
        """Speak to ``$NOTIFY_SOCKET``."""
        address = environment.get("NOTIFY_SOCKET") or None
        if address is not None and address[0] not in "/@":
            log.warning("NOTIFY_SOCKET=%s: neither a path nor an abstract socket; systemd is told nothing", address)
            address = None
        return cls(address)

    def ready(self) -> None:
        """The daemon serves, at start or after a reload."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send("STATUS=" + " ".join(text.split()))

    def reloading(self) -> None:
        """The configuration is read once more; ``ready`` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The daemon is on its way out."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """Every part shows life."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        """Systemd that does not hear is logged once and harms nothing."""
        if self._address is None:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
                connection.settimeout(SEND_LIMIT)
                connection.sendto(message.encode(), address)
        except OSError as err:
            if not self._failing:
                log.warning("NOTIFY_SOCKET=%s: systemd does not hear: %s", self._address, err)
            self._failing = True
        else:
            self._failing = False


@dataclass(frozen=True, slots=True)
class Watchdog:
    """Feeds systemd's watchdog from the event loop, and only while no part is stuck."""

    notifier: Notifier
    stuck: Callable[[], Iterable[str]]
    """Names the parts that show no life: ``Life.stuck``."""
    limit: float | None
    """Seconds without a ping after which systemd kills the daemon; None: nobody waits for pings."""

    @classmethod
    def from_environment(
        cls, notifier: Notifier, stuck: Callable[[], Iterable[str]], environment: Mapping[str, str] = os.environ
    ) -> Watchdog:
        """Take ``$WATCHDOG_USEC``, unless ``$WATCHDOG_PID`` says that it is meant for another process."""
        usec, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
        ours = pid in ("", str(os.getpid()))
        return cls(notifier, stuck, int(usec) / 1e6 if ours and usec.isdecimal() and int(usec) else None)

    async def run(self) -> None:
        """Ping at half the limit for as long as it runs; return at once where nobody waits."""
        if self.limit is None:
            return
        known: frozenset[str] = frozenset()
        while True:
            stuck = frozenset(self.stuck())
            if not stuck:
                self.notifier.watchdog()
            self._tell(known, stuck)
            known = stuck
            await asyncio.sleep(self.limit / 2)

    def _tell(self, before: frozenset[str], stuck: frozenset[str]) -> None:
        """Log each part once when it is stuck and once when it lives again."""
        if came := stuck - before:
            log.error("no life from %s: systemd's watchdog (%g s) is not fed", ", ".join(sorted(came)), self.limit)
        if left := before - stuck:
            log.warning("%s shows life again", ", ".join(sorted(left)))
