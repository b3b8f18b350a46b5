"""``avatard run``: the daemon."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from pathlib import Path
from typing import Any

from avatard.api.news import Problem, ReplyText, StateChanged, Transcribed, TurnFinished, WakeHeard
from avatard.runtime.config import Configuration, find_file, load
from avatard.runtime.control import Control, control_socket
from avatard.runtime.feed import Feed
from avatard.runtime.house import open_house
from avatard.runtime.paths import Paths

log = logging.getLogger("avatard")


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("run", help="the daemon", description="Run the daemon until it is told to stop.")
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration; see 'avatard check'")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    configuration = load(find_file(args.config))
    logging.getLogger().setLevel(configuration.core.logging.level.upper())
    asyncio.run(_serve(configuration))
    return 0


async def _serve(configuration: Configuration) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_house(configuration) as house:
        async with control_socket(Paths.for_id(configuration.id).socket, Control(house.door, house.feed)):
            log.info("ready: %s", ", ".join(f"{k} {v}" for k, v in house.engines().items()))
            telling = asyncio.ensure_future(_tell(house.feed))
            await stop.wait()
            log.info("stopping")
            telling.cancel()


async def _tell(feed: Feed) -> None:
    """Log the news."""
    reply = ""
    with feed.subscribe(256) as news:
        async for event in news:
            match event:
                case StateChanged(state):
                    log.debug("state: %s", state)
                case WakeHeard(phrase, score, _):
                    log.info("wake word: %s (%.2f)", phrase, score)
                case Transcribed(text):
                    log.info("heard: %s", text or "(not understood)")
                case ReplyText(_, text):
                    reply += text
                case TurnFinished(report):
                    log.info("said: %s%s  %s", reply.strip(), " (interrupted)" if report.interrupted else "", report.ms)
                    reply = ""
                case Problem(where, what, over):
                    log.warning("%s: %s", where, "works again" if over else what) if what or over else None
