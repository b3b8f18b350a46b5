"""A Silero network in onnxruntime: 512 samples at a time, a state for each source."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.errors import ConfigError

RATE = 16_000
CHUNK, CONTEXT = 512, 64
"""Samples that are new, and those before them that the network sees again. Source: snakers4/silero-vad."""
STATE = (2, 1, 128)

Floats = NDArray[np.float32]


@dataclass(slots=True)
class Source:
    """One microphone's state."""

    state: Floats = field(default_factory=lambda: np.zeros(STATE, np.float32))
    before: Floats = field(default_factory=lambda: np.zeros(CONTEXT, np.float32))
    waiting: bytearray = field(default_factory=bytearray)
    probability: float = 0.0


class SileroOnnxEngine:
    """Tells speech from everything else."""

    def __init__(self, model: str) -> None:
        """Load the network; an empty path is that of the package silero-vad.

        Raises:
            ConfigError: the file is no Silero network.
        """
        path = Path(model).expanduser() if model else _packaged()
        self._network = _loaded(path)
        self._takes_rate = "sr" in {put.name for put in self._network.get_inputs()}
        self._sources: dict[int, Source] = {}
        try:
            self._chunk(Source(), np.zeros(CHUNK, np.float32))
        except Exception as err:  # onnxruntime raises a kind of its own for each reason
            raise ConfigError(f"vad: {path}: does not detect ({str(err).splitlines()[0]}); get it again") from err

    def open(self, number: int) -> None:
        """Begin on one source."""
        self._sources[number] = Source()

    def end(self, number: int) -> None:
        """Forget a source."""
        self._sources.pop(number, None)

    def feed(self, number: int, sound: bytes) -> float:
        """Take int16 sound of any length; return the newest probability, 0–1."""
        source = self._sources[number]
        source.waiting += sound
        while len(source.waiting) >= 2 * CHUNK:
            samples = np.frombuffer(bytes(source.waiting[: 2 * CHUNK]), np.int16)
            del source.waiting[: 2 * CHUNK]
            source.probability = self._chunk(source, samples.astype(np.float32) / np.float32(32_768))
        return source.probability

    def _chunk(self, source: Source, samples: Floats) -> float:
        fed: dict[str, Any] = {"input": np.concatenate([source.before, samples])[None], "state": source.state}
        if self._takes_rate:
            fed["sr"] = np.array(RATE, np.int64)
        probability, source.state = self._network.run(["output", "stateN"], fed)
        source.before = samples[-CONTEXT:]
        value = float(np.asarray(probability).reshape(-1)[0])
        return value if 0 <= value <= 1 else 0.0


def _packaged() -> Path:
    # Not imported: the package would bring torch.
    spec = find_spec("silero_vad")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / "data" / "silero_vad.onnx"
        if path.is_file():
            return path
    raise ConfigError("vad: silero_onnx: give 'model: silero_vad.onnx', or pip install --no-deps silero-vad")


def _loaded(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        network = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as err:  # onnxruntime raises a kind of its own for each reason
        reason = str(err).strip().splitlines()[0]
        raise ConfigError(f"vad: {path}: no ONNX network, or cut short ({reason}); get it again") from err
    puts = {put.name for put in (*network.get_inputs(), *network.get_outputs())}
    if not puts >= {"input", "state", "output", "stateN"}:
        raise ConfigError(f"vad: {path}: an ONNX network, but none of Silero's, version 5 or later; get it again")
    return network
