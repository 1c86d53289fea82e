"""ConvNeXt, first and second version (arXiv 2201.03545, 2301.00808)."""

from tlcore.models.catalogue.entry import (
    IMAGENET_1K,
    IMAGENET_12K,
    IMAGENET_22K,
    KINDS_1K,
    KINDS_12K,
    KINDS_22K,
    timm_entry,
)

ENTRIES = (
    timm_entry(
        "convnextv2_atto.fcmae_ft_in1k",
        "ConvNeXt V2 atto",
        "Meta",
        3_708_400,
        224,
        "cc-by-nc-4.0",
        KINDS_1K,
        IMAGENET_1K,
    ),
    timm_entry(
        "convnextv2_nano.fcmae_ft_in22k_in1k",
        "ConvNeXt V2 nano",
        "Meta",
        15_623_800,
        224,
        "cc-by-nc-4.0",
        KINDS_1K,
        IMAGENET_22K,
    ),
    timm_entry(
        "convnextv2_tiny.fcmae_ft_in22k_in1k",
        "ConvNeXt V2 tiny",
        "Meta",
        28_635_496,
        224,
        "cc-by-nc-4.0",
        KINDS_1K,
        IMAGENET_22K,
    ),
    timm_entry(
        "convnext_tiny.in12k",
        "ConvNeXt tiny, 12,000 kinds",
        "timm",
        36_910_477,
        224,
        "apache-2.0",
        KINDS_12K,
        IMAGENET_12K,
    ),
    timm_entry(
        "convnext_tiny.fb_in22k",
        "ConvNeXt tiny, 22,000 kinds",
        "Meta",
        44_615_857,
        224,
        "apache-2.0",
        KINDS_22K,
        IMAGENET_22K,
    ),
)
