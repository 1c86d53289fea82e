"""Tables of texts: every shape that people bring, what is checked, and twenty-odd that are broken."""

from __future__ import annotations

import io
import json
import zipfile

import pandas as pd
import pytest
import text_models

from tlcore import data, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import t
from tlcore.core.spec_parts import Data, Split
from tlcore.data.confirm import confirm
from tlcore.data.staging import Staged, stage
from tlcore.modalities.text import personal_data
from tlcore.modalities.text.texts import normalised

TASK, SENTIMENT = tasks.find("text-classification"), tasks.find("sentiment-analysis")
ROWS = text_models.sentences(24)


def staged(source, folder, **how) -> Staged:
    return stage(source, task=how.pop("task", TASK), folder=folder / "staged", **how)


def text_of(rows, separator=",", header=("text", "label")) -> str:
    lines = [separator.join(header), *(separator.join(row) for row in rows)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators_are_found(tmp_path, encoding, separator):
    rows = [(f"{text} não é avião", label) for text, label in ROWS]
    path = tmp_path / "t.csv"
    path.write_bytes(text_of(rows, separator).encode(encoding))
    found = staged(path, tmp_path).rows
    assert sorted(zip(found["text"], found["label"], strict=True)) == sorted(rows)


def written(path, rows):
    frame = pd.DataFrame(rows, columns=["text", "label"])
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps({"text": a, "label": b}) for a, b in rows))
    elif path.suffix == ".json":
        path.write_text(json.dumps([{"text": a, "label": b} for a, b in rows]))
    elif path.suffix == ".tsv":
        path.write_text(text_of(rows, "\t"))
    else:
        frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "json", "parquet"])
def test_every_format_gives_the_same_rows(tmp_path, suffix):
    found = staged(written(tmp_path / f"t.{suffix}", ROWS), tmp_path)
    assert sorted(zip(found.rows["text"], found.rows["label"], strict=True)) == sorted(ROWS)
    assert found.usable
    assert found.rows["id"].str.startswith(f"t.{suffix}:").all()


def test_a_table_alone_is_not_disturbed_by_what_lies_beside_it(tmp_path):
    (tmp_path / "other.csv").write_text("nothing,here\n1,2\n")
    assert len(staged(written(tmp_path / "t.csv", ROWS), tmp_path).rows) == 24


@pytest.mark.parametrize("packed", [False, True])
def test_files_named_after_splits_keep_them(tmp_path, packed):
    parts = {"train": ROWS[:12], "dev": ROWS[12:18], "test": ROWS[18:]}
    folder = tmp_path / "up"
    folder.mkdir()
    for name, rows in parts.items():
        written(folder / f"{name}.csv", rows)
    (folder / "README.md").write_text("hello")
    source = folder
    if packed:
        source = tmp_path / "up.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"inside/{file.name}")
    found = staged(source, tmp_path)
    assert found.info.splits == {"train": 12, "validation": 6, "test": 6}
    assert [t(one.reason) for one in found.set_aside()] == ["It is not a table of texts."]


def test_columns_are_found_by_name_by_look_and_as_said(tmp_path):
    for header in (("review", "stars"), ("frase", "sentimento"), ("a", "b")):
        path = tmp_path / "t.csv"
        path.write_text(text_of(ROWS, header=header))
        columns = {"label": "stars"} if header[1] == "stars" else None
        assert set(staged(path, tmp_path, columns=columns).labels) == {"good", "bad"}
    path.write_text(text_of(ROWS, header=("a", "b")).replace("\n", ",x\n"))
    with pytest.raises(UnusableInput, match="no column for the text"):
        staged(path, tmp_path)
    assert len(staged(path, tmp_path, columns={"text": "a", "label": "b"}).rows) == 24


def test_tabs_without_quoting(tmp_path):
    rows = [(f'"{text} said', label) for text, label in ROWS]  # a quotation mark that is never closed
    path = tmp_path / "t.tsv"
    path.write_text(text_of(rows, "\t"))
    assert sorted(staged(path, tmp_path).rows["text"]) == sorted(text for text, _ in rows)


def test_duplicates_conflicts_and_leaks_by_their_words(tmp_path):
    parts = {
        "train": [*ROWS[:12], ("GOOD  morning, all!", "good"), ("a leak", "good"), ("twice", "bad"), ("Twice.", "bad")],
        "test": [*ROWS[12:], ("good morning all", "bad"), ("A leak?", "good")],
    }
    for name, rows in parts.items():
        text_models.write_table(tmp_path / "up" / f"{name}.csv", rows)
    found = staged(tmp_path / "up", tmp_path)
    by_code = {one.code: one for one in found.findings}
    assert by_code["conflict"].count == 2
    assert by_code["leakage"].examples == ["train.csv:15"]
    assert by_code["duplicate"].examples == ["train.csv:17"]
    assert len(found.rows) == 24 + 2
    assert normalised("GOOD  morning, all!") == normalised("good morning all")
    assert normalised("?!") != normalised("...")  # texts without words are not all the same


