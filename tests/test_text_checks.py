"""What a check says of texts beyond their rows: near duplicates, languages, workbooks, the hub, personal data."""

from __future__ import annotations

import io
import logging
import re

import numpy as np
import pandas as pd
import pytest
import text_models
from hostile.texts import ROWS, formulas, workbook

from tlcore import tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import set_language_provider, t
from tlcore.core.spec_parts import Split
from tlcore.data.confirm import confirm
from tlcore.data.staging import stage
from tlcore.modalities.text import languages, near_duplicates, personal_data
from tlcore.models import find
from tlcore.models.source_languages import unspoken

TASK = tasks.find("text-classification")
ENGLISH = (
    "The delivery came two days late and nobody answered my calls",
    "I really liked the food and the service",
    "The room was clean but the street outside was far too loud",
)
PORTUGUESE = (
    "A entrega chegou dois dias atrasada e ninguém atendeu às minhas ligações",
    "Gostei muito da comida e também do atendimento da casa",
    "O quarto estava limpo, mas a rua lá fora era barulhenta demais",
)


def staged(source, folder, **how):
    return stage(source, task=TASK, folder=folder / "staged", **how)


def shingles(text: str) -> set[tuple[str, str]]:
    words = [word for word in re.split(r"[\W_]+", text.lower()) if word]
    return set(zip(["", *words], [*words, ""], strict=True)) if words else set()


# --- near duplicates -------------------------------------------------------------------------------------------------
def test_shared_pairs_are_estimated_without_bias():
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(2000)])
    first, second = [], []
    for _ in range(300):
        one = rng.choice(words, 20)
        other = np.where(rng.random(20) < rng.uniform(0, 0.4), rng.choice(words, 20), one)
        first.append(" ".join(one))
        second.append(" ".join(other))
    same = near_duplicates.signatures(pd.Series(first)) == near_duplicates.signatures(pd.Series(second))
    exact = [
        len(shingles(a) & shingles(b)) / len(shingles(a) | shingles(b)) for a, b in zip(first, second, strict=True)
    ]
    apart = same.mean(axis=1) - np.array(exact)
    assert abs(apart.mean()) < 0.012  # standard error of the mean: about 0.003
    assert apart.std() < 0.07  # sqrt(J (1 - J) / 64) is 0.0625 at most


def test_like_texts_are_found_and_unlike_ones_are_not():
    rng = np.random.default_rng(1)
    words = np.array([f"w{i}" for i in range(3000)])
    base = [rng.choice(words, 20).tolist() for _ in range(2000)]
    copies = [[*one[:9], "changed", *one[10:]] for one in base[:500]]  # 19 of 23 pairs: 0.83
    texts = pd.Series([" ".join(one) for one in (*base, *copies)])
    found = near_duplicates.clusters(texts)
    assert (found[2000:] == np.arange(500)).mean() > 0.97
    assert (found[:500] == np.arange(500)).mean() > 0.97
    assert (found[500:2000] == -1).all()
    again = near_duplicates.clusters(texts.iloc[:2000])
    assert (again == -1).all()


def test_texts_without_words_and_signs_of_all_scripts():
    texts = pd.Series(
        [
            "",
            "!!!",
            "?!",
            "É água, não é? Vamos ver isto aqui com muita calma, então",
            "é ÁGUA não é! vamos ver isto aqui com muita calma então",
            "one",
            "two",
        ]
    )
    assert near_duplicates.clusters(texts).tolist() == [-1, -1, -1, 3, 3, -1, -1]
    assert near_duplicates.clusters(pd.Series([], dtype=str)).tolist() == []


def test_a_template_of_ten_thousand_is_one_cluster_in_a_moment():
    texts = pd.Series(
        [
            f"dear customer your order number {i} has been shipped and will arrive at your house in the "
            "next few days thank you very much"
            for i in range(10_000)
        ]
    )
    counts = pd.Series(near_duplicates.clusters(texts)).value_counts()
    assert counts.iloc[0] > 9_900


