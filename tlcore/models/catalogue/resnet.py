"""ResNet, with the training recipe of "ResNet strikes back" (arXiv 1512.03385, 2110.00476)."""

from tlcore.models.catalogue.entry import IMAGENET_1K, KINDS_1K, timm_entry

ENTRIES = (
    timm_entry("resnet18.a1_in1k", "ResNet-18", "timm", 11_689_512, 224, "apache-2.0", KINDS_1K, IMAGENET_1K),
    timm_entry("resnet50.a1_in1k", "ResNet-50", "timm", 25_557_032, 224, "apache-2.0", KINDS_1K, IMAGENET_1K),
)
