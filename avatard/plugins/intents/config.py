"""Options of the platform ``intents``."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ConversationConfig(BaseModel, frozen=True, extra="forbid"):
    """What it calls itself."""

    persona: str = Field("avatard", max_length=60, description="the name it answers with")


SCHEMAS: dict[str, type[BaseModel]] = {"conversation": ConversationConfig}
