"""The bridge: it rests and wakes the screen, and is its switch."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from avatard.api.context import PluginContext, Pulse
from avatard.api.errors import NotReady
from avatard.api.news import Problem, SettingChanged, Touched
from avatard.plugins.backlight.clock import Clock, SystemClock
from avatard.plugins.backlight.config import ScreenConfig
from avatard.plugins.backlight.means import Nothing
from avatard.plugins.backlight.night import Night
from avatard.plugins.backlight.probing import Found, probe
from avatard.plugins.backlight.rest import Light, Rest
from avatard.plugins.backlight.touch import Fingers

RETRY_FIRST, RETRY_LONGEST = 2.0, 60.0
"""Seconds until a screen that did not obey is tried again; doubled each time."""
CLOSE_LIMIT = 5.5
"""Seconds that it may take to leave the screen lit; the daemon waits 7."""
CLOCK_SET = 600.0
"""Seconds after which the hour is looked at again: a board without a clock of its own learns it late."""


class Furniture:
    """A screen that dims, sleeps and wakes. Fulfils ``api.stages.Screen``."""

    def __init__(self, context: PluginContext, config: ScreenConfig, found: Found, clock: Clock) -> None:
        """Begin awake."""
        self._context, self._config, self._found, self._clock = context, config, found, clock
        self._rest = Rest(config, clock.now())
        self._night = Night.of(config.night) if config.night else None
        self._fingers = Fingers(config.root, self._touched, context.logger)
        self._changed, self._lock = asyncio.Event(), asyncio.Lock()
        self._shown: Light | None = None
        """None: unknown"""
        self._told: bool | str = True
        self._on = True
        self._pause, self._ailing, self._closed = RETRY_FIRST, False, False

    @property
    def screen(self) -> bool:
        """Whether it is on: what the screen did, not what was wanted."""
        return self._on

    async def set_screen(self, on: bool) -> None:
        """Switch it on, as if somebody had woken it, or off until it is switched on or woken.

        Raises:
            NotReady: it did not obey; it is tried again.
        """
        self._rest.switch(on, self._clock.now())
        self._shown = None
        async with self._lock:
            await self._follow()
            self._told = self._on  # whoever asked tells it
        self._changed.set()
        if self._on != on:
            raise NotReady(f"backlight: the screen did not go {'on' if on else 'off'}; it is tried again")

    async def notice(self, pulse: Pulse) -> None:
        """Read the news, for ever."""
        with self._context.news.subscribe(256) as news:
            async for event in news:
                if self._rest.take(event, self._clock.now()):
                    self._changed.set()

    async def keep(self, pulse: Pulse) -> None:
        """Have the screen do what is wanted of it, for ever; between changes it rests itself."""
        if self._config.touch:
            self._fingers.look()
        while True:
            self._changed.clear()
            async with self._lock:
                wait = await self._follow()
                self._tell()
            await self._clock.wait(self._changed, wait)

    async def close(self) -> None:
        """Leave the screen on, as bright as by day, and everything else as it was found."""
        self._closed = True
        self._fingers.close()
        try:
            async with asyncio.timeout(CLOSE_LIMIT), self._lock:
                if self._found.dimmer is not None:
                    await self._found.dimmer.dim(self._config.brightness)
                await self._found.switch.switch(True)
                await self._found.switch.close()
        except (NotReady, TimeoutError) as err:
            self._context.logger.warning("while closing: %s", str(err) or "the screen did not answer in time")

    async def _follow(self) -> float:
        """Do what is wanted; return in how many seconds to look again."""
        if self._closed:
            return math.inf
        now, night, wait = self._clock.now(), False, math.inf
        if self._night is not None:
            night, wait = self._night.look(self._clock.wall())
            wait = min(wait, CLOCK_SET)
        light, due = self._rest.look(now, night)
        if light != self._shown and not await self._light(light):
            pause, self._pause = self._pause, min(RETRY_LONGEST, self._pause * 2)
            return min(wait, due - now, pause)
        return min(wait, due - now)

    async def _light(self, light: Light) -> bool:
        """Have the screen be so; whether it obeyed."""
        if light == "off":
            await self._look_again()
        try:
            await self._set(light)
        except NotReady as err:
            self._shown = None  # a part of it may have obeyed
            if not self._ailing:
                self._ailing = True
                self._context.logger.warning("%s; trying again", err)
                self._context.news.publish(Problem("backlight", str(err)))
            return False
        self._shown, self._pause = light, RETRY_FIRST
        if self._ailing:
            self._ailing = False
            self._context.news.publish(Problem("backlight", "", over=True))
        return True

    async def _set(self, light: Light) -> None:
        on, dark = light != "off", None
        if light != "off" and self._found.dimmer is not None:
            try:
                # First, so that it does not come on as bright as day at night.
                await self._found.dimmer.dim(self._percent(light))
            except NotReady as err:
                dark = err  # it shall come on all the same
        if on != self._on or self._shown is None:
            await self._found.switch.switch(on)
            self._on = on
        if dark is not None:
            raise dark

    def _percent(self, light: Literal["bright", "night", "dim"]) -> int:
        config = self._config
        levels = {"bright": config.brightness, "night": config.night_brightness, "dim": config.dim_brightness}
        return min(levels[light], config.night_brightness if self._rest.night else 100)

    async def _look_again(self) -> None:
        """Before it sleeps: what was plugged in since, touch screens and monitors."""
        if self._config.touch:
            self._fingers.look()
        if self._config.means == "auto" and isinstance(self._found.switch, Nothing):
            self._found = await probe(self._config, os.environ)
            if not isinstance(self._found.switch, Nothing):
                self._context.logger.info("the screen is switched by %s", self._found.switch.name)

    def _tell(self) -> None:
        """Publish what changed by itself; where the screen cannot dim, pages are asked to."""
        dims = self._shown == "dim" and self._found.dimmer is None
        told = "dim" if dims and self._on else self._on
        if told != self._told:
            self._told = told
            self._context.news.publish(SettingChanged("screen", told))

    def _touched(self, device: str) -> None:
        self._context.news.publish(Touched(device))


@asynccontextmanager
async def async_setup(context: PluginContext, config: ScreenConfig) -> AsyncIterator[Furniture]:
    """Find what switches the screen, and be a screen of the room."""
    found = await probe(config, os.environ)
    context.logger.info("the screen is switched by %s; %s", found.switch.name, _brightness(found))
    for why in found.refused:
        context.logger.info("not by %s", why)
    if found.undimmed:
        context.logger.warning("the brightness cannot be set: %s", found.undimmed)
    furniture = Furniture(context, config, found, SystemClock(context.clock))
    try:
        with context.show("backlight", furniture):
            # Whoever described the room without a screen describes it again.
            context.news.publish(SettingChanged("screen", furniture.screen))
            context.run("news", furniture.notice)
            context.run("rest", furniture.keep)
            yield furniture
    finally:
        await furniture.close()
        context.news.publish(SettingChanged("screen", True))


def _brightness(found: Found) -> str:
    return "brightness by sysfs" if found.dimmer else "its brightness cannot be set here: pages dim by themselves"
