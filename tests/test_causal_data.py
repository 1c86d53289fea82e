"""Uploads to learn writing from: plain texts, tables of texts, prompts and completions, chats; and what is wrong."""

from __future__ import annotations

import json
import zipfile
from itertools import pairwise

import pytest

from tlcore import data, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Data, Split
from tlcore.data.readers.text_blocks import MOST, blocks
from tlcore.data.staging import stage

TASK = tasks.find("text-generation")


def paragraph(number: int, words: int = 60) -> str:
    return " ".join(f"w{number}x{place}" for place in range(words)) + "."


def book(n: int = 40) -> str:
    return "\n\n".join(paragraph(i) for i in range(n))


def chat(i: int, *turns: tuple[str, str]) -> dict:
    result = turns or (("user", f"What is {i} and {i}?"), ("assistant", f"It is {2 * i}."))
    return {"messages": [{"role": role, "content": content} for role, content in result]}


def jsonl(path, rows) -> None:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))


def staged(path, tmp_path, **how):
    return stage(path, task=TASK, folder=tmp_path / "staged", **how)


def reasons(made) -> dict[int | None, str]:
    return {item.row: str(item.reason) for item in made.set_aside()}


def test_blocks_are_whole_paragraphs_and_lose_no_word():
    text = "A short one.\n\n" + "\n\n".join(paragraph(i, 20) for i in range(30)) + "\n\nend"
    made = list(blocks(enumerate(text.split("\n"), start=1)))
    assert " ".join(" ".join(block.split()) for _, block, _ in made) == " ".join(text.split())
    assert all(len(block) <= MOST for _, block, _ in made)
    assert [ends for *_, ends in made] == [False] * (len(made) - 1) + [True]
    lines = text.split("\n")
    assert all(lines[row - 1].startswith(block.split("\n")[0]) for row, block, _ in made)
    long = "One sentence here. " * 200 + "x" * 2000
    cut = [block for _, block, _ in blocks([(1, long)])]
    assert all(len(block) <= MOST for block in cut)
    assert cut[0].endswith(".")
    assert "".join("".join(cut).split()) == "".join(long.split())


def test_one_text_is_cut_into_contiguous_pieces(tmp_path, store):
    (tmp_path / "book.txt").write_text(book(60))
    made = data.read(Data(path=str(tmp_path / "book.txt")), task=TASK, store=store, owner="local")
    assert "neighbouring blocks" in str(made.info.split_said)
    in_order = made.rows.sort_values("row")["split"].tolist()
    changes = sum(a != b for a, b in pairwise(in_order))
    assert set(in_order) == {"train", "validation", "test"}
    assert changes < 20 < len(in_order), "runs of neighbours, not single blocks"
    assert made.info.labels == []
    assert made.info.n["test"] / len(made.rows) == pytest.approx(0.2, abs=0.06)


def test_many_texts_stay_whole(tmp_path, store):
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        for i in range(25):
            archive.writestr(f"letters/{i:02}.txt", "\n\n".join(paragraph(100 * i + k) for k in range(3)))
    made = data.read(Data(path=str(tmp_path / "texts.zip")), task=TASK, store=store, owner="local")
    assert made.rows.groupby("document")["split"].nunique().max() == 1
    test = TASK.examples(made, {}, {}, None)["test"]
    assert len(test) > len(set(test.units)) == made.split("test")["document"].nunique()


def test_files_and_folders_named_after_splits_are_kept(tmp_path, store):
    for name, start in (("train", 0), ("valid", 100), ("test", 200)):
        (tmp_path / "up").mkdir(exist_ok=True)
        (tmp_path / "up" / f"{name}.txt").write_text("\n\n".join(paragraph(start + i) for i in range(12)))
    made = data.read(Data(path=str(tmp_path / "up")), task=TASK, store=store, owner="local")
    assert set(zip(made.rows["document"], made.rows["split"], strict=True)) == {
        ("train.txt", "train"),
        ("valid.txt", "validation"),
        ("test.txt", "test"),
    }


def test_a_column_of_texts(tmp_path):
    rows = [f'"{paragraph(i, 12)}, with a comma"' for i in range(20)]
    (tmp_path / "t.csv").write_text("text\n" + "\n".join(rows) + f"\n{paragraph(99, 300)}\n")
    made = staged(tmp_path / "t.csv", tmp_path)
    assert made.info.reader == "text-column"
    assert made.rows["document"].nunique() == 21
    long = made.rows[made.rows["document"] == "t.csv:22"]
    assert len(long) > 1
    assert long["ends"].tolist() == [""] * (len(long) - 1) + ["yes"]


@pytest.mark.parametrize(
    ("prompt", "completion"), [("prompt", "completion"), ("instruction", "output"), ("pergunta", "resposta")]
)
def test_prompts_and_completions(tmp_path, prompt, completion):
    jsonl(tmp_path / "p.jsonl", [{prompt: f"Say {i}", completion: f"{i} it is"} for i in range(15)])
    made = staged(tmp_path / "p.jsonl", tmp_path)
    assert made.info.reader == "prompt-completion"
    assert made.rows["completion"].tolist()[:2] == ["0 it is", "1 it is"]
    assert "completions alone" in str(next(f.sentence for f in made.findings if f.code == "scored"))


