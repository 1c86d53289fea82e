"""Questions and answers as data: formats, places of answers, splits by context, what is set aside, and how scores are
counted.
"""

from __future__ import annotations

import collections
import json
import re
import string

import numpy as np
import pandas as pd
import pytest
import text_models

from tlcore import data, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import t
from tlcore.core.spec_parts import Data, Split
from tlcore.data.confirm import confirm
from tlcore.data.readers import answer_positions
from tlcore.data.staging import stage
from tlcore.tasks.question_answering import answer_scores, baselines

TASK = tasks.find("question-answering")
ROWS = text_models.questions(30)


def staged(path, tmp_path, **how):
    return stage(path, task=TASK, folder=tmp_path / "staged", **how)


def written(path, rows):
    if path.suffix in (".csv",) or (path.suffix == ".json" and "squad" in path.name):
        return text_models.write_questions(path, rows)
    if path.suffix == ".parquet":
        pd.DataFrame([hub(row) for row in rows]).to_parquet(path, index=False)
    elif path.suffix == ".tsv":
        pd.DataFrame(rows).to_csv(path, sep="\t", index=False)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("\n".join(json.dumps(hub(row)) for row in rows))
    return path


def hub(row):
    """A row as datasets of the hub have it."""
    answers = {
        "text": [row["answer"]] if row["answer"] else [],
        "answer_start": [row["answer_start"]] if row["answer"] else [],
    }
    return {"title": "one", "context": row["context"], "question": row["question"], "answers": answers}


@pytest.mark.parametrize("name", ["q.csv", "q.tsv", "q.jsonl", "q.json", "squad.json", "q.parquet"])
def test_every_format_gives_the_same_questions(tmp_path, name):
    found = staged(written(tmp_path / name, ROWS), tmp_path)
    assert found.usable
    result = {(row.text, row.question): (row.answer, json.loads(row.spans)) for row in found.rows.itertuples()}
    for row in ROWS:
        spans = [[row["answer_start"], row["answer_start"] + len(row["answer"])]] if row["answer"] else []
        assert result[row["context"], row["question"]] == (row["answer"], spans)
    assert len(found.rows) == len(ROWS)
    assert next(f for f in found.findings if f.code == "unanswerable").count == 15
    assert found.rows["group"].nunique() == 30
    assert found.rows["id"].str.fullmatch(rf"{name}:\d+").all()


def test_columns_are_mapped_by_the_person(tmp_path):
    path = tmp_path / "q.csv"
    pd.DataFrame(ROWS).rename(columns={"context": "c", "question": "w", "answer": "r"}).to_csv(path, index=False)
    with pytest.raises(UnusableInput, match="no column for the context"):
        staged(path, tmp_path)
    found = staged(path, tmp_path, columns={"context": "c", "question": "w", "answer": "r"})
    assert len(found.rows) == len(ROWS)
    pd.DataFrame(ROWS).rename(columns={"context": "contexto", "question": "pergunta", "answer": "resposta"}).to_csv(
        path, index=False
    )
    assert len(staged(path, tmp_path).rows) == len(ROWS)


def one(context, question, answers, **more):
    return {
        "data": [
            {
                "title": "x",
                "paragraphs": [{"context": context, "qas": [{"question": question, "answers": answers, **more}]}],
            }
        ]
    }


CONTEXT = "  The café closed in 1999. It opened again in 2004, in 2004 indeed.  "
PLACES = [  # answers, the words that are found, where in the stripped context, and what is said of it
    ([{"text": "1999", "answer_start": 21}], ["1999"], 19, None),
    ([{"text": "1999", "answer_start": 5}], ["1999"], 19, "answers-moved"),
    ([{"text": "1999", "answer_start": 4_000}], ["1999"], 19, "answers-moved"),
    ([{"text": "1999", "answer_start": -7}], ["1999"], 19, "answers-moved"),
    ([{"text": "2004", "answer_start": 60}], ["2004"], 53, "answers-moved"),
    ([{"text": "2004", "answer_start": 40}], ["2004"], 44, "answers-moved"),
    ([{"text": "the  CAFÉ"}], ["The café"], 0, None),
    ([{"text": "2004"}], ["2004"], 44, "answers-several-places"),
    (["1999", "in 1999"], ["1999", "in 1999"], 19, None),
    ([{"text": "1999", "answer_start": 21}, {"text": "2077", "answer_start": 1}], ["1999"], 19, "answers-dropped"),
]


