"""llama.cpp with one model. Runs in the child, through llama-cpp-python."""

from __future__ import annotations

import codecs
import ctypes
import os
import re
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import cache
from itertools import islice
from typing import Any, Literal

from avatard.plugins.llama_cpp.reply import is_whole, kind_of, until

BATCH = 64
"""Tokens of the prompt that are read at once; then it shows that it is alive."""
CALL = 300
"""Tokens in a tool call."""
LIKELY, LEAST, REPEATED = 0.95, 0.05, 1.05
"""top_p, min_p and the penalty for what it has just said."""
ERROR = 4
"""ggml.h: GGML_LOG_LEVEL_ERROR"""
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""How a conversation is written where the file does not say."""
ENDS = ("<|im_end|>", "<|im_start|>")
"""What a model may spell out at the end of its answer, where these are no tokens of its own."""

Item = str | dict[str, str]
"""A piece of the reply, empty as a sign of life; or ``{"call": JSON}``."""


class LlamaEngine:
    """One model and its context; what it has read before is not read again."""

    def __init__(self, path: str, context: int, threads: int, gpu_layers: int, temperature: float) -> None:
        """Load the model."""
        import llama_cpp
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        self._lib, self._path, self._temperature = llama_cpp, path, temperature
        self._cancelled = False
        self._said, _ = complaints()
        self._said.clear()
        threads = threads or max(1, (os.cpu_count() or 1) // 2)
        try:
            self._llama = llama_cpp.Llama(
                path, n_ctx=context, n_batch=BATCH, n_ubatch=BATCH, n_threads=threads, n_threads_batch=threads,
                n_gpu_layers=gpu_layers, verbose=False,
            )  # fmt: skip
        except Exception as err:  # the library's edge: a broken template, too little memory, an unknown architecture
            raise RuntimeError(f"{path} cannot be loaded: {'; '.join(self._said) or err}; download it again") from err
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._llama.model)
        self._control = self._control_marks()
        self._spelled = not set(ENDS) & set(self._control)
        marks = sorted(self._control, key=len, reverse=True)
        self._marks = re.compile("|".join(map(re.escape, marks)) or r"(?!)")
        begin, end = (self._text(t) for t in (self._llama.token_bos(), self._llama.token_eos()))
        self._begin = begin if llama_cpp.llama_vocab_get_add_bos(self._vocabulary) else ""
        template = self._llama.metadata.get("tokenizer.chat_template") or CHATML
        self._format = Jinja2ChatFormatter(template, eos_token=end, bos_token=begin)
        self._system = self._knows_system()
        # Asked by llama.cpp at every step of its computation: a prompt that is being read ends in the midst of it.
        self._abort = llama_cpp.ggml_abort_callback(lambda _data: self._cancelled)
        llama_cpp.llama_set_abort_callback(self._llama.ctx, self._abort, None)

    def count(self, messages: list[dict[str, str]]) -> int:
        """How many tokens the messages are, as the model reads them."""
        return len(self._tokens(messages))

    def stream(self, messages: list[dict[str, str]], calls: str, most: int) -> Generator[Item, None, None]:
        """Yield the reply to the messages, at most so many tokens; with a grammar of calls it may be one instead."""
        self._cancelled = False
        tokens = self._tokens(messages)
        room = self._llama.n_ctx() - len(tokens)
        if room < 1:
            raise ValueError(f"{len(tokens)} tokens do not fit in the context of {self._llama.n_ctx()}")
        grammar = self._grammar(calls) if calls else None
        try:
            yield from self._read(tokens)
            yield from self._reply(tokens, min(most, room), min(CALL, room), grammar)
        except RuntimeError:
            if not self._cancelled:
                raise

    def cancel(self) -> None:
        """Stop at once; called from another thread."""
        self._cancelled = True

    def _reply(self, tokens: list[int], most: int, call: int, grammar: Any) -> Iterator[Item]:
        kind: Literal["words", "call", ""] = "words" if grammar is None else ""
        begun = ""
        with closing(self._words(tokens, most)) as words:
            for piece in words:
                if kind == "words":
                    yield piece
                    continue
                begun += piece
                kind = kind_of(begun)
                if kind == "call":
                    break
                yield begun if kind else ""
        if kind == "call":
            # What it began is forgotten: the grammar has it say the call from its first character.
            yield from self._read(tokens)
            yield from self._call(tokens, call, grammar)
        elif not kind and begun.strip():
            yield begun

    def _call(self, tokens: list[int], most: int, grammar: Any) -> Iterator[Item]:
        text = ""
        with closing(self._words(tokens, most, grammar)) as words:
            for piece in words:
                text += piece
                yield ""
                if is_whole(text):
                    break
        yield {"call": text}

    def _read(self, tokens: list[int]) -> Iterator[str]:
        """Have the model read the prompt, from where it differs from what was read last."""
        llama, lib = self._llama, self._lib
        past = llama.input_ids[: llama.n_tokens].tolist()
        most = min(len(past), len(tokens) - 1)
        same = next((n for n in range(most) if past[n] != tokens[n]), most)
        if lib.llama_memory_seq_rm(lib.llama_get_memory(llama.ctx), -1, same, -1):
            llama.n_tokens = same
        else:  # a model that cannot forget a part, such as a recurrent one
            llama.reset()
            lib.llama_memory_clear(lib.llama_get_memory(llama.ctx), True)
        for at in range(llama.n_tokens, len(tokens), BATCH):
            llama.eval(tokens[at : at + BATCH])
            yield ""

    def _words(self, tokens: list[int], most: int, grammar: Any = None) -> Generator[str, None, None]:
        pieces = self._pieces(tokens, most, grammar)
        return until(pieces, ENDS) if self._spelled and grammar is None else pieces

    def _pieces(self, tokens: list[int], most: int, grammar: Any) -> Generator[str, None, None]:
        """Let the model write, after the prompt that it has read."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        written = self._llama.generate(
            tokens, temp=self._temperature, top_p=LIKELY, min_p=LEAST, repeat_penalty=REPEATED, grammar=grammar
        )
        with closing(written):
            for token in islice(written, most):
                if self._cancelled or self._lib.llama_vocab_is_eog(self._vocabulary, token):
                    return
                yield decoder.decode(self._llama.detokenize([token]))

    def _tokens(self, messages: list[dict[str, str]]) -> list[int]:
        prompt = self._written(messages)
        begin = bool(self._begin) and not prompt.startswith(self._begin)
        tokens: list[int] = self._llama.tokenize(prompt.encode("utf-8", "replace"), add_bos=begin, special=True)
        return tokens

    def _written(self, messages: list[dict[str, str]]) -> str:
        """The conversation as the model's template writes it; no text in it can be one of the model's own marks."""
        clean = [message | {"content": self._unmarked(message["content"])} for message in messages]
        if not self._system and len(clean) > 1 and clean[0]["role"] == "system":
            first = {"role": "user", "content": f"{clean[0]['content']}\n\n{clean[1]['content']}"}
            clean = [first, *clean[2:]]
        prompt: str = self._format(messages=clean, enable_thinking=False).prompt
        return prompt

    def _unmarked(self, text: str) -> str:
        while (cleaned := self._marks.sub(" ", text)) != text:
            text = cleaned
        return text

    def _knows_system(self) -> bool:
        """Whether the template has a place for the persona; some refuse it, some leave it out."""
        self._system = True
        trial = [{"role": "system", "content": "persona"}, {"role": "user", "content": "hello"}]
        try:
            return "persona" in self._written(trial)
        except Exception:  # whatever a stranger's template raises
            return False

    def _grammar(self, calls: str) -> Any:
        # One that cannot be read would end the process at its first use.
        made = self._lib.llama_sampler_init_grammar(self._vocabulary, calls.encode(), b"root")
        if not made:
            raise ValueError(f"the tools make no grammar: {'; '.join(self._said)}")
        self._lib.llama_sampler_free(made)
        return self._lib.LlamaGrammar.from_string(calls, verbose=False)

    def _control_marks(self) -> list[str]:
        """The texts of the tokens by which the model tells roles apart."""
        lib, vocabulary = self._lib, self._vocabulary
        marks = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_UNKNOWN
        every = range(lib.llama_vocab_n_tokens(vocabulary))
        return [text for t in every if lib.llama_vocab_get_attr(vocabulary, t) & marks and (text := self._text(t))]

    def _text(self, token: int) -> str:
        return "" if token < 0 else self._lib.llama_vocab_get_text(self._vocabulary, token).decode("utf-8", "replace")


@cache
def complaints() -> tuple[deque[str], Any]:
    """What the library complained of last; it is told once where to complain, for as long as the process lives."""
    import llama_cpp

    said: deque[str] = deque(maxlen=3)

    def hear(level: int, text: bytes, _data: ctypes.c_void_p) -> None:
        line = text.decode("utf-8", "replace").strip()
        if level == ERROR and line:
            said.append(line)

    listener = llama_cpp.llama_log_callback(hear)
    llama_cpp.llama_log_set(listener, None)
    return said, listener
