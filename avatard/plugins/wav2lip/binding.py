"""What a file must look like to be a Wav2Lip network, by rank and shape; names do not count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from avatard.api.errors import ConfigError

MEL = (1, 80, 16)
FACE_CHANNELS, PICTURE_CHANNELS = 6, 3
SIZE = 96
"""Pixels a side where the file leaves it open."""
KINDS = {1: "float32", 10: "float16"}
"""TensorProto.DataType of what can be fed."""

NEEDED = (
    "needed are a mel input (batch, 1, 80, 16), a face input (batch, 6, H, W) and a picture output (batch, 3, H, W), "
    "float32 or float16, as exported from Wav2Lip"
)

Dims = tuple[int | None, ...]


@dataclass(frozen=True)
class Port:
    """An input or output of a graph."""

    name: str
    kind: int
    """TensorProto.DataType"""
    dims: Dims
    """None where the file leaves one open."""

    def __str__(self) -> str:
        """As it stands in messages: ``mel float32(batch, 1, 80, 16)``."""
        dims = ", ".join("?" if d is None else str(d) for d in self.dims)
        return f"{self.name} {KINDS.get(self.kind, f'type {self.kind}')}({dims})"


@dataclass(frozen=True)
class Binding:
    """Which input is which."""

    mel: str
    face: str
    picture: str
    height: int
    width: int
    batch: int | None
    """A fixed batch, or None."""
    kind: str
    """float32 or float16"""


def ports(values: Sequence[Any]) -> list[Port]:
    """Read ``ValueInfoProto`` items."""
    found = []
    for value in values:
        tensor = value.type.tensor_type
        dims = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim)
        found.append(Port(value.name, tensor.elem_type, dims))
    return found


def bind(inputs: Sequence[Port], outputs: Sequence[Port], where: str) -> Binding:
    """Tell the inputs apart.

    Raises:
        ConfigError: it is no such network; says what was found and what is needed.
    """

    def refuse(why: str) -> ConfigError:
        found = f"inputs {'; '.join(map(str, inputs)) or 'none'}; outputs {'; '.join(map(str, outputs)) or 'none'}"
        return ConfigError(f"wav2lip: {where}: {why}: found {found}; {NEEDED}")

    mels = [p for p in inputs if _is_mel(p)]
    faces = [p for p in inputs if len(p.dims) == 4 and p.dims[1] == FACE_CHANNELS]
    pictures = [p for p in outputs if len(p.dims) == 4 and p.dims[1] in (PICTURE_CHANNELS, None)]
    if len(inputs) != 2 or len(mels) != 1 or len(faces) != 1:
        raise refuse("not the inputs of a Wav2Lip network")
    if len(outputs) != 1 or len(pictures) != 1:
        raise refuse("not the output of a Wav2Lip network")
    mel, face, picture = mels[0], faces[0], pictures[0]
    if {p.kind for p in (mel, face, picture)} not in [{kind} for kind in KINDS]:
        raise refuse("its numbers are of a kind that is not known")
    height, width = (d or SIZE for d in face.dims[2:])
    if height < 32 or width < 32 or height % 2:
        raise refuse(f"a face of {width}x{height} pixels is too small or odd")
    if any(d not in (None, want) for d, want in zip(picture.dims[2:], (height, width), strict=True)):
        raise refuse("the picture is not of the face's size")
    if mel.dims[0] != face.dims[0]:
        raise refuse("its inputs differ in their batch")
    return Binding(mel.name, face.name, picture.name, height, width, mel.dims[0], KINDS[mel.kind])


def _is_mel(port: Port) -> bool:
    return (
        len(port.dims) == 4
        and all(d in (None, want) for d, want in zip(port.dims[1:], MEL, strict=True))
        and (port.dims[1] == MEL[0])
    )
