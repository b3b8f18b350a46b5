"""What tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from avatard.runtime.config import Configuration, from_mapping

ROOT = Path(__file__).parent.parent
RECORDINGS = next((p for p in (ROOT.parent / "shared" / "audio", ROOT / "shared" / "audio") if p.is_dir()), None)

# Each process that a test starts would compile all of avatard anew: half a second of processor time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def missing(what: str) -> None:
    """Skip by name; where everything must be there (CI=true), fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing: {what}")
    pytest.skip(f"missing: {what}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_browser() -> AsyncIterator[None]:
    """A Chromium that the tests of a file share; each has pages of its own."""
    import browsing

    async with browsing.browser() as chromium:
        browsing.shared.append(chromium)
        yield
        browsing.shared.clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the pages share a browser, and so the loop that it belongs to."""
    for item in items:
        if item.path.parent.name == "browser" and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)
            item.fixturenames.insert(0, "one_browser")  # type: ignore[attr-defined]  # of a function, not of every item


@pytest.fixture
def recordings() -> Path:
    """The folder of real recordings, where it lies beside the checkout."""
    if RECORDINGS is None:
        pytest.skip("missing: the recordings (shared/audio beside the checkout)")
    return RECORDINGS


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sockets, state and cache of each test are its own."""
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    # A socket's path has 108 bytes at most (unix(7)); a test's own folder may be longer.
    short = tempfile.mkdtemp(prefix="avatard-")
    monkeypatch.setenv("XDG_RUNTIME_DIR", short)
    for name in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY", "CACHE_DIRECTORY", "CREDENTIALS_DIRECTORY",
                 "AVATARD_MODELS"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    yield
    shutil.rmtree(short, ignore_errors=True)


@pytest.fixture
def scripted() -> Callable[..., Configuration]:
    """A configuration in which every stage is scripted; keywords replace or add keys."""

    def configuration(**changes: Any) -> Configuration:
        data: dict[str, Any] = {
            "name": "test", "avatar": {"render": ["scripted"]}, "sounds": {"wake": False},
            **{d: {"platform": "scripted"} for d in ("wake_word", "vad", "stt", "tts", "encoder", "conversation")},
            "microphone": {"platform": "scripted"}, "display": {"platform": "scripted", "pace": "fast"},
            "listening": {"stop_word": "off"},
        }  # fmt: skip
        return from_mapping(data | changes)

    return configuration


def speech_like(seconds: float, rate: int = 16_000) -> np.ndarray:
    """Noise of changing loudness: sound, and no word."""
    rng = np.random.default_rng(1)
    t = np.arange(int(seconds * rate)) / rate
    return (rng.normal(0, 1500, len(t)) * (1 + np.sin(9 * t)) / 2).astype(np.int16)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test logs may be no text that a worker can send on."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "replace").decode()) for name, text in report.sections]
    return report
