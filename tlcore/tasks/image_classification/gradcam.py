"""Grad-CAM: which regions of an image support a class (Selvaraju et al., ICCV 2017, arXiv 1610.02391).

For transformers the patch tokens replace the positions of the feature map (as in Gildenblat's pytorch-grad-cam).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tlcore.runtime.image_canvas import canvas, pixels

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.models.source_model import SourceModel

SHOWN = 192  # side of the report's images in pixels


def heat(model: Any, picture: np.ndarray, label: int) -> np.ndarray | None:
    """Class activation map (H, W) in 0-1 of one input (3, S, S) for a label; None without a spatial feature map.

    The channels of the last feature map are weighted by the position-averaged gradients of the label's logit. Negative
    values, evidence against the class, are cut to 0.
    """
    import torch

    target = model.cam_module()
    if target is None:
        return None
    seen: dict[str, torch.Tensor] = {}

    def keep(_module: Any, _inputs: Any, output: torch.Tensor) -> None:
        seen["value"] = output.detach().clone()  # later layers may modify it in place
        output.register_hook(lambda gradient: seen.__setitem__("gradient", gradient))

    hook = target.module.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            x = torch.from_numpy(picture[None]).requires_grad_()
            model(x)[0, label].backward()
    finally:
        hook.remove()
        model.zero_grad(set_to_none=True)
    if "gradient" not in seen:
        return None
    maps, gradient = target.maps(seen["value"]), target.maps(seen["gradient"])
    weighed = (gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1)[0].relu().numpy()
    top = float(weighed.max())
    return weighed / top if top > 0 else weighed


def overlay(view: np.ndarray, heat: np.ndarray) -> Image.Image:
    """The image (S, S, 3) uint8 with the heat map over it; brighter means stronger support for the class."""
    image = Image.fromarray(view).resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)
    warm = Image.fromarray((255 * heat).astype(np.uint8)).resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)
    strength = np.asarray(warm, dtype=np.float32)[..., None] / 255
    grey = np.asarray(image.convert("L"), dtype=np.float32)[..., None]
    mixed = (1 - 0.65 * strength) * (
        0.45 * np.asarray(image, dtype=np.float32) + 0.4 * grey
    ) + 0.65 * strength * _colour(strength)
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))


def view_of(path: Path, processor: dict[str, Any]) -> np.ndarray:
    """The image as the model sees it, (S, S, 3) uint8."""
    from tlcore.runtime.images import open_picture

    whole = canvas(open_picture(path), processor["canvas"], processor["interpolation"])
    edge = (len(whole) - processor["size"]) // 2
    return whole[edge : edge + processor["size"], edge : edge + processor["size"]]


def explain(
    model: Any,
    path: Path,
    processor: dict[str, Any],
    labels: Sequence[str],
    label: int | None = None,
    temperature: float = 1.0,
) -> tuple[Image.Image, Image.Image | None, dict[str, Any]]:
    """The image as the model sees it, the overlay for ``label`` (else for the predicted one), and the prediction.

    ``temperature`` is the packed model's calibration temperature, so that confidences equal those of the report. The
    overlay is None without a spatial feature map.
    """
    import torch

    view = view_of(path, processor)
    x = pixels(view[None], processor["size"], processor["mean"], processor["std"])
    with torch.inference_mode():
        shares = (model(torch.from_numpy(x)).double() / temperature).softmax(dim=1)[0].numpy()
    chosen = int(shares.argmax()) if label is None else label
    warm = heat(model, x[0], chosen)
    shown = Image.fromarray(view).resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)
    explained = {
        "explained": labels[chosen],
        "prediction": labels[int(shares.argmax())],
        "probability": dict(zip(labels, map(float, shares), strict=True)),
    }
    return shown, None if warm is None else overlay(view, warm), explained


def illustrate(
    folder: Path,
    worst: list[dict[str, Any]],
    dataset: Dataset,
    source: SourceModel,
    weights: Path,
    processor: dict[str, Any],
    labels: Sequence[str],
) -> None:
    """Write each error's image and overlay (for the predicted label) to ``folder``; add their names to ``worst``."""
    from tlcore.models.loading import load

    folder.mkdir(parents=True, exist_ok=True)
    model = load(weights, source, processor["size"]).eval()
    for i, error in enumerate(worst):
        shown, warm, _ = explain(
            model, dataset.file(error["file"]), processor, labels, labels.index(error["prediction"])
        )
        for name, image in (("picture", shown), ("gradcam", warm)):
            error[name] = None
            if image is not None:
                error[name] = f"error-{i + 1:02d}-{name}.jpg"
                (folder / error[name]).write_bytes(jpeg(image))


def jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def _colour(strength: np.ndarray) -> np.ndarray:
    """Heat 0-1 (..., 1) as dark red, orange, yellow; brightness rises with it, so it is readable without colour."""
    stops = np.array([[90, 0, 60], [200, 40, 40], [250, 150, 20], [255, 255, 170]], dtype=np.float32)
    place = np.clip(strength[..., 0], 0, 1) * (len(stops) - 1)
    low = np.minimum(place.astype(int), len(stops) - 2)
    share = (place - low)[..., None]
    return stops[low] * (1 - share) + stops[low + 1] * share
