"""Update ``pt_BR.po`` with the sentences in the code: ``python -m tlcore.core.i18n.extract``.

Sentences are the first argument of ``t(…)`` and ``sentence(…)`` in Python files and templates, and the help of each
field of the Spec. Existing translations are kept, new sentences have an empty one. A sentence no longer in the code
stays as an obsolete entry (``#~``), since reports of earlier releases may contain it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from tlcore import __version__

ROOT = Path(__file__).resolve().parents[3]
PO = Path(__file__).with_name("pt_BR.po")
KEYWORDS = {"t": None, "sentence": None}
METHODS = {".py": "python", ".j2": "jinja2.ext:babel_extract"}
_HEADER = "# Português (Brasil) of the sentences in Transfer Learning Studio.\n# Kept up to date by `make words`."
_BEGUN = datetime(2026, 11, 23, tzinfo=UTC)


def files() -> list[Path]:
    """The files that may hold sentences, in a stable order."""
    found = [ROOT / "app.py", *(ROOT / "pages").glob("*.py")]
    found += [path for path in (ROOT / "tlcore").rglob("*") if path.suffix in METHODS]
    return sorted(path for path in found if path.is_file())


def sentences() -> dict[str, set[str]]:
    """Every message id, with the files (relative to the root) that contain it."""
    found: dict[str, set[str]] = {}
    for path in files():
        with path.open("rb") as file:
            options = {"encoding": "utf-8"}
            for _line, message, _comments, _context in extract(METHODS[path.suffix], file, KEYWORDS, options=options):
                if isinstance(message, str) and message:
                    found.setdefault(message, set()).add(path.relative_to(ROOT).as_posix())
    for path in (ROOT / "tlcore" / "spec.py", ROOT / "tlcore" / "core" / "spec_parts.py"):
        for text in _field_help(path):
            found.setdefault(text, set()).add(path.relative_to(ROOT).as_posix())
    return found


def _field_help(path: Path) -> Iterator[str]:
    """The help sentences of a Spec's fields, shown by widgets and the command line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "description" and isinstance(node.value, ast.Constant):
            yield node.value.value


def translations() -> dict[str, str]:
    """Every translation in ``pt_BR.po``, including those of obsolete entries."""
    if not PO.exists():
        return {}
    with PO.open("rb") as file:
        catalogue = read_po(file)
    every = (*catalogue.obsolete.values(), *catalogue)
    return {m.id: m.string for m in every if m.id and m.string and isinstance(m.id, str)}


def update(more: dict[str, str] | None = None) -> list[str]:
    """Rewrite ``pt_BR.po``, with ``more`` translations if given; returns the sentences without a translation."""
    known = {**translations(), **(more or {})}
    who = "Transfer Learning Studio"
    catalogue = Catalog(
        locale="pt_BR",
        project=who,
        version=__version__,
        msgid_bugs_address=who,
        fuzzy=False,
        last_translator=who,
        language_team="pt_BR",
        header_comment=_HEADER,
        creation_date=_BEGUN,
        revision_date=_BEGUN,
    )
    missing, current = [], sentences()
    for text in sorted(set(known) - set(current)):
        catalogue.obsolete[text] = Message(text, known[text])
    for text, places in current.items():
        lines = [(place, 0) for place in sorted(places)]
        message = catalogue.add(text, known.get(text, ""), locations=lines)
        message.flags.clear()  # "95 % interval" is not a format string
        if text not in known:
            missing.append(text)
    with PO.open("wb") as file:
        write_po(file, catalogue, width=110, sort_output=True, include_lineno=False)
    return missing


if __name__ == "__main__":
    left = update()
    print(f"{len(sentences())} sentences, {len(left)} without a translation.")
    for text in left:
        print(f"  {text!r}")
    sys.exit(1 if left else 0)
