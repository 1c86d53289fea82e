"""The two tokenizers of a network that reads one text and writes another: of its source side and of its target side.

Both are JSON of the tokenizers library, whatever the folder holds, so that the bundle needs no other library for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.models import tokenization

WARM = "encoder-decoder"  # the type of a model of a text encoder and a decoder of the studio's own
TARGET = "target_tokenizer.json"  # of a model of the studio whose two sides differ
MARIAN = ("source.spm", "target.spm", "vocab.json")
FILES = (TARGET, *MARIAN[:2])
BYTES = 3  # ByT5: ids of bytes begin behind padding, end and unknown
WORDS = 4_000  # tokens of a vocabulary of one's own at most
PAD, START, END = "[PAD]", "[START]", "[END]"
IGNORED = -100  # in labels, and behind the end of what was written: padding
NEVER = -1e6  # log-probability of a piece that the side's own model does not have


def read(folder: Path, config: Mapping[str, Any], languages: tuple[str | None, str | None]) -> tuple[str, str]:
    """Tokenizers of source and target. ``languages`` are codes as the model knows them, for one of many languages.

    Raises UnusableInput where a tokenizer cannot be read, or where a language must be named.
    """
    kind = config.get("model_type")
    if (folder / TARGET).is_file():
        return tokenization.read(folder), _text(folder / TARGET)
    if kind == "marian" and not (folder / tokenization.TOKENIZER).is_file():
        source, target = _marian(folder, "source.spm"), _marian(folder, "target.spm")
    elif kind in ("t5", "mt5") and _of_bytes(folder):
        source = target = _byte_tokenizer(int(config.get("vocab_size", 384)))
    else:
        source = target = tokenization.read(folder)
    if kind == "m2m_100":
        source, target = (_in_language(source, code) for code in languages)
    return source, target


def prefix(config: Mapping[str, Any], duty: str, languages: tuple[str | None, str | None]) -> str:
    """What a model that does several things wants to read before each text; '' where it wants nothing."""
    task_params = config.get("task_specific_params")
    between = f"translation_{languages[0]}_to_{languages[1]}"
    wanted = (task_params if isinstance(task_params, dict) else {}).get(between if duty == "translation" else duty)
    found = wanted.get("prefix") if isinstance(wanted, dict) else None
    if config.get("model_type") == "marian" and languages[1]:
        return f">>{languages[1]}<< "
    return found if isinstance(found, str) and len(found) < 200 else ""


def vocabulary(texts: Iterable[str]) -> str:
    """A tokenizer for the target side, learned from its texts: byte pairs (Sennrich et al. 2016, arXiv 1508.07909), at
    most `WORDS`; any text can be written in it. The same texts give the same tokenizer.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=WORDS,
            min_frequency=2,
            special_tokens=[PAD, START, END],
            show_progress=False,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        ),
    )
    made.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 2)])
    return made.to_str()


def _text(path: Path) -> str:
    if path.stat().st_size > tokenization.LARGEST:
        raise tokenization.unusable()
    return path.read_text(encoding="utf-8", errors="replace")


def _marian(folder: Path, name: str) -> str:
    """One side's sentencepiece model on the joint vocabulary, as Marian has it."""
    missing = [one for one in MARIAN if not (folder / one).is_file()]
    if missing:
        raise UnusableInput(
            sentence(
                "The tokenizer of a Marian model lies in {files}; {missing} is missing.",
                files=list(MARIAN),
                missing=missing,
            ),
            code="source-tokenizer",
            file=missing[0],
        )
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    try:
        model_proto = sentencepiece_model_pb2.ModelProto()
        model_proto.ParseFromString((folder / name).read_bytes())
        places = json.loads(_text(folder / "vocab.json"))
        scores = {piece.piece: piece.score for piece in model_proto.pieces}
        pieces = sorted(places, key=places.__getitem__)
        if [places[piece] for piece in pieces] != list(range(len(pieces))):
            raise ValueError("ids with holes")
        end, unknown = places["</s>"], places["<unk>"]
        made = Tokenizer(models.Unigram([(piece, scores.get(piece, NEVER)) for piece in pieces], unk_id=unknown))
        steps = [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
        if charsmap := model_proto.normalizer_spec.precompiled_charsmap:
            steps = [normalizers.Precompiled(charsmap), *steps]
        made.normalizer = normalizers.Sequence(steps)
        made.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
        made.decoder = decoders.Metaspace()
        names = [one for one in ("</s>", "<pad>", "<unk>") if one in places]
        special = [AddedToken(one, special=True, normalized=False) for one in names]
        codes = [one for one in pieces if one.startswith(">>") and one.endswith("<<")]
        made.add_special_tokens([*special, *(AddedToken(one, special=True, normalized=False) for one in codes)])
        made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", end)])
    except Exception:  # protobuf and tokenizers raise errors of their own
        raise tokenization.unusable() from None
    return made.to_str()


def _of_bytes(folder: Path) -> bool:
    """Whether it is a ByT5, whose tokenizer is no file: bytes are its tokens."""
    names = (tokenization.TOKENIZER, "spiece.model")
    return (
        not any((folder / name).is_file() for name in names)
        and (folder / "tokenizer_config.json").is_file()
        and ("ByT5" in (folder / "tokenizer_config.json").read_text(encoding="utf-8", errors="replace")[:100_000])
    )


def _byte_tokenizer(size: int) -> str:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    letters = _byte_letters()
    places = {"<pad>": 0, "</s>": 1, "<unk>": 2} | {letters[byte]: BYTES + byte for byte in range(256)}
    made = Tokenizer(models.BPE(places, [], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<pad>", "</s>", "<unk>"])
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return made.to_str()


def _byte_letters() -> dict[int, str]:
    """The letter that stands for each byte, as GPT-2 has them: printable ones for themselves, others from 256 on."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + place) for place, byte in enumerate(others)}


def _in_language(tokenizer_json: str, code: str | None) -> str:
    """The tokenizer of a model of many languages with the language's token before each text."""
    from tokenizers import processors

    made = tokenization.open_tokenizer(tokenizer_json, 8)
    place = made.token_to_id(code) if code else None
    end = made.token_to_id("</s>")
    if place is None or end is None:
        raise UnusableInput(
            sentence(
                "This source model knows many languages and needs to know which two: give source_language and "
                "target_language as it writes them, such as eng_Latn and por_Latn."
            ),
            code="source-language",
        )
    made.post_processor = processors.TemplateProcessing(
        single=f"{code} $A </s>", special_tokens=[(str(code), place), ("</s>", end)]
    )
    made.no_truncation()
    return made.to_str()


def first(tokenizer_json: str) -> int | None:
    """The token that a tokenizer puts before each text (the language's, say); None where it puts none."""
    special = json.loads(tokenizer_json).get("post_processor") or {}
    begins = (special.get("single") or [{}])[0] if special.get("type") == "TemplateProcessing" else {}
    name = begins.get("SpecialToken", {}).get("id")
    ids = (special.get("special_tokens") or {}).get(name, {}).get("ids")
    return int(ids[0]) if ids else None
