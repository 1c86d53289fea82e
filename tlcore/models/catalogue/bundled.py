"""The source models that come with the studio and need no network; the one with the better features first."""

import json
from pathlib import Path

from tlcore.core.i18n import Sentence, sentence
from tlcore.models import weight_files
from tlcore.models.catalogue import text
from tlcore.models.catalogue.entry import KINDS_1K
from tlcore.models.source_model import SourceModel

FOLDER = Path(__file__).parents[1] / "bundled"


def folder(id_: str) -> Path:
    """Where a bundled model lies: in the studio itself, or in a package that was installed with it."""
    return text.bundled_folder() if id_ == text.ENTRIES[0].id else FOLDER / id_.partition("/")[2]


def _bundled(name: str, title: str, source_data: Sentence, note: Sentence) -> SourceModel:
    """Its numbers are read from its own folder: better weights need no change here."""
    folder = FOLDER / name
    config = json.loads((folder / weight_files.CONFIG).read_text()) if (folder / weight_files.CONFIG).is_file() else {}
    there = (folder / weight_files.WEIGHTS).is_file()
    pretrained = config.get("pretrained_cfg", {})
    return SourceModel(
        id=f"bundled/{name}",
        title=title,
        provider="Transfer Learning Studio",
        architecture=config.get("architecture", ""),
        parameters=weight_files.read_weights(folder).values if there else None,
        megabytes=round((folder / weight_files.WEIGHTS).stat().st_size / 1e6, 1) if there else None,
        source_task=KINDS_1K,
        source_data=source_data,
        licence=pretrained.get("license", "apache-2.0"),
        input_size=pretrained.get("input_size", [3, 128, 128])[-1],
        library="timm",
        note=note,
    )


ENTRIES = (
    _bundled(
        "studio-base",
        "Studio base",
        sentence("ImageNet-1k: 1.3 million photographs, then small cuts of photographs"),
        sentence(
            "The better features of the two that come with the studio; its from-scratch twin takes longer to train."
        ),
    ),
    _bundled(
        "studio-small",
        "Studio small",
        sentence("small photographs of everyday things, taught by a larger ImageNet-1k model"),
        sentence("Trains fast without a GPU: for a first walk and for small pictures. Its features are weaker."),
    ),
)
