"""Engines find what ``avatard models`` installed, by its name, and say which command helps where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from avatard.api.errors import ConfigError, NotReady
from avatard.runtime.config import from_mapping
from avatard.runtime.house import open_house


@pytest.mark.parametrize(
    ("domain", "entry", "name"),
    [
        ("tts", {"platform": "piper", "voice": "en_US-ljspeech-medium"}, "en_US-ljspeech-medium"),
        ("stt", {"platform": "vosk", "model": "vosk-small-en"}, "vosk-small-en"),
        ("stt", {"platform": "whisper", "model": "whisper-tiny"}, "whisper-tiny"),
    ],
)
async def test_what_is_not_installed_says_which_command_helps(
    tmp_path: Path, domain: str, entry: dict[str, Any], name: str
) -> None:
    settings = {
        d: {"platform": "scripted"} for d in ("microphone", "wake_word", "vad", "stt", "tts", "encoder", "conversation")
    } | {"name": "test", "avatar": {"render": ["scripted"]}, "display": {"platform": "scripted"}, domain: entry}
    with pytest.raises((NotReady, ConfigError), match=rf"avatard models pull {name}"):
        async with open_house(from_mapping(settings)):
            pass
