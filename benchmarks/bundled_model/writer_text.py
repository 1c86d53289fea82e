"""The text that the bundled studio-writer is trained on: all of it may be used freely, and is made or lies here.

* generated: little stories, letters, questions and answers in English and Portuguese, from the lists below
* docstrings and help topics of Python's standard library (PSF-2.0), docstrings of numpy, pandas, scikit-learn and
  networkx (BSD-3)
* this project's own pages and sentences, in both languages (Apache-2.0)

The studio's samples for text generation come from other lists, so that the model has not seen them.
"""

from __future__ import annotations

import ast
import importlib.util
import pydoc_data.topics
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
PACKAGES = ("numpy", "pandas", "sklearn", "networkx")
LONGEST = 4_000  # characters of one docstring

PEOPLE = (
    "Ana",
    "Bruno",
    "Carla",
    "Daniel",
    "Elisa",
    "Felipe",
    "Helena",
    "Igor",
    "Julia",
    "Lucas",
    "Marta",
    "Nina",
    "Otto",
    "Paula",
    "Rui",
    "Sara",
    "Tom",
    "Vera",
)
WOMEN = {"Ana", "Carla", "Elisa", "Helena", "Julia", "Marta", "Nina", "Paula", "Sara", "Vera"}
THINGS = (  # English, Portuguese, its gender
    ("dog", "cachorro", "m"),
    ("cat", "gata", "f"),
    ("book", "livro", "m"),
    ("letter", "carta", "f"),
    ("boat", "barco", "m"),
    ("house", "casa", "f"),
    ("bird", "pássaro", "m"),
    ("apple", "maçã", "f"),
    ("bread", "pão", "m"),
    ("key", "chave", "f"),
    ("horse", "cavalo", "m"),
    ("flower", "flor", "f"),
    ("garden", "jardim", "m"),
    ("window", "janela", "f"),
    ("bicycle", "bicicleta", "f"),
    ("hat", "chapéu", "m"),
    ("song", "canção", "f"),
    ("clock", "relógio", "m"),
    ("box", "caixa", "f"),
    ("stone", "pedra", "f"),
    ("painting", "quadro", "m"),
    ("map", "mapa", "m"),
    ("fish", "peixe", "m"),
    ("tree", "árvore", "f"),
    ("story", "história", "f"),
    ("guitar", "violão", "m"),
    ("photograph", "fotografia", "f"),
    ("cake", "bolo", "m"),
)
QUALITIES = (  # English, Portuguese of a masculine and a feminine noun
    ("old", "velho", "velha"),
    ("new", "novo", "nova"),
    ("small", "pequeno", "pequena"),
    ("big", "grande", "grande"),
    ("beautiful", "bonito", "bonita"),
    ("red", "vermelho", "vermelha"),
    ("white", "branco", "branca"),
    ("happy", "feliz", "feliz"),
    ("strange", "estranho", "estranha"),
    ("heavy", "pesado", "pesada"),
    ("quiet", "quieto", "quieta"),
    ("yellow", "amarelo", "amarela"),
    ("simple", "simples", "simples"),
)
DEEDS = (
    ("found", "encontrou"),
    ("saw", "viu"),
    ("bought", "comprou"),
    ("lost", "perdeu"),
    ("painted", "pintou"),
    ("kept", "guardou"),
    ("forgot", "esqueceu"),
    ("remembered", "lembrou"),
    ("carried", "carregou"),
    ("showed", "mostrou"),
    ("wanted", "queria"),
    ("described", "descreveu"),
    ("looked for", "procurou"),
)
PLACES = (
    ("in the park", "no parque"),
    ("at the market", "no mercado"),
    ("by the river", "perto do rio"),
    ("at school", "na escola"),
    ("in the kitchen", "na cozinha"),
    ("on the beach", "na praia"),
    ("near the station", "perto da estação"),
    ("in the library", "na biblioteca"),
    ("in the city", "na cidade"),
    ("on the mountain", "na montanha"),
    ("at the door", "na porta"),
    ("under the bridge", "embaixo da ponte"),
)
TIMES = (
    ("One morning", "Certa manhã"),
    ("In the evening", "À noite"),
    ("On Sunday", "No domingo"),
    ("Yesterday", "Ontem"),
    ("Last summer", "No verão passado"),
    ("After lunch", "Depois do almoço"),
    ("Many years ago", "Há muitos anos"),
    ("Every day", "Todos os dias"),
    ("Before the rain", "Antes da chuva"),
    ("At last", "Enfim"),
    ("When the sun came up", "Quando o sol nasceu"),
)
REASONS = (
    ("because it was raining", "porque estava chovendo"),
    ("because nobody else was there", "porque não havia mais ninguém"),
    ("and it was a surprise", "e foi uma surpresa"),
    ("but there was no time", "mas não havia tempo"),
    ("and everybody laughed", "e todos riram"),
    ("so that the children could see it", "para que as crianças pudessem ver"),
    ("and did not say a word", "e não disse uma palavra"),
    ("although it was late", "embora fosse tarde"),
    ("while the others were asleep", "enquanto os outros dormiam"),
    ("and then went home", "e depois foi para casa"),
)
WAYS = (
    ("The day was cold and the streets were empty.", "O dia estava frio e as ruas estavam vazias."),
    (
        "There was a lot of work to do, but there was also time to rest.",
        "Havia muito trabalho a fazer, mas também havia tempo para descansar.",
    ),
    ("The wind blew and the leaves fell.", "O vento soprava e as folhas caíam."),
    ("Nobody knew what would happen next.", "Ninguém sabia o que aconteceria depois."),
    ("It was the best day of the year.", "Foi o melhor dia do ano."),
    ("The coffee was hot and the bread was fresh.", "O café estava quente e o pão estava fresco."),
    ("The neighbours came to help, as they always do.", "Os vizinhos vieram ajudar, como sempre fazem."),
    ("From far away one could hear the music.", "De longe se ouvia a música."),
    ("In the end everything went well.", "No fim, tudo deu certo."),
    ("The light was green and the train left at ten.", "O sinal estava verde e o trem partiu às dez."),
)


