"""The program ``avatard``."""

from __future__ import annotations

import argparse
import logging
import sys
from importlib import import_module

from avatard import __version__
from avatard.api.errors import AvatardError, ConfigError

REMOTE = ("ask", "listen", "stop", "mute", "volume", "status")
MODULES = {
    "run": "run", "demo": "demo", "say": "say", **dict.fromkeys(REMOTE, "remote"), "check": "check",
    "doctor": "doctor", "shapes": "shapes", "faces": "faces", "models": "models", "plugins": "plugins",
    "bench": "bench",
}  # fmt: skip
"""Which module of ``avatard.cli`` has a command; help names them in this order."""

EPILOG = """first steps:
  avatard demo                 a spoken question in, a talking face out: demo/demo.mp4
  avatard say "Hello." --out hello.mp4
  avatard check                every error in the configuration
  avatard doctor               what works on this machine, and what to do about what does not
  avatard run                  the daemon
"""


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 fine, 1 failed, 2 wrong usage, 78 the configuration must be changed."""
    parser = argparse.ArgumentParser(
        prog="avatard", description="Gives a smart home a face.", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"avatard {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    argv = sys.argv[1:] if argv is None else argv
    for module in _modules(argv):
        import_module(f"avatard.cli.{module}").add_parser(commands)
    args = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname).1s %(name)s: %(message)s")
    try:
        return int(args.run(args))
    except ConfigError as err:
        print(err, file=sys.stderr)
        return 78
    except AvatardError as err:
        print(f"avatard: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _modules(argv: list[str]) -> list[str]:
    """Where the command is; all of them for help.

    One command goes without the others: all of them take a second to import on a fast machine, and 4 MB of the daemon.
    """
    return [MODULES[argv[0]]] if argv and argv[0] in MODULES else list(dict.fromkeys(MODULES.values()))


if __name__ == "__main__":
    sys.exit(main())
