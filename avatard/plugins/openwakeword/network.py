"""A user's own ONNX network on openWakeWord's embeddings: a wake word, or a verifier of who said it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.errors import ConfigError

EMBEDDING = 96
"""Numbers in one embedding; one comes every 80 ms. Source: openWakeWord."""
WINDOW = 16
"""Embeddings that a verifier sees."""

Floats = NDArray[np.float32]


class Network:
    """Takes the newest embeddings and returns a probability."""

    def __init__(self, file: str) -> None:
        """Load an ONNX file.

        Raises:
            ConfigError: it is none, or takes something else.
        """
        path = Path(file)
        self.id = path.stem
        self._session = _opened(path)
        put = self._session.get_inputs()[0]
        self._name = put.name
        self._flat = len(put.shape) == 2
        size = put.shape[-1] if self._flat else put.shape[1] if len(put.shape) == 3 else None
        size = size // EMBEDDING if self._flat and isinstance(size, int) else size
        self.window = size if isinstance(size, int) else WINDOW
        self._seen = np.zeros((self.window, EMBEDDING), np.float32)
        self._count = 0
        try:
            self.probability(self._seen)
        except Exception as err:  # onnxruntime raises a kind of its own for each reason
            raise ConfigError(f"wake_word: {path}: no network on openWakeWord's embeddings "
                              f"({str(err).splitlines()[0]}); get it again") from err  # fmt: skip

    def probability(self, embeddings: Floats) -> float:
        """Of the newest ``window`` embeddings; the last output's last number, as scikit-learn's converter writes it."""
        part = embeddings[-self.window :]
        fed = part.reshape(1, -1) if self._flat else part[None]
        return float(np.asarray(self._session.run(None, {self._name: fed})[-1]).reshape(-1)[-1])

    def process_streaming(self, embeddings: Floats) -> Iterator[float]:
        """Take new embeddings (1, 1, n, 96); yield a probability for each, once the window is full."""
        for embedding in embeddings.reshape(-1, EMBEDDING):
            self._seen = np.concatenate([self._seen[1:], embedding[None]])
            self._count += 1
            if self._count >= self.window:
                yield self.probability(self._seen)


def _opened(path: Path) -> Any:
    import onnxruntime

    if not path.is_file() or path.suffix != ".onnx":
        what = "a pickle can run anything: convert it to ONNX" if path.suffix in (".pkl", ".joblib") else "no ONNX file"
        raise ConfigError(f"wake_word: {path}: {what}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except ImportError:
        raise
    except Exception as err:  # onnxruntime raises a kind of its own for each reason
        reason = str(err).strip().splitlines()[0]
        raise ConfigError(f"wake_word: {path}: no ONNX network, or cut short ({reason}); get it again") from err
