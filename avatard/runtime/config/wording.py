"""What is wrong with a value, in the words of whoever wrote it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel


def nearest(word: str, known: Iterable[str]) -> str:
    """What was probably meant, or else what there is."""
    close = difflib.get_close_matches(str(word), list(known), 1, 0.6)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(sorted(known))}"


def fields(schema: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at this path."""
    for part in path:
        field = schema.model_fields.get(str(part))
        annotation = field.annotation if field else None
        models = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)]
        if not models:
            break
        schema = models[0]
    return list(schema.model_fields)


def said(error: Any) -> str:
    """One of pydantic's errors as a sentence."""
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "string_type" | "path_type":
            return "text is needed; put it in quotes"
        case "model_type" | "dict_type" | "model_attributes_type":
            return "a mapping of options is needed"
        case "tuple_type" | "list_type":
            return "a list is needed"
        case _:
            return str(error["msg"][:1].lower() + error["msg"][1:])
