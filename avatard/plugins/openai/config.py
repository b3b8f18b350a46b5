"""Options of the platform ``openai``."""

from __future__ import annotations

from pydantic import BaseModel, Field, SecretStr, field_validator

from avatard.api.chat import PERSONA


class ConversationConfig(BaseModel, frozen=True, extra="forbid"):
    """Which server, and what its model is held to."""

    url: str = Field(
        "http://127.0.0.1:8080/v1", description="where the server's API begins; llama-server's default, "
        "Ollama's is http://127.0.0.1:11434/v1"
    )  # fmt: skip
    model: str = Field("default", min_length=1, max_length=200, description="the model's name on the server")
    api_key: SecretStr | None = Field(None, description="sent as a bearer token; use !secret")
    persona: str = Field(PERSONA, min_length=1, max_length=8000, description="who it is, with {name} and {language}")
    context: int = Field(4096, ge=512, le=1_000_000, description="tokens that the model takes in, reply included")
    max_tokens: int = Field(300, ge=16, le=4000, description="tokens in one reply")
    temperature: float = Field(0.6, ge=0, le=2, description="0: always the likeliest word")
    seconds: float = Field(60, ge=2, le=600, description="longest time for a reply")
    stall_seconds: float = Field(20, ge=1, le=300, description="the server is given up after so long without a word")
    tools: tuple[str, ...] = Field(
        ("set_timer", "cancel_timer", "add_to_timer", "list_timers", "set_volume", "get_time"),
        description="what the model may do; mqtt_actions and home_assistant add tools of their own",
    )

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("an address such as http://127.0.0.1:8080/v1 is needed")
        return value.rstrip("/")


SCHEMAS: dict[str, type[BaseModel]] = {"conversation": ConversationConfig}
