"""The leaves on top: they sway a little."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from .pen import Patch, Pen
from .scene import HEAD, LEAVES

STEPS = 3
"""Positions a unit."""
KEPT = 12
"""Bent positions that are kept, 0.3 MB each at 512 pixels. There are some fifty, about equally frequent; with twelve
45 % of the pictures bend the leaves anew, which takes 0.3 ms."""


class Leaves:
    """Bends the leaves' patch and keeps what was bent last."""

    def __init__(self, cv2: Any, scale: float, base: Patch) -> None:
        """Learn how far each place of the patch follows: all of it at the tips, none at its border."""
        self._cv2 = cv2
        left, top, right, _ = LEAVES
        self._pen = Pen(cv2, scale, (left, top), (right, HEAD[1] - HEAD[3] + 6))
        self._still: Patch = self._pen.of(base).copy()
        rows, columns = np.mgrid[0 : self._pen.height, 0 : self._pen.width].astype(np.float32)
        u, v = columns / (self._pen.width - 1), rows / (self._pen.height - 1)
        edge = np.clip(np.minimum(u, 1 - u) / 0.14, 0, 1) * np.clip(v / 0.2, 0, 1)
        self._follow = (edge * edge * (3 - 2 * edge) * np.clip(1 - v, 0, 1) * scale).astype(np.float32)
        self._columns, self._rows = columns, rows
        self._bent: OrderedDict[int, Patch] = OrderedDict()

    def draw(self, canvas: Patch, sway: float) -> None:
        """Draw the leaves with their tips ``sway`` units to the right."""
        step = round(sway * STEPS)
        if step not in self._bent:
            across = self._columns - self._follow * (step / STEPS)
            room = self._bent.popitem(last=False)[1] if len(self._bent) == KEPT else None
            self._bent[step] = self._cv2.remap(self._still, across, self._rows, self._cv2.INTER_LINEAR, room)
        self._bent.move_to_end(step)
        self._pen.of(canvas)[:] = self._bent[step]
