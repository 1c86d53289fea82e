"""Each task walked in headless Chromium, from an upload to the downloaded bundle, on a tiny source model.

New tasks come in by themselves: a task brings its sample, its kind of network a line in `tiny_sources`. Every second
one is walked in Portuguese.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
import tiny_sources
from browsing import (
    SECONDS,
    bundle,
    click,
    downloaded,
    fill_in,
    give,
    in_spec,
    predicts_without_the_studio,
    tab,
    use_folder,
)

from tlcore.bundle import predictors
from tlcore.core import i18n
from tlcore.core.i18n import t
from tlcore.data.samples import SAMPLES
from tlcore.report.heading import heading
from tlcore.strategies import STRATEGIES, find
from tlcore.tasks import TASKS
from tlcore.tasks import find as find_task

EXAMPLES, SEEDS = 40, 2
OTHERS = [task for task in TASKS if task.modality != "image"]  # test_browser_walk walks with pictures
LOCALES = {task.id: ("en-US", "pt-BR")[place % 2] for place, task in enumerate(OTHERS)}
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The folder of a tiny source model of a kind, written once."""
    home = tmp_path_factory.mktemp("models")
    return lambda kind: home / kind if (home / kind).exists() else tiny_sources.write(kind, home / kind)


@pytest.fixture
def walked(request, browser, monkeypatch):
    """A task, and a tab in its language, which is this test's own too."""
    locale = LOCALES[request.param.id]
    monkeypatch.setattr(i18n, "_language", lambda: i18n.match_locale(locale))
    with tab(browser, locale) as page:
        yield request.param, page


def upload_of(task, folder: Path) -> Path:
    """About `EXAMPLES` examples of a sample that is like the task's data, evenly from the whole of it."""
    sample = next((one for one in SAMPLES if find_task(one.task).roles == task.roles), None)
    assert sample, f"{task.id} has no sample"
    path = sample.write(folder)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    head = lines[: path.suffix in (".csv", ".tsv")]
    rest = lines[len(head) :]
    path.write_text("".join([*head, *rest[:: max(1, len(rest) // EXAMPLES)]]), encoding="utf-8")
    return path


def start(page, studio, task, source: Path) -> None:
    """A project, its task and a source model."""
    page.goto(studio)
    page.get_by_label(t("Name of a new project")).fill(f"Walk of {task.id}")
    click(page, t("Create"))
    page.locator(f".st-key-task-{task.id} button").click()
    use_folder(page, source)
    click(page, t("Next: the data"))


def upload(page, path: Path) -> None:
    """A file, checked until it can be confirmed."""
    give(page, "upload-texts", path)
    click(page, t("Check the data"))
    page.get_by_role("button", name=t("Confirm the data")).wait_for()


def confirm(page) -> None:
    click(page, t("Confirm the data"))
    click(page, t("Next: choose a strategy"))


def choose(page, task) -> None:
    """Fine-tuning where the task allows it, and the smallest budget, with no search for a learning rate."""
    allowed = [one.id for one in STRATEGIES if one.pretrained and not one.needs and one.refuse(task, None) is None]
    strategy = find("fine-tuning" if "fine-tuning" in allowed else allowed[0])
    page.locator('[data-testid="stButtonGroup"]').get_by_text(t(strategy.title), exact=True).click()
    in_spec(page, f"strategy: {strategy.id}")
    small = {
        t("Seeds"): (str(SEEDS), f"seeds: {SEEDS}"),
        t("Epochs at most"): ("1", "epochs: 1"),
        t("Learning rate"): ("0.001", "learning_rate: 0.001"),
    }
    if "max_length" in task.options:
        small[t("Tokens of a text at most")] = ("32", "max_length: 32")
    fill_in(page, small)


def run(page) -> None:
    click(page, t("Start the run"))
    page.wait_for_url("**/train**")
    ended = page.locator('.st-key-forward-compare button, [data-testid="stAlertContentError"]').first
    ended.wait_for(timeout=200 * SECONDS)
    assert ended.inner_text().startswith(t("Next: see whether transfer helped")), ended.inner_text()
    ended.click()


def compare(page) -> dict:
    """The report, whose verdict the page shows with its n."""
    page.get_by_role("button", name=re.compile("JSON")).wait_for()
    report = json.loads(downloaded(page, re.compile("JSON")).read_text())
    said = page.locator('[data-testid="stMain"]').inner_text()
    assert t(heading(report)) in said
    assert f"n = {report['n_test']}" in said
    return report


def ask(page, task, example: Path) -> None:
    """The bundle's own example, typed on the Share page: the answer comes beside what was asked."""
    with example.open(newline="", encoding="utf-8") as file:
        asked = [" ".join(value.split()) for value in next(csv.DictReader(file)).values()]
    areas = page.locator('[class*="st-key-try-"] textarea')
    for place, text in enumerate(asked):
        areas.nth(place).fill(text)
        areas.nth(place).press("Control+Enter")
    if predictors.find(task.bundle).worker:
        click(page, t("Ask the model"))
    answer = page.locator("p")  # what was asked stands with its answer, perhaps with labels between its words
    for word in asked[-1].split()[:6]:
        answer = answer.filter(has_text=word)
    answer.first.wait_for()
    assert page.locator('[data-testid="stAlertContentError"]').count() == 0


@pytest.mark.parametrize("walked", OTHERS, ids=[task.id for task in OTHERS], indirect=True)
def test_a_task_from_upload_to_download(walked, studio, models, tmp_path):
    task, page = walked
    start(page, studio, task, models(next(kind for kind in task.source_families if kind in tiny_sources.SOURCES)))
    upload(page, upload_of(task, tmp_path))
    confirm(page)
    choose(page, task)
    run(page)
    report = compare(page)
    assert (report["task"], report["strategy"], report["seeds"]) == (task.id, "fine-tuning", SEEDS)
    click(page, t("Next: try it, download it, share it"))
    folder = tmp_path / "bundle"
    expected = bundle(page, folder)
    ask(page, task, folder / expected["input"])
    predicts_without_the_studio(folder, expected)
