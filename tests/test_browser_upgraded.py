"""The pages of a stored workspace (tests/upgrades) in a browser: both languages, wide and narrow, without training."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from browsing import serving, tab

from tlcore.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
WORKSPACES = sorted(Path(__file__).with_name("upgrades").glob("*/workspace.zip"))
HEADINGS = {
    "en-US": {"data": "Data", "strategy": "Strategy", "train": "Train", "compare": "Compare", "share": "Share"},
    "pt-BR": {
        "data": "Dados",
        "strategy": "Estratégia",
        "train": "Treinar",
        "compare": "Comparar",
        "share": "Compartilhar",
    },
}


@pytest.fixture(scope="module", params=WORKSPACES, ids=lambda path: path.parent.name)
def upgraded(request, tmp_path_factory):
    """The address of a studio on the workspace, and its finished runs: {name: (project, run)}."""
    home = tmp_path_factory.mktemp("upgraded")
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(home / "workspace")
    store = Store.open(home / "workspace")
    runs = {
        run.name: (project.id, run.id)
        for project in store.projects.all("local")
        for run in store.runs.of_project(project.id)
        if run.report
    }
    store.close()
    with serving(home) as address:
        yield address, runs


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("locale", list(HEADINGS))
def test_each_page_of_each_run_stands(browser, upgraded, locale, width):
    address, runs = upgraded
    with tab(browser, locale, width) as page:
        for name, (project, run) in runs.items():
            for path, heading in HEADINGS[locale].items():
                page.goto(f"{address}/{path}?project={project}&run={run}")
                page.get_by_role("heading", name=heading, exact=True).first.wait_for()
                page.wait_for_timeout(300)
                assert page.locator('[data-testid="stException"]').count() == 0, (name, path)
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width + 1, f"{name}, {path}: {wide} pixels wide on a screen of {width}"
