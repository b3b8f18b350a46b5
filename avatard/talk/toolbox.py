"""The tools that there are, and the checks before one is called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from avatard.api.errors import Refused
from avatard.api.tools import Tool

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,63}")
LONGEST = 500
"""Characters of a text argument."""
KINDS: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


class Toolbox:
    """Fulfils ``api.tools.Toolbox``."""

    def __init__(self, always: Iterable[Tool] = ()) -> None:
        """Hold these from the beginning."""
        self._tools = {tool.name: tool for tool in always}

    @contextmanager
    def offer(self, tool: Tool) -> Iterator[None]:
        """It is there while the block runs; a later one of the same name goes before it."""
        if not NAME.fullmatch(tool.name):
            raise Refused(f"tool {tool.name!r}: letters, digits and underscores, beginning with a letter, at most 64")
        before = self._tools.get(tool.name)
        self._tools[tool.name] = tool
        try:
            yield
        finally:
            if self._tools.get(tool.name) is tool:
                del self._tools[tool.name]
                if before is not None:
                    self._tools[tool.name] = before

    def named(self, names: Sequence[str]) -> list[Tool]:
        """Those of the given names that are there."""
        return [self._tools[name] for name in names if name in self._tools]

    async def call(self, name: str, arguments: Any, allowed: Sequence[str]) -> str:
        """Check and call."""
        if name not in allowed or name not in self._tools:
            raise Refused(f"there is no tool {name[:64]!r}; there are {', '.join(t.name for t in self.named(allowed))}")
        tool = self._tools[name]
        return await tool.call(checked(tool, arguments))


def checked(tool: Tool, arguments: Any) -> dict[str, Any]:
    """The arguments, where they fit the tool's schema and nothing else is in them.

    Raises:
        Refused: they do not fit.
    """
    if not isinstance(arguments, Mapping):
        raise Refused(f"{tool.name}: its arguments must be an object")
    properties: dict[str, Any] = tool.parameters.get("properties", {})
    if unknown := [str(key)[:40] for key in arguments if key not in properties]:
        raise Refused(f"{tool.name}: it takes no {', '.join(unknown[:3])}; it takes {', '.join(properties) or 'none'}")
    if missing := [key for key in tool.parameters.get("required", ()) if key not in arguments]:
        raise Refused(f"{tool.name}: {', '.join(missing)} is missing")
    for key, value in arguments.items():
        _check(f"{tool.name}: {key}", value, properties[key])
    return dict(arguments)


def _check(where: str, value: Any, schema: Mapping[str, Any]) -> None:
    kind = schema.get("type", "string")
    if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
        raise Refused(f"{where} must be of type {kind}")
    if isinstance(value, str) and len(value) > LONGEST:
        raise Refused(f"{where} is longer than {LONGEST} characters")
    if "enum" in schema and value not in schema["enum"]:
        raise Refused(f"{where} must be one of {', '.join(map(str, schema['enum']))}")
    if "minimum" in schema and value < schema["minimum"]:
        raise Refused(f"{where} must be at least {schema['minimum']}")
    if "maximum" in schema and value > schema["maximum"]:
        raise Refused(f"{where} must be at most {schema['maximum']}")
