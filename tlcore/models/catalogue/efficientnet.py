"""EfficientNet, first and second version (arXiv 1905.11946, 2104.00298)."""

from tlcore.models.catalogue.entry import IMAGENET_1K, IMAGENET_22K, KINDS_1K, timm_entry

ENTRIES = (
    timm_entry(
        "efficientnet_b0.ra_in1k",
        "EfficientNet-B0",
        "timm",
        5_288_548,
        224,
        "apache-2.0",
        KINDS_1K,
        IMAGENET_1K,
    ),
    timm_entry(
        "tf_efficientnetv2_b0.in1k",
        "EfficientNetV2-B0",
        "Google",
        7_139_704,
        192,
        "apache-2.0",
        KINDS_1K,
        IMAGENET_1K,
    ),
    timm_entry(
        "tf_efficientnetv2_s.in21k_ft_in1k",
        "EfficientNetV2-S",
        "Google",
        21_458_488,
        300,
        "apache-2.0",
        KINDS_1K,
        IMAGENET_22K,
    ),
)