@pytest.mark.parametrize(("answers", "words", "start", "code"), PLACES)
def test_answers_are_looked_for_where_they_do_not_stand(tmp_path, answers, words, start, code):
    (tmp_path / "a.json").write_text(json.dumps(one(CONTEXT, "When?", answers)))
    found = staged(tmp_path / "a.json", tmp_path)
    row = found.rows.iloc[0]
    assert row["text"] == CONTEXT.strip()
    spans = json.loads(row["spans"])
    assert [row["text"][a:b] for a, b in spans] == words
    assert spans[0][0] == start
    codes = {f.code for f in found.findings} & {"answers-moved", "answers-dropped", "answers-several-places"}
    assert codes == ({code} if code else set())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("A b c.", "Which?", [{"text": "zebra", "answer_start": 0}]), "stands nowhere"),
        (("", "Which?", []), "context is empty"),
        ((None, "Which?", []), "context is empty"),
        (("\u2003\n ", "Which?", []), "context is empty"),
        (("A b c.", "  ", []), "question is empty"),
        (("A b c.", None, []), "question is empty"),
        ((["A b c."], "Which?", []), "list or a record"),
        (("A b c.", {"q": 1}, []), "list or a record"),
        (("A b c.", "Which?", [{"text": "b", "answer_start": "two"}]), "not a whole number"),
        (("A b c.", "Which?", [{"text": "b", "answer_start": 2.5}]), "not a whole number"),
        (("A b c.", "Which?", [{"text": ["b", ["c"]]}]), "not text but a list"),
        (("x " * 60_000, "Which?", []), "context is longer than 100,000"),
        (("A b c.", "Which? " * 400, []), "question is longer than 2,000"),
    ],
)
def test_a_bad_question_is_set_aside_with_its_row_and_the_rest_is_used(tmp_path, row, reason):
    good = text_models.questions(5)
    text_models.write_questions(tmp_path / "a.json", good)
    result = json.loads((tmp_path / "a.json").read_text())
    result["data"] += one(*row)["data"]
    (tmp_path / "a.json").write_text(json.dumps(result))
    found = staged(tmp_path / "a.json", tmp_path)
    assert len(found.rows) == 10
    (aside,) = found.set_aside()
    assert (aside.file, aside.row) == ("a.json", 11)
    assert reason in t(aside.reason)


def test_contradictions_and_odd_parts_are_set_aside(tmp_path):
    text_models.write_questions(tmp_path / "a.json", text_models.questions(5))
    result = json.loads((tmp_path / "a.json").read_text())
    result["data"] += [
        *one("A b c.", "Which?", [{"text": "b", "answer_start": 2}], is_impossible=True)["data"],
        *one("A b d.", "Which?", [], is_impossible=False)["data"],
        "no article",
        {"title": "t"},
        {"title": "t", "paragraphs": ["no paragraph", {"context": "A b e."}]},
        {"title": "t", "paragraphs": [{"context": "A b f.", "qas": ["no question", 7]}]},
    ]
    (tmp_path / "a.json").write_text(json.dumps(result))
    found = staged(tmp_path / "a.json", tmp_path)
    assert len(found.rows) == 10
    reasons = [t(aside.reason) for aside in found.set_aside()]
    assert reasons == [
        "It is marked as impossible to answer, and has an answer.",
        "It has no answer, and is not marked as impossible to answer.",
        "Article 8 has no list of paragraphs.",
        "Article 9 has no list of paragraphs.",
        "Paragraph 1 of article 10 has no list of questions.",
        "Paragraph 2 of article 10 has no list of questions.",
        "A question in paragraph 1 of article 11 is not an object.",
        "A question in paragraph 1 of article 11 is not an object.",
    ]


