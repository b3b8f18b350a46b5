"""A panel with a backlight of its own, which the kernel offers as files."""

from __future__ import annotations

import errno
from pathlib import Path

from avatard.api.errors import NotReady

ON, OFF = 0, 4
"""FB_BLANK_UNBLANK and FB_BLANK_POWERDOWN, as the kernel's ABI/stable/sysfs-class-backlight has them."""
BEST = ("firmware", "platform", "raw")
"""Types of backlight, the one to be preferred first (the same page)."""
RIGHTS = (
    "install systemd/99-avatard.rules as /etc/udev/rules.d/99-avatard.rules (systemd/install.sh does), put the user "
    "into the group video, and start again"
)
READ_ONLY = "give the service ReadWritePaths, see docs/install.md, 'A backlight'"


class Sysfs:
    """Switches by ``bl_power`` where the panel has that, else by brightness 0; dims by ``brightness``."""

    name = "sysfs"

    def __init__(self, root: Path, device: str = "") -> None:
        """Take one backlight below ``root``.

        Raises:
            NotReady: there is none, or not this one.
        """
        folder = root / "sys/class/backlight"
        there = sorted(folder.glob("*"), key=_rank) if folder.is_dir() else []
        self._folder = next((path for path in there if device in ("", path.name)), Path())
        if self._folder == Path():
            names = ", ".join(path.name for path in there) or "none"
            raise NotReady(f"sysfs: no backlight{f' {device!r}' if device else ''} in {folder}; there is {names}")
        self._most = self._read("max_brightness")
        if self._most < 1:
            raise NotReady(f"sysfs: {self._folder / 'max_brightness'} is {self._most}")
        self._level = self._read("brightness") or self._most

    def prove(self) -> None:
        """See that it may be written, by what it is already.

        Raises:
            NotReady: it may not.
        """
        self._write("brightness", self._read("brightness"))

    async def switch(self, on: bool) -> None:
        """Switch, then read."""
        if (self._folder / "bl_power").exists():
            self._write("bl_power", ON if on else OFF)
            if on and self._read("brightness") == 0:
                self._write("brightness", self._level)
        else:
            self._write("brightness", self._level if on else 0)

    async def dim(self, percent: int) -> None:
        """Set the level; where it is off by brightness 0, the level for when it comes on."""
        self._level = max(1, round(self._most * percent / 100))
        if (self._folder / "bl_power").exists() or self._read("brightness") > 0:
            self._write("brightness", self._level)

    async def close(self) -> None:
        """Nothing was changed beside."""

    def _read(self, name: str) -> int:
        path = self._folder / name
        try:
            return int(path.read_text())
        except (OSError, ValueError) as err:
            raise NotReady(f"sysfs: {path}: {getattr(err, 'strerror', None) or err}") from err

    def _write(self, name: str, value: int) -> None:
        path = self._folder / name
        try:
            path.write_text(f"{value}\n")
        except OSError as err:
            raise NotReady(f"sysfs: {path}: {err.strerror or err}{_advice(err)}") from err
        if (is_ := self._read(name)) != value:
            raise NotReady(f"sysfs: {path}: {value} was written, but it is {is_}")


def denied(err: NotReady) -> bool:
    """Whether only the right to write is missing."""
    return isinstance(err.__cause__, OSError) and err.__cause__.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


def _advice(err: OSError) -> str:
    if err.errno in (errno.EACCES, errno.EPERM):
        return f"; {RIGHTS}"
    return f"; {READ_ONLY}" if err.errno == errno.EROFS else ""


def _rank(folder: Path) -> tuple[int, str]:
    try:
        kind = (folder / "type").read_text().strip()
    except OSError:
        kind = ""
    return BEST.index(kind) if kind in BEST else len(BEST), folder.name
