"""``avatard run``: the daemon."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from avatard.runtime.config import find_file, load
from avatard.runtime.daemon import Daemon
from avatard.runtime.notify import Notifier
from avatard.runtime.stories import dump_tasks

log = logging.getLogger("avatard")

END_LIMIT = 9.0
"""Seconds after SIGTERM at which the process ends itself, whatever still hangs; children die with it."""

EPILOG = """signals:
  SIGTERM, SIGINT   end
  SIGHUP            read the configuration again and reopen what has changed; a wrong file changes nothing
  SIGUSR1           write every task's stack to the log
"""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run", help="the daemon", description="Run the daemon until it is told to stop.", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration; see 'avatard check'")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    path = find_file(args.config)
    configuration = load(path)
    logging.getLogger().setLevel(configuration.core.logging.level.upper())
    daemon = asyncio.run(_serve(Daemon(path, configuration, Notifier.from_environment())))
    if daemon.again:
        log.info("starting again")
        os.execv(sys.executable, sys.orig_argv)
    return 0


async def _serve(daemon: Daemon) -> Daemon:
    loop = asyncio.get_running_loop()
    main = loop.create_task(daemon.run())

    def end() -> None:
        log.info("stopping")
        last = threading.Timer(END_LIMIT, _give_up)
        last.daemon = True
        last.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        main.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, daemon.hang_up)
    loop.add_signal_handler(signal.SIGUSR1, dump_tasks)
    await asyncio.wait({main})
    if not main.cancelled():
        main.result()
    return daemon


def _give_up() -> None:
    log.error("did not end within %.0f s: ending at once", END_LIMIT)
    os._exit(1)
