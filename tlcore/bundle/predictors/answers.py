"""Bundles for extractive question answering."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, Field, PrivateAttr

from tlcore.bundle import layout, onnx_export, predict_program
from tlcore.bundle.predictors.contract import Feed, Input, Row
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.runtime.answer_spans import padded, said, windows
from tlcore.runtime.predict_answers import answers, gather
from tlcore.runtime.predict_images import cell

if TYPE_CHECKING:
    from tlcore.bundle.calibration import Calibration
    from tlcore.bundle.predictors.contract import Opened
    from tlcore.report.context import RunContext
    from tlcore.training.result import ArmResult

EXAMPLE = "example/questions.csv"
OUTPUTS = ("start_logits", "end_logits")


class Answering(BaseModel):
    """How an answer is selected (see `answer_spans.best_answer`).

    ``longest``: longest answer in tokens. ``no_answer``: margin by which the score of no answer must exceed the best
    answer's; None for a model that always answers.
    """

    longest: int = Field(ge=1, le=512)
    no_answer: float | None = Field(None, allow_inf_nan=False)


class Preprocessing(BaseModel):
    """How question and context are split into windows of at most ``max_length`` tokens: see `answer_spans.windows`."""

    kind: Literal["question-answering"]
    max_length: int = Field(ge=16, le=8192)
    overlap: int = Field(ge=0)
    question: int = Field(ge=1)
    pad: int = Field(ge=0)
    _tokenizer: Any = PrivateAttr(None)
    _answering: Answering = PrivateAttr()

    def one(self, source: Any) -> tuple[str, str, list[Any]]:
        """(question, context, windows) from a mapping with ``context`` and ``question``, or from (question, context).

        Raises UnusableInput if one is missing.
        """
        pair = (source.get("question"), source.get("context")) if isinstance(source, Mapping) else source
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(one, str) for one in pair)):
            raise UnusableInput(sentence("A question and a context are needed."), code="question")
        question, context = (one.replace("\x00", " ").encode("utf-8", "replace").decode().strip() for one in pair)
        if not context:
            raise UnusableInput(sentence("Its context is empty."), code="question")
        if not question:
            raise UnusableInput(sentence("Its question is empty."), code="question")
        return (
            question,
            context,
            windows(self._tokenizer, [(question, context)], self.max_length, self.overlap, self.question)[0],
        )

    def feed(self, prepared: Sequence[Any]) -> Feed:
        rows = [window for _, _, every in prepared for window in every]
        return dict(zip(("ids", "mask", "kinds"), padded(rows, self.pad), strict=True))


class Questions:
    id = "question-answering"
    things = "questions"
    weights = layout.TEXT_WEIGHTS
    needed = (*layout.NEEDED, "tokenizer.json", layout.ANSWERING)
    labelled = False
    worker = False
    knobs = ()
    confident = True
    requirement = predict_program.TEXTS

    def preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        return {
            "kind": self.id,
            "max_length": processor["size"],
            **{key: processor[key] for key in ("overlap", "question", "pad")},
        }

    def prepared(self, raw: bytes, read: Callable[[str], bytes]) -> Preprocessing:
        from tlcore.models.tokenization import open_tokenizer

        made = Preprocessing.model_validate_json(raw)
        if made.question + made.overlap + 4 >= made.max_length:
            raise ValueError("windows of this size hold no context")
        made._tokenizer = open_tokenizer(read("tokenizer.json").decode("utf-8", "replace"), made.max_length)
        made._answering = Answering.model_validate_json(read(layout.ANSWERING))
        return made

    def write(self, context: RunContext, calibration: Calibration, result: ArmResult, folder: Path) -> dict[str, Any]:
        """See `Kind`. The returned figures compare logits and the resulting answers."""
        processor = context.processor
        model = context.task.load(result.weights, context.source.source, processor["size"]).eval()
        layout.write_json(folder / "labels.json", [])
        layout.write_json(folder / layout.ANSWERING, {"longest": processor["answer"], "no_answer": model.no_answer})
        preprocessing = self.preprocessing(processor)
        layout.write_json(folder / "preprocessing.json", preprocessing)
        prepared = self.prepared(json.dumps(preprocessing).encode(), lambda name: (folder / name).read_bytes())
        rows = context.dataset.split("test")
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(onnx_export.CHECKED, len(rows))).astype(int))
        scored = result.outputs("test")[chosen]
        some = rows.iloc[chosen]
        inputs = [prepared.one(pair) for pair in zip(some["question"], some["text"], strict=True)]
        torch_says = _by_torch(model)
        try:
            _export(model, folder / "model.onnx")
            session = onnx_export.session(str(folder / "model.onnx"))
            run = partial(_by_onnx, session)
            facts = _agreement(run, torch_says, prepared, inputs, scored)
        except Exception as error:  # torch raises various error types for operators that ONNX lacks
            run, facts = torch_says, onnx_export.skipped(folder, error)
        else:
            facts["milliseconds"] = onnx_export.milliseconds(session, prepared.feed(inputs[:1]))
            facts["megabytes"] = round((folder / "model.onnx").stat().st_size / 1e6, 2)
        _example(run, prepared, inputs[0], folder)
        return facts

    def rows(self, bundle: Opened, waiting: Sequence[tuple[str, Any]]) -> Iterator[Row]:
        """The best answer to each question and its position in the context; '' if there is no answer."""
        prepared: Any = bundle.prepared
        found = _answers(partial(_by_onnx, bundle.session), prepared, [inputs for _, inputs in waiting])
        for (name, _), (words, place, sure) in zip(waiting, found, strict=True):
            yield Row(name, words, sure, spans=((*place, ""),) if words else ())

    def predict_py(self) -> str:
        return predict_program.predict_questions_py()

    def named(self, inputs: Iterable[Any]) -> Iterator[Input]:
        """See `Kind`. An input is a mapping with ``context`` and ``question``, or (name, mapping)."""
        for i, given in enumerate(inputs):
            if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping):
                yield str(given[0]), given[1], None
            else:
                yield str(i + 1), given, None

    def found_in(self, paths: Sequence[str | Path], column: str | None = None) -> Iterator[Input]:
        for name, pair, reason in gather([str(path) for path in paths]):
            yield name, pair, None if reason is None else _translated(reason)

    def done(self, n: int) -> Sentence:
        return sentence("{n} questions answered", n=n)

    def use(self, context: RunContext) -> str:
        return (
            "```sh\npip install -r requirements.txt\n"
            "python predict.py questions.csv --output predictions.csv\n"
            "python predict.py --context 'a text' --question 'a question on it'\n```\n\n"
            "A CSV, TSV or JSON lines has the columns `context` and `question`. An empty prediction means that the "
            "context gives no answer. `example/expected.json` says what `python predict.py example/questions.csv` "
            "gives for its one question.\n\n"
            "In Python, FOLDER being the unzipped bundle:\n\n"
            "```python\nimport torch\nfrom transformers import AutoModelForQuestionAnswering, AutoTokenizer\n"
            'model = AutoModelForQuestionAnswering.from_pretrained("FOLDER").eval()\n'
            'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\n'
            'given = tokenizer("a question", "a text", return_tensors="pt", truncation="only_second")\n'
            "with torch.inference_mode():\n    out = model(**given)  # start_logits, end_logits of each token\n```\n\n"
            "`preprocessing.json`: question and context in windows of `max_length` tokens, the question first and cut "
            "after `question` tokens, windows sharing `overlap` tokens of the context. `answering.json`: an answer has "
            "at most `longest` tokens, its score is the sum of the logits of its first and last token; there is no "
            "answer where the first token's two logits sum to more than that score and `no_answer` together (chosen "
            "on validation data; null: the model always answers). The confidence is a softmax over all spans.\n"
        )

    def limits(self) -> list[str]:
        return [
            "* It copies its answer out of the context: what is not written there in so many words it cannot say.",
            "* The scores hold for questions like those of the test set; other kinds of text, or another language, may "
            "do worse.",
        ]


def _export(model: Any, path: Path) -> None:
    """Export to ONNX: ids, mask and, if used, token types (n, t) to start and end logits, each (n, t)."""
    import torch
    from torch import nn

    class Apart(nn.Module):
        """The network with start and end logits as two outputs."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any, mask: Any, kinds: Any) -> tuple[Any, Any]:
            both = self.model(ids, mask, kinds)
            return both[..., 0], both[..., 1]

    if hasattr(model.net, "set_attn_implementation"):
        model.net.set_attn_implementation("eager")  # fused attention kernels cannot be traced
    ids, mask, kinds = (torch.ones(2, 7, dtype=torch.long) for _ in range(3))
    mask[1, 4:] = 0
    kinds[:, :3] = 0
    free = {0: "n", 1: "t"}
    onnx_export.export(
        Apart(),
        (ids, mask, kinds),
        path,
        {name: free for name in ("ids", "mask", "kinds")},
        {name: free for name in OUTPUTS},
    )


