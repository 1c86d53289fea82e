"""Bundles for image classification."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, Field

from tlcore.bundle import layout, onnx_export, predict_program
from tlcore.bundle.predictors import classifiers
from tlcore.bundle.predictors.contract import Feed, Input, Row
from tlcore.core.i18n import Sentence, sentence
from tlcore.runtime.predict_images import gather

if TYPE_CHECKING:
    from tlcore.bundle.calibration import Calibration
    from tlcore.bundle.predictors.contract import Opened
    from tlcore.report.context import RunContext
    from tlcore.training.result import ArmResult


class Preprocessing(BaseModel):
    """How a picture becomes the network's input. Sizes in pixels; mean and std for pixel values 0-1."""

    size: int = Field(ge=8, le=4096)
    canvas: int = Field(ge=8, le=8192)
    interpolation: str
    mean: list[float] = Field(min_length=3, max_length=3)
    std: list[float] = Field(min_length=3, max_length=3)

    def one(self, source: Any) -> np.ndarray:
        """The square canvas (canvas, canvas, 3) uint8 of a path, bytes or ``PIL.Image``. Raises UnusableInput."""
        from PIL import Image

        from tlcore.runtime.image_canvas import canvas
        from tlcore.runtime.images import open_picture, to_rgb

        image: Image.Image = to_rgb(source) if isinstance(source, Image.Image) else open_picture(source)
        return canvas(image, self.canvas, self.interpolation)

    def feed(self, prepared: Sequence[np.ndarray]) -> Feed:
        from tlcore.runtime.image_canvas import pixels

        return {onnx_export.INPUT: pixels(np.stack(prepared), self.size, self.mean, self.std)}


class Pictures:
    id = "image"
    things = "pictures"
    weights = layout.WEIGHTS
    needed = layout.NEEDED
    labelled = True
    worker = False
    knobs = ()
    confident = True
    requirement = predict_program.PICTURES

    def preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        return {key: processor[key] for key in ("size", "canvas", "interpolation", "mean", "std")}

    def prepared(self, raw: bytes, read: Callable[[str], bytes]) -> Preprocessing:
        return Preprocessing.model_validate_json(raw)

    def export(self, model: Any, processor: dict[str, Any], path: Path) -> None:
        import torch

        model.to(memory_format=torch.contiguous_format)
        onnx_export.export(
            model, (torch.zeros(2, 3, processor["size"], processor["size"]),), path, {onnx_export.INPUT: {0: "n"}}
        )

    def sources(self, context: RunContext, rows: Any) -> list[Path]:
        return [context.dataset.file(file) for file in rows["file"]]

    def example(self, context: RunContext, row: Any, folder: Path) -> str:
        suffix = Path(row["id"]).suffix.lower()
        name = f"example/picture{suffix if suffix in layout.PICTURES else Path(row['file']).suffix.lower()}"
        shutil.copyfile(context.dataset.file(row["file"]), folder / name)
        return name

    def write(self, context: RunContext, calibration: Calibration, result: ArmResult, folder: Path) -> dict[str, Any]:
        return classifiers.write(self, context, calibration, result, folder)

    def rows(self, bundle: Opened, waiting: Sequence[tuple[str, Any]]) -> Iterator[Row]:
        return classifiers.rows(bundle, waiting)

    def predict_py(self) -> str:
        return predict_program.predict_py()

    def named(self, inputs: Iterable[Any]) -> Iterator[Input]:
        for i, given in enumerate(inputs):
            if isinstance(given, tuple):
                yield given[0], given[1], None
            else:
                yield str(given) if isinstance(given, str | Path) else str(i + 1), given, None

    def found_in(self, paths: Sequence[str | Path], column: str | None = None) -> Iterator[Input]:
        for name, source, reason in gather([str(path) for path in paths]):
            yield name, source, None if reason is None else _translated(reason)

    def done(self, n: int) -> Sentence:
        return sentence("{n} pictures predicted", n=n)

    def use(self, context: RunContext) -> str:
        if context.source.library == "timm":
            load = 'import timm\nmodel = timm.create_model("local-dir:FOLDER", pretrained=True).eval()'
        else:
            load = (
                "from transformers import AutoImageProcessor, AutoModelForImageClassification\n"
                'model = AutoModelForImageClassification.from_pretrained("FOLDER").eval()\n'
                'processor = AutoImageProcessor.from_pretrained("FOLDER")'
            )
        return (
            "```sh\npip install -r requirements.txt\n"
            "python predict.py PICTURE_OR_FOLDER_OR_ZIP --output predictions.csv\n```\n\n"
            "`example/expected.json` says what `python predict.py example/PICTURE` gives for the picture beside it.\n\n"
            f"In Python, FOLDER being the unzipped bundle:\n\n```python\n{load}\n```\n\n"
            "`preprocessing.json`: upright RGB; the centre square of the picture is resized to `canvas` pixels, its "
            "centre `size` pixels are kept, divided by 255, less `mean`, divided by `std`. `labels.json` is in the "
            "order of the outputs, which are logits; they are divided by `temperature` of `calibration.json` before "
            "the softmax.\n"
        )

    def limits(self) -> list[str]:
        return [
            "* It knows these classes only: a picture of anything else gets one of them too, and perhaps confidently.",
            "* The scores hold for pictures like those of the test set; another camera, place or population may do "
            "worse.",
        ]


def _translated(reason: str) -> Sentence:
    """A reason from `predict_images` (plain text, since that script has no i18n) as a Sentence."""
    known = {
        "There is no such file.": sentence("There is no such file."),
        "This zip cannot be read.": sentence("This zip cannot be read."),
        "It is encrypted.": sentence("It is encrypted."),
        "It is larger than 200 MB.": sentence("It is larger than 200 MB."),
        "It is damaged inside the zip.": sentence("It is damaged inside the zip."),
    }
    return known[reason]


KIND = Pictures()
