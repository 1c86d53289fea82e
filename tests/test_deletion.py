"""A deleted dataset is gone: from the workspace, from the cache, and from what was made of it."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from hostile.build import picture, zipped
from PIL import Image
from report_run import finished

from tlcore import bundle, report, tasks
from tlcore.bundle import Bundle
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Split
from tlcore.data.confirm import confirm
from tlcore.data.dataset import Dataset
from tlcore.data.staging import stage
from tlcore.execution.deletion import delete_dataset, use_of
from tlcore.spec import Spec
from tlcore.store.tables import SUCCEEDED

TASK = tasks.find("image-classification")
NAME = "anna-patient-4711"


def uploaded(store, tmp_path, owner: str, name: str, seed: int = 0) -> tuple[str, str]:
    """The job that checked an upload, and the fingerprint of the dataset that was made of it."""
    folder = store.home / "tmp" / f"upload-{name}"
    folder.mkdir(parents=True)
    files = {
        f"{label}/{i}.png": picture(seed + 20 * k + i) for k, label in enumerate(("rose", "tulip")) for i in range(10)
    }
    up = zipped(folder / f"{name}.zip", files | {f"rose/{name}.png": b"no picture"})
    job = store.jobs.submit("check-upload", owner, {"path": str(up), "task": TASK.id, "name": name})
    staged = stage(up, task=TASK, folder=store.jobs.folder(job.id), name=name)
    end(store, job.id)
    made = confirm(staged, store, split=Split(), corrections=None, name=name, owner=owner)
    return job.id, made.fingerprint


def end(store, job_id: str) -> None:
    assert store.jobs.take(job_id, "w:1:1")
    assert store.jobs.finish(job_id, store.jobs.get(job_id).attempt, SUCCEEDED, output={})


def everywhere(store, text: str) -> list[str]:
    """The files below the workspace that hold a text in their content or name; the database is one of them."""
    found = []
    for path in store.home.rglob("*"):
        if path.is_file() and path.suffix not in (".db-wal", ".db-shm"):
            held = path.read_bytes()
            if path.suffix == ".zip":
                with zipfile.ZipFile(io.BytesIO(held)) as archive:
                    held = b"".join(archive.read(name) for name in archive.namelist())
            if text.encode() in held or text in path.name:
                found.append(path.relative_to(store.home).as_posix())
    return found


def test_with_the_last_owner_everything_of_a_dataset_goes(store, tmp_path):
    job, fingerprint = uploaded(store, tmp_path, "ana", NAME)
    other_job, other = uploaded(store, tmp_path, "ana", "others", seed=500)
    project = store.projects.create(
        "mine", "ana", {"task": TASK.id, "check": job, "data": {"dataset": fingerprint}, "corrections": {NAME: "rose"}}
    )
    file = Dataset.open(store, fingerprint, "ana").rows["file"].iloc[0]
    for name in ("pictures/{}-256-x.npy", "features/{}-k-train.npz", "evidence/index/{}/x.json", "races/{}-x.json"):
        for one in (fingerprint, other):
            path = store.home / "cache" / name.format(one)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
    assert use_of(store, fingerprint, "ana").projects == 1
    delete_dataset(store, fingerprint, "ana")
    assert everywhere(store, fingerprint) == everywhere(store, file.split("/")[1]) == []
    assert [name for name in everywhere(store, NAME) if name != "studio.db"] == []
    assert [row.fingerprint for row in store.datasets.all("ana")] == [other]
    assert store.jobs.get(job) is None
    assert store.projects.get(project.id, "ana").draft == {"task": TASK.id}
    assert store.jobs.get(other_job) is not None
    assert Dataset.open(store, other, "ana").info.name == "others"
    assert len(list((store.home / "cache").rglob(f"*{other}*"))) == 4
    assert [path.name for path in (store.home / "tmp").iterdir()] == ["upload-others"]
    with pytest.raises(UnusableInput):
        delete_dataset(store, fingerprint, "ana")
    with pytest.raises(UnusableInput):
        Dataset.open(store, fingerprint, "ana")


def test_what_others_hold_stays_theirs(store, tmp_path):
    job, fingerprint = uploaded(store, tmp_path, "ana", NAME)
    other_job, again = uploaded(store, tmp_path, "bruno", "flowers")
    assert again == fingerprint
    assert use_of(store, fingerprint, "ana").shared
    delete_dataset(store, fingerprint, "ana")
    assert store.jobs.get(job) is None
    assert store.jobs.get(other_job) is not None
    with pytest.raises(UnusableInput):
        Dataset.open(store, fingerprint, "ana")
    theirs = Dataset.open(store, fingerprint, "bruno")
    assert theirs.info.name == "flowers"
    assert all(theirs.file(row).exists() for _, row in theirs.rows.iterrows())
    assert not use_of(store, fingerprint, "bruno").shared
    delete_dataset(store, fingerprint, "bruno")
    assert not store.datasets.folder(fingerprint).exists()


def test_details_that_lie_in_a_shared_folder_go_with_their_owner(store, tmp_path):
    _, fingerprint = uploaded(store, tmp_path, "ana", NAME)
    uploaded(store, tmp_path, "bruno", "flowers")
    mine, folder = Dataset.open(store, fingerprint, "ana"), store.datasets.folder(fingerprint)
    (folder / "dataset.json").write_text(mine.info.model_dump_json())
    (folder / "set_aside.json").write_text(json.dumps([{"file": NAME}]))
    with store.transaction() as session:
        session.merge(store.datasets.get(fingerprint, "ana")).details = None
    delete_dataset(store, fingerprint, "ana")
    assert not any(NAME.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert Dataset.open(store, fingerprint, "bruno").info.name == "flowers"


def test_data_that_a_run_is_working_on_are_not_deleted(store, tmp_path):
    _, fingerprint = uploaded(store, tmp_path, "ana", NAME)
    spec = Spec(name="first", task=TASK.id, data={"dataset": fingerprint})
    run = store.runs.create(spec, "ana")
    assert use_of(store, fingerprint, "ana").unfinished == 1
    with pytest.raises(UnusableInput) as refusal:
        delete_dataset(store, fingerprint, "ana")
    assert refusal.value.code == "dataset-in-use"
    assert Dataset.open(store, fingerprint, "ana").info.name == NAME
    end(store, run.id)
    delete_dataset(store, fingerprint, "ana")
    assert store.runs.get(run.id).data_deleted


def test_other_attempts_at_a_run_go_with_the_data(store, tmp_path):
    _, fingerprint = uploaded(store, tmp_path, "ana", NAME)
    run = store.runs.create(Spec(name="r", task=TASK.id, data={"dataset": fingerprint}), "ana")
    assert store.jobs.take(run.id, "test")
    job = store.jobs.get(run.id)
    for attempt in (1, 2):
        folder = store.runs.home(run.id) / "attempts" / str(attempt)
        folder.mkdir(parents=True)
        (folder / "predictions.csv").write_text(NAME)
        (folder / "plan.json").write_text("{}")
    (store.runs.home(run.id) / "log.txt").write_text(NAME)
    store.runs.set(run.id, files="attempts/2")
    assert store.jobs.finish(run.id, job.attempt, SUCCEEDED)
    delete_dataset(store, fingerprint, "ana")
    left = [path.relative_to(store.runs.home(run.id)) for path in store.runs.home(run.id).rglob("*") if path.is_file()]
    assert [path.as_posix() for path in left] == ["attempts/2/plan.json"]


def test_a_run_keeps_its_scores_and_loses_its_examples():
    context = finished.__wrapped__("timm")
    store, result = context.store, report.build(context)
    path = bundle.pack(context, result)
    store.runs.set(context.run_id, report=result, plan=context.plan)
    (context.folder / "log.txt").write_text("disc/000.png cannot be read")
    end(store, context.run_id)
    model = store.models.publish(path, name="m", owner="local", task=result["task"], run_id=context.run_id, about={})
    fingerprint, test = context.dataset.fingerprint, context.dataset.split("test")
    shown = result["worst"][0]["id"] if result["worst"] else result["slices"]["rows"][0]["examples"][0]["id"]
    assert everywhere(store, shown)
    assert use_of(store, fingerprint, "local").runs == 1
    delete_dataset(store, fingerprint, "local")
    for id_ in test["id"]:
        assert [name for name in everywhere(store, id_) if name != "studio.db"] == []
    run = store.runs.get(context.run_id)
    assert run.data_deleted
    assert run.report["transfer"] == json.loads(json.dumps(result["transfer"]))
    assert run.report["worst"] == []
    assert "data of this run were deleted" in (context.folder / "report.html").read_text()
    assert not (context.folder / "figures").exists()
    assert not (context.folder / "predictions.csv").exists()
    for kept in (path, store.models.bundle(model.id)):
        with zipfile.ZipFile(kept) as archive:
            assert not [name for name in archive.namelist() if name.startswith("example/")]
            assert "example/" not in archive.read("README.md").decode()
            assert b"data:image" not in archive.read("report.html")
        opened = Bundle.open(kept)
        (answer,) = opened.predict([Image.new("RGB", (64, 64))])
        assert answer.prediction in opened.labels
