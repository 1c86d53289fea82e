"""Encoders of medical pictures. None of them is a medical device; each licence is its provider's own."""

from dataclasses import replace

from tlcore.core.i18n import sentence
from tlcore.models.catalogue.entry import SELF_SUPERVISED, timm_entry, transformers_entry

ENTRIES = (
    replace(
        timm_entry(
            "vit_small_patch16_224.lunit_dino",
            "Lunit DINO small (tissue)",
            "Lunit",
            21_665_664,
            224,
            "lunit-non-commercial",
            SELF_SUPERVISED,
            sentence("33 million patches of stained tissue under the microscope (TCGA and others; arXiv 2212.04690)"),
            domain="medical",
            note=sentence("For research only: the licence does not allow commercial use."),
        ),
        id="1aurent/vit_small_patch16_224.lunit_dino",
        hub_id="1aurent/vit_small_patch16_224.lunit_dino",
    ),
    transformers_entry(
        "owkin/phikon",
        "Phikon (tissue)",
        "Owkin",
        "vit",
        85_798_656,
        224,
        "owkin-non-commercial",
        SELF_SUPERVISED,
        sentence("40 million patches of stained tissue under the microscope (TCGA)"),
        domain="medical",
        note=sentence("For research only: the licence does not allow commercial use."),
    ),
    transformers_entry(
        "microsoft/rad-dino",
        "RAD-DINO (chest X-rays)",
        "Microsoft",
        "dinov2",
        86_580_480,
        518,
        "mit",
        SELF_SUPERVISED,
        sentence("chest X-rays from three countries (arXiv 2401.10815)"),
        domain="medical",
        note=sentence(
            "Shared for research, not for clinical practice. The licence changed over time: read the card on the hub "
            "for the one that applies."
        ),
    ),
)
