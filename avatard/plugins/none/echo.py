"""No echo canceller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.echo import EchoCanceller, EchoStream
from avatard.api.flow import AudioFrame, Samples
from avatard.plugins.none.config import EchoConfig


class NoCanceller:
    """Leaves everything as it is; its stream has no state, so it is its own."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[EchoStream]:
        """Start on one source."""
        yield self

    async def clean(self, frame: AudioFrame, played: Samples) -> AudioFrame:
        """Return the frame."""
        return frame


@asynccontextmanager
async def async_setup(context: PluginContext, config: EchoConfig) -> AsyncIterator[EchoCanceller]:
    """Nothing to open."""
    yield NoCanceller()
