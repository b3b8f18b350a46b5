"""A platform that the configuration names."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from avatard.runtime.manifest import Manifest


@dataclass(frozen=True, slots=True)
class PlatformEntry:
    """One platform of the configuration."""

    platform: str
    domain: str
    manifest: Manifest
    options: BaseModel
    where: str
    """``file:line``"""
