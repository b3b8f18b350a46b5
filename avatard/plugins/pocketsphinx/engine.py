"""PocketSphinx on a JSGF grammar, with a phone loop as the judge of what is not in it."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from avatard.api.errors import NotReady
from avatard.api.flow import SpokenGrammar
from avatard.plugins.pocketsphinx import jsgf
from avatard.plugins.pocketsphinx.dictionary import learn

PIECE = 640
"""Bytes: 20 ms. process_raw holds the GIL, so it gets little at a time."""
SPOKEN = {"nabu": "N AA B UW", "jarvis": "JH AA R V IH S", "mycroft": "M AY K R AO F T", "rhasspy": "R AE S P IY"}
"""Words of wake phrases that the dictionary lacks, in CMU phones."""
LONGEST_WORD = 1.0
"""Seconds; a longer one was stretched over something that is not in the grammar."""
UNEXPLAINED = 0.2
"""Share of the loud sound that may lie outside the words."""
SILENCE = bytes(2 * 4000)
"""A quarter of a second after what was heard: the last word needs an end, and a short request brings little."""
LOUD, TAIL = 100.0, 40
"""A frame within 20 dB of the loudest is loud; frames (0.4 s) at the start that may hold the wake phrase's end."""
FRAMES = 100
"""PocketSphinx frames a second."""


class PocketsphinxEngine:
    """One decoder; requests come one after another."""

    def __init__(self, grammars: list[SpokenGrammar], phrases: list[str], rejection: float) -> None:
        """Load the acoustic model and the grammar.

        Raises:
            NotReady: no responder declares a grammar, or PocketSphinx cannot compile it.
        """
        from pocketsphinx import Config, Decoder, get_model_path, set_loglevel

        set_loglevel("FATAL")
        grammar = jsgf.joined(grammars)
        if not grammar.sentences:
            raise NotReady("stt: pocketsphinx needs a spoken grammar: add 'intents' to conversation")
        self._decoder: Any = Decoder(Config(
            hmm=get_model_path("en-us/en-us"), dict=None, lm=None, samprate=16000, loglevel="FATAL",
        ))  # fmt: skip
        self.unknown = self._learn(jsgf.words(grammar, phrases))
        grammar = _without(grammar, self.unknown)
        phrases = [p for p in phrases if not self.unknown & set(p.split())]
        self._decoder.add_jsgf_string("request", jsgf.document(grammar, phrases))
        self._decoder.add_allphone_file("phones", get_model_path("en-us/en-us-phone.lm.bin"))
        self._complete = jsgf.Sentences(grammar)
        self._literal = jsgf.literal(grammar)
        self._wake = re.compile(rf"^(?:{'|'.join(map(re.escape, phrases))})\s*") if phrases else re.compile("^$")
        self._rejection = rejection
        self._noise = np.random.default_rng(7)
        self._sound = bytearray()
        self._waiting = bytearray()
        self._running = False
        self._said = ""

    def missing(self) -> list[str]:
        """Words that the dictionary lacks; the sentences with them are left out."""
        return sorted(self.unknown)

    def begin(self) -> None:
        """Start a request; one that was abandoned is forgotten."""
        self.abandon()
        self._decoder.activate_search("request")
        self._decoder.start_utt()
        self._running, self._said = True, ""
        self._sound.clear()
        self._waiting.clear()

    def feed(self, sound: bytes) -> tuple[str, bool] | None:
        """Take int16 sound; return the hypothesis when it has changed, and whether it is a sentence that must end."""
        # Digital silence gives no result: a little noise does.
        samples = np.frombuffer(sound, np.int16).astype(np.int32)
        samples += self._noise.integers(-6, 7, len(samples))
        dithered = np.clip(samples, -32768, 32767).astype(np.int16).tobytes()
        self._sound += dithered
        self._waiting += dithered
        while len(self._waiting) >= PIECE:
            self._decoder.process_raw(bytes(self._waiting[:PIECE]), False, False)
            del self._waiting[:PIECE]
        hypothesis = self._decoder.hyp()
        said = self._without_wake(hypothesis.hypstr) if hypothesis else ""
        if said == self._said:
            return None
        self._said = said
        return said, self._complete.final(said)

    def finish(self) -> tuple[str, float]:
        """Return (text, confidence); an empty text was rejected."""
        self.feed(SILENCE)
        self._decoder.end_utt()
        self._running = False
        hypothesis = self._decoder.hyp()
        text = self._without_wake(hypothesis.hypstr) if hypothesis else ""
        if not text:
            return "", 0.0
        longest = max(((s.end_frame - s.start_frame) / FRAMES for s in self._decoder.seg() if s.word[0] not in "<[("),
                      default=0.0)  # fmt: skip
        if longest > LONGEST_WORD:
            return "", 0.0
        if self._unexplained() > UNEXPLAINED:
            return "", 0.0
        whole, sure = self._completed(text)
        if not whole:
            return "", 0.0
        advantage = math.log(max(hypothesis.best_score, 1e-300)) - self._phone_loop()
        return (whole, sure) if advantage >= self._rejection else ("", 0.0)

    def abandon(self) -> None:
        """Forget the request in progress."""
        if self._running:
            self._decoder.end_utt()
            self._running = False

    def _unexplained(self) -> float:
        """The share of the loud sound that the hypothesis calls silence; the wake phrase's end does not count."""
        sound = np.frombuffer(bytes(self._sound), np.int16).astype(np.float32)
        step = 16_000 // FRAMES
        power = (sound[: len(sound) // step * step].reshape(-1, step) ** 2).mean(axis=1)
        loud = power > power.max() / LOUD
        loud[:TAIL] = False
        silent = np.zeros(len(loud), bool)
        for s in self._decoder.seg():
            if s.word[0] in "<[(":
                silent[s.start_frame : s.end_frame + 1] = True
        return float((loud & silent).sum() / max(1, loud.sum()))

    def _completed(self, text: str) -> tuple[str, float]:
        """The sentence itself, or the only one that it is the beginning of, as a guess."""
        if self._complete.whole(text):
            return text, 1.0
        if len(text.split()) >= 2:
            longer = {s for s in self._literal if s.startswith(text + " ")}
            if len(longer) == 1:
                return longer.pop(), 0.5
        return "", 0.0

    def _phone_loop(self) -> float:
        self._decoder.activate_search("phones")
        self._decoder.start_utt()
        self._decoder.process_raw(bytes(self._sound), False, True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return math.log(max(hypothesis.best_score, 1e-300)) if hypothesis else -1e9

    def _without_wake(self, text: str) -> str:
        return self._wake.sub("", text).strip()

    def _learn(self, words: set[str]) -> set[str]:
        """Teach the decoder how these words are said; return those of which nobody knows it."""
        known = learn(self._decoder, words)
        for word in words & SPOKEN.keys() - known:
            self._decoder.add_word(word, SPOKEN[word], False)
        return words - known - SPOKEN.keys()


def _without(grammar: SpokenGrammar, unknown: set[str]) -> SpokenGrammar:
    """The grammar less what has an unknown word in it: alternatives of rules, whole sentences."""
    if not unknown:
        return grammar
    rules = {}
    for name, expansion in grammar.rules.items():
        kept = [part for part in expansion.split("|") if not unknown & set(jsgf.TOKEN.findall(part))]
        rules[name] = " | ".join(kept) or "<VOID>"
    return SpokenGrammar(rules, tuple(s for s in grammar.sentences if not unknown & set(jsgf.TOKEN.findall(s))))
