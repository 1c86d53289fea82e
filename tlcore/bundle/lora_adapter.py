"""The adapters that LoRA trained, by themselves beside the merged weights: a small file for whoever has the source."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.bundle.layout import write_json
from tlcore.training.hooks.lora import ADAPTER, HEAD

if TYPE_CHECKING:
    from tlcore.report.context import RunContext
    from tlcore.training.result import ArmResult

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def copy(context: RunContext, result: ArmResult, folder: Path) -> dict[str, Any] | None:
    """Copy the adapters of a result into a bundle's folder, naming the source model that they belong to where it is one
    of the hub: anything else is a name, or a path, of this machine alone.

    Returns what the card says of them: ``base`` (None where there is none on the hub), ``source`` (its title),
    ``class`` and ``library`` of the network below them, ``bytes`` and those of the ``merged`` weights, which lie in the
    folder already, and whether there is a ``head`` beside them; None where none were trained.
    """
    made = result.folder / ADAPTER
    if not made.is_dir():
        return None
    kept = folder / ADAPTER
    kept.mkdir()
    for name in (WEIGHTS, HEAD):
        if (made / name).exists():
            shutil.copyfile(made / name, kept / name)
    source = context.source
    config = json.loads((made / CONFIG).read_text(encoding="utf-8"))
    base = source.source.hub_id
    config |= {"base_model_name_or_path": base, "revision": source.revision if base else None}
    write_json(kept / CONFIG, config)
    size = sum(path.stat().st_size for path in kept.iterdir())
    return {
        "base": base,
        "source": source.source.title,
        "class": config["auto_mapping"]["base_model_class"],
        "library": source.library,
        "bytes": size,
        "merged": (folder / "model.safetensors").stat().st_size,
        "head": (kept / HEAD).exists(),
    }


def section(adapter: dict[str, Any]) -> str:
    """What the card says: their size beside that of the merged weights, and how they are loaded."""
    base = adapter["base"]
    head = f" The head, which the source model lacks, is `{ADAPTER}/{HEAD}`." if adapter["head"] else ""
    sizes = f"{_megabytes(adapter['bytes'])} beside {_megabytes(adapter['merged'])} of merged weights"
    return (
        f"`{ADAPTER}/` holds what LoRA trained, {sizes}, for whoever has the source model "
        f"({f'`{base}`' if base else adapter['source']}).{head} Source and adapters together give what "
        f"`model.safetensors` gives.\n{_loaded(base, adapter['class'], adapter['library']) if base else ''}"
    )


def _loaded(base: str, kind: str, library: str) -> str:
    if library == "timm":
        build = f'import timm\n\nbase = timm.create_model("hf-hub:{base}", pretrained=True)'
    else:
        build = f'from transformers import {kind}\n\nbase = {kind}.from_pretrained("{base}")  # the source model'
    return (
        f"\n```python\nfrom peft import PeftModel\n{build}\n"
        f'network = PeftModel.from_pretrained(base, "{ADAPTER}")\n```\n'
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.3g} MB"
