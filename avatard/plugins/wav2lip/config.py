"""Options of the platform ``wav2lip``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

Provider = Literal["cpu", "cuda", "tensorrt"]


class RenderConfig(BaseModel, frozen=True, extra="forbid"):
    """A mouth drawn by a Wav2Lip network."""

    model: Path | Literal["random"] = Field(
        ..., description="the network: an .onnx file of your own, or its name (avatard models add); "
        "'random' is one without any training, to measure with",
    )
    face: str = Field("default", description="which face: a name of avatard faces list, or a file")
    size: int = Field(512, ge=128, le=1024, multiple_of=16, description="width and height of the picture, pixels")
    threads: int = Field(2, ge=1, le=64, description="threads of the network")
    batch: int = Field(4, ge=1, le=32, description="most pictures drawn at once while it is ahead")
    audio_offset_ms: int = Field(
        0, ge=-200, le=200, description="shift of what the network hears: 0 as Wav2Lip runs, -40 as it was trained"
    )
    split: bool = Field(True, description="take the network apart; false runs it as it is")
    precision: Literal["full", "int8"] = Field(
        "full", description="int8 takes about half the time on a CPU; its picture is nearly the same"
    )
    keep_mb: int = Field(128, ge=8, le=4096, description="memory for what is kept of the face's pictures, megabytes")
    providers: Literal["auto"] | tuple[Provider, ...] = Field(
        "auto", description="where it computes, the best first: auto, or a list of cpu, cuda, tensorrt"
    )
    python: Path | None = Field(
        None, description="another interpreter for the network, one with numpy and onnxruntime for the graphics card"
    )


SCHEMAS: dict[str, type[BaseModel]] = {"render": RenderConfig}
