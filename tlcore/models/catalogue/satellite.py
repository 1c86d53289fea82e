"""Encoders of pictures of the earth from above."""

from tlcore.core.i18n import sentence
from tlcore.models.catalogue.entry import DINOV3_LICENCE, SELF_SUPERVISED, timm_entry

ENTRIES = (
    timm_entry(
        "vit_large_patch16_dinov3.sat493m",
        "DINOv3 large (satellite)",
        "Meta",
        303_079_424,
        256,
        "dinov3-license",
        SELF_SUPERVISED,
        sentence("SAT-493M: 493 million satellite pictures (arXiv 2508.10104)"),
        domain="satellite",
        note=DINOV3_LICENCE,
    ),
)
