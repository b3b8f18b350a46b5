"""Looks up a picture in the film of the face at rest."""

from __future__ import annotations

from typing import Any

import cv2


class FilmReader:
    """Opens a film and decodes one picture of it."""

    def picture(self, path: str, seconds: float) -> Any:
        """The picture that is seen at this time of the film; None where it cannot be had."""
        film = cv2.VideoCapture(path)
        try:
            fps = film.get(cv2.CAP_PROP_FPS)
            if not film.isOpened() or fps <= 0:
                return None
            film.set(cv2.CAP_PROP_POS_FRAMES, max(0, round(seconds * fps)))
            found, picture = film.read()
            return picture if found else None
        finally:
            film.release()
