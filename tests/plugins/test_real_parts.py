"""Each engine with its real library."""

from __future__ import annotations

import asyncio
import struct
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from counting import threads_begun

from avatard.api.errors import ConfigError, NotReady, StageFailed
from avatard.api.flow import Samples, Sentence, SpeechAudio, VideoFrame
from avatard.face.cut import blocks
from avatard.plugins.espeak.engine import EspeakEngine
from avatard.plugins.ffmpeg.config import EncoderConfig
from avatard.plugins.ffmpeg.encoder import FfmpegEncoder, find
from avatard.plugins.file.wav import read_wav
from avatard.plugins.intents.engine import IntentsEngine, grammar
from avatard.plugins.microwakeword.engine import MicroWakeWordEngine
from avatard.plugins.openwakeword.engine import OpenWakeWordEngine
from avatard.plugins.pocketsphinx.engine import PocketsphinxEngine
from avatard.plugins.silero.engine import SileroEngine
from avatard.runtime.config.core import ROOMS
from avatard.runtime.model import Granting
from avatard.runtime.worker import ChildModel
from avatard.talk.sounds import ring_chime, wake_chime

QUIET = np.zeros(8000, np.int16)


def child(**options: object) -> ChildModel:
    return ChildModel(EspeakEngine, {"voice": "en-us", "rate": 150, "pitch": 50} | options, 18, "tts", "espeak",
                      Granting())  # fmt: skip


async def spoken(text: str, voice: str = "en-us") -> Samples:
    """Speech at 16 kHz by the real espeak-ng, with silence around."""
    import soxr

    model = child(voice=voice)
    try:
        rate = await model.call("sample_rate")
        data = b"".join([piece async for piece in model.stream("speak", text)])
    finally:
        await model.unload()
    sound = soxr.resample(np.frombuffer(data, np.int16), rate, 16_000).astype(np.int16)
    return np.concatenate([QUIET, sound, QUIET])


async def test_espeak_speaks_in_a_child_that_leaves_nothing() -> None:
    model = child()
    first = b"".join([piece async for piece in model.stream("speak", "Hello there.")])
    assert model.pid is not None and psutil.pid_exists(model.pid)
    assert np.abs(np.frombuffer(first, np.int16)).max() > 5000
    again = b"".join([piece async for piece in model.stream("speak", "Hello there.")])
    assert abs(len(again) - len(first)) < 2000
    pid = model.pid
    await model.unload()
    assert not psutil.pid_exists(pid)


async def test_a_child_that_is_killed_is_started_again() -> None:
    model = child()
    await model.load()
    assert model.pid is not None
    stream = model.stream("speak", "One two three four five six seven. " * 50)
    await anext(stream)
    psutil.Process(model.pid).kill()
    with pytest.raises(StageFailed, match="its process ended"):
        async for _ in stream:
            pass
    assert [piece async for piece in model.stream("speak", "again")]
    await model.unload()


async def test_a_cancelled_call_leaves_the_child_in_step() -> None:
    model = child()
    for _ in range(5):
        stream = model.stream("speak", "A rather long sentence about nothing at all. " * 20)
        await anext(stream)
        await stream.aclose()
        assert await model.call("sample_rate") == 22050
    await model.unload()


async def test_a_large_model_may_take_longer_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatard.runtime.worker.ANSWER_LIMIT", 1.0)
    slow: dict[str, object] = {"args": ["sleep", "3"]}
    small = ChildModel("subprocess:run", slow, 0, "tts", "small", Granting())
    with pytest.raises(StageFailed, match="did not answer for 1 s"):
        await small.load()
    large = ChildModel("subprocess:run", slow, 200, "tts", "large", Granting())
    try:
        assert await large.call("check_returncode") is None
    finally:
        await large.unload()


async def test_an_unknown_voice_is_named() -> None:
    model = child(voice="klingon-x")
    with pytest.raises(StageFailed, match="no voice 'klingon-x'"):
        await model.load()


@pytest.mark.parametrize("voice", ["en-us", "en-us+m3", "en-us+f3"])
async def test_questions_are_understood(voice: str) -> None:
    engine = recognizer()
    for question in ("what time is it", "who are you", "what can you do", "turn on the kitchen lights"):
        assert heard(engine, await spoken(question, voice)) == question


async def test_what_is_no_command_is_rejected() -> None:
    engine = recognizer()
    for text in ("I bought a new bicycle yesterday", "the train leaves at noon", "dinner is ready", "play some music",
                 "he walked along the river for an hour", "how old is the president"):  # fmt: skip
        assert heard(engine, await spoken(text)) == "", text
    rng = np.random.default_rng(0)
    for loud in (0, 100, 1000, 5000):
        assert heard(engine, rng.normal(0, loud, 40_000).astype(np.int16)) == ""


