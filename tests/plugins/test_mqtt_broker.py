"""The bridge and a broker that is locked, away, stuck or old."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from broker import Broker, Listener, free_port, make_certificates
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mqtt import at, bridged, online, until

from avatard.api.errors import AvatardError, ConfigError
from avatard.api.news import Health
from avatard.plugins.mqtt.commands import Commands
from avatard.runtime.config import Configuration, from_mapping
from avatard.runtime.house import House, open_house

Scripted = Callable[..., Configuration]
SECRET = "correct horse battery staple"


async def problem(house: House, words: str, seconds: float = 10) -> str:
    """Wait until the house tells of this problem with its bridge."""
    end = time.monotonic() + seconds
    while words not in (told := house.door.status().problems.get("mqtt", "")):
        assert time.monotonic() < end, f"no {words!r}: {house.door.status().problems}"
        await asyncio.sleep(0.05)
    return told


async def well(house: House, seconds: float = 15) -> None:
    """Wait until nothing is wrong with the bridge."""
    end = time.monotonic() + seconds
    while "mqtt" in house.door.status().problems:
        assert time.monotonic() < end, house.door.status().problems
        await asyncio.sleep(0.05)


async def test_tls_with_our_own_authority_and_certificate(scripted: Scripted, tmp_path: Path) -> None:
    with Broker(tmp_path, tls=True, certificate=True) as broker, Listener(broker, "#") as listener:
        folder = broker.folder
        tls = {"ca": f"{folder}/ca.crt", "certificate": f"{folder}/client.crt", "key": f"{folder}/client.key"}
        async with bridged(scripted(**at(broker, tls=tls))):
            await online(listener)
            listener.publish("avatard/test/say/set", "Safe.")
            assert (await until(listener, "avatard/test/turn")).json()["reply"] == "Safe."
        async with bridged(scripted(**at(broker, tls={"ca": f"{folder}/ca.crt"}))) as (house, _):
            await problem(house, "127.0.0.1")


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*unclosed <ssl.SSLSocket.*")
async def test_certificates_that_are_not_accepted(scripted: Scripted, tmp_path: Path) -> None:
    with Broker(tmp_path, tls="expired") as broker:
        async with bridged(scripted(**at(broker, tls={"ca": f"{broker.folder}/ca.crt"}))) as (house, _):
            assert "expired" in await problem(house, "certificate is not accepted")
            assert (await (await house.door.say("Hello.")).finished).reply == "Hello."
    with Broker(tmp_path, tls=True) as broker:
        other = tmp_path / "other"
        other.mkdir()
        make_certificates(other)
        async with bridged(scripted(**at(broker, tls={"ca": f"{other}/ca.crt"}))) as (house, _):
            await problem(house, "see 'tls: ca:'")


@pytest.mark.parametrize("tls", [{"ca": "nowhere.pem"}, {"certificate": "a.pem", "key": "b.pem"}])
async def test_certificate_files_that_cannot_be_read(scripted: Scripted, tls: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"mqtt: tls: .*No such file"):
        async with bridged(scripted(mqtt={"tls": tls})):
            raise AssertionError("it opened")


async def test_websockets(scripted: Scripted, tmp_path: Path) -> None:
    with Broker(tmp_path, websockets=True) as broker, Listener(broker, "#") as listener:
        async with bridged(scripted(mqtt={"host": "127.0.0.1", "port": broker.websocket_port,
                                          "transport": "websockets"})):  # fmt: skip
            await online(listener)
            listener.publish("avatard/test/say/set", "Hello.")
            assert (await until(listener, "avatard/test/turn")).json()["reply"] == "Hello."


async def test_a_password_is_checked_and_never_shown(
    scripted: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with Broker(tmp_path, users={"avatard": SECRET, "me": "x"}) as broker:
        with Listener(broker, "#", user="me", password="x") as listener:
            async with bridged(scripted(**at(broker, username="avatard", password=SECRET))) as (house, _):
                await online(listener)
                assert "mqtt" not in house.door.status().problems
            wrong = scripted(**at(broker, username="avatard", password=SECRET + "!"))
            async with bridged(wrong) as (house, _):
                await problem(house, "not authorised")
                assert house.door.status().state == "idle"
            everything = caplog.text + repr(wrong) + "".join(repr(m) for m in listener.messages)
    assert SECRET not in everything


@pytest.mark.parametrize("rights", ["topic read #", "topic write #"])
async def test_rights_that_are_missing_are_told(scripted: Scripted, tmp_path: Path, rights: str) -> None:
    with Broker(tmp_path, users={"avatard": "x"}, acl=f"user avatard\n{rights}\n") as broker:
        async with bridged(scripted(**at(broker, username="avatard", password="x"))) as (house, _):
            told = await problem(house, "ACL")
            assert "user avatard read and write avatard/test/#" in told


async def test_a_client_that_takes_our_id(scripted: Scripted, tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker, "#") as listener:
        async with bridged(scripted(**at(broker, client_id="the-box"))) as (house, _):
            await online(listener)
            listener.clear()
            with Listener(broker, "nothing", id="the-box"):
                told = await problem(house, "has connected with our id 'the-box'")
                assert "client_id" in told
                await online(listener)
                await well(house)


async def test_what_happens_while_the_broker_is_away(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for a listener to be there before the bridge is back.
    monkeypatch.setattr("avatard.plugins.mqtt.connection.RETRY_FIRST", 4.0)
    with Broker(tmp_path) as broker:
        with Listener(broker, "#") as listener:
            running = bridged(scripted(**at(broker, queue=5)))
            house, _ = await running.__aenter__()
            await online(listener)
        await asyncio.to_thread(broker.kill)
        await problem(house, "127.0.0.1")
        for number in range(4):
            assert (await (await house.door.say(f"Number {number}.")).finished).error == ""
        await house.door.set_volume(30)
        await asyncio.to_thread(broker.start, lose=True)
        with Listener(broker, "#") as listener:
            await online(listener)
            await well(house)
            turns = [m.json()["reply"] for m in listener.of("avatard/test/turn")]
            kept = await asyncio.to_thread(broker.retained)
            assert {"availability", "state", "mute", "volume", "attributes", "config"} <= {
                t.rsplit("/", 1)[1] for t in kept}  # fmt: skip
            assert kept["avatard/test/volume"] == b"30"
            for topic in ("homeassistant/device/avatard_test/config", "avatard/test/availability"):
                assert len(listener.of(topic)) == 1, listener.of(topic)
            house.feed.publish(Health(1, 2, "normal", 25, None, 0, 0, 0))
            await until(listener, "avatard/test/health", lambda m: m.json()["drops"] > 0)
            await running.__aexit__(None, None, None)
    # Of four replies and four turns the last five events were kept, less what came on top of them.
    assert "Number 0." not in turns and turns[-2:] == ["Number 2.", "Number 3."], turns


async def test_a_broker_that_hangs_is_noticed(scripted: Scripted, tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker, "#") as listener:
        async with bridged(scripted(**at(broker, keepalive=4))) as (house, _):
            await online(listener)
            await asyncio.sleep(1)
            broker.pause()
            try:
                await problem(house, "127.0.0.1", seconds=4 * 1.5 + 1)
                assert (await (await house.door.say("Hello.")).finished).reply == "Hello."
            finally:
                broker.resume()
            await well(house, 20)


async def test_a_broker_that_hangs_while_we_leave_publishes_our_will(scripted: Scripted, tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, Listener(broker, "avatard/test/availability") as listener:
        running = bridged(scripted(**at(broker)))
        house, _ = await running.__aenter__()
        await until(listener, "avatard/test/availability", lambda m: m.text == "online")
        await asyncio.sleep(1)
        broker.pause()
        await house.door.set_volume(20)
        await asyncio.sleep(0.3)
        await running.__aexit__(None, None, None)
        broker.resume()
        await until(listener, "avatard/test/availability", lambda m: m.text == "offline")


@asynccontextmanager
async def old_broker(port: int) -> AsyncIterator[list[bytes]]:
    """Refuses MQTT 5 as brokers of MQTT 3.1.1 do; gives the rest to nobody."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(1000)
        seen.append(data)
        level = data[data.index(b"MQTT") + 4]
        writer.write(b"\x20\x02\x00\x01" if level == 5 else b"\x20\x02\x00\x00")
        await writer.drain()
        if level != 5:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield seen
    finally:
        server.close()