def generated(count: int, seed: int) -> Iterator[str]:
    """Short pieces, English and Portuguese in turn; no two are made alike but by chance."""
    rng = np.random.default_rng(seed)
    kinds = (_story, _letter, _questions)
    for place in range(count):
        yield kinds[int(rng.choice(3, p=(0.6, 0.2, 0.2)))](rng, place % 2)


def _pick(rng: np.random.Generator, things: tuple) -> tuple:
    return things[int(rng.integers(len(things)))]


def _thing(rng: np.random.Generator, language: int, known: bool) -> tuple[str, str]:
    """A thing with its article, and the word for it afterwards (it, ele, ela)."""
    english, portuguese, gender = _pick(rng, THINGS)
    quality = _pick(rng, QUALITIES)
    described = rng.random() < 0.6
    if language == 0:
        noun = f"{quality[0]} {english}" if described else english
        article = "the" if known else "an" if noun[0] in "aeiou" else "a"
        return f"{article} {noun}", "it"
    article = {"m": ("um", "o"), "f": ("uma", "a")}[gender][known]
    noun = f"{portuguese} {quality[1 if gender == 'm' else 2]}" if described else portuguese
    return f"{article} {noun}", {"m": "ele", "f": "ela"}[gender]


def _sentence(rng: np.random.Generator, who: str, language: int) -> str:
    time, deed, place, reason = (_pick(rng, these)[language] for these in (TIMES, DEEDS, PLACES, REASONS))
    thing, _ = _thing(rng, language, bool(rng.integers(2)))
    she = ("he", "ele") if who not in WOMEN else ("she", "ela")
    subject = who if rng.random() < 0.5 else she[language]
    shape = int(rng.integers(5))
    if shape == 0:
        return f"{time}, {subject} {deed} {thing} {place}."
    if shape == 1:
        return f"{subject[0].upper() + subject[1:]} {deed} {thing} {reason}."
    if shape == 2:
        return _pick(rng, WAYS)[language]
    if shape == 3:
        other = _pick(rng, PEOPLE)  # a name
        return (
            f"{who} and {other} were {place}, and {other} {deed} {thing}.",
            f"{who} e {other} estavam {place}, e {other} {deed} {thing}.",
        )[language]
    return (
        f'"Where is {thing}?" asked {who}. "It is {place}," {she[0]} was told.',
        f'"Onde está {thing}?", perguntou {who}. "Está {place}", responderam.',
    )[language]


