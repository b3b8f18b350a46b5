"""The loudspeaker on a virtual sound card that stops taking sound, and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import sounddevice
from soundcard import SoundCard, soundcard

from avatard.api.errors import NotReady
from avatard.api.flow import FRAME_SAMPLES, VideoFrame
from avatard.api.portaudio import STREAMS
from avatard.plugins.speaker import display
from avatard.plugins.speaker.config import DisplayConfig
from avatard.plugins.speaker.display import Speaker

__all__ = ["soundcard"]


async def tone(seconds: float) -> AsyncIterator[VideoFrame]:
    for index in range(round(seconds * 25)):
        yield VideoFrame(None, np.full(FRAME_SAMPLES, 900, np.int16), index / 25)


async def test_a_card_that_takes_no_sound_is_told_of_and_tried_again(
    soundcard: SoundCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert STREAMS.anew(sounddevice)
    speaker = Speaker(DisplayConfig(device="pulse"))
    try:
        await speaker.play(tone(0.4))
        assert 0.2 < speaker.shown <= 0.4, speaker.shown  # less what the device still holds
        monkeypatch.setattr(display, "STALL", 0.8)
        answer = asyncio.create_task(speaker.play(tone(60)))
        while speaker.shown < 0.3:
            await asyncio.sleep(0.02)
        soundcard.pactl("suspend-sink", "speaker", "1")
        async with asyncio.timeout(20):
            with pytest.raises(NotReady, match=r"speaker: the sound card has taken no sound .* suspended"):
                await answer
        soundcard.pactl("suspend-sink", "speaker", "0")
        monkeypatch.setattr(display, "STALL", 10)
        await speaker.play(tone(0.4))
        assert 0.2 < speaker.shown <= 0.4, speaker.shown
        # A card that slept between two answers has as long to wake.
        soundcard.pactl("suspend-sink", "speaker", "1")
        monkeypatch.setattr(display, "STALL", 2)
        await asyncio.sleep(2.2)
        answer = asyncio.create_task(speaker.play(tone(0.4)))
        await asyncio.sleep(0.2)
        soundcard.pactl("suspend-sink", "speaker", "0")
        await answer
        assert 0.2 < speaker.shown <= 0.4, speaker.shown
    finally:
        speaker.close()
    assert STREAMS.anew(sounddevice), "it is closed"
