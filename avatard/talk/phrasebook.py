"""What the daemon says of its own accord, in the languages that ship."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language's."""

    not_understood: str
    failed: str
    thinking: str
    """Said where a reply keeps one waiting."""
    timer_done: str
    named_timer_done: str
    """``{}`` is the timer's name."""


ENGLISH = Phrases(
    "Sorry, I did not understand that.", "Sorry, something went wrong.", "Let me think.", "Your timer is done.",
    "Your {} timer is done.",
)  # fmt: skip
PHRASES = {
    "en": ENGLISH,
    "de": Phrases(
        "Das habe ich leider nicht verstanden.", "Da ist leider etwas schiefgegangen.", "Lass mich nachdenken.",
        "Dein Timer ist abgelaufen.", "Dein Timer {} ist abgelaufen.",
    ),
    "es": Phrases(
        "Perdona, no te he entendido.", "Lo siento, algo ha salido mal.", "Déjame pensar.",
        "Tu temporizador ha terminado.", "Tu temporizador {} ha terminado.",
    ),
    "fr": Phrases(
        "Désolé, je n'ai pas compris.", "Désolé, quelque chose s'est mal passé.", "Laisse-moi réfléchir.",
        "Ton minuteur est terminé.", "Ton minuteur {} est terminé.",
    ),
    "zh": Phrases("抱歉，我没有听懂。", "抱歉，出了点问题。", "让我想一想。", "计时器时间到了。", "{}计时器时间到了。"),
}  # fmt: skip
"""Language code without region → phrases"""


def phrases_in(language: str) -> Phrases:
    """The phrases of a language such as ``de`` or ``de-AT``; English where there are none."""
    return PHRASES.get(language.split("-")[0].lower(), ENGLISH)
