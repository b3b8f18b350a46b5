"""Unpacking that cannot escape its folder, nor fill the disk."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile, GzipFile
from itertools import count
from pathlib import Path, PurePosixPath
from typing import IO, cast

MOST_FILES = 2000
DEEPEST = 12
PIECE = 1 << 18
"""Bytes copied at a time."""


class BadArchive(ValueError):
    """An archive that is refused, and why."""


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    folder: bool
    size: int
    """Bytes, as the archive says."""
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, target: Path, kind: str, most: int) -> None:
    """Unpack a zip or tar.gz into a folder; a single folder that holds everything is left out.

    Args:
        archive: the file.
        target: a folder that exists and is empty.
        kind: ``zip`` or ``tar.gz``.
        most: bytes that may come out in all.

    Raises:
        BadArchive: damaged, too large, or a name, link or device in it that does not belong there; what was written
            until then lies in ``target``.
        OSError: it cannot be written.
    """
    try:
        with (_zipped if kind == "zip" else _tarred)(archive, most) as members:
            _write(members, target, most)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, BadGzipFile) as err:
        raise BadArchive(f"damaged, or cut short: {err}") from err
    except (NotImplementedError, RuntimeError, UnicodeError) as err:
        raise BadArchive(f"of a kind that is not understood: {err}") from err
    _lift(target)


def safe_name(name: str) -> PurePosixPath:
    """A member's path inside the folder.

    Raises:
        BadArchive: it would lie outside, or is no name for a file.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    bad = name.startswith("/") or ".." in parts or "\\" in name or ":" in name or not parts
    if bad or any(not char.isprintable() for char in name):
        raise BadArchive(f"the name {name!r} in it would lie outside its folder, or is none")
    if len(parts) > DEEPEST or any(len(part.encode("utf-8", "surrogatepass")) > 200 for part in parts):
        raise BadArchive(f"the name {name[:80]!r} in it is too long")
    return PurePosixPath(*parts)


def _write(members: Iterator[_Member], target: Path, most: int) -> None:
    left = most
    for number, member in enumerate(members):
        if number >= MOST_FILES:
            raise BadArchive(f"more than {MOST_FILES} files in it")
        if member.folder and member.name.strip("/") in ("", "."):
            continue  # the folder itself, as tar writes it
        path = target / safe_name(member.name)
        try:
            (path if member.folder else path.parent).mkdir(parents=True, exist_ok=True)
            if not member.folder:
                left -= _copied(member, path, left)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as err:
            raise BadArchive(f"the name {member.name!r} stands in it twice") from err


def _copied(member: _Member, path: Path, most: int) -> int:
    """Write one file; never more than ``most`` bytes, whatever the archive says."""
    if member.size > most:
        raise BadArchive(f"{member.name!r} in it is larger than is allowed")
    done = 0
    with member.open() as source, path.open("xb") as out:
        while data := source.read(PIECE):
            done += len(data)
            if done > most:
                raise BadArchive(f"{member.name!r} in it is larger than is allowed")
            out.write(data)
    return done


@contextmanager
def _zipped(archive: Path, most: int) -> Iterator[Iterator[_Member]]:
    with zipfile.ZipFile(archive) as opened:

        def members() -> Iterator[_Member]:
            for info in opened.infolist():
                mode = stat.S_IFMT(info.external_attr >> 16)
                if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise BadArchive(f"{info.filename!r} in it is a link or a device")
                if info.flag_bits & 1:
                    raise BadArchive(f"{info.filename!r} in it is encrypted")

                def read(info: zipfile.ZipInfo = info) -> IO[bytes]:
                    return opened.open(info)

                # The name as it stands there: zipfile's own cuts at a NUL and turns backslashes.
                name = info.orig_filename
                yield _Member(name, name.endswith("/"), info.file_size, read)

        yield members()


@contextmanager
def _tarred(archive: Path, most: int) -> Iterator[Iterator[_Member]]:
    # Headers take their share beside the files: 1 kB for each, and for names.
    with GzipFile(archive) as plain:
        limited = cast(IO[bytes], _Limited(plain, most + MOST_FILES * 2048))
        with tarfile.open(fileobj=limited, mode="r|") as opened:
            yield _of_tar(opened)


def _of_tar(opened: tarfile.TarFile) -> Iterator[_Member]:
    for info in opened:
        if not (info.isreg() or info.isdir()) or info.issparse():
            raise BadArchive(f"{info.name!r} in it is a link or a device")

        def read(info: tarfile.TarInfo = info) -> IO[bytes]:
            source = opened.extractfile(info)
            assert source is not None
            return source

        yield _Member(info.name, info.isdir(), info.size, read)


class _Limited:
    """A stream that gives no more than so many bytes."""

    def __init__(self, source: GzipFile, most: int) -> None:
        self._source, self._left = source, most

    def read(self, size: int) -> bytes:
        if size > self._left:
            raise BadArchive("more in it than is allowed")
        data = self._source.read(size)
        self._left -= len(data)
        return data


def _lift(target: Path) -> None:
    """Leave out a single folder that holds everything."""
    inside = list(target.iterdir())
    if not inside:
        raise BadArchive("nothing in it")
    if len(inside) == 1 and inside[0].is_dir():
        # Out of the way first: one of its own may be called the same.
        taken = {path.name for path in inside[0].iterdir()}
        top = inside[0].rename(target / next(f".{n}" for n in count() if f".{n}" not in taken))
        for path in list(top.iterdir()):
            path.rename(target / path.name)
        top.rmdir()
