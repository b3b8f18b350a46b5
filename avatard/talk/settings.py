"""What somebody has set while it ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Settings:
    """How it behaves; a house that opens is set to this."""

    muted: bool = False
    volume: int = 100
    """0–100"""
    voice: str = ""
    """Empty: as configured."""
    voice_instead: str = ""
    """What was configured when the voice was chosen: another configuration goes before the choice."""
    face: str = ""
    face_instead: str = ""
    """As for the voice."""

    @classmethod
    def of(cls, data: Any) -> Settings:
        """Read them from what a file held.

        Raises:
            ValueError: it is something else.
        """
        settings = cls()
        if not isinstance(data, dict):
            raise ValueError("not a mapping")
        for name, value in data.items():
            if name not in cls.__slots__:
                continue
            if type(value) is not type(getattr(settings, name)):
                raise ValueError(f"{name}: {value!r}")
            setattr(settings, name, value)
        if not 0 <= settings.volume <= 100:
            raise ValueError(f"volume: {settings.volume}")
        return settings
