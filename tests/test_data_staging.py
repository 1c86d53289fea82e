"""From an upload to a dataset: what is checked, corrected, kept and remembered."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from hostile.build import classes, folder, picture, zipped
from PIL import Image

from tlcore import data, tasks
from tlcore.core import atomic_files
from tlcore.core.errors import Cancelled, UnusableInput
from tlcore.core.i18n import sentence
from tlcore.core.safe_csv import safe_csv
from tlcore.core.spec_parts import Data, Split
from tlcore.data.confirm import confirm, relabel
from tlcore.data.dataset import Dataset
from tlcore.data.label_corrections import corrected, read_corrections
from tlcore.data.staging import Staged, stage
from tlcore.execution.job_kinds.ingest import check_upload
from tlcore.modalities.duplicates import clusters

TASK = tasks.find("image-classification")


def encoded(image: Image.Image, kind: str, **save) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **save)
    return out.getvalue()


def staged(files: dict[str, bytes], tmp_path, **kwargs) -> Staged:
    return stage(zipped(tmp_path / "up.zip", files), task=TASK, folder=tmp_path / "staging", **kwargs)


def make(found: Staged, store, corrections=None, **split):
    return confirm(found, store, split=Split(**split), corrections=corrections, name="flowers", owner="local")


def codes(findings) -> dict[str, str]:
    return {finding.code: finding.level for finding in findings}


# --- what is kept --------------------
def test_plain_pictures_stay_byte_for_byte(tmp_path):
    files = classes()
    found = staged(files, tmp_path)
    for _, row in found.rows.iterrows():
        assert found.file(row).read_bytes() == files[row["id"]]
        assert row["file"] == f"{row['sha256'][:2]}/{row['sha256']}.png"
        assert (row["width"], row["height"], row["bytes"]) == (24, 24, len(files[row["id"]]))
    assert not found.rows["converted"].any()


@pytest.mark.parametrize(
    ("image", "kind", "save", "ending", "size"),
    [
        (Image.new("RGBA", (30, 20), (255, 0, 0, 128)), "PNG", {}, ".png", (30, 20)),
        (Image.new("CMYK", (30, 20), (0, 255, 255, 0)), "JPEG", {}, ".jpg", (30, 20)),
        (Image.new("RGB", (5000, 100), (255, 0, 0)), "PNG", {}, ".jpg", (2048, 41)),
        (Image.new("RGB", (30, 20), (255, 0, 0)), "BMP", {}, ".png", (30, 20)),
        (Image.fromarray(np.full((20, 30), 40_000, np.uint16)), "PNG", {}, ".png", (30, 20)),
    ],
)
def test_others_are_converted_once(image, kind, save, ending, size, tmp_path):
    found = staged(classes() | {"rose/odd.png": encoded(image, kind, **save)}, tmp_path)
    row = found.rows.set_index("id").loc["rose/odd.png"]
    kept = Image.open(found.file(row))
    assert row["file"].endswith(ending)
    assert (kept.mode, kept.size) == ("RGB", size)
    assert (row["width"], row["height"]) == image.size
    assert "converted" in codes(found.findings)


def test_rotated_pictures_are_stored_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    data_ = encoded(Image.open(io.BytesIO(picture(5, "JPEG", (40, 20)))), "JPEG", exif=exif)
    found = staged(classes() | {"rose/phone.jpg": data_}, tmp_path)
    row = found.rows.set_index("id").loc["rose/phone.jpg"]
    assert Image.open(found.file(row)).size == (20, 40)
    assert not Image.open(found.file(row)).getexif().get(0x0112)
    assert "rotated" in codes(found.findings)


# --- what is found --------------------
def test_near_duplicates_are_found_and_kept_together(tmp_path, store):
    y, x = np.mgrid[:48, :48]
    files = {}
    for k, kind in enumerate(("rose", "tulip")):
        for i in range(8):
            rng = np.random.default_rng((k, i))
            waves = zip(rng.normal(size=6), *rng.uniform(0.05, 0.4, (2, 6)), rng.uniform(0, 6, 6), strict=True)
            smooth = sum(height * np.sin(a * x + b * y + at) for height, a, b, at in waves)
            image = Image.fromarray(np.uint8(128 + 60 * np.tanh(smooth))).convert("RGB")
            files[f"{kind}/{i}.png"] = encoded(image, "PNG")
            if i < 3:
                files[f"{kind}/{i}-again.jpg"] = encoded(image, "JPEG", quality=80)
    found = staged(files, tmp_path)
    assert codes(found.findings)["near-duplicate"] == "note"
    pairs = found.rows.dropna(subset="near").groupby("near")["id"].agg(sorted)
    assert sorted(pairs) == sorted([f"{k}/{i}-again.jpg", f"{k}/{i}.png"] for k in ("rose", "tulip") for i in range(3))
    made = make(found, store)
    assert made.rows.groupby("near")["split"].nunique().max() == 1


def test_clusters_do_not_chain_and_ignore_what_differs():
    rng = np.random.default_rng(0)
    thumbs = rng.integers(0, 255, (300, 256), dtype=np.uint8)
    hashes = rng.integers(0, 2**63, 300, dtype=np.uint64)
    assert (clusters(hashes, thumbs) == -1).all()
    hashes[7] = hashes[3] ^ np.uint64(0b101)
    thumbs[7] = np.clip(thumbs[3].astype(int) + 2, 0, 255)
    found = clusters(hashes, thumbs)
    assert np.flatnonzero(found >= 0).tolist() == [3, 7]
    assert found[7] == found[3] == 3
    thumbs[7] = rng.integers(0, 255, 256)
    assert (clusters(hashes, thumbs) == -1).all()


def test_copies_within_a_label_leave_one(tmp_path):
    found = staged(classes() | {"rose/copy.png": classes()["rose/0.png"]}, tmp_path)
    assert found.counts == {"rose": 5, "tulip": 5}
    [aside] = found.set_aside()
    assert aside.file == "rose/copy.png"
    assert "rose/0.png" in str(aside.reason)
    assert codes(found.findings)["duplicate"] == "note"


def test_imbalance_few_and_look_alikes(tmp_path):
    files = classes(60, ("rose",)) | {f"Rose /{i}.png": picture(500 + i) for i in range(4)}
    found = staged(files | {f"tulip/{i}.png": picture(600 + i) for i in range(5)}, tmp_path)
    assert {"imbalance", "class-few", "look-alike-labels"} <= set(codes(found.findings))
    assert found.usable
    merges = found.merges()
    assert set(merges.values()) == {"rose"}
    assert "look-alike-labels" not in codes(found.recheck(merges))


def test_corrections_can_mend_an_error(tmp_path, store):
    files = classes() | {"Tulip/1.png": picture(300), "Tulip/2.png": picture(301)}
    found = staged(files, tmp_path)
    assert codes(found.findings)["class-too-few"] == "error"
    with pytest.raises(UnusableInput) as refusal:
        make(found, store)
    assert refusal.value.code == "class-too-few"
    assert "Tulip (2)" in str(refusal.value)
    assert make(found, store, found.merges()).info.labels == ["rose", "tulip"]


def test_group_column_and_pattern_reach_the_split(tmp_path, store):
    files = {
        f"{k}/p{p}_{i}.png": picture(hash((k == "rose", p, i)) % 2**31)
        for k in ("rose", "tulip")
        for p in range(6)
        for i in range(3)
    }
    made = make(staged(files, tmp_path, group=r"(p\d)_"), store)
    assert made.info.grouped
    assert made.rows.groupby("group")["split"].nunique().max() == 1
    assert "groups kept together" in str(made.info.split_said)


# --- the dataset --------------------
def test_confirm_places_an_immutable_dataset(tmp_path, store):
    found = staged(classes(10), tmp_path)
    made = make(found, store)
    assert made.folder == store.datasets.folder(made.fingerprint)
    assert made.info.n == {"train": 12, "validation": 4, "test": 4}
    assert {p.name for p in made.folder.iterdir()} == {"dataset.json", "rows.parquet", "files"}
    assert all(made.file(row).exists() for _, row in made.rows.iterrows())
    assert [row.fingerprint for row in store.datasets.all("local")] == [made.fingerprint]
    before = (made.folder / "dataset.json").stat().st_mtime_ns
    again = make(stage(tmp_path / "up.zip", task=TASK, folder=tmp_path / "again"), store)
    assert again.fingerprint == made.fingerprint
    assert (made.folder / "dataset.json").stat().st_mtime_ns == before
    assert list((store.home / "tmp").iterdir()) == []
    theirs = confirm(found, store, split=Split(), corrections=None, name="theirs", owner="bruno")
    assert theirs.fingerprint == made.fingerprint  # one folder, listed for both
    assert [[row.fingerprint for row in store.datasets.all(one)] for one in ("local", "bruno")] == [
        [made.fingerprint]
    ] * 2
    assert make(found, store, seed=1).fingerprint != made.fingerprint


def test_each_owner_sees_their_own_name_and_rejected_rows(tmp_path, store):
    """Two people confirm the same content; nothing of what the first one's upload was reaches the second."""
    secret = "anna-patient-4711"

    def confirmed(name: str, owner: str, **more: bytes) -> Dataset:
        up = zipped(tmp_path / f"{name}.zip", classes(10) | {f"rose/{key}.png": data for key, data in more.items()})
        found = stage(up, task=TASK, folder=tmp_path / name, name=name)
        return confirm(found, store, split=Split(), corrections=None, name=name, owner=owner)

    first = confirmed(secret, "ana", **{secret: b"not a picture"})
    second = confirmed("flowers", "bruno")
    assert first.fingerprint == second.fingerprint
    assert [item.file for item in first.set_aside()] == [f"rose/{secret}.png"]
    opened = Dataset.open(store, second.fingerprint, "bruno")
    for one in (second, opened):
        assert (one.info.name, one.info.origin, one.info.set_aside, one.set_aside()) == (
            "flowers",
            "flowers.zip",
            0,
            [],
        )
        assert secret not in one.info.model_dump_json()
        assert secret not in one.with_train(one.split("train")["id"][1:]).info.model_dump_json()
    assert not any(secret.encode() in path.read_bytes() for path in first.folder.rglob("*") if path.is_file())
    assert secret not in Dataset.open(store, first.fingerprint).info.model_dump_json()
    assert Dataset.open(store, first.fingerprint, "ana").info.name == secret
    with pytest.raises(UnusableInput):
        Dataset.open(store, first.fingerprint, "carla")


