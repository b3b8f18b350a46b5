"""Who speaks: espeak-ng's variants, flite's voices, and voices that nobody has named.

espeak-ng's variants are small text files, and these are written at random: between the named ones there are few steps,
and a network that has heard those alone knows those alone.
"""

from __future__ import annotations

import numpy as np

UNSEEN = ("f4", "m5", "klatt4", "Andy", "belinda", "boris")
"""Variants that no training sentence is spoken with: the network is judged on them."""
ORDINARY = UNSEEN[:3]
"""Those of them that sound as most variants do; the others have bands missing, or shifted far."""
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
    "en-us": 0.5, "en": 0.2, "en-gb-x-rp": 0.12, "en-gb-scotland": 0.06, "en-gb-x-gbclan": 0.06, "en-029": 0.06,
}  # fmt: skip
"""How often each is spoken among the English."""


def made(rng: np.random.Generator, name: str) -> str:
    """Write a variant's file: a throat, a mouth, a larynx, an intonation."""
    throat = float(np.exp(rng.normal(0.05, 0.13)).clip(0.75, 1.45))
    dull, blurred = rng.uniform(50, 110), rng.uniform(65, 190)
    lines = ["language variant", f"name {name}"]
    lines.append(f"formant 0 {rng.uniform(60, 125):.0f} {rng.uniform(80, 115):.0f} {rng.uniform(80, 150):.0f}")
    for number in range(1, 9):
        high = 100 * throat * float(np.exp(rng.normal(0, 0.08)))
        loud = float(np.clip(dull + rng.normal(0, 16), 25, 120))
        shift = rng.uniform(-250, 250) if number == 2 else rng.uniform(-40, 40)
        if number > 2 and rng.random() < 0.18:
            loud = 0.0
        line = f"formant {number} {high:.0f} {loud:.0f} {blurred * rng.uniform(0.9, 1.1):.0f}"
        lines.append(f"{line} {shift:.0f}" if number < 3 and rng.random() < 0.35 else line)
    low = float(np.exp(rng.uniform(np.log(60), np.log(210))))
    lines.append(f"pitch {low:.0f} {low * rng.uniform(1.15, 1.6):.0f}")
    for chance, line in (
        (0.2, f"klatt {rng.integers(1, 6)}"), (0.3, f"flutter {rng.integers(0, 9)}"),
        (0.15, f"roughness {rng.integers(0, 5)}"), (0.3, f"voicing {rng.integers(65, 115)}"),
        (0.3, f"consonants {rng.integers(65, 130)} {rng.integers(65, 130)}"), (0.3, f"intonation {rng.integers(1, 5)}"),
        (0.1, f"echo {rng.integers(20, 140)} {rng.integers(5, 20)}"),
        (0.3, "stressAmp 18 16 20 20 20 20 20 20"), (0.3, "stressAdd -20 -20 -20 -20 0 0 20 120"),
    ):  # fmt: skip
        if rng.random() < chance:
            lines.append(line)
    return "\n".join(lines) + "\n"
