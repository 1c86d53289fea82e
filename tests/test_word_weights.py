"""Which words moved an answer: complete, on every architecture, and the planted word comes first."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import text_models
from sources_models import source as nameless

from tlcore.models import tokenization
from tlcore.models.loading import open_folder
from tlcore.tasks.shared import word_attributions

TEXT = "The food was very good, not bad and slow"


def prepared(folder, kind="bert", classes=3, length=32, **changes):
    """A tiny network with a head, and its tokenizer."""
    text_models.write_model(folder, kind, **changes)
    model = open_folder(folder, nameless("tests/text")).build(classes, True, seed=1).eval()
    return model, tokenization.open_tokenizer(tokenization.read(folder), length)


def logit(model, ids, label, kept=None):
    """The label's logit less the mean of all; with ``kept``, of the text whose other tokens are the mean vector."""
    import torch

    embeddings = model.net.encoder.get_input_embeddings()
    given = torch.tensor([ids])
    vectors = embeddings(given)
    if kept is not None:
        vectors = torch.where(torch.tensor([kept])[..., None], vectors, embeddings.weight.mean(dim=0))
    hook = embeddings.register_forward_hook(lambda *_: vectors)
    with torch.no_grad():
        out = model(given, torch.ones_like(given))[0]
    hook.remove()
    return float(out[label] - out.mean())


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "deberta-v2", "modernbert", "albert", "electra"])
def test_the_weights_add_up_to_what_the_words_changed(tmp_path, kind):
    model, tokenizer = prepared(tmp_path, kind)
    import torch

    with torch.no_grad():  # a head that says something, as a trained one does
        model.head.weight.mul_(50)
    cut = tokenizer.encode(TEXT)
    kept = [bool(mask) for mask in cut.special_tokens_mask]
    for label in range(3):
        weights, missed = word_attributions.weigh(model, cut.ids, label, kept)
        changed = logit(model, cut.ids, label) - logit(model, cut.ids, label, kept)
        size = np.abs(weights).sum()
        assert size > 1e-3
        assert weights.sum() == pytest.approx(changed, abs=0.01 * size)
        assert missed == pytest.approx(0, abs=0.01 * size)
        assert weights[0] == weights[-1] == 0, "marks of beginning and end are in the baseline too"
    assert all(parameter.requires_grad for parameter in model.parameters()), "the model is left as it was"


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A network trained so that one word decides: happy or not, among words that mean nothing."""
    import torch
    from torch.nn import functional

    model, tokenizer = prepared(tmp_path_factory.mktemp("planted") / "m", classes=2)
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for step in range(150):
        texts = [rng.choice(text_models.REST, 8).tolist() for _ in range(16)]
        labels = torch.tensor([(step + i) % 2 for i in range(16)])
        for words, label in zip(texts, labels, strict=True):
            if label:
                words[int(rng.integers(8))] = "happy"
        ids = torch.tensor([tokenizer.encode(" ".join(words)).ids for words in texts])
        loss = functional.cross_entropy(model(ids, torch.ones_like(ids)), labels)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert float(loss.detach()) < 0.1
    return model, tokenizer


def test_the_word_that_decides_comes_first(planted):
    model, tokenizer = planted
    rng = np.random.default_rng(7)
    for _ in range(20):
        words = rng.choice(text_models.REST, 8).tolist()
        words[int(rng.integers(8))] = "happy"
        result = word_attributions.explain(model, tokenizer, " ".join(words), ["no", "yes"])
        assert result["prediction"] == result["explained"] == "yes"
        ranked = sorted(result["words"], key=lambda one: -one[1])
        assert ranked[0][0].strip() == "happy"
        assert ranked[0][1] > 2 * abs(ranked[1][1])
        against = word_attributions.explain(model, tokenizer, " ".join(words), ["no", "yes"], 0)
        assert against["explained"] == "no"
        assert min(against["words"], key=lambda one: one[1])[0].strip() == "happy"


def test_pieces_are_the_text_that_was_read(planted):
    model, _ = planted
    folder_tokenizer = planted[1]
    pieces = word_attributions.words(model, folder_tokenizer, "  “Happy” food,  and\nslow!", 1)
    assert "".join(piece for piece, _ in pieces) == "  “Happy” food,  and\nslow!"
    assert [piece.strip() for piece, _ in pieces] == ["“", "Happy", "”", "food", ",", "and", "slow", "!"]
    folder_tokenizer.enable_truncation(5)
    try:
        cut = word_attributions.words(model, folder_tokenizer, "the food was happy and slow", 1)
    finally:
        folder_tokenizer.enable_truncation(32)
    assert "".join(piece for piece, _ in cut).strip() == "the food was"
    assert word_attributions.words(model, folder_tokenizer, "", 1) == []


def test_tokens_of_a_word_are_added_up(tmp_path):
    """A tokenizer that cuts words in two gives one weight a word, the sum of its tokens'."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    model, _ = prepared(tmp_path)
    names = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "foo": 5, "##bar": 6, "baz": 7}
    tokenizer = Tokenizer(models.WordPiece(names, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    cut = tokenizer.encode("foobar baz")
    assert cut.tokens == ["[CLS]", "foo", "##bar", "baz", "[SEP]"]
    each, _ = word_attributions.weigh(model, cut.ids, 0, [True, False, False, False, True])
    result = word_attributions.words(model, tokenizer, "foobar baz", 0)
    assert [piece for piece, _ in result] == ["foobar ", "baz"]
    assert [weight for _, weight in result] == pytest.approx([each[1] + each[2], each[3]], abs=1e-4)


def test_marks_show_strength_and_sign_without_colour_and_nothing_of_a_text_is_markup():
    html = str(word_attributions.marked([("good ", 2.0), ("<b>bad</b> ", -1.0), ("the ", 0.01), ("end", 0.5)]))
    assert html.count("solid") == 2
    assert html.count("dashed") == 1
    assert html.count("<sup>+</sup>") == 2
    assert html.count("<sup>−</sup>") == 1
    assert "&lt;b&gt;bad" in html
    assert "<b>" not in html
    assert ">the" not in html
    assert word_attributions.marked([]) == ""
    assert str(word_attributions.marked([("a ", 0.0), ("b", 0.0)])) == "a b"


def test_a_large_model_is_explained_on_demand(planted, monkeypatch, tmp_path):
    import pandas as pd

    model, tokenizer = planted
    monkeypatch.setattr(word_attributions, "opened", lambda *_: (model, tokenizer))

    class Data:
        def split(self, name):
            return pd.DataFrame({"id": ["a", "b", "c"], "text": ["happy food", "slow food", "fine room"]})

    def errors():
        worst = [{"id": name, "prediction": said} for name, said in (("a", "yes"), ("b", "other"), ("c", "no"))]
        word_attributions.illustrate(worst, Data(), None, tmp_path, {"size": 32}, ["no", "yes"])
        return ["words" in one for one in worst]

    assert errors() == [True, False, True]
    monkeypatch.setattr(word_attributions, "MOST_WORK", 1)
    assert errors() == [False, False, False]


@pytest.mark.parametrize("label", [None, "negative"])
def test_explaining_a_text_is_a_job_on_the_bundle_alone(tmp_path, store, planted, label):
    from tlcore.execution.job_kinds import explain as jobs

    bundle = SimpleNamespace(
        labels=["negative", "positive"],
        folder=tmp_path / "weights",
        manifest=SimpleNamespace(name="x", processor={"size": 32}),
    )
    planted[0].save(bundle.folder, bundle.labels, {"max_length": 32})
    with pytest.MonkeyPatch.context() as patch:
        from tlcore.bundle import open as opening

        (tmp_path / "b.zip").write_bytes(b"")
        patch.setattr(opening.Bundle, "open", lambda _path: bundle)
        asked = {"bundle": str(tmp_path / "b.zip"), "text": "the happy food", **({"label": label} if label else {})}
        result = jobs.explain(store, store.jobs.submit("explain", "local", asked), lambda *_, **__: None)
    assert result["prediction"] == "positive"
    assert result["explained"] == (label or "positive")
    strongest = max(result["words"], key=lambda one: abs(one[1]))
    assert strongest[0].strip() == "happy"
    assert (strongest[1] > 0) == (label is None)
    json.dumps(result)
