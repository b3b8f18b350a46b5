"""Pulling models from a real server that cuts, lies, stalls and changes its mind: what is unfinished is never seen."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import resource
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import missing
from modelserver import ModelServer, gguf, serving

from avatard.api.errors import AvatardError, ConfigError
from avatard.runtime.catalog import entries, store
from avatard.runtime.catalog.fetching import Patience
from avatard.runtime.catalog.part import PullFailed
from avatard.runtime.catalog.pulling import Way, pull
from avatard.runtime.catalog.store import Installed

DATA = gguf(300_000)
QUICK = Patience(stall=0.4, tries=3, pause=0.01)


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[str, int, int | None]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, file: str, done: int, total: int | None) -> None:
        self.steps.append((file, done, total))


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AVATARD_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with serving() as running:
        yield running


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*files: dict[str, Any], **changes: Any) -> Path:
        entry = {"name": "tiny", "kind": "llm-gguf", "engine": "llama_cpp", "languages": ["en"], "size_mb": 0.3,
                 "memory_mb": 1, "licence": "Apache-2.0", "forbids": "nothing", "source": "https://example.org/tiny",
                 "files": list(files)} | changes  # fmt: skip
        path = tmp_path / "catalog.yaml"
        path.write_text(yaml.safe_dump({"format": 1, "models": [entry]}))
        return path

    return write


async def get(catalog: Path, tell: Told | None = None, **way: Any) -> Installed:
    loaded = entries.load(catalog)
    return await asyncio.to_thread(pull, loaded, "tiny", tell or Told(), Way(**{"patience": QUICK} | way))


async def refused(catalog: Path, home: Path, **way: Any) -> str:
    """It must fail, and nothing may be seen of the model."""
    with pytest.raises(PullFailed) as caught:
        await get(catalog, **way)
    assert visible(home) == [] and store.installed() == {}
    with pytest.raises(ConfigError):
        store.model_path("tiny", "llm-gguf")
    return str(caught.value)


def visible(home: Path) -> list[str]:
    return sorted(path.name for path in home.glob("*") if not path.name.startswith(".") and path.name != store.LOCK)


def content(model: Installed) -> bytes:
    return model.path.read_bytes()


async def test_a_model_is_pulled_pinned_and_verified(server: ModelServer, write: Write, home: Path) -> None:
    catalog = write({"url": server.offer("m.gguf", DATA), "sha256": sha(DATA), "size": len(DATA)})
    told = Told()
    model = await get(catalog, told)
    assert content(model) == DATA and model.path == home / "tiny" / "m.gguf" and model.by == "catalogue"
    assert told.steps[-1] == ("m.gguf", len(DATA), len(DATA))
    assert json.loads((home / store.LOCK).read_text())["models"]["tiny"]["m.gguf"]["sha256"] == sha(DATA)
    assert [wrong for _, wrong in store.verify()] == [[]]
    assert not (home / ".parts" / "tiny").exists()
    await get(catalog)  # it is there
    assert len(server.asked) == 1


async def test_a_cut_download_goes_on_where_it_stopped(server: ModelServer, write: Write) -> None:
    catalog = write({"url": server.offer("m.gguf", DATA, "cut 100000", "cut 50000")})
    model = await get(catalog)
    assert content(model) == DATA and model.by == "first use"
    assert [asked[1:] for asked in server.asked] == [
        (None, None), ("bytes=100000-", '"one"'), ("bytes=150000-", '"one"'),
    ]  # fmt: skip


async def test_a_server_without_ranges_begins_again(server: ModelServer, write: Write) -> None:
    assert content(await get(write({"url": server.offer("m.gguf", DATA, "cut 100000", "norange")}))) == DATA


async def test_a_file_that_changes_meanwhile_is_no_mixture(server: ModelServer, write: Write, home: Path) -> None:
    """The second pull finds another file: If-Range has it from its beginning."""
    other = gguf(300_000, seed=1)
    catalog = write({"url": server.offer("m.gguf", DATA, "cut 100000", "500!")})
    await refused(catalog, home)
    assert (home / ".parts" / "tiny" / "m.gguf.part").stat().st_size == 100_000
    server.offer("m.gguf", other, etag='"two"')
    assert content(await get(catalog)) == other
    assert server.asked[-1][1:] == ("bytes=100000-", '"one"')


async def test_a_mixture_that_the_server_hides_fails_its_sum(server: ModelServer, write: Write, home: Path) -> None:
    """The same ETag for another file: only the checksum tells; then it is had from the beginning."""
    half = DATA[:100_000] + gguf(200_000, seed=3)
    catalog = write({"url": server.offer("m.gguf", half, "cut 150000", "500!"), "sha256": sha(DATA)})
    await refused(catalog, home)
    server.offer("m.gguf", DATA)
    assert content(await get(catalog)) == DATA
    assert [asked[1] for asked in server.asked[-2:]] == ["bytes=150000-", None]


async def test_a_weak_etag_resumes_only_what_a_sum_can_check(server: ModelServer, write: Write) -> None:
    url = server.offer("m.gguf", DATA, "cut 100000", etag='W/"one"')
    assert content(await get(write({"url": url}))) == DATA
    assert server.asked[-1][1] is None
    url = server.offer("m.gguf", DATA, "cut 100000", etag="")
    assert content(await get(write({"url": url, "sha256": sha(DATA)}), replace=True)) == DATA
    assert server.asked[-1][1:] == ("bytes=100000-", None)


@pytest.mark.parametrize(("plan", "fields", "said"), [
    (["promise 400000!"], {}, "could not be had"),
    (["promise 250000!"], {"size": 300_000}, "says it has 250000 bytes; the catalogue says 300000"),
    (["promise 99000000!"], {}, "at most"),
    (["chunked!"], {"size": 200_000}, "sends more than 200000 bytes"),
    (["404!"], {}, "answers 404"),
    (["500!"], {}, "answers 500"),
    (["stall 1000!"], {}, "nothing came for too long"),
    (["to file:///etc/passwd!"], {}, "only https is followed"),
    (["to ftp://127.0.0.1/m!"], {}, "only https is followed"),
    (["to /m.gguf!"], {}, "more than 6 times"),
    (["to https://!"], {}, "only https is followed"),
    (["to http://[broken/!"], {}, "no address"),
])  # fmt: skip
async def test_what_a_bad_source_gives_is_never_seen(
    plan: list[str], fields: dict[str, Any], said: str, server: ModelServer, write: Write, home: Path
) -> None:
    assert said in await refused(write({"url": server.offer("m.gguf", DATA, *plan), **fields}), home)


async def test_a_wrong_sum_is_refused_and_not_asked_for_twice(server: ModelServer, write: Write, home: Path) -> None:
    said = await refused(write({"url": server.offer("m.gguf", DATA), "sha256": "0" * 64}), home)
    assert "another file came" in said and "the catalogue says 000000000000" in said
    assert len(server.asked) == 1 and not list(home.glob(".parts/**/*.part"))


async def test_a_source_that_lies_is_not_asked_for_ever(server: ModelServer, write: Write, home: Path) -> None:
    """It gives much each time, but never more than before."""
    await refused(write({"url": server.offer("m.gguf", DATA, "promise 400000!")}), home)
    assert len(server.asked) <= 6, server.asked


@pytest.mark.parametrize("bad", ["404!", "500!", "cut 9000!", "stall 1000!", "to file:///x!"])
async def test_the_next_mirror_serves(bad: str, server: ModelServer, write: Write) -> None:
    mirror = server.offer("mirror/m.gguf", DATA, etag='"other"')
    catalog = write({"url": server.offer("m.gguf", DATA, bad), "mirrors": [mirror], "sha256": sha(DATA)})
    assert content(await get(catalog)) == DATA


async def test_without_a_sum_the_halves_of_two_mirrors_are_not_joined(server: ModelServer, write: Write) -> None:
    other = gguf(300_000, seed=4)
    mirror = server.offer("mirror/m.gguf", other)
    assert content(await get(write({"url": server.offer("m.gguf", DATA, "cut 9000!"), "mirrors": [mirror]}))) == other


async def test_a_mirror_with_another_file_is_passed_over(server: ModelServer, write: Write) -> None:
    first, second = server.offer("a/m.gguf", gguf(300_000, seed=9)), server.offer("b/m.gguf", DATA)
    assert content(await get(write({"url": first, "mirrors": [second], "sha256": sha(DATA)}))) == DATA


async def test_a_server_that_recovers_is_asked_again(server: ModelServer, write: Write) -> None:
    assert content(await get(write({"url": server.offer("m.gguf", DATA, "503", "stall 5000")}))) == DATA
    assert server.asked[-1][1] == "bytes=5000-"


async def test_redirects_and_the_sum_that_hugging_face_states(server: ModelServer, write: Write, home: Path) -> None:
    there = server.offer("cdn/blob", DATA, etag=f'"{"a" * 64}"')  # what a CDN calls it is no checksum
    url = server.offer("resolve/m.gguf", b"", f"linked {there} {'b' * 64}!")
    assert "the source itself says bbbb" in await refused(write({"url": url}), home)
    server.offer("resolve/m.gguf", b"", f"linked {there} {sha(DATA)}!")
    model = await get(write({"url": url}))
    assert content(model) == DATA and model.by == "declared"


async def test_what_a_server_calls_a_file_is_no_checksum(server: ModelServer, write: Write) -> None:
    model = await get(write({"url": server.offer("m.gguf", DATA, etag=f'"{"a" * 64}"')}))
    assert content(model) == DATA and model.by == "first use"


async def test_only_what_is_known_to_be_on_the_disk_counts(server: ModelServer, write: Write, home: Path) -> None:
    """After a power cut a file may be longer than what was written of it."""
    catalog = write({"url": server.offer("m.gguf", DATA, "cut 100000", "500!")})
    await refused(catalog, home)
    with (home / ".parts" / "tiny" / "m.gguf.part").open("ab") as part:
        part.write(bytes(500_000))
    server.offer("m.gguf", DATA)
    assert content(await get(catalog)) == DATA
    assert server.asked[-1][1] == "bytes=100000-"


async def test_what_came_first_is_pinned(server: ModelServer, write: Write, home: Path) -> None:
    catalog = write({"url": server.offer("m.gguf", DATA)})
    await get(catalog)
    shutil.rmtree(home / "tiny")
    other = gguf(300_000, seed=5)
    server.offer("m.gguf", other, etag='"two"')
    said = await refused(catalog, home)
    assert store.LOCK in said and "--replace takes another" in said
    model = await get(catalog, replace=True)
    assert content(model) == other
    assert store.read_pins(home)["tiny"]["m.gguf"]["sha256"] == sha(other)


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><title>Log in</title>", b"Not a model at all", b"{}"])
async def test_a_login_page_is_no_model(page: bytes, server: ModelServer, write: Write, home: Path) -> None:
    said = await refused(write({"url": server.offer("m.gguf", page)}), home)
    assert "m.gguf" in said and ("web page" in said or "not gguf" in said)


async def test_without_a_length_the_end_must_be_told_otherwise(server: ModelServer, write: Write) -> None:
    assert content(await get(write({"url": server.offer("m.gguf", DATA, "chunked")}))) == DATA


async def test_no_room_is_said_before_anything_is_asked(
    server: ModelServer, write: Write, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "32 MB are needed, 1 MB are free" in await refused(write({"url": server.offer("m.gguf", DATA)}), home)
    assert server.asked == []


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """The kernel itself refuses to write more, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_is_full_midway(server: ModelServer, write: Write, home: Path) -> None:
    catalog = write({"url": server.offer("m.gguf", DATA)})
    with files_no_larger_than(100_000):
        said = await refused(catalog, home)
    assert "cannot be written" in said and "m.gguf.part" in said
    assert content(await get(catalog)) == DATA


