"""``custom_plugins/`` as a package, for the daemon and for its children. Standard library only."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

PACKAGE = "avatard_custom"


def mount(folder: str) -> None:
    """Make each folder in it importable as ``avatard_custom.<name>``; the modules of another one are forgotten."""
    package = sys.modules.get(PACKAGE)
    if package is not None and list(package.__path__) == [folder]:
        return
    for name in [n for n in sys.modules if n.startswith(PACKAGE + ".")]:
        del sys.modules[name]
    package = ModuleType(PACKAGE, "Plugins beside the configuration file.")
    package.__path__ = [folder]
    sys.modules[PACKAGE] = package
    importlib.invalidate_caches()


def mounted() -> str:
    """The folder that is mounted; empty where none is."""
    package = sys.modules.get(PACKAGE)
    return package.__path__[0] if package is not None else ""
