"""The platform openai against a real llama-server, on a tiny model."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import aiohttp
import psutil
import pytest
from conftest import missing
from tinymodel import ENDLESS, tiny

from avatard.api.chat import Chat, Terms
from avatard.api.errors import StageFailed
from avatard.api.flow import Exchange, SessionView, Transcript
from avatard.plugins.openai.config import ConversationConfig
from avatard.plugins.openai.engine import Server
from avatard.talk.toolbox import Toolbox

pytestmark = pytest.mark.long
SERVE = """
import sys, threading, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel = sys.argv[1], 3072, 1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print("serves", server.listening_address, flush=True)
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, psutil.Process]]:
    """Its address, and its process."""
    if importlib.util.find_spec("xllamacpp") is None:
        missing("xllamacpp (pip install xllamacpp): llama-server as a wheel")
    path: Path = tiny(tmp_path_factory.mktemp("model") / "tiny.gguf", wide=256, layers=4, says=ENDLESS)
    command = [sys.executable, "-c", SERVE, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout
            address = next(line.split()[1] for line in process.stdout if line.startswith("serves"))
            yield f"{address}/v1", psutil.Process(process.pid)
        finally:
            process.kill()


def chat(url: str, **changes: int) -> Chat:
    config = ConversationConfig(url=url, **({"context": 1024, "max_tokens": 32} | changes))
    terms = Terms("openai", "You are {name}.", "Ada", "en", config.context, config.max_tokens)
    return Chat(Server(config), Toolbox(), terms)


async def said(chat: Chat, text: str, *history: Exchange) -> str:
    tokens = await chat.reply(Transcript(text), SessionView("room", "en", history))
    return "".join([token.text async for token in tokens])


async def test_twenty_turns_fit(server: tuple[str, psutil.Process]) -> None:
    """The client takes three bytes for a token; here nearly each is one, so the server has three times the room."""
    history: list[Exchange] = []
    for turn in range(20):
        answer = await said(chat(server[0]), f"hello you {turn} " * 5, *history)
        assert answer.startswith(" hello the lamp. hello"), (turn, answer)
        history.append(Exchange("hello you " * 5, answer))


async def test_a_prompt_beyond_the_context_is_named(server: tuple[str, psutil.Process]) -> None:
    with pytest.raises(StageFailed, match=r"status 400.*exceed"):
        await said(chat(server[0], context=100_000), "the lamp is hello " * 500)


async def test_a_cancel_lets_the_server_go(server: tuple[str, psutil.Process]) -> None:
    endless = chat(server[0], max_tokens=900)
    tokens = await endless.reply(Transcript("hello"), SessionView("room"))
    async with aclosing(tokens) as reply:  # type: ignore[type-var]
        assert (await anext(reply)).text == " hello"
    slots = f"{server[0].removesuffix('/v1')}/slots"
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(slots) as response:
                assert response.status == 200, await response.text()
                if not any(slot["is_processing"] for slot in await response.json()):
                    break
            await asyncio.sleep(0.05)
    before = server[1].cpu_times().user
    await asyncio.sleep(0.5)
    assert server[1].cpu_times().user - before < 0.25, "it goes on writing for nobody"
    assert (await said(chat(server[0]), "hello")).startswith(" hello the")
