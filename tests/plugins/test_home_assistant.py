"""Home Assistant behind its conversation API: what it says, and every way in which it fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from chatserver import Script, chat_server
from homeserver import answer, home_server
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from avatard.api.errors import ConfigError, NotReady, Refused, StageFailed
from avatard.api.flow import SessionView, Transcript
from avatard.plugins.home_assistant.answer import Answer, understood
from avatard.plugins.home_assistant.config import ConversationConfig
from avatard.plugins.home_assistant.conversation import HomeResponder
from avatard.plugins.home_assistant.engine import Home
from avatard.plugins.home_assistant.threads import IDLE_SECONDS, MOST, Threads
from avatard.runtime.config import Configuration
from avatard.runtime.foundation import open_foundation
from avatard.runtime.house import furnished, open_house

Scripted = Callable[..., Configuration]
LIGHT = answer("Turned on the lights")
UNKNOWN = answer("Sorry, I couldn't understand that", "error", "no_intent_match")
NOWHERE = answer("Sorry, I am not aware of any area called cellar", "error", "no_valid_targets")


def config(url: str, **changes: Any) -> ConversationConfig:
    return ConversationConfig(url=url, token="secret", **changes)


def responder(url: str, clock: Callable[[], float] = lambda: 0.0, **changes: Any) -> HomeResponder:
    settings = config(url, **changes)
    return HomeResponder(Home(settings), Threads(clock), settings.pass_on)


async def said(home: HomeResponder, text: str = "turn on the lights", session: str = "room") -> str | None:
    tokens = await home.reply(Transcript(text, "de"), SessionView(session))
    return None if tokens is None else "".join([token.text async for token in tokens])


async def test_it_answers() -> None:
    async with home_server(LIGHT, answer("It is 21 °C", "query_answer"), answer("")) as server:
        home = responder(server.url + "/", agent_id="conversation.mine")
        assert await said(home) == "Turned on the lights"
        assert await said(home, "how warm is it") == "It is 21 °C"
        assert await said(home, "never mind") == ""
    assert server.requests[0] == {"text": "turn on the lights", "language": "de", "agent_id": "conversation.mine"}
    assert server.requests[1]["conversation_id"] == "C1" and server.tokens == ["Bearer secret"] * 3


async def test_what_it_does_not_understand_is_the_next_ones() -> None:
    async with home_server(UNKNOWN, NOWHERE) as server:
        assert await said(responder(server.url)) is None
        assert await said(responder(server.url)) == "Sorry, I am not aware of any area called cellar"
        assert await said(responder(server.url, pass_on=["no_intent_match", "no_valid_targets"])) is None


async def test_each_session_has_a_conversation_that_ends() -> None:
    now = [0.0]
    second, last = answer("Yes", conversation="C2"), answer("ok", conversation="")
    async with home_server(LIGHT, second, LIGHT, LIGHT, last) as server:
        home = responder(server.url, clock=lambda: now[0])
        for session, seconds in (("room", 0), ("web", 1), ("room", IDLE_SECONDS - 1), ("room", IDLE_SECONDS + 1),
                                 ("web", 0), ("web", 0)):  # fmt: skip
            now[0] += seconds
            await said(home, session=session)
    assert [r.get("conversation_id", "") for r in server.requests] == ["", "", "C1", "", "", ""]


def test_conversations_are_bounded() -> None:
    threads = Threads(lambda: 0.0)
    for number in range(MOST + 5):
        threads.keep(f"s{number}", f"c{number}")
        threads.keep("first", "c")
    assert threads.of("s0") == "" and threads.of("first") == "c" and threads.of(f"s{MOST + 4}") == f"c{MOST + 4}"
    threads.keep("first", "x" * 10_000)
    assert threads.of("first") == ""


@pytest.mark.parametrize(
    ("script", "error", "what"),
    [
        ((500, b"boom", {}), NotReady, "status 500: boom"),
        ((503, b"", {}), NotReady, "status 503"),
        ((429, b"", {}), NotReady, "status 429"),
        ((401, b"401: Unauthorized", {}), StageFailed, "make a long-lived access token"),
        ((403, b"", {}), StageFailed, "token is not accepted"),
        ((404, b"", {}), StageFailed, "is url right"),
        ((400, b"invalid agent ID", {}), StageFailed, "is agent_id 'nobody' right"),
        ((302, b"", {"Location": "/elsewhere"}), StageFailed, "moved to '/elsewhere'; correct url"),
        ("stall", NotReady, "no answer in 1 s"),
        ("cut", NotReady, "is it running"),
        (b"", StageFailed, "no answer to a conversation"),
        (b"hello", StageFailed, "no answer to a conversation"),
        (b"\xff\xfe{", StageFailed, "no answer to a conversation"),
        (b"[" * 100_000, StageFailed, "no answer to a conversation"),
        (b" " * (3 << 20), StageFailed, "more than 1048576 bytes"),
        ([], StageFailed, "has no response"),
        ({"response": []}, StageFailed, "has no response"),
        ({"response": {"response_type": 7}}, StageFailed, "of type '7'"),
        ({"response": {"response_type": "error", "speech": {"plain": 3}}}, StageFailed, "error 'unknown' alone"),
        ({"response": {"response_type": "error", "data": {"code": []}, "speech": 1}}, StageFailed, "'unknown' alone"),
    ],
)
async def test_a_home_that_fails(script: Any, error: type[Exception], what: str) -> None:
    async with home_server(script) as server:
        with pytest.raises(error, match=what) as caught:
            await said(responder(server.url, seconds=1, agent_id="nobody"))
    assert "secret" not in str(caught.value) and server.url in str(caught.value) + server.url
    assert server.strayed == 0, "a redirect is not followed: the token stays here"


async def test_a_home_that_is_not_there() -> None:
    with pytest.raises(NotReady, match="is it running, and is url right"):
        await said(responder("http://127.0.0.1:9"))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["response", "speech", "plain", "data", "code", "conversation_id", "response_type"]), inner
    )
    | st.fixed_dictionaries({"response_type": st.sampled_from(["action_done", "error"])}, optional={"speech": inner}),
    max_leaves=12,
)


@given(json_like | st.fixed_dictionaries({"response": json_like}))
def test_any_json_is_taken_or_refused(data: Any) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(understood(data), Answer)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "token"), ({"token": ""}, "token"), ({"token": "two words"}, "one line"), ({"token": "a\nb"}, "one line"),
        ({"token": "x", "url": "homeassistant.local"}, "an address such as"), ({"token": "x", "seconds": 0}, "seconds"),
        ({"token": "x", "agent": "y"}, "agent"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_told_at_check(options: dict[str, Any], what: str, scripted: Scripted) -> None:
    with pytest.raises(ValidationError, match=what):
        ConversationConfig.model_validate(options)
    with pytest.raises(ConfigError, match="conversation"):
        scripted(conversation={"platform": "home_assistant"} | options)


async def test_it_is_a_tool_while_it_is_open(scripted: Scripted) -> None:
    async with home_server(LIGHT, UNKNOWN, NOWHERE, answer("")) as server:
        settings = scripted(conversation={"platform": "home_assistant", "url": server.url, "token": "x"})
        async with open_foundation(settings) as ground:
            async with furnished(settings, ground):
                sentence, allowed = {"sentence": "turn on the lights"}, ["home_assistant"]
                results = [await ground.tools.call("home_assistant", sentence, allowed) for _ in range(4)]
                for arguments in ({}, {"sentence": "x" * 501}, {"sentence": "x", "url": "http://x"}):
                    with pytest.raises(Refused):
                        await ground.tools.call("home_assistant", arguments, allowed)
            assert not ground.tools.named(allowed), "it goes with the house"
    assert results[0] == "Turned on the lights" and results[3] == "done"
    assert results[1].startswith("error: Home Assistant did not understand")
    assert results[2] == "error: Sorry, I am not aware of any area called cellar"
    assert len(server.requests) == 4 and all("conversation_id" not in r for r in server.requests)


async def ask(house: Any, text: str) -> str:
    report = await (await house.door.ask(text)).finished
    return str(report.reply)


async def test_a_language_model_may_use_it(scripted: Scripted) -> None:
    calls = [("home_assistant", '{"sentence": "turn on the kitchen light"}')]
    async with home_server(UNKNOWN, LIGHT) as server, chat_server(Script(calls=calls), Script(words=["Done."])) as mind:
        home = {"platform": "home_assistant", "url": server.url, "token": "x"}
        model = {"platform": "openai", "url": mind.url, "tools": ["home_assistant"]}
        async with open_house(scripted(conversation=[home, model])) as house:
            assert await ask(house, "it is rather dark in the kitchen") == "Done."
    assert server.requests[1]["text"] == "turn on the kitchen light"
    assert mind.requests[1]["messages"][-1]["content"] == "Turned on the lights"


async def test_the_chain_goes_on_without_it(scripted: Scripted) -> None:
    """What the intents know they answer; the house's commands go on; who is away is left out."""
    async with home_server(LIGHT, UNKNOWN, (500, b"", {})) as server:
        home = {"platform": "home_assistant", "url": server.url, "token": "x"}
        chain = ["intents", home, "scripted"]
        async with open_house(scripted(conversation=chain)) as house:
            assert await ask(house, "who are you") == (
                "I am avatard. I live in this house, and everything I hear stays here."
            )
            assert not server.requests
            assert await ask(house, "turn on the kitchen light") == "Turned on the lights"
            assert await ask(house, "tell me a joke") == "You said: tell me a joke."
            assert await ask(house, "turn on the kitchen light") == "You said: turn on the kitchen light."
            assert "status 500" in " ".join(house.door.status().problems.values())
    light, joke = "turn on the kitchen light", "tell me a joke"
    assert [r["text"] for r in server.requests] == [light, joke, light]
    async with open_house(scripted(conversation="intents")) as house:
        assert "No house is connected" in await ask(house, "turn on the kitchen light")


async def test_a_stop_lets_it_go(scripted: Scripted) -> None:
    async with home_server("stall") as server:
        settings = scripted(conversation={"platform": "home_assistant", "url": server.url, "token": "x"})
        async with open_house(settings) as house:
            ticket = await house.door.ask("turn on the kitchen light")
            while not server.requests:
                await asyncio.sleep(0.01)
            await house.door.stop()
            assert (await ticket.finished).interrupted and house.door.status().state == "idle"
            for _ in range(200):
                if server.abandoned:
                    break
                await asyncio.sleep(0.01)
    assert server.abandoned == 1
