"""Tool calls as a grammar (GBNF): the model can write nothing but a call of one of these tools, in their form.

A tool's parameters are flat: text, numbers and booleans, with ``enum`` (api.tools.Tool). Limits of numbers are checked
when the tool is called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 200
"""Characters in a text argument."""
COMMON = rf"""
text ::= "\"" letter{{0,{LONGEST}}} "\""
letter ::= [^"\\\x7F\x00-\x1F] | "\\" ["\\/n]
whole ::= "0" | [1-9] [0-9]{{0,8}}
integer ::= "-"? whole
number ::= integer ("." [0-9]{{1,6}})?
boolean ::= "true" | "false"
""".lstrip()
KINDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}


def grammar(tools: Sequence[Mapping[str, Any]]) -> str:
    """The grammar of a call of one of the tools (as OpenAI's chat completions want them); empty without any."""
    if not tools:
        return ""
    rules = [f"root ::= {' | '.join(f'tool{n}' for n in range(len(tools)))}"]
    for n, tool in enumerate(tools):
        function = tool["function"]
        head = f'{{"tool": {json.dumps(function["name"])}, "arguments": '
        rules.append(f"tool{n} ::= {literal(head)} {_arguments(function['parameters'])} {literal('}')}")
    return "\n".join(rules) + "\n" + COMMON


def literal(text: str) -> str:
    """A text as it stands."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _arguments(parameters: Mapping[str, Any]) -> str:
    properties: Mapping[str, Mapping[str, Any]] = parameters.get("properties", {})
    required = [name for name in properties if name in parameters.get("required", ())]
    needed = [_member(name, properties[name]) for name in required]
    others = [_member(name, properties[name]) for name in properties if name not in required]
    comma = literal(", ")
    if needed:
        inside = f" {comma} ".join(needed) + "".join(f" ({comma} {other})?" for other in others)
    else:
        # Any of them may be the first; those after it may follow.
        firsts = [first + "".join(f" ({comma} {other})?" for other in others[n + 1 :])
                  for n, first in enumerate(others)]  # fmt: skip
        inside = f"({' | '.join(firsts)})?" if firsts else ""
    return f"{literal('{')} {inside} {literal('}')}"


def _member(name: str, schema: Mapping[str, Any]) -> str:
    values = [literal(json.dumps(value, ensure_ascii=False)) for value in schema.get("enum", ())]
    value = f"({' | '.join(values)})" if values else KINDS.get(schema.get("type", "string"), "text")
    return f"{literal(json.dumps(name, ensure_ascii=False) + ': ')} {value}"
