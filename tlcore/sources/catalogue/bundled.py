"""The source model that comes with the studio and needs no network."""

import json
from pathlib import Path

from tlcore.sources.catalogue.entry import IMAGE_TASKS, KINDS_1K
from tlcore.sources.opening import files
from tlcore.sources.source_model import SourceModel
from tlcore.words import say

FOLDER = Path(__file__).parents[1] / "bundled"


def _studio_small() -> SourceModel:
    """Its numbers are read from its own folder: better weights need no change here."""
    folder = FOLDER / "studio-small"
    config = json.loads((folder / files.CONFIG).read_text()) if (folder / files.CONFIG).is_file() else {}
    there = (folder / files.WEIGHTS).is_file()
    return SourceModel(
        id="bundled/studio-small",
        title="Studio small",
        provider="Transfer Learning Studio",
        hub_id=None,
        revision=None,
        architecture=config.get("architecture", ""),
        parameters=files.read_weights(folder).values if there else None,
        megabytes=round((folder / files.WEIGHTS).stat().st_size / 1e6, 1) if there else None,
        source_task=KINDS_1K,
        source_data=say("small photographs of everyday things, taught by a larger ImageNet-1k model"),
        licence=config.get("pretrained_cfg", {}).get("license", "apache-2.0"),
        input_size=config.get("pretrained_cfg", {}).get("input_size", [3, 128, 128])[-1],
        tasks=IMAGE_TASKS,
        library="timm",
    )


ENTRIES = (_studio_small(),)
