"""The bridge: news to topics, topics to commands."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt

from avatard.api.context import PluginContext, Pulse
from avatard.api.errors import AvatardError
from avatard.plugins.mqtt.commands import Allowance, Commands
from avatard.plugins.mqtt.config import BridgeConfig
from avatard.plugins.mqtt.connection import Connection, answer
from avatard.plugins.mqtt.outbox import Outbox, Outgoing
from avatard.plugins.mqtt.publications import Publications

FAREWELL_LIMIT = 1.5
"""Seconds that the last messages may take."""
BIRTH_DELAY = (0.5, 3.0)
"""Seconds, at random, after which Home Assistant is told everything: all its devices hear of its birth at once."""
LOGGED = 20
"""Refused commands logged at once; after that one a second, so that a flood does not fill the disk."""
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
        self._connection.will = Outgoing(f"{self._base}/availability", b"offline", retain=True)
        self._born = asyncio.Event()
        self._cleared: Counter[str] = Counter()
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
        self._publications.farewell(self._context.removed())
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
            self._publications.found(data)
            return
        name = topic.removeprefix(f"{self._base}/")
        if not data and self._cleared[topic]:
            self._cleared[topic] -= 1
            return
        if message.retain:
            self._refuse(message, name, "a retained command is refused and cleared; publish it without retain")
            if data:
                # What clears it comes back to us, and over MQTT 3.1.1 it looks like a command.
                self._cleared[topic] += 1
                self._outbox.tell(Outgoing(topic, b"", retain=True))
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

    def _refuse(self, message: aiomqtt.Message, name: str, why: str) -> None:
        if self._logged.take():
            self._context.logger.warning("%s: %s", message.topic, why)
        self._publications.tell("problem", where=name, what=why, over=False)
        self._reply(message, answer(False, error=why))

    def _reply(self, message: aiomqtt.Message, payload: bytes) -> None:
        properties: Any = message.properties
        topic = getattr(properties, "ResponseTopic", None)
        if topic and not any(c in topic for c in "+#\x00") and not topic.startswith(f"{self._base}/"):
            self._outbox.tell(Outgoing(topic, payload, correlation=getattr(properties, "CorrelationData", b"")))


@asynccontextmanager
async def async_setup(context: PluginContext, config: BridgeConfig) -> AsyncIterator[Bridge]:
    """Connect in the background: the daemon lives without a broker."""
    bridge = Bridge(context, config)
    context.run("news", bridge.publish)
    context.run("connection", bridge.connect)
    context.run("birth", bridge.greet)
    try:
        yield bridge
    finally:
        await bridge.farewell()