def test_near_duplicates_stay_in_one_split_and_leaks_are_told(tmp_path, store):
    rng = np.random.default_rng(2)
    words = np.array([*text_models.WORDS, *(f"w{i}" for i in range(300))])
    rows = []
    for i in range(40):
        one = rng.choice(words, 16).tolist()
        rows += [(" ".join(one), ("good", "bad")[i % 2]), (" ".join([*one, "indeed"]), ("good", "bad")[i % 2])]
    found = staged(text_models.write_table(tmp_path / "t.csv", rows), tmp_path)
    result = {one.code: one for one in found.findings}
    assert result["near-duplicate"].count >= 78
    made = confirm(found, store, split=Split(), corrections=None, name="x", owner="local")
    assert made.rows.dropna(subset="near").groupby("near")["split"].nunique().max() == 1
    assert set(made.rows["split"]) == {"train", "validation", "test"}
    text_models.write_table(tmp_path / "up" / "train.csv", rows[0::2])
    text_models.write_table(tmp_path / "up" / "test.csv", [*rows[1:9:2], (rows[9][0], "good")])
    leaks = {one.code: one for one in stage(tmp_path / "up", task=TASK, folder=tmp_path / "b").findings}
    assert leaks["near-leakage"].level == "warning"
    assert leaks["near-leakage"].count == 10
    assert {name.split(":")[0] for name in leaks["near-leakage"].examples} == {"train.csv", "test.csv"}


# --- languages -------------------------------------------------------------------------------------------------------
def test_languages_are_told_and_short_texts_left_open():
    assert [languages.of(text) for text in (*ENGLISH, *PORTUGUESE)] == ["en"] * 3 + ["pt"] * 3
    assert languages.of("ok") is None
    assert languages.of("12345 67890 !!! ???") is None
    assert languages.of("Das Zimmer war sauber, aber das Frühstück kam leider viel zu spät") == "de"
    many = pd.Series(["ok"] * (languages.ALL + 1))
    many.iloc[0] = ENGLISH[0]
    assert languages.column(many).notna().sum() <= 1


def test_the_shares_of_languages_are_in_the_check_and_in_both_tongues(tmp_path):
    rows = [(f"{text}, {i}", ("good", "bad")[i % 2]) for i, text in enumerate([*ENGLISH * 6, *PORTUGUESE * 4])]
    found = staged(text_models.write_table(tmp_path / "t.csv", rows), tmp_path)
    assert found.rows["language"].value_counts().to_dict() == {"en": 18, "pt": 12}
    sentence = next(one.sentence for one in found.findings if one.code == "languages")
    assert "English 60 %, Portuguese 40 %" in t(sentence)
    set_language_provider(lambda: "pt_BR")
    try:
        assert "inglês 60 %, português 40 %" in t(sentence)
    finally:
        set_language_provider(lambda: "en")


def test_a_source_that_does_not_know_the_language_is_said(store):
    minilm = find("bundled/minilm-l6", store)
    assert "Portuguese 100 %" in t(unspoken(minilm, {"pt": 1.0}))
    result = t(unspoken(minilm, {"en": 0.6, "pt": 0.4}))
    assert "Portuguese 40 %" in result
    assert "others" not in result, "what the model knows is no other language"
    assert unspoken(minilm, {"en": 0.9, "pt": 0.1}) is None
    assert unspoken(minilm, {}) is None
    assert unspoken(find("intfloat/multilingual-e5-small", store), {"pt": 1.0}) is None
    assert unspoken(find("neuralmind/bert-base-portuguese-cased", store), {"en": 1.0}) is not None


# --- workbooks and the hub -------------------------------------------------------------------------------------------
def test_a_workbook_gives_the_rows_of_its_first_or_its_named_sheet(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(workbook(others=("Notes",)))
    found = staged(tmp_path / "t.xlsx", tmp_path)
    assert sorted(zip(found.rows["text"], found.rows["label"], strict=True)) == sorted(ROWS)
    assert found.rows["id"].iloc[0] == "t.xlsx:2"
    with pytest.raises(UnusableInput, match="no column for the text"):
        staged(tmp_path / "t.xlsx", tmp_path, columns={"sheet": "Notes"})
    other = workbook((("x", "y"), ("nothing", 1)))
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(other))
    sheet = book.create_sheet("Stars")
    for row in (("review", "stars"), *((text, 5 if label == "good" else 1.0) for text, label in ROWS)):
        sheet.append(row)
    book.save(tmp_path / "u.xlsx")
    found = staged(tmp_path / "u.xlsx", tmp_path, columns={"sheet": "Stars", "label": "stars"})
    assert found.counts == {"1": 12, "5": 12}


