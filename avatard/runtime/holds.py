"""Who needs a model just now, and when it was needed last."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Holds:
    """Counts calls that run, streams that are open, and whoever keeps state in the engine."""

    def __init__(self) -> None:
        """Nobody needs it."""
        self.count = 0
        self.last = time.monotonic()
        """Monotonic seconds"""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Need it while the block runs."""
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1
            self.last = time.monotonic()
