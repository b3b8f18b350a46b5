"""Numbers, times, dates and lengths of time as they are spoken in English."""

from __future__ import annotations

from datetime import datetime

UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
             "twelve": "twelfth"}  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip


def in_words(number: int) -> str:
    """Say 0 to 9999: ``twenty-five``, ``one hundred and four``."""
    if number < 20:
        return UNITS[number]
    if number < 100:
        return TENS[number // 10] + (f"-{UNITS[number % 10]}" if number % 10 else "")
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            head, rest = divmod(number, size)
            joint = " and " if rest < 100 else " "
            return f"{in_words(head)} {name}" + (joint + in_words(rest) if rest else "")
    raise AssertionError(number)


def ordinal(number: int) -> str:
    """Say 1 to 99 as a rank: ``twenty-fourth``."""
    head, dash, last = in_words(number).rpartition("-")
    if last in _ORDINALS:
        return head + dash + _ORDINALS[last]
    return head + dash + (last[:-1] + "ieth" if last.endswith("y") else last + "th")


def year(number: int) -> str:
    """Say a year from 1100 to 2999: ``twenty twenty-six``, ``two thousand and nine``."""
    century, rest = divmod(number, 100)
    if century % 10 == 0 and rest < 10:
        return in_words(number)
    if rest == 0:
        return f"{in_words(century)} hundred"
    return f"{in_words(century)} {'oh ' if rest < 10 else ''}{in_words(rest)}"


def clock(now: datetime) -> str:
    """Say a time of day: ``ten past four``, ``half past three``, ``noon``, ``four twenty-three``."""
    hour, minute = now.hour, now.minute
    if minute == 0:
        return {0: "midnight", 12: "noon"}.get(hour, f"{UNITS[hour % 12 or 12]} o'clock")
    this, coming = UNITS[hour % 12 or 12], UNITS[(hour + 1) % 12 or 12]
    if minute % 5 == 0:
        named = {15: "a quarter", 30: "half"}
        if minute <= 30:
            return f"{named.get(minute) or in_words(minute)} past {this}"
        return f"{named.get(60 - minute) or in_words(60 - minute)} to {coming}"
    return f"{this} {'oh ' if minute < 10 else ''}{in_words(minute)}"


def day(now: datetime) -> str:
    """Say a date: ``Tuesday, the twenty-fourth of November``."""
    return f"{_WEEKDAYS[now.weekday()]}, the {ordinal(now.day)} of {_MONTHS[now.month - 1]}"


def length(seconds: float) -> str:
    """Say a length of time: ``one hour and thirty minutes``; what hardly counts is left out."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [
        f"{in_words(count)} {unit}{'' if count == 1 else 's'}"
        for count, unit in ((hours, "hour"), (minutes, "minute"), (rest, "second"))
        if count
    ][:2]
    return " and ".join(parts) or "no time"
