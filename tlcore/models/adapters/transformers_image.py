"""Folders in transformers' layout, untrusted: known image architectures, and never code of their own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.models import weight_files
from tlcore.models.adapters.build import (
    BUILD_ERRORS,
    check_complete,
    check_size,
    does_not_fit,
    new_head,
    no_linear_head,
)

if TYPE_CHECKING:
    from torch import nn

    from tlcore.models.adapters.build import ModelFolder
    from tlcore.models.adapters.image_model import ImageModel

PREPROCESSOR = "preprocessor_config.json"
# Their inputs are not simply pictures of one size, they have two heads, or their weights are another
# library's.
UNUSABLE = ("imagegpt", "perceiver", "shieldgemma2", "siglip2", "timm_wrapper", "metaclip_2", "swiftformer")
# Token networks whose position table transformers does not interpolate by itself.
OWN_SIZE_ONLY = (
    "vit",
    "vit_msn",
    "deit",
    "beit",
    "data2vec-vision",
    "siglip",
    "clip",
    "ijepa",
    "hiera",
    "levit",
    "swin",
    "swinv2",
    "donut-swin",
    "pvt",
    "mobilevit",
    "mobilevitv2",
    "focalnet",
    "cvt",
)
RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
HALF = (0.5, 0.5, 0.5)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
LARGEST = 100_000


def preprocess(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """How a picture becomes the network's input. Raises UnusableInput for what is no image classifier."""
    kind = _model_type(config)
    given = _preprocessor(folder)
    nested = config.get("vision_config")
    vision = nested if isinstance(nested, dict) else config
    own = _side(vision.get("image_size")) or 224
    size, crop = _side(given.get("size")), None
    if given.get("do_center_crop", bool(given.get("crop_size"))):
        crop = _side(given.get("crop_size"))
    final = own if kind in OWN_SIZE_ONLY else crop or size or own
    share = given.get("crop_pct") or (crop / size if crop and size and crop <= size else 1.0)
    mean, std = (given.get("image_mean"), given.get("image_std"))
    if not given:
        mean, std = (HALF, HALF) if kind in ("vit", "siglip", "mobilenet_v1", "mobilenet_v2") else IMAGENET
    elif not given.get("do_normalize", True):
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    patch = vision.get("patch_size")
    try:
        mean, std = ([float(v) for v in values] for values in (mean or IMAGENET[0], std or IMAGENET[1]))
        share = float(share)
    except (TypeError, ValueError):
        raise _unusable_preprocessor() from None
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0 or not 8 <= final <= 4096:
        raise _unusable_preprocessor()
    return {
        "input_size": final,
        "mean": mean,
        "std": std,
        "crop_pct": share if 0.1 <= share <= 2 else 1.0,
        "interpolation": RESAMPLE.get(given.get("resample", 2), "bilinear"),
        "resizable": kind not in OWN_SIZE_ONLY,
        "multiple": patch if isinstance(patch, int) and patch > 0 and "dino" in kind else 1,
    }


def build(opened: ModelFolder, num_classes: int | None, pretrained: bool, size: int, seed: int) -> ImageModel:
    """The network as transformers builds it, its saved weights loaded and checked, and a fresh head."""
    import torch
    from transformers import AutoConfig, AutoModelForImageClassification

    from tlcore.models.adapters.image_model import ImageModel

    kind = _model_type(opened.config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            config = AutoConfig.for_model(kind, **plain(opened.config))
            if num_classes is not None:
                config.num_labels = num_classes
            for name in ("classifier_dropout_prob", "dropout_rate"):
                # MobileNet's checkpoints say 0.999, the share that the paper keeps: then no head learns.
                if (getattr(config, name, None) or 0) > 0.5:
                    setattr(config, name, 0.2)
            check_size(opened, lambda: AutoModelForImageClassification.from_config(config))
            net, info = _load(opened.folder, config) if pretrained else (None, None)
            net = net or AutoModelForImageClassification.from_config(config, dtype=torch.float32)
        except BUILD_ERRORS as error:
            raise does_not_fit(kind, error) from None
        head_name = _head(net, config.num_labels)
        if head_name is None and num_classes is not None:
            raise no_linear_head(kind)
        if info is not None:
            root = (head_name or "classifier").partition(".")[0]
            check_complete(info, kind, lambda key: key.partition(".")[0] == root or ".pooler." in key)
        if pretrained and num_classes is not None:
            torch.manual_seed(seed)
            new_head(net.get_submodule(str(head_name)))
    return ImageModel(net, head_name, "transformers", opened.config, None, size, write_config)


def _load(folder: Path, config: Any) -> tuple[Any, Any]:
    """The network with the folder's weights in single precision, and its account of the loading."""
    import torch
    from transformers import AutoModelForImageClassification

    with quietly():
        return AutoModelForImageClassification.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )


