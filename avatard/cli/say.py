"""``avatard say``: speech and face to a file, or by the running daemon."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from avatard.api.errors import ConfigError
from avatard.cli.remote import command

EPILOG = """examples:
  avatard say "Dinner is ready." --out dinner.mp4     # a file, faster than real time; no daemon needed
  avatard say "Dinner is ready." --face me --out dinner.mp4    # with a face of `avatard faces list`
  avatard say "Dinner is ready."                      # by the running daemon
"""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "say", help="say a text: to a file, or by the running daemon", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("text", metavar="TEXT", help="what to say; - reads it from standard input")
    parser.add_argument("--out", type=Path, metavar="FILE.mp4", help="write it here")
    parser.add_argument("--face", metavar="NAME", help="with --out: an imported face, or its file")
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="with --out: voice and face of this file")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="with --out: pictures from all through it")
    parser.add_argument("--interrupt", action="store_true", help="end what is being said")
    parser.add_argument("--priority", type=int, default=0, help="a higher one goes first")
    parser.add_argument("--volume", type=int, help="0–100, for this text alone")
    parser.add_argument("--id", default=None, help="which daemon, where several run")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Say it."""
    text = sys.stdin.buffer.read().decode("utf-8", "replace") if args.text == "-" else args.text
    text = text.encode("utf-8", "replace").decode()
    if args.out is not None:
        from avatard.cli.say_film import write_film

        write_film(text, args)
        print(args.out)
        return 0
    if args.face is not None or args.config is not None or args.sheet is not None:
        raise ConfigError("--face, -c and --sheet go with --out: the running daemon has a face and a voice of its own")
    request: dict[str, Any] = {"do": "say", "text": text, "interrupt": args.interrupt, "priority": args.priority}
    if args.volume is not None:
        request["volume"] = args.volume
    for answer in command(request, args.id):
        if not answer.get("ok") or answer.get("error"):
            print(f"avatard: {answer.get('error')}", file=sys.stderr)
            return 1
    return 0
