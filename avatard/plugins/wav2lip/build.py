"""Makes the parts: reads the file, takes it apart, and proves that the parts draw the same picture."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api.errors import ConfigError

from . import architecture
from .binding import Binding, bind, ports
from .files import as_float32, check_weights, files, read
from .graph import Array, Graph, per_picture
from .int8 import in_int8
from .parts import Part, Parts, digest, kept, sources, under_way, write
from .rows import Rows
from .sessions import Ways, open_parts, run, session
from .split import Cut, Resists, cut, fold_normalisation, split_convolutions

SAME = 1e-4
"""How far a picture of the parts may be from the whole graph's, of 1; what is measured is near 1e-6."""
SAME_AS_HALF = 2e-2
"""The same, where the whole graph computes in float16; near 1e-3."""
OLDEST = 10
"""Opset: rows cannot be cut by inputs before it."""
RANDOM = "random"
"""In the place of a file: a network without training."""
LARGEST = 2_000_000_000
"""Bytes: more is no single protobuf file."""


class Builder:
    """Makes the parts of one file, or finds them made."""

    def __init__(self, model: str, cache: str, split: bool, full_precision: bool) -> None:
        """Say which file.

        Args:
            model: the ONNX file, or ``random``.
            cache: the folder for the parts.
            split: False leaves it whole.
            full_precision: make float32 of float16, which a CPU computes with anyway.
        """
        self._random, self._cache = model == RANDOM, Path(cache)
        self._model = self._cache / "random.onnx" if self._random else Path(model).expanduser()
        self._split, self._full = split, full_precision

    def build(self, room: int, looks: list[bytes] = []) -> Iterator[dict[str, str]]:  # noqa: B006 - only read
        """Make what is not made yet; yield what it is ``doing``, ``warning``s, and at last the ``folder``.

        Args:
            room: how many bytes of each avatar picture may be kept.
            looks: to compute in eight bits: pictures of the avatar's face, square, uint8 BGR.

        Raises:
            ConfigError: the file cannot serve.
        """
        if self._random and not self._model.is_file():
            self._cache.mkdir(parents=True, exist_ok=True)
            architecture.write(self._model)
        if not self._model.is_file():
            raise ConfigError(f"wav2lip: model: there is no file {self._model}; give the path of a Wav2Lip .onnx")
        if not 0 < self._model.stat().st_size < LARGEST:
            raise ConfigError(f"wav2lip: {self._model}: {self._model.stat().st_size} bytes are no ONNX network")
        name = digest(*files(self._model)) + ("-32" if self._full else "")
        for way in ("linear", "plain") if self._split else ("whole",):
            folder = self._cache / f"{name}-{way}"
            try:
                made = kept(folder) or (yield from self._make(folder, way))
            except OSError as err:
                raise full(folder, err) from err
            if made.resists or made.face_bytes <= room:
                break
        if looks:
            name = hashlib.blake2b(b"".join(looks), digest_size=8).hexdigest()
            try:
                into = Path(f"{folder}-int8-{name}")
                for doing in in_int8(folder, made, [_square(look) for look in looks], into):
                    yield {"doing": doing}
                folder = into
            except Resists as why:
                yield {"warning": f"eight bits are not used: {why}"}
            except OSError as err:
                raise full(folder, err) from err
        yield {"folder": str(folder)}

    def _make(self, folder: Path, way: str) -> Generator[dict[str, str], None, Parts]:
        yield {"doing": f"reading {self._model}"}
        model, binding = self._read()
        check_weights(model, str(self._model))
        yield {"doing": "running it whole"}
        pictures = whole_pictures(str(self._model), binding)
        if not np.isfinite(pictures).all():
            raise ConfigError(f"wav2lip: {self._model}: its picture is not a number; the file is damaged")
        try:
            yield {"doing": "taking it apart"}
            parts, models = self._apart(model, binding, way)
            del model
            with under_way(folder) as made:
                yield {"doing": f"keeping it in {folder}"}
                parts = write(made, parts, models)
                yield {"doing": "comparing the parts' picture"}
                prove(parts, sources(made, parts), pictures)
        except Resists as why:
            models = {"whole": self._read()[0]}
            parts = _described(binding, resists=str(why), parts={"whole": Part("", "", {}, {})})
            with under_way(folder) as made:
                parts = write(made, parts, models)
        return parts

    def _read(self) -> tuple[Any, Binding]:
        model = read(self._model)
        binding = bind(ports(_inputs(model)), ports(model.graph.output), str(self._model))
        if self._full and binding.kind == "float16":
            as_float32(model)
            binding = replace(binding, kind="float32")
        return model, binding

    def _apart(self, model: Any, binding: Binding, way: str) -> tuple[Parts, dict[str, Any]]:
        if way == "whole":
            raise Resists("split is off")
        if binding.kind != "float32":
            raise Resists("it computes in float16")
        try:
            shape = {binding.mel: (1, 1, 80, 16), binding.face: (1, 6, binding.height, binding.width)}
            graph = Graph.read(model, shape)
        except Exception as err:  # shape inference raises its own kinds
            raise Resists(f"its shapes cannot be told: {err}") from err
        if graph.opset < OLDEST:
            raise Resists(f"its opset is {graph.opset}, older than {OLDEST}")
        fold_normalisation(graph)
        if way == "linear":
            split_convolutions(graph, binding)
        return take_apart(graph, binding, cut(graph, binding))


