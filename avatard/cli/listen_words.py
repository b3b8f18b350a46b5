"""What is said in the household of ``avatard bench listen``: sentences without end, near misses, and who says them."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path

import numpy as np

Dice = np.random.Generator

WHO = (
    "she", "he", "my brother", "the doctor", "your mother", "nobody", "the neighbour", "Jenny", "Mister Harvey",
    "the captain", "that dog", "Oliver", "the whole class", "our lawyer", "the woman upstairs", "Alice", "Uncle Bob",
    "the president", "somebody", "the kid with the drum", "Nadia", "a friend of mine", "the detective", "everyone",
)  # fmt: skip
DID = (
    "wants to see", "never told me about", "is looking for", "has already sold", "would rather keep", "laughed about",
    "can't afford", "has been asking for", "forgot to bring", "just walked past", "is going to paint", "spoke about",
    "left us", "won't believe", "was thinking of", "paid far too much for", "broke", "found", "hid", "ate",
)  # fmt: skip
THING = (
    "the old car", "a pound of cheese", "the evidence", "her violin", "the ticket to Vienna", "our garden",
    "that jar of jam", "the blue envelope", "an election", "the weather", "the second goal", "a new kitchen",
    "his taxi", "the news", "the keys", "a bus full of tourists", "the boiler", "the last episode", "a cup of coffee",
    "the electricity bill",
)  # fmt: skip
WHEN = (
    "yesterday", "at half past nine", "before the war", "after lunch", "on Saturday", "in the car", "at the harbour",
    "on the way home", "every single morning", "in nineteen eighty four", "when I was seven", "over there",
    "for Christmas", "in the middle of the night", "at the airport", "next to the station", "if it rains",
    "without a word",
)  # fmt: skip
FRAMES = (
    "{who} {did} {thing} {when}.", "{who} {did} {thing}.", "Did you know that {who} {did} {thing}?", "Okay. And {who}?",
    "Well, {who} {did} {thing}, and {who} {did} {thing} {when}.", "Hey, what about {thing}?", "No, not {when}!",
    "I think {word} is {word}, {when}.", "They call it {word}.", "Have you seen {thing}, or {word}?",
    "{word}, {word} and {word}.", "Listen. {who} {did} the {word} {when}.",
    "The {word} of the {word} costs {number} pounds.", "Room {number}, please.",
    "We interrupt this programme: {who} {did} {thing} {when}.", "Oh, {word}!", "Hey {word}, come here.",
    "Okay {word}, let's go.", "And now the weather: {number} degrees in {word}, and rain {when}.",
    "I'm {who} you met {when}.", "What {word}? Why {word}?", "It's {number} to {number} with {number} minutes left!",
    "Dinner is ready, {word}.", "A {word}, a {word}, and {thing}.", "Turn the {word} off {when}, would you?",
    "Once upon a time {who} {did} {thing}.", "Please hold the line. {word}.",
)  # fmt: skip
EVERYDAY = tuple(frame for frame in FRAMES if "{word}" not in frame)
"""Those without words from the dictionary, most of which are rare."""
NEAR = (
    "okay navi", "okay, now you", "okay Nadia", "okay, maybe", "okay, nap time", "a crab boo", "okay, not you",
    "okay Abu", "o k, any boot", "okay Napoleon", "a cane, a boot", "OK, new boots", "hey Travis", "hey Jarred",
    "hey Marvin", "hey Charlie's", "hey, service", "hey Jervis Bay", "hey, jar this", "they harvest", "hey, jealous",
    "a jar of this", "hey Harvey", "Alexis", "Alexander", "a lexer", "election", "Alaska", "a Lexus", "electric",
    "Alex said", "a flexible", "our axis", "I lacks a", "Elixir", "Alec's a fool", "unless a", "Alexei", "a legs a",
    "hey siri", "okay google", "hey google", "computer",
)  # fmt: skip
"""Like the default phrases and other assistants' names, and none of them."""
NEAR_ABROAD = ("Alexander", "Alexandra", "Alexia", "Alexei", "okay, na und", "okay, na ja", "hey Gervais", "Elektra")
NEARLY = 0.05
"""Share of the sentences with a near miss in them, dozens an hour: far more than a life has."""
ABROAD = {
    "de": ("Ich weiß nicht, ob|Gestern hat er gesagt, dass|Okay, aber|Die Nachbarin meint,|Mein Bruder glaubt, dass",
           "das Wetter schön wird.|der Zug heute noch kommt.|wir alles bezahlt haben.|die Küche neu gestrichen ist."),
    "fr": ("Je ne sais pas si|Hier il m'a dit que|D'accord, mais|La voisine pense que|Mon frère croit que",
           "le train arrive ce soir.|tout est déjà payé.|nous avons gagné le match.|la cuisine est trop petite."),
    "es": ("No sé si|Ayer me dijo que|Vale, pero|La vecina piensa que|Mi hermana cree que",
           "el tren llega esta noche.|todo está pagado.|ganamos el partido.|la cocina es demasiado pequeña."),
    "it": ("Non so se|Ieri mi ha detto che|Va bene, ma|La vicina pensa che|Mia sorella crede che",
           "il treno arriva stasera.|è tutto pagato.|abbiamo vinto la partita.|la cucina è troppo piccola."),
    "nl": ("Ik weet niet of|Gisteren zei hij dat|Oké, maar|De buurvrouw denkt dat|Mijn broer gelooft dat",
           "de trein vanavond komt.|alles al betaald is.|we gewonnen hebben.|de keuken te klein is."),
    "sv": ("Jag vet inte om|Igår sa han att|Okej, men|Grannen tror att|Min syster menar att",
           "tåget kommer ikväll.|allt är betalt.|vi vann matchen.|köket är för litet."),
    "pl": ("Nie wiem, czy|Wczoraj powiedział, że|Dobrze, ale|Sąsiadka myśli, że|Moja siostra mówi, że",
           "pociąg przyjedzie wieczorem.|wszystko jest zapłacone.|wygraliśmy mecz.|kuchnia jest za mała."),
    "pt": ("Não sei se|Ontem ele disse que|Está bem, mas|A vizinha acha que|O meu irmão acredita que",
           "o comboio chega esta noite.|tudo está pago.|ganhámos o jogo.|a cozinha é muito pequena."),
}  # fmt: skip
"""Beginnings and ends of sentences."""
ALPHABETS = {
    ("fi", "hu", "et", "tr", "cs", "sk", "hr", "ro", "da", "nb", "is", "id", "sw", "eu", "lt", "lv", "sq", "cy", "vi"):
        ("b|d|f|g|h|j|k|l|m|n|p|r|s|t|v|kl|st|tr", "a|e|i|o|u|ai|ei|ou", "|||n|s|r|l|k|t"),
    ("ru", "uk", "bg", "sr"): ("б|в|г|д|ж|з|к|л|м|н|п|р|с|т|х|ст|кр", "а|е|и|о|у|я|ю", "|||н|с|р|л|к|т|й"),
    ("el",): ("β|γ|δ|ζ|θ|κ|λ|μ|ν|π|ρ|σ|τ|φ|στ", "α|ε|ι|ο|ου|αι", "|||ς|ν"),
    ("ja",):
        ("", "あ|い|う|え|お|か|き|く|け|こ|さ|し|す|せ|た|ち|て|と|な|に|の|は|ひ|ま|み|も|や|よ|ら|り|れ", "||||ん"),
    ("hi", "mr", "ne"): ("क|ख|ग|च|ज|ट|ड|त|द|न|प|ब|म|य|र|ल|व|स|ह", "|ा|ि|ी|ु|े|ो", "||||न|र|स"),
    ("ka",): ("ბ|გ|დ|ვ|თ|კ|ლ|მ|ნ|რ|ს|ტ|ქ|შ", "ა|ე|ი|ო|უ", "|||ს|ნ|რ|ლ"),
}  # fmt: skip
"""Consonants, vowels and ends that make up words of no meaning, for the voices of the languages that write so."""
ENGLISH = ("en-us", "en", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-us-nyc")
TALKERS = (
    "m2", "m4", "m6", "m8", "f1", "Andrea", "Annie", "Denis", "Gene", "Hugo", "Lee", "Mario", "Mike", "Reed",
    "adam", "antonio", "belinda", "boris", "david", "edward", "grandpa", "iven", "kaukovalta", "marcelo", "michel",
    "norbert", "paul", "quincy", "robert", "shelby", "travis", "zac", "croak", "klatt",
)  # fmt: skip
"""Variants of espeak-ng's voices that talk in the household; those who say the wake phrases are others.

None breathes: that noise is another each time."""


def sentence(dice: Dice) -> tuple[str, str]:
    """A sentence, and the voice that says it."""
    kind = dice.random()
    if kind < 0.65:
        return english(dice), f"{_one(dice, ENGLISH)}+{_one(dice, TALKERS)}"
    if kind < 0.8:
        language = _one(dice, tuple(ABROAD))
        text = " ".join(_one(dice, tuple(part.split("|"))) for part in ABROAD[language])
        return _nearly(dice, text, NEAR_ABROAD), _voice(dice, language)
    languages = tuple(ALPHABETS)[dice.choice(len(ALPHABETS), p=(0.4, 0.2, 0.1, 0.1, 0.1, 0.1))]
    words = [_invented(dice, *ALPHABETS[languages]) for _ in range(dice.integers(3, 10))]
    return " ".join(words) + ".", _voice(dice, _one(dice, languages))


def ordinary(dice: Dice, frames: tuple[str, ...] = FRAMES) -> str:
    """An English sentence."""
    lists = {"who": WHO, "did": DID, "thing": THING, "when": WHEN, "word": words()}
    return re.sub(r"{(\w+)}", lambda slot: _slot(dice, lists.get(slot[1])), _one(dice, frames))


def english(dice: Dice) -> str:
    """An English sentence, now and then with a near miss."""
    return _nearly(dice, ordinary(dice), NEAR)


def _nearly(dice: Dice, text: str, near: tuple[str, ...]) -> str:
    if dice.random() >= NEARLY:
        return text
    return f"{_one(dice, near)}, {text}" if dice.random() < 0.5 else f"{text} {_one(dice, near)}."


def _slot(dice: Dice, words: tuple[str, ...] | None) -> str:
    return str(dice.integers(2, 900)) if words is None else _one(dice, words)


def _invented(dice: Dice, begins: str, vowels: str, ends: str) -> str:
    parts = [_one(dice, tuple(part.split("|"))) for _ in range(dice.integers(1, 4)) for part in (begins, vowels)]
    return "".join((*parts, _one(dice, tuple(ends.split("|")))))


def _voice(dice: Dice, language: str) -> str:
    return f"{language}+{_one(dice, TALKERS)}"


def _one(dice: Dice, several: tuple[str, ...]) -> str:
    return several[int(dice.integers(len(several)))]


@cache
def words() -> tuple[str, ...]:
    """English words and names: a hundred thousand from the recogniser's dictionary, else a handful."""
    spec = importlib.util.find_spec("pocketsphinx")
    places = spec.submodule_search_locations if spec is not None else None
    path = Path(next(iter(places or ()), "")) / "model" / "en-us" / "cmudict-en-us.dict"
    if not path.is_file():
        return tuple(word for thing in THING for word in thing.split())
    listed = (line.split()[0] for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(word for word in listed if word.isalpha() and word not in SAID_BY_NOBODY)


SAID_BY_NOBODY = frozenset(("alexa", "alexas", "nabu", "jarvis"))
"""Words of the phrases, which would be no false wake."""
