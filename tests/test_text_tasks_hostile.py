"""Every task on texts under the same harm: wrong encodings, ragged rows, empty cells, 10 MB cells, formulas, and places
and files that do not fit. A sentence with the row, never a traceback, and the rest is used.
"""

from __future__ import annotations

import csv
import json

import pytest
from hostile.text_tasks import ACCENTS, FORMULA, HUGE, SOUND, N, json_lines, table

from tlcore import tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import t
from tlcore.core.spec_parts import Split
from tlcore.data.confirm import confirm
from tlcore.data.staging import Staged, stage
from tlcore.ui import text_view
from tlcore.ui.dataset_view import set_aside_csv

EVERY = pytest.mark.parametrize("sound", SOUND.values(), ids=SOUND)


def staged(folder, content: bytes, task: str, name: str = "t.csv") -> Staged:
    (folder / name).write_bytes(content)
    return stage(folder / name, task=tasks.find(task), folder=folder / "staged")


def reasons(found: Staged) -> dict[int | None, str]:
    return {one.row: t(one.reason) for one in found.set_aside()}


def given(sound, row) -> str:
    """The text of a row as the dataset has it: a summary's, say, is its document."""
    return row[0]


@EVERY
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16", "utf-16-be", "utf-32"])
def test_any_usual_encoding_is_read(tmp_path, sound, encoding):
    row = sound.row(N, f"{ACCENTS} {N}")
    found = staged(tmp_path, table(sound, row).decode().encode(encoding), sound.task)
    assert len(found.rows) == N + 1, reasons(found)
    assert given(sound, row) in set(found.rows["text"])


@EVERY
def test_two_encodings_in_one_file_are_pointed_out(tmp_path, sound):
    content = table(sound, sound.row(N, f"{ACCENTS} {N}")) + ",".join(sound.row(N + 1, "pão é bom")).encode("cp1252")
    found = staged(tmp_path, content, sound.task)
    assert len(found.rows) == N + 2, reasons(found)
    assert "garbled" in {one.code for one in found.findings}


@EVERY
def test_ragged_rows_are_set_aside_with_their_numbers(tmp_path, sound):
    found = staged(tmp_path, table(sound, ("alone",), (*sound.row(N, "too many cells"), "one", "two")), sound.task)
    assert len(found.rows) == N
    result = reasons(found)
    assert set(result) == {N + 2, N + 3}
    assert all("cells" in one for one in result.values())


@EVERY
def test_empty_cells_are_set_aside_with_their_numbers(tmp_path, sound):
    rows = [sound.changed(sound.needed, ""), sound.changed(sound.needed, " \u00a0 "), sound.changed(0, "")]
    found = staged(tmp_path, table(sound, *rows), sound.task)
    assert len(found.rows) == N
    result = reasons(found)
    assert set(result) == {N + 2, N + 3, N + 4}
    assert sound.said in result[N + 2]


@EVERY
def test_a_cell_of_10_mb_is_set_aside_with_its_number(tmp_path, sound):
    found = staged(
        tmp_path, table(sound, sound.changed(0, HUGE), sound.changed(len(sound.columns) - 1, HUGE)), sound.task
    )
    assert len(found.rows) == N
    result = reasons(found)
    assert set(result) == {N + 2, N + 3}
    assert all(len(one) < 400 for one in result.values()), "nothing of the cell is said"


@EVERY
def test_a_formula_is_a_text_and_no_list_that_is_handed_out_runs_it(tmp_path, sound, store):
    words = f"{FORMULA} {N}"
    found = staged(tmp_path, table(sound, sound.row(N, words), (FORMULA,)), sound.task, name="=t.csv")
    assert given(sound, sound.row(N, words)) in set(found.rows["text"])
    made = confirm(found, store, split=Split(), corrections=None, name="x", owner="local")
    for result in (made.split_csv(), set_aside_csv(found.set_aside()).decode()):
        cells = [cell for row in csv.reader(result.splitlines()) for cell in row]
        assert any(cell.startswith("'=t.csv") for cell in cells)
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


