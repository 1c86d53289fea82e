"""Folders in timm's layout, untrusted: known architectures, plain arguments and safetensors only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.models import weight_files
from tlcore.models.adapters.build import BUILD_ERRORS, check_size, does_not_fit, new_head, no_linear_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from tlcore.models.adapters.build import ModelFolder
    from tlcore.models.adapters.image_model import ImageModel

# What of pretrained_cfg describes the network and its pictures; the rest (urls, files, loaders) is not taken
# over.
KEPT = (
    "input_size",
    "fixed_input_size",
    "interpolation",
    "crop_pct",
    "crop_mode",
    "mean",
    "std",
    "num_classes",
    "label_offset",
    "pool_size",
    "first_conv",
    "classifier",
    "license",
    "tag",
    "min_input_size",
)
REFUSED_ARGS = (
    "checkpoint_path",
    "cache_dir",
    "pretrained",
    "features_only",
    "scriptable",
    "exportable",
    "device",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "pretrained_model_args",
    "num_classes",
)
LARGEST = 100_000  # of any number among the arguments: widths, depths, picture sizes
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "hamming", "box")


def preprocess(config: dict[str, Any]) -> dict[str, Any]:
    """How a picture becomes the network's input. Raises UnusableInput for what timm does not know."""
    import timm
    from timm.models import is_model

    name = config["architecture"]
    if not isinstance(name, str) or not is_model(name) or ":" in name or "/" in name:
        raise UnusableInput(
            sentence(
                "timm {version} knows no architecture called {name}, so these weights cannot be opened.",
                version=timm.__version__,
                name=str(name)[:80],
            ),
            code="source-architecture",
            file=weight_files.CONFIG,
        )
    _arguments(config)
    own = _pretrained_cfg(config)
    try:
        channels, height, width = (int(n) for n in own.get("input_size", (3, 224, 224)))
        mean, std = (
            [float(v) for v in own.get(key, default)]
            for key, default in (("mean", (0.485, 0.456, 0.406)), ("std", (0.229, 0.224, 0.225)))
        )
        crop = float(own.get("crop_pct") or 0.875)
    except (TypeError, ValueError):
        raise _unusable_config() from None
    if channels != 3:
        raise UnusableInput(
            sentence("This network takes inputs with {channels} channels; pictures have 3.", channels=channels),
            code="source-channels",
            file=weight_files.CONFIG,
        )
    if height != width or not 8 <= height <= 4096 or len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise _unusable_config()
    interpolation = own.get("interpolation")
    fixed = bool(own.get("fixed_input_size", False))
    return {
        "input_size": height,
        "mean": mean,
        "std": std,
        "crop_pct": crop if 0.1 <= crop <= 2 else 0.875,
        "interpolation": interpolation if interpolation in INTERPOLATIONS else "bicubic",
        "resizable": not fixed or _takes_img_size(name),
        "multiple": _patch(config) if fixed else 1,
    }


def build(opened: ModelFolder, num_classes: int | None, pretrained: bool, size: int, seed: int) -> ImageModel:
    """The network as timm builds it, the saved weights loaded strictly, and a fresh head."""
    import timm
    import torch

    from tlcore.models.adapters.image_model import ImageModel

    config, own = opened.config, _pretrained_cfg(opened.config)
    name, arguments = config["architecture"], _arguments(opened.config)
    if own.get("fixed_input_size") and (size != opened.preprocess["input_size"] or "img_size" in arguments):
        arguments["img_size"] = size
    check_size(opened, lambda: timm.create_model(name, pretrained_cfg=own, num_classes=0, **arguments))
    if pretrained:
        own |= {"source": "local-dir", "file": str(opened.folder)}
    # The saved head is loaded too, so that loading is strict; then it gives way to a fresh one.
    outputs = own["num_classes"] if pretrained or num_classes is None else num_classes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            net: Any = timm.create_model(
                name, pretrained=pretrained, pretrained_cfg=own, num_classes=outputs, **arguments
            )
            if pretrained and num_classes is not None:
                net.reset_classifier(num_classes)
        except BUILD_ERRORS as error:
            raise does_not_fit(name, error) from None
        head_name = _head(net, name, num_classes)
        if pretrained and num_classes is not None:
            torch.manual_seed(seed)
            new_head(net.get_submodule(str(head_name)))
    net.pretrained_cfg = {**net.pretrained_cfg, "file": None, "source": None}
    return ImageModel(net, head_name, "timm", config, _matcher(net), size, write_config)


