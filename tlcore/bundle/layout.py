"""The layout of a bundle: file names that packing writes and opening accepts, and size limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FORMAT = 1
WEIGHTS = ("model.safetensors", "config.json", "preprocessor_config.json")
TEXT_WEIGHTS = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "chat_template.jinja",
)
PAIR_WEIGHTS = (
    "model.safetensors",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "target_tokenizer.json",
    "tokenizer_config.json",
)
NEEDED = ("manifest.json", "labels.json", "preprocessing.json")
CALIBRATION = "calibration.json"  # optional; without it the temperature is 1
ANSWERING = "answering.json"  # longest answer and no-answer threshold of question answering
ADAPTER = ("adapter/adapter_config.json", "adapter/adapter_model.safetensors", "adapter/head.safetensors")  # of LoRA
PICTURES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".heic",
    ".heif",
    ".avif",
    ".jp2",
)
KNOWN = frozenset(
    (
        *WEIGHTS,
        *TEXT_WEIGHTS,
        *PAIR_WEIGHTS,
        *NEEDED,
        "model.onnx",
        "README.md",
        "predict.py",
        "requirements.txt",
        "report.json",
        "report.html",
        "report.pt_BR.html",
        CALIBRATION,
        "example/expected.json",
        "example/texts.csv",
        "example/questions.csv",
        ANSWERING,
        *ADAPTER,
        *(f"example/picture{suffix}" for suffix in PICTURES),
    )
)
LARGE = ("model.safetensors", "model.onnx")
LARGEST = 4 * 2**30  # bytes of weights
LARGEST_OTHER = 256 * 2**20  # bytes of any other file


def limit(name: str) -> int:
    """The maximum size in bytes of a file of this name."""
    return LARGEST if name in LARGE else LARGEST_OTHER


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
