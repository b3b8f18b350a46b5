"""The connection to the broker: kept up in the background, with growing pauses where it cannot be."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from avatard.api.context import Pulse
from avatard.api.errors import ConfigError
from avatard.api.news import News, Problem
from avatard.plugins.mqtt.config import BridgeConfig, Tls
from avatard.plugins.mqtt.outbox import Outbox, Outgoing

RETRY_FIRST, RETRY_LONGEST = 1.0, 60.0
"""Seconds between attempts, doubled each time, each times 0.8 to 1.2."""
STEADY = 30.0
"""Seconds after which a connection was a good one: the next pause is short again."""
CALL_LIMIT = 4.0
"""Seconds that the broker may take for one packet's answer."""
PROBE_LIMIT = 5.0
"""Seconds after which what we sent to ourselves should have come back."""
INCOMING = 2000
"""Messages that may wait to be read; paho drops what comes on top."""
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
        self._news, self._logger = news, logger
        self._identifier = config.client_id or f"avatard-{id}-{secrets.token_hex(4)}"
        self._protocol = {"3.1.1": aiomqtt.ProtocolVersion.V311}.get(config.protocol, aiomqtt.ProtocolVersion.V5)
        self._tls = tls_context(config.tls)
        self._word, self._answered = "", asyncio.Event()
        self._where = f"mqtt: {config.host}:{self._port}"
        self._told = ""
        self.will: Outgoing | None = None

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
            try:
                async with self._connected() as client:
                    connected()
                    await self._serve(client, pulse, receive)
            except (aiomqtt.MqttError, OSError, ValueError) as err:
                self._failed(err)
            except BaseExceptionGroup as group:
                broken, rest = group.split((aiomqtt.MqttError, OSError, ValueError))
                if rest is not None or broken is None:
                    raise
                self._failed(broken.exceptions[0])
            if time.monotonic() - began > STEADY:
                pause = RETRY_FIRST
            pulse.beat(math.inf)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(RETRY_LONGEST, pause * 2)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiomqtt.Client]:
        config, will = self._config, self.will
        client = aiomqtt.Client(
            config.host, self._port, username=config.username,
            password=config.password.get_secret_value() if config.password else None,
            identifier=self._identifier, protocol=self._protocol,
            # A session that outlives the connection would bring commands late: nobody wants yesterday's words.
            clean_session=None if self.version5 else True, clean_start=True,
            will=aiomqtt.Will(will.topic, will.payload, qos=1, retain=will.retain) if will else None,
            transport=config.transport, websocket_path=config.path if config.transport == "websockets" else None,
            # paho gives up after twice its keepalive.
            keepalive=max(2, int(config.keepalive * 0.7)), timeout=CALL_LIMIT, tls_context=self._tls,
            max_queued_incoming_messages=INCOMING, logger=self._logger.getChild("paho"),
        )  # fmt: skip
        async with client:
            yield client

    async def _serve(self, client: aiomqtt.Client, pulse: Pulse, receive: Receive) -> None:
        options = SubscribeOptions(qos=1, retainAsPublished=True) if self.version5 else None
        for topic in self._topics:
            if options is not None:
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
            message = await self._outbox.first()
            pulse.beat(60.0)
            await client.publish(
                message.topic, message.payload, qos=1, retain=message.retain, properties=_properties(message)
            )
            self._outbox.sent(message)

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
            self._tell(f"{self._where}: connected, but commands do not come through; does the broker's ACL let {who} "
                       f"read and write {base}/#?")  # fmt: skip
        else:
            self._told = ""
            self._news.publish(Problem("mqtt", "", over=True))

    def _probe_came(self, payload: Any) -> None:
        if payload == self._word.encode():
            self._answered.set()
        else:
            base = self._probe.rsplit("/", 2)[0]
            self._tell(f"{self._where}: somebody else sends to {self._probe}: does another avatard use {base}? "
                       "give each its own 'id:'")  # fmt: skip

    def _failed(self, err: Exception) -> None:
        code = getattr(getattr(err, "rc", None), "value", getattr(err, "rc", None))
        if code in REFUSED_PROTOCOL and self.version5 and self._config.protocol == "auto":
            self._protocol = aiomqtt.ProtocolVersion.V311
            self._logger.info("%s: no MQTT 5; going on with 3.1.1", self._where)
            return
        if code == TAKEN_OVER:
            taken, self._identifier = self._identifier, f"{self._identifier[:90]}-{secrets.token_hex(4)}"
            self._tell(f"{self._where}: another client has connected with our id {taken!r}; going on as "
                       f"{self._identifier!r}; give each its own 'client_id:'")  # fmt: skip
            return
        self._tell(f"{self._where}: {explained(err, code)}")

    def _tell(self, what: str) -> None:
        """Say it once, until it is another matter or has passed."""
        if what != self._told:
            self._told = what
            self._logger.warning("%s", what)
            self._news.publish(Problem("mqtt", what))


def tls_context(tls: bool | Tls) -> ssl.SSLContext | None:
    """What the configuration says of TLS; None where there is none.

    Raises:
        ConfigError: a file cannot be read or is no certificate.
    """
    if not tls:
        return None
    settings = tls if isinstance(tls, Tls) else Tls()
    try:
        context = ssl.create_default_context(cafile=str(settings.ca) if settings.ca else None)
    except (OSError, ssl.SSLError) as err:
        raise ConfigError(f"mqtt: tls: ca: {settings.ca}: {err.strerror or err}; give the CA's PEM file") from err
    context.check_hostname = settings.check_name
    if settings.certificate is not None and settings.key is not None:
        try:
            context.load_cert_chain(settings.certificate, settings.key)
        except (OSError, ssl.SSLError) as err:
            raise ConfigError(
                f"mqtt: tls: certificate, key: {settings.certificate}, {settings.key}: {err.strerror or err}; "
                "give PEM files that belong together"
            ) from err
    return context


def explained(err: Exception, code: Any) -> str:
    """What went wrong and what to do about it; never what was sent."""
    if isinstance(err, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(err):
        return f"the broker's certificate is not accepted: {err}; see 'tls: ca:'"
    if code in (4, 134):
        return "wrong user name or password; see 'username:' and 'password:'"
    if code in (5, 135):
        return "not authorised; does the broker know this user, and want a certificate or a password?"
    return f"{str(err) or type(err).__name__}; trying again"


def _properties(message: Outgoing) -> Properties | None:
    if message.correlation is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types there
    properties.CorrelationData = message.correlation
    return properties


def answer(ok: bool, **data: Any) -> bytes:
    """The payload of an answer to a command."""
    return json.dumps({"ok": ok, **data}, ensure_ascii=False).encode("utf-8", "replace")
