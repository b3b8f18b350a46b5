"""YAML documents that know where each value stands; ``!secret``, ``!include`` and ``!env_var``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from avatard.api.errors import ConfigError

LARGEST = 256_000
"""Bytes in one file"""
DEEPEST = 40
"""Levels of nesting"""
MOST_VALUES = 20_000
"""Values in all, aliases counted each time: no file can blow itself up."""

Where = dict[tuple[str | int, ...], str]
"""Key path → ``file:line``"""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that the user must change."""

    file: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        """``file:line: key: what is wrong, what would be right``."""
        return f"{self.file}:{self.line}: {self.key + ': ' if self.key else ''}{self.text}"


class ConfigProblems(ConfigError):
    """All problems of a configuration at once."""

    def __init__(self, problems: list[Problem]) -> None:
        """Keep the problems; the message has a line for each."""
        self.problems = sorted(problems, key=lambda p: (p.file, p.line))
        super().__init__("\n".join(map(str, self.problems)))


class Secret(str):
    """A secret's value; its repr shows nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Never the value."""
        return "'…secret…'"


def _depth(text: str) -> int:
    """How deep the document is nested; events come without recursion, so no depth can exhaust the stack."""
    depth = deepest = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            deepest = max(deepest, depth)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if deepest > DEEPEST:
            break
    return deepest


class Document:
    """One configuration file with what it includes."""

    def __init__(self, path: Path) -> None:
        """Read the file; ``data`` is its mapping, ``where`` the place of each value.

        Raises:
            ConfigProblems: everything that is wrong with the YAML.
        """
        self.where: Where = {}
        self.problems: list[Problem] = []
        self._root = path.resolve().parent
        self._values = 0
        self._secrets: dict[str, str] | None = None
        self._path = path
        data = self._file(path, (), ())
        if data is None and not self.problems:
            data = {}
        if not self.problems and not isinstance(data, dict):
            self._wrong(path, 1, "", "a mapping of keys is needed, such as 'name: Kitchen'")
        if self.problems:
            raise ConfigProblems(self.problems)
        self.data: dict[str, Any] = data

    def place(self, key: tuple[str | int, ...]) -> tuple[str, int]:
        """The file and line of a key path, or of the nearest key above it."""
        while key and key not in self.where:
            key = key[:-1]
        file, _, line = self.where.get(key, f"{self._path}:1").rpartition(":")
        return file, int(line)

    def _wrong(self, file: Path, line: int, key: str, text: str) -> None:
        self.problems.append(Problem(str(file), line, key, text))

    def _file(self, path: Path, key: tuple[str | int, ...], inside: tuple[Path, ...]) -> Any:
        try:
            if path.stat().st_size > LARGEST:
                self._wrong(path, 1, "", f"larger than {LARGEST} bytes: not a configuration")
                return None
            text = path.read_bytes().decode("utf-8-sig")
            if _depth(text) > DEEPEST:
                self._wrong(path, 1, "", f"nested more than {DEEPEST} levels deep")
                return None
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except OSError as err:
            self._wrong(path, 1, "", f"cannot be read: {err.strerror}")
        except UnicodeDecodeError as err:
            line = err.object[: err.start].count(b"\n") + 1
            self._wrong(path, line, "", "not UTF-8 text; save the file as UTF-8")
        except yaml.YAMLError as err:
            mark = getattr(err, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            self._wrong(path, line, "", f"not YAML: {getattr(err, 'problem', None) or 'unreadable characters'}")
        else:
            return self._value(node, path, key, (*inside, path.resolve())) if node is not None else None
        return None

    def _value(self, node: yaml.Node, path: Path, key: tuple[str | int, ...], inside: tuple[Path, ...]) -> Any:
        line = node.start_mark.line + 1
        self.where.setdefault(key, f"{path}:{line}")
        self._values += 1
        if self._values > MOST_VALUES or len(key) > DEEPEST:
            if not self.problems:
                what = f"more than {MOST_VALUES} values" if self._values > MOST_VALUES else f"over {DEEPEST} levels"
                self._wrong(path, line, "", f"{what}: not a configuration")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, key, inside)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, path, (*key, index), inside) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        if node.tag.startswith("!"):
            return self._tagged(node, path, key, inside)
        try:
            return yaml.SafeLoader("").construct_object(node)
        except (yaml.YAMLError, ValueError) as err:
            self._wrong(path, line, ".".join(map(str, key)), f"{node.value!r} cannot be read: {err}")
            return None

    def _mapping(
        self, node: yaml.MappingNode, path: Path, key: tuple[str | int, ...], inside: tuple[Path, ...]
    ) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name_node, value_node in node.value:
            line = name_node.start_mark.line + 1
            if not isinstance(name_node, yaml.ScalarNode):
                self._wrong(path, line, ".".join(map(str, key)), "a key must be plain text")
                continue
            name = name_node.value
            if name in result:
                self._wrong(path, line, ".".join(map(str, (*key, name))), "stands here twice; remove one")
                continue
            self.where[(*key, name)] = f"{path}:{line}"
            result[name] = self._value(value_node, path, (*key, name), inside)
        return result

    def _tagged(
        self, node: yaml.ScalarNode, path: Path, key: tuple[str | int, ...], inside: tuple[Path, ...]
    ) -> Any:
        line, shown = node.start_mark.line + 1, ".".join(map(str, key))
        if node.tag == "!secret":
            value = self._secret(node.value)
            if value is None:
                self._wrong(path, line, shown, f"secret {node.value!r} is neither in {self._root / 'secrets.yaml'} "
                            "nor in $CREDENTIALS_DIRECTORY; add it there")  # fmt: skip
            return value
        if node.tag == "!env_var":
            name, _, default = node.value.partition(" ")
            if name not in os.environ and not default:
                self._wrong(path, line, shown, f"the environment has no {name}; set it, or give a default after it")
            return os.environ.get(name, default)
        if node.tag == "!include":
            target = (path.parent / node.value).resolve()
            if not target.is_relative_to(self._root):
                self._wrong(path, line, shown, f"!include {node.value}: lies outside {self._root}")
            elif target in inside:
                self._wrong(path, line, shown, f"!include {node.value}: includes itself")
            else:
                del self.where[key]
                return self._file(target, key, inside)
            return None
        self._wrong(path, line, shown, f"unknown tag {node.tag}; known are !secret, !include, !env_var")
        return None

    def _secret(self, name: str) -> str | None:
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if folder and name and "/" not in name and (Path(folder) / name).is_file():
            return Secret((Path(folder) / name).read_text("utf-8").rstrip("\n"))
        if self._secrets is None:
            self._secrets = self._read_secrets(self._root / "secrets.yaml")
        return Secret(self._secrets[name]) if name in self._secrets else None

    def _read_secrets(self, path: Path) -> dict[str, str]:
        """Each value as it is written: a password such as 0123 or yes is no number and no truth."""
        try:
            loaded = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as err:
            mark = getattr(err, "problem_mark", None)
            # The error itself would quote the line.
            why = getattr(err, "strerror", None) or getattr(err, "problem", None) or "not UTF-8 text"
            self._wrong(path, mark.line + 1 if mark else 1, "", f"cannot be read: {why}")
            return {}
        if not isinstance(loaded, dict):
            return {}
        return {name: value for name, value in loaded.items() if isinstance(value, str)}
