"""What switches a screen, and what sets its brightness."""

from __future__ import annotations

from typing import Protocol


class Switch(Protocol):
    """Turns a screen on and off."""

    @property
    def name(self) -> str:
        """As in the configuration."""

    async def switch(self, on: bool) -> None:
        """Switch it, and see that it obeyed where that can be seen.

        Raises:
            NotReady: it did not obey.
        """

    async def close(self) -> None:
        """Leave everything as it was found."""


class Dimmer(Protocol):
    """Sets a screen's brightness."""

    async def dim(self, percent: int) -> None:
        """Set it, 1–100.

        Raises:
            NotReady: it did not obey.
        """


class Nothing:
    """Nothing here can be switched: pages and players darken themselves when they hear of it."""

    name = "none"

    async def switch(self, on: bool) -> None:
        """Leave it to whoever reads the news."""

    async def close(self) -> None:
        """Leave nothing behind."""
