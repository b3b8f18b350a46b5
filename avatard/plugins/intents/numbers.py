"""Numbers and times in English words."""

from __future__ import annotations

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()


def number(value: int) -> str:
    """0–100 in words."""
    if value < 20:
        return ONES[value]
    if value == 100:
        return "one hundred"
    tens, ones = divmod(value, 10)
    return TENS[tens - 2] + (f" {ONES[ones]}" if ones else "")


def ordinal(value: int) -> str:
    """1–31 in words."""
    if value <= 20:
        return ORDINALS[value - 1]
    return "thirtieth" if value == 30 else f"{TENS[value // 10 - 2]} {ORDINALS[value % 10 - 1]}"


def clock(hour: int, minute: int) -> str:
    """A time of day as it is spoken: ten past four."""
    twelve = ONES[(hour - 1) % 12 + 1]
    after = ONES[hour % 12 + 1]
    if minute == 0:
        return f"{twelve} o'clock"
    if minute in (15, 30):
        return f"{'a quarter' if minute == 15 else 'half'} past {twelve}"
    if minute == 45:
        return f"a quarter to {after}"
    past = minute < 30
    count = minute if past else 60 - minute
    unit = "" if count % 5 == 0 else " minutes" if count != 1 else " minute"
    return f"{number(count)}{unit} {'past' if past else 'to'} {twelve if past else after}"


NUMBERS = {number(value): value for value in range(101)}
"""Words → value"""
