"""What is answered, in one language: phrases, numbers, times, dates, lengths of time."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from typing import Any

import yaml

from avatard.api.errors import ConfigError

HIGHEST = 100
"""Numbers up to this one are understood."""


def base(language: str) -> str:
    """The language without its region."""
    return language.replace("_", "-").split("-")[0].lower()


def table(kind: str, language: str) -> dict[str, Any]:
    """A language's data, such as its ``sentences``; empty where the language does not ship."""
    path = files(__package__) / f"{kind}_{base(language)}.yaml"
    if not path.is_file():
        return {}
    loaded: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded


class Wording:
    """Puts replies into words."""

    def __init__(self, language: str) -> None:
        """Read the language's table.

        Raises:
            ConfigError: the language does not ship.
        """
        self._language = base(language)
        self._table = table("replies", language)
        if not self._table:
            raise ConfigError(f"conversation: intents has no replies in the language {language!r}")

    @cached_property
    def _spelling(self) -> Any:
        from unicode_rbnf import RbnfEngine

        return RbnfEngine.for_language(self._language)

    def say(self, what: str, **slots: str) -> str:
        """A phrase of the table with its slots filled; ``{Slot}`` begins with a capital letter."""
        capitals = {name[:1].upper() + name[1:]: _capital(text) for name, text in slots.items()}
        phrase: str = self._table["say"][what]
        return phrase.format_map(slots | capitals)

    def number(self, value: int, rules: str = "number") -> str:
        """A whole number in words; ``rules`` names what is counted, for languages that tell."""
        names: Mapping[str, str] = self._table["rules"]
        found = self._spelling.format_number(value, ruleset_names=[names.get(rules, names["number"])])
        return str(found.text).replace("-", str(self._table.get("hyphen", " ")))

    def numbers(self) -> dict[str, int]:
        """Every way to say a number → the number."""
        words: dict[str, int] = {}
        for value in range(HIGHEST + 1):
            for rule, text in self._spelling.format_number(value).text_by_ruleset.items():
                if "days" not in rule and "financial" not in rule:
                    words |= {text.replace("-", " "): value, text: value}
        return words

    def clock(self, hour: int, minute: int) -> str:
        """A time of day as it is spoken."""
        clock = self._table["clock"]
        parts = [text for since, text in clock.get("parts", ()) if since <= f"{hour:02}:{minute:02}"]
        form = next(text for minutes, text in clock["forms"].items() if _among(minute, str(minutes)))
        words: str = form.format(
            hour=clock["hours"][hour], next=clock["hours"][(hour + 1) % 24], minute=self.number(minute, "minute"),
            left=self.number(60 - minute, "minute"), part=parts[-1] if parts else "",
        )  # fmt: skip
        return words

    def date(self, day: datetime.date) -> str:
        """A day as it is spoken."""
        date = self._table["date"]
        special: Mapping[int, str] = date.get("days", {})
        words: str = date["form"].format(
            weekday=date["weekdays"][day.weekday()], day=special.get(day.day) or self.number(day.day, "day"),
            month=date["months"][day.month - 1],
        )  # fmt: skip
        return words

    def length(self, seconds: float) -> str:
        """A length of time, to the second below an hour and to the minute above."""
        left = max(1, round(seconds))
        if left > 3600:
            left = round(left / 60) * 60
        said = []
        for size, unit in ((3600, "hour"), (60, "minute"), (1, "second")):
            count, left = divmod(left, size)
            if count:
                forms = self._table["units"][unit]
                said.append(forms.get(count) or forms["other"].format(number=self.number(count, unit)))
        return str(self._table["and"]).join(said)


def _among(minute: int, ranges: str) -> bool:
    """Whether ``1-29`` or ``5,10`` has the minute."""
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        if int(first) <= minute <= int(last or first):
            return True
    return False


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
