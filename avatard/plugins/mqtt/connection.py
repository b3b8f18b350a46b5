"""The connection to the broker: kept up in the background, with growing pauses where it cannot be."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from avatard.api.context import Pulse
from avatard.api.errors import NotReady
from avatard.api.news import News
from avatard.plugins.mqtt.config import BridgeConfig
from avatard.plugins.mqtt.outbox import Outbox, Outgoing
from avatard.plugins.mqtt.trouble import Trouble, explained, reason, tls_context

RETRY_FIRST, RETRY_LONGEST = 1.0, 60.0
"""Seconds between attempts, doubled each time, each times 0.8 to 1.2."""
CALL_LIMIT = 4.0
"""Seconds that the broker may take for one packet's answer."""
BRIEF = 10.0
"""Seconds after which a connection was a good one: the next pause is short again. Broken twice before that, under an id
from the configuration, it is taken for another client's: mosquitto 2.0 tells the reason, but closes the socket before
it can be read."""
PROBE_LIMIT = 5.0
"""Seconds after which what we sent to ourselves should have come back."""
IN_FLIGHT = 8
"""Messages that may be on their way to the broker at once; aiomqtt complains of more than ten."""
INCOMING = 2000
"""Messages that may wait to be read; paho drops what comes on top."""
LARGEST_PACKET = 2 * 1024 * 1024
"""Bytes; over MQTT 5 the broker sends us no packet larger than this, or one of 200 MB would fill the memory."""
REFUSED_PROTOCOL = (1, 132)
"""CONNACK: unacceptable protocol version, in MQTT 3.1.1 and in MQTT 5"""
TAKEN_OVER = 142
"""MQTT 5 reason code: another client has connected with our id"""

Receive = Callable[[aiomqtt.Message], Awaitable[None]]


