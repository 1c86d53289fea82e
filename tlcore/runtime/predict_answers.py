"""Answers questions with this bundle alone. Install the packages in requirements.txt first.

    python predict.py INPUT... [--output predictions.csv]
    python predict.py --context "a text" --question "a question on it"

INPUT is a CSV or TSV with a header row, or JSON lines, with the columns context and question. The table has the columns
input, prediction and confidence. input is the file and the row, where the header of a CSV is row 1. An empty
prediction means that the context has no answer. Inputs that cannot be read are reported on standard error with the
reason; with --output they are also listed in a file next to the output.
"""

import argparse
import csv
import json
import sys
from itertools import chain
from pathlib import Path

import numpy as np

from tlcore.runtime.answer_spans import best_answer, padded, said, windows

# studio: in a bundle's predict.py these imports from tlcore are replaced by the source of the functions
from tlcore.runtime.predict_images import cell, uncell, write_table
from tlcore.runtime.predict_texts import encoding_of

HERE = Path(__file__).resolve().parent
BATCH = 16
PIECE = 32  # windows per batch
MOST_BYTES = 2_000_000_000  # of one file
CONTEXT = (
    "context",
    "contexto",
    "passage",
    "passagem",
    "paragraph",
    "parágrafo",
    "paragrafo",
    "text",
    "texto",
    "document",
    "documento",
)
QUESTION = ("question", "pergunta", "questão", "questao", "query", "q")


def gather(inputs):
    """All questions of the inputs as (file:row, (question, context) or None, rejection reason or None), in order."""
    for given in inputs:
        path = Path(given)
        kind = path.suffix.lower()
        if not path.is_file():
            yield str(given), None, "There is no such file."
        elif kind not in (".csv", ".tsv", ".jsonl", ".ndjson"):
            yield str(given), None, "It is not a table of questions (.csv, .tsv or .jsonl)."
        elif path.stat().st_size > MOST_BYTES:
            yield str(given), None, "It is larger than 2 GB."
        else:
            yield from _from_lines(path) if kind in (".jsonl", ".ndjson") else _from_table(path, kind)


def _from_table(path, kind):
    csv.field_size_limit(64_000_000)
    with path.open(encoding=encoding_of(path), errors="replace", newline="") as file:
        sample = file.readline()
        file.seek(0)
        separator = "\t" if kind == ".tsv" else max(",;\t|", key=sample.count)
        table = csv.reader(file, delimiter=separator)
        header = [name.strip() for name in next(table, [])]
        columns = _columns(header)
        if columns is None:
            yield path.name, None, "It has no columns named context and question."
            return
        for number, cells in enumerate(table, start=2):
            if any(value.strip() for value in cells):
                yield _checked(path, number, *(uncell(cells[at]) if at < len(cells) else "" for at in columns))


def _from_lines(path):
    with path.open(encoding=encoding_of(path), errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            names = list(record) if isinstance(record, dict) else []
            columns = _columns(names)
            if columns is None:
                yield f"{path.name}:{number}", None, "It has no context and question."
            else:
                yield _checked(path, number, *(record[names[at]] for at in columns))


def _columns(names):
    """The column indices [context, question], by the names in the header; None unless both are there."""
    plain = ["".join(c for c in str(name).lower() if c.isalnum()) for name in names]
    found = [next((plain.index(name) for name in known if name in plain), None) for known in (CONTEXT, QUESTION)]
    return None if None in found else found


def _checked(path, number, context, question):
    name = f"{path.name}:{number}"
    context, question = (
        value.replace("\x00", " ").strip() if isinstance(value, str) else "" for value in (context, question)
    )
    if not context:
        return name, None, "Its context is empty."
    if not question:
        return name, None, "Its question is empty."
    return name, (question, context), None


def network():
    """A function from ids, mask and kinds, each (n, tokens), to logits (n, tokens, 2).

    It runs model.onnx, or the weights with torch if there is no such file.
    """
    if (HERE / "model.onnx").exists():
        import onnxruntime

        session = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=["CPUExecutionProvider"])
        known = [one.name for one in session.get_inputs()]

        def run(ids, mask, kinds):
            given = {"ids": ids, "mask": mask, "kinds": kinds}
            return np.stack(session.run(None, {name: given[name] for name in known}), axis=-1)

        return run
    import torch
    from transformers import AutoModelForQuestionAnswering

    model = AutoModelForQuestionAnswering.from_pretrained(HERE).eval()
    typed = (getattr(model.config, "type_vocab_size", 0) or 0) > 1

    def by_torch(ids, mask, kinds):
        with torch.inference_mode():
            given = {"token_type_ids": torch.from_numpy(kinds)} if typed else {}
            out = model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask), **given)
            return torch.stack([out.start_logits, out.end_logits], dim=-1).numpy()

    return by_torch


def answers(run, every, preprocessing, how):
    """(answer, (start, end), confidence) of each question.

    ``every`` has the windows of each question; ``run`` is the network.
    """
    flat = [one for windows_of_one in every for one in windows_of_one]
    logits = []
    for start in range(0, len(flat), PIECE):
        piece = flat[start : start + PIECE]
        logits += [row[: len(one[0])] for row, one in zip(run(*padded(piece, preprocessing["pad"])), piece)]  # noqa: B905
    out, at = [], 0
    for windows_of_one in every:
        scores = logits[at : at + len(windows_of_one)]
        at += len(windows_of_one)
        out.append(best_answer(scores, [one[2] for one in windows_of_one], how["longest"], how["no_answer"]))
    return out


def main():
    """Read the command line, answer the questions, write the table. Returns 2 if nothing could be read."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("input", nargs="*", help="a CSV, TSV or JSON lines with context and question")
    arguments.add_argument("--context", help="one text")
    arguments.add_argument("--question", help="a question on it")
    arguments.add_argument("--output", help="the table to write; without it the table goes to standard output")
    asked = arguments.parse_args()
    if not asked.input and not (asked.context and asked.question):
        arguments.error("give a file of questions, or --context and --question")
    from tokenizers import Tokenizer

    preprocessing = json.loads((HERE / "preprocessing.json").read_text(encoding="utf-8"))
    how = json.loads((HERE / "answering.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_str((HERE / "tokenizer.json").read_text(encoding="utf-8"))
    run = network()

    def rows(pairs):
        every = windows(
            tokenizer, pairs, preprocessing["max_length"], preprocessing["overlap"], preprocessing["question"]
        )
        for (_, context), one in zip(pairs, answers(run, every, preprocessing, how)):  # noqa: B905
            yield [cell(said(context, *one[:3])[0]), f"{one[3]:.6f}"]

    given = []
    if asked.context and asked.question:
        given = [("question", (asked.question.strip(), asked.context.strip()), None)]
    header = ["input", "prediction", "confidence"]
    return write_table(chain(given, gather(asked.input)), header, tuple, rows, asked.output)


if __name__ == "__main__":
    sys.exit(main())
