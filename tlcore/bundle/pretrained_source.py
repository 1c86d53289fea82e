"""Packs the pre-trained network of a run as a new source model: its model card, and one zip in hub layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tlcore.bundle.model_card import english, licence_lines, line
from tlcore.bundle.pack import write_zip
from tlcore.core import atomic_files
from tlcore.training.hooks import find

if TYPE_CHECKING:
    from tlcore.report.context import RunContext

FILE = "pre-trained.zip"  # in the run's folder


def pack(context: RunContext, report: dict[str, Any]) -> Path | None:
    """Write the zip (atomically) and return its path; None if the run has no pre-trained network to export.

    Its source folder, ``arms/transfer/pre-trained``, gets the same card and can be used as a source model by its path.
    """
    from tlcore.training.shared_phases import SOURCE

    pre_training = report.get("pre_training")
    folder = context.folder / "arms" / "transfer" / SOURCE
    if not pre_training or not pre_training["source"] or not folder.is_dir():
        return None
    atomic_files.write(folder / "README.md", card(report))
    with atomic_files.atomic_path(context.folder / FILE) as draft:
        write_zip(draft, folder)
    return context.folder / FILE


def card(report: dict[str, Any]) -> str:
    """The model card of the pre-trained network, in the Hugging Face format; every figure is measured."""
    pre_training, source = report["pre_training"], report["source"]
    begun = "random weights" if pre_training["start"] == "random" else f"the weights of {line(source['title'])}"
    front: dict[str, Any] = licence_lines(source["licence"])
    if source["hub_id"] and pre_training["start"] == "source":
        front["base_model"] = source["hub_id"]
    front |= {
        "library_name": source["library"],
        "tags": ["pre-training", pre_training["objective"], "transfer-learning"],
    }
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)
    losses = "\n".join(f"| {epoch} | {loss:.4f} |" for epoch, loss in enumerate(pre_training["losses"], 1))
    paper = " ".join((find(pre_training["objective"]).__doc__ or "").split())
    return (
        f"---\n{head}---\n\n# {line(report['name'])}: pre-trained network\n\n"
        f"The architecture `{line(source['architecture'] or '')}` without a head, "
        f"trained by {pre_training['objective']} learning from {begun} "
        f"(`{source['id']}`, licence {source['licence']}). It is a source model: give its "
        f"folder, this zip or `library/<id>` as the source of a run.\n\n"
        f"{line(paper)}\n\n"
        f"## Data\n\n{line(pre_training['set'])}, fingerprint `{pre_training['fingerprint']}`: "
        f"{pre_training['examples']} examples; "
        f"{pre_training['left_out']} more were left out, because the run is evaluated on them.\n\n"
        f"## Training\n\n{pre_training['epochs']} epochs in {pre_training['seconds']:.0f} seconds. "
        f"Mean loss of each epoch on the training examples:\n\n| epoch | loss |\n|---|---|\n{losses}\n\n"
        f"## Evidence\n\nRun `{report['run']}` fine-tuned it on {line(report['dataset']['name'])} "
        f"(`{report['dataset']['fingerprint']}`). {english(report['sentences']['verdict'])}\n\n"
        f"## Limits\n\nNothing of it was tested but through that run. What the further set shows too rarely, or "
        f"wrongly, it has learned so.\n"
    )
