"""Go on writing with this bundle alone; needs torch and transformers.

    python predict.py INPUT... [--output predictions.csv] [--column text]
    python predict.py --text "Once upon a time" [--length 64] [--temperature 0.8] [--top-p 0.95] [--seed 0]

INPUT is a CSV or TSV with a header row and a column of prompts, or a TXT with one prompt a line. The table has the
columns input and prediction: what the model writes behind the prompt; input is the file and the row, the header being
row 1. With temperature 0 (the default) it is always the likeliest word. Inputs that cannot be read are told on standard
error with the reason, and listed beside the output.
"""

import argparse
import csv  # noqa: F401
import json
import sys
from itertools import chain
from pathlib import Path

# studio: the next lines become the studio's own functions in a bundle's predict.py
from tlcore.bundle.standalone import cell, write_table
from tlcore.bundle.standalone_text import gather

HERE = Path(__file__).resolve().parent
BATCH = 1
PROMPTS = ("prompt", "text", "texto", "instruction", "question", "pergunta", "input", "entrada", "beginning")


def begun(tokenizer, told, text, length):
    """The token ids of a prompt as the model was trained on them, the last ones where there are too many to leave room
    for ``length`` more. ``told`` is preprocessing.json."""
    ids = tokenizer.encode(told["before"] + text.strip() + told["after"], add_special_tokens=False).ids
    first = [] if told["bos"] is None or ids[:1] == [told["bos"]] else [told["bos"]]
    room = max(1, told["context"] - length - len(first))
    return first + ids[-room:]


def continued(model, ids, told, settings):
    """The token ids that the model writes behind ``ids``: at most ``length``, by temperature, top-p and seed."""
    import torch

    given = torch.tensor([ids], device=model.device)
    how = {"do_sample": False}
    if settings["temperature"] > 0:
        how = {"do_sample": True, "temperature": settings["temperature"], "top_p": settings["top_p"], "top_k": 0}
    ends = 0 if told["end"] is None else told["end"]
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(int(settings["seed"]))
        made = model.generate(
            given, attention_mask=torch.ones_like(given), max_new_tokens=int(settings["length"]), pad_token_id=ends,
            eos_token_id=told["end"], **how,
        )  # fmt: skip
    return made[0, len(ids) :].tolist()


def readable(text):
    """A written text without control characters, which a model may write and no table should hold."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def main():
    """Read the command line, write on, write the table. Returns 2 where nothing could be read."""
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

    told = json.loads((HERE / "preprocessing.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_str((HERE / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    model = AutoModelForCausalLM.from_pretrained(HERE, dtype="float32").eval()
    settings = {"length": asked.length, "temperature": asked.temperature, "top_p": asked.top_p, "seed": asked.seed}

    def rows(prompts):
        for text in prompts:
            made = continued(model, begun(tokenizer, told, text, asked.length), told, settings)
            yield [cell(readable(tokenizer.decode(made)))]

    given = [("text", asked.text, None)] if asked.text and asked.text.strip() else []
    inputs = chain(given, gather(asked.input, asked.column, PROMPTS))
    return write_table(inputs, ["input", "prediction"], str, rows, asked.output)


if __name__ == "__main__":
    sys.exit(main())
