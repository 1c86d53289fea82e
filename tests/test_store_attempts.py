"""Attempts that must not disturb each other: one that lost its job, two on one subject, and what dead ones leave."""

from __future__ import annotations

import json
import os
import threading
import time
import zipfile
from pathlib import Path

import pytest

from tlcore.cli.main import main
from tlcore.core import atomic_files
from tlcore.core.errors import AttemptLost
from tlcore.core.spec_parts import Data
from tlcore.spec import Spec
from tlcore.store import Store, garbage_collection
from tlcore.store.attempts import Fence
from tlcore.store.subjects import subject
from tlcore.store.tables import Job
from tlcore.training import resume

SPEC = Spec(name="leaves", task="image-classification", data=Data(dataset="abc"))
FIXTURE = Path(__file__).parent / "upgrades" / "0.1.0" / "workspace.zip"
LONG_AGO = 1_600_000_000.0  # seconds since 1970


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    opened = Store.open(tmp_path / "home")
    yield opened
    opened.close()


def attempt_of(store: Store, job_id: str) -> Fence:
    assert store.jobs.take(job_id, "other-host:1:1.0")
    return Fence.of(store.jobs.get(job_id))


def point(run_id: str, loss: float) -> dict:
    key = {"run_id": run_id, "arm": "transfer", "seed": 0, "trial": "final", "phase": 0, "epoch": 1}
    return {**key, "seconds": 1.0, "values": {"train_loss": loss}}


def trained(folder: Path, seed: int, text: str) -> Path:
    """A finished training of an arm."""
    done = folder / "arms" / "transfer" / f"seed-{seed}"
    (done / "weights").mkdir(parents=True)
    (done / "weights" / "model.safetensors").write_text(text)
    (done / "outputs-test.npy").write_text(text)
    (done / "result.json").write_text("{}")
    return done


def test_an_attempt_that_lost_its_lease_changes_nothing_of_a_finished_run(store):
    """A host slept past its lease; its attempt wakes while the next one works, and once more when that has finished."""
    run = store.runs.create(SPEC, "ana")
    slept = attempt_of(store, run.id)
    old = store.runs.begin(run.id, slept, resume.of_run)
    store.runs.set(run.id, fence=slept, plan={"by": 1})
    assert store.jobs.interrupt(run.id, slept.attempt)
    awake = attempt_of(store, run.id)
    new = store.runs.begin(run.id, awake, resume.of_run)
    assert new != old

    def wakes():
        (old / "report.json").write_text("stale")
        with pytest.raises(AttemptLost):
            store.runs.set(run.id, fence=slept, plan={"by": "stale"})
        with pytest.raises(AttemptLost):
            store.runs.add_points([point(run.id, 9.0)], slept)
        with pytest.raises(AttemptLost):
            store.runs.commit(run.id, old, slept, report={"value": "stale", "bundle": "x"})

    wakes()
    store.runs.set(run.id, fence=awake, plan={"by": 2})
    store.runs.add_points([point(run.id, 0.5)], awake)
    (new / "report.json").write_text("good")
    store.runs.commit(run.id, new, awake, report={"value": "good", "bundle": "bundle.zip"})
    assert store.jobs.finish(run.id, awake.attempt, "succeeded")
    old.mkdir(exist_ok=True)
    wakes()
    now = store.runs.get(run.id)
    assert now.report == {"value": "good", "bundle": str(store.runs.folder(run.id) / "bundle.zip")}
    assert now.plan == {"by": 2}
    assert store.runs.points(run.id)["train_loss"].tolist() == [0.5]
    assert (store.runs.folder(run.id) / "report.json").read_text() == "good"


