"""The catalogue itself, and finding a model by its name or path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from avatard.api.errors import ConfigError
from avatard.runtime.catalog import entries, store
from avatard.runtime.catalog.entries import Entry, Kind
from avatard.runtime.config import load
from avatard.runtime.data import data_file
from avatard.runtime.house import open_house

OURS = entries.load()
EVERY = sorted(OURS.entries.values(), key=lambda entry: entry.name)


@pytest.mark.parametrize("entry", EVERY, ids=lambda entry: entry.name)
def test_each_entry_says_what_must_be_known(entry: Entry) -> None:
    assert entry.licence.strip() and entry.forbids.strip() and entry.engine
    assert entry.source.startswith("https://")
    for file in entry.files:
        for url in OURS.addresses(file):
            assert url.startswith("https://"), url
    sizes = [file.size for file in entry.files if file.size]
    assert sum(sizes) <= entry.size_mb * 1_000_000 + 500_000, "size_mb is too small"
    if len(sizes) == len(entry.files):
        assert sum(sizes) > entry.size_mb * 1_000_000 * 0.7, "size_mb is too large"
    if "NC" in entry.licence:
        assert "commercial use" in entry.forbids
    if entry.kind == "tts-piper":
        assert [file.name for file in entry.files] == [f"{entry.name}.onnx", f"{entry.name}.onnx.json"]


def test_the_catalogue_has_each_kind_and_language_and_never_wav2lip() -> None:
    kinds = {entry.kind for entry in EVERY}
    assert kinds == set(get_args(Kind)) - {"lip-sync"}
    for language in ("en", "de", "es", "fr", "zh"):
        for kind in ("stt-vosk", "tts-piper", "llm-gguf"):
            assert any(language in entry.languages for entry in EVERY if entry.kind == kind), (language, kind)
    text = data_file("models", "catalog.yaml").read_text().lower()
    assert "wav2lip" not in text
    with pytest.raises(ConfigError, match=r"not offered.*avatard models add"):
        OURS.entry("wav2lip")


def test_mirrors_of_a_whole_site_need_a_sum() -> None:
    sure = OURS.entry("qwen2.5-0.5b").files[0]
    unsure = OURS.entry("zh_CN-huayan-medium").files[0]
    assert [url.split("/")[2] for url in OURS.addresses(sure)] == ["huggingface.co", "hf-mirror.com"]
    assert [url.split("/")[2] for url in OURS.addresses(unsure)] == ["huggingface.co"]


GOOD: dict[str, Any] = {
    "name": "tiny", "kind": "llm-gguf", "engine": "llama_cpp", "languages": ["en"], "size_mb": 1, "memory_mb": 1,
    "licence": "MIT", "forbids": "nothing", "source": "https://example.org/", "files": [{"url": "https://e.org/a.gguf"}],
}  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), [
    ({"files": [{"url": "http://example.org/a.gguf"}]}, "an https address is needed"),
    ({"files": [{"url": "file:///etc/passwd"}]}, "an https address is needed"),
    ({"files": [{"url": "https://example.org/"}]}, "no file's name"),
    ({"files": [{"url": "https://example.org/a%2Fb"}]}, "no file's name"),
    ({"files": [{"url": "https://example.org/..%2f..%2fb"}]}, "no file's name"),
    ({"files": [{"url": "https://e.org/.avatard.json"}]}, "no file's name"),
    ({"files": [{"url": "https://e.org/a"}, {"url": "https://e.org/x/a"}]}, "two files of one name"),
    ({"files": [{"url": "https://e.org/a", "sha256": "ABC"}]}, "sha256"),
    ({"files": []}, "files"),
    ({"name": "../x"}, "name"),
    ({"name": ".new-x"}, "name"),
    ({"kind": "toaster"}, "kind"),
    ({"licence": ""}, "licence"),
    ({"main": "other"}, "none of its files"),
    ({"source": "http://example.org"}, "https"),
    ({"what": 1}, "what"),
])  # fmt: skip
def test_what_a_catalogue_may_not_say(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"format": 1, "models": [GOOD | changes]}))
    with pytest.raises(ConfigError) as caught:
        entries.load(path)
    assert said in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1, 2]", "format: 2\nmodels: []", "a: [", "\x00", "format: 1\nmodels: [1]"])
def test_what_is_no_catalogue(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"c\.yaml: "):
        entries.load(path)


def test_a_name_stands_for_one_model(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"format": 1, "models": [GOOD, GOOD]}))
    with pytest.raises(ConfigError, match="two models of one name: tiny"):
        entries.load(path)


def put(home: Path, name: str, kind: str = "stt-vosk", main: str = ".") -> Path:
    place = home / name
    place.mkdir(parents=True)
    (place / "m.bin").write_bytes(b"12345")
    files = {"m.bin": {"sha256": "0" * 64, "size": 5}}
    told = {"kind": kind, "main": main, "licence": "MIT", "source": "x", "by": "yours", "files": files}
    (place / store.CARD).write_text(json.dumps(told))
    return place


def test_where_models_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.folder() == tmp_path / ".local" / "share" / "avatard" / "models"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert store.folders() == (Path("/data/avatard/models"), Path("/var/lib/avatard/models"))
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/avatard:/var/lib/other")
    assert store.folders() == (Path("/var/lib/avatard/models"), Path("/data/avatard/models"))
    monkeypatch.setenv("AVATARD_MODELS", "/srv/models")
    assert store.folders() == (Path("/srv/models"),)


def test_a_model_is_found_by_name_and_by_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AVATARD_MODELS", str(tmp_path / "models"))
    place = put(tmp_path / "models", "mine")
    assert store.model_path("mine", "stt-vosk") == place
    assert store.model_path(place, "stt-vosk") == place
    own = tmp_path / "voice.onnx"
    own.write_bytes(b"x")
    assert store.model_path(str(own), "tts-piper") == own
    put(tmp_path / "models", "file", main="m.bin")
    assert store.model_path("file", "stt-vosk").name == "m.bin"


@pytest.mark.parametrize(("value", "kind", "said"), [
    ("vosk-small-en", "stt-vosk", "avatard models pull vosk-small-en"),
    ("vosk-small-en", "tts-piper", "is stt-vosk, tts-piper is needed"),
    ("vosk-smal-en", "stt-vosk", "did you mean vosk-small-en"),
    ("mine", "tts-piper", "is stt-vosk, tts-piper is needed"),
    ("nothing.onnx", "tts-piper", "there is no file"),
    ("./here", "tts-piper", "there is no file"),
    (".new-mine", "stt-vosk", "there is no file"),
    ("", "stt-vosk", "no model ''"),
])  # fmt: skip
def test_what_is_not_there_is_said_with_what_helps(
    value: str, kind: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AVATARD_MODELS", str(tmp_path / "models"))
    put(tmp_path / "models", "mine")
    put(tmp_path / "models", ".new-mine")
    with pytest.raises(ConfigError) as caught:
        store.model_path(value, kind)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 3}', '{"files": {"a": {}}}', "null"])
def test_a_folder_with_a_broken_card_is_no_model(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AVATARD_MODELS", str(tmp_path))
    (put(tmp_path, "mine") / store.CARD).write_text(text)
    assert store.installed() == {}


PLUGIN = """from contextlib import asynccontextmanager

