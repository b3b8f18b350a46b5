"""What travels with avatard: ``config/`` and ``models/``, inside the wheel as ``avatard/_data``."""

from __future__ import annotations

from pathlib import Path

import avatard


def data_file(*parts: str) -> Path:
    """The path of a file under ``config/`` or ``models/``: the wheel's copy, or the checkout's own."""
    package = Path(avatard.__file__).parent
    inside = package / "_data"
    return (inside if inside.is_dir() else package.parent).joinpath(*parts)
