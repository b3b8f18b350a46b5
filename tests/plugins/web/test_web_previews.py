"""Small pictures of faces: of those that were shown, of imported ones, and of those that cannot be read."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from portraits import face

from avatard.plugins.web.jpeg import Pictures
from avatard.plugins.web.resting import Films, sign_of


class OnThisThread:
    """A model without a thread."""

    def __init__(self) -> None:
        self.engine = Pictures(85)

    async def call(self, method: str, *args: Any) -> Any:
        return getattr(self.engine, method)(*args)


def seen(png: bytes | None) -> Any:
    assert png is not None
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture.astype(float)


async def test_an_imported_face_is_shown_and_a_broken_one_has_a_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    astronaut = face(tmp_path)
    broken = tmp_path / "broken.face"
    broken.write_bytes(b"no bundle")
    known = {"astronaut": tmp_path / "astronaut.face", "broken": broken}
    monkeypatch.setattr("avatard.face.bundle.names", lambda: known)
    faces = (("astronaut", "broken", "pear", "plum"), "pear")

    async def nothing() -> Any:
        raise AssertionError("nobody looks")

    async def portrait(name: str) -> Any:
        return np.full((64, 64, 3), (10, 200, 90), np.uint8) if name == "plum" else None

    films = Films(
        nothing, OnThisThread(), lambda _: None, lambda: faces, portrait, logging.getLogger("test")  # type: ignore[arg-type]
    )
    assert (seen(await films.preview("plum")) == (10, 200, 90)).all()
    original = cv2.resize(astronaut.frames[0], (256, 256), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(seen(await films.preview("astronaut")) - original).mean() < 1
    for name in ("broken", "pear"):
        assert np.array_equal(seen(await films.preview(name)), sign_of(name).astype(float))
    assert await films.preview("nobody") is None and await films.preview("") is None


def test_signs_differ() -> None:
    signs = [sign_of(name) for name in ("apricot", "pear", "blueberry", "plum")]
    assert all(np.abs(a.astype(int) - b).mean() > 3 for a in signs for b in signs if a is not b)
