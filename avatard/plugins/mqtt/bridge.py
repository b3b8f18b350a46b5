"""The bridge: news to topics, topics to commands."""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiomqtt

from avatard.api.allowance import Allowance
from avatard.api.context import PluginContext, Pulse
from avatard.api.errors import AvatardError
from avatard.plugins.mqtt.commands import Commands
from avatard.plugins.mqtt.config import BridgeConfig
from avatard.plugins.mqtt.connection import Connection
from avatard.plugins.mqtt.outbox import Outbox, Outgoing
from avatard.plugins.mqtt.publications import Publications
from avatard.plugins.mqtt.trouble import tls_context

FAREWELL_LIMIT = 1.5
"""Seconds that the last messages may take."""
LETTING_GO = 1.0
"""Seconds that Home Assistant has for removing its entities, before what they showed is emptied."""
BIRTH_DELAY = (0.5, 3.0)
"""Seconds, at random, after which Home Assistant is told everything: all its devices hear of its birth at once."""
LOGGED = 20
"""Refused commands logged at once; after that one a second, so that a flood does not fill the disk."""
NAME = 100
"""Characters of a command's name that are told where it is refused: a topic may have 65,535."""
ECHO_LIMIT, CLEARING = 10.0, 500
"""Seconds in which a cleared command's echo is awaited, and how many are at once; the others go at the next start."""
COMMAND_LIMIT = 15.0
"""Seconds that a command may take; a turn that has to end first takes at most 5."""


class Bridge:
    """Joins the parts."""

    def __init__(self, context: PluginContext, config: BridgeConfig) -> None:
        """Open nothing yet."""
        self._context = context
        self._base = config.base_topic or f"avatard/{context.id}"
        self._birth = f"{config.discovery_prefix}/status"
        self._outbox = Outbox(config.queue)
        self._commands = Commands(context.assistant, config.commands_per_second)
        self._publications = Publications(
            context.id, context.title, self._base, config.discovery_prefix, config.discovery, context.assistant,
            self._outbox,
        )  # fmt: skip
        self._connection = Connection(
            config, context.id, self._outbox, [f"{self._base}/+/set", self._birth, self._publications.discovery_topic],
            f"{self._base}/probe/set", context.news, context.logger,
        )  # fmt: skip
        self.carry = self._connection.publish
        """Publishes a message to the house, now or never"""
        self._connection.will = Outgoing(f"{self._base}/availability", b"offline", retain=True)
        self._born = asyncio.Event()
        self._clearing: dict[str, float] = {}
        """Topic → when it was cleared (monotonic seconds): that comes back to us"""
        self._foreign = ("$", f"{self._base}/", f"{config.discovery_prefix}/")
        self._logged = Allowance(1.0, LOGGED)

    async def connect(self, pulse: Pulse) -> None:
        """Keep the connection up."""
        await self._connection.run(pulse, self._connected, self._receive)

    async def publish(self, pulse: Pulse) -> None:
        """Turn news into messages."""
        with self._context.news.subscribe(512) as news:
            self._publications.begin()
            async for event in news:
                self._publications.take(event)

    async def greet(self, pulse: Pulse) -> None:
        """Tell Home Assistant everything once it has begun anew."""
        while True:
            await self._born.wait()
            self._born.clear()
            await asyncio.sleep(random.uniform(*BIRTH_DELAY))
            self._publications.remind()

    async def farewell(self) -> None:
        """Say that it is gone, if the broker can be told in time; else its will does."""
        if self._context.removed():
            self._publications.withdraw_device()
            await self._sent()
            await asyncio.sleep(LETTING_GO)
        self._publications.farewell(self._context.removed())
        await self._sent()

    async def _sent(self) -> None:
        for _ in range(int(FAREWELL_LIMIT / 0.05)):
            if self._outbox.empty:
                break
            await asyncio.sleep(0.05)

    def _connected(self) -> None:
        self._publications.begin()
        self._outbox.again()

    async def _receive(self, message: aiomqtt.Message) -> None:
        topic, payload = str(message.topic), message.payload
        data = bytes(payload) if isinstance(payload, bytes | bytearray) else str(payload or "").encode()
        if topic == self._birth:
            if data == b"online" and not message.retain:
                self._born.set()
            return
        if topic == self._publications.discovery_topic:
            if message.retain:  # else it is our own, on its way back
                self._publications.found(data)
            return
        name = topic.removeprefix(f"{self._base}/")
        if not data and time.monotonic() < self._clearing.pop(topic, -math.inf) + ECHO_LIMIT:
            return
        if message.retain:
            self._refuse(message, name, "a retained command is refused and cleared; publish it without retain")
            if data:
                self._clear(topic)
            return
        try:
            async with asyncio.timeout(COMMAND_LIMIT):
                turn = await self._commands.obey(name, data)
        except AvatardError as err:
            self._refuse(message, name, str(err))
        except TimeoutError:
            self._refuse(message, name, f"not done within {COMMAND_LIMIT:.0f} s")
        else:
            self._reply(message, answer(True, **({} if turn is None else {"turn": turn})))

    def _clear(self, topic: str) -> None:
        """Have the broker keep no command; what does that comes back to us, over MQTT 3.1.1 in a command's shape."""
        now = time.monotonic()
        self._clearing = {t: at for t, at in self._clearing.items() if now < at + ECHO_LIMIT}
        # One that is on its way clears what the broker was given before it, too.
        if topic not in self._clearing and len(self._clearing) < CLEARING:
            self._clearing[topic] = now
            self._outbox.answer(Outgoing(topic, b"", retain=True))

    def _refuse(self, message: aiomqtt.Message, name: str, why: str) -> None:
        if self._logged.take():
            self._context.logger.warning("%s/%s: %s", self._base, name[:NAME], why)
        told = self._publications.event("problem", where=name[:NAME], what=why, over=False)
        self._outbox.answer(replace(told, qos=0))
        self._reply(message, answer(False, error=why))

    def _reply(self, message: aiomqtt.Message, payload: bytes) -> None:
        properties: Any = message.properties
        topic = getattr(properties, "ResponseTopic", None)
        # Nobody shall command others through us, with our rights.
        if topic and not (set(topic) & set("+#\x00") or topic.startswith(self._foreign) or topic.endswith("/set")):
            correlation = getattr(properties, "CorrelationData", None)
            self._outbox.answer(Outgoing(topic, payload, correlation=correlation, qos=0))


def answer(ok: bool, **data: Any) -> bytes:
    """The payload of an answer to a command."""
    return json.dumps({"ok": ok, **data}, ensure_ascii=False).encode("utf-8", "replace")


def check(config: BridgeConfig) -> None:
    """Look at the files that the options name.

    Raises:
        ConfigError: one cannot be read, or is no certificate.
    """
    tls_context(config.tls)


@asynccontextmanager
async def async_setup(context: PluginContext, config: BridgeConfig) -> AsyncIterator[Bridge]:
    """Connect in the background: the daemon lives without a broker."""
    bridge = Bridge(context, config)
    context.run("news", bridge.publish)
    context.run("connection", bridge.connect)
    context.run("birth", bridge.greet)
    try:
        with context.post.carried_by(bridge.carry):
            yield bridge
    finally:
        await bridge.farewell()
