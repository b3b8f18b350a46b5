"""Plugin manifests: read without importing anything of the plugin."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement

import avatard.plugins
from avatard.api.errors import ConfigError
from avatard.runtime.custom import PACKAGE, mount
from avatard.runtime.timing import timed

CUSTOM = "custom_plugins"
"""The folder beside the configuration file that holds a household's own plugins."""
GROUP = "avatard.plugins"
"""The entry-point group of plugins in wheels; the value names their package."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a plugin says of itself."""

    name: str
    provides: tuple[str, ...]
    summary: str
    requires: tuple[str, ...]
    isolate: bool
    folder: Path
    package: str
    languages: tuple[str, ...] = ()
    """Language codes without region, where it knows these alone."""


def read(folder: Path, package: str) -> Manifest:
    """Read ``folder/manifest.yaml``.

    Raises:
        ConfigError: naming the file, what is wrong and what would be right.
    """
    path = folder / "manifest.yaml"
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read: {err.strerror}; a plugin needs a manifest.yaml") from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        mark = getattr(err, "problem_mark", None)
        raise ConfigError(f"{path}:{mark.line + 1 if mark else 1}: not YAML: {err}") from err
    if not isinstance(data, dict):
        raise ConfigError(f"{path}:1: a mapping is needed: name, provides, summary, requires, isolate, languages")
    known = {"name": str, "provides": list, "summary": str, "requires": list, "isolate": bool, "languages": list}
    for key, value in data.items():
        if key not in known:
            raise ConfigError(f"{path}: {key}: unknown key; known are {', '.join(known)}")
        if not isinstance(value, known[key]):
            raise ConfigError(f"{path}: {key}: {value!r} is no {known[key].__name__}")
    for key in ("name", "provides", "summary"):
        if not data.get(key):
            raise ConfigError(f"{path}: {key}: is missing")
    requires = tuple(map(str, data.get("requires", ())))
    for requirement in requires:
        try:
            Requirement(requirement)
        except InvalidRequirement as err:
            raise ConfigError(f"{path}: requires: {requirement!r} is no pip requirement: {err}") from err
    return Manifest(
        data["name"], tuple(map(str, data["provides"])), data["summary"], requires, data.get("isolate", False), folder,
        package, tuple(map(str, data.get("languages", ()))),
    )  # fmt: skip


@cache
def shipped() -> Mapping[str, Manifest]:
    """The plugins that ship, by name; their code stays as it is while we run, so they are read once.

    Raises:
        ConfigError: a manifest is broken.
    """
    root = Path(next(iter(avatard.plugins.__path__)))
    paths = sorted(root.glob("*/manifest.yaml"))
    return {path.parent.name: read(path.parent, f"avatard.plugins.{path.parent.name}") for path in paths}


def discover(custom: Path | None = None) -> dict[str, Manifest]:
    """All plugins by name: those that ship, those of other wheels, and those in the folder ``custom``.

    Raises:
        ConfigError: a manifest is broken, or a name is taken.
    """
    found = dict(shipped())
    for point in entry_points(group=GROUP):
        spec = importlib.util.find_spec(point.value)
        if spec is None or not spec.submodule_search_locations:
            raise ConfigError(f"plugin {point.name}: its package {point.value} cannot be found; install it again")
        found[point.name] = read(Path(spec.submodule_search_locations[0]), point.value)
    if custom is not None and custom.is_dir():
        found |= _beside(custom, found)
    return found


def _beside(custom: Path, taken: Mapping[str, Manifest]) -> dict[str, Manifest]:
    """The plugins in a folder beside the configuration file."""
    found: dict[str, Manifest] = {}
    for folder in sorted(p for p in custom.iterdir() if p.is_dir() and p.name[0] not in "._"):
        if not folder.name.isidentifier():
            raise ConfigError(f"{folder}: a plugin's folder is named like a Python module, such as my_plugin")
        manifest = read(folder, f"{PACKAGE}.{folder.name}")
        if manifest.name != folder.name:
            file = folder / "manifest.yaml"
            raise ConfigError(f"{file}: name: {manifest.name!r} must be its folder's, {folder.name!r}")
        if folder.name in taken:
            raise ConfigError(f"{folder}: there is a plugin {folder.name!r} already ({taken[folder.name].folder}); "
                              "choose another name")  # fmt: skip
        found[folder.name] = manifest
    if found:
        mount(str(custom.resolve()))
    return found


def missing(manifest: Manifest) -> list[str]:
    """The requirements that are not installed, or in the wrong version."""
    lacking = []
    for text in manifest.requires:
        requirement = Requirement(text)
        try:
            if requirement.specifier and not requirement.specifier.contains(version(requirement.name), True):
                lacking.append(text)
        except PackageNotFoundError:
            lacking.append(text)
    return lacking


def schema_for(manifest: Manifest, domain: str) -> Any:
    """The pydantic model of the options for this domain, the core's included; imports its ``config`` module alone.

    Raises:
        ConfigError: the plugin has none.
    """
    file = manifest.folder / "config.py"
    try:
        schema = import_module(f"{manifest.package}.config").SCHEMAS[domain]
        return timed(schema) if domain == "display" else schema
    except (ImportError, AttributeError, KeyError) as err:
        raise ConfigError(f"{file}: SCHEMAS[{domain!r}] is missing: {err}") from err
    except Exception as err:  # a stranger's module may fail in any way
        raise ConfigError(f"{file}: cannot be imported: {type(err).__name__}: {err}") from err
