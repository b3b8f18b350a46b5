"""Plugins that lie beside the configuration file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from avatard.__main__ import main
from avatard.api.errors import ConfigError
from avatard.runtime.config import ConfigProblems, load
from avatard.runtime.house import open_house

MANIFEST = "name: parrot\nprovides: [conversation]\nsummary: says it again\n"
CONFIG = """from pydantic import BaseModel

class ConversationConfig(BaseModel, frozen=True, extra="forbid"):
    times: int = 2

SCHEMAS = {"conversation": ConversationConfig}
"""
ENGINE = """class Echo:
    def __init__(self, times):
        self.times = times

    def say(self, text):
        import os
        return f"{' '.join([text] * self.times)} {os.getpid()}"
"""
RESPONDER = """from contextlib import asynccontextmanager
from avatard.api.flow import ReplyToken
from .engine import Echo

class Parrot:
    def __init__(self, model):
        self.model = model

    def grammar(self, language):
        return None

    async def reply(self, heard, session):
        return self.words(await self.model.call("say", heard.text))

    async def words(self, text):
        yield ReplyToken(text + ".")

@asynccontextmanager
async def async_setup(context, config):
    yield Parrot(context.model(Echo, 1, times=config.times))
"""
FILE = """name: box
microphone: scripted
tts: scripted
avatar: {render: [none]}
display: {platform: scripted, pace: fast}
stt: scripted
wake_word: scripted
vad: scripted
conversation: {platform: parrot, times: 3}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration with a plugin of its own; the plugin's folder."""
    folder = tmp_path / "custom_plugins" / "parrot"
    folder.mkdir(parents=True)
    (tmp_path / "box.yaml").write_text(FILE)
    for name, text in (("manifest.yaml", MANIFEST), ("config.py", CONFIG), ("conversation.py", RESPONDER),
                       ("engine.py", ENGINE)):  # fmt: skip
        (folder / name).write_text(text)
    return folder


def problem(folder: Path) -> str:
    with pytest.raises(ConfigProblems) as caught:
        load(folder.parent.parent / "box.yaml")
    return str(caught.value)


@pytest.mark.parametrize("isolate", [False, True])
async def test_it_answers(folder: Path, isolate: bool) -> None:
    (folder / "manifest.yaml").write_text(MANIFEST + f"isolate: {str(isolate).lower()}\n")
    configuration = load(folder.parent.parent / "box.yaml")
    async with open_house(configuration) as house:
        report = await (await house.door.ask("hello")).finished
    *words, pid = report.reply.strip(".").split()
    assert words == ["hello"] * 3, report
    assert (int(pid) != os.getpid()) is isolate


def test_it_is_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "list", "-c", str(folder.parent.parent / "box.yaml")]) == 0
    assert "says it again" in capsys.readouterr().out
    assert main(["plugins", "list"]) == 0
    assert "parrot" not in capsys.readouterr().out


def test_errors_name_the_file(folder: Path) -> None:
    root = folder.parent.parent
    (root / "box.yaml").write_text(FILE.replace("times: 3", "tims: 3"))
    assert problem(folder) == f"{root / 'box.yaml'}:9: conversation.tims: unknown key; did you mean 'times'?"
    (root / "box.yaml").write_text(FILE)
    (folder / "manifest.yaml").write_text(MANIFEST.replace("parrot", "crow"))
    assert f"{folder / 'manifest.yaml'}: name: 'crow' must be its folder's, 'parrot'" in problem(folder)
    (folder / "manifest.yaml").unlink()
    assert f"{folder / 'manifest.yaml'}: cannot be read" in problem(folder)
    (folder / "manifest.yaml").write_text(MANIFEST + "requires: [no-such-thing-at-all>=1]\n")
    assert "parrot needs no-such-thing-at-all>=1: pip install" in problem(folder)
    folder.rename(folder.parent / "my-parrot")
    assert "is named like a Python module" in problem(folder)


def test_a_name_that_is_taken(folder: Path) -> None:
    (folder / "manifest.yaml").write_text(MANIFEST.replace("parrot", "espeak"))
    folder.rename(folder.parent / "espeak")
    assert "there is a plugin 'espeak' already" in problem(folder)


def test_a_broken_module(folder: Path) -> None:
    (folder / "config.py").write_text("import no_such_module_at_all\n")
    assert f"{folder / 'config.py'}: SCHEMAS['conversation'] is missing: No module named" in problem(folder)
    (folder / "config.py").write_text("1 / 0\n")
    assert f"{folder / 'config.py'}: cannot be imported: ZeroDivisionError" in problem(folder)


async def test_a_broken_part(folder: Path) -> None:
    (folder / "conversation.py").write_text("def broken(:\n")
    with pytest.raises(ConfigError, match=r"box.yaml:9: .*conversation.py: cannot be imported: SyntaxError"):
        async with open_house(load(folder.parent.parent / "box.yaml")):
            pass
