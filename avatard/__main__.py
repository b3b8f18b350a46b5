"""The program ``avatard``."""

from __future__ import annotations

import argparse
import logging
import sys
from types import ModuleType

from avatard import __version__
from avatard.api.errors import AvatardError, ConfigError
from avatard.cli import run

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
    for command in _commands(argv):
        command.add_parser(commands)
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


def _commands(argv: list[str]) -> list[ModuleType]:
    """Every command's module; the daemon goes without the others, which would take 4 MB of it."""
    if argv[:1] == ["run"]:
        return [run]
    from avatard.cli import bench, check, demo, doctor, faces, models, plugins, remote, say, shapes

    return [run, demo, say, remote, check, doctor, shapes, faces, models, plugins, bench]


if __name__ == "__main__":
    sys.exit(main())