async def test_mqtt_3_where_5_is_refused(scripted: Scripted) -> None:
    port = free_port()
    async with old_broker(port) as seen:
        async with bridged(scripted(mqtt={"host": "127.0.0.1", "port": port})):
            for _ in range(100):
                await asyncio.sleep(0.05)
                if len(seen) == 2:
                    break
    assert [data[data.index(b"MQTT") + 4] for data in seen[:2]] == [5, 4]


def test_a_password_without_a_name_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping({"mqtt": {"password": SECRET}})
    assert "a password needs a username" in str(caught.value) and SECRET not in str(caught.value)


TOPICS = ("say", "ask", "listen", "stop", "restart", "reload", "mute", "screen", "volume", "voice", "face", "probe", "")
PAYLOADS = st.one_of(
    st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")),
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20), lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
            ["text", "session", "interrupt", "priority", "volume", "language", "x"]), inner, max_size=5)
    ), max_leaves=8).map(lambda data: json.dumps(data).encode()),
)  # fmt: skip


def test_any_bytes_on_any_topic(scripted: Scripted) -> None:
    loop = asyncio.new_event_loop()
    configuration = scripted(tts={"platform": "scripted", "seconds_per_word": 0.01, "voices": ["a", "b"]})
    house_context: Any = open_house(configuration)
    house: House = loop.run_until_complete(house_context.__aenter__())
    commands = Commands(house.door, 1e9)
    done = {"obeyed": 0, "refused": 0}

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(TOPICS), PAYLOADS)
    def bombard(topic: str, payload: bytes) -> None:
        async def once() -> None:
            try:
                await commands.obey(f"{topic}/set", payload)
                done["obeyed"] += 1
            except AvatardError as err:
                assert str(err)
                done["refused"] += 1
            await asyncio.sleep(0)

        loop.run_until_complete(once())

    try:
        bombard()
        loop.run_until_complete(house.door.stop())
        assert loop.run_until_complete(house.door.ask("hello")).turn > 0
        assert done["obeyed"] > 20 and done["refused"] > 20, done
    finally:
        loop.run_until_complete(house_context.__aexit__(None, None, None))
        loop.close()


