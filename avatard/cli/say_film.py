"""What ``avatard say --out`` does: a house of its own, whose display is a file.

It is apart from the command, which otherwise only writes to the running daemon and needs none of a house.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from avatard.api.errors import StageFailed
from avatard.api.news import SentenceSpoken, TurnReport
from avatard.cli.sheet import write_strip
from avatard.face.bundle import find
from avatard.runtime.config import from_mapping
from avatard.runtime.config.document import Document
from avatard.runtime.house import House, open_house


def write_film(text: str, args: argparse.Namespace) -> None:
    """Say it to ``args.out``, and where it is asked for, write pictures of it to ``args.sheet``."""
    report = asyncio.run(_to_file(text, args.out, _look(args.config, args.face)))
    if args.sheet is not None:
        write_strip(args.out, args.sheet, text, int(report.frames["count"]))


def _look(config: Path | None, face: str | None) -> dict[str, Any]:
    """What of a configuration says how it looks and sounds."""
    data = Document(config).data if config is not None else {}
    look: dict[str, Any] = {key: data[key] for key in ("language", "tts", "encoder", "avatar") if key in data}
    if face is not None:
        look["avatar"] = {"face": str(find(face)), "render": ["warp"]}
    return look


async def _to_file(text: str, out: Path, look: dict[str, Any]) -> TurnReport:
    configuration = from_mapping(look | {
        "name": "say", "display": {"platform": "file", "path": str(out), "pace": "fast"}, "conversation": None,
        "microphone": None, "wake_word": None, "vad": None, "stt": None,
        "sessions": {"max_text": 100_000, "max_reply_seconds": 3600},
    })  # fmt: skip
    async with open_house(configuration) as house:
        progress = asyncio.ensure_future(_progress(house))
        ticket = await house.door.say(text, source="cli")
        report = await ticket.finished
        progress.cancel()
    if report.error:
        out.unlink(missing_ok=True)
        raise StageFailed("say", "file", report.error)
    return report


async def _progress(house: House) -> None:
    with house.feed.subscribe() as news:
        async for event in news:
            if isinstance(event, SentenceSpoken) and sys.stderr.isatty():
                print(f"\r{event.sentence.text[:76]:76}", end="", file=sys.stderr)
