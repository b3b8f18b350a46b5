"""What an answer is said and shown with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from avatard.api.flow import Sentence
from avatard.api.stages import LipSyncRenderer, SpeechSynthesizer
from avatard.talk.displays import Displays
from avatard.talk.ladder import Ladder
from avatard.talk.ownvoice import OwnVoice
from avatard.talk.phrases import Phrases, key_of
from avatard.talk.ranking import Ranking


@dataclass(frozen=True, slots=True)
class Voice:
    """What an answer needs once its text is there."""

    tts: Ranking[SpeechSynthesizer]
    render: Ranking[LipSyncRenderer]
    ladder: Ladder
    """Draws with the renderers of ``render``."""
    unseen: LipSyncRenderer
    """Cuts frames without pictures, where nobody sees the face."""
    displays: Displays
    phrases: Phrases
    """Finished sentences."""
    own: OwnVoice
    """For whoever listens beside it."""
    longest: float
    """Seconds of speech in one reply; the rest is left out."""

    def key(self, sentence: Sentence) -> str:
        """Of the sentence as it is said and shown by those who serve."""
        shown = (self.render,) if self.displays.pictures else ()
        return key_of(sentence, _chosen(self.tts), *map(_chosen, shown))

    def reel_key(self, text: str, language: str) -> str:
        """Of a whole announcement as those who serve say, show and encode it."""
        made_by = _chosen(self.tts), _chosen(self.render), _chosen(self.displays.encoder)
        return key_of(Sentence(text, 0, language), "reel", made_by)


def _chosen(ranking: Ranking[Any]) -> tuple[str, int, str]:
    return ranking.stage, ranking.position, getattr(ranking.serving, "chosen", "")
