"""Paths that no file can have, and names that are not UTF-8: a sentence, or they are simply read."""

from __future__ import annotations

import json
import os

import pytest
from hostile.build import classes, folder

from tlcore import tasks
from tlcore.cli.main import main
from tlcore.core import paths
from tlcore.core.errors import UnusableInput
from tlcore.core.uploads.file_tree import Tree
from tlcore.data import hub_datasets
from tlcore.data.staging import stage
from tlcore.models import lookup

TASK = tasks.find("image-classification")
IMPOSSIBLE = {
    "NUL": "photos\0.zip",
    "a name too long": "/tmp/" + "x" * 300 + ".zip",
    "a path too long": "/data/" + "x/" * 3000 + "a.zip",
    "nobody's home": "~there-is-nobody-of-this-name/photos.zip",
    "half a character": "photos\ud800.zip",
}


@pytest.fixture(params=IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def impossible(request):
    return request.param


def test_data_at_an_impossible_path(impossible, tmp_path):
    with pytest.raises(UnusableInput) as refusal:
        stage(impossible, task=TASK, folder=tmp_path / "job")
    assert refusal.value.code == "path"
    assert len(str(refusal.value)) < 400
    json.dumps(refusal.value.to_json(), ensure_ascii=False).encode()


@pytest.mark.parametrize("field", ["path", "unlabelled", "extra", "corrections"])
def test_a_spec_with_an_impossible_path(impossible, field, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TLCORE_HOME", str(tmp_path / "home"))
    if "\ud800" in impossible:
        pytest.skip("a YAML file cannot hold it")
    data = {"path": "photos.zip", field: impossible}
    (tmp_path / "spec.yaml").write_text(json.dumps({"task": TASK.id, "data": data}))
    status = main(["run", str(tmp_path / "spec.yaml"), "--json"])
    out, err = capsys.readouterr()
    assert (status, json.loads(out)["error"]["code"]) == (2, "path")
    assert "Traceback" not in err


def test_a_source_at_an_impossible_path(impossible, store):
    with pytest.raises(UnusableInput):
        lookup.find(impossible if impossible.startswith(("/", "~")) else f"./{impossible}", store)


def test_a_path_of_the_page_that_is_impossible(impossible, monkeypatch):
    from tlcore.ui import upload_view

    monkeypatch.setattr(upload_view, "signed_in", lambda: None)
    monkeypatch.delenv(upload_view.FOLDERS, raising=False)
    with pytest.raises(UnusableInput):
        upload_view.server_path(impossible if impossible.startswith(("/", "~")) else f"/{impossible}")


def test_corrections_at_an_impossible_path(impossible):
    from tlcore.data.label_corrections import read_corrections

    with pytest.raises(UnusableInput):
        read_corrections(impossible)


def test_links_in_a_circle(tmp_path):
    from tlcore.ui import upload_view

    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for read in (paths.resolved_path, upload_view.server_path):
        with pytest.raises(UnusableInput, match=r"circle|nothing"):
            read(str(tmp_path / "a"))
    with pytest.raises(UnusableInput):
        stage(tmp_path / "a", task=TASK, folder=tmp_path / "job")


@pytest.mark.parametrize("verb", ["check", "predict", "run"])
def test_a_name_too_long_on_the_command_line(verb, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TLCORE_HOME", str(tmp_path / "home"))
    more = {"check": ["--task", TASK.id], "predict": ["a.png"], "run": []}[verb]
    status = main([verb, "x" * 5000, *more, "--json"])
    out, err = capsys.readouterr()
    assert status == 2
    assert json.loads(out)["error"]["message"]
    assert "Traceback" not in err


def test_folders_and_tables_whose_names_are_not_utf8_are_read(tmp_path, capfd):
    named = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    folder(tmp_path / "up", classes())
    os.rename(tmp_path / "up", named)
    staged = stage(named, task=TASK, folder=tmp_path / "job")
    assert len(staged.rows) == 10
    assert "caf" in staged.info.name
    assert main(["check", named, "--task", TASK.id, "--json"]) in (0, 2)
    assert json.loads(capfd.readouterr().out)["n"] == 10
    table = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")
    with open(table, "w") as file:
        file.write("text,label\n" + "".join(f"text number {i},{'ab'[i % 2]}\n" for i in range(20)))
    assert len(stage(table, task=tasks.find("text-classification"), folder=tmp_path / "job").rows) == 20
    assert main(["check", named + ".zip", "--task", TASK.id, "--json"]) == 2
    assert json.loads(capfd.readouterr().out)["error"]["code"] == "missing"


def test_a_dataset_of_the_hub_with_a_name_too_long():
    with pytest.raises(UnusableInput):
        hub_datasets.load(Tree(origin="hf://x", hub="x" * 5000 + "/\0"))


def test_names_as_text():
    assert paths.text_name("caf\udce9.zip") == "caf\ufffd.zip"
    assert paths.text_name("a\ud800b") == "a?b"
    assert paths.printable_name("a\0b" + "c" * 500).startswith("a\ufffdb")
    assert len(paths.printable_name("c" * 500)) == 198
