"""The network on its thread or in its child: crops and mel windows in, lower halves of pictures out, all as bytes.

It imports numpy and onnxruntime and nothing heavier, so that another interpreter (3.10 or later) can serve it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api.errors import NotReady

from .parts import kept, sources
from .sessions import Array, Features, Ways, open_parts

PROVIDERS = {"tensorrt": "TensorrtExecutionProvider", "cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
AUTO = ("cuda", "cpu")
"""TensorRT builds its engine for minutes at the first start: it is taken only where the configuration names it."""


class Engine:
    """Draws mouths; keeps what it has computed of the faces that it was shown last."""

    def __init__(self, folder: str, threads: int, providers: list[str], room: int) -> None:
        """Open the parts.

        Args:
            folder: where a ``Builder`` has left them.
            threads: of each part.
            providers: ``auto``, or names of ``PROVIDERS``, the best first.
            room: bytes for what is kept of faces.

        Raises:
            NotReady: the parts are gone, or a provider is not there.
        """
        parts = kept(Path(folder))
        if parts is None:
            raise NotReady(f"wav2lip: its parts in {folder} are gone or damaged; they are made again at the next start")
        self._parts, self._room = parts, room
        ways = _ways(threads, providers, Path(folder))
        self._network = open_parts(parts, sources(Path(folder), parts), ways)
        self._faces: OrderedDict[bytes, Features] = OrderedDict()
        self._kept = 0

    def describe(self) -> dict[str, Any]:
        """Say what it takes and how it runs.

        Returns:
            height and width, why it runs whole where it does, and of how many faces there is room for what is kept.
        """
        return {
            "height": self._parts.height, "width": self._parts.width, "resists": self._parts.resists,
            "room": self._room // max(1, self._parts.face_bytes),
        }  # fmt: skip

    def warm(self, crops: list[bytes]) -> None:
        """Look at faces before they are shown, and draw once."""
        for crop in crops:
            self._look(crop)
        self.draw(crops[:1], np.full((1, 80, 16), -4, np.float32).tobytes())

    def draw(self, crops: list[bytes], mel: bytes) -> bytes:
        """Draw the lower half of each picture.

        Args:
            crops: of each picture its face, (H, W, 3) uint8 BGR.
            mel: of each picture its window, (80, 16) float32.

        Returns:
            (n, H/2, W, 3) uint8 BGR.

        Raises:
            ValueError: the network's picture is not a number.
        """
        windows = np.frombuffer(mel, np.float32).reshape(len(crops), 1, 80, 16)
        drawn = self._network.draw(windows, [self._look(crop) for crop in crops])
        if not np.isfinite(drawn).all():
            raise ValueError("the network's picture is not a number")
        pixels = np.clip(drawn * 255 + 0.5, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)).tobytes()

    def close(self) -> None:
        """Let go of everything."""
        self._faces.clear()
        del self._network

    def _look(self, crop: bytes) -> Features:
        name = hashlib.blake2b(crop, digest_size=16).digest()
        if name in self._faces:
            self._faces.move_to_end(name)
            return self._faces[name]
        features = self._network.look(masked(crop, self._parts.height, self._parts.width))
        size = sum(value.nbytes for value in features.values())
        while self._faces and self._kept + size > self._room:
            _, oldest = self._faces.popitem(last=False)
            self._kept -= sum(value.nbytes for value in oldest.values())
        self._faces[name] = features
        self._kept += size
        return features


def masked(crop: bytes, height: int, width: int) -> Array:
    """What the network takes of a face: itself with its lower half black, and itself; shape (1, 6, H, W), 0-1."""
    pixels = np.frombuffer(crop, np.uint8).reshape(height, width, 3).transpose(2, 0, 1).astype(np.float32) / 255
    upper = pixels.copy()
    upper[:, height // 2 :] = 0
    return np.concatenate([upper, pixels])[None]


def _ways(threads: int, wanted: list[str], folder: Path) -> Ways:
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if wanted == ["auto"]:
        names = [PROVIDERS[name] for name in AUTO if PROVIDERS[name] in there]
    else:
        names = [PROVIDERS[name] for name in wanted]
        if lacking := [name for name in names if name not in there]:
            raise NotReady(f"wav2lip: this onnxruntime has no {', '.join(lacking)}; it has {', '.join(there)}")
    engines = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(folder), "trt_fp16_enable": "1"}
    return Ways(threads, tuple(names), tuple(engines if "Tensorrt" in name else {} for name in names))
