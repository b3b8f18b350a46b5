"""Pulling a model of the catalogue: fetched or copied, checked, unpacked, put in its place, pinned."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from avatard.api.errors import ConfigError
from avatard.runtime.catalog import formats
from avatard.runtime.catalog.entries import MB, Catalog, Entry, ModelFile
from avatard.runtime.catalog.fetching import Patience, Teller, Wanted, fetch
from avatard.runtime.catalog.part import Part, PullFailed, Sender
from avatard.runtime.catalog.placing import PARTS, alone, card, placing, room
from avatard.runtime.catalog.store import LOCK, Installed, folder, read, read_pins, sha256_of, write_pins
from avatard.runtime.catalog.unpacking import BadArchive, unpack

GROWS = 3
"""How much larger an archive of a model becomes, about; ten times as much is refused."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a model is to be had."""

    source_dir: Path | None = None
    """A folder with the files, instead of the network."""
    mirror: str = ""
    """The beginning of an address that is tried first: MIRROR/FILE; http too."""
    replace: bool = False
    """Get it again, and take another file than the one that was pinned."""
    patience: Patience = field(default_factory=Patience)


def pull(catalog: Catalog, name: str, tell: Teller, way: Way | None = None) -> Installed:
    """Have a model in the models folder; one that is there and whole stays as it is.

    Raises:
        ConfigError: there is no such model.
        PullFailed: it could not be had, and why; what has come is kept for the next time.
    """
    entry, home, way = catalog.entry(name), folder(), way or Way()
    if way.mirror and urlsplit(way.mirror).scheme not in ("http", "https"):
        raise ConfigError(f"{way.mirror}: a mirror is an http or https address")
    with alone(home, lambda: tell.note("another avatard changes the models folder: waiting")):
        there = read(home / name)
        if there is not None and not way.replace and not there.damaged():
            return there
        pulling = _Pulling(catalog, entry, home, tell, way)
        pulling.gather()
        pulling.place()
    model = read(home / name)
    assert model is not None
    return model


class _Pulling:
    def __init__(self, catalog: Catalog, entry: Entry, home: Path, tell: Teller, way: Way) -> None:
        self._catalog, self._entry, self._home, self._tell, self._way = catalog, entry, home, tell, way
        self._pins = read_pins(home)
        self._pinned = {} if way.replace else self._pins.get(entry.name, {})
        self._parts = {
            file.name: Part(home / PARTS / entry.name / f"{file.name}.part") for file in entry.files
        }  # fmt: skip
        self._found: dict[str, dict[str, Any]] = {}

    def gather(self) -> None:
        """Have every file, checked, beside the models; none is one yet."""
        entry, done = self._entry, sum(part.size for part in self._parts.values())
        archive = int(entry.size_mb * MB * GROWS) if entry.unpack != "none" else 0
        room(self._home, max(0, int(entry.size_mb * MB) - done) + archive)
        for file in entry.files:
            part = self._parts[file.name]
            wanted = self._wanted(file)
            if self._way.source_dir is not None:
                self._copy(file, part, wanted)
            else:
                fetch(wanted, part, self._tell, self._way.patience)
            self._accept(file, part, wanted)

    def place(self) -> None:
        """Unpack where that is to be done, and let it be seen."""
        entry = self._entry
        with placing(self._home, entry.name) as new:
            for file in entry.files:
                path = self._parts[file.name].path
                if entry.unpack == "none":
                    path.rename(new / file.name)
                    continue
                try:
                    unpack(path, new, entry.unpack, int(entry.size_mb * MB * GROWS * 10))
                except BadArchive as err:
                    self._parts[file.name].remove()
                    raise PullFailed(f"{file.name}: {err}; nothing was installed") from err
            by = {pin["by"] for pin in self._found.values()}
            who = next(who for who in ("first use", "declared", "catalogue") if who in by)
            card(new, kind=entry.kind, main=entry.path, licence=entry.licence, source=entry.source, by=who)
            self._pins[entry.name] = self._found
            write_pins(self._home, self._pins)
        shutil.rmtree(self._home / PARTS / entry.name, ignore_errors=True)

    def _wanted(self, file: ModelFile) -> Wanted:
        pin = self._pinned.get(file.name, {})
        urls = self._catalog.addresses(file)
        if self._way.mirror:
            urls.insert(0, f"{self._way.mirror.rstrip('/')}/{file.name}")
            urls.insert(0, f"{self._way.mirror.rstrip('/')}/{self._entry.name}/{file.name}")
        pinned = f"{self._home / LOCK} (--replace takes another)"
        says = "the catalogue" if file.sha256 else pinned
        return Wanted(file.name, tuple(urls), file.sha256 or pin.get("sha256"), file.size, self._entry.most(file), says)

    def _copy(self, file: ModelFile, part: Part, wanted: Wanted) -> None:
        """From a folder of the user's: DIR/MODEL/FILE, or DIR/FILE."""
        given = self._way.source_dir
        assert given is not None
        places = (given / self._entry.name / file.name, given / file.name)
        source = next((path for path in places if path.is_file()), None)
        if source is None:
            raise PullFailed(f"{places[1]}: is not there; it is the file of {file.url}")
        size = source.stat().st_size
        if not 0 < size <= wanted.most or wanted.size not in (None, size):
            raise PullFailed(f"{source}: has {size} bytes; {wanted.size or f'at most {wanted.most}'} are expected")
        if part.whole and sha256_of(source) == part.sha256():
            return
        with part, source.open("rb") as data:
            part.begin(Sender(source.absolute().as_uri(), total=size))
            while piece := data.read(1 << 20):
                part.add(piece)
                self._tell.progress(file.name, part.size, size)

    def _accept(self, file: ModelFile, part: Part, wanted: Wanted) -> None:
        """Check what has come once more, on its own, and note it for the lock file."""
        found = part.sha256()
        if wanted.sha256 not in (None, found):
            part.remove()
            raise PullFailed(f"{file.name}: its SHA-256 is {found[:12]}…; {wanted.says} says {wanted.sha256[:12]}…")
        try:
            formats.check(part.path, file.name)
        except ValueError as err:
            part.remove()
            raise PullFailed(f"{file.name}: {err}; nothing was installed") from err
        by = "catalogue" if file.sha256 else "declared" if part.sender.declared else "first use"
        self._found[file.name] = {"sha256": found, "size": part.size, "from": part.sender.url, "by": by}
