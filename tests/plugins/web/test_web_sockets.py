"""Sockets that misbehave: garbage, floods, silence, slowness. Nobody else suffers."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from types import SimpleNamespace
from typing import Any

import aiohttp
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web import Binary, Pages, configured, paged

from avatard.plugins.web import wire
from avatard.plugins.web.commands import Commands, Garbage, parsed
from avatard.plugins.web.outbox import MESSAGES, PICTURES, PIECES, Outbox, framed

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
WORDS = "one two three four five. six seven eight nine ten."


async def well(pages: Pages) -> None:
    """Another browser is served as ever."""
    async with pages.viewer() as viewer:
        assert (await viewer.until("welcome"))["title"] == "test"
        assert (await viewer.command("volume", percent=80))["ok"]


FIRST = (
    "", "hello", "{}", '{"type":"hello"}', '{"type":"hello","page":"attic"}', '{"type":"say","id":1,"text":"Hi"}',
    b"\x00" * 10,
    '{"type":"hello","page":"room","stream":"vhs"}', "[" * 4000, '{"type":"hello","page":"room","sound":"loud"}',
    '{"type":"hello","page":"talk","session":"' + "x" * 100 + '"}', "x" * 10_000,
)  # fmt: skip


async def test_without_a_hello_it_is_closed() -> None:
    async with paged(configured()) as pages:
        for first in FIRST:
            async with pages.session.ws_connect(f"{pages.url}/ws") as ws:
                await (ws.send_bytes(first) if isinstance(first, bytes) else ws.send_str(first))
                message = await ws.receive(10)
                assert message.type is aiohttp.WSMsgType.CLOSE and ws.close_code == 4408, (first[:100], message)
            await well(pages)


async def test_who_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatard.plugins.web.connection.HELLO_LIMIT", 0.3)
    async with paged(configured()) as pages, pages.session.ws_connect(f"{pages.url}/ws") as ws:
        await ws.receive(10)
        assert ws.close_code == 4408


GARBAGE: tuple[tuple[str | bytes, int], ...] = (
    ("no json", 1007), ("[]", 1007), ("7", 1007), ('{"id":1}', 1007), ('{"type":7}', 1007), ("[" * 4000, 1007),
    ('{"type":"dance"}', 1007), ('{"type":"played"}', 1007), ('{"type":"played","answer":-1,"at":0}', 1007),
    ('{"type":"played","answer":1,"at":NaN}', 1007), ('{"type":"played","answer":1,"at":1e999}', 1007),
    ('{"type":"talk","on":"yes"}', 1007), ('{"type":"say","id":1,"text":"' + "x" * 5000 + '"}', 4413),
    (r'{"type":"say","id":1,"text":"\ud800 hello"}', 1007), (r'{"type":"dance","id":1,"\udfff":0}', 1007),
    (b"\x00\x00", 1003), (b"", 1003), (b"\x01" * 50_000, 1003), (b"\x00" * 10_000_000, 1009), ("x" * 10_000_000, 1009),
)  # fmt: skip


async def test_garbage_closes_the_socket_with_a_clear_code() -> None:
    async with paged(configured()) as pages, pages.viewer() as other:
        await other.until("welcome")
        for message, code in GARBAGE:
            async with pages.viewer() as viewer:
                await viewer.until("welcome")
                try:
                    await (viewer.ws.send_bytes(message) if isinstance(message, bytes) else viewer.ws.send_str(message))
                except ConnectionError:
                    assert len(message) > 1_000_000  # it was cut while it still sent
                ended = (await viewer.end())[0]
                assert ended in ((code,) if len(message) < 1_000_000 else (code, 1006)), (message[:100], ended)
            assert (await other.command("volume", percent=70))["ok"]


async def test_ten_megabytes_are_not_even_kept() -> None:
    process = psutil.Process()
    async with paged(configured()) as pages:
        await well(pages)
        before = process.memory_info().rss
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(pages.url.rsplit(":", 1)[1]))
            writer.write(UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"mask" + b"\x00" * 1000)  # a terabyte, it says
            head = await asyncio.wait_for(reader.read(2), 10)
            assert head[:1] == b"\x88", head  # a close frame, at once
            writer.close()
        assert process.memory_info().rss - before < 30e6
        await well(pages)


async def test_a_thousand_messages_a_second_are_too_many() -> None:
    async with paged(configured()) as pages, pages.viewer() as other:
        await other.until("welcome")
        async with pages.viewer() as viewer:
            await viewer.until("welcome")
            for _ in range(1000):
                try:
                    await viewer.send(type="played", answer=1, at=0.5)
                except ConnectionError:
                    break
            assert (await viewer.end())[0] in (4429, 1006)
        assert (await other.command("volume", percent=70))["ok"]


async def test_too_many_commands_at_once_close_the_socket() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        for number in range(300):
            await viewer.send(type="say", id=number, text="Hello.")
        code, reason = await viewer.end()
        assert code == 4429 or reason, (code, reason)
        await pages.house.door.stop()


@pytest.mark.parametrize("limit", ["SOCKETS", "SOCKETS_EACH"])
async def test_sockets_are_bounded(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"avatard.plugins.web.reception.{limit}", 2)
    async with paged(configured()) as pages, pages.viewer() as one, pages.viewer() as two:
        await one.until("welcome")
        await two.until("welcome")
        async with pages.session.ws_connect(f"{pages.url}/ws") as ws:
            await ws.receive(10)
            assert ws.close_code == 4429
        await one.ws.close()
        await asyncio.sleep(0.1)
        await well(pages)


async def test_a_browser_that_reads_nothing_costs_the_others_no_frame() -> None:
    """Five browsers; one stops to read in the middle of an answer whose pictures are large."""
    config = configured(avatar={"render": [{"platform": "scripted", "size": 512}]}, web={"jpeg_quality": 95})
    async with paged(config) as pages:
        async with pages.viewer() as one, pages.viewer() as two, pages.viewer() as three, pages.viewer() as four:
            readers = (one, two, three, four)
            stuck = await stopped(pages)
            try:
                for viewer in readers:
                    await viewer.until("welcome")
                await asyncio.sleep(0.2)
                await one.send(type="say", id=1, text=" ".join([WORDS] * 4))
                await asyncio.gather(*(viewer.until("end", 40) for viewer in readers))
                status = await pages.session.get(f"{pages.url}/api/status")
                clients = (await status.json())["clients"]
            finally:
                stuck.close()
    for viewer in readers:
        frames = [b for b in viewer.binaries if b.kind == 1]
        assert [round(b.pts * 25) for b in frames] == list(range(200))
        assert all(b.data for b in frames)
    assert clients["room"] == 5 and clients["dropped"] > 50, clients


async def stopped(pages: Pages) -> socket.socket:
    """A browser with small buffers that says hello and reads no more."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.connect(("127.0.0.1", int(pages.url.rsplit(":", 1)[1])))
    one.sendall(UPGRADE)
    await asyncio.sleep(0.1)
    hello = json.dumps({"type": "hello", "page": "room", "stream": "canvas"}).encode()
    one.sendall(bytes((0x81, 0x80 | len(hello))) + b"\0\0\0\0" + hello)
    return one


