"""Tiny networks with random weights in hub layout, one of each family that the sources' tests look at."""

from __future__ import annotations

from pathlib import Path

from tlcore.models.source_model import SourceModel

TIMM = ("test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_vit3")
TRANSFORMERS = ("vit", "dinov2", "resnet", "siglip", "mobilenet_v1")


def source(id_: str = "timm/test") -> SourceModel:
    """A SourceModel that says nothing but its name."""
    return SourceModel(id=id_, title=id_)


def write_timm(name: str, folder: Path, **arguments: object) -> Path:
    """A timm network of 10 classes, as timm itself saves it for the hub."""
    import timm
    import torch
    from timm.models import save_for_hf

    torch.manual_seed(0)
    save_for_hf(timm.create_model(name, **{"num_classes": 10, **arguments}), folder, safe_serialization=True)
    return folder


def write_transformers(kind: str, folder: Path) -> Path:
    """A transformers network, as ``save_pretrained`` writes it; dinov2 without a classifier, as on the hub."""
    import torch
    import transformers as tf

    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 5, "num_attention_heads": 4, "intermediate_size": 64}
    net = {
        "vit": lambda: tf.ViTForImageClassification(tf.ViTConfig(image_size=64, patch_size=16, **small)),
        "dinov2": lambda: tf.Dinov2Model(
            tf.Dinov2Config(image_size=70, patch_size=14, hidden_size=32, num_hidden_layers=5, num_attention_heads=4)
        ),
        "resnet": lambda: tf.ResNetForImageClassification(
            tf.ResNetConfig(embedding_size=16, depths=[1, 2, 2, 1], hidden_sizes=[16, 32, 32, 64])
        ),
        "mobilenet_v1": lambda: tf.MobileNetV1ForImageClassification(tf.MobileNetV1Config(depth_multiplier=0.25)),
    }
    if kind == "siglip":
        config = tf.SiglipConfig(vision_config={"image_size": 64, "patch_size": 16, **small})
        tf.SiglipForImageClassification(config).save_pretrained(folder)
    else:
        net[kind]().save_pretrained(folder)
    return folder


def write(name: str, folder: Path) -> Path:
    """One of TIMM or TRANSFORMERS."""
    return write_transformers(name, folder) if name in TRANSFORMERS else write_timm(name, folder)
