"""What is said to make it stop, in five languages, and what else is said as shortly."""

from __future__ import annotations

PHRASES: dict[str, tuple[str, ...]] = {
    "en": ("stop", "stop it", "stop stop", "okay stop", "please stop", "be quiet", "stop talking", "shut up"),
    "de": ("stopp", "halt", "sei still", "sei ruhig", "hör auf", "ruhe"),
    "es": ("para", "basta", "silencio", "cállate", "detente"),
    "fr": ("stop", "arrête", "tais toi", "silence"),
    "zh": ("停", "停下", "停止", "别说了", "安静"),
}
"""Language code without region → phrases."""

SPOKEN: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {"stop": ("S T AO P", "S T AH P")},
    "de": {
        "stopp": ("S T AO P", "SH T AO P", "S T AA P"), "halt": ("HH AA L T",), "sei": ("Z AY",),
        "still": ("SH T IH L",), "ruhig": ("R UW IH CH",), "hör": ("HH ER", "HH OW"), "auf": ("AW F",),
        "ruhe": ("R UW AH",),
    },
    "es": {
        "para": ("P AA R AA",), "basta": ("B AA S T AA",), "silencio": ("S IY L EH N S Y OW",),
        "cállate": ("K AA Y AA T EH",), "detente": ("D EH T EH N T EH",),
    },
    "fr": {
        "stop": ("S T AO P",), "arrête": ("AA R EH T",), "tais": ("T EH",), "toi": ("T W AA",),
        "silence": ("S IY L AA N S",),
    },
    "zh": {
        "停": ("T IH NG",), "停下": ("T IH NG SH AA",), "停止": ("T IH NG JH ER",), "别说了": ("B Y EH SH AO L AH",),
        "安静": ("AE N JH IH NG",),
    },
}  # fmt: skip
"""How they are said, in the phones of CMU's English dictionary; beside what the dictionary says itself."""

OTHERS = (
    "yes|no|okay|well|oh|what|and|the|a|it|is|top|shop|step|hot|top it|stuff|star|store|start|still|stay|story|stand|"
    "so|see|up|out|off|got|god|not|but|that|this|there|here|now|how|who|why|one|two|three|four|five|six|seven|eight|"
    "nine|ten|hey|hello|thanks|please|right|left|good|back|look|listen|come|go|get|let|on|top of|spot|job|top shop|"
    "pop|drop|chop|cop|hop|crop|step it|star the|it's hot|be quick|be kind|quite|the quiet|she|he|we|you|dinner|"
    "after lunch|the news|room|hold|start it|stock|stocks|starts|stopped|sob|sub|sup|hub|cup|cut|shut|shot|shout|"
    "about|upset"
)
"""Short English sayings that a stop phrase must beat; beside each other in a JSGF rule."""
