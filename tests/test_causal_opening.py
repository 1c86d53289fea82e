"""Networks that go on writing: opened, grouped, weighed, saved; against transformers' own numbers."""

from __future__ import annotations

import json

import causal_models
import pytest
from sources_models import source as nameless

from tlcore.core.errors import UnusableInput
from tlcore.models.loading import open_folder


def opened(folder):
    return open_folder(folder, nameless("tests/causal"))


@pytest.mark.parametrize("kind", causal_models.KINDS)
def test_every_architecture_is_opened_grouped_weighed_saved_and_loaded_back(tmp_path, kind):
    import torch
    from transformers import AutoModelForCausalLM

    source = opened(causal_models.write_model(tmp_path / "model", kind))
    assert source.modality == "causal"
    assert (source.preprocess["bos"], source.preprocess["end"]) == (256, 256)
    assert source.preprocess["input_size"] == 128
    model = source.build(None, True).eval()
    names = [name for part in model.parts() for name in (*part.parameters, *part.buffers)]
    held = [name for name, _ in (*model.named_parameters(), *model.named_buffers())]
    assert sorted(names) == sorted(held), "each parameter and buffer is in exactly one part"
    assert "embed" in model.parts()[0].parameters[0] or "wte" in model.parts()[0].parameters[0]
    ids = torch.tensor([[256, 7, 9, 70, 12], [256, 8, 30, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    labels = torch.tensor([[-100, -100, 9, 70, 12], [-100, 8, 30, -100, -100]])
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32).eval()
    with torch.inference_mode():
        loss, hits, rows = model.weighed(ids, mask, labels)
        reference = plain(input_ids=ids, attention_mask=mask, labels=labels)
    assert rows.tolist() == [0, 0, 0, 1, 1]
    assert loss.mean().item() == pytest.approx(reference.loss.item(), abs=1e-5)
    guessed = reference.logits[:, :-1].argmax(-1)[labels[:, 1:] != -100]
    assert hits.tolist() == (guessed == labels[:, 1:][labels[:, 1:] != -100]).tolist()
    model.save(tmp_path / "saved", [], {"max_length": 64})
    back = opened(tmp_path / "saved")
    assert back.preprocess["input_size"] == 64
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "saved", dtype=torch.float32).eval()
    with torch.inference_mode():
        assert torch.allclose(back.build(None, True).eval()(ids, mask), reference.logits, atol=1e-5)
        assert torch.allclose(again(input_ids=ids, attention_mask=mask).logits, reference.logits, atol=1e-5)
    first, same = (dict(source.build(None, False, seed=3).named_parameters()) for _ in range(2))
    assert all(torch.equal(first[name], value) for name, value in same.items())
    assert not torch.equal(next(iter(first.values())), next(model.parameters()))


def test_the_gradient_is_transformers_own_and_what_is_frozen_keeps_still(tmp_path, monkeypatch):
    import torch

    from tlcore.models.adapters import causal_model

    monkeypatch.setattr(causal_model, "AT_ONCE", 3)  # several pieces, each made again for the gradient
    model = opened(causal_models.write_model(tmp_path / "m")).build(None, True)
    model.set_training({part.name for part in model.parts()[1:]})
    ids = torch.randint(0, 256, (2, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    model.weighed(ids, mask, ids)[0].mean().backward()
    mine = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    model.net(input_ids=ids, attention_mask=mask, labels=ids).loss.backward()
    reference = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert mine.keys() == reference.keys()
    assert not any("embed" in name for name in mine)
    for name, value in reference.items():
        assert torch.allclose(mine[name], value, atol=1e-6), name


def test_a_batch_without_a_scored_token_gives_nothing(tmp_path):
    import torch

    model = opened(causal_models.write_model(tmp_path / "m")).build(None, True)
    ids = torch.ones(1, 4, dtype=torch.long)
    loss, hits, rows = model.weighed(ids, ids, torch.full_like(ids, -100))
    assert len(loss) == len(hits) == len(rows) == 0


def test_a_folder_that_cannot_be_used_is_refused(tmp_path):
    folder = causal_models.write_model(tmp_path / "a")
    result = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**result, "num_key_value_heads": 10**6}))
    with pytest.raises(UnusableInput, match="no text network can have"):
        opened(folder)
    (folder / "config.json").write_text(json.dumps({**result, "num_hidden_layers": 5}))
    with pytest.raises(UnusableInput, match="missing keys"):
        opened(folder).build(None, True)
    (folder / "config.json").write_text(json.dumps({**result, "auto_map": {"AutoModelForCausalLM": "x.Y"}}))
    with pytest.raises(UnusableInput, match="program code"):
        opened(folder)
    small = causal_models.write_model(tmp_path / "b", vocab_size=200, bos_token_id=0, eos_token_id=0)
    with pytest.raises(UnusableInput, match="tokens and the network only 200"):
        opened(small).build(None, True)
    (small / "tokenizer.json").unlink()
    with pytest.raises(UnusableInput, match="tokenizer"):
        opened(small).build(None, True)


SMOLLM = {"vocab_size": 49_152, "tie_word_embeddings": True}
QWEN = {
    "vocab_size": 151_936,
    "hidden_size": 1_024,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 3_072,
    "tie_word_embeddings": True,
}
# As their configs on the hub say.
PUBLISHED = {
    "HuggingFaceTB/SmolLM2-135M": {
        **SMOLLM,
        "hidden_size": 576,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "intermediate_size": 1_536,
    },
    "HuggingFaceTB/SmolLM2-360M": {
        **SMOLLM,
        "hidden_size": 960,
        "num_hidden_layers": 32,
        "num_attention_heads": 15,
        "num_key_value_heads": 5,
        "intermediate_size": 2_560,
    },
    "distilbert/distilgpt2": {"n_layer": 6},
    "openai-community/gpt2": {},
    "pierreguillou/gpt2-small-portuguese": {},
    "Qwen/Qwen3-0.6B-Base": QWEN,
    "Qwen/Qwen3-0.6B": QWEN,
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": {
        "vocab_size": 32_000,
        "hidden_size": 2_048,
        "num_hidden_layers": 22,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "intermediate_size": 5_632,
        "tie_word_embeddings": False,
    },
    "meta-llama/Llama-3.2-1B": {
        "vocab_size": 128_256,
        "hidden_size": 2_048,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "intermediate_size": 8_192,
        "tie_word_embeddings": True,
    },
}


def test_entries_of_the_catalogue_have_the_size_of_their_architecture():
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from tlcore.models.catalogue import causal

    for entry in causal.ENTRIES[1:]:
        result = PUBLISHED[entry.id.removesuffix("-Instruct")]
        with torch.device("meta"):
            net = AutoModelForCausalLM.from_config(AutoConfig.for_model(entry.architecture, **result))
        assert sum(p.numel() for p in net.parameters()) == pytest.approx(entry.parameters, rel=0.005), entry.id


@pytest.mark.assets
def test_the_small_story_teller_opens_and_tells_its_story(assets):
    import torch
    from tokenizers import Tokenizer

    folder = assets / "models" / "stories260K"
    model = opened(folder).build(None, True).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    given = torch.tensor([tokenizer.encode("Once upon a time").ids])
    with torch.inference_mode():
        made = model.net.generate(given, max_new_tokens=24, do_sample=False)
    assert "there was a little girl named Lily" in tokenizer.decode(made[0].tolist())
