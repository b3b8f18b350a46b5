"""Options of the platform ``home_assistant``."""

from __future__ import annotations

from pydantic import BaseModel, Field, SecretStr, field_validator


class ConversationConfig(BaseModel, frozen=True, extra="forbid"):
    """Where Home Assistant is, and who answers there."""

    url: str = Field("http://homeassistant.local:8123", description="where Home Assistant is")
    token: SecretStr = Field(
        min_length=1, description="a long-lived access token, made in Home Assistant under your profile, Security; "
        "use !secret"
    )  # fmt: skip
    agent_id: str = Field(
        "", max_length=255, description="who answers there, such as conversation.home_assistant; "
        "default: its own choice"
    )  # fmt: skip
    pass_on: tuple[str, ...] = Field(
        ("no_intent_match",), description="errors that the next in the chain answers; add no_valid_targets where a "
        "language model stands behind it"
    )  # fmt: skip
    seconds: float = Field(10, ge=1, le=120, description="longest time for an answer")

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("an address such as http://homeassistant.local:8123 is needed")
        return value.rstrip("/").removesuffix("/api")

    @field_validator("token")
    @classmethod
    def _one_line(cls, value: SecretStr) -> SecretStr:
        stripped = value.get_secret_value().strip()
        if not stripped.isascii() or not stripped.isprintable() or " " in stripped or not stripped:
            raise ValueError("a token is one line of letters and digits; copy it again")
        return SecretStr(stripped)


SCHEMAS: dict[str, type[BaseModel]] = {"conversation": ConversationConfig}
