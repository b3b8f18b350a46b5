"""Interrupted, and asked to go on: the daemon as people run it, over its socket, and with a model on a server."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chatserver import Script, chat_server
from daemons import Running, eventually

from avatard.cli.remote import command
from avatard.runtime.config import Configuration
from avatard.runtime.house import House, open_house

Scripted = Callable[..., Configuration]
HELP = "You can ask me for the time and the date. I set timers, and I change my volume. Say stop, and I am quiet."
REAL = {"conversation": "intents", "display": "none", "avatar": "{render: [none]}"}


def ask(text: str, session: str = "room") -> dict[str, Any]:
    """Ask the daemon; return its last answer."""
    return list(command({"do": "ask", "text": text, "session": session}, "box"))[-1]


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?]) ", text)


def test_after_an_interrupt_it_goes_on_from_the_sentence_that_was_cut_off(tmp_path: Path) -> None:
    with Running(tmp_path, **REAL) as daemon, ThreadPoolExecutor(1) as others:
        asked = others.submit(ask, "what can you do")
        eventually(lambda: daemon.status()["state"] == "responding")
        time.sleep(4)  # the first sentence takes three
        assert daemon.do("stop")["ok"]
        cut = asked.result(10)
        assert cut["interrupted"] and HELP.startswith(cut["reply"]) and cut["reply"] != HELP, cut
        assert cut["reply"].startswith(sentences(HELP)[0]), cut
        whole = [s for s in sentences(cut["reply"]) if s in sentences(HELP)]
        assert ask("go on", session="somebody else")["reply"] == "I had finished."
        rest = ask("go on")
        assert not rest["interrupted"]
        assert sentences(rest["reply"]) == sentences(HELP)[len(whole) :], (cut, rest)
        assert ask("go on")["reply"] == "I had finished."


def test_what_goes_on_can_be_cut_off_again(tmp_path: Path) -> None:
    with Running(tmp_path, **REAL) as daemon, ThreadPoolExecutor(1) as others:
        for question in ("what can you do", "go on", "continue"):
            asked = others.submit(ask, question)
            eventually(lambda: daemon.status()["state"] == "responding")
            daemon.do("stop")
            assert asked.result(10)["interrupted"]
        assert ask("stop")["reply"] == "", "a command that is answered with silence says nothing of what was unsaid"
        assert ask("go on")["reply"] == HELP


async def heard(house: House, seconds: float) -> None:
    async with asyncio.timeout(10):
        while house.place.state != "responding" or house.place.displays.shown < seconds:
            await asyncio.sleep(0.02)


async def interrupted(house: House, text: str, after: float) -> str:
    """Ask, and interrupt when so many seconds were heard; return what was."""
    ticket = await house.door.ask(text)
    await heard(house, after)
    await house.door.stop()
    report = await ticket.finished
    assert report.interrupted, report
    return report.reply


async def test_a_model_is_told_only_what_was_heard_and_goes_on_itself(scripted: Scripted) -> None:
    words = [f"word{n} " if n % 6 else f"word{n}. " for n in range(1, 200)]
    endless, rest = Script(words=words, tokens_per_second=20), Script(words=["And ", "so ", "on."])
    async with chat_server(endless, rest) as server:
        conversation = [{"platform": "intents"}, {"platform": "openai", "url": server.url, "model": "x"}]
        tts = {"platform": "scripted", "seconds_per_word": 0.1}
        async with open_house(scripted(
            conversation=conversation, tts=tts, display={"platform": "scripted"}
        )) as house:  # fmt: skip
            said = await interrupted(house, "tell me a story", 0.9)
            report = await (await house.door.ask("go on")).finished
        messages = server.requests[1]["messages"]
    assert report.reply == "And so on."
    assert said and "".join(words).startswith(said) and len(said.split()) < 20, said
    assert [(m["role"], m["content"]) for m in messages[1:]] == [
        ("user", "tell me a story"), ("assistant", said), ("user", "go on"),
    ]  # fmt: skip


async def test_what_had_all_come_is_said_without_asking_the_model_again(scripted: Scripted) -> None:
    story = "First comes this. Then comes that. Last the rest."
    async with chat_server(Script(words=[f"{word} " for word in story.split()])) as server:
        conversation = [{"platform": "intents"}, {"platform": "openai", "url": server.url, "model": "x"}]
        tts = {"platform": "scripted", "seconds_per_word": 0.2}
        async with open_house(scripted(
            conversation=conversation, tts=tts, display={"platform": "scripted"}
        )) as house:  # fmt: skip
            said = await interrupted(house, "tell me a story", 0.8)
            report = await (await house.door.ask("go on")).finished
        assert len(server.requests) == 1
    assert said == "First comes this. Then", said
    assert report.reply == "Then comes that. Last the rest."