def test_a_table_on_a_page_downloads_no_formula():
    """Its toolbar writes the cells as they are shown."""
    assert text_view.short(FORMULA) == f"\u200b{FORMULA}"
    assert text_view.short("plain = words") == "plain = words"


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (0, 99, "outside of its text of 8"),
        (-3, 2, "outside of its text"),
        (5, 3, "outside of its text"),
        (10**12, 10**13, "outside of its text"),
    ],
)
def test_entities_out_of_range(tmp_path, start, end, said):
    good = [{"text": f"Ana {i} ran", "entities": [[0, 3, "x"]]} for i in range(N)]
    bad = {"text": "Ana went", "entities": [[start, end, "x"]]}
    found = staged(tmp_path, json_lines(*good, bad), "token-classification", "t.jsonl")
    assert len(found.rows) == N
    assert said in reasons(found)[N + 1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"text": "zebra", "answer_start": 0}, "stands nowhere"),
        ({"text": "went", "answer_start": "x"}, "whole number"),
    ],
)
def test_answers_out_of_their_context(tmp_path, answer, said):
    ana = {"text": ["Ana"], "answer_start": [0]}
    rows = [{"context": f"Ana {i} went home", "question": f"who {i}?", "answers": ana} for i in range(N)]
    bad = {"context": "Ana went", "question": "who?", "answers": {name: [one] for name, one in answer.items()}}
    found = staged(tmp_path, json_lines(*rows, bad), "question-answering", "t.jsonl")
    assert len(found.rows) == N
    assert said in reasons(found)[N + 1]


@pytest.mark.parametrize("task", ["translation", "summarization"])
def test_files_that_do_not_align_are_refused_with_the_line(tmp_path, task):
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "source.txt").write_text("".join(f"line {i}\n" for i in range(N)))
    (tmp_path / "up" / "target.txt").write_text("".join(f"linha {i}\n" for i in range(N - 3)))
    with pytest.raises(UnusableInput) as refused:
        stage(tmp_path / "up", task=tasks.find(task), folder=tmp_path / "staged")
    assert refused.value.row == N - 2
    assert "Traceback" not in t(refused.value.sentence)


CHAT = {"messages": [{"role": "user", "content": "Oi"}, {"role": "assistant", "content": "Olá"}]}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": HUGE}]},
            "longer than 100,000",
        ),
        ({"messages": [{"role": "assistant", "content": ""}]}, "no content"),
        ('{"messages": [{"role": "user"', "not a JSON object"),
    ],
    ids=["huge", "empty", "cut off"],
)
def test_chats(tmp_path, bad, said):
    good = [
        {"messages": [*CHAT["messages"], {"role": "user", "content": f"{i}"}, CHAT["messages"][1]]} for i in range(N)
    ]
    found = staged(tmp_path, json_lines(*good, bad), "text-generation", "t.jsonl")
    assert len(found.rows) == N
    assert said in reasons(found)[N + 1]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_plain_texts_and_columns_of_tokens_in_any_usual_encoding(tmp_path, encoding):
    prose = "\n\n".join(f"Parágrafo {i}: {ACCENTS}, e segue assim por mais algumas palavras." for i in range(200))
    found = staged(tmp_path, prose.encode(encoding), "text-generation", "t.txt")
    assert found.rows["text"].str.contains(ACCENTS).all()
    lines = "\n\n".join(f"João{i}\tB-x\nfoi\tO" for i in range(N))
    found = staged(tmp_path, lines.encode(encoding), "token-classification", "u.conll")
    assert len(found.rows) == N
    assert found.rows["text"].str.startswith("João").all()


def test_a_huge_token_and_a_huge_line(tmp_path):
    lines = "\n\n".join(f"Ana{i} B-x\nfoi O" for i in range(N))
    found = staged(tmp_path, f"{lines}\n\n{HUGE} O\nfoi O\n".encode(), "token-classification", "u.conll")
    assert len(found.rows) == N
    assert "longer than 100,000" in next(iter(reasons(found).values()))
    prose = "\n\n".join(f"Line {i} goes on for some words, as lines do." for i in range(200))
    found = staged(tmp_path, f"{prose}\n\n{HUGE}\n".encode(), "text-generation", "t.txt")
    assert any("100,000" in result for result in reasons(found).values()), reasons(found)
    assert json.dumps(reasons(found)).count("y" * 500) == 0
