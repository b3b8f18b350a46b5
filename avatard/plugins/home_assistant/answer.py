"""What Home Assistant answers in a conversation.

Source: Home Assistant's developer documentation, "Conversation API".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What Home Assistant said."""

    text: str
    conversation: str = ""
    """Its id of the conversation, for what is said next."""
    error: str = ""
    """Its error code, such as ``no_intent_match``; empty where it did or answered something."""


def understood(answer: Any) -> Answer:
    """The words of an answer, its conversation and its error code.

    Raises:
        ValueError: it has not the form of one.
    """
    if not isinstance(answer, dict) or not isinstance(response := answer.get("response"), dict):
        raise ValueError("it has no response")
    kind = response.get("response_type")
    if kind not in ("action_done", "query_answer", "error"):
        raise ValueError(f"a response of type {str(kind)[:40]!r}")
    text = _inside(response, "speech", "plain", "speech")
    code = _inside(response, "data", "code") if kind == "error" else ""
    conversation = _inside(answer, "conversation_id")
    return Answer(text.strip(), conversation, code or ("unknown" if kind == "error" else ""))


def _inside(data: Any, *keys: str) -> str:
    """The text at the end of these keys; empty where there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, str) else ""