def test_recorded_commands_are_understood(recordings: Path) -> None:
    engine = recognizer()
    for path in sorted(recordings.glob("turn_on_the_office_lights_*.wav")):
        assert heard(engine, np.concatenate([QUIET[:4000], read_wav(path), QUIET])) == "turn on the office lights"


def test_a_read_book_is_no_command(recordings: Path) -> None:
    assert heard(recognizer(), read_wav(recordings / "librivox_dashwood.wav")) == ""


def recognizer() -> PocketsphinxEngine:
    spoken_grammar = grammar("en", ROOMS)
    assert spoken_grammar is not None
    return PocketsphinxEngine([spoken_grammar], ["okay nabu", "hey jarvis", "alexa"], -0.1)


def heard(engine: PocketsphinxEngine, sound: Samples) -> str:
    engine.begin()
    for at in range(0, len(sound) - 511, 512):
        engine.feed(sound[at : at + 512].tobytes())
    return engine.finish()[0]


def test_without_a_grammar_it_says_what_to_do() -> None:
    with pytest.raises(NotReady, match="add 'intents'"):
        PocketsphinxEngine([], [], 0)


def test_intents() -> None:
    engine = IntentsEngine("en", list(ROOMS))
    for text, intent, slots in (
        ("what time is it", "Time", {}),
        ("turn the office lights off", "Switch", {"room": "office", "state": "off"}),
        ("turn on the kitchen light", "Switch", {"room": "kitchen", "state": "on"}),
        ("set a timer for twenty five minutes", "SetTimer", {"number": 25, "unit": 60}),
        ("set a timer for 10 seconds", "SetTimer", {"number": 10, "unit": 1}),
        ("set the volume to fifty percent", "SetVolume", {"number": 50}),
        ("never mind", "Nevermind", {}),
    ):
        assert engine.recognize(text) == (intent, slots)
    for text in ("tell me a joke", "", "🙂", "x" * 290, "{time}", "(what|time"):
        assert engine.recognize(text) is None


@pytest.mark.parametrize("kind", [MicroWakeWordEngine, OpenWakeWordEngine])
async def test_wake_words(kind: type[MicroWakeWordEngine] | type[OpenWakeWordEngine]) -> None:
    engine = kind([("okay_nabu", "", None), ("alexa", "", None)])
    source, other = 1, 2
    engine.open(source)
    sound = np.concatenate([QUIET, QUIET, await spoken("okay nabu"), QUIET])
    found = [f for at in range(0, len(sound) - 511, 512) if (f := engine.feed(source, sound[at : at + 512].tobytes(),
                                                                             at / 16_000))]  # fmt: skip
    assert [name for name, _ in found] == ["okay_nabu"] and found[0][1] > 0.5
    noise = np.random.default_rng(2).normal(0, 800, 160_000).astype(np.int16)
    engine.open(other)
    assert not [1 for at in range(0, len(noise) - 511, 512) if engine.feed(other, noise[at : at + 512].tobytes(), at)]
    engine.end(source)
    assert engine.feed(source, QUIET.tobytes(), 0) is None


