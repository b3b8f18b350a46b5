"""Files that cannot be used: a ranking tells what is wrong and goes on with its next engine."""

from __future__ import annotations

import asyncio
import json
import re
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save_model
from wav2lip import bundle, changed, tiny

from avatard.api.errors import ConfigError
from avatard.api.news import EngineChanged, Problem, TurnReport
from avatard.cli.bench_head import write_head
from avatard.runtime.config import Configuration
from avatard.runtime.foundation import open_foundation
from avatard.runtime.house import House, furnished, open_house

Scripted = Callable[..., Configuration]


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def not_numbers(path: Path) -> None:
    def spoil(graph: Any) -> None:
        weights = graph.initializer[3]
        values = np.full(tuple(weights.dims), np.nan, np.float32)
        weights.CopyFrom(numpy_helper.from_array(values, weights.name))

    changed(path, spoil)


def foreign(path: Path) -> None:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 224, 224]) for name in ("image", "seen")]
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["seen"])], "other", ports[:1], ports[1:])
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def of_a_newer_format(path: Path) -> None:
    rewritten(path, lambda head: head | {"format": 99})


def with_a_wrong_hash(path: Path) -> None:
    rewritten(path, lambda head: head | {"boxes": [[0, 0, 9, 9]]})


def rewritten(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    (name,) = (name for name in parts if name.endswith(".json"))
    parts[name] = json.dumps(change(json.loads(parts[name]))).encode()
    with zipfile.ZipFile(path, "w") as fresh:
        for part, data in parts.items():
            fresh.writestr(part, data)


def renderer(platform: str, folder: Path) -> dict[str, Any]:
    options: dict[str, Any] = {"platform": platform}
    if platform == "wav2lip":
        options |= {"face": str(bundle(folder)), "model": str(tiny(folder)), "size": 128}
    else:
        options["face"] = str(write_head(folder / "drawn.face"))
    return options


async def said(house: House, text: str) -> TurnReport:
    return await (await house.door.say(text)).finished


@asynccontextmanager
async def opened(configuration: Configuration) -> AsyncIterator[tuple[House, list[Any]]]:
    """A house, and every model that it has."""
    async with open_foundation(configuration) as foundation, furnished(configuration, foundation) as house:
        yield house, foundation.governor.belongings.models


@pytest.mark.parametrize(
    ("platform", "spoilt", "spoil", "needs"),
    [
        ("wav2lip", "model", cut_short, "cut short"), ("wav2lip", "model", not_numbers, "are not numbers"),
        ("wav2lip", "model", foreign, r"\(.*80, 16\)"), ("wav2lip", "model", Path.unlink, "there is no file"),
        ("wav2lip", "face", with_a_wrong_hash, "does not match its hash"),
        ("warp", "face", with_a_wrong_hash, "does not match its hash"),
        ("warp", "face", of_a_newer_format, "install a newer avatard"),
    ],
)  # fmt: skip
async def test_the_next_renderer_serves_and_the_file_is_named(
    scripted: Scripted, tmp_path: Path, platform: str, spoilt: str, spoil: Callable[[Path], None], needs: str
) -> None:
    options = renderer(platform, tmp_path)
    spoil(Path(options[spoilt]))
    async with open_house(scripted(avatar={"render": [options, "scripted"]})) as house:
        assert house.door.status().engines["render"] == "scripted"
        what = house.door.status().problems[f"render.{platform}"]
        report = await said(house, "Still here.")
        assert (report.reply, report.error) == ("Still here.", "")
        assert report.frames["count"] > 0
    assert Path(options[spoilt]).name in what
    assert re.search(needs, what), what
    with pytest.raises(ConfigError, match=needs):
        async with open_house(scripted(avatar={"render": [options]})):
            raise AssertionError("it is the only one")


async def test_a_face_that_is_spoilt_later_hands_over_within_the_sentence(scripted: Scripted, tmp_path: Path) -> None:
    options = renderer("warp", tmp_path)
    async with opened(scripted(avatar={"render": [options, "scripted"]})) as (house, models):
        assert (await said(house, "With a face.")).error == ""
        assert house.door.status().engines["render"] == "warp"
        (puppet,) = (m for m in models if m.name == "render.warp")
        await puppet.unload()
        with_a_wrong_hash(Path(options["face"]))
        with house.feed.subscribe(256) as news:
            report = await said(house, "Whatever becomes of it.")
            events = news.waiting()
        assert (report.reply, report.error) == ("Whatever becomes of it.", "")
        assert report.frames["count"] > 0
        assert [e.engine for e in events if isinstance(e, EngineChanged)] == ["scripted"]
        (problem,) = (e for e in events if isinstance(e, Problem))
    assert problem.where == "render.warp" and options["face"] in problem.what


async def test_a_network_that_is_spoilt_later_hands_over_within_the_sentence(
    scripted: Scripted, tmp_path: Path
) -> None:
    options = renderer("wav2lip", tmp_path)
    async with opened(scripted(avatar={"render": [options, "scripted"]})) as (house, models):
        assert (await said(house, "With a face.")).error == ""
        for model in models:
            if model.name.startswith("render.wav2lip"):
                await model.unload()
        for part in tmp_path.rglob("joint.onnx"):
            cut_short(part)
        report = await said(house, "Whatever becomes of it.")
        assert (report.reply, report.error) == ("Whatever becomes of it.", "")
        assert house.door.status().engines["render"] == "scripted"


async def test_what_works_again_is_a_problem_no_more(scripted: Scripted, tmp_path: Path) -> None:
    options = renderer("warp", tmp_path)
    path = Path(options["face"])
    sound = path.read_bytes()
    with_a_wrong_hash(path)
    configuration = scripted(avatar={"render": [options, "scripted"]})
    async with open_foundation(configuration) as foundation:
        async with furnished(configuration, foundation) as house:
            assert "render.warp" in house.door.status().problems
        path.write_bytes(sound)
        async with furnished(configuration, foundation) as house:
            await asyncio.sleep(0.05)
            assert "render.warp" not in house.door.status().problems
            assert house.door.status().engines["render"] == "warp"
        with_a_wrong_hash(path)
        async with furnished(configuration, foundation) as house:
            assert "render.warp" in house.door.status().problems
        without = scripted()
        async with furnished(without, foundation) as house:
            await asyncio.sleep(0.05)
            assert "render.warp" not in house.door.status().problems
