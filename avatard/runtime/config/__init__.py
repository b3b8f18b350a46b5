"""YAML to a frozen configuration, every error with its file and line."""

from avatard.runtime.config.core import Core
from avatard.runtime.config.document import ConfigProblems, Problem
from avatard.runtime.config.entry import PlatformEntry
from avatard.runtime.config.loader import (
    DEFAULT,
    Configuration,
    built_in,
    find_file,
    from_mapping,
    load,
)

__all__ = [
    "DEFAULT", "ConfigProblems", "Configuration", "Core", "PlatformEntry", "Problem", "built_in", "find_file",
    "from_mapping", "load",
]  # fmt: skip
