"""Options of the platform ``llama_cpp``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

from avatard.api.chat import PERSONA


class ConversationConfig(BaseModel, frozen=True, extra="forbid"):
    """Which model, and what it is held to."""

    model: Path = Field(description="a model of the catalogue, or a GGUF file of an instruction-tuned one")
    persona: str = Field(PERSONA, min_length=1, max_length=8000, description="who it is, with {name} and {language}")
    context: int = Field(2048, ge=512, le=131_072, description="tokens that it takes in, reply included")
    max_tokens: int = Field(200, ge=16, le=4000, description="tokens in one reply")
    temperature: float = Field(0.6, ge=0, le=2, description="0: always the likeliest word")
    threads: int = Field(0, ge=0, le=256, description="0: half of the cores; the face needs the others")
    gpu_layers: int = Field(0, ge=-1, le=1000, description="layers on the GPU, -1: all; needs llama.cpp built for it")
    seconds: float = Field(120, ge=2, le=600, description="longest time for a reply")
    stall_seconds: float = Field(60, ge=1, le=300, description="it is given up after so long without a word")
    idle_minutes: float = Field(10, ge=0, le=10_080, description="unloaded after so long without a question; 0: never")
    tools: tuple[str, ...] = Field(
        ("set_timer", "cancel_timer", "add_to_timer", "list_timers", "set_volume", "get_time"),
        description="what the model may do; mqtt_actions and home_assistant add tools of their own",
    )


SCHEMAS: dict[str, type[BaseModel]] = {"conversation": ConversationConfig}
