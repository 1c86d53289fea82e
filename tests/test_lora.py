"""LoRA by peft: begins at the source model, trains a few per cent, and is merged to the same outputs."""

from __future__ import annotations

import json
import zipfile
from types import SimpleNamespace

import pytest
import text_models
import torch
from safetensors.torch import load_file
from sources_models import source as nameless

from tlcore.bundle import layout
from tlcore.bundle.open import Bundle
from tlcore.models.loading import open_folder
from tlcore.training.hooks import lora
from tlcore.training.pack import largest_difference


def text_network(folder, kind, **sizes):
    model = open_folder(text_models.write_model(folder, kind, **sizes), nameless("tests/text")).build(3, True, seed=1)
    ids = torch.tensor([[2, 7, 9, 11, 3], [2, 8, 12, 3, 0]])
    return model, (ids, (ids != 0).long())


def image_network(folder, kind):
    import timm
    from timm.models import save_for_hf

    torch.manual_seed(0)
    save_for_hf(timm.create_model(kind, num_classes=10), folder, safe_serialization=True)
    model = open_folder(folder, nameless("tests/image")).build(3, True, seed=1)
    return model, (torch.rand(2, 3, model.input_size, model.input_size),)


NETWORKS = [*((text_network, kind) for kind in text_models.KINDS), (image_network, "test_vit")]


@pytest.mark.parametrize(("make", "kind"), NETWORKS, ids=[kind for _, kind in NETWORKS])
def test_adapters_begin_at_the_source_and_merge_to_the_same_outputs(make, kind, tmp_path):
    model, inputs = make(tmp_path, kind)
    names = [name for name, _ in model.named_parameters()]
    model.set_training({model.parts()[-1].name})
    with torch.no_grad():
        source = model.eval()(*inputs)
    hook = lora.Lora(rank=4, alpha=8, dropout=0.1)
    hook.begin(SimpleNamespace(model=model), "cpu")
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert all(".lora_" in name or "head" in name or "classifier" in name for name in trained)
    with torch.no_grad():
        assert torch.allclose(model.eval()(*inputs), source, atol=1e-6), "B is zero at the start"
        for parameter in hook.adapters:
            parameter.normal_(std=0.2)
        adapted = model(*inputs)
        lora.merge(model)
        merged = model(*inputs)
    assert largest_difference(source.numpy(), adapted.numpy()) > 1e-3, "the adapters change nothing"
    assert largest_difference(adapted.numpy(), merged.numpy()) < 1e-4
    assert [name for name, _ in model.named_parameters()] == names
    assert not hasattr(model, "peft_config")


@pytest.mark.parametrize(("make", "kind"), NETWORKS, ids=[kind for _, kind in NETWORKS])
def test_the_adapters_on_the_source_through_peft_are_the_merged_network(make, kind, tmp_path):
    """As somebody else loads them: the library's own class from the source's folder, peft, the adapter's folder."""
    import timm
    import transformers
    from peft import PeftModel

    model, inputs = make(tmp_path / "source", kind)
    model.set_training({model.parts()[-1].name})
    hook = lora.Lora(rank=4, alpha=8, dropout=0.1)
    hook.begin(SimpleNamespace(model=model), "cpu")
    with torch.no_grad():
        for parameter in hook.adapters:
            parameter.normal_(std=0.2)
    lora.write(model, hook.wanted, tmp_path / "adapter")
    lora.merge(model)
    result = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    if make is image_network:
        base = timm.create_model(f"local-dir:{tmp_path / 'source'}", pretrained=True, num_classes=0)
        others = {}
    else:
        base = getattr(transformers, result["auto_mapping"]["base_model_class"]).from_pretrained(tmp_path / "source")
        others = {"attention_mask": inputs[1]}
    network = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
    head = load_file(tmp_path / "adapter" / "head.safetensors")
    with torch.no_grad():
        if make is image_network:
            ours, theirs = model.eval().features(*inputs), network(*inputs)
        else:
            ours, theirs = model.eval().vectors(*inputs), network(inputs[0], **others).last_hidden_state
    assert largest_difference(ours.numpy(), theirs.numpy()) < 1e-4
    state = model.state_dict()
    assert all(torch.equal(tensor, state[f"net.{name}"]) for name, tensor in head.items())
    assert {name.rsplit(".", 1)[1] for name in head} == {"weight", "bias"}


