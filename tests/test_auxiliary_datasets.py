"""Further sets of examples: read without labels, kept by fingerprint, named in the plan; and options of strategies."""

from __future__ import annotations

import shutil
import zipfile

import pytest

from tests.conftest import draw, write_photos
from tlcore import data, flow, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.core.spec_parts import Data
from tlcore.data import auxiliary
from tlcore.spec import Spec, from_dict
from tlcore.strategies import STRATEGIES, find
from tlcore.strategies.contract import missing, resolved

PICTURES, TEXTS = tasks.find("image-classification"), tasks.find("text-classification")


@pytest.fixture
def heap(tmp_path):
    """A zip of pictures in no order at all, one of them damaged, one twice, and a note beside them."""
    path = tmp_path / "heap.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for at in range(5):
            draw("dots", at).save(tmp_path / "one.png")
            archive.write(tmp_path / "one.png", f"{'deep/er/' if at % 2 else ''}{at}.png")
        archive.write(tmp_path / "one.png", "again.png")
        archive.writestr("broken.jpg", b"\xff\xd8\xff nothing")
        archive.writestr("notes.txt", "hello")
    return path


def read(source, task, store, **more):
    return auxiliary.read_set("unlabelled", str(source), task=task, store=store, owner="local", **more)


def test_pictures_need_no_folders_and_no_labels(heap, store):
    found = read(heap, PICTURES, store)
    assert found.info.n == {"train": 5, "validation": 0, "test": 0}
    assert set(found.rows["label"]) == {""}
    assert found.file(found.rows["file"][0]).exists()
    assert {one.file for one in found.set_aside()} >= {"broken.jpg", "notes.txt"}
    assert auxiliary.read_set("unlabelled", found.fingerprint, task=PICTURES, store=store, owner="local").rows.equals(
        found.rows
    )


def test_the_labels_of_a_labelled_upload_play_no_part(photos, store, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in photos.rglob("*.png"):
        shutil.copy(file, flat / f"{file.parent.name}-{file.name}")
    one, other = read(photos, PICTURES, store), read(flat, PICTURES, store)
    assert sorted(one.rows["sha256"]) == sorted(other.rows["sha256"])
    assert set(one.rows["label"]) == {""}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("texts.csv", "id,text,label\n1,a fine room,good\n2,,bad\n3,a bad film,bad\n4,A fine room!,good\n"),
        ("texts.csv", "anything\na fine room\n\na bad film\n"),
        ("texts.jsonl", '{"text": "a fine room"}\n{"text": ["no"]}\n{"text": "a bad film"}\n'),
        ("texts.txt", "a fine room\n\na bad film\nA FINE room\n"),
    ],
)
def test_texts_need_a_column_of_texts_alone(name, content, store, tmp_path):
    (tmp_path / name).write_text(content)
    found = read(tmp_path / name, TEXTS, store)
    assert sorted(found.rows["text"]) == ["a bad film", "a fine room"]
    assert found.info.task == "unlabelled-text"


def test_a_column_that_the_person_named_is_taken(store, tmp_path):
    (tmp_path / "t.csv").write_text("number,words\n1,a fine room\n2,a bad film\n")
    with pytest.raises(UnusableInput, match="no column for the text"):
        read(tmp_path / "t.csv", TEXTS, store)
    assert len(read(tmp_path / "t.csv", TEXTS, store, columns={"text": "words"}).rows) == 2


def test_what_holds_nothing_is_refused(store, tmp_path):
    (tmp_path / "a.csv").write_text("text\n\n")
    with pytest.raises(UnusableInput, match="no example that can be used"):
        read(tmp_path / "a.csv", TEXTS, store)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "text\nhello")
    with pytest.raises(UnusableInput, match="no pictures"):
        read(tmp_path / "a.zip", PICTURES, store)
    with pytest.raises(UnusableInput, match="nothing at"):
        read(tmp_path / "gone.zip", PICTURES, store)


def test_a_set_without_labels_cannot_be_learned_from(heap, store):
    found = read(heap, PICTURES, store)
    with pytest.raises(UnusableInput, match="no labels to learn from"):
        data.read(Data(dataset=found.fingerprint), task=PICTURES, store=store, owner="local")


def test_a_labelled_second_set_is_read_as_any_other(photos, store):
    found = auxiliary.read_set("extra", str(photos), task=PICTURES, store=store, owner="local")
    assert found.info.labels == ["across", "dots", "down"]


