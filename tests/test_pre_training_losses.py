"""What pre-training learns from: each loss beside an independent computation, masks, views, and tied heads."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import text_models
import torch
from sources_models import source as nameless

from tlcore.core.errors import UnusableInput
from tlcore.models.adapters.masked_head import MaskedHead
from tlcore.models.loading import open_folder
from tlcore.tasks.shared import augmentation
from tlcore.tasks.shared.masked_texts import MaskedTexts
from tlcore.training.hooks import At
from tlcore.training.hooks.masked_language_modelling import Masked
from tlcore.training.hooks.simclr import nt_xent

PAD, HIDDEN, SPECIAL = 0, 4, {0, 1, 2, 3, 4}  # of the tests' tokenizer


def test_nt_xent_is_equation_1_of_simclr_written_out():
    """Each of the 2N views in turn: -log exp(sim(i, j)/t) over the sum over k other than i, and their mean."""
    rng = np.random.default_rng(0)
    projected, temperature, n = rng.normal(size=(6, 5)), 0.3, 3
    unit = projected / np.linalg.norm(projected, axis=1, keepdims=True)
    losses = []
    for i in range(2 * n):
        j = (i + n) % (2 * n)
        others = [np.exp(unit[i] @ unit[k] / temperature) for k in range(2 * n) if k != i]
        losses.append(-np.log(np.exp(unit[i] @ unit[j] / temperature) / sum(others)))
    found = nt_xent(torch.from_numpy(projected), temperature)
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-5)


def test_nt_xent_of_views_all_alike_is_the_logarithm_of_their_number():
    assert float(nt_xent(torch.ones(8, 3), 0.5)) == pytest.approx(np.log(7))


def test_nt_xent_falls_where_the_views_of_a_picture_come_together():
    base = torch.eye(4)
    assert nt_xent(torch.cat([base, base]), 0.5) < nt_xent(torch.cat([base, base.roll(1, 0)]), 0.5)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return text_models.write_model(tmp_path_factory.mktemp("bert"))


class _Held:
    """Token ids of texts, as `text_examples.Tokens` gives them."""

    def __init__(self, model, texts):
        self.model, self.texts = model, texts

    def padded(self, rows, pad):
        longest = max(len(self.texts[row]) for row in rows)
        ids = np.full((len(rows), longest), pad, np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(self.texts[row])] = self.texts[row]
        return ids, (ids != pad).astype(np.int64)


def masked(model, texts):
    import pandas as pd

    rows = pd.DataFrame({"split": ["train"] * len(texts)})
    return MaskedTexts(SimpleNamespace(rows=rows), _Held(model, texts), PAD)


@pytest.fixture(scope="module")
def many(bert):
    rng = np.random.default_rng(0)
    return masked(bert, [[2, *rng.integers(5, 42, int(rng.integers(4, 30))), 3] for _ in range(3_000)])


def test_15_percent_are_asked_for_of_which_80_are_hidden_10_others_and_10_as_they_were(many):
    (batch,) = many.batches([np.arange(len(many))], (0, 0), "cpu")
    truth, ids, asked = (batch[name].numpy() for name in ("truth", "ids", "asked"))
    ordinary = ~np.isin(truth, list(SPECIAL))
    n = ordinary.sum()
    assert not asked[~ordinary].any(), "special tokens and padding are never asked for"
    assert (ids == truth)[~asked].all()
    assert asked.sum() / n == pytest.approx(0.15, abs=4 * np.sqrt(0.15 * 0.85 / n))
    hidden, same = ids[asked] == HIDDEN, ids[asked] == truth[asked]
    m, words = asked.sum(), 37
    kept = 0.1 + 0.1 / words  # now and then the other token is the same one
    for found, share in ((hidden, 0.8), (same, kept), (~hidden & ~same, 0.1 * (1 - 1 / words))):
        assert found.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / m))
    assert set(ids[asked][~hidden]) == set(range(5, 42))


def test_masks_follow_from_seed_epoch_example_and_place_whatever_the_batch(many):
    chunk = np.array([3, 1, 7])
    (whole,) = many.batches([chunk], (1, 2), "cpu")
    for place, one in enumerate(chunk):
        (alone,) = many.batches([np.array([one])], (1, 2), "cpu")
        length = alone["ids"].shape[1]
        assert torch.equal(whole["ids"][place, :length], alone["ids"][0])
        assert torch.equal(whole["asked"][place, :length], alone["asked"][0])
    (other,) = many.batches([chunk], (1, 3), "cpu")
    assert not torch.equal(whole["asked"], other["asked"])


def test_a_tokenizer_that_hides_nothing_is_refused(tmp_path):
    text_models.write_tokenizer(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(path.read_text().replace("[MASK]", "[HIDE]"))
    with pytest.raises(UnusableInput, match="hides another"):
        masked(tmp_path, [[2, 5, 3]])


def test_the_loss_is_the_mean_surprise_at_what_is_asked_for_alone(bert, many):
    """Beside the whole masked model of transformers, run on all places, and numpy's logarithms."""
    model = open_folder(bert, nameless("tests/text")).build(3, True).eval()
    hook = Masked(own_head=False)
    torch.manual_seed(0)
    hook.begin(SimpleNamespace(model=model), "cpu")
    (batch,) = many.batches([np.arange(8)], (0, 0), "cpu")
    whole = hook.head.whole.eval()
    with torch.no_grad():
        found = hook.loss(model, batch, None, torch.zeros(()), At(0, 0))
        whole.bert = model.net.encoder
        logits = whole(input_ids=batch["ids"], attention_mask=batch["mask"]).logits.double().numpy()
    surprise = (
        np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, batch["truth"].numpy()[..., None], -1)[..., 0]
    )
    assert float(found) == pytest.approx(surprise[batch["asked"].numpy()].mean(), rel=1e-5)


