"""Every upload format, read as a person would pack it."""

from __future__ import annotations

import io
import time
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile.build import classes, folder, listed, picture, table, zipped

from tlcore import tasks
from tlcore.core.errors import UnusableInput
from tlcore.data.readers import READERS
from tlcore.data.readers.contract import tidy_label
from tlcore.data.staging import stage
from tlcore.modalities.groups import by_pattern

TASK = tasks.find("image-classification")


def staged(source, tmp_path, **kwargs):
    return stage(source, task=TASK, folder=tmp_path / "staging", **kwargs)


def moved(prefix: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {prefix + name: data for name, data in files.items()}


def three(names=("train", "validation", "test"), n: int = 3) -> dict[str, bytes]:
    return {
        f"{split}/{kind}/{i}.png": picture(1000 * s + 100 * k + i)
        for s, split in enumerate(names)
        for k, kind in enumerate(("rose", "tulip"))
        for i in range(n)
    }


@pytest.mark.parametrize("prefix", ["", "leaves/", "my photos/leaves/", "./"])
def test_folder_of_classes(prefix, tmp_path):
    found = staged(zipped(tmp_path / "up.zip", moved(prefix, classes())), tmp_path)
    assert found.counts == {"rose": 5, "tulip": 5}
    assert found.info.reader == "image-folder"
    assert found.usable
    assert set(found.rows["id"]) == set(moved(prefix.removeprefix("./"), classes()))


def test_folder_and_its_zip_read_alike(tmp_path):
    files = classes()
    one = stage(zipped(tmp_path / "up.zip", files), task=TASK, folder=tmp_path / "a").rows
    two = stage(folder(tmp_path / "up", files), task=TASK, folder=tmp_path / "b").rows
    columns = ["id", "sha256", "label", "width"]
    assert one[columns].equals(two[columns])


@pytest.mark.parametrize(
    "names",
    [("train", "validation", "test"), ("Train", "VAL", "Test"), ("train", "dev", "test"), ("train", "valid", "test")],
)
@pytest.mark.parametrize("prefix", ["", "flowers/"])
def test_own_splits(names, prefix, tmp_path):
    found = staged(zipped(tmp_path / "up.zip", moved(prefix, three(names))), tmp_path)
    assert found.info.splits == {"train": 6, "validation": 6, "test": 6}
    assert found.counts == {"rose": 9, "tulip": 9}


def test_a_class_may_be_called_test(tmp_path):
    found = staged(zipped(tmp_path / "up.zip", classes(names=("test", "control"))), tmp_path)
    assert found.counts == {"control": 5, "test": 5}
    assert found.info.splits == {}


def test_pictures_outside_of_the_splits_are_set_aside(tmp_path):
    found = staged(zipped(tmp_path / "up.zip", three() | {"extra/rose/1.png": picture(9)}), tmp_path)
    assert [item.file for item in found.set_aside()] == ["extra/rose/1.png"]


def test_deeper_folders_belong_to_their_class(tmp_path):
    files = classes() | {"rose/2024/may/1.png": picture(50)}
    assert staged(zipped(tmp_path / "up.zip", files), tmp_path).counts == {"rose": 6, "tulip": 5}


def test_folder_that_holds_one_zip(tmp_path):
    (tmp_path / "up").mkdir()
    zipped(tmp_path / "up" / "photos.zip", classes())
    found = staged(tmp_path / "up", tmp_path)
    assert found.origin == "photos.zip"
    assert len(found.rows) == 10


def test_unflagged_utf8_names_of_a_mac(tmp_path):
    path = zipped(tmp_path / "up.zip", classes(names=("maçã", "pera")))
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert all(info.flag_bits & 0x800 for info in archive.infolist() if "ma" in info.filename)
    for signature, at_flags in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        parts = data.split(signature)
        data = signature.join([parts[0], *[p[: at_flags - 4] + b"\0" + p[at_flags - 3 :] for p in parts[1:]]])
    path.write_bytes(data)
    assert staged(path, tmp_path).counts == {"maçã": 5, "pera": 5}


# --- tables --------------------
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", [["image", "label"], ["File Name", "Class"], ["path", "target"]])
def test_table_in_a_zip(header, separator, tmp_path):
    files, rows = listed()
    files["labels.csv"] = table([header, *rows[1:]], separator=separator)
    found = staged(zipped(tmp_path / "up.zip", files), tmp_path)
    assert found.info.reader == "image-table"
    assert found.counts == {"a": 4, "b": 4}
    assert found.set_aside() == []
    assert list(found.rows["row"]) == list(range(2, 10))


def test_table_beside_a_zip_and_named_by_path(tmp_path):
    files, rows = listed()
    up = folder(tmp_path / "up", {"labels.csv": table(rows)})
    zipped(up / "photos.zip", files)
    assert staged(up, tmp_path).counts == {"a": 4, "b": 4}
    assert staged(up / "labels.csv", tmp_path).counts == {"a": 4, "b": 4}


def test_table_with_split_and_group_and_mapped_columns(tmp_path):
    files, rows = listed(6)
    splits = ["train", "val", "test"]
    wide = [["foto", "tipo", "conjunto", "caso"], *[[*r, splits[i % 3], f"p{i % 3}"] for i, r in enumerate(rows[1:])]]
    source = zipped(tmp_path / "up.zip", files | {"dados.csv": table(wide)})
    columns = {"image": "foto", "label": "tipo", "split": "conjunto"}
    found = staged(source, tmp_path, columns=columns, group="caso")
    assert found.info.splits == {"train": 4, "validation": 4, "test": 4}
    assert sorted(found.rows["group"].unique()) == ["p0", "p1", "p2"]


def test_class_folders_with_a_stray_table_stay_class_folders(tmp_path):
    files = classes() | {"notes.csv": b"date,weather\n2026-01-01,rain\n"}
    found = staged(zipped(tmp_path / "up.zip", files), tmp_path)
    assert found.info.reader == "image-folder"
    assert [item.file for item in found.set_aside()] == ["notes.csv"]
    assert found.usable


def test_tables_named_by_split(tmp_path):
    files, rows = listed(6)
    files |= {"train.csv": table(rows[:9]), "test.csv": table([rows[0], *rows[9:]])}
    assert staged(zipped(tmp_path / "up.zip", files), tmp_path).info.splits == {"train": 8, "test": 4}


def test_blanks_in_file_names_are_kept(tmp_path):
    files = {f"a  {i} .png": picture(i) for i in range(6)}
    rows = [["image", "label"], *[[name, "ab"[i % 2]] for i, name in enumerate(files)]]
    assert len(staged(zipped(tmp_path / "up.zip", files | {"l.csv": table(rows)}), tmp_path).rows) == 6


def test_names_without_folder_or_ending_are_found(tmp_path):
    files, rows = listed()
    short = [rows[0], *[[r[0].removesuffix(".png"), r[1]] for r in rows[1:]]]
    assert len(staged(zipped(tmp_path / "up.zip", files | {"l.csv": table(short)}), tmp_path).rows) == 8


def test_parquet_with_pictures_inside_and_coded_labels(tmp_path):
    """As ``datasets`` writes it: bytes in the image column, class names in the schema."""
    import datasets

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["ant", "bee"])})
    rows = {"image": [{"bytes": picture(i), "path": None} for i in range(8)], "label": [0, 1] * 4}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / "train-00000-of-00001.parquet"))
    found = staged(tmp_path / "train-00000-of-00001.parquet", tmp_path)
    assert found.counts == {"ant": 4, "bee": 4}