def test_an_attempt_goes_on_with_what_is_finished_and_shares_no_file_that_is_written_to(store):
    run = store.runs.create(SPEC, "ana")
    first = attempt_of(store, run.id)
    old = store.runs.begin(run.id, first, resume.of_run)
    atomic_files.write(old / "plan.json", "{}")
    trained(old, 0, "complete")
    same = old / "arms" / "transfer" / "seed-2"
    same.mkdir()
    (same / "weights").symlink_to(Path("..", "seed-0", "weights"), target_is_directory=True)
    (same / "result.json").write_text("{}")
    half = old / "arms" / "transfer" / "seed-1"
    (half / "weights").mkdir(parents=True)
    (half / "weights" / "config.json").write_text("half")
    (half / "outputs-test.npy").write_text("half")
    atomic_files.write(half / "checkpoint-final-0.pt", "epoch 3")
    (half / ".checkpoint-final-0.pt.12-abcd.tmp").write_text("half")
    atomic_files.write(old / "arms" / "transfer" / "trial-0.1.json", "{}")
    (old / "report.json").write_text("half")
    assert store.jobs.interrupt(run.id, first.attempt)
    new = store.runs.begin(run.id, attempt_of(store, run.id), resume.of_run)
    assert sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()) == [
        "arms/transfer/seed-0/outputs-test.npy",
        "arms/transfer/seed-0/result.json",
        "arms/transfer/seed-0/weights/model.safetensors",
        "arms/transfer/seed-1/checkpoint-final-0.pt",
        "arms/transfer/seed-2/result.json",
        "arms/transfer/trial-0.1.json",
        "plan.json",
    ]
    assert (new / "arms/transfer/seed-2/weights").resolve() == (new / "arms/transfer/seed-0/weights").resolve()
    atomic_files.write(half / "checkpoint-final-0.pt", "epoch 4, of the one that lost the job")
    assert (new / "arms/transfer/seed-1/checkpoint-final-0.pt").read_text() == "epoch 3"


def test_an_attempt_that_died_while_it_began_is_no_beginning(store, monkeypatch):
    run = store.runs.create(SPEC, "ana")
    for number in (1, 2, 3):
        fence = attempt_of(store, run.id)
        if number == 2:
            with monkeypatch.context() as patch:
                patch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
                with pytest.raises(KeyboardInterrupt):
                    store.runs.begin(run.id, fence, resume.of_run)
        else:
            folder = store.runs.begin(run.id, fence, resume.of_run)
        if number == 1:
            trained(folder, 0, "complete")
        assert store.jobs.interrupt(run.id, fence.attempt)
    assert (folder / "arms/transfer/seed-0/result.json").exists()


def test_a_run_begun_before_there_were_attempts_goes_on_and_its_files_are_found(store):
    run = store.runs.create(SPEC, "ana")
    trained(store.runs.folder(run.id), 0, "before")
    assert store.runs.folder(run.id) == store.home / "runs" / run.id
    fence = attempt_of(store, run.id)
    new = store.runs.begin(run.id, fence, resume.of_run)
    assert (new / "arms/transfer/seed-0/weights/model.safetensors").read_text() == "before"
    store.runs.commit(run.id, new, fence, report={"value": 1})
    assert store.runs.folder(run.id) == new == store.home / "runs" / run.id / "attempts" / "1"


def test_another_job_adds_to_a_run_in_a_folder_of_its_own(store):
    """As label savings do: the run's files stay as they are until all of it is there, then they are the new ones."""
    run = store.runs.create(SPEC, "ana")
    fence = attempt_of(store, run.id)
    own = store.runs.begin(run.id, fence, resume.of_run)
    (own / "report.json").write_text("before")
    trained(own, 0, "complete")
    store.runs.commit(run.id, own, fence, report={"value": 1})
    assert store.jobs.finish(run.id, 1, "succeeded")
    job = store.jobs.submit("label-savings", "ana", {"run": run.id})
    lost = attempt_of(store, job.id)
    first = store.runs.begin(run.id, lost, resume.of_savings)
    part = first / "savings" / "n-00010" / "arms" / "twin" / "seed-0"
    part.mkdir(parents=True)
    (part / "result.json").write_text("{}")
    assert store.jobs.interrupt(job.id, lost.attempt)
    held = attempt_of(store, job.id)
    second = store.runs.begin(run.id, held, resume.of_savings)
    assert store.runs.folder(run.id) == own
    for folder in (first, second):
        store.runs.carry_over(run.id, folder)
        atomic_files.write(folder / "report.json", folder.name)
    with pytest.raises(AttemptLost):
        store.runs.commit(run.id, first, lost, report={"value": "stale"})
    store.runs.commit(run.id, second, held, report={"value": 2})
    folder = store.runs.folder(run.id)
    assert (folder / "report.json").read_text() == f"{job.id}-2"
    assert (own / "report.json").read_text() == "before"
    assert (folder / "savings/n-00010/arms/twin/seed-0/result.json").exists()
    assert (folder / "arms/transfer/seed-0/weights/model.safetensors").read_text() == "complete"


