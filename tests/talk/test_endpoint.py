from __future__ import annotations

import numpy as np

from avatard.api.flow import AudioFrame
from avatard.talk.endpoint import Endpoint, ListeningLimits


def run(pattern: list[tuple[float, float, float]], mask: float = 0.0) -> tuple[str | None, float | None, float]:
    """Feed (seconds, probability, amplitude) pieces; return the verdict, the speech's end, and when it came."""
    endpoint = Endpoint(ListeningLimits(), 0.0)
    endpoint.mask(mask)
    count = 0
    for seconds, probability, amplitude in pattern:
        for _ in range(round(seconds * 16000 / 512)):
            samples = np.full(512, amplitude, np.int16)
            frame = AudioFrame(samples, 16000, count * 0.032, 0.0)
            count += 1
            if verdict := endpoint.feed(frame, probability):
                return verdict, endpoint.speech_end, frame.end
    return None, endpoint.speech_end, count * 0.032


def test_a_request_ends_after_half_a_second_of_silence() -> None:
    verdict, end, at = run([(0.5, 0, 0), (1.0, 1, 3000), (2, 0, 0)])
    assert verdict == "ended"
    assert end is not None and 1.45 <= end <= 1.55
    assert 0.5 <= at - end <= 0.54


def test_nobody_speaks() -> None:
    assert run([(9, 0, 0)])[:2] == ("nobody", None)


def test_a_request_has_a_longest_length() -> None:
    verdict, _, at = run([(60, 1, 3000)])
    assert verdict == "too long" and 14.9 <= at <= 15.1


def test_the_end_of_the_wake_phrase_is_no_request() -> None:
    verdict, end, _ = run([(0.2, 1, 3000), (0.9, 0, 0), (1.0, 1, 3000), (2, 0, 0)])
    assert verdict == "ended" and end is not None and 2.0 <= end <= 2.2


def test_our_own_beep_is_no_request() -> None:
    assert run([(0.2, 0, 0), (0.2, 1, 3000), (9, 0, 0)], mask=0.5)[:2] == ("nobody", None)


def test_a_voice_in_the_background_does_not_keep_it_open() -> None:
    verdict, end, _ = run([(0.3, 0, 0), (1.0, 1, 8000), (5, 1, 200)])
    assert verdict == "ended" and end is not None and end < 1.5


def ends(complete: bool) -> float:
    """Seconds of silence after which a request ends."""
    endpoint = Endpoint(ListeningLimits(), 0.0)
    for count in range(200):
        at = count * 0.032
        spoken = 0.5 < at < 1.5
        frame = AudioFrame(np.full(512, 3000 if spoken else 0, np.int16), 16000, at, 0.0)
        endpoint.complete = complete and at > 1.2
        if endpoint.feed(frame, float(spoken)):
            assert endpoint.speech_end is not None
            return frame.end - endpoint.speech_end
    raise AssertionError("it never ended")


def test_a_complete_command_ends_sooner() -> None:
    assert 0.25 <= ends(complete=True) <= 0.29
    assert 0.5 <= ends(complete=False) <= 0.54