def test_parquet_of_paths(tmp_path):
    files, rows = listed()
    out = io.BytesIO()
    pq.write_table(pa.table({"image": [r[0] for r in rows[1:]], "label": [1.0] * 4 + [2.0] * 4}), out)
    found = staged(zipped(tmp_path / "up.zip", files | {"t.parquet": out.getvalue()}), tmp_path)
    assert found.counts == {"1": 4, "2": 4}


def test_pictures_inside_of_tables_that_share_a_name_get_names_of_their_own(tmp_path):
    files = {}
    for s, split in enumerate(("train", "test")):
        cells = [{"bytes": picture(100 * s + i), "path": "image.png"} for i in range(6)]
        out = io.BytesIO()
        pq.write_table(pa.table({"image": cells, "label": ["a", "b"] * 3}), out)
        files[f"data/{split}-0.parquet"] = out.getvalue()
    found = staged(zipped(tmp_path / "up.zip", files), tmp_path)
    assert found.info.splits == {"train": 6, "test": 6}
    assert found.rows["id"].is_unique


@pytest.mark.parametrize(
    ("raw", "tidy"),
    [
        (" a  b ", "a b"),
        (1.0, "1"),
        (None, ""),
        (float("nan"), ""),
        (True, "True"),
        ("a\tb\x00", "a b"),
        ("cafe\u0301", "café"),
    ],
)
def test_tidy_label(raw, tidy):
    assert tidy_label(raw) == tidy


