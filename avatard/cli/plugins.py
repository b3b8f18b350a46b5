"""``avatard plugins``: what there is."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from avatard.runtime.config import find_file
from avatard.runtime.manifest import CUSTOM, discover, missing


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("plugins", help="list the plugins")
    parser.add_argument("what", choices=("list", "check"), help="list: what there is; check: whether all can be opened")
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="with those in custom_plugins/ beside it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List them; ``check`` fails when one lacks its packages."""
    lacking = 0
    path = find_file(args.config)
    for name, manifest in discover(path.parent / CUSTOM if path else None).items():
        needs = missing(manifest)
        lacking += bool(needs)
        state = f"needs: pip install {' '.join(needs)}" if needs else manifest.summary
        print(f"{name:14} {', '.join(manifest.provides):24} {state}")
    return 1 if lacking and args.what == "check" else 0
