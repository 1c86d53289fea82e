"""The tokenizer of a text model's folder, untrusted: read by the tokenizers library alone, never by code of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.models import weight_files

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER = "tokenizer.json"
# What a folder may hold of a tokenizer; the first alone is enough, the others are for transformers' own use.
FILES = (
    TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "sentence_bert_config.json",
    "chat_template.jinja",
)
OLDER = FILES[3:9]
LARGEST = 100_000_000  # bytes of tokenizer.json
MOST_GROWTH = 100.0  # times that a tokenizer's steps may make a text longer; usual ones double it at most
MOST_STEPS = 1_000  # of a tokenizer


def read(folder: Path) -> str:
    """The tokenizer as the JSON of the tokenizers library, made from an older layout where need be.

    Raises UnusableInput where there is none that can be read.
    """
    path = folder / TOKENIZER
    if path.is_file():
        if path.stat().st_size > LARGEST:
            raise unusable()
        return path.read_text(encoding="utf-8", errors="replace")
    if not any((folder / name).is_file() for name in OLDER):
        raise UnusableInput(
            sentence(
                "There is no tokenizer.json in {folder}. A text model's folder holds config.json, model.safetensors "
                "and tokenizer.json.",
                folder=folder.name,
            ),
            code="source-tokenizer",
            file=TOKENIZER,
        )
    from transformers import AutoTokenizer

    try:
        made: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return made.backend_tokenizer.to_str()
    except Exception:  # whatever the library raises on files of another kind
        raise unusable() from None


def copy(folder: Path, into: Path) -> None:
    """The tokenizer of one folder as ``tokenizer.json`` of another, and the files that transformers reads beside it."""
    (into / TOKENIZER).write_text(read(folder), encoding="utf-8")
    for name in FILES[1:]:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, into / name)


def open_tokenizer(tokenizer_json: str, length: int) -> Tokenizer:
    """A tokenizer that cuts after ``length`` tokens and does not pad. Raises UnusableInput where it cannot be read, or
    would make a text so long that no memory suffices: it is cut to ``length`` only afterwards.
    """
    from tokenizers import Tokenizer

    try:
        too_long = growth(tokenizer_json) > MOST_GROWTH
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        raise unusable() from None
    if too_long:
        raise expanding()
    try:
        tokenizer = Tokenizer.from_str(tokenizer_json)
        tokenizer.no_padding()
        tokenizer.enable_truncation(length)
    except Exception as error:  # the library raises plain Exception
        if "oniguruma" in str(error).lower():
            raise UnusableInput(
                sentence(
                    "A regular expression in the tokenizer of this model is not valid ({problem}). Save the model "
                    "again with transformers, or choose another.",
                    problem=str(error).splitlines()[0][:200],
                ),
                code="source-tokenizer",
                file=TOKENIZER,
            ) from None
        raise unusable() from None
    return tokenizer


def growth(tokenizer_json: str) -> float:
    """How many times longer the steps of a tokenizer can make a text, at most; infinite where there are too many steps
    to say. Replacements multiply where one finds its pattern in what another has put in.

    Raises ValueError, TypeError, AttributeError, LookupError or RecursionError where it is not the JSON of a tokenizer.
    """
    if '"Replace"' not in tokenizer_json and tokenizer_json.count('"ByteLevel"') <= 4:
        return 1.0  # spares reading a vocabulary of many MB
    key = digest(tokenizer_json)
    if key not in _growth:
        plain = json.loads(tokenizer_json)
        steps = [*_steps(plain.get("normalizer")), *_steps(plain.get("pre_tokenizer"))]
        _growth[key] = _product(steps) if len(steps) <= MOST_STEPS else float("inf")
    return _growth[key]


_growth: dict[str, float] = {}


def _steps(part: Any) -> Iterator[dict[str, Any]]:
    """The single steps of a normalizer or pre-tokenizer, in their order."""
    if part is None:
        return
    for name in ("normalizers", "pretokenizers"):
        for one in part.get(name) or []:
            yield from _steps(one)
    if part.get("type") in ("Replace", "ByteLevel"):
        yield part


def _product(steps: list[dict[str, Any]]) -> float:
    done: list[tuple[float, str | None]] = []  # the growth up to each step, and what it puts in: None for anything
    for step in steps:
        word, content = None, None
        if step["type"] == "ByteLevel":
            times = 2.0  # a byte of a letter becomes a letter of two bytes
        else:
            word, content = step["pattern"].get("String"), str(step["content"])
            times = max(len(content) / max(len(word or ""), 1), 1.0)
        found = (before for before, put in done if word is None or put is None or word in put + put)
        done.append((times * max(found, default=1.0), content))
        if done[-1][0] > MOST_GROWTH:
            break
    return max((times for times, _ in done), default=1.0)


def specials(tokenizer_json: str) -> tuple[int | None, int | None, list[int]]:
    """The ids of the piece for what is unknown and of the one that hides, and of all special ones."""
    plain = json.loads(tokenizer_json)
    model, added = plain.get("model") or {}, plain.get("added_tokens") or []
    special = {one["content"]: int(one["id"]) for one in added if one.get("special")}
    vocabulary = model.get("vocab")
    unknown = model.get("unk_id")
    if unknown is None and isinstance(vocabulary, dict):
        unknown = vocabulary.get(model.get("unk_token") or "")
    hidden = next((special[name] for name in ("[MASK]", "<mask>") if name in special), None)
    return unknown, hidden, sorted(special.values())


def digest(tokenizer_json: str) -> str:
    """Sixteen hex digits that name a tokenizer."""
    return hashlib.sha256(tokenizer_json.encode()).hexdigest()[:16]


def longest(folder: Path, config: dict[str, Any]) -> int:
    """Tokens that the network reads at most: the least of what its files say, and 512 where none says."""
    positions = _whole(config.get("max_position_embeddings"))
    kind = str(config.get("model_type"))
    if positions and kind in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= 2  # their positions begin behind the padding's
    found = [positions, _whole(config.get("studio_max_length"))]
    for name, key in (("tokenizer_config.json", "model_max_length"), ("sentence_bert_config.json", "max_seq_length")):
        path = folder / name
        if path.is_file() and path.stat().st_size < weight_files.MAX_CONFIG:
            try:
                tokenizer_config = json.loads(path.read_text(encoding="utf-8"))
            except (ValueError, RecursionError):
                continue
            found.append(_whole(tokenizer_config.get(key)) if isinstance(tokenizer_config, dict) else None)
    return max(8, min([512, *(one for one in found if one)]))


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 8 <= value <= 1e6 else None


def expanding(model: str | None = None) -> UnusableInput:
    """A tokenizer whose steps make texts far too long; ``model`` is the name that the person knows."""
    return UnusableInput(
        sentence(
            "The tokenizer of {model} makes a text more than {most} times longer before it cuts it, which would use up "
            "the memory. Choose another model, or take the Replace steps out of tokenizer.json.",
            model=model or sentence("this model"),
            most=round(MOST_GROWTH),
        ),
        code="source-tokenizer",
        file=TOKENIZER,
    )


def unusable() -> UnusableInput:
    return UnusableInput(
        sentence(
            "The tokenizer of this model cannot be read. Save the model again with transformers, or choose another."
        ),
        code="source-tokenizer",
        file=TOKENIZER,
    )
