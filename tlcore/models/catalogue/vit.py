"""Vision transformers trained with much augmentation (arXiv 2106.10270), and TinyViT (arXiv 2207.10666)."""

from tlcore.models.catalogue.entry import IMAGENET_22K, KINDS_22K, timm_entry

ENTRIES = (
    timm_entry(
        "vit_tiny_patch16_224.augreg_in21k",
        "ViT tiny",
        "Google",
        9_740_115,
        224,
        "apache-2.0",
        KINDS_22K,
        IMAGENET_22K,
    ),
    timm_entry(
        "tiny_vit_5m_224.dist_in22k",
        "TinyViT-5M",
        "Microsoft",
        12_082_725,
        224,
        "apache-2.0",
        KINDS_22K,
        IMAGENET_22K,
    ),
    timm_entry(
        "vit_small_patch16_224.augreg_in21k",
        "ViT small",
        "Google",
        30_075_219,
        224,
        "apache-2.0",
        KINDS_22K,
        IMAGENET_22K,
    ),
    timm_entry(
        "vit_base_patch16_224.augreg_in21k",
        "ViT base",
        "Google",
        102_595_923,
        224,
        "apache-2.0",
        KINDS_22K,
        IMAGENET_22K,
    ),
)
