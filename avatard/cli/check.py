"""``avatard check``: every error of a configuration at once."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from avatard.runtime.config import ConfigProblems, find_file, load

EPILOG = """example:
  avatard check -c avatard.yaml
  avatard check --schema > avatard.schema.json     # for your editor's completion
"""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "check", help="find every error in the configuration", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of the file and end")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check; 0 fine, 78 something must be changed."""
    if args.schema:
        from avatard.runtime.config.schema import json_schema

        print(json.dumps(json_schema(), indent=2))
        return 0
    path = find_file(args.config)
    try:
        configuration = load(path)
    except ConfigProblems as err:
        if args.json:
            print(json.dumps({"ok": False, "problems": [
                {"file": p.file, "line": p.line, "key": p.key, "text": p.text} for p in err.problems]}))  # fmt: skip
        else:
            print(err)
        return 78
    if args.json:
        print(json.dumps({"ok": True, "problems": []}))
    else:
        engines = ", ".join(f"{d}: {' → '.join(e.platform for e in s)}" for d, s in configuration.stages.items() if s)
        print(f"OK  {path or 'the built-in default'}\n    {engines}")
    return 0
