"""Uploads of entities: every shape that people bring, and what is broken, with its line."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import text_models

from tlcore import data, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import t
from tlcore.core.spec_parts import Data
from tlcore.data.readers.entity_tags import from_tags, spans_of
from tlcore.data.staging import stage

TASK = tasks.find("token-classification")
ROWS = text_models.tagged(60)


def places(row) -> tuple[str, list[dict]]:
    text, found, _ = from_tags(*row)
    return text, [{"start": a, "end": b, "label": label} for a, b, label in found]


def staged(source, folder, **how):
    return stage(source, task=TASK, folder=folder / "staged", **how)


def found_in(staged_) -> dict[str, list]:
    return {text: spans_of(result) for text, result in zip(staged_.rows["text"], staged_.rows["entities"], strict=True)}


EXPECTED = {from_tags(*row)[0]: from_tags(*row)[1] for row in ROWS}


def bilou(tags: list[str]) -> list[str]:
    """BIO tags as BILOU."""
    out = []
    for place, tag in enumerate(tags):
        ends = place + 1 == len(tags) or not tags[place + 1].startswith("I-")
        mark = {"B": "U" if ends else "B", "I": "L" if ends else "I"}.get(tag[0])
        out.append(tag if mark is None else mark + tag[1:])
    return out


def iob1(tags: list[str]) -> list[str]:
    """BIO tags as IOB1: B- only where an entity follows on another of its kind."""
    return [
        "I" + tag[1:] if tag[0] == "B" and (place == 0 or tags[place - 1][2:] != tag[2:]) else tag
        for place, tag in enumerate(tags)
    ]


FILES = {
    "two columns": ("t.conll", text_models.conll(ROWS)),
    "four columns with tabs": ("t.bio", text_models.conll(ROWS, columns="{token}\tNN\tx\t{tag}")),
    "numbered, as .txt": (
        "t.txt",
        "\n\n".join("\n".join(f"{i}\t{a}\t{b}" for i, (a, b) in enumerate(zip(*row, strict=True), 1)) for row in ROWS),
    ),
    "documents and comments": ("t.conll", "-DOCSTART- -X- O\n\n# id = 1\n" + text_models.conll(ROWS)),
    "BILOU": ("t.conll", text_models.conll([(a, bilou(b)) for a, b in ROWS])),
    "IOB1": ("t.iob", text_models.conll([(a, iob1(b)) for a, b in ROWS])),
    "tokens and tags": ("t.jsonl", "\n".join(json.dumps({"tokens": a, "ner_tags": b}) for a, b in ROWS)),
    "places": (
        "t.jsonl",
        "\n".join(json.dumps(dict(zip(("text", "entities"), places(row), strict=True))) for row in ROWS),
    ),
    "places as lists": (
        "t.json",
        json.dumps([{"text": places(row)[0], "label": [list(one.values()) for one in places(row)[1]]} for row in ROWS]),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_shape_gives_the_same_entities(tmp_path, name):
    file, content = FILES[name]
    (tmp_path / file).write_text(content)
    found = staged(tmp_path / file, tmp_path)
    assert found_in(found) == EXPECTED
    assert found.usable
    assert found.set_aside() == []
    assert ("tags-repaired" in {one.code for one in found.findings}) == (name == "IOB1")


def test_a_parquet_of_the_hub_names_its_tags(tmp_path, store):
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = sorted({tag for _, tags in ROWS for tag in tags})
    table = pa.table({"tokens": [a for a, _ in ROWS], "ner_tags": [[names.index(tag) for tag in b] for _, b in ROWS]})
    feature = {"ner_tags": {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"}}
    result = json.dumps({"info": {"features": feature}}).encode()
    pq.write_table(table.replace_schema_metadata({b"huggingface": result}), tmp_path / "t.parquet")
    assert found_in(staged(tmp_path / "t.parquet", tmp_path)) == EXPECTED
    pd.DataFrame({"tokens": [a for a, _ in ROWS], "tags": [[0] * len(a) for a, _ in ROWS]}).to_parquet(
        tmp_path / "u.parquet"
    )
    with pytest.raises(UnusableInput, match="tags are numbers"):
        data.read(Data(path=str(tmp_path / "u.parquet")), task=TASK, store=store, owner="local")


def test_splits_by_file_and_documents_as_groups(tmp_path, store):
    parts = {"train": ROWS[:40], "dev": ROWS[40:50], "test": ROWS[50:]}
    (tmp_path / "up").mkdir()
    for name, rows in parts.items():
        (tmp_path / "up" / f"{name}.txt").write_text(text_models.conll(rows))
    assert staged(tmp_path / "up", tmp_path).info.splits == {"train": 40, "validation": 10, "test": 10}
    documents = "".join(f"-DOCSTART- -X- O\n\n{text_models.conll(ROWS[i : i + 5])}\n" for i in range(0, 60, 5))
    (tmp_path / "d.conll").write_text(documents)
    made = data.read(Data(path=str(tmp_path / "d.conll")), task=TASK, store=store, owner="local")
    assert made.info.grouped
    assert made.rows.groupby("group")["split"].nunique().max() == 1
    assert made.rows["group"].nunique() == 12


CELLS = {
    "JSON": lambda tokens, tags: (json.dumps(tokens), json.dumps(tags)),
    "Python": lambda tokens, tags: (repr(tokens), repr(tags)),
    "blanks": lambda tokens, tags: (" ".join(tokens), " ".join(tags)),
}


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx"])
@pytest.mark.parametrize("how", CELLS)
def test_tables_hold_lists_in_cells(tmp_path, how, suffix):
    frame = pd.DataFrame([CELLS[how](*row) for row in ROWS], columns=["tokens", "ner_tags"])
    path = tmp_path / f"t.{suffix}"
    if suffix == "xlsx":
        frame.to_excel(path, index=False)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    assert found_in(staged(path, tmp_path)) == EXPECTED


def test_tables_hold_texts_and_places_in_cells(tmp_path):
    rows = [(text, json.dumps(spans) if spans else "") for text, spans in map(places, ROWS)]
    pd.DataFrame(rows, columns=["text", "entities"]).to_csv(tmp_path / "t.csv", index=False)
    assert found_in(staged(tmp_path / "t.csv", tmp_path)) == EXPECTED


BY_TOKEN = {  # the columns, and what stands in that of the sentence beside its first token and the others
    "numbers": (["sentence_id", "token", "tag"], lambda n, first: n),
    "Kaggle's": (["Sentence #", "Word", "Tag"], lambda n, first: f"Sentence: {n}" if first else ""),
}


def by_token(rows, how="numbers"):
    """A table with a row for each token."""
    columns, said = BY_TOKEN[how]
    result = [
        (said(n, place == 0), token, tag)
        for n, row in enumerate(rows)
        for place, (token, tag) in enumerate(zip(*row, strict=True))
    ]
    return pd.DataFrame(result, columns=columns)


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
@pytest.mark.parametrize("how", BY_TOKEN)
def test_tables_hold_a_token_in_each_row(tmp_path, how, suffix):
    frame, path = by_token(ROWS, how), tmp_path / f"t.{suffix}"
    {"csv": frame.to_csv, "xlsx": frame.to_excel, "parquet": frame.to_parquet}[suffix](path, index=False)
    found = staged(path, tmp_path)
    assert found_in(found) == EXPECTED
    assert found.set_aside() == []


def test_a_sentence_with_a_bad_row_is_set_aside_and_the_others_are_kept(tmp_path):
    frame = by_token(ROWS).assign(split="train")
    at = len(ROWS[0][0])
    frame.loc[at, "tag"] = "PERSON"
    frame.loc[at + len(ROWS[1][0]), "split"] = "monday"
    frame.to_csv(tmp_path / "t.csv", index=False)
    found = staged(tmp_path / "t.csv", tmp_path)
    assert found_in(found) == {
        text: spans for text, spans in EXPECTED.items() if text not in {from_tags(*row)[0] for row in ROWS[1:3]}
    }
    first, second = found.set_aside()
    assert "The tag PERSON is none of O" in t(first.reason)
    assert first.row == at + 2
    assert "Its split is monday" in t(second.reason)


def test_tokens_in_rows_need_a_column_of_their_sentence(tmp_path):
    by_token(ROWS).drop(columns="sentence_id").to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(UnusableInput, match=r"none of its columns \(token, tag\) is known to tell which sentence"):
        staged(tmp_path / "t.csv", tmp_path)
    named = by_token(ROWS).rename(columns={"sentence_id": "satz"})
    named.to_csv(tmp_path / "n.csv", index=False)
    assert found_in(staged(tmp_path / "n.csv", tmp_path, columns={"sentence": "satz"})) == EXPECTED


LINES = {  # what is put behind good sentences, the reason, and how many lines behind their end the bad one is
    "a tag of no scheme": ("Ana PERSON\n", "The tag PERSON is none of O", 1),
    "part of speech": ("Ana NNP\nlives VB\n", "The tag NNP is none of O", 1),
    "no tag": ("Ana B-person\nlives\n", "no tag beside the token", 2),
    "a mark without a label": ("Ana B-\n", "The tag B- is none of O", 1),
    "a number for a tag": ("Ana 3\n", "The tag 3 is none of O", 1),
    "endless": ("word O\n" * 3000, "more than 2,000 tokens", 1),
    "an empty token": ("good O\n\u200b\tB-x\n\tO\n", "is empty", 3),
    "a label far too long": ("Ana B-" + "x" * 300 + "\n", "longer than 200", 1),
}


@pytest.mark.parametrize("name", LINES)
def test_a_bad_sentence_is_set_aside_with_its_line(tmp_path, name):
    content, reason, behind = LINES[name]
    good = text_models.conll(ROWS) + "\n"
    (tmp_path / "t.conll").write_text(good + content + "\nthe O\nend O\nof O\nit O\n")
    found = staged(tmp_path / "t.conll", tmp_path)
    assert len(found.rows) == len(ROWS) + 1
    (aside,) = found.set_aside()
    assert reason in t(aside.reason)
    assert aside.row == good.count("\n") + behind


def record(text: str, *spans) -> dict:
    names = ("start", "end", "label", "value")
    return {"text": text, "entities": [dict(zip(names, span, strict=False)) for span in spans]}


RECORDS = {
    "out of range": (record("Ana", (0, 9, "x")), "outside of its text of 3 characters"),
    "before the start": (record("Ana", (-1, 3, "x")), "outside of its text"),
    "backwards": (record("Ana Lima", (4, 2, "x")), "outside of its text"),
    "no width": (record("Ana", (1, 1, "x")), "outside of its text"),
    "overlap": (record("Ana Lima went", (0, 8, "x"), (4, 13, "y")), "x and y overlap at character 4"),
    "only a blank": (record("Ana  Lima", (3, 5, "x")), "An entity is empty"),
    "in the middle of a word": (record("Anabela went", (0, 3, "x")), "in the middle of a word"),
    "other words": (record("Ana went", (0, 3, "x", "Bob")), "should be Bob, but there the text says Ana"),
    "no label": (record("Ana went", (0, 3, "")), "its label is empty"),
    "no start": ({"text": "Ana", "entities": [{"label": "x"}]}, "needs a start, an end and a label"),
    "floats": (record("Ana went", (0.0, 3.0, "x")), "needs a start, an end and a label"),
    "entities that are none": ({"text": "Ana", "entities": "Ana"}, "are no list"),
    "no text": (record("  "), "no text"),
    "a list for a text": ({"text": ["Ana"], "entities": []}, "list or a record"),
    "no object": ([1], "not a JSON object"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_bad_record_is_set_aside_with_its_row(tmp_path, name):
    bad, reason = RECORDS[name]
    good = [dict(zip(("text", "entities"), places(row), strict=True)) for row in ROWS]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, [*good, bad])))
    found = staged(tmp_path / "t.jsonl", tmp_path)
    assert len(found.rows) == len(ROWS)
    (aside,) = found.set_aside()
    assert aside.row == len(ROWS) + 1
    assert reason in t(aside.reason)


WHOLES = {
    "no entity": ("t.conll", "a O\nb O\n\nc O\n\nd O\n\ne O\n", "No text has an entity"),
    "one column": ("t.conll", "a\nb\n\nc\n", "no tag beside the token"),
    "empty": ("t.conll", "", "no text"),
    "a table of something else": ("t.jsonl", '{"a": 1, "b": 2}\n', "needs a column of tokens"),
    "a CSV": ("t.csv", "text,label\na,b\n", None),
    "tokens and tags that differ": ("t.jsonl", '{"tokens": ["a", "b"], "tags": ["O"]}\n' * 4, "2 tokens and 1 tags"),
    "tokens that are no lists": ("t.jsonl", '{"tokens": {"a": 1}, "tags": "O O"}\n' * 4, "are no lists"),
    "a list cut off": ("t.csv", 'tokens,tags\n"[""a"", ""b",O O\n', "are no lists"),
    "places cut off": ("t.csv", 'text,entities\nAna went,"[[0, 3, ""x"""\n', "are no list"),
}


@pytest.mark.parametrize("name", WHOLES)
def test_an_upload_that_cannot_be_used_is_refused_in_a_sentence(tmp_path, store, name):
    file, content, reason = WHOLES[name]
    (tmp_path / file).write_text(content)
    with pytest.raises(UnusableInput) as refused:
        data.read(Data(path=str(tmp_path / file)), task=TASK, store=store, owner="local")
    assert reason is None or reason in str(refused.value), str(refused.value)


def test_blanks_before_a_text_move_its_entities(tmp_path):
    good = [dict(zip(("text", "entities"), places(row), strict=True)) for row in ROWS]
    rows = [*good, record("  Ana Lima lives ", (2, 11, "x"))]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert found_in(staged(tmp_path / "t.jsonl", tmp_path))["Ana Lima lives"] == [(0, 8, "x")]
