"""``avatard demo``: a spoken question in, a talking face out."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from avatard.api.errors import StageFailed
from avatard.api.news import Event, HeardPartly, ReplyText, Transcribed, TurnFinished, WakeHeard
from avatard.cli.conversation import Conversation, converse, record_questions
from avatard.runtime.config import from_mapping

EPILOG = """examples:
  avatard demo                              its own conversation of three turns, about half a minute
  avatard demo --wav question.wav           your recording: a wake word (okay nabu, hey jarvis, alexa), then a question
  avatard demo --wav a.wav --wav b.wav --out DIR --json
"""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo", help="a spoken question in, a talking face out", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="The whole daemon with recordings as its microphone, at real pace, and a file as its display.",
    )  # fmt: skip
    parser.add_argument("--wav", type=Path, action="append", nargs="+", metavar="FILE", help="recordings to hear")
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="where to write; default: demo")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write DIR/demo.mp4, DIR/demo.png and DIR/report.json; 1 when nothing was answered."""
    recordings = [path for group in args.wav or () for path in group]
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise StageFailed("demo", "file", f"{args.out}: {err.strerror}") from err
    conversation = asyncio.run(_demo(recordings, args.out))
    report = conversation.report()
    (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    if conversation.turns:
        from avatard.cli.sheet import write_sheet

        write_sheet(args.out / "demo.mp4", args.out / "demo.png", conversation.turns)
    if args.json:
        print(json.dumps(report))
    say = sys.stderr if args.json else sys.stdout
    if not conversation.turns:
        print("nothing was heard: does the recording begin with okay nabu, hey jarvis or alexa?", file=say)
        return 1
    print(f"\n{args.out / 'demo.mp4'}\n{args.out / 'demo.png'}\n{args.out / 'report.json'}", file=say)
    return 0 if not any(turn.error for turn in conversation.turns) else 1


async def _demo(recordings: list[Path], out: Path) -> Conversation:
    with tempfile.TemporaryDirectory(prefix="avatard-") as folder:
        paths = recordings or await record_questions(Path(folder))
        configuration = from_mapping({
            "name": "demo", "microphone": {"platform": "file", "path": [str(path) for path in paths]},
            "display": {"platform": "file", "path": str(out / "demo.mp4")}, "sounds": {"wake": False},
        })  # fmt: skip
        return await converse(configuration, _tell)


def _tell(event: Event) -> None:
    """Show the conversation as it goes, on standard error."""
    match event:
        case WakeHeard(phrase, score, _):
            _line(f"  · {phrase.replace('_', ' ')} ({score:.2f})", end="\n")
        case HeardPartly(text):
            _line(f"you:     {text} …", end="" if sys.stderr.isatty() else None)
        case Transcribed(text):
            _line(f"you:     {text or '(not understood)'}", end="\navatard: ")
        case ReplyText(_, text):
            print(text, end="", file=sys.stderr, flush=True)
        case TurnFinished(report):
            ms = report.ms.get("speech_end_to_first_frame")
            print(f"\n         first frame {ms:.0f} ms after the end of speech" if ms else "", file=sys.stderr)


def _line(text: str, end: str | None) -> None:
    if end is not None:
        print(("\r\x1b[K" if sys.stderr.isatty() else "") + text, end=end, file=sys.stderr, flush=True)
