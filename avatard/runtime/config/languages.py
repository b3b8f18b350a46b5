"""Whoever knows some languages alone must know the household's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from avatard.runtime.config.core import Core
from avatard.runtime.config.entry import PlatformEntry

OTHERS = {
    "stt": "set stt to vosk or whisper with a model of this language ('avatard models list' shows them), or to null "
    "to hear nothing",
    "conversation": "set conversation to home_assistant, mqtt_actions or a language model such as openai",
}
"""Domain → what else serves where a platform does not know the language."""


def unspoken(
    core: Core, stages: Mapping[str, tuple[PlatformEntry, ...]], data: Mapping[str, Any]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Each platform that does not know the language: the key that is wrong, and what would be right."""
    for domain, advice in OTHERS.items():
        given = data.get(domain)
        if domain == "stt" and given is None and not core.listening.enabled:
            continue
        for index, entry in enumerate(stages[domain]):
            known = entry.manifest.languages
            if known and core.language.split("-")[0] not in known:
                key: tuple[str | int, ...] = (domain,) if domain in data else ("language",)
                yield (
                    (domain, index) if isinstance(given, list) else key,
                    f"{entry.platform} knows {', '.join(known)} alone, not {core.language}: {advice}",
                )
