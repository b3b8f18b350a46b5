"""The doctor's stop-watch: each engine at work on a little, against what is needed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any

import numpy as np

from avatard.api.flow import (
    FPS,
    LISTEN_RATE,
    SPEECH_RATE,
    AudioFrame,
    Pixels,
    Samples,
    Sentence,
    SessionView,
    SpeechAudio,
    Transcript,
)
from avatard.cli.doctor_wake import wake_word
from avatard.cli.examination import Examination, heard_in_quiet
from avatard.cli.findings import Finding
from avatard.cli.playing import frames
from avatard.runtime.config import PlatformEntry
from avatard.talk.recorded import FRAME

QUESTIONS = {
    "en": "what time is it", "de": "wie spät ist es", "fr": "quelle heure est-il", "es": "qué hora es",
    "zh": "现在几点",
}  # fmt: skip
SAYINGS = {
    "en": "It is ten past four. The kitchen lights are on.", "de": "Es ist zehn nach vier. Das Licht ist an.",
    "fr": "Il est quatre heures dix. La lumière est allumée.", "es": "Son las cuatro y diez. La luz está encendida.",
    "zh": "现在四点十分。厨房的灯开着。",
}  # fmt: skip
ASKER = "en-us+m3"
SHARE = 0.7
"""Of real time; what takes more has nothing left for the others."""
WARM, COUNTED = 5, 50
"""Pictures that are drawn before it counts, and that count."""
FIRST_WORD = 3.0
"""Seconds within which an answer should begin."""
SLOW_STT = "answers will come late; take a smaller model, or another engine:\n  avatard models list"
SLOW_TTS = "speech will stutter; take a smaller voice, or espeak:\n  avatard models list"
SLOW_RENDER = "it steps down by itself (docs/ladder.md); take a lighter one:\n  avatard bench lipsync"
SLOW_ENCODER = "take a hardware encoder or a smaller picture (docs/video.md)"


def spoken(visit: Examination, table: dict[str, str]) -> tuple[str, str]:
    """A sentence in the household's language, where we have one, and that language."""
    language = visit.configuration.language.split("-")[0]
    return (table[language], language) if language in table else (table["en"], "en")


def judge(part: str, share: float, what: str, fix: str, figures: dict[str, Any]) -> Finding:
    """Fast enough, or not; ``share`` is of what there is time for."""
    return Finding(part, "ok" if share <= SHARE else "warning", what, "" if share <= SHARE else fix, figures)


async def vad(visit: Examination, entry: PlatformEntry) -> list[Finding]:
    """Speech is told from silence, and how long a frame takes."""
    sound, _ = await question(visit)
    async with visit.opened(entry) as (detector,):
        async with detector.open() as stream:
            heard = heard_in_quiet(sound)
            await stream.feed(heard[0])
            began = time.perf_counter()
            voices = [await stream.feed(frame) for frame in heard[1:]]
            took = (time.perf_counter() - began) / len(voices)
    figures = {"ms_per_frame": round(1000 * took, 2), "needed_ms": 1000 * FRAME / LISTEN_RATE, "most": max(voices)}
    part, share = "vad", took * LISTEN_RATE / FRAME
    if max(voices) < 0.5:
        return [Finding(part, "failed", f"{entry.platform} takes a voice for silence ({max(voices):.2f})",
                        "take the one that ships:\n  vad: silero", figures)]  # fmt: skip
    return [judge(part, share, f"{entry.platform}: {1000 * took:.1f} ms for each 64 ms of sound", SLOW_STT, figures)]


async def question(visit: Examination) -> tuple[Samples, str]:
    """Somebody asks for the time, 16 kHz; and the text."""
    text, language = spoken(visit, QUESTIONS)
    voice = ASKER if language == "en" else {"zh": "cmn", "fr": "fr-fr"}.get(language, language)
    return np.asarray(await visit.voices.say(text, voice, 150, 45), np.int16), text


