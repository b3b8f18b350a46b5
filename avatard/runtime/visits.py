"""Visitors: places of their own for those who come with a microphone and a display."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from avatard.api.context import Visit
from avatard.api.errors import NotReady
from avatard.api.stages import DisplaySink, Microphone
from avatard.talk.assistant import Door


class Visitors:
    """Lets visitors in while a house stands."""

    def __init__(self, door: Door) -> None:
        """Open places in the house behind this door."""
        self._door = door

    def __call__(
        self, name: str, microphone: Microphone | None, display: DisplaySink, session: str
    ) -> AbstractAsyncContextManager[Visit]:
        """Keep a place while the block runs."""
        raise NotReady("visits are not possible yet")