# --- groups --------------------
def test_group_patterns():
    names = ["rose/p01_a.png", "rose/p01_b.png", "tulip/p02_a.png", "tulip/x.png"]
    assert by_pattern(r"(p\d+)_", names) == ["p01", "p01", "p02", None]
    assert by_pattern(r"p\d+", names) == ["p01", "p01", "p02", None]


def test_a_catastrophic_group_pattern_ends_quickly():
    began = time.monotonic()
    with pytest.raises(UnusableInput) as refusal:
        by_pattern(r"(\w|\w|\w\w)+$", ["a" * 200 + "!"])
    assert refusal.value.code == "group"
    assert time.monotonic() - began < 5


# --- the hub: against a local stand-in --------------------
@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub's library reading a folder in the hub's layout under the name owner/flowers."""
    import datasets
    import huggingface_hub

    features = datasets.Features({"img": datasets.Image(), "kind": datasets.ClassLabel(names=["rose", "tulip"])})
    (tmp_path / "repo" / "data").mkdir(parents=True)
    for s, split in enumerate(("train", "test")):
        rows = {"img": [{"bytes": picture(100 * s + i), "path": None} for i in range(8)], "kind": [0, 1] * 4}
        path = tmp_path / "repo" / "data" / f"{split}-00000-of-00001.parquet"
        datasets.Dataset.from_dict(rows, features=features).to_parquet(str(path))
    real, asked = datasets.load_dataset, []

    def load(name, config=None, **kwargs):
        asked.append((name, config, kwargs))
        return real(str(tmp_path / "repo"), config, cache_dir=str(tmp_path / "cache"), **kwargs)

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)
    return asked


def test_hub_dataset_is_streamed_with_its_splits_and_class_names(hub, tmp_path):
    found = staged("hf://owner/flowers", tmp_path)
    assert hub == [("owner/flowers", None, {"revision": None, "streaming": True})]
    assert found.counts == {"rose": 8, "tulip": 8}
    assert found.info.splits == {"train": 8, "test": 8}
    assert found.origin == "hf://owner/flowers"


def test_hub_dataset_offline_comes_from_the_cache(hub, tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert len(staged("hf://owner/flowers@main", tmp_path).rows) == 16
    assert hub == [("owner/flowers", None, {"revision": "main", "streaming": False})]


def test_hub_dataset_without_such_columns(hub, tmp_path):
    with pytest.raises(UnusableInput) as refusal:
        staged("hf://owner/flowers", tmp_path, columns={"label": "species"})
    assert refusal.value.code == "columns"
    assert "kind" in str(refusal.value)


@pytest.mark.parametrize("name", ["../data", "owner/..", "./data", ".hidden", "owner/name", "flowers"])
def test_a_name_of_the_hub_never_opens_a_folder_of_this_machine(hub, tmp_path, monkeypatch, name):
    (tmp_path / "here/owner/name").mkdir(parents=True)
    (tmp_path / "here/flowers").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UnusableInput) as refusal:
        staged(f"hf://{name}", tmp_path)
    assert refusal.value.code == "hub-name"
    assert hub == []


def test_unreachable_hub_is_found_out_quickly(tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(UnusableInput) as refusal:
        staged("hf://owner/flowers", tmp_path)
    assert refusal.value.code == "hub-unreachable"
    assert time.monotonic() - began < 10  # the import of datasets included


def test_every_reader_says_what_it_is():
    for reader in READERS:
        assert str(reader.title)
        assert str(reader.what).endswith(".")


def test_a_table_whose_columns_say_nothing_is_named_with_its_columns(tmp_path):
    files = {f"{i}.png": picture(i) for i in range(6)}
    files["labels.csv"] = b"snap,sort\n" + b"".join(f"{i}.png,a\n".encode() for i in range(6))
    with pytest.raises(UnusableInput) as refusal:
        staged(zipped(tmp_path / "up.zip", files), tmp_path)
    assert (refusal.value.code, refusal.value.file) == ("columns", "labels.csv")
    assert "snap, sort" in str(refusal.value.sentence)
