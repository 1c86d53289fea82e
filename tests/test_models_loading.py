"""Opening a model folder: the contract that training, guidance and packing rely on, for each family of networks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sources_models import TIMM, TRANSFORMERS, source, write, write_timm

from tlcore.core.errors import UnusableInput
from tlcore.models.loading import OpenSource, open_folder

FAMILIES = TIMM + TRANSFORMERS


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> dict[str, OpenSource]:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("families")
    return {name: open_folder(write(name, home / name), source(name)) for name in FAMILIES}


def pixels(opened: OpenSource, n: int = 2) -> torch.Tensor:
    size = opened.preprocess["input_size"]
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_head_sees_the_features(opened, name):
    model = opened[name].build(5, pretrained=True).eval()
    x = pixels(opened[name])
    with torch.no_grad():
        features = model.features(x)
        assert features.shape == (2, model.head.in_features)
        assert model.head.out_features == 5
        torch.testing.assert_close(model.classify(features), model(x), atol=1e-5, rtol=1e-5)
    assert model(x).shape == (2, 5)


@pytest.mark.parametrize("name", FAMILIES)
def test_parts_hold_everything_once_and_end_with_the_head(opened, name):
    model = opened[name].build(5, pretrained=True)
    parts = model.parts()
    assert 4 <= len(parts) <= 14
    assert (parts[0].name, parts[-1].name) == ("stem", "head")
    parameters = [n for part in parts for n in part.parameters]
    buffers = [n for part in parts for n in part.buffers]
    assert sorted(parameters) == sorted(n for n, _ in model.named_parameters())
    assert sorted(buffers) == sorted(n for n, _ in model.named_buffers())
    assert len({part.name for part in parts}) == len(parts)
    modules = [n for part in parts for n in part.modules]
    assert len(set(modules)) == len(modules)
    assert set(modules) <= {n for n, _ in model.named_modules()}
    holders = {n.rpartition(".")[0] for n in buffers}
    assert holders - {"net"} <= set(modules), "a buffer whose module belongs to no part could not be frozen"


@pytest.mark.parametrize("name", FAMILIES)
def test_parts_are_in_the_order_of_the_computation(opened, name):
    """Gradients of the first block's output reach every later part, and none before it."""
    model = opened[name].build(5, pretrained=True)
    parts = model.parts()
    model.set_training({part.name for part in parts[2:]})
    model(pixels(opened[name])).sum().backward()
    named = dict(model.named_parameters())
    for i, part in enumerate(parts):
        moved = [named[n].grad is not None for n in part.parameters]
        assert (any(moved) and i >= 2) or (not any(moved) and i < 2), part.name


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "mobilenet_v1", "test_vit"])
def test_frozen_means_weights_and_batch_norm_statistics(opened, name):
    model = opened[name].build(5, pretrained=True)
    parts = model.parts()
    trained = {part.name for part in parts[-2:]}
    model.set_training(trained)
    before = {n: v.clone() for n, v in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        torch.nn.functional.cross_entropy(model(pixels(opened[name], 4)), torch.tensor([0, 1, 2, 3])).backward()
        optimizer.step()
    after = model.state_dict()
    for part in parts:
        changed = [n for n in (*part.parameters, *part.buffers) if n in after and not torch.equal(before[n], after[n])]
        assert bool(changed) == (part.name in trained), (part.name, changed)
    model.eval()
    model.set_training(trained)
    assert model.get_submodule(model.parts()[-1].modules[-1]).training
    statistics = [m for n, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert not statistics or not statistics[0].training


def test_set_training_wants_parts_that_exist(opened):
    with pytest.raises(ValueError, match="no such parts"):
        opened["test_vit"].build(2, pretrained=False).set_training({"block-99"})


@pytest.mark.parametrize("name", FAMILIES)
def test_a_saved_model_is_loaded_by_its_own_library(opened, name, tmp_path):
    this = opened[name]
    model = this.build(3, pretrained=True, seed=3).eval()
    with torch.no_grad():
        model.head.weight.normal_()
    labels = ["maçã", "pera", "uva"]
    model.save(tmp_path / "out", labels, this.preprocess)
    x = pixels(this)
    expected = model(x)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert str(tmp_path) not in json.dumps(config)
    if this.library == "timm":
        import timm

        again = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
        assert again.pretrained_cfg["label_names"] == labels
        assert again.pretrained_cfg["mean"] == tuple(this.preprocess["mean"]) or list(
            again.pretrained_cfg["mean"]
        ) == list(this.preprocess["mean"])
        logits = again(x)
    else:
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        again = AutoModelForImageClassification.from_pretrained(tmp_path / "out").eval()
        assert [again.config.id2label[i] for i in range(3)] == labels
        logits = again(x).logits
        prepared = AutoImageProcessor.from_pretrained(tmp_path / "out")(
            torch.zeros(3, 90, 120, dtype=torch.uint8), return_tensors="pt"
        )
        assert tuple(prepared["pixel_values"].shape[-2:]) == (this.preprocess["input_size"],) * 2
    torch.testing.assert_close(logits, expected, atol=1e-6, rtol=1e-6)
    reopened = open_folder(tmp_path / "out", source("again"))
    assert reopened.preprocess["mean"] == this.preprocess["mean"]
    assert reopened.preprocess["input_size"] == this.preprocess["input_size"]
    assert reopened.preprocess["crop_pct"] == pytest.approx(this.preprocess["crop_pct"], abs=0.01)
    torch.testing.assert_close(reopened.build(None, pretrained=True).eval()(x), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["test_resnet", "vit"])
def test_everything_random_comes_from_the_seed(opened, name):
    def weights(pretrained: bool, seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(int(torch.randint(1000, ())))
        return opened[name].build(4, pretrained, seed=seed).state_dict()

    state = torch.random.get_rng_state()
    opened[name].build(4, False, seed=9)
    assert torch.equal(state, torch.random.get_rng_state()), "building must not disturb the global generator"
    for pretrained in (True, False):
        one, same, other = weights(pretrained, 1), weights(pretrained, 1), weights(pretrained, 2)
        assert all(torch.equal(one[n], same[n]) for n in one)
        differing = {n for n in one if not torch.equal(one[n], other[n])}
        head = {n for n in one if n.endswith(opened[name].build(4, False).head_name + ".weight")}
        assert head <= differing
        assert (differing == head) == pretrained
    scratch, transferred = weights(False, 1), weights(True, 1)
    assert any(not torch.equal(scratch[n], transferred[n]) for n in scratch if "head" not in n and "fc" not in n)


def test_vision_transformers_of_timm_are_built_for_other_sizes(tmp_path):
    folder = write_timm("vit_tiny_patch16_224", tmp_path / "vit", depth=4, img_size=64)
    opened = open_folder(folder, source())
    assert opened.preprocess["input_size"] == 64
    assert opened.preprocess["resizable"]
    assert opened.preprocess["multiple"] == 16
    assert opened.fitting_size(90) == 96
    model = opened.build(3, pretrained=True, image_size=96).eval()
    x = torch.randn(1, 3, 96, 96)
    expected = model(x)
    model.save(tmp_path / "out", ["a", "b", "c"], opened.preprocess | {"input_size": 96})
    import timm

    torch.testing.assert_close(timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()(x), expected)
    with pytest.raises(UnusableInput, match="multiple of 16; 96"):
        opened.build(3, pretrained=True, image_size=100)


def test_a_network_of_one_size_says_so(opened):
    assert not opened["vit"].preprocess["resizable"]
    assert opened["vit"].fitting_size(200) == 64
    with pytest.raises(UnusableInput, match="64 pixels a side and no other size"):
        opened["vit"].build(2, pretrained=False, image_size=96)


def test_without_classes_the_source_keeps_its_own_head(opened, tmp_path):
    import timm

    x = pixels(opened["test_resnet"])
    own = timm.create_model(f"local-dir:{opened['test_resnet'].folder}", pretrained=True).eval()
    kept = opened["test_resnet"].build(None, pretrained=True).eval()
    torch.testing.assert_close(kept(x), own(x))
    headless = open_folder(write_timm("test_vit", tmp_path / "headless", num_classes=0), source())
    model = headless.build(None, pretrained=True).eval()
    assert model.head is None
    assert torch.equal(model(x), model.features(x))
    assert headless.build(7, pretrained=True).head.out_features == 7


@pytest.mark.parametrize("name", FAMILIES)
def test_grad_cam_finds_maps_that_the_logit_depends_on(opened, name):
    model = opened[name].build(3, pretrained=True).eval()
    modes = {n: m.training for n, m in model.named_modules()}
    target = model.cam_module()
    assert modes == {n: m.training for n, m in model.named_modules()}
    seen: list[torch.Tensor] = []
    hook = target.module.register_forward_hook(lambda _m, _i, out: seen.append(out))
    logit = model(pixels(opened[name], 1))[0, 1]
    hook.remove()
    (gradient,) = torch.autograd.grad(logit, seen[-1])
    maps = target.maps(gradient)
    assert maps.ndim == 4
    assert maps.shape[2] == maps.shape[3] >= 2
    assert (maps.abs().sum(dim=1) > 0).float().mean() > 0.9, "every place in the picture should matter"


def test_mobilenets_dropout_of_almost_everything_is_not_taken_over(opened):
    model = opened["mobilenet_v1"].build(3, pretrained=True)
    assert max(m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)) <= 0.5


def test_the_digest_names_the_weights(opened, tmp_path):
    digest = opened["test_resnet"].digest
    assert len(digest) == 16
    assert int(digest, 16) >= 0
    assert digest != opened["test_vit"].digest


def test_half_precision_is_opened_in_single(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = write_timm("test_resnet", tmp_path / "half")
    weights = load_file(folder / "model.safetensors")
    save_file(
        {n: v.half() if v.is_floating_point() else v for n, v in weights.items()},
        folder / "model.safetensors",
    )
    model = open_folder(folder, source()).build(2, pretrained=True)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_importing_sources_is_light():
    heavy = "('torch', 'timm', 'transformers', 'huggingface_hub', 'safetensors')"
    code = f"import sys, tlcore.models, tlcore.models.loading; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.strip() == "[]"


def test_the_size_that_is_chosen_can_be_built(opened, dataset):
    """DINOv2's patches of 14 pixels do not divide the usual sizes."""
    from tlcore import tasks
    from tlcore.core.spec_parts import Options

    task = tasks.find("image-classification")
    for name in ("dinov2", "vit", "test_vit3", "test_resnet"):
        size = task.processor(opened[name].preprocess, Options(), dataset, "cpu")["size"]
        model = task.model(opened[name], {"labels": ["a", "b"]}, True, size=size)
        assert model.eval()(torch.zeros(1, 3, size, size)).shape == (1, 2)
