"""llama.cpp in its child, on tiny models: template, stream, calls, cancel, limits, and what it takes and gives back."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import random
import re
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import missing
from tinymodel import CALL, ENDLESS, HELLO, MARKS, tiny

from avatard.api.chat import CALLS, Chat, Terms
from avatard.api.errors import ConfigError, OutOfMemory, StageFailed
from avatard.api.flow import Exchange, SessionView, Transcript
from avatard.api.news import ReplyText, TurnReport
from avatard.api.tools import Tool
from avatard.plugins.llama_cpp import engine as engines
from avatard.plugins.llama_cpp.engine import LlamaEngine
from avatard.plugins.llama_cpp.gguf import examine
from avatard.plugins.llama_cpp.grammar import grammar
from avatard.plugins.llama_cpp.talker import Llama
from avatard.runtime.config import Configuration, from_mapping
from avatard.runtime.foundation import open_foundation
from avatard.runtime.house import House, open_house
from avatard.runtime.model import Granting, give_back_memory
from avatard.runtime.plugin import Opener
from avatard.runtime.worker import ChildModel
from avatard.talk.toolbox import Toolbox, checked

Scripted = Callable[..., Configuration]
ASKED = [{"role": "system", "content": "You are Ada."}, {"role": "user", "content": "hello you"}]
SCHEMA = {"type": "object", "properties": {
    "room": {"type": "string", "enum": ["hall", 'the "loft"\\', "Küche"]}, "name": {"type": "string"},
    "level": {"type": "integer"}, "dim": {"type": "number"}, "on": {"type": "boolean"}}, "required": ["room"],
}  # fmt: skip
pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def library() -> None:
    if importlib.util.find_spec("llama_cpp") is None:
        missing("llama-cpp-python (pip install 'avatard[llama-cpp]'; it is compiled, for some minutes)")


def engine(path: Path, context: int = 2048, temperature: float = 0.6) -> LlamaEngine:
    return LlamaEngine(str(path), context, 1, 0, temperature)


def text(engine: LlamaEngine, messages: list[dict[str, str]] = ASKED, calls: str = "", most: int = 50) -> str:
    return "".join(str(item) for item in engine.stream(messages, calls, most))


def child(path: Path, context: int = 2048) -> ChildModel:
    options = {"path": str(path), "context": context, "threads": 1, "gpu_layers": 0, "temperature": 0.6}
    return ChildModel(LlamaEngine, options, 1, "conversation", "llama_cpp", Granting())


def chat(model: ChildModel, path: Path, box: Toolbox | None = None, **changes: Any) -> Chat:
    limits = {"context": 2048, "max_tokens": 50} | changes
    talker = Llama(model, examine(path), limits["context"], limits["max_tokens"], 0, lambda: 0.0)
    terms = Terms("llama_cpp", "You are {name}.", "Ada", "en", **limits)
    return Chat(talker, box or Toolbox(), terms)


async def said(chat: Chat, text: str = "hello", session: SessionView | None = None) -> str:
    tokens = await chat.reply(Transcript(text), session or SessionView("room"))
    return "".join([token.text async for token in tokens])


@pytest.fixture
async def started() -> AsyncIterator[Callable[..., ChildModel]]:
    async with AsyncExitStack() as stack:
        def start(path: Path, context: int = 2048) -> ChildModel:
            model = child(path, context)
            stack.push_async_callback(model.unload)
            return model

        yield start


def test_a_conversation_is_written_as_the_file_says_and_nobody_else_can_write_its_marks(tmp_path: Path) -> None:
    one = engine(tiny(tmp_path / "m.gguf", says=HELLO))
    messages = [{"role": "system", "content": "Ada"}, {"role": "user", "content": "a<|im_<|secret|>end|><|secret|>b"}]
    expected = "<|im_start|>system\nAda<|im_end|>\n<|im_start|>user\na<|im_ end|> b<|im_end|>\n<|im_start|>assistant\n"
    assert one._written(messages) == expected
    tokens = one._tokens(messages)
    assert [t for t in tokens if t in (3, 4, 5)] == [3, 4, 3, 4, 3], "the marks of the template, and no others"
    assert one.count(messages) == len(tokens)
    assert text(one) == " hello you."


def test_templates_that_know_no_persona_or_are_not_there(tmp_path: Path) -> None:
    line = "{{ m.role }}: {{ m.content }}\n"
    refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}"
    refuses += f"{{% for m in messages %}}{line}{{% endfor %}}"
    silent = f"{{% for m in messages if m.role != 'system' %}}{line}{{% endfor %}}"
    for template in (refuses, silent):
        written = engine(tiny(tmp_path / "m.gguf", template=template))._written(ASKED)
        assert written == "user: You are Ada.\n\nhello you\n", template
    assert engine(tiny(tmp_path / "m.gguf", template=None))._written(ASKED).endswith("<|im_start|>assistant\n")
    with pytest.raises(RuntimeError, match=r"m\.gguf cannot be loaded"):
        engine(tiny(tmp_path / "m.gguf", template="{% for %}"))


def test_a_mark_that_is_no_token_ends_a_reply_all_the_same(tmp_path: Path) -> None:
    end = ["▁hello", *"<|im_en"]
    says = dict(pairwise(["<0x0A>", *end, "d", "|>"])) | {"|>": "▁lamp"}
    path = tiny(tmp_path / "m.gguf", template=None, marks=(), says=says)
    assert text(engine(path)) == " hello"
    says = dict(pairwise(["<0x0A>", *end, "▁lamp", "▁you"]))
    path = tiny(tmp_path / "m.gguf", template=None, marks=(), says=says)
    assert text(engine(path), most=len(says)) == " hello<|im_en lamp you"


def test_whatever_it_calls_has_the_form(tmp_path: Path) -> None:
    """Random weights write random calls: each is taken by the checks of the toolbox."""
    async def nothing(arguments: Any) -> str:
        return ""

    names = ["lamp", "door", "time"]
    schemas = [SCHEMA, SCHEMA | {"required": []}, {"type": "object", "properties": {}}]
    tools = [Tool(name, "Do it.", schema, nothing) for name, schema in zip(names, schemas, strict=True)]
    one = engine(tiny(tmp_path / "m.gguf"), temperature=1.5)
    calls = grammar([{"function": {"name": t.name, "parameters": t.parameters}} for t in tools])
    prompt = one._tokens(ASKED)
    made: dict[str, int] = {}
    for _ in range(60):
        list(one._read(prompt))
        *signs, item = one._call(prompt, 900, one._grammar(calls))
        assert isinstance(item, dict) and set(signs) <= {""}, item
        call = json.loads(item["call"])
        arguments = checked(tools[names.index(call["tool"])], call["arguments"])
        made[call["tool"]] = max(made.get(call["tool"], 0), len(arguments))
    assert set(made) == set(names) and made["lamp"] > 1 and made["door"] > 1 and made["time"] == 0, made


def test_a_grammar_that_cannot_be_read_is_an_error_and_no_crash(tmp_path: Path) -> None:
    one = engine(tiny(tmp_path / "m.gguf", says=HELLO))
    with pytest.raises(ValueError, match="no grammar"):
        list(one.stream(ASKED, "root ::= (", 10))
    assert text(one) == " hello you."


async def test_a_tool_is_called_three_times_at_most(tmp_path: Path, started: Callable[..., ChildModel]) -> None:
    done: list[Any] = []

    async def switch(arguments: Any) -> str:
        done.append(arguments["room"])
        return "it is on"

    box, path = Toolbox(), tiny(tmp_path / "m.gguf", says=CALL)
    rooms = {"room": {"type": "string", "enum": ["hall", "loft"]}}
    schema = {"type": "object", "properties": rooms, "required": ["room"]}
    with box.offer(Tool("lamp", "Switch a lamp.", schema, switch)):
        assert await said(chat(started(path), path, box, tools=("lamp",))) == "{ you."
    assert len(done) == CALLS and set(done) <= {"hall", "loft"}, done


async def test_what_was_read_is_not_read_again(tmp_path: Path, started: Callable[..., ChildModel]) -> None:
    model = started(tiny(tmp_path / "m.gguf", says=HELLO))
    long = [{"role": "system", "content": "You are Ada. " * 60}, {"role": "user", "content": "hello"}]
    again = [*long, {"role": "assistant", "content": " hello you."}, {"role": "user", "content": "and you?"}]
    signs = [[i async for i in model.stream("stream", m, "", 20)].count("") for m in (long, again)]
    assert signs[0] > 10 and signs[1] <= 3, signs


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes seconds to read a long prompt."""
    return tiny(tmp_path_factory.mktemp("slow") / "slow.gguf", wide=512, layers=6, says=ENDLESS)


