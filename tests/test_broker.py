"""The tests' own broker does what the tests of the bridge lean on."""

from __future__ import annotations

import socket
import ssl
from contextlib import nullcontext
from pathlib import Path

import pytest
from broker import HOST, Broker, Listener


def test_what_is_retained_outlives_a_kill_and_can_be_lost(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker, "a/#") as listener:
        listener.publish("a/kept", "1", retain=True)
        listener.publish("a/passing", "2", respond="b/answer", correlation=b"7", expiry=30)
        kept, passing = listener.wait_for("a/kept"), listener.wait_for("a/passing")
        assert kept.retain and not passing.retain
        assert passing.properties["ResponseTopic"] == "b/answer", passing
        assert passing.properties["CorrelationData"] == b"7", passing
        broker.kill()
        broker.start()
        assert broker.retained("a/#") == {"a/kept": b"1"}
        broker.start(lose=True)
        assert broker.retained("a/#") == {}


def test_a_paused_broker_is_silent_and_goes_on(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker, "a/#", mqtt5=False) as listener:
        broker.pause()
        listener.publish("a/x", "1", wait=False)
        with pytest.raises(AssertionError, match="nothing wanted"):
            listener.wait_for("a/x", seconds=0.5)
        broker.resume()
        assert listener.wait_for("a/x").text == "1"


def test_passwords_rights_and_certificates(tmp_path: Path) -> None:
    acl = "user reader\ntopic read a/#\nuser writer\ntopic readwrite #\n"
    users = {"writer": "one", "reader": "two"}
    with Broker(tmp_path, tls=True, certificate=True, users=users, acl=acl, websockets=True) as broker:
        assert broker.websocket_port
        with pytest.raises(AssertionError, match=r"[Nn]ot authorized|[Bb]ad user"):
            Listener(broker, "a/#", user="reader", password="wrong")
        with (
            Listener(broker, "a/#", user="reader", password="two") as reader,
            Listener(broker, user="writer", password="one") as writer,
        ):
            reader.publish("a/forbidden", "x")
            writer.publish("a/allowed", "y")
            reader.wait_for("a/allowed")
            assert [m.topic for m in reader.messages] == ["a/allowed"], reader.messages


@pytest.mark.parametrize("tls", [True, "expired"])
def test_an_expired_certificate_is_one(tmp_path: Path, tls: bool | str) -> None:
    with Broker(tmp_path, tls=tls) as broker, socket.create_connection((HOST, broker.port)) as plain:
        context = ssl.create_default_context(cafile=f"{broker.folder}/ca.crt")
        with pytest.raises(ssl.SSLError, match="expired") if tls == "expired" else nullcontext():
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                assert secure.version(), secure
