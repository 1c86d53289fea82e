"""Pairs of texts: tables and aligned files, what is found out about them, and what cannot be used."""

from __future__ import annotations

import io
import json
import zipfile

import pair_models
import pandas as pd
import pytest
import text_models

from tlcore import data, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import t
from tlcore.core.spec_parts import Data
from tlcore.data.staging import stage

TASK = tasks.find("translation")
PAIRS = pair_models.pairs(24)


def staged(source, tmp_path, **how):
    return stage(source, task=how.pop("task", TASK), folder=tmp_path / "staged", **how)


def table(path, rows, header="source,target"):
    return text_models.write_table(path, rows, header)


def sides(folder, names, rows=PAIRS):
    folder.mkdir(parents=True, exist_ok=True)
    for side, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(f"{row[side]}\n" for row in rows), encoding="utf-8")
    return folder


def found_pairs(found):
    return sorted(zip(found.rows["text"], found.rows["target"], strict=True))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_every_table_gives_the_same_pairs(tmp_path, suffix):
    frame = pd.DataFrame(PAIRS, columns=["source", "target"])
    path = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(path)
    elif suffix == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in frame.to_dict("records")))
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    found = staged(path, tmp_path)
    assert found_pairs(found) == sorted(PAIRS)
    assert found.usable
    assert found.counts == {}


@pytest.mark.parametrize("header", ["source,target", "a,b"])
def test_the_sheet_that_was_chosen_is_read(tmp_path, header):
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        for sheet, rows in (("Notes", [("n", "m")]), ("Pairs", PAIRS)):
            pd.DataFrame(rows, columns=header.split(",")).to_excel(book, sheet_name=sheet, index=False)
    found = staged(tmp_path / "t.xlsx", tmp_path, columns={"sheet": "Pairs"})
    assert found_pairs(found) == sorted(PAIRS)
    note = next(finding for finding in found.findings if finding.code == "sheets")
    assert t(note.sentence) == ("The workbook t.xlsx has several sheets, and Pairs was read. The others are: Notes.")


def test_a_dataset_of_the_hub_gives_pairs(tmp_path, monkeypatch):
    import datasets

    rows = datasets.Dataset.from_dict({"document": [one for one, _ in PAIRS], "summary": [two for _, two in PAIRS]})
    monkeypatch.setattr("tlcore.data.hub_datasets.load", lambda tree: {"train": rows})
    assert found_pairs(staged("hf://owner/name", tmp_path, task=tasks.find("summarization"))) == sorted(PAIRS)


