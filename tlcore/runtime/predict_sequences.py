"""Generates an output text for each input text with this bundle alone. Install the packages in requirements.txt first.

    python predict.py INPUT... [--output predictions.csv] [--column text] [--beams 1]
    python predict.py --text "one text"

INPUT is a CSV or TSV with a header row and a column of texts, or a TXT with one text per line. The table has the
columns input, prediction and confidence (empty: a generated text has none). input is the file and the row, where the
header is row 1. Inputs that cannot be read are reported on standard error with the reason; with --output they are also
listed in a file next to the output.
"""

import argparse
import csv  # noqa: F401
import json
import sys
from itertools import chain
from pathlib import Path

import numpy as np  # noqa: F401

# studio: in a bundle's predict.py these imports from tlcore are replaced by the source of the functions
from tlcore.runtime.predict_images import cell, write_table
from tlcore.runtime.predict_texts import TEXT_COLUMNS, encoding_of, first, gather, padded, trained_on  # noqa: F401

HERE = Path(__file__).resolve().parent
BATCH = 16
SOURCES = (*TEXT_COLUMNS, "source", "src", "document", "article", "origem")  # names of the text column


def writer(beams):
    """A function from texts to generated texts: greedy decoding, or beam search with more than one beam."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForSeq2SeqLM

    preprocessing = json.loads((HERE / "preprocessing.json").read_text(encoding="utf-8"))
    source, target = (
        Tokenizer.from_str((HERE / name).read_text(encoding="utf-8"))
        for name in ("tokenizer.json", "target_tokenizer.json")
    )
    source.no_padding()
    source.enable_truncation(preprocessing["max_length"])
    model = AutoModelForSeq2SeqLM.from_pretrained(HERE).eval()

    def write(texts):
        ids, mask = padded(
            [one.ids for one in source.encode_batch([preprocessing["prefix"] + text for text in texts])],
            preprocessing["pad"],
        )
        with torch.inference_mode():
            out = model.generate(
                input_ids=torch.from_numpy(ids),
                attention_mask=torch.from_numpy(mask),
                num_beams=beams,
                max_new_tokens=preprocessing["most"],
            )[:, 1:]
        return [text.strip() for text in target.decode_batch([until(row, model.generation_config) for row in out])]

    return write


def until(row, max_tokens):
    """The token ids of one text up to its end."""
    row = row.tolist()
    end = max_tokens.eos_token_id
    return row[: row.index(end)] if end in row else [one for one in row if one != max_tokens.pad_token_id]


def main():
    """Read the command line, generate, write the table. Returns 2 if nothing could be read."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("input", nargs="*", help="a CSV, TSV or TXT of texts")
    arguments.add_argument("--text", help="one text")
    arguments.add_argument("--column", help="the column of texts in a table")
    arguments.add_argument("--beams", type=int, default=1, help="beams of the search; 1 takes the likeliest token")
    arguments.add_argument("--output", help="the table to write; without it the table goes to standard output")
    asked = arguments.parse_args()
    if not asked.input and not asked.text:
        arguments.error("give a file of texts, or --text")
    write = writer(max(1, asked.beams))

    def rows(texts):
        return ([cell(text), ""] for text in write(texts))

    given = [("text", asked.text.strip(), None)] if asked.text and asked.text.strip() else []
    inputs = chain(given, gather(asked.input, asked.column, first(trained_on(), SOURCES)))
    return write_table(inputs, ["input", "prediction", "confidence"], str, rows, asked.output)


if __name__ == "__main__":
    sys.exit(main())