def plain(config: dict[str, Any]) -> dict[str, Any]:
    """The config without what could choose other code (attention kernels, quantisers) or precision."""
    left_out = ("model_type", "transformers_version", "torch_dtype", "dtype", "quantization_config")
    return {
        key: plain(value) if isinstance(value, dict) and key.endswith("_config") else value
        for key, value in config.items()
        if key not in left_out and not key.startswith("_") and "implementation" not in key
    }


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without transformers' progress bar and its report of the head that is replaced anyway."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def write_config(folder: Path, net: Any, labels: list[str], preprocess: dict[str, Any]) -> None:
    """``config.json`` with the labels and ``preprocessor_config.json`` with what evaluation used."""
    config = net.config.to_dict()
    config.pop("_name_or_path", None)
    config.pop("num_labels", None)
    config |= {
        "architectures": [type(net).__name__],
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
        "problem_type": "single_label_classification",
        "dtype": "float32",
    }
    (folder / weight_files.CONFIG).write_text(
        json.dumps(config, indent=2, default=str, ensure_ascii=False), encoding="utf-8"
    )
    size = int(preprocess["input_size"])
    resample = {name: number for number, name in RESAMPLE.items()}.get(preprocess["interpolation"], 2)
    (folder / PREPROCESSOR).write_text(
        json.dumps(
            {
                "image_processor_type": _image_processor(net.config.model_type),
                "do_resize": True,
                "size": {"shortest_edge": round(size / preprocess["crop_pct"])},
                "do_center_crop": True,
                "crop_size": {"height": size, "width": size},
                "resample": resample,
                "do_rescale": True,
                "rescale_factor": 1 / 255,
                "do_normalize": True,
                "image_mean": list(preprocess["mean"]),
                "image_std": list(preprocess["std"]),
            },
            indent=2,
        )
    )


def _image_processor(kind: str) -> str:
    """A processor that resizes the short edge and crops the centre."""
    return "MobileNetV1ImageProcessor" if kind == "mobilenet_v1" else "BitImageProcessor"


def _model_type(config: dict[str, Any]) -> str:
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES or kind in UNUSABLE:
        raise UnusableInput(
            sentence(
                "transformers has no image classifier for the architecture {name}, so these weights cannot be opened.",
                name=str(kind)[:80],
            ),
            code="source-architecture",
            file=weight_files.CONFIG,
        )
    if not _bounded(config):
        raise UnusableInput(
            sentence(
                "config.json holds values that no image network can have (sizes, channels, arguments). Save it again "
                "with timm or transformers."
            ),
            code="source-config",
            file=weight_files.CONFIG,
        )
    channels = config.get("num_channels", 3)
    if channels != 3:
        raise UnusableInput(
            sentence("This network takes inputs with {channels} channels; pictures have 3.", channels=channels),
            code="source-channels",
            file=weight_files.CONFIG,
        )
    return kind


def _bounded(config: dict[str, Any]) -> bool:
    """Sizes within reason in the config and its parts; label tables are not looked at."""
    for key, value in config.items():
        if key in ("id2label", "label2id", "text_config"):
            continue
        values = value if isinstance(value, list) else [value]
        if isinstance(value, dict) and not _bounded(value):
            return False
        if any(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) > LARGEST for v in values):
            return False
    return True


def _preprocessor(folder: Path) -> dict[str, Any]:
    path = folder / PREPROCESSOR
    if not path.is_file():
        return {}
    try:
        given = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size < weight_files.MAX_CONFIG else None
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise _unusable_preprocessor()
    return given


def _side(value: Any) -> int | None:
    """Pixels a side of the ways a size is written: a number, a pair, or a mapping."""
    if isinstance(value, dict):
        value = value.get("shortest_edge") or value.get("height") or value.get("longest_edge")
    if isinstance(value, list | tuple) and value:
        value = value[-1]
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def _unusable_preprocessor() -> UnusableInput:
    return UnusableInput(
        sentence(
            "preprocessor_config.json cannot be used: it should say the picture's size, mean and standard deviation."
        ),
        code="source-config",
        file=PREPROCESSOR,
    )


def _head(net: nn.Module, outputs: int | None) -> str | None:
    """The last linear layer, where it gives the network's outputs."""
    from torch import nn

    linear = [(name, module) for name, module in net.named_modules() if isinstance(module, nn.Linear)]
    if not linear or not outputs or linear[-1][1].out_features != outputs:
        return None
    return linear[-1][0]
