"""The pages as files: read once, served from memory, so that no path leads anywhere else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "pages"
KINDS = {
    ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png",
    ".webmanifest": "application/manifest+json", ".ico": "image/x-icon", ".woff2": "font/woff2",
    ".json": "application/json", ".wasm": "application/wasm", ".jpg": "image/jpeg",
}  # fmt: skip
YEAR = 365 * 86400
"""Seconds"""
TEXT = (".html", ".css", ".js", ".svg", ".webmanifest", ".json")


@dataclass(frozen=True, slots=True, eq=False)
class Asset:
    """A file."""

    data: bytes
    kind: str
    tag: str
    """Another content has another one."""


class Site:
    """All files of the pages."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Read them."""
        self.assets = {
            path.relative_to(folder).as_posix(): _asset(path) for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in KINDS
        }  # fmt: skip
        joined = "".join(f"{name}{asset.tag}" for name, asset in self.assets.items())
        self.version = hashlib.sha256(joined.encode()).hexdigest()[:12]
        """Pages of another version load themselves again."""

    def page(self, name: str) -> Asset | None:
        """A page, e.g. ``talk``."""
        return self.assets.get(f"{name}.html")

    def part(self, name: str) -> Asset | None:
        """What a page loads, e.g. ``face.js``."""
        return None if name.endswith(".html") else self.assets.get(name)


def _asset(path: Path) -> Asset:
    data = path.read_bytes()
    kind = KINDS[path.suffix] + ("; charset=utf-8" if path.suffix in TEXT else "")
    return Asset(data, kind, hashlib.sha256(data).hexdigest()[:16])
