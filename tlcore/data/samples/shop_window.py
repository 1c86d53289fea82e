"""Facts about invented shop items and descriptions generated from them, in two languages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tlcore.core import atomic_files
from tlcore.core.i18n import sentence

EACH, SEED = 90, 2026
# English, Portuguese, whether the Portuguese word is feminine.
THINGS = (
    ("teapot", "bule", False),
    ("blanket", "manta", True),
    ("lamp", "luminária", True),
    ("notebook", "caderno", False),
    ("backpack", "mochila", True),
    ("mug", "caneca", True),
    ("vase", "vaso", False),
    ("cushion", "almofada", True),
    ("basket", "cesto", False),
    ("candle", "vela", True),
    ("apron", "avental", False),
    ("tray", "bandeja", True),
)
MADE_OF = (
    ("stoneware", "cerâmica"),
    ("wool", "lã"),
    ("linen", "linho"),
    ("oak", "carvalho"),
    ("recycled glass", "vidro reciclado"),
    ("bamboo", "bambu"),
    ("cotton", "algodão"),
    ("brass", "latão"),
)
COLOURS = (
    ("sand", "areia"),
    ("moss green", "verde-musgo"),
    ("navy blue", "azul-marinho"),
    ("brick red", "vermelho-tijolo"),
    ("charcoal", "carvão"),
    ("ivory", "marfim"),
)
GOOD_FOR = (
    ("slow breakfasts", "cafés da manhã sem pressa"),
    ("small flats", "apartamentos pequenos"),
    ("rainy evenings", "noites de chuva"),
    ("a long journey", "uma longa viagem"),
    ("a friend's birthday", "o aniversário de um amigo"),
    ("a busy desk", "uma mesa cheia"),
)
CARE = (
    ("Wash it by hand in lukewarm water.", "Lave à mão com água morna."),
    ("Wipe it with a damp cloth.", "Limpe com um pano úmido."),
    ("Keep it away from direct sunlight.", "Mantenha longe da luz direta do sol."),
    ("Machine wash at thirty degrees.", "Lave à máquina a trinta graus."),
)
ENGLISH = (
    "This {thing} is made of {stuff} and comes in {colour}. It is {size} centimetres wide and just right for {use}. "
    "{care}",
    "A {colour} {thing} of {stuff}, made by hand. At {size} centimetres it fits anywhere, and it is a fine choice for "
    "{use}. {care}",
    "New in the shop: our {thing} of {stuff}. Choose it in {colour} for {use}. It measures {size} centimetres. {care}",
)
PORTUGUESE = (
    "{Este} {thing} de {stuff} vem na cor {colour}. Mede {size} centímetros e combina com {use}. {care}",
    "{Um} {thing} de {stuff}, {feito} à mão, na cor {colour}. Com {size} centímetros, cabe em qualquer lugar e é uma "
    "boa escolha para {use}. {care}",
    "Novidade na loja: {nosso} {thing} de {stuff}. Escolha na cor {colour} para {use}. Mede {size} centímetros. {care}",
)
ENDINGS = {"Este": ("Este", "Esta"), "Um": ("Um", "Uma"), "feito": ("feito", "feita"), "nosso": ("nosso", "nossa")}


PROMPTS = ("{thing}, {stuff}, {colour}, {size} cm, for {use}", "{thing}, {stuff}, {colour}, {size} cm, para {use}")


class ShopWindow:
    id = "shop-window"
    title = sentence("Descriptions of things in a shop")
    what = sentence(
        "180 lists of facts about a thing in a shop, each with a short description made of them, half of it English, "
        "half Portuguese. A program put them together for this studio; no shop sells these things. A model learns to "
        "write the description."
    )
    task = "text-generation"
    spec = {"source": "bundled/studio-writer", "budget": {"epochs": 10}}  # noqa: RUF012

    def write(self, folder: Path) -> Path:
        """Write JSON lines of prompt, completion and language."""
        path = folder / "shop-window.jsonl"
        atomic_files.write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows()))
        return path


def _rows() -> list[dict[str, str]]:
    """Rows with unique prompts, alternating between the languages."""
    rng = np.random.default_rng(SEED)
    found: dict[str, dict[str, str]] = {}
    while len(found) < 2 * EACH:
        language = len(found) % 2
        english, portuguese, feminine = THINGS[rng.integers(len(THINGS))]
        stuff, colour, use, care = (
            these[rng.integers(len(these))][language] for these in (MADE_OF, COLOURS, GOOD_FOR, CARE)
        )
        facts = {
            "thing": (english, portuguese)[language],
            "stuff": stuff,
            "colour": colour,
            "use": use,
            "size": int(rng.integers(8, 60)),
        }
        shape = (ENGLISH, PORTUGUESE)[language][rng.integers(3)]
        prompt = PROMPTS[language].format(**facts)
        text = shape.format(care=care, **facts, **{word: ends[feminine] for word, ends in ENDINGS.items()})
        row = {"prompt": prompt, "completion": text, "language": ("en", "pt")[language]}
        found.setdefault(prompt, row)
    return list(found.values())


SAMPLE = ShopWindow()
