"""A household's usual rooms."""

from __future__ import annotations

ROOMS = (
    "living room", "kitchen", "bedroom", "bathroom", "office", "hallway", "dining room", "garage", "garden", "nursery",
    "basement", "attic",
)  # fmt: skip
"""In English."""
ROOMS_IN = {
    "de": (
        "Wohnzimmer", "Küche", "Schlafzimmer", "Bad", "Badezimmer", "Büro", "Arbeitszimmer", "Flur", "Esszimmer",
        "Garage", "Garten", "Kinderzimmer", "Keller", "Dachboden",
    ),
    "es": (
        "salón", "sala de estar", "cocina", "dormitorio", "baño", "despacho", "oficina", "pasillo", "comedor", "garaje",
        "jardín", "habitación de los niños", "sótano", "desván",
    ),
    "fr": (
        "salon", "cuisine", "chambre", "salle de bain", "bureau", "couloir", "salle à manger", "garage", "jardin",
        "chambre des enfants", "sous-sol", "cave", "grenier",
    ),
    "zh": (
        "客厅", "厨房", "卧室", "浴室", "卫生间", "书房", "办公室", "走廊", "餐厅", "车库", "花园", "儿童房", "地下室",
        "阁楼",
    ),
}  # fmt: skip
"""Language → the same in it."""


def usual_rooms(language: str) -> tuple[str, ...]:
    """The rooms in a language such as ``de`` or ``de-AT``; in English where it is not known."""
    return ROOMS_IN.get(language.split("-")[0], ROOMS)
