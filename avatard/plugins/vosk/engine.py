"""Vosk on a model's folder. Runs in the child."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from avatard.api.errors import NotReady

RATE = 16_000
UNKNOWN = "[unk]"
"""Vosk's word for whatever the grammar has no word for."""
NEEDED = (("am/final.mdl", "final.mdl"), ("conf/mfcc.conf", "mfcc.conf"))
"""Files of a model, as they lie in today's ones and in older ones."""
LOOSE = ("graph/HCLr.fst", "HCLr.fst")
"""Where a model has this file, its graph is put together at run time, and can be made of a grammar."""


class VoskEngine:
    """One recogniser; requests come one after another."""

    def __init__(self, model: str, phrases: list[str], wake: list[str], rejection: float) -> None:
        """Load a model's folder; without phrases it hears any sentence.

        Raises:
            NotReady: it is no model, or knows no grammar.
        """
        folder = Path(model)
        checked(folder, bool(phrases))
        self._model, self._recognizer = self._loaded(folder, phrases, wake)
        self._recognizer.SetWords(True)
        self._wake, self._rejection = wake, rejection
        self._parts: list[dict[str, Any]] = []
        self._said = ""

    def missing(self) -> list[str]:
        """Words of the grammar that the model lacks; they are not heard."""
        return self._lacking

    def begin(self) -> None:
        """Start a request; one that was abandoned is forgotten."""
        self._recognizer.Reset()
        self._parts, self._said = [], ""

    def feed(self, sound: bytes) -> str | None:
        """Take int16 sound; return what was said so far when it has changed."""
        if self._recognizer.AcceptWaveform(sound):
            self._parts.append(json.loads(self._recognizer.Result()))
            partial = ""
        else:
            partial = json.loads(self._recognizer.PartialResult()).get("partial", "")
        said = self._plain(" ".join([*(part.get("text", "") for part in self._parts), partial]))
        if said == self._said:
            return None
        self._said = said
        return said

    def finish(self) -> tuple[str, float]:
        """Return (text, confidence); an empty text was rejected."""
        self._parts.append(json.loads(self._recognizer.FinalResult()))
        text = " ".join(part.get("text", "") for part in self._parts)
        said = self._plain(text)
        sure = [word["conf"] for part in self._parts for word in part.get("result", ()) if word["word"] != UNKNOWN]
        confidence = float(sum(sure) / len(sure)) if sure else 0.0
        # What consists of unknown words for the most part was said to somebody else.
        if not said or confidence < self._rejection or text.split().count(UNKNOWN) > len(said.split()):
            return "", 0.0
        return said, confidence

    def abandon(self) -> None:
        """Forget the request in progress."""
        self._recognizer.Reset()

    def _plain(self, text: str) -> str:
        said = " ".join(word for word in text.split() if word != UNKNOWN)
        for phrase in self._wake:
            if said == phrase or said.startswith(f"{phrase} "):
                return said[len(phrase) :].strip()
        return said

    def _loaded(self, folder: Path, phrases: list[str], wake: list[str]) -> tuple[Any, Any]:
        import vosk

        vosk.SetLogLevel(-1)
        try:
            model = vosk.Model(model_path=str(folder))
            words = {word for phrase in (*phrases, *wake) for word in phrase.split()}
            self._lacking = sorted(word for word in words if model.vosk_model_find_word(word) < 0) if phrases else []
            known = [phrase for phrase in (*phrases, *wake) if not set(phrase.split()) & set(self._lacking)]
            grammar = (json.dumps([*known, UNKNOWN], ensure_ascii=False),) if phrases else ()
            recognizer = vosk.KaldiRecognizer(model, RATE, *grammar)
            # A model that takes sound at a higher rate says so only when it gets some.
            recognizer.AcceptWaveform(bytes(RATE // 5))
            recognizer.Reset()
            return model, recognizer
        except Exception as err:  # Vosk has no kind of its own
            raise NotReady(f"vosk: {folder}: cannot be loaded ({err}); get the model again") from err


def checked(folder: Path, grammar: bool) -> None:
    """See whether the folder is a model.

    Raises:
        NotReady: it is none, or its graph cannot be made of a grammar.
    """
    if folder.is_file():
        raise NotReady(f"vosk: {folder}: is a file; a model is a folder: unpack it")
    for names in NEEDED:
        if not any((folder / name).is_file() for name in names):
            raise NotReady(f"vosk: {folder}: no Vosk model: {names[0]} is missing; get the model again")
    if grammar and not any((folder / name).is_file() for name in LOOSE):
        raise NotReady(f"vosk: {folder}: this model takes no grammar; take a small one, or write 'mode: free'")