async def stt(visit: Examination, entry: PlatformEntry) -> list[Finding]:
    """A question is understood, and how long that takes."""
    part, (sound, text) = f"stt {entry.platform}", await question(visit)
    heard = heard_in_quiet(sound)
    async with visit.opened(entry) as (engine,):
        began = time.perf_counter()
        await _recognized(engine, visit.configuration.language, heard[:4])
        loaded = time.perf_counter() - began
        times = []
        for _ in range(2):
            began = time.perf_counter()
            transcript = await _recognized(engine, visit.configuration.language, heard)
            times.append(time.perf_counter() - began)
    # The machine may do other things at the same time: the better one counts.
    share = min(times) / (len(heard) * FRAME / LISTEN_RATE)
    figures = {"real_time_factor": round(share, 3), "load_seconds": round(loaded, 2), "said": text,
               "heard": transcript.text}  # fmt: skip
    what = f"{100 * share:.0f} % of real time, loads in {loaded:.1f} s"
    if not transcript.text:
        return [Finding(part, "warning", f"{what}; does not understand {text!r} from a synthetic voice",
                        "ask it yourself, and see what it hears:\n  avatard run", figures)]  # fmt: skip
    return [judge(part, share, f"{what}; hears {transcript.text!r}", SLOW_STT, figures)]


async def _recognized(engine: Any, language: str, heard: Iterable[AudioFrame]) -> Transcript:
    async with engine.open(language) as words:
        for frame in heard:
            await words.feed(frame)
        transcript: Transcript = await words.finish()
        return transcript


async def conversation(visit: Examination, entry: PlatformEntry) -> list[Finding]:
    """It answers, and when the first word comes."""
    part, (text, language) = f"conversation {entry.platform}", spoken(visit, QUESTIONS)
    async with visit.opened(entry) as (responder,):
        if (grammar := responder.grammar(visit.configuration.language)) is not None:
            visit.grammars.append(grammar)
        began, first, said = time.perf_counter(), 0.0, ""
        tokens = await responder.reply(Transcript(text, language), SessionView("doctor", language))
        if tokens is None:
            what = f"opens; leaves {text!r} to the next one"
            return [Finding(part, "ok", what, "", {"first_word_seconds": None})]
        async with aclosing(tokens) as reply:
            async for token in reply:
                first = first or time.perf_counter() - began
                said += token.text
                if len(said) > 200:
                    break
    figures = {"first_word_seconds": round(first, 3), "reply": said[:80]}
    fix = "take a smaller model, or a faster machine for it (docs/conversation.md)"
    return [judge(part, first / FIRST_WORD * SHARE, f"first word after {first:.2f} s: {said[:40]!r}", fix, figures)]


async def tts(visit: Examination, entry: PlatformEntry) -> list[Finding]:
    """It speaks, and how long that takes."""
    import soxr

    text, language = spoken(visit, SAYINGS)
    async with visit.opened(entry) as (engine,):
        began = time.perf_counter()
        await _said(engine, Sentence(text, 0, language))
        loaded = time.perf_counter() - began
        began = time.perf_counter()
        sound, rate, first = await _said(engine, Sentence(text, 0, language))
        took = time.perf_counter() - began
    seconds = len(sound) / rate
    if seconds < 0.5 or not sound.any():
        fix = "take another voice, or the one that ships:\n  tts: espeak"
        return [Finding(f"tts {entry.platform}", "failed", "says nothing", fix)]
    if visit.speech is None:
        visit.speech = np.asarray(soxr.resample(sound, rate, SPEECH_RATE), np.int16)
    share = took / seconds
    figures = {"real_time_factor": round(share, 3), "first_sound_ms": round(1000 * first),
               "load_seconds": round(loaded, 2)}  # fmt: skip
    what = f"{100 * share:.0f} % of real time, first sound after {1000 * first:.0f} ms"
    return [judge(f"tts {entry.platform}", share, what, SLOW_TTS, figures)]