def test_formulas_are_read_as_their_values(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(formulas())
    found = staged(tmp_path / "t.xlsx", tmp_path)
    assert "computed words" in set(found.rows["text"])
    assert not found.rows["text"].str.contains("=").any()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub dataset of texts in a folder: `datasets` reads that folder where it is asked for owner/reviews."""
    import datasets
    import huggingface_hub

    features = datasets.Features(
        {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    (tmp_path / "repo" / "data").mkdir(parents=True)
    for split, rows in (("train", ROWS[:16]), ("test", ROWS[16:])):
        held = {"sentence": [text for text, _ in rows], "label": [int(label == "good") for _, label in rows]}
        held = {"sentence": [*held["sentence"], f"unlabelled in {split}"], "label": [*held["label"], -1]}
        path = tmp_path / "repo" / "data" / f"{split}-00000-of-00001.parquet"
        datasets.Dataset.from_dict(held, features=features).to_parquet(str(path))
    real = datasets.load_dataset
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda name, config=None, **params: real(
            str(tmp_path / "repo"), config, cache_dir=str(tmp_path / "cache"), **params
        ),
    )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)


def test_texts_of_the_hub_keep_their_splits_and_class_names(hub, tmp_path):
    found = staged("hf://owner/reviews", tmp_path)
    assert found.info.splits == {"train": 16, "test": 8}
    assert sorted(zip(found.rows["text"], found.rows["label"], strict=True)) == sorted(ROWS)
    assert [(one.row, t(one.reason)) for one in found.set_aside()] == [
        (17, "It has no label."),
        (9, "It has no label."),
    ]
    with pytest.raises(UnusableInput, match="has no column stars"):
        staged("hf://owner/reviews", tmp_path, columns={"label": "stars"})


# --- personal data ---------------------------------------------------------------------------------------------------
def _cpf(nine: str) -> str:
    """Nine digits and the two that check them: weights 10 to 2, then 11 to 2, modulo 11."""
    digits = [int(c) for c in nine]
    for _ in range(2):
        rest = sum(d * w for d, w in zip(digits, range(len(digits) + 1, 1, -1), strict=True)) * 10 % 11
        digits.append(rest % 10)
    return "".join(map(str, digits))


def test_only_numbers_with_right_check_digits_are_a_cpf():
    rng = np.random.default_rng(0)
    for _ in range(50):
        right = _cpf("".join(map(str, rng.integers(0, 10, 9))))
        assert personal_data.is_cpf(right)
        wrong = right[:-1] + str((int(right[-1]) + 1) % 10)
        assert not personal_data.is_cpf(wrong)
        assert "cpf" in personal_data.kinds(f"meu CPF: {right[:3]}.{right[3:6]}.{right[6:9]}-{right[9:]}, obrigado")


def test_personal_data_are_in_no_finding_and_in_no_log(tmp_path, capfd, caplog):
    secrets = ("ana.silva@example.com.br", "529.982.247-25", "(11) 98765-4321")
    rows = [*ROWS, *((f"write to {secret} please", "good") for secret in secrets)]
    with caplog.at_level(logging.DEBUG):
        found = staged(text_models.write_table(tmp_path / "t.csv", rows), tmp_path)
    codes = {one.code for one in found.findings}
    assert {"personal-e-mail", "personal-cpf", "personal-phone"} <= codes
    said = "".join(one.model_dump_json() for one in (*found.findings, *found.set_aside()))
    out, err = capfd.readouterr()
    for secret in secrets:
        assert secret not in said + out + err + caplog.text


MAIL = "write to ana.silva@example.com.br please"
SIDES = {
    "a translation": ("translation", "source,target", lambda i, more: (f"o dia {i} foi bom", f"day {i} was {more}")),
    "a summary": ("summarization", "document,summary", lambda i, more: (f"a day {i} like others", f"day {i} {more}")),
    "a completion": ("text-generation", "prompt,completion", lambda i, more: (f"How was day {i}?", f"So {i} {more}")),
    "a question": (
        "question-answering",
        "context,question,answer",
        lambda i, more: (f"the day {i} was good", f"how was it {more}", "good"),
    ),
}


@pytest.mark.parametrize("name", SIDES)
def test_personal_data_are_found_on_the_other_side_too(tmp_path, name):
    task, header, row = SIDES[name]
    rows = [row(i, MAIL if i == 17 else "") for i in range(30)]
    found = stage(
        text_models.write_table(tmp_path / "t.csv", rows, header), task=tasks.find(task), folder=tmp_path / "staged"
    )
    (result,) = (one for one in found.findings if one.code == "personal-e-mail")
    assert (result.count, result.examples) == (1, ["t.csv:19"])
    column = "question" if name == "a question" else "completion" if name == "a completion" else "target"
    assert f"in their {column}: 1" in t(result.sentence)
    assert "ana.silva" not in result.model_dump_json()
