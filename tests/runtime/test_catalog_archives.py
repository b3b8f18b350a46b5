"""Archives that would escape, link, repeat themselves or fill the disk; and those that are fine."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avatard.runtime.catalog import unpacking
from avatard.runtime.catalog.unpacking import BadArchive, safe_name, unpack

MOST = 1_000_000


def zipped(path: Path, *members: tuple[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo("x")
            info.filename = name  # as it stands: the constructor would tidy it
            info.external_attr = mode << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return path


def tarred(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return path


def info(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = size, kind, link
    return made


def empty(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def inside(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def outside(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.iterdir())


def test_a_zip_and_a_tar_come_out_the_same(tmp_path: Path) -> None:
    """The one folder that holds everything is left out, even where one inside is called the same."""
    wanted = {"am/final.mdl": b"network", "conf/mfcc.conf": b"--x", "top/.0": b"deep"}
    names = [(f"top/{name}", data) for name, data in wanted.items()]
    one, two = empty(tmp_path / "one"), empty(tmp_path / "two")
    unpack(zipped(tmp_path / "a.zip", ("top/", b""), *names), one, "zip", MOST)
    members = [(info("./", kind=tarfile.DIRTYPE), b""), (info("./top", kind=tarfile.DIRTYPE), b"")]
    unpack(tarred(tmp_path / "a.tgz", *members, *((info(f"./{n}", len(d)), d) for n, d in names)), two, "tar.gz", MOST)
    assert inside(one) == inside(two) == wanted


@pytest.mark.parametrize("name", [
    "../escaped", "a/../../escaped", "/escaped", "//escaped", "a\\..\\escaped", "..\\escaped", "C:escaped", "a/..",
    "nul\0byte", "line\nbreak", "x" * 300, "d/" * 20 + "deep",
])  # fmt: skip
def test_no_name_leads_outside(name: str, tmp_path: Path) -> None:
    for kind, archive in (("zip", zipped(tmp_path / "a.zip", (name, b"x"))),
                          ("tar.gz", tarred(tmp_path / "a.tgz", (info(name, 1), b"x")))):  # fmt: skip
        if kind == "tar.gz" and "\0" in name:
            continue  # tar ends a name at it
        before = outside(tmp_path)
        target = empty(tmp_path / kind)
        with pytest.raises(BadArchive):
            unpack(archive, target, kind, MOST)
        assert inside(target) == {} and outside(tmp_path) == sorted([*before, kind])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_no_links_and_devices_in_a_tar(kind: bytes, tmp_path: Path) -> None:
    archive = tarred(tmp_path / "a.tgz", (info("link", kind=kind, link="/etc"), b""), (info("link/x", 1), b"x"))
    target = empty(tmp_path / "t")
    with pytest.raises(BadArchive, match="a link or a device"):
        unpack(archive, target, "tar.gz", MOST)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_no_links_and_devices_in_a_zip(mode: int, tmp_path: Path) -> None:
    target = empty(tmp_path / "t")
    with pytest.raises(BadArchive, match="a link or a device"):
        unpack(zipped(tmp_path / "a.zip", ("link", b"/etc/passwd"), mode=mode | 0o777), target, "zip", MOST)
    assert list(target.iterdir()) == []


def test_a_bomb_is_stopped_before_it_fills_the_disk(tmp_path: Path) -> None:
    zeros = bytes(20_000_000)
    bomb = zipped(tmp_path / "a.zip", ("big", zeros))
    assert bomb.stat().st_size < 30_000
    liar = tmp_path / "liar.zip"  # says that it is small
    liar.write_bytes(bomb.read_bytes().replace(len(zeros).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    tar = tarred(tmp_path / "a.tgz", (info("big", len(zeros)), zeros))
    for name, archive, kind in (("1", bomb, "zip"), ("2", liar, "zip"), ("3", tar, "tar.gz")):
        target = empty(tmp_path / name)
        with pytest.raises(BadArchive):
            unpack(archive, target, kind, MOST)
        assert sum(map(len, inside(target).values())) <= MOST


def test_the_sum_counts_not_each(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", *((f"f{n}", bytes(200_000)) for n in range(10)))
    with pytest.raises(BadArchive, match="larger than is allowed"):
        unpack(archive, empty(tmp_path / "t"), "zip", MOST)


def test_a_tar_with_a_header_without_end(tmp_path: Path) -> None:
    """A name of 50 MB: it would be read into memory."""
    long = info("x", 50_000_000, tarfile.GNUTYPE_LONGNAME)
    with pytest.raises(BadArchive, match="more in it than is allowed"):
        unpack(tarred(tmp_path / "a.tgz", (long, b"x" * 50_000_000)), empty(tmp_path / "t"), "tar.gz", MOST)


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MOST_FILES", 20)
    archive = zipped(tmp_path / "a.zip", *((f"f{n}", b"") for n in range(21)))
    with pytest.raises(BadArchive, match="more than 20 files"):
        unpack(archive, empty(tmp_path / "t"), "zip", MOST)


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a", "./a")])
def test_nothing_is_written_twice(names: tuple[str, str], tmp_path: Path) -> None:
    with pytest.warns(UserWarning) if len(set(names)) == 1 else _nothing():
        archive = zipped(tmp_path / "a.zip", *((name, name.encode()) for name in names))
    with pytest.raises(BadArchive, match="twice"):
        unpack(archive, empty(tmp_path / "t"), "zip", MOST)


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_damaged_ones_are_said_to_be(tmp_path: Path) -> None:
    good = zipped(tmp_path / "a.zip", ("a", b"text" * 1000)).read_bytes()
    tar = tarred(tmp_path / "a.tgz", (info("a", 4000), b"text" * 1000)).read_bytes()
    for number, (kind, data) in enumerate((
        ("zip", good[:-30]), ("zip", good.replace(b"\x4b", b"\x4c")), ("zip", b"nonsense"), ("tar.gz", tar[:-10]),
        ("tar.gz", b"nonsense"), ("tar.gz", gzip.compress(b"nonsense" * 200)), ("tar.gz", gzip.compress(b"")),
    )):  # fmt: skip
        path = tmp_path / f"{number}.bin"
        path.write_bytes(data)
        with pytest.raises(BadArchive):
            unpack(path, empty(tmp_path / str(number)), kind, MOST)


def test_an_empty_one_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(BadArchive, match="nothing in it"):
        unpack(zipped(tmp_path / "a.zip"), empty(tmp_path / "t"), "zip", MOST)


parts = st.sampled_from(["..", ".", "", "a", "b", "~", "...", "\\", "C:", "\u202e", "é", "\ud800", " "])
names = st.lists(parts, max_size=6).map("/".join) | st.text(max_size=12)


@given(name=names)
@settings(max_examples=300, deadline=None)
def test_every_name_stays_inside_or_is_refused(name: str) -> None:
    try:
        path = safe_name(name)
    except BadArchive:
        return
    assert not path.is_absolute() and path.parts and ".." not in path.parts
    assert PurePosixPath("/top", path).is_relative_to("/top")
    assert (Path("/top") / path).resolve().is_relative_to("/top")


@given(members=st.lists(st.tuples(names, st.binary(max_size=20)), min_size=1, max_size=5))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_archive_writes_outside(members: list[tuple[str, bytes]], tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.mktemp("zip")
    try:
        archive = zipped(base / "a.zip", *members)
    except (UnicodeEncodeError, ValueError):
        return
    target = empty(base / "x" / "t")
    try:
        unpack(archive, target, "zip", MOST)
    except BadArchive:
        pass
    else:
        assert len(inside(target)) >= 1 or all(name.endswith("/") for name, _ in members)
    assert outside(base) == ["a.zip", "x"] and outside(base / "x") == ["t"]