RACE = {"spec": {"data": {"dataset": "abc", "path": None}, "source": "s"}, "scratch": False}


@pytest.mark.parametrize(("kind", "asked"), [("label-savings", {"run": "r1"}), ("race", RACE)])
def test_one_job_of_a_subject_is_claimed_at_a_time(store, kind, asked):
    jobs = [store.jobs.submit(kind, owner, asked, lane="train") for owner in ("ana", "bruno", "ana")]
    other = store.jobs.submit(kind, "ana", {**asked, "run": "r2"}, lane="train")
    wait, claimed = threading.Barrier(6), []

    def claim(number):
        wait.wait()
        if job := store.jobs.claim("train", f"w:{number}:1.0"):
            claimed.append(job.id)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 2
    assert other.id in claimed
    (first,) = set(claimed) - {other.id}
    rest = [job.id for job in jobs if job.id != first]
    assert not any(store.jobs.take(job, "w:9:1.0") for job in rest)
    assert store.jobs.finish(first, 1, "succeeded")
    assert store.jobs.claim("train", "w:9:1.0").id == rest[0]
    assert store.jobs.claim("train", "w:9:1.0") is None
    assert store.jobs.interrupt(rest[0], 1), "its worker is gone: the next of that subject may be taken"
    assert store.jobs.claim("train", "w:9:1.0").id == rest[0]


def test_the_database_itself_refuses_a_second_running_job_of_a_subject(store, monkeypatch):
    """Where two claims see no other at the same moment, as transactions of PostgreSQL may."""
    first, second = (store.jobs.submit("label-savings", "ana", {"run": "r1"}) for _ in range(2))
    monkeypatch.setattr("tlcore.store.jobs._subject_free", lambda: Job.id.is_not(None))
    assert store.jobs.take(first.id, "w:1:1.0")
    assert not store.jobs.take(second.id, "w:2:1.0")
    assert store.jobs.get(second.id).state == "queued"


def test_the_subject_of_a_race_is_what_it_keeps_its_result_by():
    again = {**RACE, "spec": {**RACE["spec"], "data": {"dataset": "abc", "columns": {"text": "t"}}}}
    assert subject("race", RACE) == subject("race", again)
    assert subject("race", RACE) != subject("race", {**RACE, "scratch": True})
    assert subject("predict", {"run": "r1"}) is None