def _story(rng: np.random.Generator, language: int) -> str:
    who = str(rng.choice(PEOPLE))
    article = "a" if who in WOMEN else "o"
    first = (f"Once there was someone called {who}.", f"Era uma vez {article} {who}.")[language]
    sentences = [_sentence(rng, who, language) for _ in range(int(rng.integers(3, 8)))]
    return " ".join([first, *sentences] if rng.random() < 0.4 else sentences)


def _letter(rng: np.random.Generator, language: int) -> str:
    to, writer = (str(one) for one in rng.choice(PEOPLE, 2, replace=False))
    hello = (f"Dear {to},", f"Querid{'a' if to in WOMEN else 'o'} {to},")[language]
    bye = (f"See you soon,\n{writer}", f"Até logo,\n{writer}")[language]
    middle = " ".join(_sentence(rng, str(rng.choice(PEOPLE)), language) for _ in range(int(rng.integers(2, 5))))
    return f"{hello}\n\n{middle}\n\n{bye}"


def _questions(rng: np.random.Generator, language: int) -> str:
    lines = []
    for _ in range(int(rng.integers(2, 5))):
        who, place = str(rng.choice(PEOPLE)), _pick(rng, PLACES)[language]
        thing, it = _thing(rng, language, True)
        deed = _pick(rng, DEEDS)[language]
        lines.append(
            (f"Who {deed} {thing}? {who} {deed} {it} {place}.", f"Quem {deed} {thing}? Foi {who}, {place}.")[language]
        )
    return "\n".join(lines)


def docstrings() -> Iterator[str]:
    """Docstrings of the standard library and of the packages, without doctests and tables of code."""
    roots = [Path(sysconfig.get_paths()["stdlib"])]
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec and spec.submodule_search_locations:
            roots.append(Path(next(iter(spec.submodule_search_locations))))
    for root in roots:
        for path in sorted(root.rglob("*.py")):
            result = path.relative_to(root).parts
            if {"test", "tests", "site-packages", "idlelib", "lib2to3", "dist-packages"} & set(result):
                continue
            try:
                tree = ast.parse(path.read_text(encoding="utf-8"))
            except (SyntaxError, ValueError):
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    found = _prose(ast.get_docstring(node) or "")
                    if len(found) > 120:
                        yield found[:LONGEST]


def _prose(text: str) -> str:
    """The paragraphs of a docstring that are sentences."""
    parts = [part for part in re.split(r"\n\s*\n", text) if ">>>" not in part and "----" not in part]
    return "\n\n".join(part.strip() for part in parts if re.search(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", part))


def topics() -> Iterator[str]:
    yield from (_prose(str(text)) for text in pydoc_data.topics.topics.values())


def own() -> Iterator[str]:
    """This project's pages and, in both languages, its sentences; placeholders taken out."""
    for path in sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md"]):
        yield path.read_text(encoding="utf-8")
    from babel.messages.pofile import read_po

    with (ROOT / "tlcore" / "core" / "i18n" / "pt_BR.po").open("rb") as file:
        pairs = [(str(one.id), str(one.string)) for one in read_po(file) if one.id and one.string]
    for column in (0, 1):
        lines = [re.sub(r"\{\w+\}", "", pair[column]) for pair in pairs if len(pair[column]) > 40]
        yield from ("\n".join(lines[i : i + 12]) for i in range(0, len(lines), 12))


def pieces() -> dict[str, list[str]]:
    """Every piece of text, by where it is from; Portuguese of the project's own is taken three times, being scarce."""
    return {
        "generated": list(generated(24_000, 0)),
        "docstrings": [text for text in dict.fromkeys(docstrings()) if text],
        "topics": [text for text in topics() if text],
        "own": list(own()) * 3,
    }


def held_out() -> list[str]:
    """Generated pieces of another seed, English and Portuguese in turn: to watch training by."""
    return list(generated(200, 1))
