"""An engine that keeps a state for each source: ``open(number)`` makes it, ``end(number)`` forgets it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .context import Model

_numbers = itertools.count(1)


@asynccontextmanager
async def opened(model: Model) -> AsyncIterator[int]:
    """Have the model keep a state while the block runs; the model is never put down under it."""
    async with model.use():
        number = next(_numbers)
        try:
            # Whoever is cancelled meanwhile knows the number all the same: an engine that is at it goes on to open.
            await model.call("open", number)
            yield number
        finally:
            await model.call("end", number)