class Connection:
    """Sends what the outbox holds, receives what is subscribed to."""

    def __init__(
        self, config: BridgeConfig, id: str, outbox: Outbox, topics: list[str], probe: str, news: News,
        logger: logging.Logger,
    ) -> None:  # fmt: skip
        """Subscribe to ``topics``; send a word to the topic ``probe``, which is one of them, to see that it comes.

        Raises:
            ConfigError: a certificate cannot be used.
        """
        self._config, self._outbox, self._topics, self._probe = config, outbox, topics, probe
        self._logger, self._paho = logger, logger.getChild("paho")
        self._identifier = config.client_id or f"avatard-{id}-{secrets.token_hex(4)}"
        self._protocol = {"3.1.1": aiomqtt.ProtocolVersion.V311}.get(config.protocol, aiomqtt.ProtocolVersion.V5)
        self._tls = tls_context(config.tls)
        self._word, self._answered = "", asyncio.Event()
        self._where = f"{config.host}:{self._port}"
        self._trouble = Trouble(self._where, news, logger)
        self._online, self._brief = False, 0
        self._client: aiomqtt.Client | None = None
        self.will: Outgoing | None = None

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish at once, or not at all; return when the broker has it.

        Raises:
            NotReady: the broker is away, or does not answer in time.
        """
        if self._client is None:
            raise NotReady(f"{self._where}: {topic}: there is no broker now")
        try:
            await self._client.publish(topic, payload, qos=1, timeout=CALL_LIMIT)
        except (aiomqtt.MqttError, ValueError) as err:
            raise NotReady(f"{self._where}: {topic}: {err}") from err

    @property
    def _port(self) -> int:
        return self._config.port or (8883 if self._tls else 1883)

    @property
    def version5(self) -> bool:
        """Whether MQTT 5 is spoken."""
        return self._protocol is aiomqtt.ProtocolVersion.V5

    async def run(self, pulse: Pulse, connected: Callable[[], None], receive: Receive) -> None:
        """Stay connected, for ever.

        Args:
            pulse: of this task.
            connected: called when all is to be published once again.
            receive: called with each message, one after another.
        """
        pause = RETRY_FIRST
        while True:
            began = time.monotonic()
            pulse.beat(60.0)
            self._online = False
            try:
                async with self._connected() as client:
                    self._online, self._client = True, client
                    connected()
                    await self._serve(client, pulse, receive)
            except (aiomqtt.MqttError, OSError, ValueError) as err:
                self._failed(err)
            except BaseExceptionGroup as group:  # a task group wraps even a single error
                broken, rest = group.split((aiomqtt.MqttError, OSError, ValueError))
                if rest is not None or broken is None:
                    raise
                self._failed(broken.exceptions[0])
            lasted = time.monotonic() - began
            self._brief = self._brief + 1 if self._online and lasted < BRIEF else 0
            if self._online and lasted >= BRIEF:
                pause = RETRY_FIRST
            pulse.beat(math.inf)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(RETRY_LONGEST, pause * 2)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiomqtt.Client]:
        config, will = self._config, self.will
        # paho says at each attempt what is told once.
        self._paho.setLevel(logging.NOTSET if self._logger.isEnabledFor(logging.DEBUG) else logging.CRITICAL)
        client = aiomqtt.Client(
            config.host, self._port, username=config.username,
            password=config.password.get_secret_value() if config.password else None,
            identifier=self._identifier, protocol=self._protocol,
            # A session that outlives the connection would bring commands late: nobody wants yesterday's words.
            clean_session=None if self.version5 else True,
            clean_start=True if self.version5 else MQTT_CLEAN_START_FIRST_ONLY,
            will=aiomqtt.Will(will.topic, will.payload, qos=1, retain=will.retain) if will else None,
            transport=config.transport, websocket_path=config.path if config.transport == "websockets" else None,
            # paho gives up after twice its keepalive.
            keepalive=max(2, int(config.keepalive * 0.7)), timeout=CALL_LIMIT, tls_context=self._tls,
            # Nagle's algorithm would hold small packets back for 40 ms.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            max_queued_incoming_messages=INCOMING, logger=self._paho,
            properties=_properties(PacketTypes.CONNECT, MaximumPacketSize=LARGEST_PACKET) if self.version5 else None,
        )  # fmt: skip
        async with client:
            try:
                yield client
            finally:
                self._client = None
                if not self._outbox.empty:
                    _hang_up(client)

    async def _serve(self, client: aiomqtt.Client, pulse: Pulse, receive: Receive) -> None:
        for topic in self._topics:
            if self.version5:
                # As published for commands, which must not be; elsewhere the mark is for what was there before us.
                options = SubscribeOptions(qos=1, retainAsPublished=topic.endswith("/set"))
                await client.subscribe(topic, options=options)
            else:
                await client.subscribe(topic, qos=1)
        self._logger.info("%s: connected, MQTT %s", self._where, "5" if self.version5 else "3.1.1")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send(client, pulse))
            tasks.create_task(self._probed())
            async for message in client.messages:
                if str(message.topic) == self._probe:
                    self._probe_came(message.payload)
                else:
                    await receive(message)

    async def _send(self, client: aiomqtt.Client, pulse: Pulse) -> None:
        while True:
            pulse.beat(math.inf)
            messages = await self._outbox.next(IN_FLIGHT)
            pulse.beat(60.0)
            await asyncio.gather(*(
                client.publish(
                    m.topic, m.payload, m.qos, m.retain,
                    _properties(PacketTypes.PUBLISH, CorrelationData=m.correlation),
                ) for m in messages
            ))  # fmt: skip
            self._outbox.sent(messages)

    async def _probed(self) -> None:
        """Rights that are missing are silent in MQTT: see that what we publish comes to us."""
        self._word = f"probe {secrets.token_hex(8)}"
        self._answered.clear()
        self._outbox.tell(Outgoing(self._probe, self._word.encode()))
        try:
            await asyncio.wait_for(self._answered.wait(), PROBE_LIMIT)
        except TimeoutError:
            base = self._probe.rsplit("/", 2)[0]
            who = f"user {self._config.username}" if self._config.username else "a client without a user name"
            self._trouble.tell(f"connected, but commands do not come through; does the broker's ACL let {who} "
                               f"read and write {base}/#?")  # fmt: skip
        else:
            self._trouble.over()

    def _probe_came(self, payload: Any) -> None:
        if payload == self._word.encode():
            self._answered.set()
        else:
            base = self._probe.rsplit("/", 2)[0]
            self._trouble.tell(f"somebody else sends to {self._probe}: does another avatard use {base}? "
                               "give each its own 'id:'")  # fmt: skip

    def _failed(self, err: Exception) -> None:
        code = reason(err)
        if code in REFUSED_PROTOCOL and self.version5 and self._config.protocol == "auto":
            self._protocol = aiomqtt.ProtocolVersion.V311
            self._logger.info("%s: no MQTT 5; going on with 3.1.1", self._where)
            return
        if code == TAKEN_OVER or (self._config.client_id and self._online and self._brief):
            taken, self._identifier = self._identifier, f"{self._identifier[:90]}-{secrets.token_hex(4)}"
            self._trouble.tell(f"another client has connected with our id {taken!r}; going on as "
                               f"{self._identifier!r}; give each its own 'client_id:'")  # fmt: skip
            return
        self._trouble.tell(explained(err, code, self._tls is not None))


def _hang_up(client: aiomqtt.Client) -> None:
    """Break the connection without a word: what the broker has not taken says that we go, so its will must."""
    connection = client._client.socket()
    if isinstance(connection, socket.socket):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _properties(packet: int, **values: Any) -> Properties | None:
    if not (given := {name: value for name, value in values.items() if value is not None}):
        return None
    properties = Properties(packet)  # type: ignore[no-untyped-call]  # paho has no types there
    for name, value in given.items():
        setattr(properties, name, value)
    return properties
