"""LoRA: train two low-rank matrices beside each linear attention layer, and merge them at the end."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.tasks.shared import inference
from tlcore.training.hooks.contract import Ended
from tlcore.training.pack import largest_difference

if TYPE_CHECKING:
    import torch

    from tlcore.training.phase import Training

COMPARED = 8  # validation examples for comparing outputs before and after the merge
ADAPTER = "adapter"  # folder beside the checkpoint for the unmerged adapters
HEAD = "head.safetensors"


class Lora:
    """Low-rank adapters of peft (Hu et al. 2021, arXiv 2106.09685) on every linear layer of an attention.

    The layer's output becomes W x + (alpha / rank) B A x. B starts at zero, so that training starts from the source
    model.
    """

    id = "lora"
    what = sentence("low-rank adapters in the attention layers")

    def __init__(self, rank: int, alpha: float, dropout: float):
        self.rank, self.alpha, self.dropout = rank, alpha, dropout

    def begin(self, training: Training, device: str) -> None:
        from peft import LoraConfig, inject_adapter_in_model

        model = training.model
        names = fitting(model)
        if not names:
            raise UnusableInput(
                sentence(
                    "This network has no attention with linear layers in it, which LoRA needs; it is made for "
                    "transformers. Choose fine-tuning or another source model."
                ),
                code="strategy-refused",
            )
        self.training, self.device = training, device
        self.total = sum(parameter.numel() for parameter in model.parameters())
        wanted = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        inject_adapter_in_model(
            LoraConfig(r=self.rank, lora_alpha=self.alpha, lora_dropout=self.dropout, target_modules=names), model
        )
        for parameter in wanted.values():  # peft freezes all other parameters
            parameter.requires_grad_(True)
        self.wanted = list(wanted)
        self.adapters = [parameter for name, parameter in model.named_parameters() if ".lora_" in name]
        self.trained = sum(parameter.numel() for parameter in [*wanted.values(), *self.adapters])
        for layer in _layers(model).values():
            layer.train()
            layer.get_base_layer().eval()

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        return self.adapters

    def end(self, model: Any) -> Ended:
        before = self._outputs(model)
        write(model, self.wanted, self.training.checkpoint.path.parent / ADAPTER)
        merge(model)

        share = 100 * self.trained / self.total
        note = sentence(
            "LoRA trained {n} weights, {percent} % of the network's {total}, head included; they were merged "
            "into the network.",
            n=self.trained,
            percent=round(share, 2),
            total=self.total,
        )
        return Ended(
            [note],
            {
                "trained": self.trained,
                "total": self.total,
                "share": share / 100,
                "merge_difference": largest_difference(before, self._outputs(model)),
            },
        )

    def _outputs(self, model: Any) -> Any:

        few = inference.First(self.training.examples["validation"], COMPARED)
        return inference.outputs(self.training.task, model, few, COMPARED, self.device)


def fitting(model: Any) -> list[str]:
    """The names of the linear layers inside an attention, including transformers' Conv1D, a linear layer (GPT-2)."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    return [
        name
        for name, module in model.named_modules()
        if type(module) in (nn.Linear, Conv1D)
        and any("attn" in part or "attention" in part for part in name.lower().split("."))
    ]


def write(model: Any, others: list[str], folder: Path) -> None:
    """Write the adapters in peft's format for the source model's network, and the ``others`` trained with them.

    The ``others`` (the head) go to `HEAD`, under their names in ``model.safetensors``. An existing folder is replaced.
    peft's config records the network's class; the caller that packs the folder records which weights it has. Nothing is
    written if adapters are on new layers (a new decoder), which the source does not have.
    """
    from peft.utils import get_peft_model_state_dict
    from safetensors.torch import save_file

    shutil.rmtree(folder, ignore_errors=True)
    config, adapted = model.peft_config["default"], _layers(model)
    if any(name.rpartition(".")[0] in adapted for name in others):
        return
    folder.mkdir(parents=True)
    base = model.encoder if hasattr(model, "encoder") else model.net
    below = next(f"{name}." for name, module in model.named_modules() if module is base)
    found = get_peft_model_state_dict(model, save_embedding_layers=False)
    inside = {f"base_model.model.{name.removeprefix(below)}": tensor for name, tensor in found.items()}
    config.target_modules = sorted(name.removeprefix(below) for name in adapted)  # full names: peft shortens long lists
    config.inference_mode = True
    config.save_pretrained(
        str(folder),
        auto_mapping_dict={"base_model_class": type(base).__name__, "parent_library": type(base).__module__},
    )
    save_file({name: _plain(tensor) for name, tensor in inside.items()}, folder / "adapter_model.safetensors")
    if others:
        state = model.state_dict()
        save_file({name.removeprefix("net."): _plain(state[name]) for name in others}, folder / HEAD)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().cpu().contiguous()


def merge(model: Any) -> None:
    """Merge the adapters into their base weights and remove them; the network is a plain one again."""
    for name, layer in _layers(model).items():
        layer.merge(safe_merge=True)
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, layer.get_base_layer())
    del model.peft_config


def _layers(model: Any) -> dict[str, Any]:
    from peft.tuners.lora import LoraLayer

    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}
