"""Fingers and mice, read beside whoever else reads them: nothing is grabbed, and only that they moved is looked at."""

from __future__ import annotations

import asyncio
import logging
import os
import struct
from collections.abc import Callable
from pathlib import Path

WORD = struct.calcsize("l") * 8
"""Bits of one word of a device's capabilities."""
DIRECT, BTN_TOUCH, REL_X = 1, 0x14A, 0
"""INPUT_PROP_DIRECT, BTN_TOUCH, REL_X of linux/input-event-codes.h."""
PAUSE = 1.0
"""Seconds that a device is not listened to after it was touched: a mouse sends up to 1,000 events a second."""
MOST = 100
"""Reads at once of what waits at a device."""


class Fingers:
    """Calls ``touched(device)`` when somebody touches a device, at most once a second for each."""

    def __init__(self, root: Path, touched: Callable[[str], None], logger: logging.Logger) -> None:
        """Open nothing yet."""
        self._root, self._touched, self._logger = root, touched, logger
        self._open: dict[str, int] = {}
        """Device, e.g. ``event3`` → descriptor"""
        self._names: dict[str, str] = {}
        self._pauses: dict[str, asyncio.TimerHandle] = {}
        self._denied = False

    def look(self) -> None:
        """Open the devices that there are and that are not open yet; those that went have closed themselves."""
        for folder in sorted((self._root / "sys/class/input").glob("event*")):
            if folder.name in self._open or not is_pointer(folder / "device"):
                continue
            try:
                self._begin(folder)
            except OSError as err:
                if not self._denied:
                    self._denied = True
                    self._logger.info(
                        "touch: /dev/input/%s: %s; put the user into the group input, or set 'touch: false'",
                        folder.name, err.strerror or err,
                    )  # fmt: skip

    def close(self) -> None:
        """Close all of them."""
        for name in list(self._open):
            self._end(name)

    def _begin(self, folder: Path) -> None:
        name = folder.name
        descriptor = os.open(self._root / "dev/input" / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._open[name], self._names[name] = descriptor, _text(folder / "device/name") or name
        try:
            self._listen(name)
        except OSError:
            self._end(name)
            raise

    def _listen(self, name: str) -> None:
        asyncio.get_running_loop().add_reader(self._open[name], self._read, name)

    def _read(self, name: str) -> None:
        if not self._drained(name):
            self._end(name)
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._open[name])
        self._pauses[name] = loop.call_later(PAUSE, self._resume, name)
        self._touched(self._names[name])

    def _resume(self, name: str) -> None:
        # What came in the meantime belongs to the same touch, unless it goes on.
        if self._drained(name):
            self._listen(name)
        else:
            self._end(name)

    def _drained(self, name: str) -> bool:
        """Read what waits; False where the device is gone."""
        try:
            for _ in range(MOST):
                if not os.read(self._open[name], 4096):
                    return False
        except BlockingIOError:
            return True
        except OSError:  # unplugged
            return False
        return True

    def _end(self, name: str) -> None:
        if pause := self._pauses.pop(name, None):
            pause.cancel()
        descriptor = self._open.pop(name)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


def is_pointer(device: Path) -> bool:
    """Whether it is a touch screen, a touch pad or a mouse, by what the kernel says of it in sysfs."""
    return (
        _has(device / "properties", DIRECT)
        or _has(device / "capabilities/key", BTN_TOUCH)
        or _has(device / "capabilities/rel", REL_X)
    )


def _has(path: Path, bit: int) -> bool:
    words = _text(path).split()
    index, place = divmod(bit, WORD)
    try:
        return bool(int(words[-1 - index], 16) >> place & 1) if index < len(words) else False
    except ValueError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
