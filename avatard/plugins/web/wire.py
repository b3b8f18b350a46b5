"""What goes over a socket: news as JSON, pictures and sound behind a header of 16 bytes (PROTOCOL.md)."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from avatard.api.door import TimerView
from avatard.api.news import (
    EngineChanged,
    Event,
    Health,
    HeardPartly,
    Problem,
    Replied,
    ReplyText,
    SentenceSpoken,
    SettingChanged,
    StateChanged,
    TierChanged,
    Transcribed,
    TurnFinished,
    WakeHeard,
)

HEADER = struct.Struct("<BBHIII")
FRAME, PIECE, CHIME = 1, 2, 3
"""Kinds of binary messages."""
REPEAT = 1
"""Flag of a frame: the last picture is seen on."""
INITIAL, KEY = 1, 2
"""Flags of a piece: an initialisation segment; it begins with a keyframe."""

TOKEN, NO_HELLO, TOO_BIG, TOO_MANY, RELOADS = 4401, 4408, 4413, 4429, 4000
"""Close codes of our own."""
AWAY, UNSUPPORTED, INVALID, POLICY = 1001, 1003, 1007, 1008
"""Close codes of RFC 6455."""


def binary(kind: int, flags: int, answer: int, pts: float, sound: bytes = b"", data: bytes = b"") -> bytes:
    """One binary message."""
    return HEADER.pack(kind, flags, 0, answer, max(0, round(pts * 1000)), len(sound)) + sound + data


def text(message: dict[str, Any]) -> str:
    """One text message."""
    plain = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return plain if encodable(plain) else json.dumps(message, separators=(",", ":"), allow_nan=False)


def encodable(text: str) -> bool:
    """Whether it can be sent as it is: half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def timers(views: Iterable[TimerView]) -> list[dict[str, Any]]:
    """The timers that run."""
    return [
        {"id": t.id, "name": t.name, "seconds_left": round(t.seconds_left, 1), "ringing": t.ringing} for t in views
    ]


def news(event: Event) -> dict[str, Any] | None:
    """What a page is told of an event; None where it is not its business."""
    match event:
        case StateChanged(state):
            return {"type": "state", "state": state}
        case WakeHeard(phrase, score):
            return {"type": "wake", "phrase": phrase, "score": score}
        case HeardPartly(said):
            return {"type": "heard_partly", "text": said}
        case Transcribed(said):
            return {"type": "transcribed", "text": said}
        case ReplyText(turn, said):
            return {"type": "reply_text", "turn": turn, "text": said}
        case Replied(turn, said):
            return {"type": "replied", "turn": turn, "text": said}
        case SentenceSpoken(turn, sentence):
            return {"type": "spoken", "turn": turn, "text": sentence.text}
        case TurnFinished(report):
            return {"type": "turn", **asdict(report)}
        case SettingChanged(name, value):
            return {"type": "setting", "name": name, "value": value}
        case EngineChanged():
            return {"type": "engine", **asdict(event)}
        case TierChanged(tier=tier, memory_mb=memory, budget_mb=budget):
            return {"type": "tier", "tier": tier, "memory_mb": memory, "budget_mb": budget}
        case Health():
            return {"type": "health", **asdict(event)}
        case Problem(where, what, over):
            return {"type": "problem", "where": where, "what": what, "over": over}
    return None
