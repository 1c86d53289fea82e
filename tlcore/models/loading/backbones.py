"""A network without its head, as a folder that is a source model: what pre-training leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tlcore.models import weight_files


def save(model: Any, folder: Path, preprocess: dict[str, Any]) -> None:
    """Write what the model's own ``save`` writes, then take the head out of weights and config.

    ``preprocess`` is what evaluation used, as ``save`` takes it.
    """
    from safetensors.torch import load_file, save_file

    model.to("cpu").save(folder, [], preprocess)
    if model.head is None:
        return
    weights = load_file(folder / weight_files.WEIGHTS)
    body = {name: tensor for name, tensor in weights.items() if not name.startswith(f"{model.head_name}.")}
    save_file(body, folder / weight_files.WEIGHTS, metadata={"format": "pt"})
    config = json.loads((folder / weight_files.CONFIG).read_text(encoding="utf-8"))
    for name in ("label_names", "id2label", "label2id", "problem_type"):
        config.pop(name, None)
    for part in (config, config.get("pretrained_cfg")):
        if part and "num_classes" in part:  # timm's
            part["num_classes"] = 0
    (folder / weight_files.CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")
