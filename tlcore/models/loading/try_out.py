"""Build an untrusted model once, in a process of its own: ``python -m tlcore.models.loading.try_out FOLDER``.

Prints one JSON line: ``{"input_size": …}``, or ``{"error": {"code", "sentence", "file"}}``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.models.loading.loader import open_folder
from tlcore.models.source_model import SourceModel


def check(folder: Path) -> dict[str, Any]:
    """Open, build with the weights, and run one blank input."""
    try:
        opened = open_folder(folder, SourceModel(id="checked", title=folder.name))
        model = opened.build(2, pretrained=True)
        import torch

        size = opened.preprocess["input_size"]
        with torch.inference_mode():
            logits = model.eval()(*model.example(size))
        outputs = 2 if hasattr(model, "classify") else logits.shape[-1]  # a network that writes keeps its own words
        if (logits.shape[0], logits.shape[-1]) != (1, outputs) or not bool(logits.isfinite().all()):
            raise UnusableInput(
                sentence("The network runs, but its outputs are not usable numbers. Its weights may be damaged."),
                code="source-unusable",
                file="model.safetensors",
            )
    except UnusableInput as error:
        return {"error": {"code": error.code, "sentence": error.sentence.model_dump(), "file": error.file}}
    return {"input_size": size}


if __name__ == "__main__":
    print(json.dumps(check(Path(sys.argv[1]))))
