"""A scripted house with its bridge at a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from broker import Broker, Listener, Message

from avatard.api.errors import unwrapped
from avatard.runtime.bridges import Bridges
from avatard.runtime.config import Configuration
from avatard.runtime.foundation import open_foundation
from avatard.runtime.house import House, furnished


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    with Listener(broker, "#") as listener:
        yield listener


@asynccontextmanager
async def bridged(configuration: Configuration) -> AsyncIterator[tuple[House, Bridges]]:
    """The house and its bridges, without the daemon around them."""
    with unwrapped():
        async with open_foundation(configuration) as foundation, Bridges(foundation) as bridges:
            async with furnished(configuration, foundation) as house:
                await bridges.become(configuration)
                yield house, bridges


def at(broker: Broker, **options: Any) -> dict[str, Any]:
    """The ``mqtt`` section for this broker."""
    return {"mqtt": {"host": "127.0.0.1", "port": broker.port, **options}}


async def until(
    listener: Listener, topic: str, want: Callable[[Message], object] | None = None, seconds: float = 10
) -> Message:
    """``Listener.wait_for`` without holding up the loop."""
    return await asyncio.to_thread(listener.wait_for, topic, want, seconds)


async def online(listener: Listener, id: str = "test") -> None:
    """The bridge is there and has found its own probe."""
    await until(listener, f"avatard/{id}/availability", lambda m: m.text == "online")
    await until(listener, f"avatard/{id}/probe/set")