class _Needy(type(find("fine-tuning"))):
    """A strategy that needs a set without labels."""

    def __init__(self):
        self.needs = {"unlabelled": sentence("Examples of the target domain")}


def test_what_is_missing_is_said_and_what_is_given_is_named_in_the_plan(heap, dataset, store, tiny_source, monkeypatch):
    from tlcore import models, strategies

    result = {"task": "image-classification", "strategy": "fine-tuning", "source": str(tiny_source)}
    spec = from_dict({**result, "data": {"dataset": dataset.fingerprint}})
    needy = _Needy()
    monkeypatch.setattr(strategies, "_BY_ID", {**strategies._BY_ID, "fine-tuning": needy})
    assert "Examples of the target domain" in str(missing(needy, spec.data))
    source = models.open_source(spec.source, store)
    with pytest.raises(UnusableInput, match=r"data\.unlabelled"):
        flow.plan_for(spec, PICTURES, dataset, source)
    spec = from_dict({**result, "data": {"dataset": dataset.fingerprint, "unlabelled": str(heap)}})
    sets = flow.auxiliary_datasets(spec, PICTURES, store.home / "no-plan", store, "local", lambda *args, **more: None)
    plan = flow.plan_for(spec, PICTURES, dataset, source, sets=sets)
    assert plan["sets"]["unlabelled"]["n"] == 5
    assert auxiliary.named(plan, store)["unlabelled"].fingerprint == sets["unlabelled"].fingerprint


def test_paths_of_further_sets_count_from_the_spec(tmp_path):
    spec = from_dict(
        {"task": "image-classification", "data": {"path": "a.zip", "unlabelled": "b.zip", "extra": "0123456789abcdef"}},
        base=tmp_path,
    )
    assert spec.data.unlabelled == str(tmp_path / "b.zip")
    assert spec.data.extra == "0123456789abcdef"


@pytest.mark.parametrize(
    ("strategy", "options", "problem"),
    [
        ("fine-tuning", {"pull_to_source": 2}, "from 0 to 1"),
        ("fine-tuning", {"pull_to_source": "much"}, "a number"),
        ("fine-tuning", {"soup": 1}, "true or false"),
        ("fine-tuning", {"sauce": 1}, "no option sauce"),
        ("scratch", {"soup": True}, "no option soup"),
        ("auto", {"soup": True}, "the name of a strategy"),
    ],
)
def test_options_that_a_strategy_does_not_have_are_refused(strategy, options, problem):
    with pytest.raises(UnusableInput, match=problem):
        from_dict(
            {"task": "image-classification", "data": {"path": "x"}, "strategy": strategy, "strategy_options": options}
        )


def test_options_reach_the_plan_and_another_strategy_forgets_them():
    spec = Spec(
        task="image-classification", data=Data(path="x"), strategy="fine-tuning", strategy_options={"soup": True}
    )
    assert resolved(find("fine-tuning"), spec.strategy_options) == {"pull_to_source": 0.0, "soup": True}
    assert spec.with_strategy("scratch").strategy_options == {}


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: one.id)
def test_every_option_has_a_default_that_it_allows(strategy):
    assert resolved(strategy, {}) == {option.id: option.default for option in strategy.options}


def test_a_second_set_becomes_the_test_set_without_what_was_seen(photos, dataset, store, tmp_path):
    """Whatever its split was; examples that were learned from, and labels that are not learned, are left out."""
    other = write_photos(tmp_path / "other", 6, side=40)
    (other / "dots").rename(other / "waves")
    extra = auxiliary.read_set("extra", str(other), task=PICTURES, store=store, owner="local")
    few = tmp_path / "few"
    shutil.copytree(other / "across", few)
    for file in sorted(few.iterdir())[2:]:
        file.unlink()
    seen = read(few, PICTURES, store)
    joined = auxiliary.tested_on(dataset, extra, seen, PICTURES, store, "local")
    assert joined.info.n == {**dataset.info.n, "test": 4 + 6}
    assert set(joined.split("test")["label"]) == {"across", "down"}
    assert not set(joined.split("test")["sha256"]) & set(seen.rows["sha256"])
    assert joined.split("train")["id"].tolist() == dataset.split("train")["id"].tolist()
    assert all(joined.file(file).exists() for file in joined.rows["file"])
    assert joined.fingerprint != dataset.fingerprint
    assert joined.info.name == "patterns → other"
    everything = read(other, PICTURES, store)
    with pytest.raises(UnusableInput, match="No example of other"):
        auxiliary.tested_on(dataset, extra, everything, PICTURES, store, "local")
