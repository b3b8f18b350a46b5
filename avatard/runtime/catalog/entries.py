"""What the catalogue says: ``models/catalog.yaml``, read and checked."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import yaml
from pydantic import BaseModel, Field, StringConstraints, ValidationError, model_validator

from avatard.api.errors import ConfigError
from avatard.runtime.data import data_file

Kind = Literal[
    "stt-vosk", "stt-whisper", "stt-sherpa", "tts-piper", "wake-openwakeword", "wake-microwakeword",
    "llm-gguf", "face-detector", "lip-sync",
]  # fmt: skip
"""What a model is for; ``lip-sync`` is of the user's own only."""
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
Text = Annotated[str, StringConstraints(min_length=2, max_length=400)]
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MB = 1_000_000


def checked_url(url: str) -> str:
    """The address, where it may stand in a catalogue: https; http only to this machine.

    Raises:
        ValueError: it may not.
    """
    parts = urlsplit(url)
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)):
        raise ValueError(f"{url}: an https address is needed")
    return url


class ModelFile(BaseModel, frozen=True, extra="forbid"):
    """One file of a model, and where it comes from."""

    url: str
    mirrors: tuple[str, ...] = ()
    """Tried in turn where the address before fails."""
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    size: int | None = Field(None, gt=0, le=50_000 * MB)
    """Bytes, exact; None: not known."""

    @model_validator(mode="after")
    def _https(self) -> ModelFile:
        for url in (self.url, *self.mirrors):
            checked_url(url)
        if not self.name or self.name.startswith(".") or "/" in self.name or "\\" in self.name:
            raise ValueError(f"{self.url}: ends with no file's name")
        return self

    @property
    def name(self) -> str:
        """The file's name: the address's last part."""
        return unquote(urlsplit(self.url).path.rpartition("/")[2])


class Entry(BaseModel, frozen=True, extra="forbid"):
    """One model."""

    name: Name
    kind: Kind
    engine: Text
    languages: tuple[str, ...]
    size_mb: float = Field(gt=0)
    """Of the download."""
    memory_mb: float = Field(gt=0)
    """What its engine needs with it: an estimate."""
    licence: Text
    forbids: Text
    """What the licence forbids, in plain words."""
    note: str = ""
    source: str
    """The page to read more on."""
    unpack: Literal["none", "zip", "tar.gz"] = "none"
    main: str = ""
    """What an engine is given: a file, or ``.`` for the folder; default: the first file, or what was unpacked."""
    files: tuple[ModelFile, ...] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _whole(self) -> Entry:
        checked_url(self.source)
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            raise ValueError("two files of one name")
        if self.unpack != "none" and len(names) != 1:
            raise ValueError("unpack: of one file only")
        if self.main not in ("", ".", *names):
            raise ValueError(f"main: {self.main} is none of its files")
        return self

    @property
    def path(self) -> str:
        """What an engine is given, inside the model's folder."""
        return self.main or ("." if self.unpack != "none" else self.files[0].name)

    def most(self, file: ModelFile) -> int:
        """The most bytes that a file may have."""
        return file.size or int(self.size_mb * MB * 1.5) + MB


class _Sheet(BaseModel, frozen=True, extra="forbid"):
    format: Literal[1]
    mirrors: dict[str, tuple[str, ...]] = {}
    models: tuple[dict[str, Any], ...]


class Catalog:
    """All that can be pulled."""

    def __init__(self, entries: tuple[Entry, ...], mirrors: dict[str, tuple[str, ...]]) -> None:
        """Keep the entries, and the mirrors: the beginning of an address → others."""
        self.entries = {entry.name: entry for entry in entries}
        self._mirrors = mirrors

    def addresses(self, file: ModelFile) -> list[str]:
        """Where a file can be had, best first; general mirrors only serve where the checksum is known."""
        urls = [file.url, *file.mirrors]
        if file.sha256 is not None:
            for url in tuple(urls):
                for begin, others in self._mirrors.items():
                    urls += [other + url.removeprefix(begin) for other in others if url.startswith(begin)]
        return urls

    def entry(self, name: str) -> Entry:
        """An entry by its name.

        Raises:
            ConfigError: there is none; says which are near.
        """
        if name in self.entries:
            return self.entries[name]
        near = difflib.get_close_matches(name, self.entries, 3, 0.4)
        if "wav2lip" in name.lower():
            raise ConfigError(
                f"{name}: Wav2Lip's weights are for research only and are not offered; with a file of your own: "
                "avatard models add FILE"
            )
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise ConfigError(f"no model {name!r} in the catalogue; {meant}all of them: avatard models list")


def load(path: Path | None = None) -> Catalog:
    """Read a catalogue: avatard's own, or another file.

    Raises:
        ConfigError: it cannot be read, or what is wrong in it, and where.
    """
    path = path or data_file("models", "catalog.yaml")
    try:
        sheet = _Sheet.model_validate(yaml.safe_load(path.read_text("utf-8")))
        entries = tuple(_entry(path, data) for data in sheet.models)
        for begin, others in sheet.mirrors.items():
            for url in (begin, *others):
                checked_url(url)
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read: {err.strerror}") from err
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as err:
        raise ConfigError(f"{path}: {_said(err)}") from err
    double = {entry.name for entry in entries if [e.name for e in entries].count(entry.name) > 1}
    if double:
        raise ConfigError(f"{path}: two models of one name: {', '.join(sorted(double))}")
    return Catalog(entries, dict(sheet.mirrors))


def _entry(path: Path, data: dict[str, Any]) -> Entry:
    try:
        return Entry.model_validate(data)
    except ValidationError as err:
        raise ConfigError(f"{path}: model {data.get('name')!r}: {_said(err)}") from err


def _said(err: Exception) -> str:
    if isinstance(err, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in err.errors())
    return " ".join(str(err).split())
