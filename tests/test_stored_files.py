"""Damaged files of the workspace: each is named in a sentence that says what to do."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import ui_seed
from streamlit.testing.v1 import AppTest

from tlcore import flow, tasks
from tlcore.cli.main import main
from tlcore.core import stored_files
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Data
from tlcore.data.dataset import Dataset
from tlcore.data.staging import Staged
from tlcore.execution.foreground import run_here
from tlcore.report import several_runs
from tlcore.spec import Spec
from tlcore.store import Store
from tlcore.training.result import ArmResult

ROOT = Path(__file__).resolve().parents[1]
TASK = tasks.find("image-classification")
WAYS = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "other bytes": lambda content: b"\x00\xff" * 200,
    "another shape": lambda content: b"[[]]",
}


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A workspace with a dataset, a checked upload, and a project that has the one, and one that has the other."""
    monkeypatch.setenv("TLCORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    store = Store.open()
    fingerprint = ui_seed.dataset(store, tmp_path)
    project = ui_seed.project(store, fingerprint)
    checked = ui_seed.project(store, name="Checked")
    job = ui_seed.staged_job(store, checked, tmp_path)
    store.projects.save_draft(checked, {"task": TASK.id, "check": job})
    yield SimpleNamespace(store=store, fingerprint=fingerprint, job=job, project=project, checked=checked)
    store.close()


@pytest.fixture(params=WAYS.values(), ids=WAYS.keys())
def damage(request):
    def spoil(path: Path) -> None:
        content = path.read_bytes()
        path.unlink()  # the folders of a dataset and its upload share files
        path.write_bytes(request.param(content))

    return spoil


def refused(read) -> UnusableInput:
    with pytest.raises(UnusableInput) as refusal:
        read()
    assert refusal.value.code == "damaged-file"
    return refusal.value


@pytest.mark.parametrize("name", ["dataset.json", "rows.parquet"])
def test_a_damaged_dataset(kept, damage, name):
    folder = kept.store.datasets.folder(kept.fingerprint)
    damage(folder / name)

    def read() -> None:
        dataset = Dataset.open(kept.store, kept.fingerprint)
        len(dataset.rows)

    refusal = refused(read)
    assert refusal.file == f"{kept.fingerprint}/{name}"
    assert refusal.file in str(refusal)
    assert "backup" in str(refusal)


@pytest.mark.parametrize("name", ["staged.json", "rows.parquet", "set_aside.json"])
def test_a_damaged_check(kept, damage, name):
    folder = kept.store.jobs.folder(kept.job)
    damage(folder / name)

    def read() -> None:
        staged = Staged.open(folder, TASK)
        len(staged.rows)
        staged.set_aside()

    assert "again" in str(refused(read))


@pytest.mark.parametrize("name", ["dataset.json", "rows.parquet"])
def test_the_command_line_names_a_damaged_dataset(kept, capsys, name):
    (kept.store.datasets.folder(kept.fingerprint) / name).write_bytes(b"PAR1 and no more")
    status = main(["advise", "--task", TASK.id, "--data", kept.fingerprint, "--json"])
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert (status, error["code"], error["file"]) == (2, "damaged-file", f"{kept.fingerprint}/{name}")
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["plan.json", "target.json", "processor.json"])
def test_a_run_that_goes_on_names_its_damaged_file(kept, monkeypatch, damage, name):
    spec = Spec(task=TASK.id, data=Data(dataset=kept.fingerprint), strategy="feature-extraction")
    run = kept.store.runs.create(spec, "local")
    kept.store.runs.set(run.id, dataset=kept.fingerprint)
    folder = kept.store.runs.folder(run.id)
    files = {"plan.json": {"strategy": spec.strategy, "arms": {}, "processor": {}}, "target.json": {"classes": []}}
    for file, content in {**files, "processor.json": {"size": 1}}.items():
        (folder / file).write_text(json.dumps(content))
    damage(folder / name)
    opened = SimpleNamespace(preprocess={}, source=None, revision=None, digest="")
    monkeypatch.setattr(flow.models, "open_source", lambda *args, **more: opened)
    job = run_here(kept.store, run.id)
    assert (job.state, job.error["code"]) == ("failed", "damaged-file")
    assert job.error["file"] == f"{run.id}/attempts/1/{name}"
    assert job.error["exit_code"] == 2


def test_damaged_results_of_a_run(tmp_path, damage):
    (tmp_path / "result.json").write_text(json.dumps({"arm": "twin", "seed": 0}))
    damage(tmp_path / "result.json")
    refused(lambda: ArmResult.load(tmp_path))
    (tmp_path / "outputs-test.npy").write_bytes(b"numbers")
    refused(lambda: stored_files.read_array(tmp_path / "outputs-test.npy", stored_files.RUN))


def test_the_records_of_a_run_with_a_damaged_target(kept, damage):
    run = ui_seed.run(kept.store, kept.project, kept.fingerprint, "ends")
    kept.store.runs.set(run, plan={"processor": {"size": 32}})
    target = kept.store.runs.folder(run) / "target.json"
    target.write_text('{"classes": ["circle", "square"]}')
    damage(target)
    refused(lambda: several_runs.scored(kept.store, kept.store.runs.get(run)))


def test_a_file_that_is_gone_and_memory_that_runs_out(tmp_path, monkeypatch):
    refused(lambda: stored_files.read_rows(tmp_path / "rows.parquet", stored_files.DATASET))
    (tmp_path / "a.json").write_text("{}")

    def no_memory(path):
        raise MemoryError

    monkeypatch.setattr(Path, "read_bytes", no_memory)
    with pytest.raises(MemoryError):
        stored_files.read_object(tmp_path / "a.json", stored_files.RUN)


@pytest.mark.parametrize("page", ["data", "strategy"])
@pytest.mark.parametrize("name", ["dataset.json", "rows.parquet"])
def test_the_pages_of_a_damaged_dataset(kept, page, name):
    (kept.store.datasets.folder(kept.fingerprint) / name).write_bytes(b"{")
    at = _opened(page, kept.project)
    assert not at.exception
    assert any("damaged" in error.value for error in at.error)
    if page == "data":
        assert [button for button in at.button if button.key == "replace-data"]


@pytest.mark.parametrize("name", ["staged.json", "rows.parquet", "set_aside.json"])
def test_the_page_of_a_damaged_check(kept, name):
    (kept.store.jobs.folder(kept.job) / name).write_bytes(b"{")
    at = _opened("data", kept.checked)
    assert not at.exception
    assert any("damaged" in error.value for error in at.error)


def test_the_page_of_a_report_that_is_damaged_on_the_disk(kept):
    """The report is kept in the store; the file is there to be downloaded."""
    run = ui_seed.run(kept.store, kept.project, kept.fingerprint, "ends")
    ui_seed.finished(kept.store, run, kept.fingerprint)
    (kept.store.runs.folder(run) / "report.json").write_bytes(b"{")
    assert not _opened("compare", kept.project).exception


def _opened(page: str, project: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=90)
    at.query_params["project"] = project
    at.run()
    at.switch_page(f"pages/{page}.py")
    at.query_params["project"] = project
    return at.run()
