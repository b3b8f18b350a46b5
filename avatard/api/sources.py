"""An engine that keeps a state for each source: ``open`` gives its number, ``end`` forgets it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .context import Model


@asynccontextmanager
async def opened(model: Model) -> AsyncIterator[int]:
    """Have the model keep a state while the block runs; the model is never put down under it."""
    async with model.use():
        number: int = await model.call("open")
        try:
            yield number
        finally:
            await model.call("end", number)