def test_an_instruction_with_its_input_and_columns_of_other_names(tmp_path):
    jsonl(tmp_path / "p.jsonl", [{"instruction": "Double", "input": str(i), "output": str(2 * i)} for i in range(15)])
    assert staged(tmp_path / "p.jsonl", tmp_path).rows["text"][3] == "Double\n3"
    (tmp_path / "q.csv").write_text("a;b\n" + "".join(f"ask {i};say {i}\n" for i in range(15)))
    made = staged(tmp_path / "q.csv", tmp_path, columns={"text": "a", "completion": "b"})
    assert (made.info.reader, made.rows["completion"][0]) == ("prompt-completion", "say 0")


def test_chats_in_their_several_spellings(tmp_path):
    share = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello 1"}]}
    parts = {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"text": "Oi"}]},
            {"role": "assistant", "content": "Olá 2"},
        ]
    }
    jsonl(tmp_path / "a.jsonl", [share] * 1 + [chat(i) for i in range(3, 15)])
    assert "It has no list" in reasons(staged(tmp_path / "a.jsonl", tmp_path)).get(2, "It has no list")
    jsonl(tmp_path / "b.jsonl", [parts, *(chat(i) for i in range(3, 15))])
    made = staged(tmp_path / "b.jsonl", tmp_path)
    assert made.info.reader == "chat"
    assert json.loads(made.rows["turns"][0])[1] == {"role": "user", "content": "Oi"}
    assert made.rows["text"][0] == "system: Be kind.\nuser: Oi\nassistant: Olá 2"
    jsonl(
        tmp_path / "c.jsonl",
        [
            {**share, "conversations": [*share["conversations"][:1], {"from": "gpt", "value": f"Hello {i}"}]}
            for i in range(14)
        ],
    )
    assert json.loads(staged(tmp_path / "c.jsonl", tmp_path).rows["turns"][5])[1]["role"] == "assistant"


def test_the_same_words_twice_are_used_once_and_never_in_two_splits(tmp_path):
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "train.txt").write_text(book(14))
    others = [paragraph(3).upper(), *(paragraph(i) for i in range(50, 62))]
    (tmp_path / "up" / "test.txt").write_text("\n\n".join(others))
    made = staged(tmp_path / "up", tmp_path)
    assert [f.code for f in made.findings if f.code == "leakage"] == ["leakage"]
    assert len(made.rows) == 14 + 13 - 1


def test_personal_data_in_a_text_is_pointed_out(tmp_path):
    (tmp_path / "t.txt").write_text(book(20) + "\n\nWrite to ana.silva@example.com please, " + paragraph(77))
    found = [f for f in staged(tmp_path / "t.txt", tmp_path).findings if f.code == "personal-e-mail"]
    assert found[0].count == 1


WRONG_ROWS = {
    "broken JSON": ('{"messages": [', "not a JSON object"),
    "a list": ("[1, 2]", "not a JSON object"),
    "no messages": ({"messages": []}, "no list of messages"),
    "messages as text": ({"messages": "hello"}, "no list of messages"),
    "an unknown role": (chat(0, ("tool", "x"), ("assistant", "y")), "message 1 is of the role tool"),
    "no role": ({"messages": [{"content": "x"}]}, "message 1 is of the role –"),
    "no record": ({"messages": ["x"]}, "message 1 is not a record"),
    "content a number": ({"messages": [{"role": "user", "content": 5}]}, "content that is not text"),
    "an image": ({"messages": [{"role": "user", "content": [{"image": "x"}]}]}, "content that is not text"),
    "empty content": (chat(0, ("user", " "), ("assistant", "y")), "message 1 has no content"),
    "nothing of the assistant": (chat(0, ("user", "x")), "no message of the assistant"),
    "far too long": (chat(0, ("user", "x" * 200_000), ("assistant", "y")), "longer than 100,000 characters"),
    "too many messages": (chat(0, *[("user", "x")] * 501), "more than 500 messages"),
}


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_a_bad_chat_is_set_aside_with_its_line_and_the_rest_is_kept(tmp_path, case):
    row, reason = WRONG_ROWS[case]
    jsonl(tmp_path / "c.jsonl", [*(chat(i) for i in range(7)), row, *(chat(i) for i in range(7, 14))])
    made = staged(tmp_path / "c.jsonl", tmp_path)
    assert len(made.rows) == 14
    assert reason in reasons(made)[8]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "", "completion": "x"}, "no prompt"),
        ({"prompt": "x", "completion": None}, "no completion"),
        ({"prompt": "x"}, "no completion"),
        ({"prompt": ["x"], "completion": "y"}, "list or a record"),
        ({"prompt": "x", "completion": "y" * 100_001}, "longer than"),
    ],
)
def test_a_bad_prompt_is_set_aside_with_its_line(tmp_path, row, reason):
    jsonl(tmp_path / "p.jsonl", [row, *({"prompt": f"Say {i}", "completion": f"{i} is"} for i in range(14))])
    jsonl(tmp_path / "p.jsonl", [*({"prompt": f"Say {i}", "completion": f"{i} is"} for i in range(14)), row])
    made = staged(tmp_path / "p.jsonl", tmp_path)
    assert len(made.rows) == 14
    assert reason in reasons(made)[15]


