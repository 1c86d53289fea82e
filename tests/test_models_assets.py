"""Real weights: opened, and telling real pictures apart. Skips where TLCORE_ASSETS names no folder."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from sources_models import source

from tlcore.core.errors import UnusableInput
from tlcore.models.loading import open_folder

pytestmark = pytest.mark.assets
MODELS = (
    "mobilenetv2_100_in1k",
    "mobilenetv1_100_in1k",
    "mobilenet_v1_0.25_128_in1k",
    "mobilenetv2_100_inat_bird",
)


@pytest.mark.parametrize("name", MODELS)
def test_opens_builds_and_saves(assets, tmp_path, name):
    torch.set_num_threads(1)
    opened = open_folder(assets / "models" / name, source(name))
    model = opened.build(2, pretrained=True, seed=1).eval()
    size = opened.preprocess["input_size"]
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        torch.testing.assert_close(model.classify(model.features(x)), model(x), atol=1e-5, rtol=1e-5)
        model.save(tmp_path / "saved", ["ant", "bee"], opened.preprocess)
        again = open_folder(tmp_path / "saved", source()).build(None, pretrained=True).eval()
        assert torch.equal(again(x), model(x))
    assert 4 <= len(model.parts()) <= 14


@pytest.mark.parametrize("name", ["mobilenetv2_100_in1k", "mobilenet_v1_0.25_128_in1k"])
def test_pretrained_features_tell_ants_from_bees(assets, name):
    """The nearest class mean of pretrained features is right far more often than that of random ones."""
    torch.set_num_threads(1)
    opened = open_folder(assets / "models" / name, source(name))
    said = opened.preprocess
    size = min(128, said["input_size"])
    places = [
        sorted((assets / "data" / "hymenoptera" / "train").rglob(f"{kind}/*.jpg"))[:80] for kind in ("ants", "bees")
    ]
    if not all(places):
        pytest.skip("the hymenoptera pictures are not where they are looked for")
    pictures = [np.asarray(Image.open(p).convert("RGB").resize((size, size))) for kind in places for p in kind]
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor(said["mean"]).view(3, 1, 1)) / torch.tensor(said["std"]).view(3, 1, 1)
    truth = torch.arange(2).repeat_interleave(80)

    def right(pretrained: bool) -> float:
        model = opened.build(2, pretrained, image_size=size).eval()
        with torch.no_grad():
            features = torch.nn.functional.normalize(model.features(x), dim=1)
        learnt = torch.arange(160) % 2 == 0
        means = torch.stack([features[learnt & (truth == k)].mean(0) for k in (0, 1)])
        return float((torch.cdist(features[~learnt], means).argmin(1) == truth[~learnt]).float().mean())

    transferred, random = right(True), right(False)
    assert transferred >= 0.8, (transferred, random)
    assert transferred > random + 0.1, (transferred, random)


def test_models_of_other_kinds_say_what_they_are(assets):
    expected = {name: "source-architecture" for name in ("squeezenet1_1_in1k", "ttm_512_96")}
    for name, code in {**expected, "yamnet_audioset": "source-channels"}.items():
        with pytest.raises(UnusableInput) as caught:
            open_folder(assets / "models" / name, source(name))
        assert caught.value.code == code


def test_the_labels_are_known(assets):
    config = json.loads((assets / "models" / "mobilenetv2_100_inat_bird" / "config.json").read_text())
    opened = open_folder(assets / "models" / "mobilenetv2_100_inat_bird", source())
    assert opened.build(None, pretrained=True).head.out_features == len(config["label_names"])
