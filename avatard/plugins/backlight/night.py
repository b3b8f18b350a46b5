"""Night hours: from one hour of the clock on the wall to another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

_HOURS = re.compile(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*")


@dataclass(frozen=True, slots=True)
class Night:
    """From ``start`` to ``end``, local time, over midnight where ``end`` is the earlier."""

    start: time
    end: time

    @classmethod
    def of(cls, text: str) -> Night:
        """Read ``22:30-06:30``.

        Raises:
            ValueError: these are no hours.
        """
        found = _HOURS.fullmatch(text)
        try:
            one, minute, other, last = (int(number) for number in found.groups()) if found else (0, 0, 0, 0)
            start, end = time(one, minute), time(other, last)
        except ValueError as err:
            raise ValueError(f'{text!r}: hours go to 23 and minutes to 59, such as "22:30-06:30"') from err
        if found is None:
            raise ValueError(f'{text!r} are no hours; write them such as "22:30-06:30"')
        if start == end:
            raise ValueError(f"{text!r} begins as it ends; leave night out, or give two different hours")
        return cls(start, end)

    def look(self, at: float) -> tuple[bool, float]:
        """Whether it is night, and how many seconds until that changes.

        Each night is reckoned as a stretch of real time, so that it begins and ends once even where clocks are changed.

        Args:
            at: seconds since 1970.
        """
        for begin, end in self._nights(datetime.fromtimestamp(at).date()):
            if at < begin:
                return False, begin - at
            if at < end:
                return True, end - at
        raise AssertionError("tomorrow's night begins after now")

    def _nights(self, today: date) -> Iterator[tuple[float, float]]:
        """Last night, today's, and those of the days after."""
        for days in range(-1, 4):
            day = today + timedelta(days=days)
            morrow = day + timedelta(days=1) if self.end < self.start else day
            begin = datetime.combine(day, self.start).timestamp()
            end = datetime.combine(morrow, self.end).timestamp()
            if begin < end:  # the hour may be left out when clocks go forward
                yield begin, end
