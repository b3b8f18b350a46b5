"""Training material: sentences, voices and rooms, all made here; nothing is downloaded.

A sample is a spectrogram as ``avatard.face.mel`` makes it and, for every column, the mouth at that moment. What can be
done to a spectrogram (gain, colour, noise, band limits, another throat) is done while training, see ``train.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from phones import GRID, Track, track
from speech import Espeak, Spoken, flite

from avatard.face.mel import COLUMNS_PER_SECOND, mel

RATE = 16_000
PHASES = 5
"""Where the middle of a picture may lie between two columns: in steps of a fifth, two before to two after."""
UNSEEN = ("f4", "m5", "klatt4", "Andy", "belinda", "boris")
"""Variants that no training sentence is spoken with: the network is judged on them."""
VARIANTS = (
    "", "f1", "f2", "f3", "f5", "m1", "m2", "m3", "m4", "m6", "m7", "m8", "klatt", "klatt2", "klatt3", "klatt5",
    "klatt6", "Alex", "Andrea", "Annie", "Denis", "Diogo", "Gene", "Gene2", "Henrique", "Hugo", "Jacky",
    "Lee", "Marco", "Mario", "Michael", "Mike", "Nguyen", "Reed", "Storm", "Tweaky", "adam", "announcer", "antonio",
    "aunty", "benjamin", "caleb", "david", "ed", "edward", "gustave", "ian", "iven", "iven2", "iven3", "john",
    "kaukovalta", "linda", "marcelo", "max", "michel", "miguel", "norbert", "pablo", "paul", "pedro", "quincy", "rob",
    "robert", "sandro", "shelby", "travis", "victor", "zac", "grandma", "grandpa",
    "croak",
)  # fmt: skip
PEOPLE, UNSEEN_PERSON = ("slt", "rms", "kal16"), "awb"
"""flite's voices, which were made from recordings of people; and the one that judges."""
ACCENTS = {
    "en-us": 0.5, "en": 0.2, "en-gb-x-rp": 0.075, "en-gb-scotland": 0.075, "en-gb-x-gbclan": 0.075, "en-029": 0.075,
}  # fmt: skip
"""How often each is spoken among the English."""
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


@dataclass(frozen=True, slots=True)
class Sample:
    """One recording and what the mouth does in it, column by column."""

    columns: NDArray[np.float16]
    """shape (n, 80)"""
    target: NDArray[np.float16]
    """open, wide, round, teeth, speech, closed, at each phase around a column; shape (n, 5, 6)"""


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
        said += [str(rng.choice(SMALL))] * int(rng.random() < 0.6) + [str(rng.choice(words))]
        if rng.random() < 0.08:
            said[-1] += ","
    return " ".join(said) + str(rng.choice([".", "?", "!"]))


def spoken(rng: np.random.Generator, espeak: Espeak, words: list[str]) -> Spoken:
    """Have a made-up sentence spoken by a voice of the training's."""
    if rng.random() < 0.3:
        return flite(sentence(rng, words, "en-us"), str(rng.choice(PEOPLE)), float(rng.uniform(0.7, 1.25)))
    if rng.random() < 0.06:
        tongue = str(rng.choice(list(TONGUES)))
    else:
        tongue = str(rng.choice(list(ACCENTS), p=list(ACCENTS.values())))
    variant = str(rng.choice(VARIANTS))
    return espeak.speak(
        sentence(rng, words, tongue), f"{tongue}+{variant}" if variant else tongue, int(rng.integers(125, 215)),
        int(rng.integers(15, 90)), int(rng.integers(20, 90)),
    )  # fmt: skip