def old(path: Path) -> Path:
    for one in (*path.rglob("*"), path) if path.is_dir() else (path,):
        os.utime(one, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    return path


def left_in(folder: Path) -> list[Path]:
    """What killed processes leave in a folder of files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".bundle-abc").mkdir()
    (folder / ".bundle-abc" / "model.safetensors").write_text("half")
    (folder / ".report.json.123-0a1b.tmp").write_text("half")
    return [folder / ".bundle-abc", folder / ".report.json.123-0a1b.tmp"]


def test_what_killed_processes_left_is_swept_once_it_is_surely_dead(store):
    ended, fresh, busy = (store.runs.create(SPEC, "ana") for _ in range(3))
    for run in (ended, fresh, busy):
        attempt_of(store, run.id)
    assert store.jobs.finish(ended.id, 1, "failed")
    assert store.jobs.finish(fresh.id, 1, "failed")
    dead = [old(path) for path in left_in(store.runs.folder(ended.id))]
    alive = [old(path) for path in left_in(store.runs.folder(busy.id))] + left_in(store.runs.folder(fresh.id))
    for name, age in ((".upload-old", old), (".upload-new", lambda path: path)):
        folder = store.home / "sources" / name
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (dead if age(folder) and name == ".upload-old" else alive).append(folder)
    kept = store.runs.folder(ended.id) / "report.json"
    kept.write_text("{}")
    alive += [old(kept), store.runs.folder(busy.id)]
    garbage_collection.sweep(store)
    assert [path for path in dead if path.exists()] == []
    assert [path for path in alive if not path.exists()] == []


def test_folders_of_attempts_that_nobody_goes_on_with_are_swept(store):
    run = store.runs.create(SPEC, "ana")
    for number in (1, 2, 3):
        fence = attempt_of(store, run.id)
        assert fence.attempt == number
        folder = store.runs.begin(run.id, fence, resume.of_run)
        if number == 2:
            store.runs.commit(run.id, folder, fence, report={"value": 1})
        if number != 3:
            assert store.jobs.interrupt(run.id, number)
    place = store.home / "runs" / run.id / "attempts"
    assert (place / "1").exists(), "it may still be alive"
    for name in ("1", "2", "x-1", "x-2"):
        old((place / name).mkdir(exist_ok=True) or place / name)
    os.utime(place / "x-2", (LONG_AGO + 60, LONG_AGO + 60))
    garbage_collection.sweep(store)
    assert (place / "1").exists(), "while a job of the run is running nothing goes"
    assert store.jobs.interrupt(run.id, 3)
    garbage_collection.sweep(store)
    assert sorted(folder.name for folder in place.iterdir()) == ["2", "3", "x-2"]


def test_a_report_names_its_bundle_wherever_the_workspace_is(store, tmp_path, capsys, monkeypatch):
    """A workspace of 0.1.0, made at another place, and one that moves now."""
    home = tmp_path / "moved"
    with zipfile.ZipFile(FIXTURE) as archive:
        archive.extractall(home)
    monkeypatch.setenv("TLCORE_HOME", str(home))
    before = Store.open(home)
    with before.transaction() as session:
        ids = [name for name, *_ in session.execute(Job.__table__.select().where(Job.kind == "run"))]
    runs = [run for run in map(before.runs.get, ids) if run and run.report]
    assert runs
    for run in runs:
        assert main(["report", run.id, "--json"]) == 0
        result = Path(json.loads(capsys.readouterr().out)["bundle"])
        assert result == home / "runs" / run.id / "bundle.zip"
        assert result.is_file()
    before.close()


def test_no_place_of_the_workspace_is_kept_in_a_report(store, tmp_path, monkeypatch):
    run = store.runs.create(SPEC, "ana")
    fence = attempt_of(store, run.id)
    folder = store.runs.begin(run.id, fence, resume.of_run)
    (folder / "bundle.zip").write_bytes(b"PK")
    store.runs.commit(run.id, folder, fence, report={"value": 1, "bundle": str(folder / "bundle.zip")})
    store.close()
    moved = store.home.rename(tmp_path / "elsewhere")
    again = Store.open(moved)
    assert Path(again.runs.get(run.id).report["bundle"]).is_file()
    assert str(tmp_path).encode() not in (moved / "studio.db").read_bytes()
    again.close()


def test_a_job_whose_attempt_is_lost_is_not_cancelled_by_the_process_that_lost_it(store, monkeypatch):
    """A foreground process that wakes after its lease watches the attempt that took over, to its end."""
    from tlcore.execution import foreground

    monkeypatch.setattr(foreground, "LOOK", 0.01)
    job = store.jobs.submit("nap", "ana", {})

    def run_attempt(store, job, *, lost, **_):
        assert store.jobs.interrupt(job.id, job.attempt)
        attempt_of(store, job.id)
        threading.Timer(0.3, store.jobs.finish, (job.id, 2, "succeeded")).start()
        lost()
        time.sleep(5)

    monkeypatch.setattr(foreground, "run_attempt", run_attempt)
    done = foreground.run_here(store, job.id)
    assert (done.state, done.attempt, done.cancel_requested) == ("succeeded", 2, False)