async def test_a_browser_that_takes_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatard.plugins.web.client.STALLED", 0.5)
    # A frame of noise is large.
    async with paged(configured(avatar={"render": [{"platform": "scripted", "size": 512}]})) as pages:
        stuck = await stopped(pages)
        try:
            for _ in range(50):
                await pages.house.door.say(WORDS * 5, interrupt=True)
                await asyncio.sleep(0.3)
                async with pages.session.get(f"{pages.url}/api/status") as status:
                    if not (await status.json())["clients"]["room"]:
                        break
            else:
                pytest.fail("it is still there")
        finally:
            stuck.close()
            await pages.house.door.stop()


async def test_a_dead_browser_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatard.plugins.web.reception.HEARTBEAT", 0.4)
    async with paged(configured()) as pages:
        stuck = await stopped(pages)  # it answers no ping
        try:
            for wanted in (1, 0):
                for _ in range(100):
                    async with pages.session.get(f"{pages.url}/api/status") as status:
                        if (await status.json())["clients"]["room"] == wanted:
                            break
                    await asyncio.sleep(0.05)
                else:
                    pytest.fail(f"never {wanted}")
        finally:
            stuck.close()


async def test_random_bytes_after_the_handshake_harm_nobody() -> None:
    chance = random.Random(5)
    async with paged(configured()) as pages:
        port = int(pages.url.rsplit(":", 1)[1])
        for _ in range(60):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(UPGRADE)
            assert b"101" in await reader.readuntil(b"\r\n\r\n")
            writer.write(chance.randbytes(chance.randrange(1, 3000)))
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 10)  # to the end: it is closed
            writer.close()
        await well(pages)


async def test_coming_and_going_leaves_nothing_behind() -> None:
    process = psutil.Process()
    async with paged(configured()) as pages:
        async with pages.viewer() as viewer:
            await viewer.until("idle")
        await asyncio.sleep(0.3)
        tasks, files = len(asyncio.all_tasks()), process.num_fds()
        for number in range(60):
            async with pages.session.ws_connect(f"{pages.url}/ws") as ws:
                if number % 3:
                    await ws.send_json({"type": "hello", "page": ("room", "control", "room")[number % 3]})
                if number % 6 in (1, 5):
                    await ws.receive(10)
                    ws._response.connection.transport.abort()  # type: ignore[union-attr]
        await asyncio.sleep(0.5)
        assert len(asyncio.all_tasks()) <= tasks, [t.get_name() for t in asyncio.all_tasks()]
        assert process.num_fds() <= files + 1
        await well(pages)


async def test_when_the_bridge_closes_the_browsers_are_told() -> None:
    async with paged(configured()) as pages:
        async with pages.viewer() as viewer, pages.viewer(page="control") as desk:
            await viewer.until("welcome")
            await desk.until("welcome")
            tasks = {task for task in asyncio.all_tasks()}
            await asyncio.gather(pages.bridges.become(without_pages()), viewer.end(), desk.end())
            assert viewer.ws.close_code == desk.ws.close_code == 1001
            left = [t for t in asyncio.all_tasks() - tasks if "web" in t.get_name()]
            assert not left, left
        with pytest.raises(aiohttp.ClientConnectionError):
            await pages.session.get(f"{pages.url}/healthz")


