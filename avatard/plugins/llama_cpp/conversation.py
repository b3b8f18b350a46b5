"""A language model on this machine as a responder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.chat import Chat, Terms
from avatard.api.context import PluginContext
from avatard.api.stages import Responder
from avatard.plugins.llama_cpp.config import ConversationConfig
from avatard.plugins.llama_cpp.engine import LlamaEngine
from avatard.plugins.llama_cpp.gguf import examine
from avatard.plugins.llama_cpp.talker import Llama


@asynccontextmanager
async def async_setup(context: PluginContext, config: ConversationConfig) -> AsyncIterator[Responder]:
    """Look at the file; the child starts when the first question comes."""
    file = examine(context.model_path(config.model.expanduser(), "llm-gguf"))
    room = min(config.context, file.trained or config.context)
    if room < config.context:
        context.logger.warning("%s takes in %d tokens, not %d", file.path, room, config.context)
    if not file.has_template:
        context.logger.warning("%s has no chat template: ChatML is used; is it instruction-tuned?", file.path)
    model = context.model(
        LlamaEngine, file.megabytes(room), path=str(file.path), context=room, threads=config.threads,
        gpu_layers=config.gpu_layers, temperature=config.temperature,
    )  # fmt: skip
    talker = Llama(model, file, room, config.max_tokens, config.idle_minutes * 60, context.clock)
    context.run("idle", talker.rest)
    terms = Terms(
        "llama_cpp", config.persona, context.title, context.language, room, config.max_tokens, config.seconds,
        config.stall_seconds, config.tools,
    )  # fmt: skip
    yield Chat(talker, context.tools, terms)
