"""A browser's microphone: what comes over its socket, as 16 kHz frames."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator

import numpy as np

from avatard.api.flow import LISTEN_RATE, AudioFrame, Samples

FRAME = 512
"""Samples: 32 ms."""
KEPT = 3 * LISTEN_RATE
"""Samples that may wait; then the oldest go and are counted."""
LARGEST = 16 * 1024
"""Bytes in a message."""
AFTER = 2.0
"""Seconds of silence that follow when the button is released, so that the request comes to its end."""


class BrowserMicrophone:
    """Fulfils ``api.stages.Microphone``."""

    live = True

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self.dropped = 0
        """Samples"""
        self._pieces: deque[Samples] = deque()
        self._waiting = 0
        self._position = 0
        self._arrived = asyncio.Event()

    def feed(self, data: bytes) -> None:
        """Take 16-bit little-endian mono samples.

        Raises:
            ValueError: they are none, too many, or not whole ones.
        """
        if not data or len(data) > LARGEST or len(data) % 2:
            raise ValueError(f"{len(data)} bytes: 2 to {LARGEST} of whole 16-bit samples are needed")
        self._add(np.frombuffer(data, "<i2").astype(np.int16))

    def hush(self) -> None:
        """Let silence follow what has come."""
        self._add(np.zeros(round(AFTER * LISTEN_RATE), np.int16))

    async def frames(self) -> AsyncIterator[AudioFrame]:
        """Yield what comes; ``at`` counts the samples that were dropped, too."""
        while True:
            while self._waiting < FRAME:
                self._arrived.clear()
                await self._arrived.wait()
            samples, at = self._take()
            yield AudioFrame(samples, LISTEN_RATE, at / LISTEN_RATE, time.monotonic())

    def _add(self, samples: Samples) -> None:
        self._pieces.append(samples)
        self._waiting += len(samples)
        while self._waiting > KEPT:
            excess = self._waiting - KEPT
            oldest = self._pieces.popleft()
            lost = min(excess, len(oldest))
            if lost < len(oldest):
                self._pieces.appendleft(oldest[lost:])
            self._waiting -= lost
            self._position += lost
            self.dropped += lost
        self._arrived.set()

    def _take(self) -> tuple[Samples, int]:
        at, taken, parts = self._position, 0, []
        while taken < FRAME:
            piece = self._pieces.popleft()
            part = piece[: FRAME - taken]
            if len(part) < len(piece):
                self._pieces.appendleft(piece[len(part) :])
            parts.append(part)
            taken += len(part)
        self._waiting -= FRAME
        self._position += FRAME
        return np.concatenate(parts), at
