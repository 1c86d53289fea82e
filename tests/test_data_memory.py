"""Memory that runs out in a check is said as that, with the name of the file, and never as damage."""

from __future__ import annotations

import errno
import json

import pandas as pd
import pytest
from hostile.build import classes, zipped

from tlcore import tasks
from tlcore.cli.main import main
from tlcore.core.errors import UnusableInput
from tlcore.data.readers import squad_json
from tlcore.data.staging import stage
from tlcore.data.tables import json_lines, rows
from tlcore.modalities.text import texts
from tlcore.runtime import images

TASK = tasks.find("text-classification")
PICTURES = tasks.find("image-classification")
ROWS = pd.DataFrame({"text": [f"text number {i}" for i in range(20)], "label": ["x", "y"] * 10})


def no_memory(*args, **more):
    raise MemoryError


def no_pages(*args, **more):
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


def arrow_memory(*args, **more):
    import pyarrow as pa

    raise pa.ArrowMemoryError("malloc of size 123456789 failed")


def refused(path, tmp_path, task=TASK) -> UnusableInput:
    with pytest.raises(UnusableInput) as refusal:
        stage(path, task=task, folder=tmp_path / "job")
    assert refusal.value.code == "out-of-memory"
    assert "memory" in str(refusal.value)
    return refusal.value


@pytest.mark.parametrize("place", ["load_workbook", "iter_rows"])
def test_a_workbook(tmp_path, monkeypatch, place):
    import openpyxl
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

    ROWS.to_excel(tmp_path / "reviews.xlsx", index=False)
    monkeypatch.setattr(*((openpyxl, place) if place == "load_workbook" else (ReadOnlyWorksheet, place)), no_memory)
    assert refused(tmp_path / "reviews.xlsx", tmp_path).file == "reviews.xlsx"


@pytest.mark.parametrize("failing", [no_memory, no_pages, arrow_memory])
def test_a_parquet_table(tmp_path, monkeypatch, failing):
    import pyarrow.parquet as pq

    ROWS.to_parquet(tmp_path / "reviews.parquet")
    with monkeypatch.context() as patch:
        patch.setattr(pq, "ParquetFile", failing)
        assert refused(tmp_path / "reviews.parquet", tmp_path).file == "reviews.parquet"
    monkeypatch.setattr(rows, "_mapped", failing)
    assert refused(tmp_path / "reviews.parquet", tmp_path).file == "reviews.parquet"


def test_rows_of_text_and_of_json(tmp_path, monkeypatch):
    ROWS.to_csv(tmp_path / "reviews.csv", index=False)
    (tmp_path / "reviews.json").write_text(ROWS.to_json(orient="records"))
    monkeypatch.setattr(json_lines.json, "loads", no_memory)
    assert refused(tmp_path / "reviews.json", tmp_path).file == "reviews.json"
    monkeypatch.setattr(rows, "_text_rows", no_memory)
    assert refused(tmp_path / "reviews.csv", tmp_path).file == "reviews.csv"


def test_questions_in_json(tmp_path, monkeypatch):
    (tmp_path / "squad.json").write_text('{"data": []}')
    monkeypatch.setattr(squad_json.json, "loads", no_memory)
    assert refused(tmp_path / "squad.json", tmp_path, tasks.find("question-answering")).file == "squad.json"


def test_a_table_inside_of_a_zip(tmp_path, monkeypatch):
    import zipfile

    path = zipped(tmp_path / "up.zip", {"reviews.csv": ROWS.to_csv(index=False).encode()})
    monkeypatch.setattr(zipfile.ZipExtFile, "read", no_memory)
    assert refused(path, tmp_path).file == "reviews.csv"


def test_what_comes_after_reading(tmp_path, monkeypatch, capsys):
    ROWS.to_csv(tmp_path / "reviews.csv", index=False)
    monkeypatch.setattr(texts.Texts, "check", no_memory)
    status = main(["check", str(tmp_path / "reviews.csv"), "--task", TASK.id, "--json"])
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert (status, error["code"], error["file"]) == (2, "out-of-memory", "reviews.csv")
    assert "Traceback" not in err


def test_one_picture_is_set_aside_with_the_reason(tmp_path, monkeypatch):
    from PIL import Image, ImageFile

    path = zipped(tmp_path / "up.zip", classes())
    load, first = ImageFile.ImageFile.load, []

    def once(image):
        if not first:
            first.append(image)
            raise MemoryError
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", once)
    staged = stage(path, task=PICTURES, folder=tmp_path / "job")
    assert ["memory" in str(item.reason) for item in staged.set_aside()] == [True]
    first.clear()
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    with pytest.raises(images.UnusablePicture, match="memory"):
        images.open_picture(tmp_path / "a.png")


def test_damage_is_still_damage(tmp_path):
    (tmp_path / "reviews.xlsx").write_bytes(b"PK\x03\x04" + bytes(500))
    (tmp_path / "reviews.parquet").write_bytes(b"PAR1" + bytes(500))
    for name in ("reviews.xlsx", "reviews.parquet"):
        with pytest.raises(UnusableInput) as refusal:
            stage(tmp_path / name, task=TASK, folder=tmp_path / "job")
        assert refusal.value.code != "out-of-memory"
