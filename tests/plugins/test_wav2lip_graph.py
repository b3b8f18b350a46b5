"""Wav2Lip networks taken apart: the same picture, fewer multiplications; files that cannot serve are named."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from wav2lip import changed, meet, tiny

from avatard.api.errors import ConfigError
from avatard.plugins.wav2lip.architecture import Variant, build
from avatard.plugins.wav2lip.binding import Port, bind
from avatard.plugins.wav2lip.build import Builder
from avatard.plugins.wav2lip.graph import Graph, attributes
from avatard.plugins.wav2lip.parts import Parts, kept
from avatard.plugins.wav2lip.sessions import Ways, open_parts, run, session

ROOM = 1 << 30


def built(model: Path, cache: Path, room: int = ROOM, split: bool = True, full: bool = True) -> tuple[Path, Parts]:
    folder = Path(list(Builder(str(model), str(cache), split, full).build(room))[-1]["folder"])
    parts = kept(folder)
    assert parts is not None
    return folder, parts


def windows(count: int, size: int = 96, seed: int = 3) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    mel = random.uniform(-4, 4, (count, 1, 80, 16)).astype(np.float32)
    face = random.random((count, 6, size, size), np.float32)
    face[:, :3, size // 2 :] = 0
    return mel, face


def whole(model: Path, mel: Any, face: Any, parts: Parts, batch: int | None = None) -> Any:
    opened = session(str(model), Ways())
    half = opened.get_inputs()[0].type == "tensor(float16)"
    fed = {parts.mel: mel, parts.face: face}
    fed = {name: value.astype(np.float16) if half else value for name, value in fed.items()}
    return run(opened, fed, [parts.picture], batch)[0][:, :, parts.height // 2 :].astype(np.float32)


def drawn(folder: Path, parts: Parts, mel: Any, face: Any) -> Any:
    network = open_parts(parts, {name: str(folder / part.file) for name, part in parts.parts.items()})
    return network.draw(mel, [network.look(one[None]) for one in face])


def multiplications(model: Any) -> int:
    """Multiply-accumulates of a model's convolutions for one picture."""
    ports = {v.name: tuple(d.dim_value or 1 for d in v.type.tensor_type.shape.dim) for v in model.graph.input}
    graph = Graph.read(model, ports)
    total = 0
    for node in graph.nodes:
        if node.op_type in ("Conv", "ConvTranspose"):
            place = node.output[0] if node.op_type == "Conv" else node.input[0]
            kernel = graph.weights[node.input[1]].shape[1:]
            total += int(np.prod(graph.shapes[place])) * int(np.prod(kernel))
    return total


def test_the_generated_network_is_of_the_true_size() -> None:
    model = build()
    count = sum(int(np.prod(w.dims)) for w in model.graph.initializer)
    assert round(count / 1e6, 1) == 36.3, count
    assert round(multiplications(model) / 1e6) == 3967


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"names": ("audio", "image", "out")}, {"batch": 8}, {"batch": 1}, {"normalised": True}, {"size": 256},
        {"normalised": True, "batch": 3, "names": ("b", "a", "c")},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("room", [ROOM, 0], ids=["linear", "plain"])
def test_the_parts_draw_the_same_picture(tmp_path: Path, changes: dict[str, Any], room: int) -> None:
    model = tiny(tmp_path, **changes)
    folder, parts = built(model, tmp_path / "cache", room)
    assert parts.resists == "" and set(parts.parts) == {"sound", "face", "joint"}, parts
    assert parts.face_bytes > 0 and folder.name.endswith("linear" if room else "plain")
    mel, face = windows(3, changes.get("size", 96))
    expected = whole(model, mel, face, parts, changes.get("batch"))
    found = drawn(folder, parts, mel, face)
    assert found.shape == expected.shape and np.abs(found - expected).max() < 1e-5
    # The picture follows its sound and its face: what is compared is not one constant.
    assert np.abs(drawn(folder, parts, mel[::-1].copy(), face) - found).max() > 1e-3
    assert np.abs(drawn(folder, parts, mel, face[::-1].copy()) - found).max() > 1e-3


def test_one_sound_tensor_and_seven_of_the_face_are_kept_and_a_third_is_never_computed(tmp_path: Path) -> None:
    model = tiny(tmp_path)
    folder, parts = built(model, tmp_path / "cache", 0)
    assert len(parts.parts["sound"].outputs) == 1 and len(parts.parts["face"].outputs) == 7
    _, linear = built(model, tmp_path / "cache")
    assert linear.face_bytes > parts.face_bytes
    true = tmp_path / "true.onnx"
    true.write_bytes(build(Variant(width=0.25)).SerializeToString())
    folder, _ = built(true, tmp_path / "cache")
    each = sum(multiplications(onnx.load(folder / f"{name}.onnx")) for name in ("sound", "joint"))
    assert each / multiplications(onnx.load(true)) < 0.6


