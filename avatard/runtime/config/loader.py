"""From a YAML file to a frozen configuration: every error at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from avatard.api.errors import ConfigError
from avatard.runtime.config.core import Core
from avatard.runtime.config.document import ConfigProblems, Document, Problem
from avatard.runtime.config.entry import PlatformEntry
from avatard.runtime.config.languages import unspoken
from avatard.runtime.config.wording import fields, nearest, said
from avatard.runtime.manifest import CUSTOM, discover, missing, schema_for, shipped

DOMAINS: dict[str, Literal["one", "list"]] = {
    "microphone": "one", "wake_word": "one", "vad": "one", "stt": "list", "conversation": "list", "tts": "list",
    "encoder": "list", "display": "list", "echo": "list", "stop_word": "one",
}  # fmt: skip
"""Key → whether it takes one platform or a list."""

DEFAULT: dict[str, Any] = {
    "microphone": "sounddevice", "wake_word": "microwakeword", "vad": "silero", "stt": "pocketsphinx",
    "conversation": "intents", "tts": "espeak", "encoder": "ffmpeg", "display": "speaker",
    "echo": ["webrtc", "linear"], "stop_word": "pocketsphinx",
}  # fmt: skip
"""What serves where the file says nothing."""
DEFAULT_AVATAR: dict[str, Any] = {"face": "default", "render": ["drawn"]}

BRIDGES = ("mqtt", "web", "wyoming", "hooks")
"""Keys that a plugin of the same name brings; off unless they stand in the file."""

SYSTEM_FILE = Path("/etc/avatard/avatard.yaml")


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole, checked configuration."""

    core: Core
    stages: Mapping[str, tuple[PlatformEntry, ...]]
    source: str
    memory_place: str
    """``FILE:LINE`` of the memory budget."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.core.name

    @property
    def id(self) -> str:
        """Its id in topics and paths."""
        return self.core.id or re.sub(r"[^a-z0-9]+", "-", self.core.name.lower()).strip("-") or "avatard"

    @property
    def language(self) -> str:
        """Language code."""
        return self.core.language

    @property
    def rooms(self) -> tuple[str, ...]:
        """Room names, lower case."""
        return tuple(room.lower() for room in self.core.household)


def find_file(given: Path | None = None) -> Path | None:
    """The file that counts: the given one, the system's, the user's; None for the built-in default."""
    if given is not None:
        return given
    for path in (SYSTEM_FILE, Path.home() / ".config" / "avatard" / "avatard.yaml"):
        if path.exists():
            return path
    return None


def load(path: Path | None = None) -> Configuration:
    """Read a configuration; None gives the built-in default.

    Raises:
        ConfigProblems: every error, each with its file and line.
    """
    if path is None:
        return from_mapping({})
    document = Document(path)
    return _Reading(document.data, document, str(path)).configuration()


def from_mapping(data: Mapping[str, Any], source: str = "<built-in>") -> Configuration:
    """A configuration from Python data, as ``load`` gives for a file.

    Raises:
        ConfigProblems: every error.
    """
    return _Reading(dict(data), None, source).configuration()


def built_in(platform: str, domain: str, **options: Any) -> PlatformEntry:
    """A platform that ships, with its default options but these."""
    manifest = shipped()[platform]
    return PlatformEntry(platform, domain, manifest, schema_for(manifest, domain)(**options), "<built-in>:1")


class _Reading:
    """One file while it is read."""

    def __init__(self, data: dict[str, Any], document: Document | None, source: str) -> None:
        self._data, self._document, self._source = data, document, source
        self._problems: list[Problem] = []
        try:
            self._plugins = discover(Path(source).parent / CUSTOM if document else None)
        except ConfigError as err:
            raise ConfigProblems([Problem(source, 1, "", str(err))]) from err

    def configuration(self) -> Configuration:
        """Check everything, then raise or return."""
        core_keys = set(Core.model_fields)
        bridges = {name for name, manifest in self._plugins.items() if "bridge" in manifest.provides}
        known = core_keys | set(DOMAINS) | {"avatar"} | bridges
        for key in self._data:
            if key in BRIDGES and key not in bridges:
                self._wrong((key,), f"no installed plugin provides {key}; remove it or install one")
            elif key not in known:
                self._wrong((key,), "unknown key" + nearest(key, known))
        core = self._validated(Core, {k: v for k, v in self._data.items() if k in core_keys}, ())
        stages = {domain: self._domain(domain) for domain in DOMAINS}
        stages["render"] = self._avatar()
        opened = (self._bridge(name) for name in self._data if name in bridges)
        stages["bridge"] = tuple(entry for entry in opened if entry is not None)
        if isinstance(core, Core):
            for where, text in unspoken(core, stages, self._data):
                self._wrong(where, text)
        if self._problems:
            raise ConfigProblems(self._problems)
        assert isinstance(core, Core)
        return Configuration(core, stages, self._source, "{}:{}".format(*self._place(("memory", "budget_mb"))))

    def _domain(self, domain: str) -> tuple[PlatformEntry, ...]:
        value = self._data.get(domain, DEFAULT[domain])
        several = value if isinstance(value, list) else [value]
        if value is None:
            return ()
        if DOMAINS[domain] == "one" and len(several) != 1:
            self._wrong((domain,), "one platform is needed, not a list")
        keys = [(domain, index) if isinstance(value, list) else (domain,) for index in range(len(several))]
        return tuple(e for k, v in zip(keys, several, strict=True) if (e := self._entry(domain, v, k)) is not None)

    def _bridge(self, name: str) -> PlatformEntry | None:
        options = {} if self._data[name] is None else self._data[name]
        if not isinstance(options, dict):
            self._wrong((name,), f"a mapping of {name}'s options is needed")
            return None
        return self._entry("bridge", {"platform": name, **options}, (name,))

    def _avatar(self) -> tuple[PlatformEntry, ...]:
        avatar = self._data.get("avatar", DEFAULT_AVATAR)
        if not isinstance(avatar, dict):
            self._wrong(("avatar",), "a mapping is needed: face: NAME, render: [platform …]")
            return ()
        for key in avatar:
            if key not in ("face", "render"):
                self._wrong(("avatar", key), "unknown key" + nearest(key, ("face", "render")))
        renders = avatar.get("render", DEFAULT_AVATAR["render"])
        several = renders if isinstance(renders, list) else [renders]
        face = avatar.get("face", DEFAULT_AVATAR["face"])
        entries = (
            self._entry("render", value, ("avatar", "render", index), {"face": face})
            for index, value in enumerate(several)
        )
        return tuple(entry for entry in entries if entry is not None)

    def _entry(
        self, domain: str, value: Any, key: tuple[str | int, ...], extra: Mapping[str, Any] | None = None
    ) -> PlatformEntry | None:
        options = {"platform": value} if isinstance(value, str) else value
        if not isinstance(options, dict) or not isinstance(options.get("platform"), str):
            self._wrong(key, "a platform is needed, such as {platform: NAME}")
            return None
        platform = options["platform"]
        offers = sorted(name for name, m in self._plugins.items() if domain in m.provides)
        at = (*key, "platform") if isinstance(value, dict) else key
        if platform not in offers:
            self._wrong(at, f"no platform {platform!r} for {domain}{nearest(platform, offers)}; "
                        f"there are {', '.join(offers) or 'none'}")  # fmt: skip
            return None
        manifest = self._plugins[platform]
        if lacking := missing(manifest):
            self._wrong(at, f"{platform} needs {', '.join(lacking)}: pip install {' '.join(map(repr, lacking))}")
            return None
        try:
            schema = schema_for(manifest, domain)
        except ConfigError as err:
            self._wrong(at, str(err))
            return None
        given = {k: v for k, v in options.items() if k != "platform"}
        inherited = {k: v for k, v in (extra or {}).items() if k in schema.model_fields and k not in given}
        checked = self._validated(schema, given | inherited, key)
        file, line = self._place(key)
        return PlatformEntry(platform, domain, manifest, checked, f"{file}:{line}") if checked is not None else None

    def _validated(self, schema: type[BaseModel], data: Any, key: tuple[str | int, ...]) -> BaseModel | None:
        try:
            return schema.model_validate(data)
        except ValidationError as err:
            found: dict[tuple[str | int, ...], list[str]] = {}
            for error in err.errors(include_input=False, include_url=False):
                where = self._written(key, error["loc"], schema)
                if error["type"] == "extra_forbidden":
                    text = "unknown key" + nearest(str(where[-1]), fields(schema, where[len(key) : -1]))
                else:
                    text = said(error)
                found.setdefault(where, []).append(text)
            for where, texts in found.items():
                self._wrong(where, ", or ".join(texts))  # several: of a value that may be of several kinds
            return None

    def _written(
        self, key: tuple[str | int, ...], loc: tuple[str | int, ...], schema: type[BaseModel]
    ) -> tuple[str | int, ...]:
        """The keys that an error is about; pydantic puts the kinds that a value may be of among them."""
        known = self._document.where if self._document else None
        for part in loc:
            if known is None or (*key, part) in known or part in schema.model_fields:
                key = (*key, part)
        return key

    def _place(self, key: tuple[str | int, ...]) -> tuple[str, int]:
        return self._document.place(key) if self._document else (self._source, 1)

    def _wrong(self, key: tuple[str | int, ...], text: str) -> None:
        file, line = self._place(key)
        self._problems.append(Problem(file, line, ".".join(map(str, key)), text))
