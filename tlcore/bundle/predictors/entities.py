"""Bundles for named entity recognition."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, Field, PrivateAttr

from tlcore.bundle import layout, onnx_export, predict_program
from tlcore.bundle.predictors import texts
from tlcore.bundle.predictors.contract import Feed, Input, Row
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.runtime.predict_entities import answers
from tlcore.runtime.predict_texts import padded
from tlcore.runtime.text_spans import shown

if TYPE_CHECKING:
    from tlcore.bundle.calibration import Calibration
    from tlcore.bundle.predictors.contract import Opened
    from tlcore.report.context import RunContext
    from tlcore.training.result import ArmResult

BATCH = 16


class Preprocessing(BaseModel):
    """How a text becomes the network's input, and the tags of its outputs, in order."""

    kind: Literal["tokens"]
    max_length: int = Field(ge=4, le=8192)
    pad: int = Field(ge=0)
    tags: list[str] = Field(min_length=1, max_length=100_000)
    _tokenizer: Any = PrivateAttr(None)

    def one(self, source: Any) -> tuple[str, Any]:
        """(text, its tokenizer encoding). Raises UnusableInput if there is no text."""
        text = texts.plain(source)
        return text, self._tokenizer.encode(text)

    def feed(self, prepared: Sequence[tuple[str, Any]]) -> Feed:
        ids, mask = padded([one.ids for _, one in prepared], self.pad)
        return {"ids": ids, "mask": mask}

    def found(self, prepared: Sequence[tuple[str, Any]], logits: np.ndarray) -> list[Any]:
        """(entities, confidence) of each text, from logits (n, tokens, tags)."""
        return answers([text for text, _ in prepared], [one for _, one in prepared], logits, self.tags)