@pytest.mark.parametrize("full", [True, False])
def test_half_precision(tmp_path: Path, full: bool) -> None:
    model = tiny(tmp_path, half=True)
    folder, parts = built(model, tmp_path / "cache", full=full)
    assert (parts.kind, parts.resists) == (("float32", "") if full else ("float16", "it computes in float16"))
    mel, face = windows(2)
    assert np.abs(drawn(folder, parts, mel, face) - whole(model, mel, face, parts)).max() < 5e-3


def test_it_may_be_left_whole(tmp_path: Path) -> None:
    model = tiny(tmp_path, batch=2)
    folder, parts = built(model, tmp_path / "cache", split=False)
    assert set(parts.parts) == {"whole"} and parts.batch == 2
    mel, face = windows(3)
    assert np.array_equal(drawn(folder, parts, mel, face), whole(model, mel, face, parts, 2))


def test_a_graph_whose_inputs_meet_at_once_runs_whole(tmp_path: Path) -> None:
    model = changed(tiny(tmp_path), meet)
    folder, parts = built(model, tmp_path / "cache")
    assert "meet before" in parts.resists and set(parts.parts) == {"whole"}
    mel, face = windows(2)
    assert np.array_equal(drawn(folder, parts, mel, face), whole(model, mel, face, parts))


@pytest.mark.parametrize("op", ["InstanceNormalization", "Softmax"])
@pytest.mark.parametrize("batch", [None, 4])
def test_what_looks_at_the_whole_picture_is_given_all_rows(tmp_path: Path, op: str, batch: int | None) -> None:
    def insert(graph: Any) -> None:
        """Put a node that mixes rows before the decoder's last transposed convolution."""
        last = [node for node in graph.node if node.op_type == "ConvTranspose"][-1]
        weights = {w.name: w for w in graph.initializer}
        channels = weights[last.input[1]].dims[0]
        ones = [numpy_helper.from_array(np.full(channels, v, np.float32), f"norm{v}") for v in (1, 0)]
        graph.initializer.extend(ones)
        given = [last.input[0], "norm1", "norm0"] if op == "InstanceNormalization" else [last.input[0]]
        more = {} if op == "InstanceNormalization" else {"axis": 2}
        graph.node.insert(list(graph.node).index(last), helper.make_node(op, given, ["mixed"], **more))
        last.input[0] = "mixed"

    model = changed(tiny(tmp_path, batch=batch), insert)
    folder, parts = built(model, tmp_path / "cache")
    # Whether it also mixes the pictures of a batch is not known of such a node: a fixed batch stays.
    assert parts.resists == "" and parts.batch == batch
    mel, face = windows(2)
    assert np.abs(drawn(folder, parts, mel, face) - whole(model, mel, face, parts, batch)).max() < 1e-5


def test_its_own_padding_word_is_understood_or_left_alone(tmp_path: Path) -> None:
    def same(graph: Any) -> None:
        for node in graph.node:
            given = attributes(node)
            plain = node.op_type == "Conv" and given["kernel_shape"] == [3, 3] and given["strides"] == [1, 1]
            if plain and any(given["pads"]):
                others = [a for a in node.attribute if a.name != "pads"]
                del node.attribute[:]
                node.attribute.extend([*others, helper.make_attribute("auto_pad", "SAME_UPPER")])

    model = changed(tiny(tmp_path), same)
    folder, parts = built(model, tmp_path / "cache")
    assert parts.resists == ""
    mel, face = windows(1)
    assert np.abs(drawn(folder, parts, mel, face) - whole(model, mel, face, parts)).max() < 1e-5


