"""Tiny text encoders with random weights and a word tokenizer, in hub layout, for the tests of texts."""

from __future__ import annotations

import json
from pathlib import Path

GOOD = ["good", "great", "lovely", "fine", "happy"]
BAD = ["bad", "awful", "broken", "poor", "sad"]
REST = [
    "the",
    "a",
    "food",
    "room",
    "service",
    "was",
    "is",
    "very",
    "not",
    "and",
    "it",
    "film",
    "train",
    "quick",
    "slow",
    "clean",
    "dirty",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
]
WORDS = [*GOOD, *BAD, *REST]
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
KINDS = {
    "bert": SIZES,
    "roberta": {**SIZES, "max_position_embeddings": 66, "pad_token_id": 0},
    "xlm-roberta": {**SIZES, "max_position_embeddings": 66, "pad_token_id": 0},
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 64},
    "deberta-v2": {
        **SIZES,
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_buckets": 16,
        "max_relative_positions": -1,
        "position_biased_input": False,
        "type_vocab_size": 0,
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
    },
    "modernbert": {
        **SIZES,
        "pad_token_id": 0,
        "cls_token_id": 2,
        "sep_token_id": 3,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "global_attn_every_n_layers": 2,
        "local_attention": 16,
    },
    "electra": {**SIZES, "embedding_size": 16},
    "albert": {**SIZES, "embedding_size": 8},
    "mpnet": {**SIZES, "max_position_embeddings": 66, "pad_token_id": 0},
    "camembert": {**SIZES, "max_position_embeddings": 66, "pad_token_id": 0},
    "deberta": {**SIZES, "relative_attention": False},
}


def write_tokenizer(folder: Path) -> None:
    """A tokenizer of whole words: [CLS] words [SEP], as tokenizer.json."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    names = {word: place for place, word in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(names, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    # As real ones have it: padding and cutting that the studio must not keep.
    tokenizer.enable_padding(length=40, pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(12)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def write_model(folder: Path, kind: str = "bert", **changes: object) -> Path:
    """A random network of that kind, as transformers saves it."""
    import torch
    from transformers import AutoConfig, AutoModel

    result = {"vocab_size": len(SPECIAL) + len(WORDS), "max_position_embeddings": 64, **KINDS[kind], **changes}
    torch.manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        AutoModel.from_config(AutoConfig.for_model(kind, **result)).save_pretrained(folder)
    write_tokenizer(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return folder


def sentences(n: int, seed: int = 0) -> list[tuple[str, str]]:
    """(text, label) pairs that words tell apart: good ones and bad ones, no two with the same words."""
    import numpy as np

    rng = np.random.default_rng(seed)
    found: dict[str, str] = {}
    while len(found) < n:
        label = ("good", "bad")[len(found) % 2]
        words = [*rng.choice(GOOD if label == "good" else BAD, 2), *rng.choice(REST, int(rng.integers(2, 9)))]
        found.setdefault(" ".join(rng.permutation(words)), label)
    return list(found.items())


def write_table(path: Path, rows: list[tuple[str, str]], header: str = "text,label") -> Path:
    import csv

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(header + "\n")
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


ENTITIES = {"thing": ["food", "room", "service", "film", "train"], "number": ["one", "two", "three", "four", "five"]}


def tagged(n: int, seed: int = 0) -> list[tuple[list[str], list[str]]]:
    """Tokens and tags (BIO): things and numbers, of one word or two."""
    import numpy as np

    rng = np.random.default_rng(seed)
    made: dict[str, tuple[list[str], list[str]]] = {}
    while len(made) < n:
        tokens: list[str] = []
        tags: list[str] = []
        for _ in range(int(rng.integers(1, 4))):
            tokens += [str(w) for w in rng.choice(["the", "a", "was", "is", "very", "not"], int(rng.integers(1, 3)))]
            tags += ["O"] * (len(tokens) - len(tags))
            kind = str(rng.choice(list(ENTITIES)))
            words = [str(w) for w in rng.choice(ENTITIES[kind], int(rng.integers(1, 3)), replace=False)]
            if rng.random() < 0.8:
                tokens += words
                tags += [f"B-{kind}", f"I-{kind}"][: len(words)]
        made.setdefault(" ".join(tokens), (tokens, tags))
    return list(made.values())


def conll(rows: list[tuple[list[str], list[str]]], columns: str = "{token} {tag}") -> str:
    """The sentences as columns, an empty line between them."""
    return (
        "\n\n".join(
            "\n".join(columns.format(token=token, tag=tag) for token, tag in zip(*row, strict=True)) for row in rows
        )
        + "\n"
    )


def run(folder: Path, **spec: object) -> dict:
    """A whole run by the command line in the workspace ``folder/home``; its report."""
    import os
    import subprocess
    import sys

    import yaml

    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
    done = subprocess.run(
        [sys.executable, "-m", "tlcore", "run", str(folder / "spec.yaml"), "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "TLCORE_HOME": str(folder / "home")},
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def questions(contexts: int, seed: int = 0) -> list[dict[str, object]]:
    """Questions on contexts of the tokenizer's words, two on each: which good word is in it, and which bad one, if any.

    Each has ``context``, ``question``, ``answer`` ('' where there is none) and ``answer_start``.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    found: list[dict[str, object]] = []
    for place in range(contexts):
        words = [*rng.choice(REST, int(rng.integers(6, 26))), str(rng.choice(GOOD))]
        bad = [str(rng.choice(BAD))] if place % 2 else []
        context = " ".join(rng.permutation([*words, *bad]))
        for question, known in (("was it good", GOOD), ("was it bad", BAD)):
            answer = next((word for word in context.split() if word in known), "")
            found.append(
                {
                    "context": context,
                    "question": question,
                    "answer": answer,
                    "answer_start": context.find(answer) if answer else "",
                }
            )
    return found


def write_questions(path: Path, rows: list[dict[str, object]]) -> Path:
    """As a CSV, or as SQuAD's JSON with one article for each context."""
    import csv

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        return path
    articles: dict[object, list[dict[str, object]]] = {}
    for row in rows:
        answers = [{"text": row["answer"], "answer_start": row["answer_start"]}] if row["answer"] else []
        articles.setdefault(row["context"], []).append(
            {"question": row["question"], "answers": answers, "is_impossible": not answers}
        )
    result = [
        {"title": f"t{i}", "paragraphs": [{"context": context, "qas": asked}]}
        for i, (context, asked) in enumerate(articles.items())
    ]
    path.write_text(json.dumps({"version": "v2.0", "data": result}), encoding="utf-8")
    return path