def _by_onnx(session: Any, ids: np.ndarray, mask: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Start and end logits (n, t, 2) by onnxruntime."""
    given = {"ids": ids, "mask": mask, "kinds": kinds}
    names = [one.name for one in session.get_inputs()]
    return np.stack(session.run(list(OUTPUTS), {name: given[name] for name in names}), axis=-1)


def _by_torch(model: Any) -> Callable[..., np.ndarray]:
    def run(*given: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            return model(*map(torch.from_numpy, given)).numpy()

    return run


def _answers(
    run: Callable[..., np.ndarray], prepared: Preprocessing, inputs: Sequence[Any]
) -> list[tuple[str, tuple[int, int], float]]:
    """(answer, (start, end) in characters, confidence) of each prepared question."""
    found = answers(run, [every for _, _, every in inputs], prepared.model_dump(), prepared._answering.model_dump())
    return [(*said(one[1], *best[:3]), float(best[3])) for one, best in zip(inputs, found, strict=True)]


def _agreement(
    run: Callable[..., np.ndarray],
    torch_says: Callable[..., np.ndarray],
    prepared: Preprocessing,
    inputs: Sequence[Any],
    scored: np.ndarray,
) -> dict[str, Any]:
    """Agreement of ONNX and torch on logits of real test questions, and on answers with ``scored`` as well.

    ``scored``: the outputs behind the report's scores.
    """
    largest_difference = 0.0
    for one in inputs:
        given = [*prepared.feed([one]).values()]
        largest_difference = max(largest_difference, float(np.abs(run(*given) - torch_says(*given)).max()))
    ours, theirs = ([one[:2] for one in _answers(how, prepared, inputs)] for how in (torch_says, run))
    report = [
        said(one[1], int(row["start"]), int(row["end"]), bool(row["none"]))
        for one, row in zip(inputs, scored, strict=True)
    ]
    same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    return {
        "n": len(inputs),
        "max_difference": largest_difference,
        "same_class": same,
        "same_class_report": sum(a == b for a, b in zip(theirs, report, strict=True)),
        "tolerance": onnx_export.TOLERANCE,
        "agrees": largest_difference <= onnx_export.TOLERANCE and same == len(inputs),
        "opset": onnx_export.OPSET,
    }


def _example(run: Callable[..., np.ndarray], prepared: Preprocessing, one: Any, folder: Path) -> None:
    """Write one test question with the model's answer, to verify an installation."""
    (folder / "example").mkdir()
    with (folder / EXAMPLE).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([["context", "question"], [cell(one[1]), cell(one[0])]])
    words, _, sure = _answers(run, prepared, [one])[0]
    layout.write_json(
        folder / "example" / "expected.json",
        {
            "input": EXAMPLE,
            "prediction": words,
            "confidence": sure,
            "tolerance": onnx_export.TOLERANCE,
        },
    )


def _translated(reason: str) -> Sentence:
    """A reason from `predict_answers` (plain text, since that script has no i18n) as a Sentence."""
    known = {
        "There is no such file.": sentence("There is no such file."),
        "It is not a table of questions (.csv, .tsv or .jsonl).": sentence(
            "It is not a table of questions (.csv, .tsv or .jsonl)."
        ),
        "It is larger than 2 GB.": sentence("It is larger than 2 GB."),
        "It has no columns named context and question.": sentence("It has no columns named context and question."),
        "It has no context and question.": sentence("It has no context and question."),
        "Its context is empty.": sentence("Its context is empty."),
        "Its question is empty.": sentence("Its question is empty."),
    }
    return known[reason]


KIND = Questions()
