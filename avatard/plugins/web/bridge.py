"""The bridge: a web server while it is open, the room's display in browsers, news to all who look."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from avatard.api.context import PluginContext, Pulse
from avatard.api.errors import AvatardError
from avatard.api.news import Event
from avatard.plugins.web import wire
from avatard.plugins.web.app import App
from avatard.plugins.web.config import BridgeConfig
from avatard.plugins.web.display import BrowserDisplay
from avatard.plugins.web.film import Filming
from avatard.plugins.web.guard import Guard
from avatard.plugins.web.history import History, LogTail
from avatard.plugins.web.jpeg import MEGABYTES, Pictures
from avatard.plugins.web.listener import serving
from avatard.plugins.web.reception import Reception
from avatard.plugins.web.resting import Films
from avatard.plugins.web.site import Site
from avatard.plugins.web.status import Condition
from avatard.plugins.web.visitor import Visitors
from avatard.plugins.web.welcome import Welcome

POSITIONS = 0.1
"""Seconds between two words on where an answer is, to those who follow another clock."""
TIMERS = 1.0
"""Seconds between two looks at the timers, while somebody looks."""
OWN_NEWS = ("state", "wake", "heard_partly", "transcribed", "reply_text", "replied", "spoken", "turn")
"""What happens in the room: visitors have their own."""


class Bridge:
    """Joins the parts."""

    def __init__(self, context: PluginContext, config: BridgeConfig) -> None:
        """Nothing is served yet."""
        self.address = ""
        """Where the pages are."""
        self._context, self._config = context, config
        self._model = context.model(Pictures, MEGABYTES, quality=config.jpeg_quality)
        self._displays: set[BrowserDisplay] = set()
        self._playing = asyncio.Event()
        sounds = config.sound if isinstance(config.sound, bool) else None
        others = {"speaker", "screen"} & set(context.displays)
        self.display = self._display(True if sounds is None and not others else sounds, bool(others))
        self._displays.add(self.display)
        self._history = History()
        token = config.token.get_secret_value() if config.token is not None else ""
        self._log = LogTail(lambda line: self.reception.tell(line, ("control",)), token)
        site, guard = Site(), Guard(config, context.id)
        films = Films(context.idle_loop, self._model, lambda idle: self.reception.tell(idle), self._faces,
                      context.portrait, context.logger)  # fmt: skip
        self.films = films
        welcome = Welcome(context, films, self._history, self._log, site.version)
        limit = config.talk.limit if config.talk.enabled else 0
        visitors = Visitors(context, limit, lambda: self._display(True, False), self._displays)
        self.reception = Reception(context, config, self.display, welcome, visitors)
        condition = Condition(context, self._history, lambda: self.reception.counts)
        self._app = App(config, guard, site, condition, self._take_socket, films, context.logger)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Serve while the block runs."""
        root, config = logging.getLogger("avatard"), self._config
        root.addHandler(self._log)
        try:
            async with serving(self._app.application, config, self._context.logger) as port:
                host = "127.0.0.1" if config.private or config.host in ("0.0.0.0", "::") else config.host
                self.address = f"http://{host}:{port}/"
                self._context.logger.info("pages at %s", self.address)
                try:
                    with self._context.show("web", self.display):
                        yield
                finally:
                    gone = self._context.removed()
                    await self.reception.close(wire.AWAY if gone else wire.RELOADS, "" if gone else "it begins anew")
        finally:
            root.removeHandler(self._log)

    async def tell(self, pulse: Pulse) -> None:
        """Turn news into messages, for ever."""
        with self._context.news.subscribe(512) as news:
            async for event in news:
                self._take(event)

    async def positions(self, pulse: Pulse) -> None:
        """Tell those who follow another clock where the answer is, for ever."""
        while True:
            await self._playing.wait()
            if not self._tell_positions():
                self._playing.clear()
            await asyncio.sleep(POSITIONS)

    async def look(self, pulse: Pulse) -> None:
        """Look at the timers, and whether another house stands, while somebody looks."""
        timers: list[Any] = []
        stood = True
        while True:
            await asyncio.sleep(TIMERS)
            if not self.reception.clients:
                continue
            try:
                status = self._context.assistant.status()
            except AvatardError:
                stood = False
                continue
            if not stood:
                stood = True
                self._face_changed()
            self.reception.look_again()
            running = [(t.id, t.name, t.ringing) for t in status.timers]
            if running != timers:
                timers = running
                self.reception.tell({"type": "timers", "timers": wire.timers(status.timers)})

    async def _take_socket(self, request: web.Request) -> web.StreamResponse:
        # A browser cannot see why an upgrade was refused; a program can.
        browser = "Origin" in request.headers
        admitted = self._app.admitted(request)
        if not admitted and not browser:
            raise web.HTTPUnauthorized(text="a token is needed\n", headers={"WWW-Authenticate": "Bearer"})
        return await self.reception.take(request, admitted)

    def _take(self, event: Event) -> None:
        message = wire.news(event)
        if message is None:
            return
        self._history.take(event, message)
        if getattr(event, "stage", "") == "render" or getattr(event, "name", "") == "face":
            self._face_changed()
        pages: tuple[Any, ...] = ("room", "talk", "control")
        if message["type"] in OWN_NEWS:
            pages = ("room", "control")
        elif message["type"] == "setting" and message["name"] in ("volume", "mute"):
            # A display tells its loudness itself: an announcement may have one of its own.
            pages = ("control",) if message["name"] == "volume" else ("room", "control")
        elif message["type"] == "problem":
            pages = ("room", "control")
        self.reception.tell(message, pages)

    def _face_changed(self) -> None:
        self.films.change()
        if self.reception.clients:
            self.films.want()

    def _tell_positions(self) -> bool:
        playing = [(d, d.answer) for d in self._displays if d.answer is not None]
        for display, answer in playing:
            message = {"type": "position", "answer": answer.number, "at": round(display.position(), 3)}
            for client in display.watching:
                if client.playing != "none" and not (client.sound and display.sounds):
                    client.tell(message)
        return bool(playing)

    def _display(self, sounds: bool | None, others: bool) -> BrowserDisplay:
        return BrowserDisplay(self._model, Filming(self._context.encoder), sounds, others, self._playing.set)

    def _faces(self) -> tuple[tuple[str, ...], str]:
        try:
            status = self._context.assistant.status()
        except AvatardError:
            return (), ""
        return status.faces, status.face


@asynccontextmanager
async def async_setup(context: PluginContext, config: BridgeConfig) -> AsyncIterator[Bridge]:
    """Serve the pages."""
    bridge = Bridge(context, config)
    async with bridge.open():
        context.run("news", bridge.tell)
        context.run("positions", bridge.positions)
        context.run("timers", bridge.look)
        context.run("idle", bridge.films.run)
        yield bridge