def test_weights_beside_the_file_and_weights_among_the_inputs(tmp_path: Path) -> None:
    model = tiny(tmp_path)
    mel, face = windows(1)
    folder, parts = built(model, tmp_path / "cache")
    expected = drawn(folder, parts, mel, face)
    beside = tmp_path / "beside.onnx"
    onnx.save(onnx.load(model), beside, save_as_external_data=True, location="beside.onnx.data", size_threshold=0)

    def listed(graph: Any) -> None:
        graph.input.extend(helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in graph.initializer)

    for path in (beside, changed(tiny(tmp_path, "listed.onnx"), listed)):
        folder, parts = built(path, tmp_path / "cache")
        assert parts.resists == "" and np.array_equal(drawn(folder, parts, mel, face), expected)
    data = tmp_path / "beside.onnx.data"
    weights = np.frombuffer(data.read_bytes(), np.float32) * np.float32(0.9)
    data.write_bytes(weights.tobytes())
    other, parts = built(beside, tmp_path / "cache")
    assert np.abs(drawn(other, parts, mel, face) - expected).max() > 1e-3


FACE, MEL, OUT = (None, 6, 96, 96), (None, 1, 80, 16), (None, 3, 96, 96)


@pytest.mark.parametrize(
    ("inputs", "outputs", "why"),
    [
        ([MEL], [OUT], "inputs"),
        ([MEL, (None, 3, 96, 96)], [OUT], "inputs"),
        ([(None, 1, 1, 80, 16), FACE], [OUT], "inputs"),
        ([(None, 1, 128, 16), FACE], [OUT], "inputs"),
        ([MEL, FACE, FACE], [OUT], "inputs"),
        ([MEL, FACE], [OUT, OUT], "output"),
        ([MEL, FACE], [(None, 3, 48, 96)], "not of the face's size"),
        ([MEL, (None, 6, 16, 16)], [(None, 3, 16, 16)], "too small"),
        ([(4, 1, 80, 16), (8, 6, 96, 96)], [(8, 3, 96, 96)], "batch"),
    ],
)
def test_other_shapes_are_refused_with_what_was_found_and_what_is_needed(
    inputs: list[Any], outputs: list[Any], why: str
) -> None:
    ports = [Port(f"in{n}", 1, dims) for n, dims in enumerate(inputs)]
    with pytest.raises(ConfigError) as caught:
        bind(ports, [Port(f"out{n}", 1, dims) for n, dims in enumerate(outputs)], "lips.onnx")
    said = str(caught.value)
    assert why in said and "lips.onnx" in said and str(ports[0]) in said and "(batch, 6, H, W)" in said, said


def test_numbers_of_another_kind_are_refused() -> None:
    ports = [Port("a", TensorProto.DOUBLE, MEL), Port("b", TensorProto.DOUBLE, FACE)]
    with pytest.raises(ConfigError, match="kind"):
        bind(ports, [Port("c", TensorProto.DOUBLE, OUT)], "lips.onnx")


def test_open_sizes_are_those_of_the_original() -> None:
    found = bind([Port("a", 1, MEL), Port("b", 1, (None, 6, None, None))], [Port("c", 1, (None,) * 4)], "x")
    assert (found.height, found.width, found.batch, found.mel, found.face) == (96, 96, None, "a", "b")


def damaged(path: Path, how: str) -> Path:
    data = path.read_bytes()
    if how == "cut short":
        path.write_bytes(data[: len(data) * 2 // 3])
    elif how == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(4000))
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "gone":
        path.unlink()
    elif how == "nan":
        changed(path, lambda g: g.initializer[4].CopyFrom(numpy_helper.from_array(
            np.full(tuple(g.initializer[4].dims), np.nan, np.float32), g.initializer[4].name)))  # fmt: skip
    elif how == "0 / 0":
        changed(path, nothing_by_nothing)
    return path


def nothing_by_nothing(graph: Any) -> None:
    graph.node[-1].output[0] = "picture"
    graph.node.extend([
        helper.make_node("Sub", ["picture", "picture"], ["nothing"]),
        helper.make_node("Div", ["nothing", "nothing"], [graph.output[0].name]),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("cut short", "cut short"), ("noise", "not an ONNX network"), ("empty", "no ONNX network"),
        ("gone", "there is no file"), ("nan", "weights .* are not numbers"), ("0 / 0", "picture is not a number"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_serve_is_named_and_leaves_nothing(tmp_path: Path, how: str, said: str) -> None:
    model = damaged(tiny(tmp_path), how)
    with pytest.raises(ConfigError, match=said) as caught:
        built(model, tmp_path / "cache")
    assert str(model) in str(caught.value)
    assert not (tmp_path / "cache").exists() or os.listdir(tmp_path / "cache") == []


def test_another_network_is_refused(tmp_path: Path) -> None:
    port = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 224, 224])
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])], "g", [port], [helper.make_tensor_value_info("y", 1, [1, 3, 224, 224])]
    )
    path = tmp_path / "other.onnx"
    path.write_bytes(helper.make_model(graph, ir_version=8).SerializeToString())
    with pytest.raises(ConfigError, match=r"found inputs x float32\(1, 3, 224, 224\)"):
        built(path, tmp_path / "cache")


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_what_was_made_is_found_again(tmp_path: Path) -> None:
    model = tiny(tmp_path)
    folder, parts = built(model, tmp_path / "cache")
    before = stamps(folder)
    assert built(model, tmp_path / "cache") == (folder, parts) and stamps(folder) == before
    other, _ = built(tiny(tmp_path, "other.onnx", seed=2), tmp_path / "cache")
    assert other != folder and sorted(p.name for p in (tmp_path / "cache").iterdir()) == sorted(
        [folder.name, other.name]
    )


