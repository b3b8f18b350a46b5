"""The listening socket: so many connections and no more, and no patience with those that say nothing."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from avatard.api.errors import NotReady
from avatard.plugins.web.config import BridgeConfig

CONNECTIONS, CONNECTIONS_EACH = 128, 48
"""In all, and from one address; a page takes two or three."""
PATIENCE = 10.0
"""Seconds in which a connection's first request must have come."""
LARGEST_HEAD = 16 * 1024
"""Bytes of a request's head that are waited for; what is longer is refused by the parser."""
UNSENT = 128 * 1024
"""Bytes that the kernel takes before they can be sent: what a slow browser is late by waits with us, and can go."""
KEPT = 30.0
"""Seconds that a connection may rest between two requests."""


class Discreet(logging.Filter):
    """Leaves out of the log what is no request: whoever sends it would fill the log, and a token may be in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


class Hall:
    """Counts who is in."""

    def __init__(self, server: web.Server) -> None:
        """Hand connections over to this server."""
        self.server = server
        self.waiting: dict[Entrance, str] = {}

    def room_for(self, address: str) -> bool:
        """Whether one more may come in from there."""
        inside = [_address(handler.transport) for handler in self.server.connections]
        all_here = [*self.waiting.values(), *inside]
        return len(all_here) < CONNECTIONS and all_here.count(address) < CONNECTIONS_EACH

    def close(self) -> None:
        """Turn away those who have said nothing yet."""
        for entrance in list(self.waiting):
            entrance.turn_away()


class Entrance(asyncio.Protocol):
    """A connection until the head of its first request is there; then the server has it."""

    def __init__(self, hall: Hall) -> None:
        """Nobody has come yet."""
        self._hall = hall
        self._head = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has come."""
        self._transport = cast("asyncio.Transport", transport)
        address = _address(self._transport)
        if not self._hall.room_for(address):
            self._transport.abort()
            return
        keep_little_unsent(self._transport)
        self._hall.waiting[self] = address
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self.turn_away)

    def data_received(self, data: bytes) -> None:
        """He says something."""
        if self._transport is None or self not in self._hall.waiting:
            return
        self._head += data
        if self._head[:2] == b"\r\n":
            self._head = self._head.lstrip(b"\r\n")  # the parser lets empty lines go by, for ever
        if b"\r\n\r\n" in self._head or len(self._head) > LARGEST_HEAD:
            self._leave()
            handler = self._hall.server()
            self._transport.set_protocol(handler)
            handler.connection_made(self._transport)
            handler.data_received(bytes(self._head))

    def connection_lost(self, exc: Exception | None) -> None:
        """He has gone."""
        self._leave()

    def turn_away(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _leave(self) -> None:
        self._hall.waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()


def keep_little_unsent(transport: asyncio.BaseTransport) -> None:
    """Have the kernel hold back no seconds of pictures, where it can be told."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, UNSENT)


def _address(transport: asyncio.BaseTransport | None) -> str:
    peer = transport.get_extra_info("peername") if transport is not None else None
    return str(peer[0]) if peer else ""


@asynccontextmanager
async def serving(application: web.Application, config: BridgeConfig, logger: logging.Logger) -> AsyncIterator[int]:
    """Serve while the block runs; yield the port.

    Raises:
        NotReady: the port is taken, or the address is not this machine's.
    """
    quiet = logger.getChild("http")
    quiet.addFilter(Discreet())
    runner = web.AppRunner(
        application, access_log=None, handle_signals=False, shutdown_timeout=1.0, keepalive_timeout=KEPT,
        lingering_time=1.0, max_line_size=4096, max_field_size=4096, logger=quiet,
    )  # fmt: skip
    await runner.setup()
    assert runner.server is not None
    hall = Hall(runner.server)
    try:
        try:
            listener = await asyncio.get_running_loop().create_server(
                lambda: Entrance(hall), config.host.strip("[]"), config.port
            )
        except OSError as err:
            raise NotReady(
                f"{config.host}:{config.port}: {err.strerror or err}; is another program or another avatard there? "
                "choose another 'port:', or an address of this machine as 'host:'"
            ) from err
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            listener.close()
            hall.close()
    finally:
        await runner.cleanup()
