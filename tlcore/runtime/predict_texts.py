"""Classifies texts with this bundle alone. Install the packages in requirements.txt first.

    python predict.py INPUT... [--output predictions.csv] [--column text]
    python predict.py --text "one text"

INPUT is a CSV or TSV with a header row and a column of texts, or a TXT with one text per line. The table has the
columns input, prediction and confidence, then one column per class. input is the file and the row, where the header is
row 1. If a text may have several labels, the prediction is all of them, joined by semicolons. Inputs that cannot be
read are reported on standard error with the reason; with --output they are also listed in a file next to the output.
"""

import argparse
import csv
import json
import sys
from itertools import chain
from pathlib import Path

import numpy as np

# studio: in a bundle's predict.py the next line is replaced by the source of the functions
from tlcore.runtime.predict_images import answer, cell, probabilities, said, uncell, write_table  # noqa: F401

HERE = Path(__file__).resolve().parent
BATCH = 16
MOST_BYTES = 2_000_000_000  # per file
TEXT_COLUMNS = (
    "text",
    "texto",
    "sentence",
    "frase",
    "content",
    "conteúdo",
    "conteudo",
    "review",
    "avaliação",
    "avaliacao",
    "comment",
    "comentário",
    "comentario",
    "message",
    "mensagem",
    "tweet",
    "tweettext",
    "utterance",
    "document",
    "documento",
    "body",
    "description",
    "descrição",
    "descricao",
    "question",
    "pergunta",
    "title",
    "título",
)


def gather(inputs, column, names=TEXT_COLUMNS):
    """All texts of the inputs as (file:row, text or None, rejection reason or None), in order.

    In tables they are in ``column`` if given, else in the first column named one of ``names``.
    """
    for given in inputs:
        path = Path(given)
        kind = path.suffix.lower()
        if not path.is_file():
            yield str(given), None, "There is no such file."
        elif kind not in (".csv", ".tsv", ".txt"):
            yield str(given), None, "It is not a table or a list of texts (.csv, .tsv or .txt)."
        elif path.stat().st_size > MOST_BYTES:
            yield str(given), None, "It is larger than 2 GB."
        elif kind == ".txt":
            with path.open(encoding=encoding_of(path), errors="replace") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield f"{path.name}:{number}", line.strip(), None
        else:
            yield from _from_table(path, kind, column, names)


def first(column, names=TEXT_COLUMNS):
    """The possible names of the text column, starting with the one used in training."""
    return (column, *names) if column else names


def trained_on():
    """The name of the text column in training, or None."""
    return json.loads((HERE / "manifest.json").read_text(encoding="utf-8")).get("column")


def _from_table(path, kind, column, names):
    csv.field_size_limit(64_000_000)
    with path.open(encoding=encoding_of(path), errors="replace", newline="") as file:
        sample = file.readline()
        file.seek(0)
        separator = "\t" if kind == ".tsv" else max(",;\t|", key=sample.count)
        table = csv.reader(file, delimiter=separator)
        header = [name.strip() for name in next(table, [])]
        place = _place(header, column, names)
        if place is None:
            yield path.name, None, "It has no column of texts; name the column text."
            return
        number = 1
        try:
            for number, cells in enumerate(table, start=2):
                text = uncell(cells[place].replace("\x00", "").strip()) if place < len(cells) else ""
                if any(value.strip() for value in cells[len(header) :]) or 0 < len(cells) < len(header):
                    yield f"{path.name}:{number}", None, "It has more or fewer cells than the header."
                elif text:
                    yield f"{path.name}:{number}", text, None
                elif any(value.strip() for value in cells):
                    yield f"{path.name}:{number}", None, "It has no text."
        except csv.Error:
            yield f"{path.name}:{number + 1}", None, "It cannot be read; a quotation mark may never be closed."


def _place(header, column, names):
    """The index of the text column: ``column`` if given, else one of ``names``, else the only column."""
    plain = ["".join(c for c in name.lower() if c.isalnum()) for name in header]
    for name in [column] if column else names:
        if name in header:
            return header.index(name)
        if not column and name in plain:
            return plain.index(name)
    return 0 if len(header) == 1 and not column else None


def encoding_of(path):
    """The encoding of a file: UTF-8 or UTF-16 by its BOM, else UTF-8 if it is valid, else Windows-1252."""
    with path.open("rb") as file:
        start = file.read(3)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        with path.open(encoding="utf-8") as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def padded(tokens, pad):
    """Token ids and attention mask of n lists of token ids, padded to (n, longest) int64."""
    longest = max(1, *map(len, tokens)) if tokens else 1
    ids = np.full((len(tokens), longest), pad, dtype=np.int64)
    mask = np.zeros((len(tokens), longest), dtype=np.int64)
    for row, one in enumerate(tokens):
        ids[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return ids, mask


def network():
    """A function from token ids and mask, each (n, tokens), to logits (n, classes).

    It runs model.onnx, or the weights with torch if there is no such file.
    """
    if (HERE / "model.onnx").exists():
        import onnxruntime

        session = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=["CPUExecutionProvider"])
        return lambda ids, mask: session.run(None, {"ids": ids, "mask": mask})[0]
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModel

    encoder, weights = AutoModel.from_pretrained(HERE).eval(), load_file(HERE / "model.safetensors")

    def run(ids, mask):
        with torch.inference_mode():
            ids, mask = torch.from_numpy(ids), torch.from_numpy(mask)
            hidden = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            return (mean @ weights["head.weight"].T + weights["head.bias"]).numpy()

    return run


def main():
    """Read the command line, predict, write the table. Returns 2 if nothing could be read."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("input", nargs="*", help="a CSV, TSV or TXT of texts")
    arguments.add_argument("--text", help="one text to predict")
    arguments.add_argument("--column", help="the column of texts in a table")
    arguments.add_argument("--output", help="the table to write; without it the table goes to standard output")
    asked = arguments.parse_args()
    if not asked.input and not asked.text:
        arguments.error("give a file of texts, or --text")
    from tokenizers import Tokenizer

    labels = json.loads((HERE / "labels.json").read_text(encoding="utf-8"))
    preprocessing = json.loads((HERE / "preprocessing.json").read_text(encoding="utf-8"))
    calibrated = HERE / "calibration.json"
    calibration = json.loads(calibrated.read_text(encoding="utf-8")) if calibrated.exists() else {}
    tokenizer = Tokenizer.from_str((HERE / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(preprocessing["max_length"])
    run = network()

    def answers(texts):
        tokens = [one.ids for one in tokenizer.encode_batch(texts)]
        for row in probabilities(run(*padded(tokens, preprocessing["pad"])), calibration):
            prediction, sure = said(row, labels, calibration)
            yield [cell(prediction), f"{sure:.6f}", *(f"{p:.6f}" for p in row)]

    given = [("text", asked.text.strip(), None)] if asked.text and asked.text.strip() else []
    inputs = chain(given, gather(asked.input, asked.column, first(trained_on())))
    return write_table(inputs, ["input", "prediction", "confidence", *labels], str, answers, asked.output)


if __name__ == "__main__":
    sys.exit(main())
