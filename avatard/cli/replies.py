"""Replies of many kinds, and a server that gives them token by token: what ``avatard bench stream`` listens to."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

REPLIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "short": ("en", ("Yes.", " It is open.", " Shall I close it?")),
    "long": ("en", (
        "The kitchen window has been open since this morning, and because rain is expected after lunch I would close "
        "it before you leave the house.", " The one in the hall is shut.")),
    "numbers": ("en", (
        "It is 22.5 degrees in the living room and 19 upstairs.", " The forecast for 6 p.m. says 3.5 millimetres.",
        " That makes 42.", " Bring a coat.")),
    "list": ("en", ("You need:\n", "- milk\n", "- two eggs\n", "- 500 g of flour\n", "That is all.")),
    "abbreviations": ("en", (
        "Dr. Smith called at 5 p.m. about the keys.", " Mrs. Jones vs. Mr. Bean starts at nine, i.e. soon!",
        " Anything else?")),
    "German": ("de", ("Am 3. Mai kommt Dr. Weber gegen 9 Uhr.", " Das kostet ca. 3 Euro bzw. etwas mehr.", " Gut so?")),
    "Spanish": ("es", ("La ventana de la cocina está abierta.", " ¿La cierro?", " El Sr. Ruiz llega pronto.")),
    "French": ("fr", ("La fenêtre est ouverte.", " Voulez-vous la fermer ?", " M. Durand arrive bientôt.")),
    "Chinese": ("zh", ("厨房的窗户开着。", "要我关上吗？", "外面二十二度。")),
}  # fmt: skip
"""Kind → language, sentences."""
TOKEN = re.compile(r"\s?[\u4e00-\u9fff]{1,2}|\s?[^\W\d_\u4e00-\u9fff]{1,6}|\s?\d{1,3}|\s?[^\w\s]|\s")
"""About what the tokenizers of language models make of a text: a word's beginning with its space, signs alone."""


def tokens_of(sentence: str) -> list[str]:
    """Cut a sentence as a language model does."""
    return TOKEN.findall(sentence)


@dataclass(slots=True)
class Given:
    """One reply as it left the server."""

    first: float = 0.0
    """When the first token left, monotonic seconds."""
    ends: list[float] = field(default_factory=list)
    """When each sentence's last token left."""


class TokenServer:
    """An OpenAI-compatible server that answers with the reply whose kind it is asked for."""

    def __init__(self) -> None:
        """Give tokens without pause."""
        self.rate = 1000.0
        """Tokens a second."""
        self.port = 0
        self.given = Given()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None, None]:
        """Serve on this machine while the block runs."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = re.search(r"content-length: (\d+)", head)
        asked = json.loads(await reader.readexactly(int(length[1]) if length else 0))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        self.given = given = Given()
        due = time.monotonic()
        for sentence in REPLIES[asked["messages"][-1]["content"]][1]:
            for token in tokens_of(sentence):
                await asyncio.sleep(due - time.monotonic())
                writer.write(_event({"content": token}))
                await writer.drain()
                due += 1 / self.rate
                given.first = given.first or time.monotonic()
            given.ends.append(time.monotonic())
        # A model needs as long for the token that ends its reply as for any other.
        await asyncio.sleep(due - time.monotonic())
        writer.write(_event({}, "stop") + b"data: [DONE]\n\n")
        writer.close()


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    event = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(event).encode() + b"\n\n"
