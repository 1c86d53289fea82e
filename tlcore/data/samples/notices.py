"""Short notices with their subject lines, in English and Portuguese, written for this studio."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from tlcore.core.i18n import sentence
from tlcore.data.samples.contract import write_csv

EACH = 60  # notices per grammar
ENGLISH = {
    "what": (
        ("the lift", "Lift"),
        ("the printer", "Printer"),
        ("the coffee machine", "Coffee machine"),
        ("the main door", "Main door"),
        ("the heating", "Heating"),
        ("the water pump", "Water pump"),
    ),
    "where": ("in the north wing", "on the second floor", "in the old building", "next to the entrance"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    "course": (
        ("first aid", "First aid"),
        ("spreadsheets", "Spreadsheets"),
        ("public speaking", "Public speaking"),
        ("fire safety", "Fire safety"),
        ("beginners' Spanish", "Beginners' Spanish"),
    ),
    "room": ("the library", "room twelve", "the canteen", "the large hall"),
}
PORTUGUESE = {
    "what": (
        ("o elevador", "Elevador"),
        ("a impressora", "Impressora"),
        ("a máquina de café", "Máquina de café"),
        ("a porta principal", "Porta principal"),
        ("o aquecimento", "Aquecimento"),
        ("o telefone", "Telefone"),
    ),
    "where": ("na ala norte", "no segundo andar", "no prédio antigo", "perto da entrada"),
    "day": ("segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira"),
    "course": (
        ("primeiros socorros", "Primeiros socorros"),
        ("planilhas", "Planilhas"),
        ("oratória", "Oratória"),
        ("segurança contra incêndio", "Segurança contra incêndio"),
        ("espanhol", "Espanhol"),
    ),
    "room": ("na biblioteca", "na sala doze", "no refeitório", "no salão grande"),
}


def notices() -> list[tuple[str, str]]:
    """All (notice, subject) pairs, the same each time."""
    rng = np.random.default_rng(0)
    found = []
    for grammar in (_broken_en(), _course_en(), _broken_pt(), _course_pt()):
        every = list(grammar)
        found += [every[place] for place in np.sort(rng.permutation(len(every))[:EACH])]
    return found


def _broken_en() -> Iterator[tuple[str, str]]:
    for (what, short), where, day in product(ENGLISH["what"], ENGLISH["where"], ENGLISH["day"]):
        yield (
            f"Since this morning {what} {where} has been out of order. A technician has looked at it and had to order "
            f"a part. If all goes well it will be repaired on {day}. We are sorry for the trouble.",
            f"{short} out of order until {day}",
        )


def _course_en() -> Iterator[tuple[str, str]]:
    for (course, short), room, day in product(ENGLISH["course"], ENGLISH["room"], ENGLISH["day"]):
        yield (
            f"Many of you have asked for a course in {course}. It will now take place on {day} at three o'clock in "
            f"{room}. Bring paper and a pen. Please sign up by the end of the week.",
            f"{short} course on {day}",
        )


def _broken_pt() -> Iterator[tuple[str, str]]:
    for (what, short), where, day in product(PORTUGUESE["what"], PORTUGUESE["where"], PORTUGUESE["day"]):
        yield (
            f"Desde hoje cedo {what} {where} não funciona. Um técnico já veio ver e precisou encomendar uma peça. Se "
            f"tudo correr bem, o conserto será feito na {day}. Pedimos desculpas pelo transtorno.",
            f"{short} sem funcionar até {day}",
        )


def _course_pt() -> Iterator[tuple[str, str]]:
    for (course, short), room, day in product(PORTUGUESE["course"], PORTUGUESE["room"], PORTUGUESE["day"]):
        yield (
            f"Muitos de vocês pediram um curso de {course}. Ele vai acontecer na {day} às três horas {room}. Tragam "
            "papel e caneta. Inscrevam-se até o fim da semana.",
            f"Curso: {short} na {day}",
        )


class Notices:
    id = "notices"
    title = sentence("Notices and their subjects")
    what = sentence(
        "240 short notices with a subject line for each, half of them English, half Portuguese. They were put together "
        "from small grammars for this studio; the score holds for such notices only."
    )
    task = "summarization"
    spec = {  # noqa: RUF012
        "source": "bundled/minilm-l6",
        "strategy": "fine-tuning",
        "budget": {"epochs": 6},
        "options": {"batch_size": 8, "learning_rate": 8e-4},
    }

    def write(self, folder: Path) -> Path:
        """Write a CSV with the columns document and summary."""
        return write_csv(folder / "notices.csv", ("document", "summary"), notices())


SAMPLE = Notices()
