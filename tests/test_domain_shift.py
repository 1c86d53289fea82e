"""The shift of a set without labels: known features, real pictures and texts, what it offers, and that auto says so."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import text_models
import torch

from tests.conftest import draw
from tlcore import data, flow, guidance, models, tasks
from tlcore.cli.main import main
from tlcore.core.i18n import Sentence
from tlcore.core.spec_parts import Data, Options
from tlcore.data import auxiliary
from tlcore.guidance import domain_shift, feature_pass
from tlcore.spec import from_dict
from tlcore.training.hooks import dan

PICTURES, TEXTS = tasks.find("image-classification"), tasks.find("text-classification")
QUIET = lambda share, sentence=None, **more: None  # noqa: E731


# --- on known features -----------------------------------------------------------------------------------------------


def test_one_distribution_is_no_shift_and_another_mean_is_one():
    rng = np.random.default_rng(0)
    ours, same, other = rng.normal(size=(300, 8)), rng.normal(size=(400, 8)), rng.normal(1.5, 1, size=(300, 8))
    none, clear = domain_shift.compare(ours, same), domain_shift.compare(ours, other)
    assert none.n == clear.n == 300
    assert none.interval[0] == 0
    assert none.proxy_a < 0.4
    assert none.mmd < none.mmd_chance
    assert clear.proxy_a > 1.6
    assert clear.interval[0] > 1.4
    assert clear.mmd > 10 * clear.mmd_chance


def test_chance_is_rarely_taken_for_a_shift():
    """The lower end of a 95 % interval is above chance in about 2.5 of 100 draws from one distribution."""
    rng = np.random.default_rng(1)
    found = [domain_shift.compare(*rng.normal(size=(2, 60, 4))) for _ in range(80)]
    assert sum(one.interval[0] > 0 for one in found) <= 7
    assert 1 <= sum(one.mmd > one.mmd_chance for one in found) <= 11


def test_the_discrepancy_is_that_of_the_strategy():
    rng = np.random.default_rng(2)
    ours, theirs = rng.normal(size=(20, 5)), rng.normal(0.4, 2, size=(30, 5))
    expected = dan.discrepancy(torch.from_numpy(ours), torch.from_numpy(theirs)).item()
    assert domain_shift.discrepancy(ours, theirs)[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("right", "low", "strategies", "offered"),
    [
        (0.95, 0.9, [domain_shift.ADAPT, domain_shift.PRETRAIN], [domain_shift.ADAPT]),
        (0.60, 0.55, [domain_shift.ADAPT, domain_shift.PRETRAIN], [domain_shift.ADAPT, domain_shift.PRETRAIN]),
        (0.52, 0.45, [domain_shift.ADAPT, domain_shift.PRETRAIN], [domain_shift.PRETRAIN]),
        (0.95, 0.9, [domain_shift.PRETRAIN], []),
    ],
)
def test_what_is_offered_follows_from_the_distance(right, low, strategies, offered):
    result = domain_shift.Compared(
        n=100,
        right=right,
        right_interval=[low, 1.0],
        proxy_a=4 * right - 2,
        interval=[max(0.0, 4 * low - 2), 2.0],
        mmd=0.1,
        mmd_chance=0.01,
    )
    found = domain_shift.Shift(name="heap", size=900, strategies=strategies, compared=result)
    assert found.offers == offered
    words = " ".join(map(str, domain_shift.in_words(found)))
    assert ("domain adaptation learns from both" in words) == (domain_shift.ADAPT in offered)
    assert ("nothing to bring together" in words) == (low < 0.5)
    assert ("900 examples of the same kind" in words) == (domain_shift.PRETRAIN in offered)


# --- on examples -----------------------------------------------------------------------------------------------------


def heap(folder, store, dark, n=60):
    """Pictures as the labelled ones are, or under a dim light."""
    folder.mkdir()
    for at in range(n):
        picture = draw(("across", "down", "dots")[at % 3], 9_000 + at)
        (picture.point(lambda value: value // 3) if dark else picture).save(folder / f"{at}.png")
    return auxiliary.read_set("unlabelled", str(folder), task=PICTURES, store=store, owner="local")


def measured(dataset, other, task, source, store, **options):
    opened = models.open_source(str(source), store)
    how = task.processor(opened.preprocess, Options(**options), dataset, "cpu")
    return domain_shift.measure(dataset, other, task, opened, how, store.home / "cache", QUIET)


def test_pictures_under_another_light_are_a_shift_and_others_alike_are_none(dataset, store, tiny_source, tmp_path):
    clear = measured(dataset, heap(tmp_path / "dim", store, dark=True), PICTURES, tiny_source, store, image_size=32)
    none = measured(dataset, heap(tmp_path / "more", store, dark=False), PICTURES, tiny_source, store, image_size=32)
    assert clear.offers == [domain_shift.ADAPT]
    assert clear.compared.proxy_a > 1.5
    assert none.offers == [domain_shift.PRETRAIN]
    assert not none.measurable


def test_it_is_measured_once_and_read_without_looking(dataset, store, tiny_source, tmp_path, monkeypatch):
    other = heap(tmp_path / "dim", store, dark=True)
    assert domain_shift.kept(store, dataset.fingerprint, other.fingerprint, str(tiny_source)) is None
    first = measured(dataset, other, PICTURES, tiny_source, store, image_size=32)
    monkeypatch.setattr(feature_pass, "passed", lambda *args: pytest.fail("looked again"))
    assert measured(dataset, other, PICTURES, tiny_source, store, image_size=32) == first
    assert domain_shift.kept(store, dataset.fingerprint, other.fingerprint, str(tiny_source)) == first
    advice = guidance.kept_advice(store, dataset, str(tiny_source), other.fingerprint)
    assert advice.offers == [domain_shift.ADAPT]
    assert any("That is a shift" in str(reason) for reason in advice.reasons)
    assert guidance.kept_advice(store, dataset, str(tiny_source)).offers == []


def test_labelled_examples_in_the_set_are_left_out(dataset, store, tiny_source, tmp_path):
    """Test examples above all: they must not be looked at before the end."""
    folder = tmp_path / "heap"
    folder.mkdir()
    for number, row in dataset.rows.iterrows():
        shutil.copy(dataset.file(row["file"]), folder / f"{number}.png")
    copies = auxiliary.read_set("unlabelled", str(folder), task=PICTURES, store=store, owner="local")
    found = measured(dataset, copies, PICTURES, tiny_source, store, image_size=32)
    assert (found.size, found.compared, found.offers) == (0, None, [])
    assert "not compared" in str(domain_shift.in_words(found)[0])


@pytest.fixture
def texts(tmp_path, store):
    """Labelled texts, others alike, and others of other words."""
    rows = text_models.sentences(160)
    text_models.write_table(tmp_path / "t.csv", rows[:80])
    (tmp_path / "more.txt").write_text("\n".join(text for text, _ in rows[80:]))
    words = np.random.default_rng(0).choice(["one", "two", "three", "four", "five", "six", "seven"], (70, 5))
    (tmp_path / "numbers.txt").write_text("\n".join(sorted({" ".join(row) for row in words})))
    labelled = data.read(Data(path=str(tmp_path / "t.csv")), task=TEXTS, store=store, owner="local")
    return labelled, *(
        auxiliary.read_set("unlabelled", str(tmp_path / name), task=TEXTS, store=store, owner="local")
        for name in ("more.txt", "numbers.txt")
    )


def test_texts_of_other_words_are_a_shift(texts, store, tmp_path):
    labelled, more, numbers = texts
    bert = text_models.write_model(tmp_path / "bert")
    none, clear = (measured(labelled, other, TEXTS, bert, store) for other in (more, numbers))
    assert clear.compared.proxy_a > none.compared.proxy_a + 0.5
    assert domain_shift.ADAPT in clear.offers
    assert domain_shift.ADAPT not in none.offers


def test_several_labels_a_text_cannot_be_adapted_and_it_is_said(texts, store, tmp_path):
    labelled, _, numbers = texts
    bert = text_models.write_model(tmp_path / "bert")
    found = measured(labelled, numbers, TEXTS, bert, store)
    found = found.model_copy(update={"strategies": [domain_shift.PRETRAIN]})
    assert found.offers == []
    assert "one class an example" in " ".join(map(str, domain_shift.in_words(found)))


# --- in the story ----------------------------------------------------------------------------------------------------


def test_auto_measures_says_and_does_not_learn_from_it(dataset, store, tiny_source, tmp_path):
    other = heap(tmp_path / "dim", store, dark=True)
    spec = from_dict(
        {
            "task": PICTURES.id,
            "source": str(tiny_source),
            "strategy": "auto",
            "options": {"image_size": 32},
            "data": {"dataset": dataset.fingerprint, "unlabelled": other.fingerprint},
        }
    )
    opened = models.open_source(spec.source, store)
    plan = flow.plan_for(
        spec,
        PICTURES,
        dataset,
        opened,
        lambda: flow.advised(spec, PICTURES, dataset, opened, store, QUIET, "local"),
    )
    notes = [str(Sentence.model_validate(note)) for note in plan["notes"]]
    assert plan["sets"] == {}
    assert plan["strategy"] != domain_shift.ADAPT
    assert "data.unlabelled) is not learned from" in notes[0]
    assert "That is a shift" in " ".join(notes)
    named = spec.model_copy(update={"strategy": "domain-adaptation"})
    assert flow.plan_for(named, PICTURES, dataset, opened, sets={"unlabelled": other})["notes"] == []


def test_the_command_line_tells_it(dataset, photos, store, tiny_source, tmp_path, capsys):
    heap(tmp_path / "dim", store, dark=True)
    asked = [
        "advise",
        "--task",
        PICTURES.id,
        "--data",
        str(photos),
        "--source",
        str(tiny_source),
        "--unlabelled",
        str(tmp_path / "dim"),
        "--workspace",
        str(store.home),
    ]
    assert main(asked) == 0
    assert "That is a shift" in capsys.readouterr().out
