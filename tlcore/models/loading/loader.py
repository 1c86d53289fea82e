"""A source model whose folder was found: how its inputs are prepared, and how its network is built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.models import pair_tokenization, tokenization, weight_files
from tlcore.models.adapters import (
    timm_image,
    transformers_causal,
    transformers_image,
    transformers_seq2seq,
    transformers_text,
)
from tlcore.models.source_model import Library, SourceModel

if TYPE_CHECKING:
    from tlcore.models.adapters.causal_model import CausalModel
    from tlcore.models.adapters.image_model import ImageModel
    from tlcore.models.adapters.seq2seq_model import Seq2SeqModel
    from tlcore.models.adapters.text_model import TextModel

# By modality; every other network is one of pictures.
OF_TEXTS: Mapping[str, Any] = {
    "text": transformers_text,
    "seq2seq": transformers_seq2seq,
    "causal": transformers_causal,
}
MAX_CAUSAL = 800_000_000  # such files may hold a table of tokens twice that the network has once
MAX_VALUES = 620_000_000  # 2.5 GB in float32, three times that while it trains


@dataclass
class OpenSource:
    """A source model on this machine.

    ``preprocess`` holds ``input_size`` (pixels a side), ``mean`` and ``std`` (three channels, for values
    0-1), ``interpolation`` (bilinear, bicubic …), ``crop_pct`` (share of the resized picture's side that is
    kept), ``resizable`` (other sizes can be built) and ``multiple`` (a size must be a multiple of it). For a text
    model ``modality`` is ``text``, ``input_size`` the most tokens it reads, ``pad`` the padding's token, ``folder``
    where its tokenizer is; one that goes on writing has ``bos`` and ``end`` beside it, the tokens that begin and end a
    text (None where it has none).
    ``revision`` is the commit of the hub that was opened, where there is one.
    """

    source: SourceModel
    folder: Path
    library: Library
    config: dict[str, Any]
    preprocess: dict[str, Any]
    revision: str | None = None
    size_checked: bool = field(default=False, repr=False)

    @property
    def modality(self) -> str:
        """What it reads, and writes: ``image``, ``text``, ``seq2seq`` or ``causal``."""
        return str(self.preprocess.get("modality", "image"))

    @property
    def digest(self) -> str:
        """Sixteen hex digits of the sha256 of the weights file: names exactly what was used."""
        return weight_files.digest(self.folder / weight_files.WEIGHTS)

    @property
    def content_digest(self) -> str:
        """Sixteen hex digits of everything that the folder says of the network and its inputs: weights, config and
        tokenizer. The same weights under another config are another network.
        """
        texts = (*tokenization.FILES, *pair_tokenization.FILES)
        files_of = {name: weight_files.digest(self.folder / name) for name in texts if (self.folder / name).is_file()}
        key = json.dumps([self.digest, self.library, self.config, files_of], sort_keys=True, default=str)
        return hashlib.sha256(key.encode()).hexdigest()[:16]

    def build(
        self, num_classes: int | None, pretrained: bool, image_size: int | None = None, seed: int = 0
    ) -> ImageModel | TextModel | CausalModel | Seq2SeqModel:
        """The network with a fresh head of ``num_classes`` outputs; ``None`` keeps the source's own head, and so does
        a network that writes.

        With ``pretrained`` the weights come from the folder, else from the library's own initialisation;
        everything random is drawn from ``seed``. ``image_size`` (pixels a side) builds for another size than
        the source's. Raises UnusableInput where weights and architecture do not fit, the size cannot be
        built, or weights are not numbers.
        """
        made = self._built(num_classes, pretrained, image_size, seed)
        if pretrained:
            check_numbers(made, self.source.title)
        return made

    def _built(self, num_classes: int | None, pretrained: bool, image_size: int | None, seed: int) -> Any:
        reader = OF_TEXTS.get(self.modality) or (timm_image if self.library == "timm" else transformers_image)
        with weight_files.known_as(self.folder, self.source.title):
            return reader.build(self, num_classes, pretrained, self._size(image_size), seed)

    def has_head(self, model: ImageModel | TextModel) -> bool:
        """Whether the head of a network that ``build(None, True)`` gave came from the folder, and not from chance."""
        kept = weight_files.read_weights(self.folder).shapes.get(f"{model.head_name}.weight")
        return model.head is not None and kept == tuple(model.head.weight.shape)

    def fitting_size(self, wanted: int) -> int:
        """The size nearest to ``wanted`` (pixels a side) that the network can be built for."""
        multiple = self.preprocess.get("multiple", 1)
        if not self.preprocess["resizable"]:
            return int(self.preprocess["input_size"])
        return max(multiple, round(wanted / multiple) * multiple)

    def _size(self, image_size: int | None) -> int:
        own, multiple = self.preprocess["input_size"], self.preprocess.get("multiple", 1)
        if image_size is None or image_size == own:
            return own
        if not self.preprocess["resizable"]:
            raise UnusableInput(
                sentence(
                    "{model} takes pictures of {own} pixels a side and no other size; leave image_size at auto.",
                    model=self.source.title,
                    own=own,
                ),
                code="source-size",
            )
        if image_size % multiple:
            raise UnusableInput(
                sentence(
                    "{model} needs a picture size that is a multiple of {multiple}; {near} would do.",
                    model=self.source.title,
                    multiple=multiple,
                    near=self.fitting_size(image_size),
                ),
                code="source-size",
            )
        return image_size


def modality_of(config: Mapping[str, Any]) -> str:
    """What the network of a ``config.json`` reads, and writes."""
    kind = config.get("model_type")
    return next((name for name, reader in OF_TEXTS.items() if kind in reader.KINDS), "image")


def load(folder: Path, source: SourceModel, size: int | None) -> Any:
    """The network that ``save`` packed into a folder, its own head on, ready to predict. Raises UnusableInput.

    Its weights may be no numbers, after a training that diverged.
    """
    return open_folder(folder, source)._built(None, True, size, 0).eval()


def check_numbers(model: Any, title: str) -> None:
    """Raises UnusableInput where a weight of the network, or a statistic of its batch norms, is not a finite number."""
    import torch

    statistics = (one for one in model.named_buffers() if one[0].endswith(("running_mean", "running_var")))
    with torch.no_grad():
        for name, values in (*model.named_parameters(), *statistics):
            if values.numel() and not all(bool(edge.isfinite()) for edge in torch.aminmax(values)):
                raise UnusableInput(
                    sentence(
                        "The weights of {model} are damaged: {tensor} holds values that are not finite numbers. "
                        "Download or copy the model once more, or choose another.",
                        model=title,
                        tensor=name,
                    ),
                    code="source-weights",
                    file=weight_files.WEIGHTS,
                )


def refuse_large(values: int, modality: str) -> None:
    """Raises UnusableInput where a network of so many weights cannot be fine-tuned here."""
    most = MAX_CAUSAL if modality == "causal" else MAX_VALUES
    if values > most:
        raise UnusableInput(
            sentence(
                "This model has {millions} million weights; at most {most} million can be fine-tuned here.",
                millions=round(values / 1e6),
                most=most // 1_000_000,
            ),
            code="source-too-large",
            file=weight_files.WEIGHTS,
        )


def open_folder(folder: Path, source: SourceModel, revision: str | None = None) -> OpenSource:
    """Check a model folder and say how it is built. Raises UnusableInput with the reason."""
    with weight_files.known_as(folder, source.title):
        return _opened(folder, source, revision)


def _opened(folder: Path, source: SourceModel, revision: str | None) -> OpenSource:
    config = weight_files.read_config(folder)
    weights = weight_files.read_weights(folder)
    modality = modality_of(config)
    refuse_large(weights.values, modality)
    library: Library
    if modality in OF_TEXTS:
        preprocess, library = OF_TEXTS[modality].preprocess(folder, config), "transformers"
    elif "model_type" in config or "architectures" in config:
        preprocess, library = transformers_image.preprocess(folder, config), "transformers"
    elif "architecture" in config:
        preprocess, library = timm_image.preprocess(config), "timm"
    else:
        raise UnusableInput(
            sentence("config.json names no architecture: timm writes it as architecture, transformers as model_type."),
            code="source-architecture",
            file=weight_files.CONFIG,
        )
    return OpenSource(source, folder, library, config, preprocess, revision)
