"""The source models that the studio proposes: one small file a family, small models first."""

from tlcore.core.registry import by_id
from tlcore.models.catalogue import (
    bundled,
    causal,
    convnext,
    dino,
    efficientnet,
    medical,
    mobilenet,
    resnet,
    satellite,
    seq2seq,
    siglip,
    text,
    vit,
)

FAMILIES = (
    bundled,
    mobilenet,
    efficientnet,
    resnet,
    convnext,
    vit,
    dino,
    siglip,
    medical,
    satellite,
    text,
    seq2seq,
    causal,
)

CATALOGUE = by_id([entry for family in FAMILIES for entry in family.ENTRIES])