@pytest.mark.parametrize("how", ["flipped", "short", "gone", "no description", "foreign description", "other version"])
def test_what_was_damaged_is_made_again(tmp_path: Path, how: str) -> None:
    model = tiny(tmp_path)
    folder, parts = built(model, tmp_path / "cache")
    part, description = folder / "joint.onnx", folder / "parts.json"
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    {
        "flipped": lambda: part.write_bytes(data), "short": lambda: part.write_bytes(data[:100]), "gone": part.unlink,
        "no description": description.unlink, "foreign description": lambda: description.write_text("[1, 2]"),
        "other version": lambda: description.write_text(description.read_text().replace('on": 1', 'on": 0')),
    }[how]()  # fmt: skip
    assert kept(folder) is None
    assert built(model, tmp_path / "cache") == (folder, parts)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(ConfigError, match=r"cache.*cannot be kept: Not a directory|cache.*File exists"):
        built(tiny(tmp_path), tmp_path / "cache")


def test_a_full_disk_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    model = tiny(tmp_path)
    old = tmp_path / "cache" / ".part-killed"
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
        with pytest.raises(ConfigError, match=r"cannot be kept: File too large; make room there"):
            built(model, tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert os.listdir(tmp_path / "cache") == []


LOOKS = [np.random.default_rng(n).integers(0, 256, (64, 64, 3), np.uint8).tobytes() for n in range(2)]


def in_eight_bits(model: Path, cache: Path) -> tuple[Path, list[dict[str, str]]]:
    steps = list(Builder(str(model), str(cache), True, True).build(ROOM, LOOKS))
    return Path(steps[-1]["folder"]), steps


@pytest.mark.parametrize("changes", [{}, {"batch": 2, "half": True}, {"size": 256}], ids=str)
def test_eight_bits_draw_nearly_the_same_picture(tmp_path: Path, changes: dict[str, Any]) -> None:
    model = tiny(tmp_path, width=1 / 8, **changes)
    folder, parts = built(model, tmp_path / "cache")
    rounded, _ = in_eight_bits(model, tmp_path / "cache")
    found = kept(rounded)
    assert found is not None and rounded != folder
    joint = onnx.load(rounded / "joint.onnx").graph
    assert sum(node.op_type == "QuantizeLinear" for node in joint.node) > 15
    assert sum(w.data_type == TensorProto.INT8 and len(w.dims) == 4 for w in joint.initializer) > 8
    mel, face = windows(2, changes.get("size", 96))
    exact, near = drawn(folder, parts, mel, face), drawn(rounded, found, mel, face)
    off = np.abs(exact - near)
    assert 0 < off.mean() < 0.03 and not np.array_equal(near[0], near[1])
    before = stamps(rounded)
    again, steps = in_eight_bits(model, tmp_path / "cache")
    assert again == rounded and len(steps) == 1 and stamps(rounded) == before


def test_eight_bits_that_draw_something_else_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatard.plugins.wav2lip.int8.NEAR", 1e-9)
    folder, steps = in_eight_bits(tiny(tmp_path), tmp_path / "cache")
    assert folder.name.endswith("linear") and "eight bits are not used" in steps[-2]["warning"]
    whole_one, steps = in_eight_bits(changed(tiny(tmp_path, "other.onnx"), meet), tmp_path / "cache")
    assert kept(whole_one).resists and "meet before" in steps[-2]["warning"]  # type: ignore[union-attr]


@pytest.mark.long
def test_the_true_network_draws_the_same_picture(tmp_path: Path) -> None:
    model = tiny(tmp_path, width=1.0)
    folder, parts = built(model, tmp_path / "cache")
    mel, face = windows(4)
    assert np.abs(drawn(folder, parts, mel, face) - whole(model, mel, face, parts)).max() < 1e-5