def test_files_that_are_no_text_and_lines_that_never_end(tmp_path):
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "good.txt").write_text(book(20) + "\n" + "y" * 150_000 + "\n" + paragraph(90))
    (tmp_path / "up" / "empty.txt").write_text(" \n\n")
    (tmp_path / "up" / "picture.txt").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "up" / "notes.pdf").write_bytes(b"%PDF")
    made = staged(tmp_path / "up", tmp_path)
    result = {(item.file, item.row): str(item.reason) for item in made.set_aside()}
    assert "longer than 100,000" in result["good.txt", 40]
    assert result["empty.txt", None] == "The file is empty."
    assert "not text" in result["picture.txt", None]
    assert result["notes.pdf", None] == "It is not a plain text."
    assert set(made.rows["document"]) == {"good.txt"}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", "", "empty"),
        ("a.txt", "only one line of text", "at least 12 are needed"),
        ("a.jsonl", "", "empty"),
        ("a.jsonl", "not json\n", "no JSON object"),
        ("a.csv", "name,price\nx,1\n", "no column for the text"),
        ("a.jsonl", '{"title": "x", "price": 2}\n' * 20, None),
        ("a.docx", "PK", "zip"),
    ],
)
def test_an_upload_that_cannot_be_used_says_why(tmp_path, store, name, content, reason):
    (tmp_path / name).write_text(content)
    with pytest.raises(UnusableInput) as failure:
        data.read(Data(path=str(tmp_path / name)), task=TASK, store=store, owner="local")
    assert reason is None or reason in str(failure.value.sentence)


def test_latin_and_utf_16_texts_are_read(tmp_path):
    text = "\n\n".join(f"Ação número {i}: coração, pão e maçã. " + paragraph(i) for i in range(14))
    for place, encoding in enumerate(("cp1252", "utf-16", "utf-8-sig")):
        (tmp_path / f"{place}.txt").write_bytes(text.encode(encoding))
        made = staged(tmp_path / f"{place}.txt", tmp_path)
        assert made.rows["text"][0].startswith("Ação número 0: coração")


def test_the_sample_is_bilingual_and_always_the_same(tmp_path):
    from tlcore.data.samples import shop_window

    first = shop_window.SAMPLE.write(tmp_path / "a")
    assert first.read_bytes() == shop_window.SAMPLE.write(tmp_path / "b").read_bytes()
    made = staged(first, tmp_path)
    assert len(made.rows) == 180
    assert made.info.reader == "prompt-completion"
    assert made.set_aside() == []
    assert made.rows["completion"].str.contains("centímetros").sum() == 90
    split = TASK.split(made.rows, Split())["split"]
    assert split.value_counts().to_dict() == pytest.approx({"train": 117, "test": 36, "validation": 27}, abs=1)


def test_a_shared_instruction_does_not_make_all_examples_one(tmp_path, store):
    """Near duplicates stay in one set; where nearly all are alike, that would leave nothing to test on."""
    mould = "You are asked to say the following number in words as exactly as you can: "
    jsonl(tmp_path / "p.jsonl", [{"prompt": f"{mould}{i}", "completion": f"number {i}"} for i in range(40)])
    made = data.read(Data(path=str(tmp_path / "p.jsonl")), task=TASK, store=store, owner="local")
    assert "one-mould" in {finding.code for finding in made.info.findings}
    assert made.info.n["test"] == pytest.approx(8, abs=1)
    twins = [(paragraph(i), paragraph(i).replace(f"w{i}x3 ", "changed ")) for i in range(30)]
    (tmp_path / "t.csv").write_text("text\n" + "\n".join(text for pair in twins for text in pair))
    made = data.read(Data(path=str(tmp_path / "t.csv")), task=TASK, store=store, owner="local")
    assert made.rows.groupby("near")["split"].nunique().tolist() == [1] * 30


def test_prompts_on_the_sheet_that_was_chosen(tmp_path):
    import pandas as pd

    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        pd.DataFrame({"text": ["a note"]}).to_excel(book, sheet_name="Notes", index=False)
        rows = {"prompt": [f"say {i}" for i in range(12)], "completion": [f"it is {i}" for i in range(12)]}
        pd.DataFrame(rows).to_excel(book, sheet_name="Prompts", index=False)
    made = staged(tmp_path / "t.xlsx", tmp_path, columns={"sheet": "Prompts"})
    assert sorted(made.rows["completion"]) == sorted(rows["completion"])
