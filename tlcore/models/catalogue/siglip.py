"""Image encoders that learned from captions: SigLIP (arXiv 2303.15343), SigLIP 2 (arXiv 2502.14786)."""

from tlcore.models.catalogue.entry import CAPTIONS, WEBLI, timm_entry

ENTRIES = (
    timm_entry(
        "vit_base_patch16_siglip_224.v2_webli",
        "SigLIP 2 base",
        "Google",
        92_884_224,
        224,
        "apache-2.0",
        CAPTIONS,
        WEBLI,
    ),
    timm_entry(
        "vit_base_patch16_siglip_224.webli",
        "SigLIP base",
        "Google",
        92_884_224,
        224,
        "apache-2.0",
        CAPTIONS,
        WEBLI,
    ),
)