def full(folder: Path, err: OSError) -> ConfigError:
    """Say that the parts cannot be written."""
    return ConfigError(f"wav2lip: {folder}: its parts cannot be kept: {err.strerror}; make room there")


def take_apart(graph: Graph, binding: Binding, where: Cut) -> tuple[Parts, dict[str, Any]]:
    """Make the three models of a graph and describe them."""
    joint = graph.between((*where.mel, *where.face), [binding.picture])
    rows = Rows(graph, joint, binding.picture, binding.height // 2)
    rows.apply()
    shapes = {name: _kept_shape(graph.shapes[name], rows.start(name)) for name in (*where.mel, *where.face)}
    start = rows.start(binding.picture)
    free = binding.batch is None or all(per_picture(node) for node in graph.nodes)
    batch = None if free else binding.batch
    full = {name: graph.shapes[name][1:] for name in (binding.mel, binding.face, *where.mel, *where.face)}
    picture = (*graph.shapes[binding.picture][1:2], binding.height - start, binding.width)
    models = {
        "sound": graph.model({binding.mel: full[binding.mel]}, {n: full[n] for n in where.mel}, batch),
        "face": graph.model({binding.face: full[binding.face]}, {n: full[n] for n in where.face}, batch),
        "joint": graph.model(shapes, {binding.picture: picture}, batch),
    }
    parts = {
        "sound": Part("", "", {binding.mel: 0}, {n: rows.start(n) for n in where.mel}),
        "face": Part("", "", {binding.face: 0}, {n: rows.start(n) for n in where.face}),
        "joint": Part("", "", {n: rows.start(n) for n in shapes}, {binding.picture: start}),
    }
    size = sum(4 * int(np.prod(shapes[name])) for name in where.face)
    return replace(_described(binding, "", parts), batch=batch, face_bytes=size), models


def trial(binding: Binding | Parts) -> tuple[Array, Array]:
    """Two mels and two faces by which ways of computing are compared."""
    random = np.random.default_rng(7)
    mel = random.uniform(-4, 4, (2, 1, 80, 16)).astype(np.float32)
    face = random.random((2, 6, binding.height, binding.width), np.float32)
    face[:, :3, binding.height // 2 :] = 0
    return mel, face


def whole_pictures(source: str, binding: Binding) -> Array:
    """Run the whole graph on ``trial``; its picture is in its own precision.

    Raises:
        ConfigError: it does not run, or gives another shape.
    """
    mel, face = trial(binding)
    try:
        opened = session(source, Ways())
        half = "float16" in opened.get_inputs()[0].type
        fed = {name: v.astype(np.float16) if half else v for name, v in ((binding.mel, mel), (binding.face, face))}
        pictures = run(opened, fed, [binding.picture], binding.batch)[0]
    except Exception as err:  # onnxruntime has its own kinds
        raise ConfigError(f"wav2lip: {source}: it does not run: {str(err).splitlines()[0]}") from err
    if pictures.shape != (2, 3, binding.height, binding.width):
        raise ConfigError(f"wav2lip: {source}: its picture has the shape {pictures.shape}, not a face's")
    return pictures


def prove(parts: Parts, opened: dict[str, str], pictures: Array) -> None:
    """Let the parts draw what the whole graph has drawn of ``trial``.

    Raises:
        Resists: they draw something else.
    """
    mel, faces = trial(parts)
    try:
        network = open_parts(parts, opened)
        drawn = network.draw(mel, [network.look(face[None]) for face in faces])
    except Exception as err:  # onnxruntime has its own kinds
        raise Resists(f"its parts do not run: {err}") from err
    off = float(np.abs(drawn - pictures[:, :, parts.lower :].astype(np.float32)).max())
    if not off <= (SAME_AS_HALF if pictures.dtype == np.float16 else SAME):
        raise Resists(f"its parts draw another picture (by {off:.2g})")


def _square(look: bytes) -> Array:
    side = isqrt(len(look) // 3)
    return np.frombuffer(look, np.uint8).reshape(side, side, 3)


def _inputs(model: Any) -> list[Any]:
    """What is fed: old files list their weights among the inputs."""
    weights = {w.name for w in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def _described(binding: Binding, resists: str, parts: dict[str, Part]) -> Parts:
    return Parts(binding.height, binding.width, binding.mel, binding.face, binding.picture, binding.batch,
                 binding.kind, resists, parts)  # fmt: skip


def _kept_shape(shape: tuple[int, ...], start: int) -> tuple[int, ...]:
    return (shape[1], shape[2] - start, *shape[3:]) if start else shape[1:]