@pytest.mark.parametrize(
    "names",
    [
        ("train.en", "train.pt"),
        ("source.txt", "target.txt"),
        ("corpus.en-pt.en", "corpus.en-pt.pt"),
        ("src-all.txt", "tgt-all.txt"),
        ("text.document", "text.summary"),
        ("all_en.txt", "all_pt.txt"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_two_aligned_files_in_a_folder_or_a_zip(tmp_path, names, packed):
    source = sides(tmp_path / "up", names)
    if packed:
        with zipfile.ZipFile(tmp_path / "up.zip", "w") as archive:
            for name in names:
                archive.write(source / name, f"inside/{name}")
        source = tmp_path / "up.zip"
    found = staged(source, tmp_path)
    assert found_pairs(found) == sorted(PAIRS)
    assert found.rows["id"].str.contains(names[0]).all()
    said = {one.code: one.level for one in found.findings}
    sure = "source" in names[0] or "src" in names[0] or "document" in names[0] or "en-pt" in names[0]
    assert said["columns"] == ("note" if sure else "warning"), "where only the alphabet decides, it is said"


def test_aligned_files_named_after_splits_keep_them_and_turn_round_on_request(tmp_path):
    for split, rows in (("train", PAIRS[:12]), ("dev", PAIRS[12:18]), ("test", PAIRS[18:])):
        sides(tmp_path / "up", (f"{split}.en", f"{split}.pt"), rows)
    (tmp_path / "up" / "README.md").write_text("hello")
    found = staged(tmp_path / "up", tmp_path)
    assert found.info.splits == {"train": 12, "validation": 6, "test": 6}
    turned = staged(tmp_path / "up", tmp_path, columns={"source": "pt", "target": "en"})
    assert found_pairs(turned) == sorted((b, a) for a, b in PAIRS)
    sides(tmp_path / "folders", ("train/source.txt", "train/target.txt"), PAIRS[:12])
    sides(tmp_path / "folders", ("test/source.txt", "test/target.txt"), PAIRS[12:])
    assert staged(tmp_path / "folders", tmp_path).info.splits == {"train": 12, "test": 12}


def test_columns_are_found_by_name_by_order_and_as_said(tmp_path):
    for header in ("article,highlights", "origem,tradução", "en,de", "text,summary"):
        found = staged(table(tmp_path / "t.csv", PAIRS, header), tmp_path)
        assert found_pairs(found) == sorted(PAIRS), header
    path = table(tmp_path / "t.csv", [(a, b, "x") for a, b in PAIRS], "en,pt,who")
    with pytest.raises(UnusableInput, match="no column for the source text"):
        staged(path, tmp_path)
    assert found_pairs(staged(path, tmp_path, columns={"source": "pt", "target": "en"})) == sorted(
        (b, a) for a, b in PAIRS
    )


def test_copies_and_leaks_by_their_source(tmp_path):
    table(tmp_path / "up" / "train.csv", [*PAIRS[:16], (PAIRS[0][0].upper(), "other"), (PAIRS[20][0], "leak")])
    table(tmp_path / "up" / "test.csv", PAIRS[16:])
    found = staged(tmp_path / "up", tmp_path)
    by_code = {one.code: one for one in found.findings}
    assert by_code["duplicate"].examples == ["train.csv:18"]
    assert by_code["leakage"].examples == ["train.csv:19"]
    assert "conflict" not in by_code, "two translations of one text are no contradiction"
    assert len(found.rows) == 24


def test_what_is_odd_about_pairs_is_noted(tmp_path):
    rows = [*PAIRS, ("Kept as it is", "kept as it is"), ("short", "a very long story that never ends, " * 4)]
    by_code = {one.code: one for one in staged(table(tmp_path / "t.csv", rows), tmp_path).findings}
    assert by_code["identical-sides"].examples == ["t.csv:26"]
    assert by_code["length-ratio"].examples == ["t.csv:27"]
    assert by_code["few-pairs"].count == 26
    longer = [(a, f"{a} and {b}") for a, b in PAIRS]
    by_code = {
        one.code: one
        for one in staged(table(tmp_path / "t.csv", longer), tmp_path, task=tasks.find("summarization")).findings
    }
    assert by_code["longer-target"].level == "warning"


def test_bad_rows_are_set_aside_with_their_numbers_and_the_rest_is_used(tmp_path):
    path = table(tmp_path / "t.csv", PAIRS)
    with path.open("a") as file:
        file.write(
            "one,two,three\nalone\n,no source\nno target,\n  , \n" + "x" * 100_001 + ",y\ny," + "x" * 10**7 + "\n"
        )
    found = staged(path, tmp_path)
    assert len(found.rows) == 24
    reasons = {one.row: t(one.reason) for one in found.set_aside()}
    assert sorted(reasons) == [26, 27, 28, 29, 31, 32]
    assert reasons[28] == "Its source text is empty."
    assert reasons[29] == "Its target text is empty."
    assert "target text is longer than 100,000" in reasons[32]
    up = sides(tmp_path / "up", ("a.en", "a.pt"), [*PAIRS, ("", "nothing"), ("nothing", " ")])
    assert {one.row for one in staged(up, tmp_path).set_aside()} == {25, 26}


BROKEN = {
    "empty": ({"t.csv": b""}, "empty"),
    "only a header": ({"t.csv": b"source,target\n"}, "no text"),
    "one column": ({"t.csv": b"source\nhello\n"}, "at least two columns"),
    "twice the same column": ({"t.csv": b"source,source\na,b\n"}, "two columns named source"),
    "no column of targets": ({"t.csv": b"source,when,who\na,b,c\n"}, "no column for the target text"),
    "no targets": ({"t.csv": b"source,target\n" + b"hello there,\n" * 5}, "Its target text is empty"),
    "ragged": ({"t.csv": b"source,target\n" + b"a,b,c,d\n" * 6}, "cells"),
    "lists for texts": ({"t.jsonl": b'{"source": ["a"], "target": "b"}\n' * 4}, "list or a record"),
    "no objects": ({"t.jsonl": b"1\n2\n"}, "no JSON object"),
    "json cut off": ({"t.json": b'[{"source": "a", "target"'}, "damaged"),
    "no parquet": ({"t.parquet": b"PAR1 no PAR1"}, "damaged"),
    "unequal lines": ({"train.en": b"a b\nc d\ne\n", "train.pt": b"a b\n"}, "train.en has 3 lines and train.pt has 1"),
    "one side": ({"train.en": b"a b\nc d\n"}, "no two text files that belong together"),
    "three languages": ({f"train.{c}": b"a\n" for c in ("en", "pt", "de")}, "more than two languages"),
    "pairs without train": ({f"{n}.{c}": b"a\n" for n in ("one", "two") for c in ("en", "pt")}, "none is named train"),
    "names that do not fit": ({"train.en": b"a\n", "other.pt": b"b\n"}, "no two text files"),
    "a picture": ({"a.png": b"\x89PNG\r\n\x1a\n" * 9}, "nothing that this task reads"),
    "all the same source": ({"t.csv": b"source,target\n" + b"hello,x\n" * 9}, None),
    "empty lines only": ({"a.en": b"\n" * 9, "a.pt": b"\n" * 9}, "Its source text is empty"),
    "bytes of no encoding": ({"a.en": bytes(range(1, 256)), "a.pt": bytes(range(255, 0, -1))}, None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_uploads_are_refused_in_a_sentence(tmp_path, store, name):
    held, expected = BROKEN[name]
    (tmp_path / "up").mkdir()
    for file, content in held.items():
        (tmp_path / "up" / file).write_bytes(content)
    with pytest.raises(UnusableInput) as refused:
        data.read(Data(path=str(tmp_path / "up")), task=TASK, store=store, owner="local")
    assert expected is None or expected in str(refused.value), str(refused.value)


def test_misaligned_files_name_the_first_line_without_a_partner(tmp_path):
    folder = tmp_path / "up"
    folder.mkdir()
    (folder / "a.en").write_text("one\ntwo\nthree\n")
    (folder / "a.pt").write_text("um\ndois\n")
    with pytest.raises(UnusableInput) as refused:
        staged(folder, tmp_path)
    assert (refused.value.file, refused.value.row) == ("a.en", 3)


def test_a_dataset_of_pairs_is_cut_and_told_apart_by_its_targets(tmp_path, store):
    made = data.read(Data(path=str(table(tmp_path / "t.csv", PAIRS))), task=TASK, store=store, owner="local")
    assert sum(made.info.n.values()) == 24
    assert made.info.labels == []
    other = [(PAIRS[0][0], "outra"), *PAIRS[1:]]
    changed = data.read(Data(path=str(table(tmp_path / "t.csv", other))), task=TASK, store=store, owner="local")
    assert changed.fingerprint != made.fingerprint


def test_encodings_of_aligned_files(tmp_path):
    folder = tmp_path / "up"
    folder.mkdir()
    (folder / "a.en").write_bytes("\r\n".join(f"line {i}" for i in range(9)).encode("utf-16"))
    (folder / "a.pt").write_bytes(io.StringIO("\n".join(f"ação {i}" for i in range(9))).read().encode("cp1252"))
    assert found_pairs(staged(folder, tmp_path)) == [(f"line {i}", f"ação {i}") for i in range(9)]


@pytest.mark.assets
def test_multi30k_is_read_as_it_lies(assets, tmp_path):
    found = stage(assets / "data" / "multi30k_en_de", task=TASK, folder=tmp_path / "m")
    assert found.usable
    assert set(found.info.splits) == {"train", "validation", "test"}
    assert found.info.splits["train"] > 9_000
