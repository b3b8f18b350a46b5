"""Commands to the running daemon: ask, listen, stop, mute, volume, status."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from avatard.api.errors import NotReady, StageFailed
from avatard.runtime.paths import Paths

SYSTEM_FOLDER = Path("/run/avatard")
"""Where systemd/avatard.service has its socket."""


def add_parser(commands: Any) -> None:
    """Add the commands."""
    for name, text in (
        ("ask", "ask the running daemon something; prints the reply as it comes"),
        ("listen", "let the running daemon listen now, without the wake word"),
        ("stop", "end what it says and what rings"),
        ("mute", "close the microphone, or open it"),
        ("volume", "how loud it speaks, 0–100"),
        ("status", "what it is doing"),
    ):
        parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        parser.add_argument("--id", default=None, help="which daemon, where several run")
        if name == "ask":
            parser.add_argument("text", metavar="TEXT")
            parser.add_argument("--session", default="room", metavar="NAME", help="whose history it is; default: room")
        if name == "listen":
            parser.add_argument("--test", action="store_true", help="instead, tell which wake phrases it still hears")
        if name == "mute":
            parser.add_argument("on", choices=("on", "off"))
        if name == "volume":
            parser.add_argument("percent", type=int, metavar="N")
        if name == "status":
            parser.add_argument("--json", action="store_true", help="print it as JSON")
        parser.set_defaults(run=run, do=name)


def run(args: argparse.Namespace) -> int:
    """Send the command and print what comes back."""
    request: dict[str, Any] = {"do": args.do}
    if args.do == "ask":
        request |= {"text": args.text, "session": args.session}
    elif args.do == "listen" and args.test:
        request["do"] = "test"
    elif args.do == "mute":
        request["on"] = args.on == "on"
    elif args.do == "volume":
        request["percent"] = args.percent
    for answer in command(request, args.id):
        if "text" in answer and "ok" not in answer:
            print(answer["text"], end="", flush=True)
        elif not answer.get("ok"):
            print(f"avatard: {answer.get('error')}", file=sys.stderr)
            return 1
        elif args.do == "ask":
            print(f"({answer['error']})" if answer.get("error") else "")
        elif args.do == "status":
            _print_status(answer, args.json)
        elif "phrases" in answer:
            return _print_test(answer["phrases"])
    return 0


def _print_test(phrases: dict[str, str]) -> int:
    for phrase, outcome in phrases.items():
        print(f"{phrase:>20}  {outcome}" + ("  (no voice of ours is heard to say it)" if outcome == "untested" else ""))
    return 1 if "missed" in phrases.values() else 0


def _print_status(answer: dict[str, Any], as_json: bool) -> None:
    answer.pop("ok", None)
    if as_json:
        print(json.dumps(answer))
        return
    for key, value in answer.items():
        if value not in (None, {}, [], ""):
            print(f"{key:>10}  {', '.join(f'{k} {v}' for k, v in value.items()) if isinstance(value, dict) else value}")


def find_socket(id: str | None) -> Path:
    """The running daemon's socket: this user's, or else the system service's.

    Raises:
        NotReady: none runs, or several and no id was given.
    """
    folder = Paths.for_id("avatard").socket.parent
    if id is not None:
        name = f"{id}.sock"
        return next((place / name for place in (folder, SYSTEM_FOLDER) if (place / name).exists()), folder / name)
    found = sorted(folder.glob("*.sock")) or sorted(SYSTEM_FOLDER.glob("*.sock"))
    if not found:
        raise NotReady(f"no daemon runs (nothing in {folder} or {SYSTEM_FOLDER}); start it: avatard run")
    if len(found) > 1:
        raise NotReady(f"several daemons run; choose with --id: {', '.join(path.stem for path in found)}")
    return found[0]


def command(request: dict[str, Any], id: str | None = None) -> Iterator[dict[str, Any]]:
    """Send a command; yield the answers.

    Raises:
        NotReady: no daemon answers.
        StageFailed: it went away in the middle.
    """
    path = find_socket(id)
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except PermissionError as err:
            raise NotReady(f"{path}: that daemon is another user's; with sudo it obeys") from err
        except OSError as err:
            raise NotReady(f"{path}: no daemon answers ({err.strerror}); start it: avatard run") from err
        connection.sendall(json.dumps(request).encode() + b"\n")
        answered = False
        for line in connection.makefile("rb"):
            answer = json.loads(line)
            answered = "ok" in answer
            yield answer
        if not answered:
            raise StageFailed("control", "socket", "the daemon went away before it had answered")
