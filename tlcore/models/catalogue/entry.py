"""What most catalogue entries share."""

from __future__ import annotations

from tlcore.core.i18n import Sentence, sentence
from tlcore.models.source_model import Domain, SourceModel

KINDS_1K = sentence("telling 1,000 kinds of things apart")
KINDS_12K = sentence("telling 12,000 kinds of things apart")
KINDS_22K = sentence("telling 22,000 kinds of things apart")
SELF_SUPERVISED = sentence("describing pictures without labels (self-supervised)")
CAPTIONS = sentence("matching pictures with their captions")

IMAGENET_1K = sentence("ImageNet-1k: 1.3 million photographs")
IMAGENET_12K = sentence("ImageNet-12k: 12 million photographs")
IMAGENET_22K = sentence("ImageNet-22k: 14 million photographs")
LVD_142M = sentence("LVD-142M: 142 million photographs from the web, chosen by likeness")
LVD_1689M = sentence("LVD-1689M: 1.7 billion photographs from the web")
WEBLI = sentence("WebLI: billions of pictures with captions in over 100 languages")

NON_COMMERCIAL = sentence("The licence does not allow commercial use.")
DINOV3_LICENCE = sentence(
    "Meta's DINOv3 licence applies: read it before use. The hub may ask you to sign in and accept it."
)


def timm_entry(
    name: str,
    title: str,
    provider: str,
    parameters: int,
    input_size: int,
    licence: str,
    source_task: Sentence,
    source_data: Sentence,
    *,
    domain: Domain = "natural",
    note: Sentence | None = None,
) -> SourceModel:
    """An entry whose weights timm names ``timm/<name>`` on the hub; 4 bytes a weight."""
    if note is None and licence.startswith("cc-by-nc"):
        note = NON_COMMERCIAL
    return SourceModel(
        id=f"timm/{name}",
        title=title,
        provider=provider,
        hub_id=f"timm/{name}",
        revision="main",
        architecture=name.partition(".")[0],
        parameters=parameters,
        megabytes=round(parameters * 4 / 1e6, 1),
        source_task=source_task,
        source_data=source_data,
        licence=licence,
        input_size=input_size,
        library="timm",
        domain=domain,
        note=note,
    )


def transformers_entry(
    hub_id: str,
    title: str,
    provider: str,
    architecture: str,
    parameters: int,
    input_size: int,
    licence: str,
    source_task: Sentence,
    source_data: Sentence,
    *,
    domain: Domain = "natural",
    note: Sentence | None = None,
) -> SourceModel:
    """An entry that transformers opens, in single precision."""
    return SourceModel(
        id=hub_id,
        title=title,
        provider=provider,
        hub_id=hub_id,
        revision="main",
        architecture=architecture,
        parameters=parameters,
        megabytes=round(parameters * 4 / 1e6, 1),
        source_task=source_task,
        source_data=source_data,
        licence=licence,
        input_size=input_size,
        library="transformers",
        domain=domain,
        note=note,
    )