def test_details_in_the_folder_of_before_are_those_of_the_first_owner(tmp_path, store):
    made = make(staged(classes(10) | {"rose/broken.png": b"no"}, tmp_path), store)
    row = store.datasets.get(made.fingerprint, "local")
    atomic_files.write(made.folder / "dataset.json", made.info.model_dump_json())
    atomic_files.write(
        made.folder / "set_aside.json", json.dumps([one.model_dump(mode="json") for one in made.details.rejected_rows])
    )
    with store.transaction() as session:
        session.merge(row).details = None
    store.datasets.add(made.info.model_copy(update={"name": "theirs"}), "bruno", {})
    mine, theirs = (Dataset.open(store, made.fingerprint, one) for one in ("local", "bruno"))
    assert mine.info == made.info
    assert [item.file for item in mine.set_aside()] == ["rose/broken.png"]
    assert (theirs.info.name, theirs.info.origin, theirs.info.findings, theirs.set_aside()) == ("theirs", "", [], [])


def test_a_crash_while_placing_leaves_no_dataset(tmp_path, store, monkeypatch):
    found = staged(classes(), tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tlcore.data.confirm._link", full)
    with pytest.raises(OSError, match="No space"):
        make(found, store)
    assert list((store.home / "datasets").iterdir()) == []
    assert list((store.home / "tmp").iterdir()) == []


def test_relabel_makes_a_new_dataset_with_the_same_split(tmp_path, store):
    made = make(staged(classes(10), tmp_path), store)
    file = made.rows["id"][0]
    other = {"rose": "tulip", "tulip": "rose"}[made.rows["label"][0]]
    new = relabel(made, {file: other}, TASK, store, "local")
    assert new.fingerprint != made.fingerprint
    joined = made.rows.merge(new.rows, on="id", suffixes=("", "_new"))
    assert (joined["split"] == joined["split_new"]).all()
    assert joined[joined["label"] != joined["label_new"]]["id"].tolist() == [file]
    assert made.rows["label"][0] != other
    assert all(new.file(row).exists() for _, row in new.rows.iterrows())


def test_relabel_refuses_what_cannot_be_learned(tmp_path, store):
    made = make(staged(classes(), tmp_path), store)
    everything = dict.fromkeys(made.rows["id"], "rose")
    with pytest.raises(UnusableInput) as refusal:
        relabel(made, everything, TASK, store, "local")
    assert refusal.value.code == "one-class"


@pytest.mark.parametrize("corrections", [{"nowhere.png": "rose"}, {"rose/0.png": "x" * 500}])
def test_corrections_that_cannot_be(corrections, tmp_path, store):
    with pytest.raises(UnusableInput) as refusal:
        make(staged(classes(), tmp_path), store, corrections)
    assert refusal.value.code == "corrections"
    assert refusal.value.file == next(iter(corrections))


def test_corrections_from_a_csv_that_a_spreadsheet_wrote(tmp_path, store):
    path = tmp_path / "fix.csv"
    path.write_bytes("\ufefffile;label\r\nrose/0.png;tulip\r\n".encode())
    assert read_corrections(path) == {"rose/0.png": "tulip"}
    made = make(staged(classes(), tmp_path), store, path)
    assert made.info.n["train"] + made.info.n["validation"] + made.info.n["test"] == 10
    path.write_text("name,label\na,b\n")
    with pytest.raises(UnusableInput) as refusal:
        read_corrections(path)
    assert (refusal.value.code, refusal.value.file) == ("corrections", "fix.csv")
    with pytest.raises(UnusableInput):
        read_corrections(tmp_path / "nowhere.csv")


# --- the doors --------------------
def test_read_by_path_and_by_fingerprint(tmp_path, store):
    path = zipped(tmp_path / "up.zip", classes())
    made = data.read(Data(path=str(path)), task=TASK, store=store, owner="local")
    assert data.read(Data(dataset=made.fingerprint), task=TASK, store=store, owner="local").folder == made.folder
    assert data.read(Data(path=str(path)), task=TASK, store=store, owner="local").folder == made.folder
    assert list((store.home / "tmp").iterdir()) == []


def test_read_raises_the_first_error_with_its_file_and_row(tmp_path, store):
    path = folder(tmp_path / "up", {"labels.csv": b"image,label\nnowhere.png,rose\n"}) / "labels.csv"
    with pytest.raises(UnusableInput) as refusal:
        data.read(Data(path=str(path)), task=TASK, store=store, owner="local")
    assert refusal.value.to_json() == {
        "code": "nothing-usable",
        "file": "nowhere.png",
        "row": 2,
        "message": "Nothing of labels.csv can be used. Files or rows rejected: 1. nowhere.png: "
        "The file is not in the upload.",
    }
    assert list((store.home / "tmp").iterdir()) == []


def test_check_is_plain_json(tmp_path):
    found = data.check(zipped(tmp_path / "up.zip", classes() | {"rose/bad.jpg": b"no"}), TASK)
    assert json.loads(json.dumps(found)) == found
    assert found["usable"] is True
    assert (found["n"], found["labels"]) == (10, {"rose": 5, "tulip": 5})
    assert found["set_aside"][0]["file"] == "rose/bad.jpg"
    assert {"level", "code", "message", "count", "examples"} <= set(found["findings"][0])


@pytest.fixture
def result():
    said = []
    return said, lambda share, message, **more: said.append((share, str(message)))


def test_the_job_checks_a_path_and_a_sample(tmp_path, store, result):
    said, progress = result
    path = zipped(tmp_path / "up.zip", classes())
    job = store.jobs.submit("check-upload", "local", {"path": str(path), "task": TASK.id, "columns": {}, "group": None})
    output = check_upload(store, job, progress)
    assert (output["n"], output["usable"], output["classes"], output["errors"]) == (10, True, 2, 0)
    assert Staged.open(store.jobs.folder(job.id), TASK).counts == {"rose": 5, "tulip": 5}
    sample = store.jobs.submit("check-upload", "local", {"sample": "digits", "task": TASK.id})
    assert check_upload(store, sample, progress)["n"] == 400
    assert check_upload(store, sample, progress)["name"] == "Handwritten digits"  # a second attempt
    assert all(share is None or 0 <= share <= 1 for share, _ in said)


def test_a_refusal_names_the_upload_as_the_person_does(store, result):
    folder = store.home / "tmp" / "upload-k3j2h1"
    folder.mkdir(parents=True)
    (folder / "notes.xyz").write_text("nothing that can be read")
    given = {"path": str(folder), "task": TASK.id, "name": "holiday"}
    for there in (True, False):
        with pytest.raises(UnusableInput, match="holiday") as refusal:
            check_upload(store, store.jobs.submit("check-upload", "local", given), result[1])
        assert "upload-" not in f"{refusal.value} {refusal.value.file}"
        if there:
            (folder / "notes.xyz").unlink()
            folder.rmdir()


def test_a_cancelled_check_stops_and_leaves_nothing_staged(tmp_path):
    def stop(*_, **__):
        raise Cancelled(sentence("Stopped."), code="cancelled")

    with pytest.raises(Cancelled):
        staged(classes(), tmp_path, progress=stop)
    with pytest.raises(UnusableInput) as refusal:
        Staged.open(tmp_path / "staging", TASK)
    assert refusal.value.code == "not-staged"


# --- tables that go out --------------------
def test_formulas_are_guarded_in_csv():
    frame = pd.DataFrame(
        {"file": ["=1+1", "+a", "-b", "@c", "\td", "fine", None], "n": [-1, 2, 3, 4, 5, 6, 7], "=bad": ["x"] * 7}
    )
    lines = safe_csv(frame).splitlines()
    assert lines[0] == "file,n,'=bad"
    assert lines[1].startswith("'=1+1,-1,")
    assert all(line.startswith("'") for line in lines[1:6])
    assert lines[6].startswith("fine")


def test_a_carriage_return_begins_no_row():
    """Nothing that is handed out has one outside of quotation marks, behind which a formula would stand alone."""
    from tlcore.report.predictions import table
    from tlcore.runtime.predict_images import cell, uncell

    text = "hello\r=1+1"
    for result in (
        safe_csv(pd.DataFrame({"file": [text]})),
        table(["file"], [[text]]),
        table(["file"], [[cell(text)]]),
    ):
        assert result == 'file\n"hello\n=1+1"\n'
    for given in ("=1", "\r=1", "a\rb", "'a\rb", "''=1", "'=1", "'", "", "plain"):
        assert uncell(cell(given)) == (given[1:] if given == "'=1" else given.replace("\r", "\n"))


def test_the_split_comes_back_as_corrections(tmp_path, store):
    """The list that is downloaded can be edited and given back, guarded cells included."""
    files = {f"{kind}/{i}.png": picture(40 * k + i) for k, kind in enumerate(("=plus", "-minus")) for i in range(5)}
    made = make(staged(files, tmp_path), store)
    (tmp_path / "split.csv").write_text(made.split_csv())
    assert "'=plus" in made.split_csv()
    assert read_corrections(tmp_path / "split.csv") == dict(zip(made.rows["id"], made.rows["label"], strict=True))


def test_an_empty_correction_leaves_a_picture_out():
    rows = pd.DataFrame({"id": ["a", "b", "c"], "label": ["x", "y", "y"]})
    result = corrected(rows, {"a": " ", "c": "z"})
    assert result.to_dict("list") == {"id": ["b", "c"], "label": ["y", "z"]}
