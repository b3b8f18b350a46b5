"""What a household is asked all day, in each language that ships: understood, worded, said and shown."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import yaml

from avatard.api.errors import ConfigError
from avatard.plugins.intents.engine import IntentsEngine, grammar, sentences
from avatard.plugins.intents.wording import Wording, table
from avatard.runtime.config import Configuration, from_mapping
from avatard.runtime.config.rooms import usual_rooms
from avatard.runtime.house import open_house

Scripted = Callable[..., Configuration]
LANGUAGES = ("en", "de", "es", "fr", "zh")
MINUTE, HALF = {"number": 5, "unit": 60}, {"span": 1800}
ASKED: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "en": {
        "What time is it?": ("Time", {}), "set the volume to fifty percent": ("SetVolume", {"number": 50}),
        "turn on the kitchen light": ("Switch", {"state": "on", "room": "kitchen"}), "louder": ("Louder", {}),
        "set a timer for five minutes": ("SetTimer", MINUTE), "set a timer for half an hour": ("SetTimer", HALF),
        "set a pizza timer for five minutes": ("SetTimer", MINUTE | {"name": "pizza"}), "stop": ("Stop", {}),
        "go on": ("GoOn", {}), "keep talking": ("GoOn", {}), "continue": ("GoOn", {}),
        "add five minutes to the timer": ("AddToTimer", MINUTE), "add half an hour to my timer": ("AddToTimer", HALF),
        "add 5 minutes to my pizza timer": ("AddToTimer", MINUTE | {"name": "pizza"}),
        "cancel the pizza timer": ("CancelTimer", {"name": "pizza"}), "how long is left": ("TimerLeft", {}),
        "set a timer for two hours and ten minutes": ("HassStartTimer", {"hours": 2, "minutes": 10}),
        "Please set the volume to 50 %.": ("SetVolume", {"number": 50}),
    },
    "de": {
        "Wie spät ist es?": ("Time", {}), "Welcher Tag ist heute?": ("Date", {}), "Wie heisst du": ("Who", {}),
        "Mach das Licht in der Küche an": ("Switch", {"state": "on", "room": "küche"}), "lauter": ("Louder", {}),
        "Schalte im Wohnzimmer das Licht aus": ("Switch", {"state": "off", "room": "wohnzimmer"}),
        "Stell die Lautstärke auf fünfzig Prozent": ("SetVolume", {"number": 50}), "Stopp!": ("Stop", {}),
        "Stell einen Timer auf fünf Minuten": ("SetTimer", MINUTE), "Timer eine halbe Stunde": ("SetTimer", HALF),
        "Stell einen Pizza Timer auf fünf Minuten": ("SetTimer", MINUTE | {"name": "Pizza"}),
        "Timer eine Minute": ("SetTimer", {"number": 1, "unit": 60}), "Brich den Timer ab": ("CancelTimer", {}),
        "Verlängere den Timer um fünf Minuten": ("AddToTimer", MINUTE),
        "Weiter!": ("GoOn", {}), "Sprich bitte weiter": ("GoOn", {}), "fahr fort": ("GoOn", {}),
        "Wie lange läuft der Timer noch?": ("TimerLeft", {}), "Vergiss es": ("Nevermind", {}),
        "Stelle bitte einen 5-Minuten-Timer.": ("SetTimer", MINUTE), "Lautstärke 50%": ("SetVolume", {"number": 50}),
        "Starte einen Timer für zwei Stunden und zehn Minuten": ("HassStartTimer", {"hours": 2, "minutes": 10}),
    },
    "es": {
        "¿Qué hora es?": ("Time", {}), "que hora es": ("Time", {}), "¿Qué día es hoy?": ("Date", {}),
        "Enciende la luz de la cocina": ("Switch", {"state": "on", "room": "cocina"}), "más alto": ("Louder", {}),
        "apaga las luces del salon": ("Switch", {"state": "off", "room": "salon"}), "para": ("Stop", {}),
        "pon el volumen al cincuenta por ciento": ("SetVolume", {"number": 50}), "¿Quién eres?": ("Who", {}),
        "pon un temporizador de cinco minutos": ("SetTimer", MINUTE), "temporizador de media hora": ("SetTimer", HALF),
        "pon un temporizador de cinco minutos para la pizza": ("SetTimer", MINUTE | {"name": "pizza"}),
        "pon un temporizador de una hora": ("SetTimer", {"number": 1, "unit": 3600}),
        "Por favor, apaga la luz": ("Switch", {"state": "off"}), "volumen 50%": ("SetVolume", {"number": 50}),
        "cancela el temporizador": ("CancelTimer", {}), "¿Cuánto tiempo queda?": ("TimerLeft", {}),
        "Continúa, por favor": ("GoOn", {}), "sigue": ("GoOn", {}), "continua": ("GoOn", {}),
    },
    "fr": {
        "Quelle heure est-il ?": ("Time", {}), "Quel jour sommes-nous ?": ("Date", {}), "stop": ("Stop", {}),
        "Allume la lumière de la cuisine": ("Switch", {"state": "on", "room": "cuisine"}), "plus fort": ("Louder", {}),
        "eteins la lumiere du salon": ("Switch", {"state": "off", "room": "salon"}), "Qui es-tu ?": ("Who", {}),
        "mets le volume à cinquante pour cent": ("SetVolume", {"number": 50}), "Comment tu t’appelles ?": ("Who", {}),
        "mets un minuteur de cinq minutes": ("SetTimer", MINUTE), "mets un minuteur d'une demi-heure": (
            "SetTimer", HALF
        ),
        "mets un minuteur pâtes de cinq minutes": ("SetTimer", MINUTE | {"name": "pâtes"}),
        "mets un minuteur de vingt-et-une minutes": ("SetTimer", {"number": 21, "unit": 60}),
        "Allume la lumière, s'il te plaît": ("Switch", {"state": "on"}), "volume 50 %": ("SetVolume", {"number": 50}),
        "annule le minuteur": ("CancelTimer", {}), "combien de temps reste-t-il": ("TimerLeft", {}),
        "Continue, s'il te plaît": ("GoOn", {}), "vas-y, continue": ("GoOn", {}),
    },
    "zh": {
        "现在几点了？": ("Time", {}), "今天星期几": ("Date", {}), "停": ("Stop", {}), "大声一点": ("Louder", {}),
        "打开厨房的灯": ("Switch", {"state": "on", "room": "厨房"}),
        "把客厅的灯关掉": ("Switch", {"state": "off", "room": "客厅"}),
        "音量调到百分之五十": ("SetVolume", {"number": 50}), "你叫什么名字？": ("Who", {}),
        "设一个五分钟的计时器": ("SetTimer", MINUTE), "定个半小时的闹钟": ("SetTimer", HALF),
        "设一个五分钟的披萨计时器": ("SetTimer", MINUTE | {"name": "披萨"}),
        "把音量设为 50%": ("SetVolume", {"number": 50}), "请开灯": ("Switch", {"state": "on"}),
        "计时两分钟": ("SetTimer", {"number": 2, "unit": 60}), "取消计时器": ("CancelTimer", {}),
        "还剩多久": ("TimerLeft", {}),
        "继续": ("GoOn", {}), "请接着说": ("GoOn", {}), "继续说下去": ("GoOn", {}),
    },
}  # fmt: skip
JOKES = {
    "en": "tell me a joke", "de": "Erzähl mir einen Witz", "es": "cuéntame un chiste", "fr": "raconte-moi une blague",
    "zh": "讲个笑话",
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_understood(language: str) -> None:
    engine = IntentsEngine(language, [room.lower() for room in usual_rooms(language)])
    found = {text: engine.recognize(text) for text in ASKED[language]}
    assert found == ASKED[language], found
    for text in (JOKES[language], "", "🙂", "{time}", "(", "x" * 290):
        assert engine.recognize(text) is None, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_sentence_is_there(language: str) -> None:
    english, other = sentences("en"), sentences(language)
    assert set(other.intents) == set(english.intents) and set(other.lists) == set(english.lists)
    here, there = table("replies", "en"), table("replies", language)
    assert set(there["say"]) == set(here["say"]) and set(there["units"]) == set(here["units"])
    for name, phrase in there["say"].items():
        slots = {s.lower() for s in slots_of(phrase)}
        assert slots <= {s.lower() for s in slots_of(here["say"][name])}, (name, phrase)


def slots_of(text: str) -> set[str]:
    return {part.partition("}")[0] for part in text.split("{")[1:]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_says_what_it_means(language: str) -> None:
    """Each template, its choices taken in turn, is understood as what it stands under."""
    from hassil import Intents
    from hassil.sample import sample_sentence

    known = sentences(language)
    rooms = [room.lower() for room in usual_rooms(language)]
    engine = IntentsEngine(language, rooms)
    words = {slot: [word for word in words if len(word) > 1 or language != "en"] for slot, words in known.lists.items()}
    words |= {"room": rooms, "name": ["pizza"], "number": [Wording(language).number(n) for n in (5, 20, 31)]}
    wrong = []
    for name, lines in known.intents.items():
        data = Intents.from_dict({"language": language, "intents": {name: {"data": [{"sentences": lines}]}}})
        for template in data.intents[name].data[0].sentences:
            # hassil's samples begin alike: a few from all over are wanted.
            samples = list(itertools.islice(sample_sentence(template, expand_lists=False), 3000))
            for number, sample in enumerate(samples[:: max(1, len(samples) // 12)]):
                text = sample
                for slot, values in words.items():
                    text = text.replace(f"{{{slot}}}", values[number % len(values)])
                found = engine.recognize(text)
                if found is None or found[0] != name:
                    wrong.append((name, text, found))
    assert not wrong, wrong


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_minute_day_and_length_has_words(language: str) -> None:
    words = Wording(language)
    clock = {words.clock(hour, minute) for hour in range(24) for minute in range(60)}
    assert len(clock) >= 720 and not any("{" in text or "  " in text for text in clock)
    days = {words.date(datetime.date(2026, 1, 1) + datetime.timedelta(n)) for n in range(365)}
    assert len(days) == 365
    lengths = {words.length(seconds) for seconds in range(1, 3600)}
    assert len(lengths) == 3599 and not any(c.isdigit() for c in "".join(lengths | days | clock))
    numbers = words.numbers()
    assert all(numbers[words.number(n)] == n for n in range(101))


@pytest.mark.parametrize(
    ("language", "times", "date", "length"),
    [
        ("en", ["ten past four", "twelve o'clock", "a quarter to twelve", "one minute to twelve"],
         "Sunday, the first of November", "one hour and thirty minutes"),
        ("de", ["sechzehn Uhr zehn", "null Uhr", "elf Uhr fünfundvierzig", "dreiundzwanzig Uhr neunundfünfzig"],
         "Sonntag, der erste November", "eine Stunde und dreißig Minuten"),
        ("es", ["son las cuatro y diez de la tarde", "son las doce de la noche",
                "son las doce menos cuarto de la mañana", "son las doce menos un minuto de la noche"],
         "domingo, uno de noviembre", "una hora y treinta minutos"),
        ("fr", ["seize heures dix", "minuit", "onze heures quarante-cinq", "vingt-trois heures cinquante-neuf"],
         "dimanche premier novembre", "une heure et trente minutes"),
        ("zh", ["下午四点十分", "凌晨零点", "上午十一点四十五分", "晚上十一点五十九分"], "十一月一号，星期日",
         "一个小时三十分钟"),
    ],
)  # fmt: skip
def test_times_and_dates_in_words(language: str, times: list[str], date: str, length: str) -> None:
    words = Wording(language)
    assert [words.clock(*t) for t in ((16, 10), (0, 0), (11, 45), (23, 59))] == times
    assert words.date(datetime.date(2026, 11, 1)) == date and words.length(5400) == length


SAID = {
    "en": ("set a timer for twenty one minutes", "Twenty one minutes, starting now."),
    "de": ("Stell einen Timer auf einundzwanzig Minuten", "Einundzwanzig Minuten, ab jetzt."),
    "es": ("pon un temporizador de veintiún minutos", "Veintiún minutos, a partir de ahora."),
    "fr": ("mets un minuteur de vingt-et-une minutes", "C'est parti pour vingt-et-une minutes."),
    "zh": ("设一个二十一分钟的计时器", "好的，计时二十一分钟，现在开始。"),
}
UNKNOWN = {
    "en": "Sorry, I did not understand that.", "de": "Das habe ich leider nicht verstanden.",
    "es": "Perdona, no te he entendido.", "fr": "Désolé, je n'ai pas compris.", "zh": "抱歉，我没有听懂。",
}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_from_text_to_frames(language: str, scripted: Scripted) -> None:
    """The whole daemon with real intents, the real espeak-ng and the real drawn face."""
    settings = scripted(language=language, conversation="intents", tts="espeak", avatar={"render": ["drawn"]})
    async with open_house(settings) as house:
        screen: Any = house.place.displays._own[0][1]
        asked, reply = SAID[language]
        report = await (await house.door.ask(asked)).finished
        assert (report.reply, report.error) == (reply, ""), report
        frames = [frame for frame in screen.played if frame.sentence is not None]
        assert {frame.sentence.language for frame in frames} == {language}
        assert len(frames) > 20 and max(np.abs(frame.audio).max() for frame in frames) > 3000
        pictures = [frame.pixels for frame in frames if frame.pixels is not None]
        assert len({picture.tobytes() for picture in pictures}) > 5, "the mouth moves"
        assert round(house.door.status().timers[0].seconds_left / 60) == 21
        assert (await (await house.door.ask(JOKES[language])).finished).reply == UNKNOWN[language]


SIX_59 = "Six minutes and fifty nine seconds to go."
THREE_59 = "Three minutes and fifty nine seconds to go."
ADDED = {
    "en": "add 5 minutes to my timer", "de": "Verlängere meinen Timer um fünf Minuten",
    "es": "añade cinco minutos al temporizador", "fr": "ajoute cinq minutes au minuteur", "zh": "给计时器增加五分钟",
}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_timer_is_made_longer(language: str, scripted: Scripted) -> None:
    async with open_house(scripted(language=language, conversation="intents")) as house:
        async def ask(text: str) -> str:
            return (await (await house.door.ask(text)).finished).reply

        await ask(ADDED[language])
        assert house.door.status().timers == (), "there was none"
        await ask(SAID[language][0])
        await ask(ADDED[language])
        (timer,) = house.door.status().timers
        assert 25 * 60 + 50 < timer.seconds_left <= 26 * 60


async def test_a_timer_of_that_name_is_made_longer_and_shorter(scripted: Scripted) -> None:
    async with open_house(scripted(conversation="intents")) as house:
        async def ask(text: str) -> str:
            return (await (await house.door.ask(text)).finished).reply

        await ask("set a timer for two minutes")
        await ask("set a pizza timer for five minutes")
        assert await ask("add two minutes to the pizza timer") in ("Seven minutes to go.", SIX_59)
        assert await ask("remove 3 minutes from the pizza timer") in ("Four minutes to go.", THREE_59)
        assert "cannot set a timer" in await ask("remove 9 minutes from the pizza timer")
        assert await ask("add a minute to the bread timer") == "There is no timer."
        left = {timer.name: timer.seconds_left for timer in house.door.status().timers}
        assert 110 < left[""] <= 120 and 230 < left["pizza"] <= 240, left


@pytest.mark.parametrize("language", ["de", "es", "fr"])
def test_a_recogniser_is_told_the_sentences(language: str) -> None:
    told = grammar(language, usual_rooms(language))
    assert told is not None and {"room", "number", "unit", "state", "span"} <= set(told.rules)
    assert not any("{" in sentence or "<name>" in sentence for sentence in told.sentences)


def test_there_is_no_grammar_without_spaces_or_sentences() -> None:
    assert grammar("zh", ("厨房",)) is None and grammar("it", ("cucina",)) is None


@pytest.mark.parametrize(
    ("language", "room"), [("de-AT", "küche"), ("es-419", "cocina"), ("fr-CA", "cuisine"), ("en-GB", "kitchen")]
)
def test_a_region_speaks_its_language(language: str, room: str, scripted: Scripted) -> None:
    settings = scripted(language=language, conversation="intents")
    assert room in settings.rooms
    assert IntentsEngine(language, list(settings.rooms)).recognize("stop" if language != "es-419" else "para")


def test_rooms_that_are_named_stay(scripted: Scripted) -> None:
    assert scripted(language="de", rooms=["Lounge"]).rooms == ("lounge",)


@pytest.mark.parametrize(
    ("keys", "where", "what"),
    [
        ({"language": "de"}, "language: pocketsphinx knows en alone, not de", "vosk or whisper"),
        ({"language": "zh-CN", "stt": "pocketsphinx"}, "stt: pocketsphinx knows en alone, not zh-CN", "vosk"),
        ({"language": "fr", "stt": ["scripted", "pocketsphinx"]}, "stt.1: pocketsphinx", "vosk"),
        ({"language": "it", "stt": None}, "language: intents knows en, de, es, fr, zh alone", "home_assistant"),
    ],
)
def test_who_does_not_know_the_language_says_so(keys: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(keys)
    assert where in str(caught.value) and what in str(caught.value), caught.value


def test_nothing_is_asked_of_who_does_not_serve() -> None:
    assert from_mapping({"language": "de", "stt": None}).stages["stt"] == ()
    assert from_mapping({"language": "de", "listening": {"enabled": False}}).language == "de"
    assert from_mapping({"language": "en-GB"}).stages["stt"][0].platform == "pocketsphinx"


def test_the_tables_are_yaml_whose_words_are_words() -> None:
    """YAML takes on, off, yes, no and null for something else."""
    for language in LANGUAGES:
        known = sentences(language)
        assert all(isinstance(word, str) for words in known.lists.values() for word in words), language
        assert set(known.lists["state"].values()) == {"on", "off"}
        replies = table("replies", language)
        words = [*replies["clock"]["hours"], *replies["date"]["weekdays"], *replies["date"]["months"]]
        assert all(isinstance(word, str) for word in words), words
        assert len(words) == 24 + 7 + 12
        assert yaml.safe_dump(replies)
