"""The way to a microphone: channels, rates, and PortAudio's one list of devices."""

from __future__ import annotations

import asyncio
import threading
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from soundcard import SoundCard, soundcard

from avatard.api.errors import NotReady
from avatard.api.portaudio import STREAMS, Streams
from avatard.plugins.sounddevice.aside import aside
from avatard.plugins.sounddevice.card import DeviceList, _way
from avatard.plugins.sounddevice.config import MicrophoneConfig
from avatard.plugins.sounddevice.microphone import FRAME, Cutter, SoundMicrophone
from avatard.plugins.sounddevice.recorder import mono

__all__ = ["soundcard"]


class Hardware:
    """Says what a card takes, as sounddevice does."""

    PortAudioError = RuntimeError

    def __init__(self, *ways: tuple[int, int]) -> None:
        self.ways = ways

    def check_input_settings(self, device: int, channels: int, samplerate: int, dtype: str) -> None:
        if (samplerate, channels) not in self.ways:
            raise RuntimeError("Invalid sample rate")


@pytest.mark.parametrize("ways,most,channel,wanted", [
    ([(16_000, 1), (48_000, 1)], 1, 0, (16_000, 1)),
    ([(16_000, 2), (44_100, 2)], 2, 0, (16_000, 2)),
    ([(44_100, 1)], 1, 0, (44_100, 1)),
    ([(44_100, 2)], 2, 0, (44_100, 2)),
    ([(44_100, 6)], 6, 0, (44_100, 6)),
    ([(16_000, 1), (16_000, 6)], 6, 5, (16_000, 6)),
])  # fmt: skip
def test_a_card_is_opened_as_it_can_be(
    ways: list[tuple[int, int]], most: int, channel: int, wanted: tuple[int, int]
) -> None:
    info = {"index": 0, "max_input_channels": most, "default_samplerate": 44_100.0}
    assert _way(Hardware(*ways), info, channel) == wanted


def test_channels() -> None:
    sound = np.array([[100, 300, 7, 9]] * 5, np.int16)
    assert mono(sound, 0).tolist() == [200] * 5
    assert mono(sound, 4).tolist() == [9] * 5
    assert mono(sound, 9).tolist() == [9] * 5  # fewer than it was told
    assert mono(sound[:, :1], 0).tolist() == [100] * 5


def test_44100_hz_become_16000() -> None:
    cutter = Cutter(44_100)
    t = np.arange(44_100 * 2) / 44_100
    tone = (8000 * np.sin(2 * np.pi * 1000 * t)).astype(np.int16)
    frames = [f for at in range(0, len(tone), 2822) for f in cutter.feed(tone[at : at + 2822], 0.0)]
    sound = np.concatenate([f.samples for f in frames])
    assert abs(len(sound) - 32_000) < 2 * FRAME, len(sound)
    spectrum = np.abs(np.fft.rfft(sound[:16_000] * np.hanning(16_000)))
    assert int(np.argmax(spectrum)) == 1000


class Library:
    """Counts how often PortAudio starts."""

    _initialized = 1
    started = 0

    def _terminate(self) -> None:
        pass

    def _initialize(self) -> None:
        self.started += 1


def test_the_list_is_not_read_again_under_a_stream() -> None:
    streams, library, stream = Streams(), Library(), object()
    assert streams.anew(library) and library.started == 1
    streams.opened(stream, lambda: None)
    streams.give_way()
    assert not streams.anew(library) and library.started == 1
    streams.closed(stream)
    assert streams.anew(library) and library.started == 2


def test_what_nobody_misses_gives_way() -> None:
    streams, library, stream = Streams(), Library(), object()
    streams.opened(stream, lambda: streams.closed(stream))
    streams.give_way()
    assert streams.anew(library)


async def test_what_is_opened_after_a_cancel_is_closed() -> None:
    go, closed = threading.Event(), threading.Event()

    def work() -> str:
        go.wait(5)
        return "device"

    opening = asyncio.ensure_future(aside("test", work, lambda _: closed.set()))
    await asyncio.sleep(0.05)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    go.set()
    assert await asyncio.to_thread(closed.wait, 5)


