"""Options of the platform ``sherpa_onnx``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field


class SttConfig(BaseModel, frozen=True, extra="forbid"):
    """Which model listens."""

    model: str = Field(
        ..., min_length=1, max_length=400,
        description="a model's name in the folder, such as sherpa-onnx-streaming-zipformer-en-20M-2023-02-17, or its "
        "folder",
    )  # fmt: skip
    folder: Path | None = Field(None, description="where the models lie; default: this plugin's state folder")
    threads: int = Field(2, ge=1, le=16, description="threads of the network")
    int8: bool = Field(True, description="take the files with int8 in their name, where there are any")
    rejection: float = Field(0.3, ge=0, le=1, description="least mean probability of the pieces; higher rejects more")


SCHEMAS: dict[str, type[BaseModel]] = {"stt": SttConfig}
