"""The routes, and what every request has to pass."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, quote

from aiohttp import web

from avatard.plugins.web.config import BridgeConfig
from avatard.plugins.web.guard import Guard
from avatard.plugins.web.resting import Films
from avatard.plugins.web.site import YEAR, Asset, Site
from avatard.plugins.web.status import Condition

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODY = 4096
"""Bytes in a request's body."""
AT_ONCE = 64
"""Requests that are answered at once, sockets beside."""
VISITOR = "avatard_visitor"
"""The cookie that tells one who talks from another."""
OPEN_TO_ALL = ("/login", "/healthz", "/static/")
"""What needs no token; of the state no more is told than whether it is well."""
HEADERS = {
    "Server": "avatard", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin", "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}  # fmt: skip


class App:
    """Answers requests."""

    def __init__(
        self, config: BridgeConfig, guard: Guard, site: Site, condition: Condition, socket: Handler, films: Films,
        logger: logging.Logger,
    ) -> None:  # fmt: skip
        """Hand sockets over to ``socket``."""
        self._config, self._guard, self._site, self._condition = config, guard, site, condition
        self._films, self._log = films, logger
        self._at_once = 0
        self.application = web.Application(middlewares=[self._passed], client_max_size=BODY)
        self.application.on_response_prepare.append(self._dress)
        get = self.application.router.add_get
        get("/ws", socket)
        get("/", self._page("index"))
        get("/talk", self._page("talk"))
        get("/control", self._page("control"))
        get("/login", self._page("login"))
        self.application.router.add_post("/login", self._login)
        get("/static/{name:.+}", self._static)
        get("/idle/{name}", self._idle)
        get("/preview/face/{name}", self._preview)
        get("/api/status", self._status)
        get("/healthz", self._health)
        get("/metrics", self._metrics)

    async def _dress(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(HEADERS)
        response.headers["Content-Security-Policy"] = self._policy(request.host)
        response.headers.setdefault("Cache-Control", "no-store")

    def _policy(self, host: str) -> str:
        # Older Safari does not count a WebSocket among 'self'.
        sockets = f" ws://{host} wss://{host}" if self._guard.called_by_name(host) else ""
        frames = " ".join(self._config.embed) or "'none'"
        return (
            f"default-src 'self'; connect-src 'self'{sockets}; img-src 'self' blob:; media-src 'self' blob:; "
            f"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors {frames}"
        )

    @web.middleware
    async def _passed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        status = 500
        try:
            response = await self._judged(request, handler)
            status = response.status
            return response
        except web.HTTPException as err:
            status = err.status
            raise
        finally:
            self._log.debug("%s %s %s %s", request.remote, request.method, request.path, status)

    async def _judged(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._guard.called_by_name(request.host):
            raise web.HTTPForbidden(text="this daemon is not known by that name; add it to 'web: origins:'\n")
        if (request.path == "/ws" or request.method not in ("GET", "HEAD")) and not self._guard.from_here(
            request.headers.get("Origin"), request.host
        ):
            raise web.HTTPForbidden(text="a page of another site may not do that; see 'web: origins:'\n")
        if request.path == "/ws":
            return await handler(request)
        if self._at_once >= AT_ONCE:
            raise web.HTTPServiceUnavailable(text="too many requests at once\n")
        self._at_once += 1
        try:
            if (entered := self._entered_by_address(request)) is not None:
                return entered
            if not (self.admitted(request) or request.path.startswith(OPEN_TO_ALL)):
                return self._shown_the_door(request)
            return await handler(request)
        finally:
            self._at_once -= 1

    def admitted(self, request: web.Request) -> bool:
        """Whether it brings the token, or the cookie.

        Raises:
            HTTPUnauthorized, HTTPTooManyRequests: it brings a wrong token.
        """
        if self._guard.knows_cookie(request.cookies.get(self._guard.cookie_name)):
            return True
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        return self._tried(request, token.strip())

    def _tried(self, request: web.Request, token: str) -> bool:
        address = request.remote or ""
        if not self._guard.may_try(address):
            raise web.HTTPTooManyRequests(text="too many wrong tokens; wait a minute\n", headers={"Retry-After": "60"})
        if not self._guard.knows_token(token, address):
            self._log.warning("a wrong token from %s", address)
            raise web.HTTPUnauthorized(text="that is not the token\n", headers={"WWW-Authenticate": "Bearer"})
        return True

    def _entered_by_address(self, request: web.Request) -> web.Response | None:
        """A kiosk's address with the token in it gets a cookie, and the address without it."""
        if request.method != "GET" or "token" not in request.query or request.path not in ("/", "/talk", "/control"):
            return None
        self._tried(request, request.query["token"])
        rest = request.rel_url.without_query_params("token")
        response = web.Response(status=303, headers={"Location": str(rest.relative() if rest.is_absolute() else rest)})
        self._remember(request, response)
        return response

    def _remember(self, request: web.Request, response: web.Response) -> None:
        if not self._guard.open:
            response.set_cookie(
                self._guard.cookie_name, self._guard.cookie, max_age=YEAR, httponly=True, samesite="Strict",
                secure=request.secure,
            )  # fmt: skip

    def _shown_the_door(self, request: web.Request) -> web.Response:
        if request.path in ("/", "/talk", "/control") and request.method == "GET":
            return web.Response(status=303, headers={"Location": f"/login?next={quote(request.path, safe='')}"})
        raise web.HTTPUnauthorized(text="a token is needed\n", headers={"WWW-Authenticate": "Bearer"})

    def _page(self, name: str) -> Handler:
        async def page(request: web.Request) -> web.StreamResponse:
            asset = self._site.page(name)
            if asset is None or (name == "control" and not self._config.control) or (
                name == "talk" and not self._config.talk.enabled
            ):
                raise web.HTTPNotFound(text="there is no such page; see 'web:' in the configuration\n")
            response = _file(request, asset)
            if name == "talk" and VISITOR not in request.cookies:
                response.set_cookie(
                    VISITOR, secrets.token_hex(16), max_age=YEAR, httponly=True, samesite="Strict",
                    secure=request.secure,
                )  # fmt: skip
            return response

        return page

    async def _login(self, request: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(5):
                body = (await request.read()).decode()
        except (TimeoutError, UnicodeDecodeError) as err:
            raise web.HTTPBadRequest(text="a form with a token is needed\n") from err
        token, form = _token(body, request.content_type)
        try:
            self._tried(request, token)
        except web.HTTPException as err:
            page = self._site.page("login")
            if form and page is not None:
                # The page has no script of its own in it; it reads this mark.
                wrong = b'<html data-login="%s"' % (b"wrong" if err.status == 401 else b"wait")
                marked = page.data.replace(b"<html", wrong, 1)
                return web.Response(body=marked, status=err.status, headers={"Content-Type": page.kind})
            raise
        where = request.query.get("next", "/")
        where = where if where in ("/", "/talk", "/control") else "/"
        response = web.Response(status=303, headers={"Location": where}) if form else web.json_response({"ok": True})
        self._remember(request, response)
        return response

    async def _static(self, request: web.Request) -> web.StreamResponse:
        asset = self._site.part(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound(text="there is no such file\n")
        return _file(request, asset)

    async def _idle(self, request: web.Request) -> web.StreamResponse:
        return self._films.response(request.match_info["name"])

    async def _preview(self, request: web.Request) -> web.StreamResponse:
        name, _, kind = request.match_info["name"].rpartition(".")
        picture = await self._films.preview(name) if kind == "png" else None
        if picture is None:
            raise web.HTTPNotFound(text="there is no such face\n")
        return web.Response(body=picture, content_type="image/png", headers={"Cache-Control": "max-age=300"})

    async def _status(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._condition.status())

    async def _health(self, request: web.Request) -> web.StreamResponse:
        well = self._condition.health()
        told = well if self.admitted(request) else {"ok": well["ok"]}
        return web.json_response(told, status=200 if well["ok"] else 503)

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=self._condition.metrics().encode(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )


def _file(request: web.Request, asset: Asset) -> web.Response:
    headers = {"ETag": f'"{asset.tag}"', "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    return web.Response(body=asset.data, headers=headers | {"Content-Type": asset.kind})


def _token(body: str, kind: str) -> tuple[str, bool]:
    """The token in a form or in JSON, and whether it was a form."""
    if kind == "application/json":
        try:
            token = json.loads(body)["token"]
        except (ValueError, KeyError, TypeError, RecursionError) as err:
            raise web.HTTPBadRequest(text='{"token": "…"} is needed\n') from err
        return (token if isinstance(token, str) else ""), False
    try:
        return parse_qs(body, max_num_fields=10).get("token", [""])[0], True
    except ValueError as err:
        raise web.HTTPBadRequest(text="a form with a token is needed\n") from err
