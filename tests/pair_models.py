"""Tiny networks that write texts, with random weights, and pairs of texts that can be learned: words, one by one."""

from __future__ import annotations

import json
from pathlib import Path

import text_models

VOCABULARY = len(text_models.SPECIAL) + len(text_models.WORDS)
SIZES = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "eos_token_id": 3,
    "bos_token_id": 2,
    "decoder_start_token_id": 2,
}
T5 = {
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 32,
    "num_layers": 2,
    "num_heads": 2,
    "pad_token_id": 0,
    "eos_token_id": 3,
    "decoder_start_token_id": 0,
}
KINDS = {
    "t5": T5,
    "mt5": {**T5, "tie_word_embeddings": False},
    "bart": SIZES,
    "m2m_100": SIZES,
    "marian": {**SIZES, "pad_token_id": VOCABULARY - 1, "decoder_start_token_id": VOCABULARY - 1},
}
WORDS = {
    "good": "bom",
    "bad": "mau",
    "the": "o",
    "a": "um",
    "food": "prato",
    "room": "quarto",
    "film": "filme",
    "train": "trem",
    "was": "foi",
    "is": "é",
    "very": "muito",
    "not": "não",
    "and": "e",
    "clean": "limpo",
    "dirty": "sujo",
    "slow": "lento",
}


def write_model(folder: Path, kind: str, **changes: object) -> Path:
    """A random network of that kind, as transformers saves it, with a tokenizer of whole words."""
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    result = {"vocab_size": VOCABULARY, **KINDS[kind], **changes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(kind, **result)).save_pretrained(folder)
    text_models.write_tokenizer(folder)
    if kind == "m2m_100":
        _languages(folder)
    return folder


def _languages(folder: Path) -> None:
    """The tokenizer of a model of many languages: it puts nothing before a text yet."""
    path = folder / "tokenizer.json"
    result = json.loads(path.read_text())
    words = [*list(result["model"]["vocab"])[:-3], "eng_Latn", "por_Latn", "</s>"]
    result["model"]["vocab"] = {word: place for place, word in enumerate(words)}
    path.write_text(json.dumps({**result, "post_processor": None, "padding": None, "truncation": None}))


def pairs(n: int, seed: int = 0) -> list[tuple[str, str]]:
    """(source, target): sentences of known words, and each word's translation in its place; no source twice."""
    import numpy as np

    rng = np.random.default_rng(seed)
    found: dict[str, str] = {}
    while len(found) < n:
        words = rng.choice(list(WORDS), int(rng.integers(2, 7)))
        found.setdefault(" ".join(words), " ".join(WORDS[word] for word in words))
    return list(found.items())