def test_personal_data_are_pointed_out_and_never_shown(tmp_path):
    # 529.982.247-25 has right check digits; the other eleven digits do not.
    assert personal_data.kinds("meu cpf é 529.982.247-25") == ["cpf"]
    assert personal_data.kinds("cpf 52998224725") == ["cpf"]
    assert personal_data.kinds("order 529.982.247-26") == []
    assert personal_data.is_cpf("111.111.111-11") is False
    assert personal_data.kinds("write to ana.silva@example.com.br") == ["e-mail"]
    for number in ("(11) 98765-4321", "+55 11 98765-4321", "555-123-4567", "+44 20 7946 0958"):
        assert personal_data.kinds(f"call {number} now") == ["phone"], number
    for plain in ("in 2024 there were 1,234,567 of 12.5", "at 10:30 on 2024-05-03", "version 10.2.33"):
        assert personal_data.kinds(plain) == [], plain
    rows = [*ROWS, ("write to ana@example.com", "good")]
    found = staged(text_models.write_table(tmp_path / "t.csv", rows), tmp_path)
    result = next(one for one in found.findings if one.code == "personal-e-mail")
    assert result.examples == ["t.csv:26"]
    assert "ana@" not in t(result.sentence)


def test_a_dataset_of_texts_is_immutable_and_fingerprinted_by_its_words(tmp_path, store):
    path = text_models.write_table(tmp_path / "t.csv", ROWS)
    made = data.read(Data(path=str(path)), task=TASK, store=store, owner="local")
    assert made.info.n["train"] + made.info.n["validation"] + made.info.n["test"] == 24
    assert "file" not in made.rows
    again = data.read(Data(path=str(path)), task=TASK, store=store, owner="local")
    assert again.fingerprint == made.fingerprint
    changed = [(ROWS[0][0] + " indeed", ROWS[0][1]), *ROWS[1:]]
    other = data.read(
        Data(path=str(text_models.write_table(tmp_path / "t.csv", changed))), task=TASK, store=store, owner="local"
    )
    assert other.fingerprint != made.fingerprint
    assert set(made.to_hf()["train"].column_names) >= {"text", "label"}
    assert "text" not in made.split_csv().splitlines()[0]


def test_groups_stay_together(tmp_path, store):
    rows = [(text, label, f"author {i // 3}") for i, (text, label) in enumerate(ROWS)]
    path = text_models.write_table(tmp_path / "t.csv", rows, "text,label,author")
    found = staged(path, tmp_path)
    assert found.info.grouped
    made = confirm(found, store, split=Split(), corrections=None, name="x", owner="local")
    assert made.rows.groupby("group")["split"].nunique().max() == 1
    with pytest.raises(UnusableInput, match="no column nowhere"):
        staged(text_models.write_table(tmp_path / "u.csv", ROWS), tmp_path, group="nowhere")


def test_sentiment_is_ordered_from_worst_to_best(tmp_path, store):
    from tlcore.tasks.sentiment_analysis.task import ordered

    assert ordered(["Positive", "neutral", "Negative"]) == ["Negative", "neutral", "Positive"]
    assert ordered(["10", "9", "1"]) == ["1", "9", "10"]
    assert ordered(["positivo", "muito negativo", "neutro"]) == ["muito negativo", "neutro", "positivo"]
    assert ordered(["spam", "positive"]) is None
    rows = [(text, {"good": "positive", "bad": "negative"}[label]) for text, label in ROWS]
    found = staged(text_models.write_table(tmp_path / "t.csv", rows), tmp_path, task=SENTIMENT)
    assert "Polarity from worst to best: negative, positive." in [t(one.sentence) for one in found.findings]
    made = confirm(found, store, split=Split(), corrections=None, name="x", owner="local")
    assert SENTIMENT.fit_target(made) == {"labels": ["negative", "positive"]}


