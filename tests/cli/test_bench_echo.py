"""``avatard bench echo``: who speaks in it, and what is counted."""

from __future__ import annotations

import numpy as np

from avatard.cli.echo_cast import OTHERWISE, OURS, PLAIN, TEMPTING, Cast
from avatard.cli.echo_tally import GUARDS, PHRASES, Tally


def test_seed_0_is_the_cast_that_the_guards_were_tuned_with() -> None:
    cast = Cast(0, OURS, ())
    assert cast.plain(1) == [(PLAIN[(1 + i) % 4], OURS[1 + i]) for i in range(4)]
    texts = [text for text, _ in cast.tempting(0)]
    assert texts == [TEMPTING[i].format(p) for i in range(3) for p in PHRASES.values()]


def test_another_seed_shares_no_sentence_and_no_room_with_it() -> None:
    cast, tuned = Cast(5, ("a", "b"), ()), Cast(0, OURS, ())
    assert not set(OTHERWISE) & set(TEMPTING)
    for number in range(20):
        assert not {text for text, _ in cast.plain(number)} & set(PLAIN)
        assert all(any(p in text for p in PHRASES.values()) for text, _ in cast.tempting(number))
        assert {voice for _, voice in cast.plain(number)} == {"a", "b"}
        assert not np.array_equal(cast.room(number).response[:4000], tuned.room(number).response[:4000])
    assert cast.plain(3) == Cast(5, ("a", "b"), ()).plain(3) != cast.plain(4)


def test_interrupts_are_counted_for_each_guard_and_against_what_is_heard_in_silence() -> None:
    tally = Tally()
    found = {guard: [False, False, False, True] for guard in GUARDS}
    tally.interrupted("alexa", 6, found | {"with": [True, True, False, True], "alone": [True, False, False, True]})
    figures = tally.figures()
    assert figures["kept_percent"]["+6dB"] == {"alone": 50.0, "without": 25.0, "cancelling": 25.0, "rehearsal": 25.0,
                                               "with": 75.0}  # fmt: skip
    assert figures["kept_percent_of_known"]["+6dB"]["with"] == 100.0
    assert figures["kept_percent_of_known"]["+6dB"]["without"] == 50.0
    assert figures["interrupts"] == {"+6dB": 4, "+12dB": 0}
    assert figures["kept_percent"]["+12dB"]["with"] == 0.0