async def test_when_the_daemon_ends_the_browsers_come_back_later() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        await asyncio.gather(pages.bridges.__aexit__(None, None, None), viewer.end())
        assert viewer.ws.close_code == 4000


def without_pages() -> Any:
    config = configured()
    stages = {domain: entries for domain, entries in config.stages.items() if domain != "bridge"}
    return type(config)(**{**{k: getattr(config, k) for k in config.__dataclass_fields__}, "stages": stages})


# The queue of one browser.


def frame(number: int, picture: bool = True) -> Any:
    return framed(1, number / 25, b"s" * 4, b"jpeg" if picture else b"")


async def test_the_oldest_pictures_go_and_the_sound_stays() -> None:
    outbox = Outbox()
    for number in range(PICTURES + 30):
        outbox.frame(frame(number), True)
    got = [Binary.of(bytes(await outbox.take())) for _ in range(len(outbox))]  # type: ignore[arg-type]
    assert [round(b.pts * 25) for b in got] == list(range(PICTURES + 30)) and outbox.dropped == 30
    assert all(b.sound == b"ssss" for b in got)
    assert [bool(b.data) for b in got] == [False] * 30 + [True] * PICTURES
    assert [b.flags for b in got] == [1] * 30 + [0] * PICTURES
    outbox.frame(frame(0), True)
    assert Binary.of(bytes(await outbox.take())).data == b"jpeg"  # type: ignore[arg-type]


async def test_a_film_skips_to_the_next_keyframe() -> None:
    outbox = Outbox()
    outbox.piece(b"init", True, False)
    for number in range(200):
        outbox.piece(str(number).encode(), False, number % 25 == 0)
    got = [await outbox.take() for _ in range(len(outbox))]
    assert got[0] == b"init" and outbox.dropped == 200 - len(got) + 1
    numbers = [int(piece) for piece in got[1:]]
    assert numbers[0] % 25 == 0 and numbers == list(range(numbers[0], 200)) and len(numbers) <= PIECES


async def test_what_waits_is_bounded_and_cleared() -> None:
    outbox = Outbox()
    for number in range(MESSAGES * 2):
        outbox.frame(frame(number, False), True)
    assert len(outbox) == MESSAGES and outbox.full
    other = Outbox()
    other.put("news")
    other.frame(frame(1), True)
    other.piece(b"x", False, True)
    other.put(b"chime")
    other.clear()
    assert [await other.take() for _ in range(len(other))] == ["news", b"chime"]


# Anything that may come.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12,
)  # fmt: skip
KINDS = ["say", "ask", "listen", "stop", "mute", "volume", "voice", "face", "screen", "timer", "cancel_timer", "touch",
         "played", "talk", "hello", "x"]  # fmt: skip
FIELDS = ["id", "text", "on", "percent", "name", "seconds", "timer", "answer", "at", "page", "stream"]


@given(st.text(max_size=200) | JSON.map(lambda v: json.dumps(v)))
def test_parsing_takes_an_object_with_a_type_or_refuses(text: str) -> None:
    try:
        message = parsed(text)
    except Garbage:
        return
    assert isinstance(message, dict) and isinstance(message["type"], str)


MESSAGE = st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MESSAGE, max_size=6), st.binary(max_size=40))
async def test_any_messages_end_in_an_answer_or_a_close(messages: list[Any], tail: bytes) -> None:
    async with paged(configured(display={"platform": "none", "pace": "fast"})) as pages:
        async with pages.viewer() as viewer:
            await viewer.until("welcome")
            try:
                for kind, more in messages:
                    await viewer.send(**{**more, "type": kind})
                await viewer.ws.send_bytes(tail)
            except (ConnectionError, ValueError):
                pass
            code, _ = await viewer.end()
            assert code in (1003, 1007, 4413, 4429), (code, messages)
        await pages.house.door.stop()
        await well(pages)


class Nobody:
    """An assistant that takes whatever passes the checks."""

    def __getattr__(self, name: str) -> Any:
        async def taken(*args: Any, **options: Any) -> Any:
            return SimpleNamespace(turn=1)

        return taken


@given(st.sampled_from(KINDS[:11]), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6))
async def test_any_command_has_an_answer_that_can_be_sent(kind: str, fields: dict[str, Any]) -> None:
    answer = await Commands(Nobody(), "room").obey({**fields, "type": kind})  # type: ignore[arg-type]
    assert answer["type"] == "answer" and isinstance(answer["ok"], bool) and json.loads(wire.text(answer))
    assert answer["ok"] or answer["error"]
    assert not answer["ok"] or isinstance(answer["id"], int)


def test_the_commands_known_are_those_of_the_protocol() -> None:
    commands = Commands(None, "room")  # type: ignore[arg-type]
    assert [kind for kind in KINDS if commands.knows({"type": kind})] == KINDS[:11]