def sample(sound: NDArray[np.floating], truth: Track, speed: float = 1.0) -> Sample:
    """Pair a 16 kHz recording's columns with the track; column j is heard at j / 80 s."""
    columns = mel(sound)
    times = (np.arange(len(columns))[:, None] + (np.arange(PHASES) - PHASES // 2) / PHASES) / COLUMNS_PER_SECOND * speed
    at = np.rint(times * GRID).astype(int).clip(0, len(truth.speech) - 1)
    target = np.concatenate([truth.mouth[at], truth.speech[at][..., None], truth.closed[at][..., None]], 2)
    return Sample(columns.astype(np.float16), target.astype(np.float16))


def performance(rng: np.random.Generator, said: Spoken) -> Sample:
    """Put a sentence into another throat, a room and a microphone."""
    import soxr

    # Faster and higher at once: another length of throat. espeak's own rate and pitch vary beside it.
    speed = float(np.exp(rng.normal(0, 0.04)).clip(0.88, 1.14))
    before, after = rng.uniform(0.1, 0.5, 2)
    lead = np.zeros(int(before * said.rate))
    wave = np.concatenate([lead, said.sound / 32768, np.zeros(int(after * said.rate))])
    phones = [type(p)(p.ipa, p.begin + before, p.end + before) for p in said.phones]
    truth = track(phones, len(wave) / said.rate)
    sound = soxr.resample(wave, said.rate * speed, RATE)
    if rng.random() < 0.2:
        sound = _in_a_room(rng, sound)
    sound = sound / (np.sqrt(np.mean(sound**2)) + 1e-9) * 0.07
    if rng.random() < 0.08:
        sound = np.clip(sound * rng.uniform(3, 12), -1, 1) * 0.2
    if rng.random() < 0.08:
        sound = _breathed(rng, sound)
    if rng.random() < 0.25:
        sound = sound + noise(rng, len(sound)) * 0.07 * 10 ** (-rng.uniform(10, 50) / 20)
    return sample(sound, truth, speed)


def _in_a_room(rng: np.random.Generator, sound: NDArray[np.floating]) -> NDArray[np.floating]:
    """Echoes that die away within 0.1 to 0.5 s, below the direct sound."""
    dies = rng.uniform(0.1, 0.5)
    time = np.arange(int(dies * RATE)) / RATE
    echo = rng.normal(0, 1, len(time)) * np.exp(-6.9 * time / dies) * (time > rng.uniform(0.001, 0.008))
    echo *= 10 ** (-rng.uniform(4, 18) / 20) / (np.sqrt(np.sum(echo**2)) + 1e-9)
    echo[0] += 1
    size = 1 << (len(sound) + len(echo)).bit_length()
    return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(echo, size))[: len(sound)]


def _breathed(rng: np.random.Generator, sound: NDArray[np.floating]) -> NDArray[np.floating]:
    """Aspirate: noise through the sound's own spectrum, frame by frame, so that harmonics are filled in."""
    size, hop = 512, 128
    padded = np.pad(sound, size)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    out = np.zeros_like(padded)
    share = rng.uniform(0.2, 0.8)
    for at in range(0, len(padded) - size, hop):
        spectrum = np.fft.rfft(padded[at : at + size] * hann)
        smooth = np.convolve(np.abs(spectrum), np.ones(7) / 7, "same")
        noise = smooth * np.exp(2j * np.pi * rng.random(len(spectrum)))
        out[at : at + size] += np.fft.irfft((1 - share) * spectrum + share * noise) * hann
    return out[size:-size] / 1.5


def noise(rng: np.random.Generator, length: int) -> NDArray[np.floating]:
    """Wind, fans, hiss, hum: noise of some colour that swells a little, at a root mean square of 1."""
    frequency = np.fft.rfftfreq(length, 1 / RATE)
    octaves = np.log2(np.maximum(frequency, 40) / 40)
    decibels = -rng.uniform(-2, 9) * octaves
    for wave in range(1, 5):
        decibels = decibels + rng.normal(0, 5 / wave) * np.cos(np.pi * wave * octaves / 7.7 + rng.uniform(0, 6))
    sound = np.fft.irfft(np.fft.rfft(rng.normal(0, 1, length)) * 10 ** (decibels / 20), length)
    time = np.arange(length) / RATE
    sound = sound / (np.std(sound) + 1e-9) * (1 + rng.uniform(0, 0.4) * np.sin(2 * np.pi * rng.uniform(0.1, 2) * time))
    if rng.random() < 0.2:
        hum = sum(np.sin(2 * np.pi * 50 * k * time) / k for k in range(1, int(rng.integers(2, 9))))
        sound = sound * rng.uniform(0, 1) + hum
    return sound / (np.std(sound) + 1e-9)


def corpus(count: int, seed: int) -> list[Sample]:
    """Make so many samples; in one of twelve nobody speaks."""
    rng, espeak, words = np.random.default_rng(seed), Espeak(), dictionary()
    samples = []
    for number in range(count):
        if number % 12:
            samples.append(performance(rng, spoken(rng, espeak, words)))
        else:
            sound = noise(rng, int(rng.uniform(2, 4) * RATE)) * 0.07 * 10 ** (-rng.uniform(0, 50) / 20)
            samples.append(sample(sound, track([], len(sound) / RATE)))
    return samples


def usual(espeak: Espeak) -> list[tuple[NDArray[np.int16], Track]]:
    """Speak the held-out sentences as avatard speaks when nothing else is configured."""
    import soxr

    out = []
    for text in HELD_OUT:
        said = espeak.speak(text, "en-us", 165)
        sound = soxr.resample(said.sound.astype(np.float32), said.rate, RATE).clip(-32768, 32767).astype(np.int16)
        out.append((sound, track(said.phones, len(sound) / RATE)))
    return out


def person(seed: int = 98) -> list[tuple[NDArray[np.int16], Track]]:
    """Speak the held-out sentences with the flite voice that is not in the training."""
    rng, out = np.random.default_rng(seed), []
    for text in HELD_OUT:
        said = flite(text, UNSEEN_PERSON, float(rng.uniform(0.8, 1.1)))
        out.append((said.sound, track(said.phones, len(said.sound) / RATE)))
    return out


HELD_OUT = (
    "Good morning, the washing machine has finished.", "Maybe Bob and Pam will pay for my apple pie.",
    "It is twenty two degrees in the living room.", "Somebody rang the bell at the front door.",
    "Every evening we put the lamp above the piano.", "I have moved your appointment to a quarter past four.",
    "The five brave fishermen leave for Norway on Friday.", "Who threw the yellow ball over the wall?",
    "Tomorrow will be cloudy with a chance of heavy rain.", "Please remember to buy bread, milk and a box of matches.",
)
"""Sentences that are never in the training."""


def held_out(espeak: Espeak, seed: int = 99) -> list[tuple[NDArray[np.int16], Track]]:
    """Speak them with the unseen voices: (16 kHz sound, its track)."""
    import soxr

    rng, out = np.random.default_rng(seed), []
    for number, variant in enumerate(UNSEEN * 3):
        accent = ("en-us", "en", "en-gb-x-rp")[number // len(UNSEEN)]
        text = HELD_OUT[number % len(HELD_OUT)]
        said = espeak.speak(text, f"{accent}+{variant}", int(rng.integers(130, 210)), int(rng.integers(25, 75)))
        sound = soxr.resample(said.sound.astype(np.float32), said.rate, RATE).clip(-32768, 32767).astype(np.int16)
        out.append((sound, track(said.phones, len(sound) / RATE)))
    return out