async def test_a_folder_that_cannot_be_made(write: Write, home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(PullFailed, match="AVATARD_MODELS"):
        await get(write({"url": "https://example.org/m.gguf"}))


async def test_two_pulls_at_once_are_one_download(server: ModelServer, write: Write) -> None:
    catalog = write({"url": server.offer("m.gguf", DATA, "slow 600000")})
    told = Told(), Told()
    models = await asyncio.gather(*(get(catalog, tell) for tell in told))
    assert [content(model) for model in models] == [DATA, DATA]
    assert len(server.asked) == 1
    assert sorted(tell.notes for tell in told) == [[], ["another avatard changes the models folder: waiting"]]


async def test_what_a_killed_one_left_is_tidied(server: ModelServer, write: Write, home: Path) -> None:
    catalog = write({"url": server.offer("m.gguf", DATA)})
    await get(catalog)
    (home / "tiny").rename(home / ".old-tiny")  # killed between two renames
    (home / ".new-tiny").mkdir()
    (home / ".new-tiny" / "m.gguf").write_bytes(b"half")
    assert store.installed() == {}
    assert content(await get(catalog)) == DATA
    assert len(server.asked) == 1 and sorted(home.glob(".*-tiny")) == []


def begun(catalog: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-m", "avatard", "models", "pull", "tiny", "--catalog", str(catalog)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A shell that runs the tests in the background has its children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


async def interrupted(catalog: Path, home: Path, enough: int, how: signal.Signals) -> tuple[int, str]:
    """Start a pull as a process of its own, and end it once so many bytes have come."""
    process = begun(catalog)
    part = home / ".parts" / "tiny" / "m.gguf.part"
    try:
        async with asyncio.timeout(30):
            while not part.exists() or part.stat().st_size < enough:
                assert process.poll() is None, process.communicate()
                await asyncio.sleep(0.02)
        process.send_signal(how)
        _, text = await asyncio.to_thread(process.communicate, timeout=20)
    finally:
        process.kill()
        process.wait()
    assert visible(home) == [] and store.installed() == {}
    return process.returncode, text


async def test_killed_midway_it_goes_on(server: ModelServer, write: Write, home: Path) -> None:
    data = gguf(12_000_000)
    catalog = write({"url": server.offer("m.gguf", data, "slow 8000000")}, size_mb=12)
    code, _ = await interrupted(catalog, home, 6_000_000, signal.SIGKILL)
    assert code == -signal.SIGKILL
    model = await get(catalog)
    assert content(model) == data
    again = server.asked[-1][1]
    # What was made to last counts: a multiple of 4 MiB, and no more than had come.
    assert again is not None and int(again[6:-1]) >= 4 << 20, server.asked


async def test_ctrl_c_midway_it_goes_on(server: ModelServer, write: Write, home: Path) -> None:
    data = gguf(4_000_000)
    catalog = write({"url": server.offer("m.gguf", data, "slow 2000000")}, size_mb=4)
    code, text = await interrupted(catalog, home, 1_000_000, signal.SIGINT)
    assert code == 130 and "the next pull goes on from here" in text and "Traceback" not in text, text
    assert content(await get(catalog)) == data
    assert int((server.asked[-1][1] or "bytes=0-")[6:-1]) >= 1_000_000


async def test_from_a_folder_without_a_network(server: ModelServer, write: Write, home: Path, tmp_path: Path) -> None:
    catalog = write({"url": "https://example.org/x/m.gguf", "sha256": sha(DATA)})
    usb = tmp_path / "usb"
    usb.mkdir()
    assert "example.org/x/m.gguf" in await refused(catalog, home, source_dir=usb)
    (usb / "m.gguf").write_bytes(gguf(300_000, seed=8))
    assert "the catalogue says" in await refused(catalog, home, source_dir=usb)
    (usb / "tiny").mkdir()
    (usb / "tiny" / "m.gguf").write_bytes(DATA)
    assert content(await get(catalog, source_dir=usb)) == DATA


async def test_a_mirror_of_the_users_comes_first(server: ModelServer, write: Write) -> None:
    server.offer("tiny/m.gguf", DATA)
    catalog = write({"url": "https://models.invalid/m.gguf", "sha256": sha(DATA)})
    assert content(await get(catalog, mirror=server.base)) == DATA
    with pytest.raises(ConfigError, match="a mirror is"):
        await get(catalog, mirror="ftp://x", replace=True)


async def test_several_files_are_seen_together(server: ModelServer, write: Write, home: Path) -> None:
    """The first is there, the second is not: nothing is seen; then only the second is asked for."""
    files = [{"url": server.offer("m.gguf", DATA)}, {"url": server.offer("m.json", b'{"a": 1}', "404!")}]
    catalog = write(*files, main=".")
    await refused(catalog, home)
    server.offer("m.json", b'{"a": 1}')
    model = await get(catalog)
    assert model.path == home / "tiny" and sorted(model.files) == ["m.gguf", "m.json"]
    assert [path for path, _, _ in server.asked].count("m.gguf") == 1


async def test_a_damaged_one_is_named_and_pulled_again(server: ModelServer, write: Write, home: Path) -> None:
    catalog = write({"url": server.offer("m.gguf", DATA)})
    model = await get(catalog)
    with model.path.open("r+b") as file:
        file.seek(1000)
        file.write(b"\x00\x01")
    (_, wrong), = store.verify()
    assert len(wrong) == 1 and str(model.path) in wrong[0] and "damaged" in wrong[0]
    model.path.write_bytes(DATA[:-1])
    with pytest.raises(ConfigError, match="avatard models pull tiny --replace"):
        store.model_path("tiny", "llm-gguf")
    assert content(await get(catalog)) == DATA


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    if shutil.which("openssl") is None:
        missing("openssl")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", str(key), "-out", str(cert), "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


async def test_from_https_it_never_goes_to_http(
    certificate: ssl.SSLContext, server: ModelServer, write: Write, home: Path
) -> None:
    plain = server.offer("m.gguf", DATA)
    async with serving(certificate) as safe:
        url = safe.offer("m.gguf", DATA, f"to {plain}!")
        assert "only https is followed" in await refused(write({"url": url}), home)
        assert server.asked == []
        safe.offer("m.gguf", DATA, f"to {safe.offer('there', DATA)}")
        assert content(await get(write({"url": url}))) == DATA


async def test_a_certificate_that_nobody_vouches_for(
    certificate: ssl.SSLContext, write: Write, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    async with serving(certificate) as safe:
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(write({"url": safe.offer("m.gguf", DATA)}), home)


async def test_a_damaged_lock_file_is_said(server: ModelServer, write: Write, home: Path) -> None:
    home.mkdir()
    (home / store.LOCK).write_text("{half")
    with pytest.raises(AvatardError, match="restore it, or remove it"):
        await get(write({"url": server.offer("m.gguf", DATA)}))
