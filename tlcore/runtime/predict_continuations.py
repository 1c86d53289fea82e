"""Generates text with this bundle alone. Install the packages in requirements.txt first.

    python predict.py INPUT... [--output predictions.csv] [--column text]
    python predict.py --text "Once upon a time" [--length 64] [--temperature 0.8] [--top-p 0.95] [--seed 0]

INPUT is a CSV or TSV with a header row and a column of prompts, or a TXT with one prompt per line. The table has the
columns input and prediction (the continuation of the prompt). input is the file and the row, where the header is row 1.
With temperature 0 (the default) each token is the most probable one. Inputs that cannot be read are reported on
standard error with the reason; with --output they are also listed in a file next to the output.
"""

import argparse
import csv  # noqa: F401
import json
import sys
from itertools import chain
from pathlib import Path

from tlcore.runtime.generation import begun, continued, readable

# studio: in a bundle's predict.py these imports from tlcore are replaced by the source of the functions
from tlcore.runtime.predict_images import cell, write_table
from tlcore.runtime.predict_texts import first, gather, trained_on

HERE = Path(__file__).resolve().parent
BATCH = 1
PROMPTS = ("prompt", "text", "texto", "instruction", "question", "pergunta", "input", "entrada", "beginning")


def main():
    """Read the command line, generate, write the table. Returns 2 if nothing could be read."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("input", nargs="*", help="a CSV, TSV or TXT of prompts")
    arguments.add_argument("--text", help="one prompt")
    arguments.add_argument("--column", help="the column of prompts in a table")
    arguments.add_argument("--output", help="the table to write; without it the table goes to standard output")
    arguments.add_argument("--length", type=int, default=64, help="tokens (parts of words) to write at most")
    arguments.add_argument("--temperature", type=float, default=0.0, help="0: the likeliest word; 1: as it was trained")
    arguments.add_argument("--top-p", type=float, default=1.0, help="choose among the words that have this share")
    arguments.add_argument("--seed", type=int, default=0, help="the same seed writes the same text")
    asked = arguments.parse_args()
    if not asked.input and not asked.text:
        arguments.error("give a file of prompts, or --text")
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    preprocessing = json.loads((HERE / "preprocessing.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_str((HERE / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    model = AutoModelForCausalLM.from_pretrained(HERE, dtype="float32").eval()
    settings = {"length": asked.length, "temperature": asked.temperature, "top_p": asked.top_p, "seed": asked.seed}

    def rows(prompts):
        for text in prompts:
            made = continued(model, begun(tokenizer, preprocessing, text, asked.length), preprocessing, settings)
            yield [cell(readable(tokenizer.decode(made)))]

    given = [("text", asked.text, None)] if asked.text and asked.text.strip() else []
    inputs = chain(given, gather(asked.input, asked.column, first(trained_on(), PROMPTS)))
    return write_table(inputs, ["input", "prediction"], str, rows, asked.output)


if __name__ == "__main__":
    sys.exit(main())
