"""Bundles for text generation (causal language models)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, PrivateAttr

from tlcore.bundle import layout, predict_program
from tlcore.bundle.predictors import texts
from tlcore.bundle.predictors.contract import Feed, Input, Knob, Row
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.runtime.generation import begun, continued, readable
from tlcore.runtime.predict_continuations import PROMPTS
from tlcore.runtime.predict_texts import first, gather

if TYPE_CHECKING:
    from tlcore.bundle.calibration import Calibration
    from tlcore.bundle.predictors.contract import Opened
    from tlcore.report.context import RunContext
    from tlcore.training.result import ArmResult

KEPT = ("before", "after", "bos", "end", "context")
SETTINGS = {"length": 64, "temperature": 0.0, "top_p": 1.0, "seed": 0}


class Preprocessing(BaseModel):
    """How a prompt becomes token ids: text before and after it, BOS and end token ids, context length in tokens."""

    kind: Literal["generation"]
    before: str
    after: str
    bos: int | None = Field(ge=0)
    end: int | None = Field(ge=0)
    context: int = Field(ge=8, le=8192)
    _tokenizer: Any = PrivateAttr(None)
    _model: Any = PrivateAttr(None)

    def one(self, source: Any) -> str:
        """The cleaned prompt: no NUL characters, no surrounding blanks. Raises UnusableInput if there is no text."""
        if not isinstance(source, str):
            raise UnusableInput(sentence("It is not a text."), code="text")
        text = source.replace("\x00", "").strip()
        if not text:
            raise UnusableInput(sentence("It has no text."), code="text")
        return text.encode("utf-8", "replace").decode()

    def feed(self, prepared: Sequence[str]) -> Feed:
        raise ValueError("a network that writes is not fed by arrays")

    def written(self, model: Any, text: str, settings: dict[str, Any]) -> str:
        """The generated continuation of a prompt."""
        stored = self.model_dump()
        made = continued(model, begun(self._tokenizer, stored, text, int(settings["length"])), stored, settings)
        return readable(self._tokenizer.decode(made))


class Generation:
    id = "generation"
    things = "texts"
    weights = layout.TEXT_WEIGHTS
    needed = (*layout.NEEDED, "model.safetensors", "tokenizer.json")
    labelled = False
    worker = True
    knobs = (
        Knob(
            "length",
            sentence("Length"),
            1,
            512,
            SETTINGS["length"],
            1,
            sentence("Tokens (parts of words) to write at most; about four letters each."),
        ),
        Knob(
            "temperature",
            sentence("Temperature"),
            0.0,
            2.0,
            SETTINGS["temperature"],
            0.1,
            sentence("0 writes the likeliest word each time; the higher, the more varied and the less sensible."),
        ),
        Knob(
            "top_p",
            sentence("Top-p"),
            0.05,
            1.0,
            SETTINGS["top_p"],
            0.05,
            sentence("Choose among the likeliest words that together have this share; 1: among all."),
        ),
        Knob(
            "seed", sentence("Seed"), 0, 1_000_000, SETTINGS["seed"], 1, sentence("The same seed writes the same text.")
        ),
    )
    confident = False
    requirement = predict_program.TEXTS

    def preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        return {"kind": self.id, **{name: processor[name] for name in KEPT}}

    def prepared(self, raw: bytes, read: Callable[[str], bytes]) -> Preprocessing:
        from tlcore.models.tokenization import open_tokenizer

        made = Preprocessing.model_validate_json(raw)
        made._tokenizer = open_tokenizer(read("tokenizer.json").decode("utf-8", "replace"), 1_000_000)
        return made

    def write(self, context: RunContext, calibration: Calibration, result: ArmResult, folder: Path) -> dict[str, Any]:
        """See `Kind`. Writes the preprocessing and an example with its greedy continuation; no ONNX."""
        from tlcore.tasks.text_generation.continuations import halves

        layout.write_json(folder / "labels.json", [])
        layout.write_json(folder / "preprocessing.json", self.preprocessing(context.processor))
        prompt = halves(context.dataset.split("test").head(1))[0][0]
        raw = (folder / "preprocessing.json").read_bytes()
        prepared = self.prepared(raw, lambda name: (folder / name).read_bytes())
        model = context.task.load(result.weights, context.source.source, context.processor["size"]).eval()
        (folder / "example").mkdir()
        texts.KIND.example(context, {"text": prompt}, folder)
        layout.write_json(
            folder / "example" / "expected.json",
            {
                "input": texts.EXAMPLE,
                "prediction": prepared.written(model.net, prepared.one(prompt), SETTINGS),
                "settings": SETTINGS,
            },
        )
        return {
            "n": 0,
            "agrees": None,
            "skipped": sentence(
                "A model that writes has no ONNX file: predict.py runs its weights with torch and transformers.",
            ).model_dump(),
        }

    def rows(self, bundle: Opened, waiting: Sequence[tuple[str, Any]]) -> Iterator[Row]:
        """The continuation of each prompt, with the bundle's settings."""
        if bundle.prepared._model is None:
            bundle.prepared._model = _network(bundle)
        for name, text in waiting:
            yield Row(name, bundle.prepared.written(bundle.prepared._model, text, bundle.settings))

    def predict_py(self) -> str:
        return predict_program.predict_generation_py()

    def named(self, inputs: Iterable[Any]) -> Iterator[Input]:
        return texts.KIND.named(inputs)

    def found_in(self, paths: Sequence[str | Path], column: str | None = None) -> Iterator[Input]:
        for name, text, reason in gather([str(path) for path in paths], None, first(column, PROMPTS)):
            yield name, text, None if reason is None else texts.translated(reason)

    def done(self, n: int) -> Sentence:
        return sentence("{n} texts written", n=n)

    def use(self, context: RunContext) -> str:
        texts = {
            "plain": "It goes on writing where the text stops.",
            "completion": "A prompt is followed by one line break, as in training; the completion begins behind it.",
            "chat": "A prompt is what a user says; `before` and `after` of `preprocessing.json` stand around it.",
        }[context.processor["form"]]
        return (
            "```sh\npip install -r requirements.txt\n"
            "python predict.py --text 'how it begins' --length 64 --temperature 0.8 --top-p 0.95 --seed 0\n"
            "python predict.py prompts.csv --output predictions.csv\n```\n\n"
            f"{texts} A CSV or TSV has a header row and a column `text` or `prompt`; a TXT has one prompt a line. "
            "`example/expected.json` says what `python predict.py example/texts.csv` gives.\n\n"
            "In Python, FOLDER being the unzipped bundle:\n\n"
            "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n"
            'model = AutoModelForCausalLM.from_pretrained("FOLDER").eval()\n'
            'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\n```\n\n'
            "There is no ONNX file: without a cache of what was read it would compute every token anew for each one "
            "that it writes.\n"
        )

    def limits(self) -> list[str]:
        return [
            "* It writes what is likely, not what is true; nothing that it states was checked.",
            "* It may repeat what it was trained on word for word, personal data included.",
            "* The scores hold for texts like those of the test set. A perplexity depends on the tokenizer: compare "
            "models with another one by bits per character.",
        ]


def _network(bundle: Opened) -> Any:
    """The bundle's network, loaded with the same checks as any untrusted model."""
    from tlcore.models.loading import load
    from tlcore.models.source_model import SourceModel

    return load(bundle.folder, SourceModel(id="bundle", title=bundle.manifest.name or "bundle"), None).eval().net


KIND = Generation()
