"""``avatard bench lipsync``: every renderer on the same pictures; what cannot be had is left out with a word."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from wav2lip import tiny

from avatard.__main__ import main
from avatard.cli import bench_lipsync
from avatard.cli.bench_head import landmarks, write_head
from avatard.face.bundle import load

pytestmark = pytest.mark.pair
"""The processes of a split network wait for each other: among four others it takes seven times as long."""


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a few pictures: that there are figures is asked, not how large they are."""
    monkeypatch.setattr(bench_lipsync, "WARM", 5)
    monkeypatch.setattr(bench_lipsync, "VISIT", 5)


def test_each_case_has_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "lipsync", "--json", "--frames", "4", "--model", str(tiny(tmp_path))]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == {"cases", "sgemm_gflops", "cpu"} and figures["sgemm_gflops"] > 0
    assert [case["renderer"] for case in figures["cases"]] == ["whole", "split", "int8", "shapes", "warp", "drawn"]
    for case in figures["cases"]:
        assert set(case) == {"renderer", "model", "threads", "ms_per_frame", "memory_mb"}
        costs = case["ms_per_frame"]
        assert costs["cpu_min"] > 0 and 0 < costs["p50"] <= costs["p95"], case
    whole, split = figures["cases"][:2]
    assert (whole["model"], split["threads"]) == ("tiny.onnx", 1)


def test_a_model_that_cannot_serve_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = str(tmp_path / "gone.onnx")
    assert main(["bench", "lipsync", "--json", "--frames", "2", "--model", gone]) == 0
    said = capsys.readouterr()
    assert [case["renderer"] for case in json.loads(said.out)["cases"]] == ["shapes", "warp", "drawn"]
    assert f"split is left out: wav2lip: model: there is no file {gone}" in said.err


def test_the_head_to_measure_on_is_a_face(tmp_path: Path) -> None:
    face = load(write_head(tmp_path / "a.face"))
    left, top, width, height = face.boxes[0]
    marks = landmarks()
    for points in (marks.lips, marks.eyes):
        flat = points.reshape(-1, 2)
        assert (flat > (left, top)).all() and (flat < (left + width, top + height)).all()
    assert np.all(np.diff(marks.lips[:, 10, 1]) > 0)
