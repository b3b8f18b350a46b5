"""piper-tts: text → phonemes by its espeak-ng → sound by the voice's network. Runs in the child."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api.errors import NotReady
from avatard.plugins.piper import voices

SHORTEST, LONGEST = 16, 200
"""Phonemes of a clause that is spoken by itself: fewer sound torn off, more keep one waiting."""
PAUSES = frozenset(",;:，、；：—")
NEEDED = {"input", "input_lengths", "scales"}
"""What every Piper voice is fed; one with several speakers also ``sid``."""
LOUDEST = 32_000
"""Of int16: what a sentence's loudest sample becomes."""
SILENT = 1e-6


class PiperEngine:
    """One voice at a time; another one takes its place when it is asked for."""

    def __init__(self, voice: str, speed: float, noise: float | None, rhythm: float | None, threads: int) -> None:
        """Load a voice's file.

        Raises:
            NotReady: it is no Piper voice.
        """
        self._speed, self._noise, self._rhythm, self._threads = speed, noise, rhythm, threads
        self._voice = self._loaded(voice)
        self._path = voice

    def take(self, voice: str) -> None:
        """Load another voice's file; where that fails the one before goes on.

        Raises:
            NotReady: it is no Piper voice.
        """
        if voice != self._path:
            self._voice, self._path = self._loaded(voice), voice

    def clauses(self, text: str, voice: str) -> list[list[int]]:
        """The phonemes' numbers, clause by clause: the first is spoken before the sentence is whole."""
        self.take(voice)
        plain = "".join(c if c.isprintable() else " " for c in text).replace("[[", "[ [")
        parts = itertools.chain.from_iterable(map(cut, self._voice.phonemize(plain)))
        return [self._voice.phonemes_to_ids(part) for part in parts]

    def sound(self, numbers: list[int], voice: str, speaker: int | None, gain: float) -> tuple[bytes, float]:
        """Return a clause's int16 mono sound and its gain, for the next clause of the same sentence (0: none yet)."""
        self.take(voice)
        wave = self._run(self._voice, numbers, speaker)
        peak = float(np.abs(wave).max(initial=0))
        if peak > SILENT:
            gain = min(gain, 1 / peak) if gain else 1 / peak
        return (wave * (gain * LOUDEST)).astype(np.int16).tobytes(), gain

    def _loaded(self, file: str) -> Any:
        import onnxruntime
        from piper import PiperConfig, PiperVoice

        card = voices.read(Path(file))
        try:
            network = onnxruntime.InferenceSession(file, self._options(), providers=["CPUExecutionProvider"])
        except Exception as err:  # onnxruntime raises a kind of its own for each reason
            reason = str(err).strip().splitlines()[0]
            raise NotReady(f"piper: {file}: no ONNX network, or cut short ({reason}); get the voice again") from err
        if not {put.name for put in network.get_inputs()} >= NEEDED:
            raise NotReady(f"piper: {file}: an ONNX network, but no Piper voice; get the voice again")
        try:
            voice = PiperVoice(session=network, config=PiperConfig.from_dict(card.settings))
            # One run shows whether file and description belong together, and warms up.
            for phonemes in voice.phonemize("one"):
                self._run(voice, voice.phonemes_to_ids(phonemes), None)
        except Exception as err:  # whatever piper-tts and onnxruntime make of a description that is not the voice's
            reason = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
            raise NotReady(f"piper: {file}: does not speak ({reason}); get the voice and its .json again") from err
        return voice

    def _run(self, voice: Any, numbers: list[int], speaker: int | None) -> Any:
        from piper import SynthesisConfig

        how = SynthesisConfig(speaker_id=speaker, length_scale=voice.config.length_scale / self._speed,
                              noise_scale=self._noise, noise_w_scale=self._rhythm)  # fmt: skip
        wave = np.asarray(voice.phoneme_ids_to_audio(numbers, how), np.float32).reshape(-1)
        if not np.isfinite(wave).all():
            raise ValueError("its sound is not numbers")
        return wave

    def _options(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self._threads, 1
        options.log_severity_level = 4
        # Every clause has another length: an arena would keep the largest, a pattern would be planned again each time.
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        # A waiting thread that spins takes CPU from whoever draws the face.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return options


def cut(phonemes: list[str]) -> list[list[str]]:
    """Cut a sentence's phonemes behind its commas; what is too long is also cut at a space."""
    parts: list[list[str]] = [[]]
    for at, phoneme in enumerate(phonemes):
        parts[-1].append(phoneme)
        size, left = len(parts[-1]), len(phonemes) - at - 1
        pause = phoneme in PAUSES or (phoneme == " " and size > 1 and parts[-1][-2] in PAUSES)
        follows = left > 0 and phonemes[at + 1] == " "
        if left >= SHORTEST and not (pause and follows) and (
            (pause and size >= SHORTEST) or (size >= LONGEST and phoneme == " ")
        ):  # fmt: skip
            parts.append([])
    return [part for part in parts if part]
