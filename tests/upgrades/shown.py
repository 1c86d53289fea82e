"""What the command line and the pages show of a workspace: recorded at a release, compared ever after."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]
LOCALES = {"en": "en-US", "pt_BR": "pt-BR"}
KINDS = ("markdown", "caption", "title", "header", "subheader", "info", "warning", "error", "success", "metric")


def shown(home: Path) -> dict[str, Any]:
    """Reports and sentences of every run, the command line's JSON, and the texts of the pages, in both languages."""
    os.environ["TLCORE_HOME"] = str(home)
    os.environ.pop("TLCORE_DATABASE_URL", None)
    from tlcore.store import Store

    store = Store.open(home)
    projects = store.projects.all("local")
    runs = {run.name: run for project in projects for run in store.runs.of_project(project.id)}
    store.close()
    reports = {name: run for name, run in runs.items() if run.report}
    return {
        "reports": {name: cli("report", run.id, "--json") for name, run in reports.items()},
        "sentences": {name: spoken(run.report) for name, run in reports.items()},
        "refused": cli("report", runs["Never ran"].id, "--json"),
        "tasks": cli("tasks", "--json"),
        "strategies": cli("strategies", "--json"),
        "sources": [one["id"] for one in cli("sources", "--json")["sources"] if one["id"].startswith("uploaded/")],
        "resumed": cli("resume", reports["Patterns"].id, "--json")["run"],
        "pages": {
            f"{name} · {page} · {language}": pages(page, locale, run)
            for name, run in runs.items()
            for page in ("compare", "train", "share")
            for language, locale in LOCALES.items()
        },
        "library": {language: texts(opened("library", locale)) for language, locale in LOCALES.items()},
    }


def cli(*words: str) -> Any:
    """The JSON object that a verb prints."""
    from tlcore.cli.main import main

    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        code = main(list(words))
    return {**json.loads(out.getvalue()), **({"exit code": code} if code else {})}


def sentences(value: Any) -> Iterator[dict[str, Any]]:
    """Every sentence that is kept somewhere in a JSON value, those within sentences too."""
    if isinstance(value, dict):
        if {"text", "params"} <= set(value):
            yield value
        for item in value.values():
            yield from sentences(item)
    elif isinstance(value, list):
        for item in value:
            yield from sentences(item)


def spoken(report: dict[str, Any]) -> dict[str, list[str]]:
    """The kept sentences of a report as a person reads them, in each language."""
    from tlcore.core import i18n as words

    found = {}
    for language in LOCALES:
        words.set_language_provider(lambda language=language: language)
        found[language] = list(dict.fromkeys(words.translate(one) for one in sentences(report)))
    words.set_language_provider(lambda: "en")
    return found


def opened(page: str, locale: str, **params: str) -> AppTest:
    """A page as a browser with this address and language shows it."""
    at = AppTest.from_file(ROOT / "app.py", default_timeout=90)
    at.context = {"locale": locale, "timezone": "UTC"}
    for name, value in params.items():
        at.query_params[name] = value
    at.run()
    at.switch_page(f"pages/{page}.py")
    for name, value in params.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception, at.exception
    return at


def pages(page: str, locale: str, run: Any) -> list[str]:
    """What a page says of a run; Compare with each of its parts."""
    from tlcore.ui import report_parts

    at = opened(page, locale, project=run.project_id, run=run.id)
    found = texts(at)
    if page == "compare" and run.report:
        for part in report_parts.of(run.report):
            at.session_state["compare-part"] = part
            at.run()
            assert not at.exception, (part, at.exception)
            found += [line for line in texts(at) if line not in found]
    return found


def texts(at: AppTest) -> list[str]:
    """The texts and tables of a page in order, times of day and durations left out."""
    found = [f"{getattr(one, 'label', '')} {one.value}".strip() for kind in KINDS for one in getattr(at, kind)]
    for table in (*at.dataframe, *at.table):
        value = table.value
        found += [" | ".join(map(str, row)) for row in [value.columns, *value.itertuples(index=False)]]
    return [re.sub(r"\d+:\d\d( [AP]M)?", "HH:MM", line) for line in found]
