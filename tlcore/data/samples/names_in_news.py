"""Generated short news in two languages, with invented people and organisations and real places."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tlcore.core import atomic_files
from tlcore.core.i18n import sentence

N, SEED = 150, 11
FIRST = (
    "Ana",
    "Bruno",
    "Clara",
    "David",
    "Elisa",
    "Felipe",
    "Grace",
    "Hugo",
    "Irene",
    "James",
    "Karina",
    "Lucas",
    "Mary",
    "Nuno",
    "Olivia",
    "Paulo",
    "Ruth",
    "Sofia",
    "Tom",
    "Vera",
)
LAST = (
    "Almeida",
    "Barros",
    "Carter",
    "Duarte",
    "Evans",
    "Ferreira",
    "Gomes",
    "Hughes",
    "Lima",
    "Miller",
    "Nogueira",
    "Okafor",
    "Pereira",
    "Quinn",
    "Rocha",
    "Silveira",
    "Turner",
    "Vaz",
    "Walsh",
    "Zanetti",
)
PLACES = (
    "Lisbon",
    "Porto",
    "São Paulo",
    "Recife",
    "Belo Horizonte",
    "Curitiba",
    "London",
    "Leeds",
    "Dublin",
    "Boston",
    "Chicago",
    "Nairobi",
    "Luanda",
    "Maputo",
    "Madrid",
    "Berlin",
    "Toronto",
    "Santiago",
    "Rio de Janeiro",
    "Cape Town",
    "Braga",
    "Évora",
    "Faro",
    "Manaus",
    "Salvador",
    "Fortaleza",
    "Goiânia",
    "Natal",
    "Bristol",
    "Glasgow",
    "Cardiff",
    "Seattle",
    "Denver",
    "Austin",
    "Lagos",
    "Beira",
    "Praia",
    "Rome",
    "Vienna",
    "Lima",
)
KINDS = ("Foods", "Energia", "Bank", "Airlines", "Motors", "Saúde", "Press", "Textil", "Systems", "Museum")
ROOTS = (
    "Aurora",
    "Horizonte",
    "Northfield",
    "Vale Verde",
    "Bluewater",
    "Atlântica",
    "Redwood",
    "Nova",
    "Summit",
    "Ipê",
    "Oakland",
    "Serrana",
    "Ribeira",
    "Brightwell",
    "Estrela",
    "Ironbridge",
)
# Placeholders: {p} person, {l} place, {o} organisation. English first, then Portuguese.
SENTENCES = (
    (
        "{p} moved to {l} last year.",
        "{o} opens an office in {l}.",
        "The mayor of {l} met {p} on Monday.",
        "{p} now leads {o}.",
        "Workers of {o} in {l} went on strike.",
        "{p} and {p} wrote a book about {l}.",
        "A storm closed the airport of {l} for two days.",
        "{o} bought a part of {o}, said {p}.",
        "Tickets for the concert in {l} are sold out.",
        "“We are growing”, said {p}, head of {o}.",
        "Nobody was hurt when the bridge near {l} was closed.",
        "The prize goes to {p} of {l}.",
        "Prices rose again in May.",
        "The report will be published next week.",
        "It rained all weekend.",
        "In {l}, {o} hired two hundred people.",
    ),
    (
        "{p} mudou-se para {l} no ano passado.",
        "A {o} abre um escritório em {l}.",
        "A prefeita de {l} recebeu {p} na segunda-feira.",
        "{p} agora dirige a {o}.",
        "Funcionários da {o} em {l} entraram em greve.",
        "{p} e {p} escreveram um livro sobre {l}.",
        "Uma tempestade fechou o aeroporto de {l} por dois dias.",
        "A {o} comprou uma parte da {o}, disse {p}.",
        "Os ingressos para o show em {l} estão esgotados.",
        "“Estamos crescendo”, disse {p}, diretora da {o}.",
        "Ninguém se feriu quando a ponte perto de {l} foi fechada.",
        "O prêmio vai para {p}, de {l}.",
        "Os preços subiram de novo em maio.",
        "O relatório será publicado na próxima semana.",
        "Choveu o fim de semana todo.",
        "Em {l}, a {o} contratou duzentas pessoas.",
    ),
)
LABELS = {"p": "person", "l": "place", "o": "organisation"}


class NamesInNews:
    id = "names-in-news"
    title = sentence("Names in short news, in two languages")
    what = sentence(
        "150 texts as in short news, half of them English, half Portuguese, with people, places and organisations. "
        "They were put together by code from 32 sentences and lists of names written for this studio: people and "
        "organisations are invented, nothing in them happened, and they are much easier than real news."
    )
    task = "token-classification"
    spec = {"source": "bundled/minilm-l6", "budget": {"epochs": 10}}  # noqa: RUF012

    def write(self, folder: Path) -> Path:
        """Write JSON lines of texts with entity spans and the language."""
        rng = np.random.default_rng(SEED)
        made: dict[str, str] = {}
        while len(made) < N:
            language = len(made) % 2
            text, entities = _filled(str(rng.choice(SENTENCES[language])), rng)
            if rng.random() < 0.5:
                more, others = _filled(str(rng.choice(SENTENCES[language])), rng)
                entities += [
                    {**one, "start": one["start"] + len(text) + 1, "end": one["end"] + len(text) + 1} for one in others
                ]
                text = f"{text} {more}"
            record = {"text": text, "entities": entities, "language": ("en", "pt")[language]}
            made.setdefault(text, json.dumps(record, ensure_ascii=False))
        path = folder / "names-in-news.jsonl"
        atomic_files.write(path, "\n".join(made.values()) + "\n")
        return path


def _filled(message: str, rng: np.random.Generator) -> tuple[str, list[dict[str, object]]]:
    """A sentence with random names in its placeholders, and their entity spans."""
    text, entities = "", []
    for piece in message.split("{"):
        kind, closed, rest = piece.partition("}")
        if closed:
            name = _name(kind, rng)
            entities.append({"start": len(text), "end": len(text) + len(name), "label": LABELS[kind]})
            text += name
        text += rest if closed else piece
    return text, entities


def _name(kind: str, rng: np.random.Generator) -> str:
    if kind == "l":
        return str(rng.choice(PLACES))
    if kind == "o":
        return f"{rng.choice(ROOTS)} {rng.choice(KINDS)}"
    first, last = str(rng.choice(FIRST)), str(rng.choice(LAST))
    return f"{first} {last}" if rng.random() < 0.8 else last


SAMPLE = NamesInNews()
