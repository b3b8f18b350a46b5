"""What is written for the eye, as it is said: no markdown, emoji or address is read aloud; units and times are words.

A language model writes for a page. Voices read plain numbers well in their own language, so those are left to them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from avatard.api.flow import Sentence
from avatard.talk.sentences import has_words

UNITS: dict[str, dict[str, str]] = {
    "en": {
        "°C": "degrees Celsius", "°F": "degrees Fahrenheit", "°": "degrees", "%": "percent",
        "km/h": "kilometres an hour",
        "mph": "miles an hour", "m/s": "metres a second", "km": "kilometres", "cm": "centimetres", "mm": "millimetres",
        "kg": "kilograms", "kWh": "kilowatt hours", "kW": "kilowatts", "W": "watts", "hPa": "hectopascals",
        "ml": "millilitres", "min": "minutes", "€": "euros", "$": "dollars", "£": "pounds", "&": "and", "–": "to",
    },
    "de": {
        "°C": "Grad Celsius", "°F": "Grad Fahrenheit", "°": "Grad", "%": "Prozent",
        "km/h": "Kilometer pro Stunde",
        "mph": "Meilen pro Stunde", "m/s": "Meter pro Sekunde", "km": "Kilometer", "cm": "Zentimeter",
        "mm": "Millimeter",
        "kg": "Kilogramm", "kWh": "Kilowattstunden", "kW": "Kilowatt", "W": "Watt", "hPa": "Hektopascal",
        "ml": "Milliliter", "min": "Minuten", "€": "Euro", "$": "Dollar", "£": "Pfund", "&": "und", "–": "bis",
    },
    "es": {
        "°C": "grados Celsius", "°F": "grados Fahrenheit", "°": "grados", "%": "por ciento",
        "km/h": "kilómetros por hora",
        "mph": "millas por hora", "m/s": "metros por segundo", "km": "kilómetros", "cm": "centímetros",
        "mm": "milímetros", "kg": "kilogramos", "kWh": "kilovatios hora", "kW": "kilovatios", "W": "vatios",
        "hPa": "hectopascales", "ml": "mililitros", "min": "minutos", "€": "euros", "$": "dólares", "£": "libras",
        "&": "y", "–": "a",
    },
    "fr": {
        "°C": "degrés Celsius", "°F": "degrés Fahrenheit", "°": "degrés", "%": "pour cent",
        "km/h": "kilomètres à l'heure",
        "mph": "miles à l'heure", "m/s": "mètres par seconde", "km": "kilomètres", "cm": "centimètres",
        "mm": "millimètres", "kg": "kilogrammes", "kWh": "kilowattheures", "kW": "kilowatts", "W": "watts",
        "hPa": "hectopascals", "ml": "millilitres", "min": "minutes", "€": "euros", "$": "dollars", "£": "livres",
        "&": "et", "–": "à",
    },
    "zh": {
        "°C": "摄氏度", "°F": "华氏度", "°": "度", "%": "百分之",
        "km/h": "公里每小时", "mph": "英里每小时", "m/s": "米每秒",
        "km": "公里", "cm": "厘米", "mm": "毫米", "kg": "公斤", "kWh": "度电", "kW": "千瓦", "W": "瓦", "hPa": "百帕",
        "ml": "毫升", "min": "分钟", "€": "欧元", "$": "美元", "£": "英镑", "&": "和", "–": "到",
    },
}  # fmt: skip
"""Language → sign or unit → the words for it."""
NUMBER = r"\d+(?:[.,]\d+)*"
FENCE = "```"
LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
ADDRESS = re.compile(r"<?\b(?:https?://|www\.)[^\s<>]*[^\s<>.,;:!?)\]'\"]>?")
TAG = re.compile(r"</?[a-zA-Z][^<>\n]*>")
LEADING = re.compile(r"^\s*(?:#{1,6}\s+|>\s*|[-*+•]\s+(?:\[[ xX]\]\s+)?|\|)+", re.M)
RULE = re.compile(r"^\s*(?:[-*_=|:+]\s*){3,}$", re.M)
EMPHASIS = re.compile(r"(\*{1,3}|_{1,3}|~~|`{1,2})(?=\S)(.+?)(?<=\S)\1(?!\w)")
UNSPOKEN = re.compile(r"[*`~|\\^#{}<>=]+|(?<!\w)_+|_+(?!\w)")
MONEY = re.compile(rf"([€$£])\s?({NUMBER})")
SPAN = re.compile(rf"(?<![\d–-])({NUMBER})\s?[–-]\s?({NUMBER})(?![\d–-])")
PERCENT = re.compile(rf"({NUMBER})\s?%")


def _unit_pattern(units: dict[str, str]) -> re.Pattern[str]:
    names = "|".join(re.escape(unit) for unit in sorted(units, key=len, reverse=True) if unit not in "&–")
    return re.compile(rf"({NUMBER})\s?({names})(?![\w/])")


UNIT = {language: _unit_pattern(units) for language, units in UNITS.items()}


def plain(text: str, language: str) -> str:
    """A sentence without what only the eye wants, and with words for signs and units.

    Args:
        text: one sentence as it was written.
        language: of the words; a language without a table leaves signs and units to the voice.
    """
    text = LINK.sub(r"\1", text)
    text = ADDRESS.sub("", text)
    text = TAG.sub(" ", text)
    text = LEADING.sub("", RULE.sub("", text))
    for _ in range(3):
        text = EMPHASIS.sub(r"\2", text)
    text = _signs(text, language.split("-")[0].split("_")[0].lower())
    text = UNSPOKEN.sub(" ", text)
    text = "".join(character for character in text if not _pictured(character))
    text = re.sub(r"\(\s*\)|\[\s*\]", "", text)
    return re.sub(r"\s+([.,;:!?])", r"\1", re.sub(r"\s+", " ", text)).strip()


def _signs(text: str, language: str) -> str:
    units = UNITS.get(language)
    if units is None:
        return text
    text = MONEY.sub(lambda found: f"{found[2]} {units[found[1]]}", text)
    text = SPAN.sub(lambda found: f"{found[1]} {units['–']} {found[2]}", text)
    if language == "zh":
        text = PERCENT.sub(r"百分之\1", text)
    text = UNIT[language].sub(lambda found: f"{found[1]} {units[found[2]]}", text)
    return re.sub(r"\s&\s", f" {units['&']} ", text)


def _pictured(character: str) -> bool:
    """Whether it is an emoji, a dingbat, a variation selector or a control character."""
    if character == "°" or character.isspace():
        return False
    keycap_or_variant = character == "\u20e3" or "\ufe00" <= character <= "\ufe0f"
    return keycap_or_variant or unicodedata.category(character) in ("So", "Sk", "Cc", "Cf", "Cn", "Co", "Cs")


async def said(sentences: AsyncIterator[Sentence]) -> AsyncGenerator[Sentence, None]:
    """Pass the sentences on as they are said; code between fences, and what has no words, is left out."""
    code, index = False, 0
    async with aclosing(cast("AsyncGenerator[Sentence, None]", sentences)):
        async for sentence in sentences:
            outside = []
            for number, part in enumerate(sentence.text.split(FENCE)):
                code ^= number > 0
                if not code:
                    outside.append(part)
            text = plain(" ".join(outside), sentence.language)
            if has_words(text):
                yield replace(sentence, text=text, index=index)
                index += 1
