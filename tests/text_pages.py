"""Pages of the studio opened in a test, and what stands on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from streamlit.testing.v1 import AppTest

from tlcore.store import Store

ROOT = Path(__file__).resolve().parents[1]


def project_with_run(folder: Path, run_id: str, monkeypatch, task: str, name: str) -> Iterator[tuple[Store, str]]:
    """The workspace in ``folder`` and the id of a project in it that a run of the command line is put into."""
    monkeypatch.setenv("TLCORE_HOME", str(folder / "home"))
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    store = Store.open()
    draft = {"task": task, "source": str(folder / "bert"), "data": {"dataset": store.runs.get(run_id).dataset}}
    made = store.projects.create(name, "local", draft).id
    store.runs.set(run_id, project_id=made)
    yield store, made
    store.close()


def opened(page: str, locale: str = "en-US", **params: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=90)
    at.context = {"locale": locale, "timezone": "America/Sao_Paulo"}
    for name, value in params.items():
        at.query_params[name] = value
    at.run()
    at.switch_page(f"pages/{page}.py")
    for name, value in params.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception, at.exception
    return at


def said(at: AppTest) -> str:
    kinds = ("markdown", "caption", "title", "header", "subheader", "info", "warning", "error", "success", "metric")
    return "\n".join(str(getattr(one, "label", "")) + str(one.value) for kind in kinds for one in getattr(at, kind))


def tables(at: AppTest) -> str:
    return "\n".join(one.value.to_string() for one in at.dataframe)
