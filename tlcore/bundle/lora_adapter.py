"""LoRA adapters as separate small files next to the merged weights, for users who have the source model."""

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
    """Copy the LoRA adapters of a result into a bundle's folder; None if none were trained.

    The adapter config names the source model only if it is on the hub: any other name or path is local to this machine.
    Returns the facts for the model card: ``base`` (hub id or None), ``source`` (title), ``class`` and ``library`` of
    the base network, ``bytes`` of the adapters, ``merged`` (bytes of the merged weights, already in ``folder``), and
    ``head`` (whether a head was copied).
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
    """The model card's section on adapters: their size, that of the merged weights, and how to load them."""
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