class Tokens:
    id = "tokens"
    things = "texts"
    weights = layout.TEXT_WEIGHTS
    needed = texts.KIND.needed
    labelled = worker = False
    knobs = ()
    confident = True
    requirement = predict_program.TEXTS

    def preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "tokens", "max_length": processor["size"], "pad": processor["pad"]}

    def prepared(self, raw: bytes, read: Callable[[str], bytes]) -> Preprocessing:
        from tlcore.models.tokenization import open_tokenizer

        made = Preprocessing.model_validate_json(raw)
        made._tokenizer = open_tokenizer(read("tokenizer.json").decode("utf-8", "replace"), made.max_length)
        return made

    def write(self, context: RunContext, calibration: Calibration, result: ArmResult, folder: Path) -> dict[str, Any]:
        layout.write_json(folder / "labels.json", [])
        preprocessing = {**self.preprocessing(context.processor), "tags": context.target["labels"]}
        layout.write_json(folder / "preprocessing.json", preprocessing)
        prepared = self.prepared(json.dumps(preprocessing).encode(), lambda name: (folder / name).read_bytes())
        rows = context.dataset.split("test")
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(onnx_export.CHECKED, len(rows))).astype(int))
        inputs = [prepared.one(text) for text in rows["text"].iloc[chosen]]
        model = context.task.load(result.weights, context.source.source, context.processor["size"]).eval()
        ours = [_by_torch(model, prepared.feed(part)) for part in _parts(inputs)]
        try:
            _export(model, folder / "model.onnx")
            session = onnx_export.session(str(folder / "model.onnx"))
            theirs = [onnx_export.run(session, prepared.feed(part)) for part in _parts(inputs)]
        except Exception as error:  # torch raises various error types for operators that ONNX lacks
            facts = onnx_export.skipped(folder, error)
        else:
            facts = _agreement(prepared, inputs, ours, theirs)
            facts["milliseconds"] = onnx_export.milliseconds(session, prepared.feed(inputs[:1]))
            facts["megabytes"] = round((folder / "model.onnx").stat().st_size / 1e6, 2)
        (folder / "example").mkdir()
        ((found, sure),) = prepared.found(inputs[:1], ours[0][:1])
        layout.write_json(
            folder / "example" / "expected.json",
            {
                "input": texts.KIND.example(context, rows.iloc[chosen[0]], folder),
                "prediction": shown(inputs[0][0], found),
                "confidence": sure,
                "entities": found,
                "tolerance": onnx_export.TOLERANCE,
            },
        )
        return facts

    def rows(self, bundle: Opened, waiting: Sequence[tuple[str, Any]]) -> Iterator[Row]:
        inputs = [one for _, one in waiting]
        logits = onnx_export.run(bundle.session, bundle.prepared.feed(inputs))
        if logits.ndim != 3 or logits.shape[2] != len(bundle.prepared.tags):
            raise UnusableInput(sentence("The bundle's network gives something else than its tags."), code="bundle")
        for (name, (text, _)), (found, sure) in zip(waiting, bundle.prepared.found(inputs, logits), strict=True):
            yield Row(name, shown(text, found), sure, spans=tuple(found))

    def predict_py(self) -> str:
        return predict_program.predict_tokens_py()

    def named(self, inputs: Iterable[Any]) -> Iterator[Input]:
        return texts.KIND.named(inputs)

    def found_in(self, paths: Sequence[str | Path], column: str | None = None) -> Iterator[Input]:
        return texts.KIND.found_in(paths, column)

    def done(self, n: int) -> Sentence:
        return texts.KIND.done(n)

    def use(self, context: RunContext) -> str:
        return (
            "```sh\npip install -r requirements.txt\n"
            "python predict.py texts.csv --output predictions.csv --places\n"
            "python predict.py --text 'one text'\n```\n\n"
            "A CSV or TSV has a header row and a column `text` (or name one with `--column`); a TXT has one text a "
            "line. `example/expected.json` says what `python predict.py example/texts.csv` gives for its one text.\n\n"
            "In Python, FOLDER being the unzipped bundle:\n\n"
            "```python\nfrom safetensors.torch import load_file\nfrom transformers import AutoModel, AutoTokenizer\n"
            'encoder = AutoModel.from_pretrained("FOLDER").eval()\n'
            'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\n'
            'weights = load_file("FOLDER/model.safetensors")  # holds head.weight and head.bias too\n'
            'given = tokenizer(["one text"], return_tensors="pt", truncation=True, padding=True)\n'
            'hidden = encoder(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).last_hidden_state\n'
            'logits = hidden @ weights["head.weight"].T + weights["head.bias"]  # of each token\n```\n\n'
            "`preprocessing.json`: the text is cut after `max_length` tokens; `tags` are in the order of the outputs. "
            "A word (a run of letters and digits, or one sign) has the tag of its first token; B- begins an entity, I- "
            "goes on with one.\n"
        )

    def limits(self) -> list[str]:
        return [
            "* It knows these kinds of entity only, and it takes each word for what it mostly was in training.",
            "* What lies behind the cut of a long text is not looked at.",
            "* The scores hold for texts like those of the test set; another language, time or group of writers may "
            "do worse.",
        ]


def _export(model: Any, path: Path) -> None:
    import torch

    class Each(torch.nn.Module):
        """The network with per-token logits as its output."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.model.each(ids, mask)

    free = {"ids": {0: "n", 1: "t"}, "mask": {0: "n", 1: "t"}}
    onnx_export.export(Each(), texts.traced(model), path, free, {onnx_export.OUTPUT: {0: "n", 1: "t"}})


def _by_torch(model: Any, feed: Feed) -> np.ndarray:
    import torch

    with torch.inference_mode():
        return model.each(*(torch.from_numpy(value) for value in feed.values())).float().numpy()


def _agreement(
    prepared: Preprocessing, inputs: Sequence[Any], ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Agreement of ONNX and torch: differences of token logits, and number of test texts with the same entities."""
    largest_difference, same = 0.0, 0
    for part, mine, its in zip(_parts(inputs), ours, theirs, strict=True):
        real = prepared.feed(part)["mask"] > 0
        largest_difference = max(largest_difference, float(np.abs(mine - its)[real].max()))
        same += sum(a[0] == b[0] for a, b in zip(prepared.found(part, mine), prepared.found(part, its), strict=True))
    return {
        "n": len(inputs),
        "max_difference": largest_difference,
        "same_class": same,
        "tolerance": onnx_export.TOLERANCE,
        "agrees": largest_difference <= onnx_export.TOLERANCE and same == len(inputs),
        "opset": onnx_export.OPSET,
    }


def _parts(inputs: Sequence[Any]) -> list[Sequence[Any]]:
    return [inputs[i : i + BATCH] for i in range(0, len(inputs), BATCH)]


KIND = Tokens()