def test_a_batch_with_nothing_hidden_moves_nothing(bert, many):
    model = open_folder(bert, nameless("tests/text")).build(3, True)
    hook = Masked(own_head=False)
    hook.begin(SimpleNamespace(model=model), "cpu")
    (batch,) = many.batches([np.arange(2)], (0, 0), "cpu")
    loss = hook.loss(model, {**batch, "asked": torch.zeros_like(batch["asked"])}, None, torch.zeros(()), At(0, 0))
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("kind", text_models.KINDS)
def test_every_encoder_gets_a_head_whose_last_layer_is_its_own_table_of_tokens(kind, tmp_path):
    model = open_folder(text_models.write_model(tmp_path, kind), nameless("tests/text")).build(3, True)
    head = MaskedHead(model, brought=True)
    table = model.net.encoder.get_input_embeddings().weight
    assert head.whole.get_output_embeddings().weight is table
    assert not head.brought
    assert all(one is not table for one in head.own().values())
    assert not {id(p) for p in head.own().values()} & {id(p) for p in model.parameters()}
    head(torch.zeros(4, model.net.encoder.config.hidden_size)).sum().backward()
    assert table.grad is not None


def test_the_head_that_a_source_brings_is_used(tmp_path):
    from transformers import AutoConfig, AutoModelForMaskedLM

    torch.manual_seed(0)
    config = AutoConfig.for_model("bert", vocab_size=42, max_position_embeddings=64, **text_models.SIZES)
    whole = AutoModelForMaskedLM.from_config(config).eval()
    with torch.no_grad():
        whole.cls.predictions.bias.normal_()
    whole.save_pretrained(tmp_path)
    text_models.write_tokenizer(tmp_path)
    model = open_folder(tmp_path, nameless("tests/text")).build(3, True).eval()
    ids = torch.tensor([[2, 7, 4, 11, 3]])
    head = MaskedHead(model, brought=True).eval()
    assert head.brought
    with torch.no_grad():
        assert torch.allclose(head(model.vectors(ids, ids * 0 + 1)[0]), whole(input_ids=ids).logits[0], atol=1e-5)
    assert not MaskedHead(model, brought=False).brought


def test_views_are_seeded_differ_from_each_other_and_stay_pictures():
    canvases = torch.rand(4, 3, 40, 40)
    numbers = augmentation.uniform(0, 0, np.arange(4), 2 * augmentation.VIEW_DRAWS)
    one, other = (augmentation.contrast(canvases, 32, u, True) for u in np.split(numbers, 2, axis=1))
    assert one.shape == (4, 3, 32, 32)
    assert not torch.allclose(one, other)
    assert float(min(one.min(), other.min())) >= 0
    assert float(max(one.max(), other.max())) <= 1
    assert torch.equal(one, augmentation.contrast(canvases, 32, numbers[:, : augmentation.VIEW_DRAWS], True))


def test_turning_the_hue_all_the_way_round_changes_nothing_and_grey_has_none():
    pictures = torch.rand(2, 3, 5, 5)
    assert torch.allclose(augmentation._turned(pictures, np.array([0.0, 2 * np.pi])), pictures, atol=1e-4)
    grey = torch.full((1, 3, 2, 2), 0.4)
    assert torch.allclose(augmentation._turned(grey, np.array([1.0])), grey, atol=2e-3)
