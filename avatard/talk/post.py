"""Messages to the house, and who carries them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from avatard.api.errors import NotReady


class Post:
    """Fulfils ``api.tools.Post``."""

    def __init__(self) -> None:
        """Nobody carries anything yet."""
        self._carrier: Callable[[str, bytes], Awaitable[None]] | None = None

    async def publish(self, topic: str, payload: bytes) -> None:
        """Hand it to the carrier."""
        if self._carrier is None:
            raise NotReady(f"{topic}: nobody carries messages to the house: add 'mqtt:' to the configuration")
        await self._carrier(topic, payload)

    @contextmanager
    def carried_by(self, carrier: Callable[[str, bytes], Awaitable[None]]) -> Iterator[None]:
        """Messages go this way while the block runs."""
        self._carrier = carrier
        try:
            yield
        finally:
            if self._carrier is carrier:
                self._carrier = None
