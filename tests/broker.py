"""A mosquitto of the test's own on a free port, and a client that remembers what it saw.

    with Broker(tmp_path) as broker, Listener(broker, "avatard/#") as listener:
        listener.publish("avatard/den/say/set", "hello")
        listener.wait_for("avatard/den/reply", lambda m: m.json()["text"] == "hello")

The calls block: in a coroutine wrap what waits in ``asyncio.to_thread``.
"""

from __future__ import annotations

import getpass
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
from conftest import missing
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

HOST = "127.0.0.1"
_number = itertools.count()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as s:
        s.bind((HOST, 0))
        return int(s.getsockname()[1])


def program(name: str) -> str:
    """Find a Debian program that may live in /usr/sbin."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        missing(f"{name} (Debian: {'openssl' if name == 'openssl' else 'mosquitto'})")
    return str(found)


class Broker:
    """``port`` (and ``websocket_port``) stay the same over restarts; ``folder`` has ca.crt, client.crt and client.key.

    ``tls``: ``True``, or ``"expired"`` for a server certificate that ran out. ``certificate``: clients must show one.
    ``users``: name → password, and nobody else. ``acl``: the text of mosquitto's acl_file. ``options``: more lines of
    mosquitto.conf.
    """

    def __init__(
        self, folder: Path, *, tls: bool | str = False, certificate: bool = False, users: dict[str, str] | None = None,
        acl: str | None = None, websockets: bool = False, options: Sequence[str] = (), port: int | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder / f"broker{next(_number)}"
        self.folder.mkdir(parents=True)
        self.port = port or free_port()
        self.websocket_port = free_port() if websockets else None
        self.tls, self.users = bool(tls), users or {}
        if tls:
            make_certificates(self.folder, expired=tls == "expired")
        secure = [f"cafile {self.folder}/ca.crt", f"certfile {self.folder}/server.crt",
                  f"keyfile {self.folder}/server.key"] if tls else []  # fmt: skip
        secure += ["require_certificate true"] if certificate else []
        lines = [
            f"user {getpass.getuser()}", "persistence true", f"persistence_location {self.folder}/",
            # Every change is on the disk at once, so that a killed broker comes back with it.
            "autosave_on_changes true", "autosave_interval 1",
            f"log_dest file {self._log}", "log_type all", f"allow_anonymous {'false' if users else 'true'}",
        ]  # fmt: skip
        if users:
            passwords = self.folder / "passwords"
            passwords.touch(mode=0o600)
            for name, password in users.items():
                run(program("mosquitto_passwd"), "-b", str(passwords), name, password)
            lines.append(f"password_file {passwords}")
        if acl is not None:
            (self.folder / "acl").write_text(acl)
            lines.append(f"acl_file {self.folder}/acl")
        lines += [*options, f"listener {self.port} {HOST}", *secure]
        if websockets:
            lines += [f"listener {self.websocket_port} {HOST}", "protocol websockets", *secure]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def _log(self) -> Path:
        return self.folder / "mosquitto.log"

    @property
    def log(self) -> str:
        """What the broker wrote: connections, subscriptions, each packet."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self, *, lose: bool = False) -> None:
        """Start (again); ``lose``: without what was retained and queued."""
        self.stop()
        if lose:
            (self.folder / "mosquitto.db").unlink(missing_ok=True)
        command = [program("mosquitto"), "-c", str(self.folder / "mosquitto.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while True:
            assert self._process.poll() is None, f"mosquitto ended: {self.log}"
            try:
                socket.create_connection((HOST, self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < end, f"mosquitto does not answer: {self.log}"
                time.sleep(0.02)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once: connections break, nothing is said to the clients."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it hang: connections stay and nothing answers."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def retained(self, topics: str = "#", **listener: Any) -> dict[str, bytes]:
        """What a client that comes at this moment is given under ``topics``."""
        mark = f"test/mark/{next(_number)}"
        with Listener(self, topics, mark, **listener) as here:
            here.publish(mark, "")
            here.wait_for(mark)
            return {m.topic: m.payload for m in here.messages if m.retain and m.payload}

    def _end(self, how: signal.Signals) -> None:
        if (process := self._process) is None:
            return
        self._process = None
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


@dataclass(frozen=True)
class Message:
    """What came; ``retain`` as its sender set it (MQTT 5), or: came from the broker's store (3.1.1)."""

    topic: str
    payload: bytes
    retain: bool
    qos: int
    properties: dict[str, Any]
    """MQTT 5's, by paho's names: ``ResponseTopic``, ``CorrelationData``, ``MessageExpiryInterval`` …"""
    at: float
    """time.monotonic() of its coming."""

    @property
    def text(self) -> str:
        return self.payload.decode()

    def json(self) -> Any:
        return json.loads(self.payload)


class Listener:
    """A client that keeps every message; it connects again by itself while it is open."""

    def __init__(
        self, broker: Broker, *topics: str, user: str | None = None, password: str | None = None, mqtt5: bool = True,
        id: str = "",
    ) -> None:  # fmt: skip
        self._topics = topics
        self._mqtt5 = mqtt5
        self._seen: list[Message] = []
        self._news = threading.Condition()
        self._ready = threading.Event()
        self._failed = ""
        self._client = client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, id or f"listener-{os.getpid()}-{next(_number)}",
            protocol=paho.MQTTv5 if mqtt5 else paho.MQTTv311,
        )  # fmt: skip
        if user is None and broker.users:
            user, password = next(iter(broker.users.items()))
        if user is not None:
            client.username_pw_set(user, password)
        if broker.tls:
            client.tls_set(f"{broker.folder}/ca.crt", f"{broker.folder}/client.crt", f"{broker.folder}/client.key")
        client.reconnect_delay_set(1, 1)
        client.on_connect, client.on_subscribe, client.on_message = self._connected, self._subscribed, self._came
        client.connect(HOST, broker.port, keepalive=30)
        client.loop_start()
        try:
            assert self._ready.wait(10) and not self._failed, f"the listener cannot read {topics}: {self._failed}"
        except BaseException:
            self.close()
            raise

    @property
    def messages(self) -> list[Message]:
        """All that came since the start or ``clear()``."""
        with self._news:
            return list(self._seen)

    def of(self, topic: str) -> list[Message]:
        """Those of a topic, or of a filter with ``+`` and ``#``."""
        return [m for m in self.messages if paho.topic_matches_sub(topic, m.topic)]

    def clear(self) -> None:
        """Forget what came."""
        with self._news:
            self._seen.clear()

    def wait_for(self, topic: str, want: Callable[[Message], object] | None = None, seconds: float = 10) -> Message:
        """Return the first message of the topic (or filter) that is as wanted, be it here already or on its way."""
        end = time.monotonic() + seconds
        with self._news:
            while True:
                for m in self._seen:
                    if paho.topic_matches_sub(topic, m.topic) and (want is None or want(m)):
                        return m
                left = end - time.monotonic()
                assert left > 0, f"nothing wanted on {topic} in {seconds} s; seen: {self._seen[-20:]}"
                self._news.wait(left)

    def publish(
        self, topic: str, payload: str | bytes = b"", *, retain: bool = False, qos: int = 1,
        respond: str | None = None, correlation: bytes | None = None, expiry: int | None = None, wait: bool = True,
    ) -> None:  # fmt: skip
        """Publish, and wait until the broker has it (QoS 1 and 2)."""
        properties = None
        if self._mqtt5:
            properties = Properties(PacketTypes.PUBLISH)
            for key, value in (("ResponseTopic", respond), ("CorrelationData", correlation),
                               ("MessageExpiryInterval", expiry)):  # fmt: skip
                if value is not None:
                    setattr(properties, key, value)
        info = self._client.publish(topic, payload, qos, retain, properties)
        if wait:
            info.wait_for_publish(10)
            assert info.is_published(), f"the broker did not take {topic}"

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._failed = str(reason)
            self._ready.set()
        elif not self._topics:
            self._ready.set()
        elif self._mqtt5:
            client.subscribe([(t, SubscribeOptions(1, retainAsPublished=True)) for t in self._topics])
        else:
            client.subscribe([(t, 1) for t in self._topics])

    def _subscribed(self, client: paho.Client, userdata: Any, mid: int, reasons: list[Any], properties: Any) -> None:
        self._failed = ", ".join(str(r) for r in reasons if r.is_failure)
        self._ready.set()

    def _came(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        properties = vars(message.properties) if message.properties else {}
        known = {k: v for k, v in properties.items() if k not in ("packetType", "types", "names", "properties")}
        new = Message(message.topic, message.payload, bool(message.retain), message.qos, known, time.monotonic())
        with self._news:
            self._seen.append(new)
            self._news.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def make_certificates(folder: Path, *, expired: bool = False) -> None:
    """Write ca.crt and ca.key, and a certificate and key each for ``server`` and ``client``, signed by it."""
    openssl = program("openssl")
    ca = ["-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key", "-CAcreateserial"]
    run(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.crt", "-subj", "/CN=test CA",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    for name, extra, days in (
        ("server", f"subjectAltName=IP:{HOST},DNS:localhost", "-1" if expired else "2"),
        ("client", "extendedKeyUsage=clientAuth", "2"),
    ):
        (folder / f"{name}.ext").write_text(f"{extra}\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
        run(openssl, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr", "-subj", f"/CN={name}")  # fmt: skip
        run(openssl, "x509", "-req", "-in", f"{folder}/{name}.csr", *ca, "-days", days,
            "-out", f"{folder}/{name}.crt", "-extfile", f"{folder}/{name}.ext")  # fmt: skip


def run(*command: str) -> None:
    """Run a program that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