def write_config(folder: Path, net: nn.Module, labels: list[str], preprocess: dict[str, Any]) -> None:
    """``config.json`` as timm's own export writes it, with the label names and what evaluation used."""
    from timm.models._hub import save_config_for_hf

    size = int(preprocess["input_size"])
    save_config_for_hf(
        net,
        str(folder / weight_files.CONFIG),
        model_config={"label_names": list(labels)},
        data_config={
            "input_size": (3, size, size),
            "mean": tuple(preprocess["mean"]),
            "std": tuple(preprocess["std"]),
            "interpolation": preprocess["interpolation"],
            "crop_pct": preprocess["crop_pct"],
        },
    )


def _pretrained_cfg(config: dict[str, Any]) -> dict[str, Any]:
    nested = config.get("pretrained_cfg")
    if nested is not None and not isinstance(nested, dict):
        raise _unusable_config()
    given = nested if nested is not None else config
    own = {key: given[key] for key in KEPT if given.get(key) is not None}
    if isinstance(config.get("num_classes"), int):
        own["num_classes"] = config["num_classes"]
    if not isinstance(own.get("num_classes", 1000), int) or not 0 <= own.get("num_classes", 1000) <= LARGEST:
        raise _unusable_config()
    own.setdefault("num_classes", 1000)
    usual = _registered(config["architecture"])
    for key in ("fixed_input_size", "first_conv", "classifier"):
        if usual.get(key) is not None:
            own.setdefault(key, usual[key])
    arguments = config.get("model_args") or {}
    if isinstance(arguments.get("in_chans"), int):
        own["input_size"] = (arguments["in_chans"], *own.get("input_size", (3, 224, 224))[1:])
    size = arguments.get("img_size")
    if size is not None and own.get("fixed_input_size"):
        own["input_size"] = (3, *(size if isinstance(size, list | tuple) else (size, size)))
    return {"architecture": config["architecture"], **own}


def _registered(architecture: str) -> dict[str, Any]:
    """What timm itself says of the architecture."""
    from timm.models import get_pretrained_cfg

    usual = get_pretrained_cfg(architecture)
    return usual.to_dict() if usual else {}


def _arguments(config: dict[str, Any]) -> dict[str, Any]:
    """``model_args`` that are plain and bounded: they go to the network's constructor."""
    arguments = config.get("model_args") or {}
    if not isinstance(arguments, dict) or any(not _bounded(value) for value in arguments.values()):
        raise _unusable_config()
    return {key: value for key, value in arguments.items() if key not in REFUSED_ARGS}


def _bounded(value: Any, depth: int = 0) -> bool:
    if isinstance(value, bool | None) or (isinstance(value, str) and len(value) < 200):
        return True
    if isinstance(value, int | float):
        return abs(value) <= LARGEST
    if isinstance(value, list) and depth < 4 and len(value) < 200:
        return all(_bounded(item, depth + 1) for item in value)
    if isinstance(value, dict) and depth < 4 and len(value) < 200:
        return all(_bounded(item, depth + 1) for item in value.values())
    return False


def _unusable_config() -> UnusableInput:
    return UnusableInput(
        sentence(
            "config.json holds values that no image network can have (sizes, channels, arguments). Save it again with "
            "timm or transformers."
        ),
        code="source-config",
        file=weight_files.CONFIG,
    )


def _takes_img_size(architecture: str) -> bool:
    """timm rebuilds its plain vision transformers at another size, their position table interpolated."""
    from timm.models import model_entrypoint

    return model_entrypoint(architecture).__module__.rpartition(".")[2] in (
        "vision_transformer",
        "eva",
        "deit",
    )


def _patch(config: dict[str, Any]) -> int:
    given = (config.get("model_args") or {}).get("patch_size")
    if isinstance(given, int) and given > 0:
        return given
    named = re.search(r"patch(\d+)", config["architecture"])
    return int(named.group(1)) if named else 16


def _head(net: Any, architecture: str, num_classes: int | None) -> str | None:
    from torch import nn

    head = net.get_classifier()
    if isinstance(head, nn.Linear):
        return next(name for name, module in net.named_modules() if module is head)
    if num_classes is None and isinstance(head, nn.Identity):
        return None
    raise no_linear_head(architecture)


def _matcher(net: Any) -> Callable[[str], tuple[float, ...]] | None:
    """timm's own order of a tensor's name: by stage where that gives enough parts, else by block."""
    from timm.models._manipulate import group_with_matcher

    if not hasattr(net, "group_matcher"):
        return None
    tensors = [*net.named_parameters(), *net.named_buffers()]
    for coarse in (True, False):
        groups = group_with_matcher(iter(tensors), net.group_matcher(coarse=coarse), reverse=True)
        if len(set(groups.values())) >= 6 or not coarse:
            break
    return lambda name: (float(groups[name]),)
