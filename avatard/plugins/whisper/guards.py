"""What Whisper makes up where nobody speaks is not taken for speech. Standard library only."""

from __future__ import annotations

import re
import zlib

LOUD = 40
"""Of int16: sound whose loudest sample is lower is silence."""
SHORTEST = 0.25
"""Seconds; less is no word."""
REPEATS = 2.4
"""Source: openai/whisper, ``compression_ratio_threshold``: a text that can be packed tighter goes round in circles."""
LONG_ENOUGH = 40
"""Bytes of text below which packing says nothing."""
ASIDE = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪[^♪]*♪?|♪")
"""Sounds that are described, not said: [BLANK_AUDIO], (music), *sighs*."""
CREDITS = re.compile(
    r"thank(s| you)( so much| very much)? for (watching|listening)|(please )?subscribe( to .*)?|subtitles by .*|"
    r".*amara\.org.*|transcri(bed|ption) by .*|untertitel.*(zdf|ard|amara|im auftrag).*|sous-titr.*|"
    r"subtítulos.*|字幕.*|谢谢观看|請不吝點贊.*|请不吝点赞.*",
    re.IGNORECASE,
)
"""What stood under the films that it learned from."""


def heard(text: str, probability: float, rejection: float) -> str:
    """The text without what is no speech; empty where none of it can be trusted."""
    said = " ".join(ASIDE.sub(" ", text).split())
    bare = said.strip(" .,!?…。，！？-")
    if not bare or probability < rejection or CREDITS.fullmatch(bare):
        return ""
    data = said.encode()
    return "" if len(data) >= LONG_ENOUGH and len(data) / len(zlib.compress(data)) > REPEATS else said
