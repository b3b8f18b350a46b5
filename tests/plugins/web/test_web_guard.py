"""Who may come in, and what is refused."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from web import TOKEN, configured, paged

from avatard.api.errors import ConfigError
from avatard.plugins.web import guard
from avatard.plugins.web.config import BridgeConfig
from avatard.plugins.web.guard import Guard, names_of_the_box
from avatard.runtime.config import from_mapping


def with_token(**web: Any) -> Any:
    return configured(web={"token": TOKEN, **web})


async def raw(url: str, request: bytes) -> bytes:
    """The first line of the answer to these bytes."""
    port = int(url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.readline(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize("web", [
    {"host": "0.0.0.0"}, {"host": "192.168.1.5"}, {"host": "kitchen.lan"}, {"host": "0.0.0.0", "token": "short"},
    {"token": "with spaces in the token"}, {"port": 70000}, {"origins": ["javascript:alert(1)"]}, {"jpeg_quality": 5},
    {"unknown": 1},
])  # fmt: skip
def test_a_wrong_configuration_is_told_with_its_fix(web: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as told:
        from_mapping({"name": "test", "web": web})
    assert "web" in str(told.value)
    if "host" in web:
        assert "openssl rand -hex 16" in str(told.value) and "token" in str(told.value)


@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:8585", "127.0.0.1.evil.example", "localhost.evil.example", "10.99.99.99", "0.0.0.0",
    "",
    "localhost@evil.example", "localhost/..", "localhost#", "[::1", "localhost:99999999", "127.0.0.1:x", "кухня",
])  # fmt: skip
async def test_a_strange_name_is_refused_everywhere(host: str) -> None:
    async with paged(configured()) as pages:
        for path in ("/", "/ws", "/healthz", "/static/x.js", "/api/status", "/nothing"):
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            line = await raw(pages.url, request.encode())
            assert line.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), (host, path, line)


def test_names_that_lead_here() -> None:
    box = Guard(BridgeConfig(host="0.0.0.0", token=TOKEN, origins=("https://face.example.org",)), "test")  # type: ignore[arg-type]
    alone = Guard(BridgeConfig(), "test")
    for name in names_of_the_box():
        host = f"[{name}]" if ":" in name else name
        assert box.called_by_name(f"{host}:8585"), name
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:8585", "[::1]:8585", "localhost."):
        assert box.called_by_name(host) and alone.called_by_name(host), host
    assert box.called_by_name("face.example.org") and not alone.called_by_name("face.example.org")
    assert not box.called_by_name("example.org") and not box.called_by_name("0.0.0.0")


@pytest.mark.parametrize("origin", [
    "http://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:1", "file://", "http://127.0.0.1:{port}.evil.example",
    "ftp://127.0.0.1:{port}", "",
])  # fmt: skip
async def test_a_page_of_another_site_gets_no_socket_and_cannot_post(origin: str) -> None:
    async with paged(configured()) as pages:
        headers = {"Origin": origin.format(port=pages.url.rsplit(":", 1)[1])}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await pages.session.ws_connect(f"{pages.url}/ws", headers=headers)
        async with pages.session.post(f"{pages.url}/login", data={"token": "x"}, headers=headers) as answer:
            assert answer.status == refused.value.status == 403


async def test_our_own_pages_and_named_origins_get_a_socket() -> None:
    async with paged(configured(web={"origins": ["https://face.example.org"]})) as pages:
        for headers in ({"Origin": pages.url}, {"Origin": "https://face.example.org"},
                        {"Origin": "https://face.example.org", "Host": "face.example.org"}, {}):  # fmt: skip
            async with pages.viewer(headers=headers) as viewer:
                assert await viewer.until("welcome")


@pytest.mark.parametrize("path", [
    "/static/../bridge.py", "/static/..%2fbridge.py", "/static/%2e%2e/bridge.py", "/static/..%5cbridge.py",
    "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/index.html", "/static/", "/static/x%00.js", "//",
    "//etc", "/etc/passwd",
    "/static/.%2e/.%2e/config.py", "/idle/..%2f..%2fsettings.json", "/idle/x.mp4", "/preview/face/..%2f..%2fx.png",
    "/preview/face/nobody.png", "/preview/face/.png", "/%00", "/" + "a" * 5000, "/static/" + "%2e%2e%2f" * 100,
    "/talk/../../x", "/api/", "/api/config",
])  # fmt: skip
async def test_no_path_leads_out(path: str) -> None:
    async with paged(configured()) as pages:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert (await raw(pages.url, request.encode())).split()[1][:1] == b"4", path
        assert (await raw(pages.url, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")).split()[1] == b"200"


@pytest.mark.parametrize("request_", [
    b"\x00\x01\x02\r\n\r\n", b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 20_000,
    b"DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"PUT /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n",
])  # fmt: skip
async def test_what_is_no_request_gets_an_error_and_harms_nobody(request_: bytes) -> None:
    async with paged(configured()) as pages:
        line = await raw(pages.url, request_)
        assert line.split()[1:2] == [] or line.split()[1][:1] == b"4", line
        async with pages.session.get(f"{pages.url}/healthz") as answer:
            assert answer.status == 200


async def test_without_a_token_nothing_is_told() -> None:
    async with paged(with_token()) as pages:
        for path in ("/", "/talk", "/control"):
            async with pages.session.get(pages.url + path, allow_redirects=False) as answer:
                assert answer.status == 303 and answer.headers["Location"].startswith("/login?next=%2F")
        for path in ("/api/status", "/metrics", "/idle/x.mp4", "/preview/face/x.png", "/nothing"):
            async with pages.session.get(pages.url + path) as answer:
                assert answer.status == 401 and b"test" not in await answer.read(), path
        async with pages.session.get(f"{pages.url}/healthz") as answer:
            assert answer.status == 200 and await answer.json() == {"ok": True}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await pages.session.ws_connect(f"{pages.url}/ws")
        assert refused.value.status == 401
        async with pages.viewer(headers={"Origin": pages.url}) as viewer:  # a browser sees no status
            assert (await viewer.end())[0] == 4401 and not viewer.texts


async def test_the_token_by_header() -> None:
    async with paged(with_token()) as pages:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with pages.session.get(f"{pages.url}/api/status", headers=bearer) as answer:
            assert answer.status == 200 and (await answer.json())["id"] == "test"
        async with pages.session.get(f"{pages.url}/healthz", headers=bearer) as answer:
            assert (await answer.json()).keys() == {"ok", "why", "problems"}
        async with pages.viewer(headers=bearer) as viewer:
            assert await viewer.until("welcome")
        for wrong in (TOKEN[:-1], TOKEN + "x", "", "x" * 3000):
            async with pages.session.get(
                f"{pages.url}/api/status", headers={"Authorization": f"Bearer {wrong}"}
            ) as answer:
                assert answer.status == 401, wrong


async def test_a_kiosk_s_address_sets_a_cookie_and_shows_no_token() -> None:
    async with paged(with_token()) as pages:
        async with pages.session.get(f"{pages.url}/?token={TOKEN}&stream=canvas", allow_redirects=False) as answer:
            assert answer.status == 303 and answer.headers["Location"] == "/?stream=canvas"
            cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
        async with pages.viewer(headers={"Origin": pages.url}) as viewer:
            assert await viewer.until("welcome")
        async with pages.session.get(f"{pages.url}/api/status") as answer:
            assert answer.status == 200
        pages.session.cookie_jar.clear()
        async with pages.session.get(f"{pages.url}/?token=wrong", allow_redirects=False) as answer:
            assert answer.status == 401 and "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("kind", ["form", "json"])
async def test_login(kind: str) -> None:
    def body(token: Any) -> dict[str, Any]:
        return {"data": {"token": token}} if kind == "form" else {"json": {"token": token}}

    async with paged(with_token()) as pages:
        login = f"{pages.url}/login?next=%2Fcontrol"
        async with pages.session.post(login, **body("wrong"), allow_redirects=False) as answer:
            assert answer.status == 401
        async with pages.session.post(login, **body(TOKEN), allow_redirects=False) as answer:
            assert answer.status == (303 if kind == "form" else 200)
            assert answer.headers.get("Location", "/control") == "/control"
        async with pages.session.get(f"{pages.url}/api/status") as answer:
            assert answer.status == 200
        elsewhere = f"{pages.url}/login?next=https://evil.example/"
        async with pages.session.post(elsewhere, data={"token": TOKEN}, allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/"


async def test_wrong_bodies_at_the_login() -> None:
    async with paged(with_token()) as pages:
        bodies = [(b"x" * 100_000, 413), (b"\xff\xfe", 400), (b"&" * 4000, 400), (b"{", 400), (b'["token"]', 400),
                  (json.dumps({"token": [1]}).encode(), 401), (rb'{"token": "\ud800"}', 401),
                  (b"token=%ff%00%ed%a0%80", 401)]  # fmt: skip
        for body, status in bodies:
            kind = "application/json" if body[:1] in b"{[" else "application/x-www-form-urlencoded"
            async with pages.session.post(
                f"{pages.url}/login", data=body, headers={"Content-Type": kind}, allow_redirects=False
            ) as answer:
                assert answer.status == status, (body[:20], answer.status)


async def test_guessing_is_slowed_down_and_locks_nobody_out_who_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    async with paged(with_token()) as pages:
        async with pages.session.get(f"{pages.url}/?token={TOKEN}") as answer:
            assert answer.status in (200, 404)
        statuses = []
        async with aiohttp.ClientSession() as stranger:
            for number in range(guard.WRONG_BURST + 3):
                async with stranger.post(f"{pages.url}/login", json={"token": f"guess {number}"}) as answer:
                    statuses.append(answer.status)
            async with stranger.post(f"{pages.url}/login", json={"token": TOKEN}) as answer:
                assert answer.status == 429 and int(answer.headers["Retry-After"]) > 0  # even the right one
        assert statuses == [401] * guard.WRONG_BURST + [429] * 3, statuses
        async with pages.session.get(f"{pages.url}/api/status") as answer:
            assert answer.status == 200


def test_guessing_from_many_addresses_is_slowed_down_too() -> None:
    box = Guard(BridgeConfig(token=TOKEN), "test")  # type: ignore[arg-type]
    tried = 0
    for number in range(5000):
        address = f"10.0.{number // 250}.{number % 250}"
        if box.may_try(address):
            tried += 1
            assert not box.knows_token("guess", address)
    assert tried <= guard.ALL_BURST + 5, tried
    assert len(box._wrong) <= guard.REMEMBERED


async def test_every_answer_has_the_headers_that_keep_a_browser_safe() -> None:
    async with paged(with_token()) as pages:
        for path in ("/healthz", "/nothing", "/login", "/", "/static/x.js", "/api/status"):
            async with pages.session.get(pages.url + path, allow_redirects=False) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Content-Type-Options"] == "nosniff", path
                assert answer.headers["Referrer-Policy"] == "no-referrer", path
            assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
            assert "media-src 'self' blob:" in policy and "object-src 'none'" in policy


async def test_no_token_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("DEBUG", logger="avatard")
    async with paged(with_token()) as pages:
        async with pages.session.get(f"{pages.url}/?token={TOKEN}") as answer:
            assert answer.status in (200, 404)
        await raw(pages.url, f"GET /?token={TOKEN}{'x' * 9000} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await raw(pages.url, f"GET /?token={TOKEN}\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    ours = [r for r in caplog.records if r.name.startswith(("avatard", "aiohttp.server", "aiohttp.web"))]
    assert any("GET / " in r.getMessage() for r in ours)
    text = caplog.handler.format  # with tracebacks
    assert not [r for r in ours if TOKEN in text(r)]


@pytest.mark.parametrize("limits", [("CONNECTIONS", 5), ("CONNECTIONS_EACH", 5)])
async def test_connections_are_bounded(limits: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"avatard.plugins.web.listener.{limits[0]}", limits[1])
    async with paged(configured()) as pages:
        port = int(pages.url.rsplit(":", 1)[1])
        open_ones = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        open_ones[0][1].write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in await open_ones[0][0].readline()
        for _, one in open_ones:
            one.close()
        await asyncio.sleep(0.1)
        async with pages.session.get(f"{pages.url}/healthz") as answer:
            assert answer.status == 200


async def test_who_says_nothing_or_dribbles_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatard.plugins.web.listener.PATIENCE", 0.4)
    async with paged(configured()) as pages:
        port = int(pages.url.rsplit(":", 1)[1])
        for word in (b"", b"\r\n\r\n\r\n\r\n", b"GET / HTTP/1.1\r\nHost: lo"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(word)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readexactly(1), 5)
            writer.close()
