"""The face at rest as a film that the pages repeat by themselves, and previews of the faces."""

from __future__ import annotations

import asyncio
import colorsys
import logging
import math
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from aiohttp import web

from avatard.api.context import Model, Pulse
from avatard.api.errors import AvatardError
from avatard.api.flow import IdleLoop, Pixels
from avatard.face import bundle
from avatard.plugins.web.site import YEAR

AGAIN_FIRST, AGAIN_LONGEST = 2.0, 60.0
"""Seconds after which a film that could not be had is asked for again; doubled each time."""
SIDE = 256
"""Pixels of a preview's height"""


class Films:
    """Has the film made once somebody looks, and again when the face has changed."""

    def __init__(
        self, loop: Callable[[], Awaitable[IdleLoop]], model: Model, changed: Callable[[dict[str, Any]], None],
        faces: Callable[[], tuple[tuple[str, ...], str]], portrait: Callable[[str], Awaitable[Pixels | None]],
        logger: logging.Logger,
    ) -> None:  # fmt: skip
        """Tell ``changed`` of another film; ``faces`` gives the names of all faces and of the one that is shown."""
        self._loop, self._model, self._changed, self._faces, self._log = loop, model, changed, faces, logger
        self._portrait = portrait
        self._wanted = asyncio.Event()
        self._stale = True
        self._film: IdleLoop | None = None
        self._still = b""
        self._previews: dict[str, bytes] = {}

    @property
    def film(self) -> dict[str, str] | None:
        """Where the film and its first picture are."""
        if self._film is None:
            return None
        return {"film": f"/idle/{self._film.key}.mp4", "still": f"/idle/{self._film.key}.jpg"}

    def want(self) -> None:
        """Somebody looks."""
        if self._stale:
            self._wanted.set()

    def change(self) -> None:
        """The face may be another one: ask again when somebody looks."""
        self._stale = True

    async def run(self, pulse: Pulse) -> None:
        """Have it made when it is wanted."""
        pause, told = AGAIN_FIRST, ""
        while True:
            pulse.beat(math.inf)
            await self._wanted.wait()
            self._wanted.clear()
            self._stale = False
            try:
                film = await self._loop()
                still = await self._model.call("jpeg", film.first)
            except AvatardError as err:
                if str(err) != told:
                    told = str(err)
                    self._log.info("the face at rest: %s", err)
                await asyncio.sleep(pause)
                pause = min(AGAIN_LONGEST, pause * 2)
                self._stale = True
                self._wanted.set()
                continue
            pause, told = AGAIN_FIRST, ""
            if self._film is None or film.key != self._film.key:
                self._film, self._still = film, still
                self._changed({"type": "idle", **(self.film or {})})
            await self._keep_preview(film)

    def response(self, name: str) -> web.StreamResponse:
        """What ``/idle/<name>`` is."""
        film = self._film
        headers = {"Cache-Control": f"private, max-age={YEAR}, immutable"}
        if film is not None and name == f"{film.key}.mp4" and film.path.is_file():
            return web.FileResponse(film.path, headers=headers)
        if film is not None and name == f"{film.key}.jpg":
            return web.Response(body=self._still, content_type="image/jpeg", headers=headers)
        raise web.HTTPNotFound(text="that face is not shown any more\n")

    async def preview(self, name: str) -> bytes | None:
        """A small picture of a face: as shown last, of its bundle or its renderer, else a sign; None: no such face."""
        names, shown = self._faces()
        if not name or name not in {*names, shown}:
            return None
        if name not in self._previews:
            self._previews[name] = await self._picture(name)
        return self._previews[name]

    async def _picture(self, name: str) -> bytes:
        path = bundle.names().get(name)
        try:
            drawn = await self._portrait(name) if path is None else path
            picture: bytes = await self._model.call("png", sign_of(name) if drawn is None else drawn, SIDE)
        except AvatardError as err:
            self._log.info("preview of %s: %s", name, err)
            picture = await self._model.call("png", sign_of(name), SIDE)
        return picture

    async def _keep_preview(self, film: IdleLoop) -> None:
        names, shown = self._faces()
        self._previews = {name: p for name, p in self._previews.items() if name in names}
        try:
            self._previews[shown] = await self._model.call("png", film.first, SIDE)
        except AvatardError as err:
            self._log.info("preview of %s: %s", shown, err)


def sign_of(name: str) -> Pixels:
    """A plain picture in a colour of the name's own, for a face that was not shown yet."""
    hue = zlib.crc32(name.encode()) % 360 / 360
    around = [round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.2, 0.9)]
    figure = [round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.5, 0.7)]
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    head = np.hypot(x, y + 0.1) < 0.2
    shoulders = np.hypot(x * 0.8, y - 0.55) < 0.36
    picture = np.full((SIDE, SIDE, 3), around, np.uint8)
    picture[head | shoulders] = figure
    return picture
