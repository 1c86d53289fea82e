"""What makes training fast: batches of like lengths, attention step by step, the precision that suits a network."""

from __future__ import annotations

import numpy as np
import pytest
import text_models
import torch
from sources_models import source as nameless

from tlcore.core.machine import Machine
from tlcore.models.loading import open_folder
from tlcore.tasks.shared import inference
from tlcore.training import checkpoint, kernels


class Lengths:
    """Examples of which nothing matters but their lengths."""

    def __init__(self, lengths):
        self.lengths = np.asarray(lengths)


def test_training_batches_are_of_like_lengths_and_others_in_each_epoch():
    lengths = np.random.default_rng(0).integers(4, 200, 1_024)
    examples, order = Lengths(lengths), np.random.default_rng(1).permutation(1_024)
    one, again, two = (inference.length_buckets(examples, order, 16, np.random.default_rng(k)) for k in (1, 1, 2))
    assert [batch.tolist() for batch in one] == [batch.tolist() for batch in again]
    assert [batch.tolist() for batch in one] != [batch.tolist() for batch in two]
    assert sorted(np.concatenate(one).tolist()) == list(range(1_024))
    assert {len(batch) for batch in one} == {16}
    drawn = inference.in_batches(order, 16)
    padded, before = (sum(16 * lengths[batch].max() for batch in batches) for batches in (one, drawn))
    assert padded < 1.1 * lengths.sum() < 0.7 * before
    longest = [lengths[batch].max() for batch in one]
    assert longest != sorted(longest, reverse=True)
    other = inference.length_buckets(examples, order[::-1], 16, np.random.default_rng(1))
    assert {frozenset(batch.tolist()) for batch in one} != {frozenset(batch.tolist()) for batch in other}


def test_few_examples_are_trained_on_in_the_order_that_was_drawn():
    order = np.random.default_rng(1).permutation(40)
    batches = inference.length_buckets(Lengths(np.arange(40)), order, 16, np.random.default_rng(0))
    drawn = [sorted(batch.tolist()) for batch in inference.in_batches(order, 16)]
    assert sorted(sorted(batch.tolist()) for batch in batches) == sorted(drawn)
    without = inference.length_buckets(object(), order, 16, np.random.default_rng(0))
    assert [batch.tolist() for batch in without] == [batch.tolist() for batch in inference.in_batches(order, 16)]


@pytest.mark.parametrize(
    ("device", "longest", "kind"), [("cpu", 256, "eager"), ("cpu", 257, "sdpa"), ("cuda", 16, "sdpa")]
)
def test_attention_is_computed_step_by_step_while_short_texts_train_on_a_cpu(tmp_path, device, longest, kind):
    model = open_folder(text_models.write_model(tmp_path / "bert"), nameless("tests/text")).build(2, True)
    model.input_size = longest
    used = lambda: model.encoder.config._attn_implementation  # noqa: E731
    batch = torch.tensor([[2, 6, 7, 3], [2, 8, 3, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    fused = model.eval()(*batch)
    with kernels.stepwise_attention(model, device):
        assert used() == kind
        assert torch.allclose(model(*batch), fused, atol=1e-5)
    assert used() == "sdpa"
    with pytest.raises(KeyboardInterrupt), kernels.stepwise_attention(model, device):
        raise KeyboardInterrupt
    assert used() == "sdpa"


HALF = {
    "resnet18": True,
    "regnety_002": True,
    "convnext_atto": True,
    "vit_tiny_patch16_224": True,
    "mobilenetv2_100": False,
    "mobilenetv3_small_050": False,
    "tf_efficientnet_lite0": False,
}


@pytest.mark.parametrize("name", HALF)
def test_bfloat16_is_kept_off_depthwise_networks_on_a_cpu(name):
    import timm

    model = timm.create_model(name)
    cpu = Machine("cpu", "", 2, True, 0)
    assert kernels.half(model, cpu) == HALF[name]
    assert kernels.half(model, Machine("cuda", "", 2, True, 0))
    assert not kernels.half(model, Machine("cpu", "", 2, False, 0))


def test_a_checkpoint_that_takes_long_is_saved_seldom(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(checkpoint.os, "fsync", lambda _: now.__setitem__(0, now[0] + 4))
    one = checkpoint.Checkpoint(tmp_path / "c.pt", every=5)
    assert not one.due()
    now[0] = 5.0
    assert one.due()
    one.save({})
    now[0] += 39
    assert not one.due()
    now[0] += 1
    assert one.due()
