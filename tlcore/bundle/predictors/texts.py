"""Bundles for text classification."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, PrivateAttr

from tlcore.bundle import layout, onnx_export, predict_program
from tlcore.bundle.predictors import classifiers
from tlcore.bundle.predictors.contract import Feed, Input, Row
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.runtime.predict_images import cell
from tlcore.runtime.predict_texts import first, gather, padded

if TYPE_CHECKING:
    from tlcore.bundle.calibration import Calibration
    from tlcore.bundle.predictors.contract import Opened
    from tlcore.report.context import RunContext
    from tlcore.training.result import ArmResult

EXAMPLE = "example/texts.csv"


class Preprocessing(BaseModel):
    """How a text becomes the network's input: by ``tokenizer.json``, truncated to ``max_length`` tokens, padded."""

    kind: Literal["text"]
    max_length: int = Field(ge=4, le=8192)
    pad: int = Field(ge=0)
    _tokenizer: Any = PrivateAttr(None)

    def one(self, source: Any) -> list[int]:
        """The token ids of a text. Raises UnusableInput if there is no text."""
        return self._tokenizer.encode(plain(source)).ids

    def feed(self, prepared: Sequence[list[int]]) -> Feed:
        ids, mask = padded(prepared, self.pad)
        return {"ids": ids, "mask": mask}


class Texts:
    id = "text"
    things = "texts"
    weights = layout.TEXT_WEIGHTS
    needed = (*layout.NEEDED, "tokenizer.json")
    labelled = True
    worker = False
    knobs = ()
    confident = True
    requirement = predict_program.TEXTS

    def preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "text", "max_length": processor["size"], "pad": processor["pad"]}

    def prepared(self, raw: bytes, read: Callable[[str], bytes]) -> Preprocessing:
        from tlcore.models.tokenization import open_tokenizer

        made = Preprocessing.model_validate_json(raw)
        made._tokenizer = open_tokenizer(read("tokenizer.json").decode("utf-8", "replace"), made.max_length)
        return made

    def export(self, model: Any, processor: dict[str, Any], path: Path) -> None:
        onnx_export.export(model, traced(model), path, {"ids": {0: "n", 1: "t"}, "mask": {0: "n", 1: "t"}})

    def sources(self, context: RunContext, rows: Any) -> list[str]:
        return rows["text"].tolist()

    def example(self, context: RunContext, row: Any, folder: Path) -> str:
        with (folder / EXAMPLE).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([["text"], [cell(row["text"])]])
        return EXAMPLE

    def write(self, context: RunContext, calibration: Calibration, result: ArmResult, folder: Path) -> dict[str, Any]:
        return classifiers.write(self, context, calibration, result, folder)

    def rows(self, bundle: Opened, waiting: Sequence[tuple[str, Any]]) -> Iterator[Row]:
        return classifiers.rows(bundle, waiting)

    def predict_py(self) -> str:
        return predict_program.predict_text_py()

    def named(self, inputs: Iterable[Any]) -> Iterator[Input]:
        for i, given in enumerate(inputs):
            name, text = given if isinstance(given, tuple) else (str(i + 1), given)
            yield name, text, None

    def found_in(self, paths: Sequence[str | Path], column: str | None = None) -> Iterator[Input]:
        for name, text, reason in gather([str(path) for path in paths], None, first(column)):
            yield name, text, None if reason is None else translated(reason)

    def done(self, n: int) -> Sentence:
        return sentence("{n} texts predicted", n=n)

    def use(self, context: RunContext) -> str:
        return (
            "```sh\npip install -r requirements.txt\n"
            "python predict.py texts.csv --output predictions.csv\npython predict.py --text 'one text'\n```\n\n"
            "A CSV or TSV has a header row and a column `text` (or name one with `--column`); a TXT has one text a "
            "line. `example/expected.json` says what `python predict.py example/texts.csv` gives for its one text.\n\n"
            "In Python, FOLDER being the unzipped bundle:\n\n"
            "```python\nfrom safetensors.torch import load_file\nfrom transformers import AutoModel, AutoTokenizer\n"
            'encoder = AutoModel.from_pretrained("FOLDER").eval()\n'
            'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\n'
            'weights = load_file("FOLDER/model.safetensors")  # holds head.weight and head.bias too\n'
            'given = tokenizer(["one text"], return_tensors="pt", truncation=True, padding=True)\n'
            'mask = given["attention_mask"][..., None]\n'
            'hidden = encoder(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).last_hidden_state\n'
            "features = (hidden * mask).sum(1) / mask.sum(1)\n"
            'logits = features @ weights["head.weight"].T + weights["head.bias"]\n```\n\n'
            "`preprocessing.json`: the text is cut after `max_length` tokens. A pooler that transformers reports as "
            "missing is not used: the head sits on the mean of the token vectors. `labels.json` is in the order of "
            "the outputs, which are logits; they are divided by `temperature` of `calibration.json` before the "
            "softmax. Where that file has a `threshold`, each label has a probability of its own (a sigmoid), and "
            "those from the threshold up are the answer: each label's own among `thresholds`, in the order of "
            "`labels.json`, where there are such.\n"
        )

    def limits(self) -> list[str]:
        return [
            "* It knows these classes only: a text about anything else is judged by them too, and perhaps confidently.",
            "* The scores hold for texts like those of the test set; another language, time or group of writers may "
            "do worse.",
        ]


def plain(source: Any) -> str:
    """The cleaned text, without surrounding blanks. Raises UnusableInput if there is no text."""
    if not isinstance(source, str):
        raise UnusableInput(sentence("It is not a text."), code="text")
    text = source.replace("\x00", "").strip()
    if not text:
        raise UnusableInput(sentence("It has no text."), code="text")
    return text.encode("utf-8", "replace").decode()


def traced(model: Any) -> tuple[Any, Any]:
    """Example inputs (ids, mask) for the ONNX export of a text network; sets its attention to a traceable one."""
    import torch

    encoder = model.net.encoder
    if hasattr(encoder, "set_attn_implementation"):
        encoder.set_attn_implementation("eager")  # fused attention kernels cannot be traced
    ids, mask = torch.ones(2, 7, dtype=torch.long), torch.ones(2, 7, dtype=torch.long)
    mask[1, 4:] = 0
    return ids, mask


def translated(reason: str) -> Sentence:
    """A reason from `predict_texts` (plain text, since that script has no i18n) as a Sentence."""
    known = {
        "There is no such file.": sentence("There is no such file."),
        "It is not a table or a list of texts (.csv, .tsv or .txt).": sentence(
            "It is not a table or a list of texts (.csv, .tsv or .txt)."
        ),
        "It has no column of texts; name the column text.": sentence(
            "It has no column of texts; name the column text."
        ),
        "It is larger than 2 GB.": sentence("It is larger than 2 GB."),
        "It has no text.": sentence("It has no text."),
        "It has more or fewer cells than the header.": sentence("It has more or fewer cells than the header."),
        "It cannot be read; a quotation mark may never be closed.": sentence(
            "It cannot be read; a quotation mark may never be closed."
        ),
    }
    return known[reason]


KIND = Texts()
