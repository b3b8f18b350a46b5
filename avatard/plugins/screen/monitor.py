"""Whether the monitor is plugged in, by what the kernel says of its connectors."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

from avatard.api.context import PluginContext, Pulse
from avatard.api.news import Problem

LOOK = 3.0
"""Seconds between looks."""


def connectors(sys_drm: Path) -> dict[str, bool]:
    """The graphics cards' connectors, e.g. ``HDMI-A-1``, and whether something is plugged into each."""
    found: dict[str, bool] = {}
    for status in sorted(sys_drm.glob("card*-*/status")):
        name = status.parent.name.partition("-")[2]
        try:
            found[name] = found.get(name, False) or status.read_text().strip() == "connected"
        except OSError:
            continue  # it went away with its card
    return found


class Monitor:
    """Follows a plug."""

    def __init__(self, context: PluginContext, wanted: str | int, sys_drm: Path = Path("/sys/class/drm")) -> None:
        """Look for the wanted connector; empty or a number: any."""
        self._context, self._sys_drm = context, sys_drm
        self._wanted = "" if str(wanted).isdigit() else str(wanted)
        self._there = True

    async def watch(self, pulse: Pulse, back: Callable[[], None], every: float = LOOK) -> None:
        """Tell once when it is unplugged, once when it is back, and then call ``back``; never returns."""
        pulse.beat(math.inf)
        while True:
            there = self.plugged()
            if there != self._there:
                self._there = there
                self._tell()
                if there:
                    back()
            await asyncio.sleep(every)

    def plugged(self) -> bool:
        """Whether it is there; a desktop without connectors of a graphics card is taken for one with a monitor."""
        known = connectors(self._sys_drm)
        if self._wanted:
            return known.get(self._wanted, True)
        return any(known.values()) or not known

    def _tell(self) -> None:
        name = f"monitor {self._wanted}" if self._wanted else "the monitor"
        if self._there:
            self._context.logger.info("%s is back", name)
            self._context.news.publish(Problem("display.screen.monitor", "", over=True))
        else:
            what = f"{name} is unplugged or switched off: nothing can be seen; it goes on speaking"
            self._context.logger.warning("%s", what)
            self._context.news.publish(Problem("display.screen.monitor", what))