GOOD = text_of(ROWS)
BROKEN = {
    "empty file": (b"", "empty"),
    "only blanks": (b" \n\n \n", "empty"),
    "only a header": (b"text,label\n", "no text with a label"),
    "one column": (b"text\nhello\n", "at least two columns"),
    "two columns of one name": (b"text,text\na,b\n", "two columns named text"),
    "no label column": (b"text,when,who\na,b,c\n", "no column for the label"),
    "no labels": (b"text,label\n" + b"hello there,\n" * 5, "Nothing of"),
    "no texts": (b"text,label\n" + b",good\n" * 5, "Nothing of"),
    "one class": ("text,label\n" + "".join(f"text number {i},same\n" for i in range(9)), "only one class"),
    "every label its own": ("text,label\n" + "".join(f"text number {i},l{i}\n" for i in range(9)), "fewer than 3"),
    "all the same text": (b"text,label\n" + b"hello,good\nhello,bad\n" * 5, "Nothing of"),
    "ragged rows": ("text,label\n" + "a,b,c,d\n" * 6, "cells"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, None),
    "nul bytes": (b"text,label\n\x00\x00\x00,\x00\n" * 4, None),
}
BROKEN_ELSEWHERE = {
    "jsonl of no objects": ("t.jsonl", b"1\n2\n3\n", "no JSON object"),
    "jsonl cut off": ("t.jsonl", b'{"text": "a", "label"', "no JSON object"),
    "json list damaged": ("t.json", b'[{"text": "a", "label": "b"},', "damaged"),
    "jsonl of lists": ("t.jsonl", b'{"text": ["a"], "label": "b"}\n' * 4, "list or a record"),
    "labels that are lists": ("t.jsonl", b'{"text": "a b", "label": ["b", "c"]}\n' * 4, "one label a text"),
    "lone surrogates": ("t.jsonl", b'{"text": "\\ud800", "label": "b"}\n' * 4, None),
    "deep json": ("t.jsonl", b"[" * 100_000, None),
    "no parquet": ("t.parquet", b"PAR1 nothing of the kind PAR1", "damaged"),
    "a spreadsheet": ("t.xlsx", b"PK\x03\x04 not really", None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_tables_are_refused_in_a_sentence(tmp_path, store, name):
    content, expected = BROKEN[name]
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UnusableInput) as refused:
        data.read(Data(path=str(path)), task=TASK, store=store, owner="local")
    assert expected is None or expected in str(refused.value), str(refused.value)


@pytest.mark.parametrize("name", BROKEN_ELSEWHERE)
def test_broken_files_are_refused_in_a_sentence(tmp_path, store, name):
    file, content, expected = BROKEN_ELSEWHERE[name]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(UnusableInput) as refused:
        data.read(Data(path=str(tmp_path / file)), task=TASK, store=store, owner="local")
    assert expected is None or expected in str(refused.value), str(refused.value)


def test_bad_rows_are_set_aside_with_their_numbers_and_the_rest_is_used(tmp_path):
    out = io.StringIO(GOOD)
    out.seek(0, io.SEEK_END)
    out.write("too,many,cells\n")  # row 26
    out.write("alone\n")
    out.write(",good\n")
    out.write("no label here,\n")
    out.write("x" * 100_001 + ",good\n")
    out.write("y" * 10_000_000 + ",good\n")
    out.write("a label far too long," + "l" * 300 + "\n")
    out.write("=cmd()|' /C calc'!A0,good\n")
    path = tmp_path / "t.csv"
    path.write_text(out.getvalue())
    found = staged(path, tmp_path)
    assert len(found.rows) == 25  # the formula is a text like any other
    reasons = {one.row: t(one.reason) for one in found.set_aside()}
    assert sorted(reasons) == [26, 27, 28, 29, 30, 31, 32]
    assert "longer than 100,000 characters" in reasons[30]
    assert "longer than 100,000 characters" in reasons[31]
    assert reasons[28] == "It has no text."


def test_a_quotation_mark_that_is_never_closed_is_told(tmp_path):
    rows = [*text_models.sentences(30), ('"open', "good"), *((f"{i} " + "words " * 40, "bad") for i in range(600))]
    path = tmp_path / "t.csv"
    path.write_text(text_of(rows))
    found = staged(path, tmp_path)
    assert any("never to be closed" in t(one.reason) for one in found.set_aside())


def test_several_tables_that_are_no_splits(tmp_path):
    for name in ("one", "two"):
        text_models.write_table(tmp_path / "up" / f"{name}.csv", ROWS)
    with pytest.raises(UnusableInput, match="holds several tables"):
        staged(tmp_path / "up", tmp_path)


@pytest.mark.assets
def test_real_sets_are_read(assets, tmp_path):
    for name, task in (("sst2", SENTIMENT), ("tweets_mg_pt", SENTIMENT), ("banking77", TASK)):
        found = stage(assets / "data" / name, task=task, folder=tmp_path / name)
        assert found.usable
        assert len(found.rows) > 1000
        assert set(found.info.splits) == {"train", "test"}
