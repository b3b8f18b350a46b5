"""The face at rest as a finished film: drawn and encoded once, kept in the cache folder."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import cast

from avatard.api.errors import NotReady
from avatard.api.flow import EncodedChunk, IdleLoop, Pixels, VideoFrame
from avatard.api.stages import LipSyncRenderer, Portrayed
from avatard.talk.assistant import Door

SECONDS = 8.0
"""Of the loop: long enough that nobody counts the blinks."""
KEPT = 8
"""Loops in the cache folder; the oldest go."""


class Resting:
    """Makes the loop of whichever face is shown."""

    def __init__(self, door: Door, folder: Path) -> None:
        """Keep the films in this folder."""
        self._door, self._folder = door, folder
        self._turn = asyncio.Lock()

    async def loop(self) -> IdleLoop:
        """The loop of the face that is shown.

        Raises:
            NotReady: the daemon is still starting; nothing draws or encodes; the folder cannot be written.
            StageFailed, OutOfMemory: drawing or encoding failed.
        """
        async with self._turn:
            household = self._door.household
            if household is None:
                raise NotReady("the daemon is still starting")
            renderer = await household.render.engine()
            first = await _first(renderer)
            shape = f"{first.shape}{SECONDS}".encode()
            key = hashlib.sha256(shape + first.tobytes()).hexdigest()[:24]
            path = self._folder / f"{key}.mp4"
            if not path.exists():
                encoder = await household.place.displays.encoder.engine()
                chunks = encoder.encode(renderer.idle(SECONDS), "mp4")
                await self._write(path, chunks)
            return IdleLoop(path, first, key)

    async def portrait(self, name: str) -> Pixels | None:
        """A small picture of a face that the renderer could wear; None where it has none."""
        household = self._door.household
        if household is None:
            raise NotReady("the daemon is still starting")
        renderer = await household.render.engine()
        return await renderer.portrait(name) if isinstance(renderer, Portrayed) else None

    async def _write(self, path: Path, chunks: AsyncIterator[EncodedChunk]) -> None:
        async with aclosing(cast("AsyncGenerator[EncodedChunk, None]", chunks)) as pieces:
            film = b"".join([chunk.data async for chunk in pieces])
        partial = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(film)
            os.replace(partial, path)
            for old in sorted(self._folder.glob("*.mp4"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
                old.unlink()
        except OSError as err:
            raise NotReady(f"idle loop: {path}: {err.strerror}") from err


async def _first(renderer: LipSyncRenderer) -> Pixels:
    async with aclosing(cast("AsyncGenerator[VideoFrame, None]", renderer.idle(SECONDS))) as frames:
        async for frame in frames:
            if frame.pixels is not None:
                return frame.pixels
    raise NotReady("idle loop: the renderer has no picture of the face at rest")
