"""The wheel, and avatard as it runs from one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

PARTS = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "avatard", "config", "systemd", "models")


def build(source: Path, out: Path, with_models: bool) -> Path:
    """A wheel of a copy of the checkout."""
    source.mkdir()
    for name in PARTS:
        part = ROOT / name
        if part.is_dir():
            shutil.copytree(part, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif part.exists():
            shutil.copy(part, source / name)
    shutil.rmtree(source / "models", ignore_errors=True)
    if with_models:
        (source / "models" / "lipsync").mkdir(parents=True)
        (source / "models" / "lipsync" / "net.onnx").write_bytes(b"weights")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(out), str(source)],
        check=True, timeout=120,
    )  # fmt: skip
    return next(out.glob("avatard-*.whl"))


@pytest.mark.parametrize("with_models", [False, True])
def test_what_travels_in_the_wheel(with_models: bool, tmp_path: Path) -> None:
    wheel = zipfile.ZipFile(build(tmp_path / "source", tmp_path / "out", with_models))
    names = set(wheel.namelist())
    for folder in ("config", "systemd"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                inside = f"avatard/_data/{path.relative_to(ROOT)}"
                assert inside in names, inside
                assert wheel.read(inside) == path.read_bytes(), inside
    assert ("avatard/_data/models/lipsync/net.onnx" in names) is with_models
    assert {"avatard/plugins/espeak/manifest.yaml", "avatard/py.typed"} <= names
    pages = {f"avatard/plugins/web/pages/{path.name}" for path in (ROOT / "avatard/plugins/web/pages").iterdir()}
    assert pages <= names and "avatard/plugins/web/pages/index.html" in pages, pages - names
    assert not [name for name in names if name.endswith(".pyc") or name.startswith(("config", "tests", "systemd"))]

    wheel.extractall(tmp_path / "site")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    script = "from avatard.runtime.data import data_file; print(data_file('config', 'avatard.yaml'))"
    where = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60, env=environment,
        cwd=tmp_path,
    ).stdout.strip()  # fmt: skip
    assert where == str(tmp_path / "site" / "avatard" / "_data" / "config" / "avatard.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "avatard", "check", "-c", where], capture_output=True, text=True, check=False,
        timeout=60, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"OK  {where}"), done
