"""Displays that come and go while the house stands, and outlive it: those of bridges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeGuard

from avatard.api.stages import DisplaySink, Screen


class Guests:
    """Who is there besides the configured displays."""

    def __init__(self) -> None:
        """Nobody yet."""
        self.volume = 100
        """Of the room; a display that comes later is set to it."""
        self._here: list[tuple[str, DisplaySink | Screen]] = []

    @property
    def displays(self) -> list[tuple[str, DisplaySink]]:
        """Those that show and sound."""
        return [(name, guest) for name, guest in self._here if _shows(guest)]

    @property
    def screens(self) -> list[Screen]:
        """Those that can be switched."""
        return [guest for _, guest in self._here if isinstance(guest, Screen)]

    @contextmanager
    def staying(self, name: str, guest: DisplaySink | Screen) -> Iterator[None]:
        """Be there while the block runs."""
        if _shows(guest):
            guest.set_volume(self.volume)
        self._here.append((name, guest))
        try:
            yield
        finally:
            self._here.remove((name, guest))


def _shows(guest: DisplaySink | Screen) -> TypeGuard[DisplaySink]:
    return hasattr(guest, "play")