BROKEN = {
    "empty": ("q.json", b"", "empty"),
    "cut off": ("q.json", b'{"data": [{"title": "x", "paragr', "no JSON"),
    "a number": ("q.json", b"7", "neither SQuAD's JSON"),
    "another object": ("q.json", b'{"version": "v2.0", "rows": []}', "neither SQuAD's JSON"),
    "no articles": ("q.json", b'{"data": []}', "neither SQuAD's JSON"),
    "data no list": ("q.json", b'{"data": {"paragraphs": []}}', "neither SQuAD's JSON"),
    "a list of numbers": ("q.json", b"[1, 2, 3]", "neither SQuAD's JSON"),
    "deep": ("q.json", b"[" * 200_000, None),
    "no questions": ("q.json", b'{"data": [{"title": "x", "paragraphs": []}]}', "no text"),
    "only odd articles": ("q.json", b'{"data": [{"paragraphs": 3}, {"paragraphs": [4]}]}', "Nothing of"),
    "no context column": ("q.csv", b"when,question,answer\na,b,c\n", "no column for the context"),
    "no answer column": ("q.csv", b"context,question\na,b\n", "no column for the answer"),
    "only a header": ("q.csv", b"context,question,answer\n", "no text"),
    "ragged": ("q.csv", b"context,question,answer\n" + b"a,b\n" * 5, "cells"),
    "no answer anywhere": (
        "q.csv",
        b"context,question,answer\n" + b"".join(b"c%d,q,\n" % i for i in range(9)),
        "None of the questions has an answer",
    ),
    "answers nowhere": (
        "q.csv",
        b"context,question,answer\n" + b"".join(b"c%d,q,zz\n" % i for i in range(9)),
        "stands nowhere",
    ),
    "one context": (
        "q.csv",
        b"context,question,answer\n" + b"".join(b"a b,q%d,b\n" % i for i in range(9)),
        "at least one group each",
    ),
    "odd splits": (
        "q.csv",
        b"context,question,answer,split\n" + b"".join(b"a b %d,q,b,x\n" % i for i in range(9)),
        "Its split is x",
    ),
    "a picture": ("q.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, None),
    "jsonl of lists": ("q.jsonl", b"[1]\n[2]\n", None),
    "no parquet": ("q.parquet", b"PAR1 nothing of the kind PAR1", "damaged"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_uploads_are_refused_in_a_sentence(tmp_path, store, name):
    file, content, expected = BROKEN[name]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(UnusableInput) as refused:
        data.read(Data(path=str(tmp_path / file)), task=TASK, store=store, owner="local")
    assert expected is None or expected in str(refused.value), str(refused.value)


def test_a_context_is_never_in_two_splits(tmp_path, store):
    found = staged(text_models.write_questions(tmp_path / "q.csv", ROWS), tmp_path)
    made = confirm(found, store, split=Split(), corrections=None, name="x", owner="local")
    assert made.rows.groupby("text")["split"].nunique().max() == 1
    assert all((made.split(name)["answerable"] == "no").any() for name in ("train", "validation", "test"))
    folder = tmp_path / "own"
    again = [{**row, "question": f"{row['question']} indeed"} for row in ROWS[40:44]]
    text_models.write_questions(folder / "train.csv", [*ROWS[:40], *again])
    text_models.write_questions(folder / "test.csv", ROWS[40:])
    own = staged(folder, tmp_path)
    assert own.info.splits == {"train": 40, "test": 20}
    assert {(one.file, one.row) for one in own.set_aside()} == {("train.csv", row) for row in range(42, 46)}
    assert {t(one.reason) for one in own.set_aside()} == {"Its context is in the test set too; there it stays."}
    rows = [{**row, "split": "test" if i > 40 else "train"} for i, row in enumerate([*ROWS, *again])]
    mixed = staged(text_models.write_questions(tmp_path / "mixed.csv", rows), tmp_path)
    assert mixed.rows.groupby("text")["split"].nunique().max() == 1


def test_groups_of_the_person_win_and_articles_where_there_are_many(tmp_path):
    rows = [{**row, "book": f"b{i // 8}"} for i, row in enumerate(ROWS)]
    rows[3]["book"] = "elsewhere"  # the other question on the same context is in b0
    found = staged(text_models.write_questions(tmp_path / "q.csv", rows), tmp_path, group="book")
    assert found.rows["group"].nunique() == 8
    assert found.rows.groupby("text")["group"].nunique().max() == 1
    with pytest.raises(UnusableInput, match="no column shelf"):
        staged(tmp_path / "q.csv", tmp_path, group="shelf")
    few = staged(text_models.write_questions(tmp_path / "few.json", ROWS), tmp_path)
    first = few.rows.iloc[0]
    assert first["group"] == f"{' '.join(first['text'].split())[:31]}… (few.json:1)"
    assert few.rows["group"].nunique() == few.rows["text"].nunique()
    many = staged(text_models.write_questions(tmp_path / "many.json", text_models.questions(120)), tmp_path)
    assert set(many.rows["group"]) == {f"t{i}" for i in range(120)}
    with pytest.raises(UnusableInput, match="no column shelf"):
        staged(tmp_path / "few.json", tmp_path, group="shelf")


def test_the_same_question_on_the_same_context_is_kept_once(tmp_path):
    rows = [*ROWS, {**ROWS[0], "question": "WAS it  good?"}, {**ROWS[2], "context": ROWS[2]["context"] + " ten"}]
    found = staged(text_models.write_questions(tmp_path / "q.csv", rows), tmp_path)
    assert len(found.rows) == len(ROWS) + 1
    assert next(f for f in found.findings if f.code == "duplicate").examples == [f"q.csv:{len(ROWS) + 2}"]


def test_a_dataset_of_questions_is_fingerprinted_by_its_answers(tmp_path, store):
    path = text_models.write_questions(tmp_path / "q.csv", ROWS)
    made = data.read(Data(path=str(path)), task=TASK, store=store, owner="local")
    changed = [{**ROWS[0], "answer": ROWS[0]["context"].split()[0], "answer_start": 0}, *ROWS[1:]]
    other = data.read(Data(path=str(text_models.write_questions(path, changed))), task=TASK, store=store, owner="local")
    assert made.fingerprint != other.fingerprint
    assert TASK.fit_target(made) == {"unanswerable": True}


# --- scores, against SQuAD's own program (evaluate-v2.0.py), written down again here --------------------------------
def official(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def official_f1(gold, said):
    gold, said = official(gold).split(), official(said).split()
    same = sum((collections.Counter(gold) & collections.Counter(said)).values())
    if not gold or not said:
        return int(gold == said)
    if same == 0:
        return 0
    precision, recall = same / len(said), same / len(gold)
    return 2 * precision * recall / (precision + recall)


CASES = [
    ("The Norman conquest", ["Norman Conquest."], 1, 1),
    ("in 1066", ["1066"], 0, 2 / 3),
    ("", [], 1, 1),
    ("", ["1066"], 0, 0),
    ("1066", [], 0, 0),
    ("the", ["an"], 1, 1),
    ("the", ["x"], 0, 0),
    ("red red green", ["red green green"], 0, 2 / 3),
    ("U.S.A.", ["USA"], 1, 1),
    ("10 %", ["10"], 1, 1),
    ("blue", ["red", "dark blue", "blue sky"], 0, 2 / 3),
    ("a b c", ["d e"], 0, 0),
    ("É", ["é"], 1, 1),
]


@pytest.mark.parametrize(("said", "gold", "exact", "f1"), CASES)
def test_scores_are_those_of_squad(said, gold, exact, f1):
    result = gold or [""]
    assert max(official_f1(one, said) for one in result) == pytest.approx(f1)
    assert max(official(one) == official(said) for one in result) == exact
    assert answer_scores.best(said, gold) == (pytest.approx(f1), exact)


def test_scores_are_those_of_squad_on_random_answers():
    rng = np.random.default_rng(0)
    words = ["the", "a", "An", "red", "Red.", "green", "x-y", "1,000", "o", "'", ""]
    for _ in range(300):
        said, gold = (" ".join(rng.choice(words, int(rng.integers(0, 6)))) for _ in range(2))
        assert answer_scores.f1(said, gold) == pytest.approx(official_f1(gold, said))
        assert answer_scores.exact(said, gold) == (official(said) == official(gold))


def test_articles_of_portuguese_are_left_out_of_portuguese_answers_alone():
    assert answer_scores.language("Quando foi fundada a cidade?") == "pt"
    assert answer_scores.language("When was the city founded?") == "en"
    assert answer_scores.language("Qual é o prazo da garantia?") == "pt"
    assert answer_scores.language("") == "en"
    assert answer_scores.exact("o prazo", "prazo", "pt") == 1
    assert answer_scores.exact("uma rosa.", "Rosa", "pt") == 1
    assert answer_scores.exact("o prazo", "prazo", "en") == 0
    assert answer_scores.exact("as needed", "needed", "en") == 0


class Questions:
    def __init__(self, rows):
        self.questions, self.contexts, answers = zip(*rows, strict=True)
        self.truths = [[one] if one else [] for one in answers]
        self.languages = ["en"] * len(rows)
        self.ids, self.groups = [str(i) for i in range(len(rows))], list(self.contexts)

    def __len__(self):
        return len(self.ids)


def test_metrics_are_weighted_means():
    some = Questions([("q", "red green", "red"), ("q", "blue", ""), ("q", "one two", "two")])
    records = answer_scores.records(["red", "blue", "one two"], some)
    assert records.columns["f1"].tolist() == [1, 0, pytest.approx(2 / 3)]
    assert records.columns["answerable"].tolist() == [True, False, True]
    result = TASK.aggregate(records, np.array([[1, 1, 1], [2, 0, 0], [0, 1, 3]]), {})
    assert result["f1"] == pytest.approx([5 / 9, 1, 0.5])
    assert result["exact-match"] == pytest.approx([1 / 3, 1, 0])


def test_naive_answers():
    train = Questions([("q", "a b", "Paris"), ("q", "c d", "paris."), ("q", "e f", "Rome"), ("q", "g h", "")])
    assert baselines.constant(train) == "paris"
    none = Questions([("q", "a", ""), ("q", "b", ""), ("q", "c", "c")])
    assert baselines.constant(none) == ""
    context = "The mill opened in 1903. The river Tamm freezes in winter. Bread is sold on Fridays."
    found = baselines.look("When does the river Tamm freeze?", context, baselines.weights(train))
    assert "freezes" in found[2]
    assert baselines.pick(found, 3, 0.0) in ("freezes in winter",)
    assert baselines.pick(found, 3, 0.99) == ""


def test_occurrences():
    assert answer_positions.occurrences("a.b a.b axb", "a.b") == [(0, 3), (4, 7)]
    assert answer_positions.occurrences("New\n York", "new york") == [(0, 9)]
    assert answer_positions.occurrences("x", "y") == []


@pytest.mark.assets
def test_squad_as_it_lies(assets, tmp_path):
    found = stage(assets / "data" / "squad2_en", task=TASK, folder=tmp_path / "squad")
    assert found.usable
    assert found.info.splits == {"train": 4058, "test": 2011}
    assert not {f.code for f in found.findings} & {"answers-moved", "answers-dropped"}
    rows = found.rows
    assert (rows["answerable"] == "no").mean() == pytest.approx(0.52, abs=0.01)
    row = rows[rows["id"] == "test.json:1"].iloc[0]
    raw = json.loads((assets / "data" / "squad2_en" / "test.json").read_text())
    first = raw["data"][0]["paragraphs"][0]["qas"][0]
    assert row["text"][slice(*json.loads(row["spans"])[0])] == first["answers"][0]["text"] == row["answer"]
