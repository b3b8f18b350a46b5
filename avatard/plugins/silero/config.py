"""Options of the platform ``silero``."""

from __future__ import annotations

from pydantic import BaseModel


class VadConfig(BaseModel, frozen=True, extra="forbid"):
    """Nothing to choose: what counts as speech is ``listening: vad_threshold``."""


SCHEMAS: dict[str, type[BaseModel]] = {"vad": VadConfig}