def test_adapters_on_layers_that_the_source_does_not_have_are_not_kept_by_themselves(tmp_path):
    """As when a fresh decoder is trained whole beside the adapters: they merge, and there is nothing to put them on."""
    model, inputs = text_network(tmp_path / "source", "bert")
    model.set_training({part.name for part in model.parts()[-2:]})
    hook = lora.Lora(rank=4, alpha=8, dropout=0.0)
    hook.begin(SimpleNamespace(model=model), "cpu")
    lora.write(model, hook.wanted, tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()
    lora.merge(model)
    assert model(*inputs).shape == (2, 3)


def test_a_bundle_holds_the_adapters_and_says_how_large_they_are(tmp_path):
    """Source, adapters and head give the answers of the packed network; the files are safetensors and JSON alone."""
    from peft import PeftModel
    from transformers import AutoModel

    source = text_models.write_model(tmp_path / "source")
    table = text_models.write_table(tmp_path / "t.csv", text_models.sentences(60))
    report = text_models.run(
        tmp_path,
        task="text-classification",
        source=str(source),
        strategy="lora",
        baseline="none",
        seeds=2,
        data={"path": str(table)},
        budget={"epochs": 4},
        options={"learning_rate": 0.01, "batch_size": 8},
    )
    with zipfile.ZipFile(report["bundle"]) as bundle:
        names = [name for name in bundle.namelist() if name.startswith("adapter/")]
        bundle.extractall(tmp_path / "bundle")
    folder = tmp_path / "bundle"
    assert sorted(names) == sorted(layout.ADAPTER)
    size = sum((folder / name).stat().st_size for name in names)
    card, config = ((folder / name).read_text() for name in ("README.md", "adapter/adapter_config.json"))
    assert f"`adapter/` holds what LoRA trained, {size / 1e6:.3g} MB beside" in card
    assert json.loads(config)["base_model_name_or_path"] is None, "the source lies on this machine alone"
    assert "from peft import" not in card
    assert str(tmp_path) not in config
    assert Bundle.open(report["bundle"]).labels == ["bad", "good"]

    ids = torch.tensor([[2, 7, 9, 11, 3], [2, 8, 12, 13, 3]])
    whole, head = load_file(folder / "model.safetensors"), load_file(folder / "adapter/head.safetensors")
    base = AutoModel.from_pretrained(source).eval()
    with torch.no_grad():
        before = base(ids).last_hidden_state.mean(dim=1)
        theirs = PeftModel.from_pretrained(base, str(folder / "adapter")).eval()(ids).last_hidden_state.mean(dim=1)
        ours = AutoModel.from_pretrained(folder).eval()(ids).last_hidden_state.mean(dim=1)
    assert largest_difference(before.numpy(), ours.numpy()) > 1e-3, "nothing was learned"
    assert largest_difference(ours.numpy(), theirs.numpy()) < 1e-4
    for name in ("head.weight", "head.bias"):
        assert torch.equal(whole[name], head[name])


def test_every_adapter_gets_a_gradient(tmp_path):
    model, inputs = text_network(tmp_path, "bert")
    hook = lora.Lora(rank=2, alpha=4, dropout=0.0)
    model.set_training({"head"})
    hook.begin(SimpleNamespace(model=model), "cpu")
    model(*inputs).square().sum().backward()
    assert len(hook.adapters) == 2 * 2 * 4  # A and B, two layers, query, key, value and output
    assert all(parameter.grad is not None for parameter in hook.adapters)
    assert all(parameter.grad is None for name, parameter in model.named_parameters() if "base_layer" in name)


def test_under_five_per_cent_of_a_network_of_minilm_size_is_trained(tmp_path):
    """The sizes of all-MiniLM-L6: 6 layers, 384 wide, 30,522 words."""
    model, _ = text_network(
        tmp_path,
        "bert",
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        vocab_size=30_522,
    )
    model.set_training({"head"})
    hook = lora.Lora(rank=8, alpha=16, dropout=0.05)
    hook.begin(SimpleNamespace(model=model), "cpu")
    assert hook.trained / hook.total < 0.05


def test_networks_without_attention_have_nothing_to_adapt(tiny_source):
    from tlcore.core.errors import UnusableInput

    model = open_folder(tiny_source, nameless("tests/image")).build(3, True)
    assert lora.fitting(model) == []
    with pytest.raises(UnusableInput, match="no attention"):
        lora.Lora(rank=2, alpha=4, dropout=0.0).begin(SimpleNamespace(model=model), "cpu")
