"""The models folder: what is installed, where it lies, whether it is whole.

Each model is a folder of its name, put in its place whole by one rename, with ``.avatard.json`` in it: its files, their
sizes and SHA-256. What begins with a dot beside them is unfinished and never loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avatard.api.errors import ConfigError
from avatard.runtime.catalog.entries import load
from avatard.runtime.memo import write_json

SYSTEM = Path("/var/lib/avatard/models")
CARD = ".avatard.json"
LOCK = "models.lock.json"
SUFFIXES = {".onnx", ".gguf", ".tflite", ".bin", ".zip"}
"""A value that ends so is a file, not a name of the catalogue."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A model that can be loaded."""

    name: str
    kind: str
    main: str
    """What an engine is given, inside the folder; ``.``: the folder itself."""
    licence: str
    source: str
    by: str
    """Who vouches for the checksums: catalogue, declared (by the source), first use, or yours."""
    files: dict[str, dict[str, Any]]
    """Path in the folder → sha256, size."""
    folder: Path

    @property
    def path(self) -> Path:
        """What an engine is given."""
        return self.folder / self.main

    def damaged(self) -> str:
        """What is wrong by a look at the sizes; empty: nothing."""
        for file, told in self.files.items():
            try:
                if (self.folder / file).stat().st_size != told["size"]:
                    return f"{self.folder / file}: its size has changed"
            except OSError as err:
                return f"{self.folder / file}: {err.strerror}"
        return ""

    def write(self) -> None:
        """Write its ``.avatard.json``."""
        write_json(self.folder / CARD, {key: value for key, value in asdict(self).items() if key != "folder"})


def folder() -> Path:
    """Where models are put: ``$AVATARD_MODELS``, systemd's state folder, or the user's data folder."""
    if given := os.environ.get("AVATARD_MODELS"):
        return Path(given).expanduser()
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state.partition(":")[0]) / "models"
    return _users()


def folders() -> tuple[Path, ...]:
    """Where models are looked for: our own first, then the user's and the system's; ``$AVATARD_MODELS`` stands alone.

    A user's service has a state folder, the user's own commands have none: they share what was pulled.
    """
    own = folder()
    return (own,) if os.environ.get("AVATARD_MODELS") else tuple(dict.fromkeys((own, _users(), SYSTEM)))


def _users() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "avatard" / "models"


def read(place: Path) -> Installed | None:
    """The model in a folder; None where there is none."""
    try:
        told = json.loads((place / CARD).read_text("utf-8"))
        files = {str(file): {"sha256": str(f["sha256"]), "size": int(f["size"])} for file, f in told["files"].items()}
        texts = {key: str(told[key]) for key in ("kind", "main", "licence", "source", "by")}
        return Installed(place.name, files=files, folder=place, **texts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def installed() -> dict[str, Installed]:
    """All that is installed, by name."""
    found: dict[str, Installed] = {}
    for home in folders():
        if not os.access(home, os.R_OK | os.X_OK):
            continue
        for place in sorted(home.iterdir()):
            if not place.name.startswith(".") and (model := read(place)) is not None:
                found.setdefault(place.name, model)
    return found


def model_path(value: str | Path, kind: str) -> Path:
    """The file or folder of a model: given as a path, or by its name.

    Args:
        value: a path (with a ``/``, or ending like a model's file), or a name.
        kind: what it is wanted for, e.g. ``tts-piper``.

    Raises:
        ConfigError: there is no such file or name, it is of another kind, damaged, or not installed; says what to do.
    """
    text = str(value)
    if "/" in text or text.startswith(("~", ".")) or Path(text).suffix in SUFFIXES:
        path = Path(text).expanduser()
        if not path.exists():
            raise ConfigError(f"there is no file {path}; models by name: avatard models list")
        return path
    model = next((m for home in folders() if (m := read(home / text)) is not None), None) if text else None
    if model is None:
        entry = load().entry(text)
        _fitting(text, entry.kind, kind)
        raise ConfigError(f"the model {text} is not installed: avatard models pull {text}")
    _fitting(text, model.kind, kind)
    if wrong := model.damaged():
        raise ConfigError(f"the model {text} is damaged: {wrong}; {repair(model)}")
    return model.path


def _fitting(name: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise ConfigError(f"the model {name} is {found}, {wanted} is needed; see: avatard models list --kind {wanted}")


def repair(model: Installed) -> str:
    """What to do about a damaged model."""
    again = "avatard models add FILE" if model.by == "yours" else f"avatard models pull {model.name}"
    return f"get it again: {again} --replace"


def verify() -> Iterator[tuple[Installed, list[str]]]:
    """Read every file of every installed model again; for each model what is damaged."""
    for model in installed().values():
        pins = read_pins(model.folder.parent).get(model.name, {})
        wrong = []
        for file, told in model.files.items():
            path = model.folder / file
            try:
                found = sha256_of(path)
            except OSError as err:
                wrong.append(f"{path}: {err.strerror}")
                continue
            if found != told["sha256"]:
                wrong.append(f"{path}: damaged: its SHA-256 is {found[:12]}…, {told['sha256'][:12]}… was installed")
            elif file in pins and pins[file].get("sha256") != found:
                wrong.append(f"{path}: is not what {LOCK} pins")
        yield model, wrong


def read_pins(home: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Model → file → sha256, size, from, by.

    Raises:
        ConfigError: the lock file is there and cannot be understood.
    """
    path = home / LOCK
    try:
        pins = json.loads(path.read_text("utf-8"))["models"]
        return {str(name): {str(f): dict(pin) for f, pin in files.items()} for name, files in pins.items()}
    except FileNotFoundError:
        return {}
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read: {err.strerror}") from err
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise ConfigError(f"{path}: cannot be understood ({err}); restore it, or remove it to pin anew") from err


def write_pins(home: Path, pins: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Write the lock file, whole or not at all."""
    write_json(home / LOCK, {"format": 1, "models": pins})


def sha256_of(path: Path) -> str:
    """A file's SHA-256.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