async def test_what_fails_aside_fails_here() -> None:
    def work() -> None:
        raise NotReady("away")

    with pytest.raises(NotReady, match="away"):
        await aside("test", work)


async def first(card: SoundCard, seconds: float, **options: Any) -> np.ndarray:
    """What a microphone with these options hears, from its first frame on."""
    found: list[np.ndarray] = []
    async with asyncio.timeout(20):
        async for frame in SoundMicrophone(MicrophoneConfig(**options)).frames():
            found.append(frame.samples)
            if len(found) * FRAME >= seconds * 16_000:
                break
    return np.concatenate(found)


@pytest.mark.parametrize("channel,loud", [(1, False), (2, True), (0, True)])
@pytest.mark.parametrize("rate", [44_100, 48_000])
async def test_one_channel_of_two(soundcard: SoundCard, tmp_path: Path, channel: int, loud: bool, rate: int) -> None:
    """Only the right one is connected."""
    soundcard.unplug()
    soundcard.plug(rate=rate, channels=2)
    path = tmp_path / "right.wav"
    right = np.random.default_rng(0).normal(0, 3000, 20 * rate).astype(np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.stack([np.zeros_like(right), right], axis=1).tobytes())
    playing = await asyncio.create_subprocess_exec("paplay", "--device=mic", str(path), env=soundcard.env)
    try:
        await asyncio.sleep(0.5)
        sound = await first(soundcard, 1, device="mic", channel=channel)
    finally:
        playing.kill()
        await playing.wait()
    assert (np.abs(sound[-8_000:].astype(int)).max() > 1000) == loud


async def test_no_microphone_but_what_the_speaker_plays(soundcard: SoundCard) -> None:
    soundcard.unplug()
    with pytest.raises(NotReady, match=r"has none; is it plugged in\?; it has: speaker.monitor"):
        await first(soundcard, 1)
    with pytest.raises(NotReady, match=r"none of that name; it has: speaker.monitor"):
        await first(soundcard, 1, device="pulse:ReSpeaker")
    assert len(await first(soundcard, 1, device="pulse:speaker.monitor"))  # who wants that may have it


async def test_the_way_through_alsa(soundcard: SoundCard) -> None:
    import sounddevice

    assert STREAMS.anew(sounddevice), "an earlier test may have read the list without this card"
    assert len(await first(soundcard, 1, device="alsa:pulse"))
    with pytest.raises(NotReady, match=r"ReSpeaker.*microphones: .*pulse"):
        await first(soundcard, 1, device="alsa:ReSpeaker")


async def test_a_device_that_comes_later_is_found_and_an_answer_goes_on(
    soundcard: SoundCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sounddevice

    assert STREAMS.anew(sounddevice)
    rc = Path(soundcard.env["HOME"]) / ".asoundrc"
    late = "pcm.usbmic { type pulse }\n"
    microphone = SoundMicrophone(MicrophoneConfig(device="alsa:usbmic"))
    microphone._devices = devices = DeviceList()
    with pytest.raises(NotReady, match="usbmic"):
        await anext(aiter(microphone.frames()))
    rc.write_text(rc.read_text() + late)
    monkeypatch.setattr("avatard.plugins.sounddevice.card.REREAD", 0.0)
    answer = object()
    STREAMS.opened(answer, lambda: None)
    try:
        with pytest.raises(NotReady, match="usbmic"):
            await anext(aiter(microphone.frames()))
    finally:
        STREAMS.closed(answer)
    assert devices.stale()
    frames = microphone.frames()
    async with asyncio.timeout(10):
        assert len((await anext(aiter(frames))).samples) == FRAME
    await frames.aclose()  # type: ignore[attr-defined]
    end = time.monotonic() + 2
    while STREAMS._open and time.monotonic() < end:
        await asyncio.sleep(0.05)
    assert STREAMS.anew(sounddevice)