@pytest.mark.parametrize("kind", [MicroWakeWordEngine, OpenWakeWordEngine])
def test_a_wake_word_that_is_none(kind: type[MicroWakeWordEngine] | type[OpenWakeWordEngine], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean okay_nabu"):
        kind([("okay_nabo", "", None)])
    broken = tmp_path / "mine.tflite"
    broken.write_bytes(b"no model")
    with pytest.raises(ConfigError, match=r"mine\.tflite"):
        kind([("", str(broken), None)])


async def test_silero_hears_speech_and_neither_beep() -> None:
    engine = SileroEngine()
    source = 1
    engine.open(source)

    def voiced(sound: Samples) -> float:
        values = [engine.feed(source, sound[at : at + 512].tobytes()) for at in range(0, len(sound) - 511, 512)]
        return float(np.mean(np.array(values) > 0.5))

    assert voiced(await spoken("what time is it")) > 0.3
    for chime in (wake_chime(), ring_chime()):
        assert voiced(np.concatenate([QUIET, chime[::3], QUIET])) == 0


async def frames(count: int) -> AsyncIterator[VideoFrame]:
    for index in range(count):
        pixels, audio = np.zeros((128, 128, 3), np.uint8), np.zeros(1920, np.int16)
        if index == 20:
            pixels[:] = 255
            audio[:960] = (np.sin(np.arange(960) * 0.3) * 20_000).astype(np.int16)
        yield VideoFrame(None if index in (5, 6) else pixels, audio, index / 25)


@pytest.mark.parametrize("container", ["fmp4", "mpegts"])
async def test_picture_and_sound_stay_together(container: str, tmp_path: Path) -> None:
    path = tmp_path / f"out.{container}"
    encoder = FfmpegEncoder(find(None), EncoderConfig())
    with path.open("wb") as file:
        async for chunk in encoder.encode(frames(50), container):  # type: ignore[arg-type]
            file.write(chunk.data)
    with av.open(str(path)) as media:
        pictures = [(float(f.pts * f.time_base), f.to_ndarray(format="gray").mean()) for f in media.decode(video=0)]
    with av.open(str(path)) as media:
        sound = [(float(f.pts * f.time_base), f.to_ndarray()[0], f.sample_rate) for f in media.decode(audio=0)]
    times = np.array([t for t, _ in pictures])
    assert len(times) == 50 and np.allclose(np.diff(times), 0.04, atol=0.0011)
    flash = next(t for t, grey in pictures if grey > 128)
    click = next(t + np.argmax(np.abs(s) > 0.1) / rate for t, s, rate in sound if np.abs(s).max() > 0.1)
    assert abs(flash - click) <= 0.04
    assert psutil.Process().children() == []


async def test_an_encoder_that_is_cancelled_leaves_nothing() -> None:
    me = psutil.Process()
    threads, files = threads_begun(), me.num_fds()
    for stop_after in (1, 5):
        stream = FfmpegEncoder(find(None), EncoderConfig()).encode(frames(1000), "fmp4")
        for _ in range(stop_after):
            await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
    for _ in range(100):  # its writing thread is told to end, and does so a moment later
        left = (threads_begun() - threads, me.num_fds() - files, me.children())
        if left[0] <= 0:
            break
        await asyncio.sleep(0.02)
    assert left[0] <= 0 and left[1] <= 0 and left[2] == [], f"threads, descriptors, children left: {left}"


async def test_an_ffmpeg_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="apt install ffmpeg"):
        async for _ in FfmpegEncoder(str(tmp_path / "none"), EncoderConfig()).encode(frames(3), "fmp4"):
            pass
    with pytest.raises(StageFailed, match="ffmpeg"):
        async for _ in FfmpegEncoder("/bin/false", EncoderConfig()).encode(frames(100), "fmp4"):
            pass


async def test_blocks_lose_no_sample() -> None:
    sentence = Sentence("x", 0)
    sound = np.arange(10_000, dtype=np.int16)

    async def speech() -> AsyncIterator[SpeechAudio]:
        for begin, end in ((0, 100), (100, 5000), (5000, 5000), (5000, 10_000)):
            yield SpeechAudio(sentence, sound[begin:end], 48_000, end == 10_000)

    cut = [audio async for audio, _ in blocks(speech())]
    assert [len(c) for c in cut] == [1920] * 6
    assert np.array_equal(np.concatenate(cut)[:10_000], sound) and not np.concatenate(cut)[10_000:].any()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [("gone.wav", None, "No such file"), ("text.wav", b"hello", "not a WAV"),
     ("cut.wav", b"RIFF0000WAVEfmt ", "cut short")],
)
def test_a_broken_recording_is_named(tmp_path: Path, name: str, data: bytes | None, message: str) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError, match=f"{name}.*{message}"):
        read_wav(path)


@pytest.mark.parametrize("rate", [0, 999, 1_000_000_000, 2**32 - 1])
def test_a_recording_at_an_absurd_rate_is_named(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "odd.wav"
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 100, b"WAVE", b"fmt ", 16, 1, 1, rate, 0, 2, 16)
    path.write_bytes(head + struct.pack("<4sI", b"data", 64) + bytes(64))
    with pytest.raises(ConfigError, match=rf"odd\.wav: format 1, 1 channels, {rate} Hz.*convert it to 16-bit PCM"):
        read_wav(path)


def test_wav_of_any_kind(tmp_path: Path) -> None:
    tone = tmp_path / "tone.wav"
    for rate, codec, channels in ((44100, "pcm_s24le", 2), (8000, "pcm_u8", 1), (48000, "pcm_f32le", 1)):
        subprocess.run([find(None), "-y", "-loglevel", "error", "-f", "lavfi", "-i", f"sine=440:r={rate}:d=1", "-c:a",
                        codec, "-ac", str(channels), str(tone)], check=True)  # fmt: skip
        sound = read_wav(tone)
        assert abs(len(sound) - 16_000) < 40
        assert np.argmax(np.abs(np.fft.rfft(sound[:16_000].astype(float)))) in range(437, 444)


