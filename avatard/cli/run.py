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
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)

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
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # they end a program that has no handler for them yet
    path = find_file(args.config)
    configuration = load(path)
    logging.getLogger().setLevel(configuration.core.logging.level.upper())
    last = LastResort()
    daemon = last.daemon = Daemon(path, configuration, Notifier.from_environment(), last.arm)
    asyncio.run(_serve(daemon, last))
    if daemon.again:
        _start_again()
    return 0


async def _serve(daemon: Daemon, last: LastResort) -> None:
    loop = asyncio.get_running_loop()
    main = loop.create_task(daemon.run(), name="daemon")

    def end() -> None:
        log.info("stopping")
        for number in HANDLED:
            # Whatever comes while it ends changes nothing.
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        daemon.end()

    for number, handler in zip(HANDLED, (end, end, daemon.hang_up, dump_tasks), strict=True):
        loop.add_signal_handler(number, handler)
    await asyncio.wait({main})
    last.closed = True
    for number in (signal.SIGHUP, signal.SIGUSR1):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
    if not main.cancelled():
        main.result()


class LastResort:
    """Ends the process, or starts it again, where something still hangs so long after it was told to leave."""

    def __init__(self) -> None:
        """Nothing is to be left yet."""
        self.daemon: Daemon | None = None
        self.closed = False
        """Whether all is closed: what hangs then is a thread in the middle of a load, and no error."""
        self._timer: threading.Timer | None = None

    def arm(self) -> None:
        """Begin to count."""
        if self._timer is None:
            self._timer = threading.Timer(END_LIMIT, self._end)
            self._timer.daemon = True
            self._timer.start()

    def _end(self) -> None:
        busy = ", ".join(t.name for t in threading.enumerate() if not t.daemon and t is not threading.main_thread())
        log.error("not closed within %.0f s (threads: %s): ending at once", END_LIMIT, busy or "none")
        if self.daemon is not None and self.daemon.again:
            _start_again()
        os._exit(0 if self.closed else 1)


def _start_again() -> None:
    log.info("starting again")
    os.execv(sys.executable, sys.orig_argv)
