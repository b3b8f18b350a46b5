"""A user's own model file: looked at, copied into the models folder, pinned."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from avatard.api.errors import ConfigError
from avatard.runtime.catalog import formats
from avatard.runtime.catalog.entries import Catalog
from avatard.runtime.catalog.fetching import Teller
from avatard.runtime.catalog.part import PullFailed
from avatard.runtime.catalog.placing import alone, card, placing, room
from avatard.runtime.catalog.pulling import GROWS
from avatard.runtime.catalog.store import Installed, folder, read, read_pins, write_pins
from avatard.runtime.catalog.unpacking import BadArchive, unpack


def add(
    catalog: Catalog, file: Path, tell: Teller, name: str = "", kind: str | None = None, replace: bool = False
) -> Installed:
    """Copy a model file into the models folder under a name of its own; with a piper voice its JSON file too.

    Raises:
        ConfigError: it is no model, or the name is taken.
        PullFailed: it cannot be copied.
    """
    try:
        kind = formats.kind_of(file, kind)
        size = file.stat().st_size
    except OSError as err:
        raise ConfigError(f"{file}: cannot be read: {err.strerror}") from err
    name = name or re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-._")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise ConfigError(f"{name!r} is no name for a model: letters, digits, - _ and .; give one with --name")
    if name in catalog.entries:
        raise ConfigError(f"{name} is the name of a model of the catalogue; give another with --name")
    beside = _beside(file, kind)
    home = folder()
    with alone(home, lambda: tell.note("another avatard changes the models folder: waiting")):
        if (home / name).exists() and not replace:
            raise ConfigError(f"{home / name}: there is one already; add --replace, or another --name")
        archive = kind == "stt-vosk"
        room(home, size * (GROWS if archive else 1))
        pins = {}
        with placing(home, name) as new:
            if archive:
                _unpacked(file, new, size)
            for path in () if archive else (file, *beside):
                pins[path.name] = _copied(path, new / path.name, tell)
            main = "." if archive else file.name
            card(new, kind=kind, main=main, licence="yours to know", source=str(file.absolute()), by="yours")
            write_pins(home, read_pins(home) | {name: pins})
    model = read(home / name)
    assert model is not None
    return model


def _beside(file: Path, kind: str) -> list[Path]:
    """What belongs to the file: a voice's description."""
    if kind != "tts-piper":
        return []
    described = Path(f"{file}.json")
    if not described.is_file():
        raise ConfigError(f"{described}: is missing: it comes with the voice, put it beside the .onnx file")
    return [described]


def _copied(source: Path, target: Path, tell: Teller) -> dict[str, object]:
    digest, done, size = hashlib.sha256(), 0, source.stat().st_size
    with source.open("rb") as data, target.open("xb") as out:
        while piece := data.read(1 << 20):
            digest.update(piece)
            out.write(piece)
            done += len(piece)
            tell.progress(source.name, done, size)
    try:
        formats.check(target, source.name)
    except ValueError as err:
        raise PullFailed(f"{source}: changed while it was copied: {err}") from err
    return {"sha256": digest.hexdigest(), "size": done, "from": source.absolute().as_uri(), "by": "yours"}


def _unpacked(file: Path, new: Path, size: int) -> None:
    try:
        unpack(file, new, "zip", size * GROWS * 10)
    except BadArchive as err:
        raise ConfigError(f"{file}: {err}; nothing was added") from err
