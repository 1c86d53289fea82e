"""The store: migrations, projects, curves, owners."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import uuid
from types import SimpleNamespace

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text, update

from tlcore.core.spec_parts import Data
from tlcore.spec import Spec
from tlcore.store import Store, garbage_collection
from tlcore.store.store import MIGRATIONS, _migrate
from tlcore.store.tables import Base, Job

SPEC = Spec(name="leaves", task="image-classification", data=Data(dataset="abc"))
POSTGRESQL = os.environ.get("TLCORE_TEST_DATABASE_URL")


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path, monkeypatch):
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    if request.param == "sqlite":
        yield Store.open(tmp_path)
        return
    if not POSTGRESQL:
        pytest.skip("TLCORE_TEST_DATABASE_URL names no PostgreSQL to test with")
    schema = f"test_{uuid.uuid4().hex[:10]}"
    engine = create_engine(POSTGRESQL)
    with engine.begin() as connection:
        connection.execute(text(f"create schema {schema}"))
    monkeypatch.setenv("TLCORE_DATABASE_URL", f"{POSTGRESQL}?options=-csearch_path%3D{schema}")
    yield Store.open(tmp_path)
    with engine.begin() as connection:
        connection.execute(text(f"drop schema {schema} cascade"))


def test_migrations_make_the_tables_that_the_code_describes(tmp_path, monkeypatch):
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    store = Store.open(tmp_path)
    inspector = inspect(store._engine)
    with store._engine.connect() as connection:
        head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
        assert connection.scalar(text("select version_num from alembic_version")) == head
    for table in Base.metadata.sorted_tables:
        columns = {column["name"]: column for column in inspector.get_columns(table.name)}
        assert set(columns) == {column.name for column in table.columns}
        assert {n: c["nullable"] for n, c in columns.items()} == {c.name: c.nullable for c in table.columns}
        indexed = {i["name"] for i in inspector.get_indexes(table.name)}
        assert {str(index.name) for index in table.indexes} <= indexed


def _at_revision(store, revision):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store._engine.begin() as connection:
        config.attributes["connection"] = connection
        known = inspect(connection).has_table("alembic_version")
        now = connection.scalar(text("select version_num from alembic_version")) if known else ""
        (command.downgrade if now > revision else command.upgrade)(config, revision)


def test_a_workspace_of_the_first_revision_is_brought_up_to_date_with_its_rows(tmp_path):
    path = tmp_path / "studio.db"
    store = Store(tmp_path, f"sqlite:///{path}")
    _at_revision(store, "0001")
    with sqlite3.connect(path) as old:
        old.execute(
            "insert into jobs (id, kind, lane, owner, state, input, attempt, cancel_requested, created)"
            " values ('a', 'run', 'train', 'local', 'interrupted', '{}', 3, 0, 1.0)"
        )
        old.execute("insert into datasets values ('abc', 'ana', 'image-classification', 'leaves', 20, 1.0)")
    _migrate(store)
    job = store.jobs.get("a")
    assert (job.attempt, job.fruitless, job.reached) == (3, 0, 0.0)
    assert store.jobs.claim("train", "w:1:1").id == "a"
    assert [(row.name, row.n, row.created) for row in store.datasets.all("ana")] == [("leaves", 20, 1.0)]


def test_many_may_open_a_new_workspace_at_once(tmp_path, monkeypatch):
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    wait, stores, errors = threading.Barrier(6), [], []

    def open_it():
        wait.wait()
        try:
            stores.append(Store.open(tmp_path))
            stores[-1].projects.create("mine", "local")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(stores[0].projects.all("local")) == 6


def test_a_point_written_again_replaces_the_first(store):
    run = store.runs.create(SPEC, "local")

    def point(epoch, **values):
        return {
            "run_id": run.id,
            "arm": "transfer",
            "seed": 0,
            "trial": "final",
            "phase": 0,
            "epoch": epoch,
            "seconds": epoch * 1.5,
            "values": values,
        }

    store.runs.add_points([point(1, train_loss=0.9), point(2, train_loss=0.8)])
    store.runs.add_points([point(2, train_loss=0.7, validation_accuracy=0.5), point(3, train_loss=float("nan"))])
    curve = store.runs.points(run.id)
    assert curve["epoch"].tolist() == [1, 2, 3]
    assert curve["train_loss"].tolist()[:2] == [0.9, 0.7]
    assert np.isnan(curve["train_loss"][2])
    assert curve["validation_accuracy"][1] == 0.5
    assert store.runs.points("another").empty


def test_a_run_and_its_job_come_together(store):
    run = store.runs.create(SPEC, "ana", "p1")
    job = store.jobs.get(run.id)
    assert (job.kind, job.lane, job.owner, job.project_id, job.state) == (
        "run",
        "train",
        "ana",
        "p1",
        "queued",
    )
    assert store.runs.folder(run.id).is_dir()
    assert Spec.model_validate(store.runs.get(run.id).spec) == SPEC


def test_projects_are_renamed_duplicated_and_deleted(store):
    project = store.projects.create("  Leaves  ", "ana", {"task": "image-classification"})
    copy = store.projects.duplicate(project.id, "ana", "Leaves, again")
    store.projects.save_draft(copy.id, {"task": "other"})
    store.projects.rename(project.id, "Trees")
    assert {p.name: p.draft["task"] for p in store.projects.all("ana")} == {
        "Trees": "image-classification",
        "Leaves, again": "other",
    }

    runs = [store.runs.create(SPEC, "ana", project.id) for _ in range(3)]
    theirs = store.runs.create(SPEC, "ana", copy.id)
    assert store.jobs.take(runs[0].id, "w:1:1")
    assert store.jobs.take(runs[1].id, "w:1:1")
    assert store.jobs.interrupt(runs[1].id, 1)
    store.projects.delete(project.id)
    assert store.projects.get(project.id, "ana") is None
    assert store.projects.get(copy.id, "ana") is not None
    left = [run.id for run in (*runs, theirs) if store.runs.get(run.id)]
    assert left == [runs[0].id, theirs.id], "what runs goes once it has ended"
    assert [run.id for run in (*runs, theirs) if store.runs.folder(run.id).exists()] == left
    running = store.jobs.get(runs[0].id)
    assert (running.state, running.cancel_requested) == ("running", True)
    assert store.jobs.get(runs[1].id) is None


def test_a_run_that_ends_after_its_project_was_deleted_is_swept(store):
    project = store.projects.create("Leaves", "ana")
    run, measured = (store.runs.create(SPEC, "ana", project.id) for _ in range(2))
    by_hand = store.runs.create(SPEC, "ana")
    savings = store.jobs.submit("label-savings", "ana", {"run": measured.id}, lane="train", project_id=project.id)
    check = store.jobs.submit("check-upload", "ana", {}, project_id=project.id)
    for job in (run.id, measured.id, by_hand.id, savings.id, check.id):
        assert store.jobs.take(job, "w:1:1")
        assert store.jobs.folder(job).is_dir()
    store.runs.add_points(
        [
            {
                "run_id": run.id,
                "arm": "transfer",
                "seed": 0,
                "trial": "final",
                "phase": 0,
                "epoch": 1,
                "seconds": 1.0,
                "values": {},
            }
        ]
    )
    assert all(store.jobs.finish(job, 1, "succeeded") for job in (measured.id, by_hand.id, check.id))
    store.projects.delete(project.id)
    assert store.jobs.get(check.id) is None
    assert store.runs.folder(measured.id).is_dir(), "its label savings are still being measured"

    assert all(store.jobs.finish(job, 1, "cancelled") for job in (run.id, savings.id))
    garbage_collection.sweep(store)
    assert [job for job in (run.id, measured.id, savings.id) if store.jobs.get(job) or store.runs.get(job)] == []
    assert store.runs.points(run.id).empty
    assert {folder.name for folder in (store.home / "runs").iterdir()} == {by_hand.id}
    assert list((store.home / "staging").iterdir()) == []


def test_a_check_goes_with_the_last_project_that_names_it(store):
    project = store.projects.create("Leaves", "ana")
    check = store.jobs.submit("check-upload", "ana", {}, project_id=project.id)
    assert store.jobs.take(check.id, "w:1:1")
    assert store.jobs.finish(check.id, 1, "succeeded")
    folder = store.jobs.folder(check.id)
    store.projects.save_draft(project.id, {"check": check.id})
    copy = store.projects.duplicate(project.id, "ana", "copy")
    store.projects.delete(project.id)
    assert folder.is_dir()
    store.projects.delete(copy.id)
    assert not folder.exists()
    assert store.jobs.get(check.id) is None


def test_the_files_of_ended_jobs_go_after_some_days(store):
    old, new, waits = (store.jobs.submit("check-upload", "ana", {}) for _ in range(3))
    names = [*(job.id for job in (old, new, waits)), "of-no-job", "uploads"]
    long_ago = time.time() - garbage_collection.KEPT - 60
    for name in names:
        folder = store.home / "staging" / name
        folder.mkdir()
        (folder / "rows.parquet").write_bytes(b"x")
        os.utime(folder, (long_ago, long_ago))
    for job in (old, new):
        assert store.jobs.take(job.id, "w:1:1")
        assert store.jobs.finish(job.id, 1, "succeeded")
    with store.transaction() as session:
        session.execute(update(Job).where(Job.id == old.id).values(finished=long_ago))
    garbage_collection.sweep(store)
    assert {folder.name for folder in (store.home / "staging").iterdir()} == {new.id, waits.id, "uploads"}
    assert store.jobs.get(old.id).state == "succeeded", "only its files go"


def test_what_one_person_owns_another_does_not_see(store):
    mine = store.projects.create("mine", "ana")
    store.projects.create("theirs", "bruno")
    assert [p.name for p in store.projects.all("ana")] == ["mine"]
    assert store.projects.get(mine.id, "bruno") is None
    with pytest.raises(KeyError):
        store.projects.duplicate(mine.id, "bruno", "stolen")


def _info(name, fingerprint="abc"):
    return SimpleNamespace(fingerprint=fingerprint, task="image-classification", name=name, n={"train": 12, "test": 8})


def test_the_same_data_are_listed_for_each_who_confirmed_them(store):
    store.datasets.add(_info("leaves"), "ana")
    first = store.datasets.all("ana")[0]
    store.datasets.add(_info("Blätter"), "bruno")
    store.datasets.add(_info("again"), "ana")
    assert [(row.name, row.n, row.created) for row in store.datasets.all("ana")] == [("leaves", 20, first.created)]
    assert [row.name for row in store.datasets.all("bruno")] == ["Blätter"]


def test_the_same_data_may_be_confirmed_at_the_same_moment(store):
    wait, errors = threading.Barrier(6), []

    def confirm(owner):
        wait.wait()
        try:
            store.datasets.add(_info("leaves"), owner)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=confirm, args=(owner,)) for owner in ("ana", "bruno") * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [len(store.datasets.all(owner)) for owner in ("ana", "bruno")] == [1, 1]


def test_back_to_one_row_a_dataset_the_first_keeps_it(store):
    store.datasets.add(_info("leaves"), "zoe")
    store.datasets.add(_info("the same leaves"), "ana")
    store.datasets.add(_info("others", "def"), "ana")
    _at_revision(store, "0002")
    with store._engine.begin() as connection:
        rows = connection.execute(text("select fingerprint, owner from datasets order by fingerprint")).all()
    assert [tuple(row) for row in rows] == [("abc", "zoe"), ("def", "ana")]
    _at_revision(store, "head")
    store.datasets.add(_info("the same leaves"), "ana")
    assert {row.fingerprint for row in store.datasets.all("ana")} == {"abc", "def"}


def test_the_upgrade_leaves_the_details_in_the_folder_to_the_first_owner(store):
    for owner in ("zoe", "ana"):
        store.datasets.add(_info("leaves"), owner)
    _at_revision(store, "0003")
    _at_revision(store, "head")
    assert store.datasets.get("abc", "zoe").details is None
    assert store.datasets.get("abc", "ana").details == {}


def test_only_its_owner_takes_a_model_out_of_the_library(store, tmp_path):
    bundle = tmp_path / "b.zip"
    bundle.write_bytes(b"PK")
    model = store.models.publish(bundle, name="m", owner="ana", task="image-classification", run_id=None, about={})
    assert [m.id for m in store.models.all("image-classification")] == [model.id]
    assert store.models.all("text-classification") == []
    assert not store.models.remove(model.id, "bruno")
    assert store.models.bundle(model.id).exists()
    assert store.models.remove(model.id, "ana")
    assert not store.models.bundle(model.id).exists()
    assert store.models.all() == []