async def _said(engine: Any, sentence: Sentence) -> tuple[Samples, int, float]:
    began, first, rate, pieces = time.perf_counter(), 0.0, SPEECH_RATE, [np.zeros(0, np.int16)]
    async with aclosing(engine.speak(sentence)) as speech:
        async for piece in speech:
            first, rate = first or time.perf_counter() - began, piece.rate
            pieces.append(piece.audio)
    return np.concatenate(pieces), rate, first


async def render(visit: Examination, entry: PlatformEntry) -> list[Finding]:
    """It draws, and how long a picture takes."""
    voice = visit.speech if visit.speech is not None else np.zeros(1, np.int16)
    sound = np.resize(voice, (WARM + COUNTED + 2) * SPEECH_RATE // FPS)
    pictures: list[Pixels] = []
    async with visit.opened(entry) as (renderer,):
        began = time.perf_counter()
        async with aclosing(renderer.render(_speech(sound))) as drawn:
            count = 0
            async for frame in drawn:
                count += 1
                if count == WARM:
                    began = time.perf_counter()
                if frame.pixels is not None:
                    pictures.append(frame.pixels)
    took = (time.perf_counter() - began) / max(1, count - WARM)
    if not pictures:
        fix = "take the one that ships:\n  avatar: {render: [drawn]}"
        return [Finding(f"render {entry.platform}", "failed", "draws no picture", fix)]
    visit.pictures = visit.pictures or pictures[-25:]
    height, width = pictures[-1].shape[:2]
    figures = {"ms_per_picture": round(1000 * took, 2), "needed_ms": 1000 / FPS, "width": width, "height": height}
    what = f"{1000 * took:.1f} ms a picture of {width} x {height}; there are {1000 / FPS:.0f}"
    return [judge(f"render {entry.platform}", took * FPS, what, SLOW_RENDER, figures)]


async def _speech(sound: Samples) -> AsyncIterator[SpeechAudio]:
    sentence = Sentence("", 0)
    for at in range(0, len(sound), SPEECH_RATE // 5):
        yield SpeechAudio(sentence, sound[at : at + SPEECH_RATE // 5], SPEECH_RATE, at + SPEECH_RATE // 5 >= len(sound))


async def encoder(visit: Examination, entry: PlatformEntry) -> list[Finding]:
    """It makes a stream, and how long a picture takes."""
    pictures = visit.pictures or [np.random.default_rng(n).integers(0, 255, (512, 512, 3), np.uint8) for n in range(5)]
    sound = np.zeros((WARM + COUNTED) * SPEECH_RATE // FPS, np.int16)
    async with visit.opened(entry) as (engine,):
        began, count, data = time.perf_counter(), 0, 0
        async with aclosing(engine.encode(frames(sound, pictures), "fmp4")) as stream:
            async for chunk in stream:
                data += len(chunk.data)
                count += not chunk.header
                if count == WARM:
                    began = time.perf_counter()
        took, known = (time.perf_counter() - began) / COUNTED, getattr(engine, "known_as", "")
    figures = {"ms_per_picture": round(1000 * took, 2), "needed_ms": 1000 / FPS, "encoder": known, "bytes": data}
    height, width = pictures[0].shape[:2]
    cost = f"{1000 * took:.1f} ms a picture of {width} x {height}; there are {1000 / FPS:.0f}"
    what = f"{known or entry.platform}: {cost}"
    if not count:
        return [Finding(f"encoder {entry.platform}", "failed", "no stream comes", SLOW_ENCODER, figures)]
    return [judge(f"encoder {entry.platform}", took * FPS, what, SLOW_ENCODER, figures)]


LOOKS = {"wake_word": wake_word, "vad": vad, "conversation": conversation, "stt": stt, "tts": tts, "render": render,
         "encoder": encoder}  # fmt: skip
"""How each domain is looked at, in this order: what the one finds out the next ones use."""
