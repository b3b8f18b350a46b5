"""The listening socket: bounded connections, no patience with those who say nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from avatard.api.errors import NotReady
from avatard.plugins.web.app import App
from avatard.plugins.web.config import BridgeConfig


@asynccontextmanager
async def serving(app: App, config: BridgeConfig) -> AsyncIterator[int]:
    """Serve while the block runs; yield the port.

    Raises:
        NotReady: the port is taken, or the address is not this machine's.
    """
    app.application.on_response_prepare.append(app.dress)
    runner = web.AppRunner(
        app.application, access_log=None, handle_signals=False, shutdown_timeout=1.0, keepalive_timeout=30.0,
        lingering_time=1.0, max_line_size=4096, max_field_size=4096, handler_cancellation=True,
    )  # fmt: skip
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.host.strip("[]"), config.port)
        try:
            await site.start()
        except OSError as err:
            where = f"{config.host}:{config.port}"
            raise NotReady(
                f"web: {where}: {err.strerror}; is another program or another avatard there? choose another 'port:', "
                "or an address of this machine as 'host:'"
            ) from err
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
