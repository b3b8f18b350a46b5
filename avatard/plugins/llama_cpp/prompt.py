"""What the model reads and writes beside plain text: tools in the persona, and calls as one line of JSON.

Chat templates differ in what they know of tools, and most know nothing: so tools are described in words, a call is what
the assistant said, and a tool's answer is what comes back to it.
"""

from __future__ import annotations

import json
from typing import Any

from avatard.api.chat import Message, ToolCall

HOW = (
    "To do something, or to look something up, answer with one line of JSON and nothing else: "
    '{"tool": NAME, "arguments": {…}}. You are then told what came of it. Answer everything else in words. Tools:'
)


def plain(messages: list[Message], tools: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Messages of system, user and assistant alone; the latter two take turns."""
    told: list[dict[str, str]] = []
    for message in messages:
        role, content = message["role"], message["content"]
        if role == "system" and tools:
            content = "\n".join([content, HOW, *map(_line, tools)])
        if calls := message.get("tool_calls"):
            content = "\n".join(_written(call["function"]) for call in calls)
        if role == "tool":
            role, content = "user", f"Answer of the tool {message['name']}: {content}"
        if told and told[-1]["role"] == role:
            told[-1]["content"] += f"\n{content}"
        else:
            told.append({"role": role, "content": content})
    return told


def read_call(text: str) -> ToolCall:
    """The call that the model wrote; one that cannot be read is refused as a call of nothing."""
    try:
        call = json.loads(text)
        return ToolCall("call", str(call["tool"]), json.dumps(call["arguments"], ensure_ascii=False))
    except (ValueError, KeyError, TypeError, RecursionError):
        return ToolCall("call", "", "{}")


def _line(tool: dict[str, Any]) -> str:
    function = tool["function"]
    arguments = json.dumps(function["parameters"].get("properties", {}), ensure_ascii=False)
    return f"- {function['name']}: {function['description']} Arguments: {arguments}"


def _written(function: dict[str, str]) -> str:
    return f'{{"tool": {json.dumps(function["name"])}, "arguments": {function["arguments"]}}}'