def test_any_bytes_over_the_wire(scripted: Scripted, tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    tts = {"platform": "scripted", "seconds_per_word": 0.01, "voices": ["a", "b"]}
    with Broker(tmp_path) as broker, Listener(broker, "avatard/test/#", "me/answers") as listener:
        running = bridged(scripted(tts=tts, **at(broker, commands_per_second=1000)))
        house, _ = loop.run_until_complete(running.__aenter__())
        try:
            loop.run_until_complete(online(listener))
            sent = 0

            @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
            @given(st.sampled_from([t for t in TOPICS if t not in ("probe", "")]), PAYLOADS)
            def bombard(topic: str, payload: bytes) -> None:
                nonlocal sent
                sent += 1
                listener.publish(f"avatard/test/{topic}/set", payload, respond="me/answers")
                loop.run_until_complete(asyncio.sleep(0.005))

            bombard()
            loop.run_until_complete(until(listener, "me/answers", lambda m: len(listener.of("me/answers")) == sent, 20))
            answers = [m.json() for m in listener.of("me/answers")]
            assert {a["ok"] for a in answers} == {True, False} and all(a["ok"] or a["error"] for a in answers)
            listener.publish("avatard/test/stop/set")
            listener.publish("avatard/test/say/set", "Still here.")
            still = until(listener, "avatard/test/turn", lambda m: m.json()["reply"] == "Still here.")
            assert loop.run_until_complete(still).json()["error"] == ""
            assert house.door.status().problems == {}
        finally:
            loop.run_until_complete(running.__aexit__(None, None, None))
            loop.close()
