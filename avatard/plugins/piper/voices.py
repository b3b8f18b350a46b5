"""Voices as files: ``NAME.onnx`` and beside it ``NAME.onnx.json``. Standard library only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatard.api.errors import NotReady

RATES = (4_000, 192_000)
"""Hz: what a sample rate may be."""
HELPERS = {"hebrew", "japanese", "thai", "pinyin"}
"""Kinds of phonemes for which piper-tts needs further packages, or would download a network."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a voice's JSON file says of it."""

    path: Path
    rate: int
    """Hz"""
    language: str
    """Two or three letters; empty where the file does not say."""
    speakers: int
    names: dict[str, int]
    """Speaker's name → number."""
    settings: dict[str, Any]
    """The whole file."""


def find(folder: Path) -> dict[str, Path]:
    """The voices in a folder, by name."""
    return {path.stem: path for path in sorted(folder.glob("*.onnx")) if Path(f"{path}.json").is_file()}


def located(voice: str, folder: Path) -> Path:
    """The file of a voice: named, or given as a path.

    Raises:
        NotReady: there is none.
    """
    path = Path(voice).expanduser()
    if path.suffix == ".onnx":
        path = path if path.is_absolute() or path.is_file() else folder / path
    else:
        path = folder / f"{voice}.onnx"
    if not path.is_file():
        there = ", ".join(find(folder)) or "none"
        raise NotReady(f"piper: no voice {path}; voices in {folder}: {there}")
    return path


def read(path: Path) -> Card:
    """Read the JSON file beside a voice.

    Raises:
        NotReady: it is missing, or no description of a Piper voice.
    """
    file = Path(f"{path}.json")
    try:
        settings = json.loads(file.read_text("utf-8"))
        names = {str(name): int(number) for name, number in (settings.get("speaker_id_map") or {}).items()}
        card = Card(path, settings["audio"]["sample_rate"], _language(settings), int(settings["num_speakers"]), names,
                    settings)  # fmt: skip
        kind = settings.get("phoneme_type", "espeak")
        if not settings["phoneme_id_map"] or not settings["espeak"]["voice"] or "num_symbols" not in settings:
            raise KeyError("phoneme_id_map, espeak: voice or num_symbols")
    except OSError as err:
        raise NotReady(f"piper: {file}: {err.strerror}; it comes with the voice: put it beside the .onnx file") from err
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise NotReady(f"piper: {file}: no description of a Piper voice ({type(err).__name__}: {err}); "
                       "get the voice again") from err  # fmt: skip
    if not isinstance(card.rate, int) or not RATES[0] <= card.rate <= RATES[1]:
        raise NotReady(f"piper: {file}: audio: sample_rate: {card.rate!r} is none; {RATES[0]} to {RATES[1]} Hz")
    if kind in HELPERS:
        raise NotReady(f"piper: {file}: phoneme_type {kind} needs more than piper-tts brings; take another voice")
    return card


def speaker_of(card: Card, speaker: str | int | None) -> int | None:
    """A speaker's number; None for the voice's own.

    Raises:
        NotReady: the voice has no such speaker.
    """
    if speaker is None:
        return None
    text = str(speaker)
    number = card.names.get(text, int(text) if text.isdecimal() else -1)
    if not 0 <= number < max(1, card.speakers):
        there = ", ".join(card.names) or f"0 to {max(1, card.speakers) - 1}"
        raise NotReady(f"piper: {card.path}: no speaker {text!r}; there are {there}")
    return number


def _language(settings: dict[str, Any]) -> str:
    said = settings.get("language") or {}
    code = said.get("family") or said.get("code") or settings["espeak"]["voice"]
    return str(code).replace("_", "-").partition("-")[0].lower().replace("cmn", "zh")
