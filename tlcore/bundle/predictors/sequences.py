"""Bundles for sequence-to-sequence tasks (text in, text out)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, PrivateAttr

from tlcore.bundle import layout, predict_program
from tlcore.bundle.predictors import texts
from tlcore.bundle.predictors.contract import Feed, Input, Knob, Row
from tlcore.core.i18n import sentence
from tlcore.models import pair_tokenization, tokenization
from tlcore.models.tokenization import open_tokenizer
from tlcore.runtime.predict_sequences import SOURCES
from tlcore.runtime.predict_texts import first, gather, padded

if TYPE_CHECKING:
    from tlcore.bundle.calibration import Calibration
    from tlcore.bundle.predictors.contract import Opened
    from tlcore.report.context import RunContext
    from tlcore.training.result import ArmResult

NO_ONNX = sentence(
    "A network that writes text token by token is not written as ONNX; predict.py runs its weights with torch and "
    "transformers."
)


class Preprocessing(BaseModel):
    """How a text becomes the network's input, and the longest output (``most``), in tokens."""

    kind: Literal["seq2seq"]
    max_length: int = Field(ge=4, le=8192)
    most: int = Field(ge=1, le=8192)
    pad: int = Field(ge=0)
    prefix: str = Field(max_length=200)
    _source: Any = PrivateAttr(None)
    _target: Any = PrivateAttr(None)
    _network: Any = PrivateAttr(None)

    def one(self, source: Any) -> list[int]:
        """The token ids of a text, with the prefix. Raises UnusableInput if there is no text."""
        return self._source.encode(self.prefix + texts.plain(source)).ids

    def feed(self, prepared: Sequence[list[int]]) -> Feed:
        ids, mask = padded(prepared, self.pad)
        return {"ids": ids, "mask": mask}

    def network(self, folder: Path) -> Any:
        """The network of an unpacked bundle, cached. Raises UnusableInput."""
        from tlcore.models.loading import open_folder
        from tlcore.models.local_folders import from_folder

        if self._network is None:
            known = from_folder(folder, "bundle", "bundle")
            self._network = open_folder(folder, known).build(None, True).eval()
        return self._network

    def read(self, ids: Any) -> list[str]:
        """The decoded texts of rows of token ids; negative ids are padding."""
        return [text.strip() for text in self._target.decode_batch([row[row >= 0].tolist() for row in ids])]


class Sequences:
    """Kind whose inputs are read as by `Texts` and whose outputs are texts."""

    id = "seq2seq"
    things = "texts"
    weights = layout.PAIR_WEIGHTS
    needed = (
        *layout.NEEDED,
        "model.safetensors",
        "config.json",
        tokenization.TOKENIZER,
        pair_tokenization.TARGET,
    )
    labelled = False
    worker = True
    knobs = (
        Knob(
            "beams",
            sentence("Beams"),
            1,
            8,
            1,
            1,
            sentence(
                "How many texts are followed at once, of which the likeliest is "
                "given; 1 takes the likeliest token each time."
            ),
        ),
    )
    confident = False
    requirement = predict_program.TEXTS
    named = staticmethod(texts.KIND.named)
    done = staticmethod(texts.KIND.done)

    def preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        return {
            "kind": "seq2seq",
            "max_length": processor["size"],
            "most": processor["target"],
            "pad": processor["pad"],
            "prefix": processor["prefix"],
        }

    def prepared(self, raw: bytes, read: Callable[[str], bytes]) -> Preprocessing:
        made = Preprocessing.model_validate_json(raw)
        made._source, made._target = (
            open_tokenizer(read(name).decode("utf-8", "replace"), length)
            for name, length in ((tokenization.TOKENIZER, made.max_length), (pair_tokenization.TARGET, made.most))
        )
        return made

    def write(self, context: RunContext, calibration: Calibration, result: ArmResult, folder: Path) -> dict[str, Any]:
        """See `Kind`. No labels, no ONNX; the example's expected output comes from the bundle itself."""
        layout.write_json(folder / "labels.json", [])
        preprocessing = self.preprocessing(context.processor)
        layout.write_json(folder / "preprocessing.json", preprocessing)
        prepared = self.prepared(json.dumps(preprocessing).encode(), lambda name: (folder / name).read_bytes())
        text = context.dataset.split("test")["text"].iloc[0]
        (folder / "example").mkdir()
        name = texts.KIND.example(context, {"text": text}, folder)
        written = _write(prepared, prepared.network(folder), [prepared.one(text)], 1)
        expected = {"input": name, "prediction": written[0], "beams": 1}
        layout.write_json(folder / "example" / "expected.json", expected)
        return {"n": 0, "agrees": None, "skipped": NO_ONNX.model_dump()}

    def rows(self, bundle: Opened, waiting: Sequence[tuple[str, Any]]) -> Iterator[Row]:
        prepared: Any = bundle.prepared
        network = prepared.network(bundle.folder)
        written = _write(prepared, network, [inputs for _, inputs in waiting], int(bundle.settings["beams"]))
        for (name, _), text in zip(waiting, written, strict=True):
            yield Row(name, text)

    def found_in(self, paths: Sequence[str | Path], column: str | None = None) -> Iterator[Input]:
        for name, text, reason in gather([str(path) for path in paths], None, first(column, SOURCES)):
            yield name, text, None if reason is None else texts.translated(reason)

    def predict_py(self) -> str:
        return predict_program.predict_sequences_py()

    def use(self, context: RunContext) -> str:
        return (
            "```sh\npip install -r requirements.txt\n"
            "python predict.py texts.csv --output predictions.csv\n"
            "python predict.py --text 'one text' --beams 4\n```\n\n"
            "A CSV or TSV has a header row and a column `text` (or name one with `--column`); a TXT has one text a "
            "line. `example/expected.json` says what `python predict.py example/texts.csv` gives for its one text.\n\n"
            "In Python, FOLDER being the unzipped bundle:\n\n"
            "```python\nfrom tokenizers import Tokenizer\n"
            "from transformers import AutoModelForSeq2SeqLM, AutoTokenizer\n"
            'model = AutoModelForSeq2SeqLM.from_pretrained("FOLDER").eval()\n'
            'source = AutoTokenizer.from_pretrained("FOLDER")\n'
            'target = Tokenizer.from_file("FOLDER/target_tokenizer.json")\n'
            f'given = source({context.processor["prefix"]!r} + "one text", return_tensors="pt", truncation=True)\n'
            'out = model.generate(input_ids=given["input_ids"], attention_mask=given["attention_mask"], '
            f"max_new_tokens={context.processor['target']})\n"
            "print(target.decode(out[0].tolist()))\n```\n\n"
            "The two sides have tokenizers of their own: `tokenizer.json` reads, `target_tokenizer.json` writes. "
            "`preprocessing.json`: a text is read with `prefix` before it and cut after `max_length` tokens; an answer "
            "has at most `most`.\n"
        )

    def limits(self) -> list[str]:
        return [
            "* It may leave things out, make things up or repeat itself, in fluent sentences; what it writes needs a "
            "reader who can check it.",
            "* The scores hold for texts like those of the test set; another subject, style or length may do worse.",
        ]


def _write(prepared: Preprocessing, network: Any, inputs: Sequence[list[int]], beams: int) -> list[str]:
    import torch

    feed = prepared.feed(inputs)
    with torch.inference_mode():
        ids = network.write(torch.from_numpy(feed["ids"]), torch.from_numpy(feed["mask"]), prepared.most, beams)
    return prepared.read(ids.numpy())


KIND = Sequences()