class Dumb:
    def grammar(self, language):
        return None

@asynccontextmanager
async def async_setup(context, config):
    path = context.model_path(config.model, "stt-vosk")
    context.state.mkdir(parents=True)
    (context.state / "found").write_text(str(path))
    yield Dumb()
"""
OPTIONS = """from pydantic import BaseModel

class ConversationConfig(BaseModel, frozen=True, extra="forbid"):
    model: str

SCHEMAS = {"conversation": ConversationConfig}
"""
FILE = """name: box
microphone: {platform: scripted}
tts: scripted
avatar: {render: [none]}
display: {platform: scripted, pace: fast}
stt: scripted
wake_word: scripted
vad: scripted
conversation: {platform: finder, model: MODEL}
"""


async def test_a_plugin_is_handed_its_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "custom_plugins" / "finder"
    folder.mkdir(parents=True)
    manifest = "name: finder\nprovides: [conversation]\nsummary: finds\n"
    for name, text in (("manifest.yaml", manifest), ("conversation.py", PLUGIN), ("config.py", OPTIONS),
                       ("__init__.py", "")):  # fmt: skip
        (folder / name).write_text(text)
    monkeypatch.setenv("AVATARD_MODELS", str(tmp_path / "models"))
    place = put(tmp_path / "models", "mine")
    file = tmp_path / "box.yaml"
    file.write_text(FILE.replace("MODEL", "mine"))
    async with open_house(load(file)):
        pass
    found = next((tmp_path / "xdg_state_home").rglob("found"))
    assert found.read_text() == str(place)
    file.write_text(FILE.replace("MODEL", "vosk-small-de"))
    with pytest.raises(ConfigError, match=r"finder: model: .*avatard models pull vosk-small-de"):
        async with open_house(load(file)):
            pass
