"""Finds named entities with this bundle alone. Install the packages in requirements.txt first.

    python predict.py INPUT... [--output predictions.csv] [--column text]
    python predict.py --text "one text"

INPUT is a CSV or TSV with a header row and a column of texts, or a TXT with one text per line. The table has the
columns input, prediction (each entity as ``words[label]``, separated by semicolons; empty if there is none) and
confidence (the lowest probability of a word's tag). input is the file and the row, where the header is row 1. With
--places there is a fourth column, entities: a JSON list of [start, end, label] in characters. Inputs that cannot be
read are reported on standard error with the reason; with --output they are also listed in a file next to the output.
"""

import argparse
import csv  # noqa: F401
import json
import re  # noqa: F401
import sys
from itertools import chain
from pathlib import Path

import numpy as np

# studio: in a bundle's predict.py these imports from tlcore are replaced by the source of the functions
from tlcore.runtime.predict_images import cell, write_table
from tlcore.runtime.predict_texts import encoding_of, first, gather, padded, trained_on  # noqa: F401
from tlcore.runtime.text_spans import entities, shown, words_of

HERE = Path(__file__).resolve().parent
BATCH = 16


def answers(texts, encoded, logits, names):
    """For each text its entities [(start, end, label)] and the lowest probability of a word's tag.

    ``encoded`` has the ``offsets`` of each text's tokens; ``logits`` are (n, tokens, tags); ``names`` are the tags.
    """
    logits = logits.astype(np.float64)
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    found = []
    for text, one, row in zip(texts, encoded, shares):  # noqa: B905
        words = words_of(text, one.offsets)
        places = [place for place, _, _ in words]
        best = row[places].argmax(axis=1)
        sure = float(row[places].max(axis=1).min()) if words else 1.0
        found.append((entities([names[tag] for tag in best], words), sure))
    return found


def network():
    """A function from token ids and mask, each (n, tokens), to logits (n, tokens, tags).

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
            return (hidden @ weights["head.weight"].T + weights["head.bias"]).numpy()

    return run


def main():
    """Read the command line, predict, write the table. Returns 2 if nothing could be read."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("input", nargs="*", help="a CSV, TSV or TXT of texts")
    arguments.add_argument("--text", help="one text to predict")
    arguments.add_argument("--column", help="the column of texts in a table")
    arguments.add_argument("--places", action="store_true", help="a column with the places of the entities, as JSON")
    arguments.add_argument("--output", help="the table to write; without it the table goes to standard output")
    asked = arguments.parse_args()
    if not asked.input and not asked.text:
        arguments.error("give a file of texts, or --text")
    from tokenizers import Tokenizer

    preprocessing = json.loads((HERE / "preprocessing.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_str((HERE / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(preprocessing["max_length"])
    run = network()

    def rows(texts):
        encoded = tokenizer.encode_batch(texts)
        logits = run(*padded([one.ids for one in encoded], preprocessing["pad"]))
        for text, (found, sure) in zip(texts, answers(texts, encoded, logits, preprocessing["tags"])):  # noqa: B905
            more = [json.dumps(found, ensure_ascii=False)] if asked.places else []
            yield [cell(shown(text, found)), f"{sure:.6f}", *more]

    given = [("text", asked.text.strip(), None)] if asked.text and asked.text.strip() else []
    header = ["input", "prediction", "confidence", *(["entities"] if asked.places else [])]
    return write_table(
        chain(given, gather(asked.input, asked.column, first(trained_on()))), header, str, rows, asked.output
    )


if __name__ == "__main__":
    sys.exit(main())
