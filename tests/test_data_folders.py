"""A folder of examples is read by descriptor: what is read is what was listed, and no link is followed."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from hostile.build import classes, folder, zipped

from tlcore import tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.uploads import folders
from tlcore.core.uploads.file_tree import open_tree
from tlcore.data.staging import stage
from tlcore.data.tables.rows import open_table

TASK = tasks.find("image-classification")
TEXTS = tasks.find("text-classification")


@pytest.fixture(params=["by descriptor", "by path"])
def opened(request, monkeypatch):
    """Both ways to open a folder; the second is for systems without descriptors of folders."""
    monkeypatch.setattr(folders, "BY_DESCRIPTOR", request.param == "by descriptor")


def test_a_file_replaced_by_a_link_after_the_listing_is_not_read(tmp_path, opened):
    root = folder(tmp_path / "up", classes())
    (tmp_path / "secret.png").write_bytes((root / "rose" / "0.png").read_bytes())
    with open_tree(root) as tree:
        entry = tree.entries["rose/1.png"]
        assert entry.read()
        (root / "rose" / "1.png").unlink()
        (root / "rose" / "1.png").symlink_to(tmp_path / "secret.png")
        with pytest.raises(UnusableInput) as refusal:
            entry.read()
    assert (refusal.value.code, refusal.value.file) == ("unreadable", "rose/1.png")


def test_a_folder_replaced_by_a_link_after_the_listing_is_not_entered(tmp_path, opened):
    root = folder(tmp_path / "up", classes())
    shutil.copytree(root / "rose", tmp_path / "elsewhere")
    with open_tree(root) as tree:
        (root / "rose").rename(tmp_path / "away")
        (root / "rose").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        with pytest.raises(UnusableInput):
            tree.entries["rose/1.png"].read()
        assert tree.entries["tulip/1.png"].read()


def test_a_table_replaced_by_a_link_or_a_pipe_is_not_opened_again(tmp_path, opened):
    path = tmp_path / "up" / "texts.csv"
    path.parent.mkdir()
    path.write_text("text,label\na,x\nb,y\n")
    (tmp_path / "secret.csv").write_text("text,label\nsecret,x\n")
    with open_tree(path, alone=(".csv",)) as tree:
        table = open_table(tree.entries["texts.csv"], "texts.csv")
        assert [cells["text"] for _, cells, _ in table.rows()] == ["a", "b"]
        path.unlink()
        path.symlink_to(tmp_path / "secret.csv")
        with pytest.raises(UnusableInput):
            list(table.rows())
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(UnusableInput):  # and is not waited for
            list(table.rows())


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx", "jsonl"])
def test_tables_of_every_kind_are_read_from_a_folder(tmp_path, opened, ending):
    import pandas as pd

    rows = pd.DataFrame({"text": [f"text number {i}" for i in range(20)], "label": ["x", "y"] * 10})
    path = tmp_path / f"texts.{ending}"
    if ending == "csv":
        rows.to_csv(path, index=False)
    elif ending == "parquet":
        rows.to_parquet(path)
    elif ending == "xlsx":
        rows.to_excel(path, index=False)
    else:
        rows.to_json(path, orient="records", lines=True)
    assert len(stage(path, task=TEXTS, folder=tmp_path / "job").rows) == 20


def test_a_zip_that_lies_in_a_folder_is_read_from_there(tmp_path, opened):
    (tmp_path / "up").mkdir()
    zipped(tmp_path / "up" / "photos.zip", classes())
    staged = stage(tmp_path / "up", task=TASK, folder=tmp_path / "job")
    assert (len(staged.rows), staged.origin) == (10, "photos.zip")


def test_an_archive_replaced_after_it_was_vetted_is_not_read_anew(tmp_path):
    path = zipped(tmp_path / "up.zip", classes())
    with open_tree(path) as tree:
        path.unlink()
        zipped(path, {name: b"other" for name in classes()})
        assert tree.entries["rose/0.png"].read() == classes()["rose/0.png"]


def test_linked_folders_and_files_are_named_with_the_reason(tmp_path, opened):
    root = folder(tmp_path / "up", classes())
    shutil.copytree(root / "rose", tmp_path / "store")
    (root / "daisy").symlink_to(tmp_path / "store", target_is_directory=True)
    (root / "rose" / "out.png").symlink_to(tmp_path / "store" / "0.png")
    (root / "rose" / "in.png").symlink_to(root / "tulip" / "0.png")
    (root / "rose" / "nowhere.png").symlink_to(root / "none")
    staged = stage(root, task=TASK, folder=tmp_path / "job")
    assert len(staged.rows) == 10
    reasons = {item.file: str(item.reason) for item in staged.set_aside()}
    assert set(reasons) == {"daisy", "rose/out.png", "rose/in.png", "rose/nowhere.png"}
    assert all("links in a folder are not followed" in reason for reason in reasons.values())


def test_a_folder_of_links_alone_says_why_nothing_is_used(tmp_path, opened):
    store = folder(tmp_path / "store", classes())
    (tmp_path / "up").mkdir()
    for name in ("rose", "tulip"):
        (tmp_path / "up" / name).symlink_to(store / name, target_is_directory=True)
    with pytest.raises(UnusableInput) as refusal:
        stage(tmp_path / "up", task=TASK, folder=tmp_path / "job")
    assert refusal.value.code == "empty"
    assert "links in a folder are not followed" in str(refusal.value)


def test_a_path_that_the_person_named_may_be_a_link_itself(tmp_path):
    folder(tmp_path / "v3", classes())
    (tmp_path / "current").symlink_to(tmp_path / "v3", target_is_directory=True)
    staged = stage(tmp_path / "current", task=TASK, folder=tmp_path / "job")
    assert (len(staged.rows), staged.origin) == (10, "current")
    zipped(tmp_path / "v3.zip", classes())
    (tmp_path / "current.zip").symlink_to(tmp_path / "v3.zip")
    assert len(stage(tmp_path / "current.zip", task=TASK, folder=tmp_path / "job").rows) == 10


def test_a_path_of_the_page_with_a_link_put_on_the_way_is_refused(tmp_path, store):
    """The page resolves a path and sees that it is open to the person; the job reads it later."""
    from tlcore.execution.job_kinds.ingest import check_upload

    folder(tmp_path / "open" / "up", classes())
    folder(tmp_path / "shut" / "up", classes())
    job = store.jobs.submit("check-upload", "ana", {"path": str(tmp_path / "open" / "up"), "task": TASK.id})
    assert check_upload(store, job, lambda *args, **more: None)["n"] == 10
    shutil.rmtree(tmp_path / "open")
    (tmp_path / "open").symlink_to(tmp_path / "shut", target_is_directory=True)
    with pytest.raises(UnusableInput) as refusal:
        check_upload(store, job, lambda *args, **more: None)
    assert refusal.value.code == "unreadable"


def test_a_further_set_of_the_page_with_a_link_put_on_the_way_is_refused(tmp_path, store):
    from tlcore.execution.job_kinds.ingest import take_set

    (tmp_path / "shut").mkdir()
    (tmp_path / "shut" / "a.csv").write_text("text\none text\nanother text\n")
    (tmp_path / "open").symlink_to(tmp_path / "shut", target_is_directory=True)
    asked = {"set": "unlabelled", "path": str(tmp_path / "open" / "a.csv"), "task": TEXTS.id}
    with pytest.raises(UnusableInput) as refusal:
        take_set(store, store.jobs.submit("take-set", "ana", asked), lambda *args, **more: None)
    assert refusal.value.code == "unreadable"


def test_a_folder_deeper_than_a_path_can_be_long_is_listed(tmp_path):
    root = tmp_path / "up"
    root.mkdir()
    number, depth = os.open(root, os.O_RDONLY), 60
    for _ in range(depth):
        os.mkdir("d" * 200, dir_fd=number)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=number)
        os.close(number)
        number = inner
    with open(os.open("a.txt", os.O_WRONLY | os.O_CREAT, dir_fd=number), "w") as file:
        file.write("deep")
    os.close(number)
    with open_tree(root) as tree:
        assert tree.entries["/".join(["d" * 200] * depth + ["a.txt"])].read() == b"deep"


def test_descriptors_are_given_back(tmp_path):
    folder(tmp_path / "up", classes())
    before = len(os.listdir("/dev/fd"))
    for _ in range(5):
        stage(tmp_path / "up", task=TASK, folder=tmp_path / "job")
        with pytest.raises(UnusableInput):
            stage(tmp_path / "up" / "rose" / "0.png", task=TASK, folder=tmp_path / "job")
    assert len(os.listdir("/dev/fd")) <= before


def test_corrections_may_be_a_link(tmp_path):
    from tlcore.data.label_corrections import read_corrections

    (tmp_path / "right.csv").write_text("file,label\na.png,rose\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "right.csv")
    assert read_corrections(tmp_path / "link.csv") == {"a.png": "rose"}
    assert json.dumps(read_corrections(str(tmp_path / "right.csv")))