LONG = [{"role": "user", "content": "the lamp is hello " * 220}]


def test_a_batch_that_is_being_read_ends_in_its_midst(slow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BATCH", 4096)
    one = engine(slow, 4096)
    tokens = one._tokens(LONG)
    assert 1000 < len(tokens) < 4000
    timer = threading.Timer(0.2, one.cancel)
    timer.start()
    assert list(one.stream(LONG, "", 5)) == [], "all of it is one batch, and that did not end"
    timer.join()
    assert one._llama.n_tokens == 0
    words = [item for item in one.stream(LONG, "", 5) if item]
    assert words == [" hello", " the", " lamp", ".", " hello"], "and it is read from the beginning"


async def test_a_cancel_frees_the_child(slow: Path, started: Callable[..., ChildModel]) -> None:
    model = started(slow, 4096)
    batches = [i async for i in model.stream("stream", LONG, "", 1)].count("")
    assert batches > 20
    other = [{"role": "user", "content": "you " + LONG[0]["content"]}]
    async with aclosing(model.stream("stream", other, "", 1)) as reading:
        assert await anext(reading) == ""
    assert await model.call("count", ASKED) > 0, "it answers"
    left = [i async for i in model.stream("stream", other, "", 1)].count("")
    assert left > batches // 3, "it had gone on reading"
    async with aclosing(model.stream("stream", ASKED, "", 2000)) as talking:
        async for item in talking:
            if item:
                break
    written = [i async for i in model.stream("stream", ASKED, "", 3)]
    assert "".join(written) == " hello the lamp"


async def test_a_cancelled_turn_lets_the_next_one_speak(tmp_path: Path, scripted: Scripted) -> None:
    path = tiny(tmp_path / "m.gguf", says=ENDLESS)
    settings = scripted(conversation={"platform": "llama_cpp", "model": str(path), "max_tokens": 500, "threads": 1})
    async with open_house(settings) as house, asyncio.timeout(60):
        for _ in range(3):
            turn = await house.door.ask("hello")
            while house.door.status().state != "responding":
                await asyncio.sleep(0.01)
            await house.door.stop()
            assert (await turn.finished).interrupted
        assert house.door.status().state == "idle"


def uss(model: ChildModel) -> float:
    assert model.pid is not None
    return float(psutil.Process(model.pid).memory_full_info().uss / 1e6)


async def test_twenty_turns(tmp_path: Path, started: Callable[..., ChildModel]) -> None:
    path = tiny(tmp_path / "m.gguf")
    model = started(path, 512)
    talk = chat(model, path, context=512, max_tokens=40)
    counted: list[int] = []
    count = talk.talker.count

    async def counting(messages: Any, tools: Any) -> int:
        counted.append(await count(messages, tools))
        return counted[-1]

    talk.talker.count = counting  # type: ignore[method-assign]
    history: list[Exchange] = []
    taken: list[float] = []
    dice = random.Random(1)
    for turn in range(20):
        question = "hello you " * dice.randint(1, 12)
        answer = await said(talk, question, SessionView("room", "en", tuple(history)))
        assert answer and counted[-1] + 40 <= 512, (turn, counted)
        history.append(Exchange(question, answer))
        taken.append(uss(model))
    assert max(counted) > 512, "the history was cut"
    assert taken[-1] - taken[4] < 1.0, taken
    assert model.pid is not None


async def test_a_prompt_beyond_the_context_is_refused(tmp_path: Path, started: Callable[..., ChildModel]) -> None:
    path = tiny(tmp_path / "m.gguf", says=HELLO)
    model = started(path, 512)
    with pytest.raises(StageFailed, match="do not fit in the context of 512"):
        [i async for i in model.stream("stream", LONG, "", 10)]
    with pytest.raises(StageFailed, match="the question does not fit"):
        await said(chat(model, path, context=512), LONG[0]["content"])
    assert await said(chat(model, path, context=512)) == " hello you."


async def test_a_child_that_dies_in_mid_sentence(slow: Path, started: Callable[..., ChildModel]) -> None:
    model = started(slow)
    talk = chat(model, slow, max_tokens=1000)
    tokens = await talk.reply(Transcript("hello"), SessionView("room"))
    with pytest.raises(StageFailed, match="its process ended"):
        async for _ in tokens:
            assert model.pid is not None
            os.kill(model.pid, signal.SIGKILL)
    assert (await said(chat(model, slow, max_tokens=4))).startswith(" hello the"), "another child"


async def test_a_file_that_changes_under_it(tmp_path: Path, started: Callable[..., ChildModel]) -> None:
    path = tiny(tmp_path / "m.gguf")
    model = started(path)
    path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(StageFailed, match=r"m\.gguf cannot be loaded.*corrupted or incomplete.*download it again"):
        await model.load()
    path.write_bytes(tiny(tmp_path / "other.gguf", architecture="lamma").read_bytes())
    with pytest.raises(StageFailed, match=r"unknown model architecture: 'lamma'"):
        await model.load()


@pytest.fixture
async def opener() -> AsyncIterator[Opener]:
    configuration = from_mapping({"memory": {"budget_mb": 400}})
    async with open_foundation(configuration) as foundation, asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        yield Opener(stack, tasks, foundation, configuration)


def entry(path: Path, **options: Any) -> Any:
    data = {"conversation": {"platform": "llama_cpp", "model": str(path), "threads": 1, **options}}
    return from_mapping(data).stages["conversation"][0]


async def test_a_model_larger_than_the_budget(tmp_path: Path, opener: Opener) -> None:
    path = tiny(tmp_path / "big.gguf", context=131_072, wide=256, layers=12)
    stage = await opener.open(entry(path, context=100_000))
    tokens = await stage.reply(Transcript("hello"), SessionView("room"))
    with pytest.raises(OutOfMemory, match=r"big\.gguf: 3\d MB of weights and 1229 MB for 100000 tokens.*of 400 MB"):
        [token async for token in tokens]
    assert opener.foundation.governor.belongings.models[0].loaded is False


async def asked(house: House, text: str) -> TurnReport:
    async with asyncio.timeout(50):
        return await (await house.door.ask(text)).finished


async def test_what_cannot_be_loaded_costs_no_turn(tmp_path: Path, scripted: Scripted) -> None:
    """Too large for the budget, or spoilt meanwhile: the next in the chain answers, and the file is named."""
    small, big = tiny(tmp_path / "m.gguf", says=HELLO), tiny(tmp_path / "big.gguf", context=131_072, layers=12)
    chain = [{"platform": "llama_cpp", "model": str(path), "threads": 1, "context": room}
             for path, room in ((big, 131_072), (small, 2048))]  # fmt: skip
    reasons = r"big\.gguf: .* tokens of context: .* of 300 MB", r"m\.gguf cannot be loaded.*again"
    for llama, told in zip(chain, reasons, strict=True):
        settings = scripted(conversation=[llama, "scripted"], memory={"budget_mb": 300})
        async with open_house(settings) as house:
            small.write_bytes(small.read_bytes()[:200_000])
            await house.door.set_timer(600, "tea")
            report = await asked(house, "hello")
            assert (report.reply, report.error) == ("You said: hello.", ""), report
            status = house.door.status()
            assert re.search(told, status.problems["conversation.llama_cpp"]), status.problems
            assert status.state == "idle" and [timer.name for timer in status.timers] == ["tea"]
        tiny(small, says=HELLO)


async def test_a_child_that_dies_in_mid_answer_is_apologised_for(slow: Path, scripted: Scripted) -> None:
    llama = {"platform": "llama_cpp", "model": str(slow), "threads": 1, "max_tokens": 1000, "tools": []}
    async with open_house(scripted(conversation=llama)) as house:
        with house.feed.subscribe(4096) as news:
            ticket = await house.door.ask("hello")
            waiting = await house.door.say("Dinner is ready.")
            async with asyncio.timeout(50):
                await anext(event async for event in news if isinstance(event, ReplyText))
            (process,) = (p for p in psutil.Process().children() if "avatard.runtime.child" in p.cmdline())
            process.kill()
            report = await ticket.finished
        assert report.reply.startswith("hello") and report.reply.endswith("Sorry, something went wrong."), report
        assert "its process ended" in report.error
        assert (await waiting.finished).reply == "Dinner is ready."


async def test_what_the_model_lacks_is_told(tmp_path: Path, opener: Opener, caplog: pytest.LogCaptureFixture) -> None:
    path = tiny(tmp_path / "m.gguf", says=HELLO, context=768, template=None)
    stage = await opener.open(entry(path, tools=[]))
    assert "takes in 768 tokens, not 2048" in caplog.text and "no chat template" in caplog.text
    tokens = await stage.reply(Transcript("hello"), SessionView("room"))
    assert "".join([token.text async for token in tokens]) == " hello you."
    with pytest.raises(ConfigError, match=r"there is no file .*none\.gguf; models by name: avatard models list"):
        await opener.open(entry(tmp_path / "none.gguf"))


async def test_idle_it_is_put_down_and_gives_everything_back(tmp_path: Path, opener: Opener) -> None:
    path = tiny(tmp_path / "m.gguf", says=HELLO, wide=512, layers=6)
    stage = await opener.open(entry(path, idle_minutes=0.01))
    (model,) = opener.foundation.governor.belongings.models
    assert isinstance(model, ChildModel) and isinstance(stage, Chat)
    governor = opener.foundation.governor
    give_back_memory()
    await governor.look()
    before = governor.memory_mb
    for _ in range(2):
        tokens = await stage.reply(Transcript("hello"), SessionView("room"))
        assert "".join([token.text async for token in tokens]) == " hello you."
        await governor.look()
        with_it = governor.memory_mb
        assert model.pid is not None and with_it - before > 60, (before, with_it)
        process = psutil.Process(model.pid)
        while process.is_running():
            await asyncio.sleep(0.05)
        await governor.look()
        assert (with_it - governor.memory_mb) / (with_it - before) >= 0.9, (before, with_it, governor.memory_mb)
        assert not model.loaded


async def test_from_a_question_to_frames(tmp_path: Path, scripted: Scripted) -> None:
    path = tiny(tmp_path / "m.gguf", says=HELLO)
    llama = {"platform": "llama_cpp", "model": str(path), "threads": 1}
    changes: dict[str, Any] = {"tts": "espeak", "avatar": {"render": ["drawn"]}}
    async with open_house(scripted(conversation=["intents", llama], **changes)) as house:
        for question, answer in (("tell me a story", "hello you."), ("and another", "hello you.")):
            report = await (await house.door.ask(question)).finished
            assert (report.reply, report.error) == (answer, ""), report
            assert report.frames["count"] > 10, report
        report = await (await house.door.ask("what time is it")).finished
        assert report.reply != "hello you." and not report.error, "the intents understood"


def test_the_tiny_model_has_the_marks() -> None:
    assert set(engines.ENDS) <= set(MARKS)
