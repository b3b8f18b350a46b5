"""What is said: words at random, everyday sentences from frames, other languages; and what is kept out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TONGUES = {
    "de": (
        "der die das und ist ein eine nicht mit auf Haus Wasser schön grüßen zwölf öffnen Bücher müde "
        "Maus Baum Feuer Pfeffer Apfel Mutter Vater Freund Schule spielen bitte danke Morgen Abend Licht "
        "Küche Fenster warm kalt geöffnet heute regnet es um sieben Uhr oben bleiben weiß fünf Vogel "
        "Pumpe Bombe Möwe übermorgen"
    ),
    "es": (
        "el la los una y es no con por casa agua bonito abrir libro cansado padre madre amigo escuela "
        "jugar gracias mañana noche luz cocina ventana caliente frío hoy llueve siete arriba blanco cinco "
        "pájaro bomba pueblo muy bueno puerta mesa familia pimienta viento ahora"
    ),
    "fr": (
        "le la les une et est pas avec pour maison eau beau ouvrir livre fatigué père mère ami école "
        "jouer merci matin soir lumière cuisine fenêtre chaud froid il pleut sept blanc cinq oiseau pomme "
        "peu deux bleu jeune peur fumée huit nuit bonjour vin bon enfant rouge vivre"
    ),
    "it": (
        "il la una e non con per casa acqua bello aprire libro stanco padre madre amico scuola giocare "
        "grazie mattina sera luce cucina finestra caldo freddo oggi piove sette sopra bianco cinque "
        "uccello bomba popolo famiglia"
    ),
    "cmn": (
        "你好 今天 天气 很好 我们 去 吃饭 吧 现在 几点 请 打开 厨房 的 灯 "
        "关上 门 明天 下雨 谢谢 爸爸 妈妈 朋友 "
        "学校 喝水 白色 红色 飞机 不要 跑步 房子 北京 苹果 风"
    ),
}
SMALL = "the a of and to in is was it for on with that this are be at by from or you we they he she can not".split()
FRAMES = (
    "please {v} the {n} in the {p}", "the {n} is {a} and the {n} was {a}", "what is the {n} in the {p} today",
    "I will {v} it by {t}", "my {a} {n} came home at {t}", "there are {t} {a} {n} on the {p}", "do you {v} {a} {n}",
    "turn the {n} {a} before {t}", "we often {v} and {v} the {a} {p}", "who can {v} me a {n} for the {p}",
)
FILL = {
    "n": "lamp map apple boat papa movie puppy window music bottle thermostat family weather table camera heater book "
    "umbrella chair bread message volume pump garage zebra voice father",
    "v": "open move play push wash lift show make warm paint bring bump imagine measure follow empty share choose join",
    "a": "big warm happy blue soft wide open fast early purple broken new yellow young useful lovely huge amber cheap",
    "p": "kitchen bedroom bathroom hall office garden park village house room shop farm cabin pool upper floor",
    "t": "seven five ten to nine half past two noon midnight eleven fifteen forty a quarter to four twenty thousand",
}
HELD_OUT = (
    "Good morning, the washing machine has finished.", "Maybe Bob and Pam will pay for my apple pie.",
    "It is twenty two degrees in the living room.", "Somebody rang the bell at the front door.",
    "Every evening we put the lamp above the piano.", "I have moved your appointment to a quarter past four.",
    "The five brave fishermen leave for Norway on Friday.", "Who threw the yellow ball over the wall?",
    "Tomorrow will be cloudy with a chance of heavy rain.", "Please remember to buy bread, milk and a box of matches.",
)
"""Sentences that are never in the training."""


def dictionary() -> list[str]:
    """English words, from the dictionary that the pocketsphinx wheel carries (BSD)."""
    from pocketsphinx import get_model_path

    lines = Path(get_model_path("en-us/cmudict-en-us.dict")).read_text().splitlines()
    words = (line.split()[0] for line in lines)
    return sorted({word for word in words if word.isalpha() and 2 < len(word) < 12})


def sentence(rng: np.random.Generator, words: list[str], tongue: str) -> str:
    """Make up a sentence."""
    if tongue in TONGUES:
        said = rng.choice(TONGUES[tongue].split(), rng.integers(4, 9)).tolist()
        return (" " if tongue != "cmn" else "").join(said)
    if rng.random() < 0.35:
        text = str(rng.choice(FRAMES))
        while "{" in text:
            kind = text[text.index("{") + 1]
            text = text.replace(f"{{{kind}}}", str(rng.choice(FILL[kind].split())), 1)
        return text
    said = []
    for _ in range(int(rng.integers(3, 7))):
        said += [str(rng.choice(SMALL))] * int(rng.random() < 0.6) + [words[rng.integers(len(words))]]
        if rng.random() < 0.08:
            said[-1] += ","
    return " ".join(said) + str(rng.choice([".", "?", "!"]))
