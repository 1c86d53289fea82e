"""Build an untrusted model once, in a process of its own: ``python -m tlcore.models.loading.try_out FOLDER``.

Its tokenizers are tried first, with texts that bring out what a hostile one does: take all memory, or never end.
Prints JSON lines: ``{"phase": "tokenizer"}`` and ``{"phase": "network"}`` where each begins, and at the end
``{"input_size": …}`` or ``{"error": {"code", "sentence", "file"}}``. A process that ends before its last line exceeded
a limit in that phase.
"""

from __future__ import annotations

import argparse
import json
import signal
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core import limits, machine
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.models import pair_tokenization, tokenization
from tlcore.models.adapters.build import PATH, does_not_fit, memory_exceeded
from tlcore.models.adapters.transformers_seq2seq import any_languages
from tlcore.models.loading.loader import OF_TEXTS, open_folder
from tlcore.models.source_model import SourceModel

if TYPE_CHECKING:
    from tlcore.models.loading.loader import OpenSource

LONG = 2_000  # characters of a text in which one character or word is repeated
# Accents that pile up, joiners, a ligature of 18 letters, the sign for a blank, what is no character, and others.
ODD = "\0\t\n\u00a0é\u0301\u200d\u200fß中あ한א\u0e33\u2581\ufdfa\ufeff\ufffd\uffff😀👨\U000e0041"


def check(folder: Path, title: str) -> dict[str, Any]:
    """Open, try the tokenizers, build with the weights, and run one blank input."""
    try:
        opened = open_folder(folder, SourceModel(id="checked", title=title))
        if opened.modality in OF_TEXTS:
            try_tokenizers(opened)
        _print(phase="network")
        return {"input_size": _try_network(opened)}
    except UnusableInput as error:
        inside = error.__context__  # what a library raised where the sentence was made of it
        found = _explained(inside, title) if inside and machine.out_of_memory(inside) else error
    except BaseException as error:  # whatever a library raises on files that nobody foresaw; panics are no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        found = _explained(error, title)
    return {"error": {"code": found.code, "sentence": found.sentence.model_dump(mode="json"), "file": found.file}}


def try_tokenizers(opened: OpenSource) -> None:
    """Cut hostile texts by each tokenizer of the folder. Raises UnusableInput; what takes too long ends the process."""
    length, title = int(opened.preprocess["input_size"]), opened.source.title
    if opened.modality == "seq2seq":
        found = set(pair_tokenization.read(opened.folder, opened.config, any_languages(opened)))
    else:
        found = {tokenization.read(opened.folder)}
    _print(phase="tokenizer")
    signal.alarm(round(limits.TOKENIZER_SECONDS))  # its signal ends the process also inside of native code
    for tokenizer_json in sorted(found):
        try:
            if tokenization.growth(tokenizer_json) > tokenization.MOST_GROWTH:
                raise tokenization.expanding(title)
            tokenizer = tokenization.open_tokenizer(tokenizer_json, length)
            for text in hostile_texts(tokenizer_json):
                tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False)
        except UnusableInput:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit) or machine.out_of_memory(error):
                raise
            raise _tokenizer_fails(title, error) from None
    signal.alarm(0)


def hostile_texts(tokenizer_json: str) -> Iterator[str]:
    """Empty, long and odd texts, and repetitions of what the steps of a tokenizer look for."""
    yield ""
    yield " " * LONG
    yield string.printable * 20
    yield ODD * 50
    yield "The quick brown fox, 3.14; naïve café — “words” don't end. " * 50
    for one in (*string.printable, *ODD):
        yield one * LONG
        yield one * (LONG // 2) + "!"
        yield f"{one} " * (LONG // 2)
    for word in _searched(json.loads(tokenizer_json)):
        yield (word * (LONG // len(word) + 1))[: 2 * LONG]


def _searched(part: Any) -> Iterator[str]:
    """The words that are replaced or split at, and the special tokens."""
    if isinstance(part, list):
        for one in part:
            yield from _searched(one)
    elif isinstance(part, dict):
        pattern = part.get("pattern")
        word = pattern.get("String") if isinstance(pattern, dict) else part.get("content") if "id" in part else None
        if isinstance(word, str) and word:
            yield word[:LONG]
        for name in ("normalizer", "pre_tokenizer", "normalizers", "pretokenizers", "added_tokens"):
            yield from list(_searched(part.get(name)))[:100]


def _try_network(opened: OpenSource) -> int:
    """The network with the weights of the folder is run once; the size of its input. Raises UnusableInput."""
    model = opened.build(2, pretrained=True)
    import torch

    size = int(opened.preprocess["input_size"])
    with torch.inference_mode():
        logits = model.eval()(*model.example(size))
    outputs = 2 if hasattr(model, "classify") else logits.shape[-1]  # a network that writes keeps its own words
    if (logits.shape[0], logits.shape[-1]) != (1, outputs) or not bool(logits.isfinite().all()):
        raise UnusableInput(
            sentence("The network runs, but its outputs are not usable numbers. Its weights may be damaged."),
            code="source-unusable",
            file="model.safetensors",
        )
    return size


def _explained(error: BaseException, title: str) -> UnusableInput:
    limit = limits.own_memory()
    if machine.out_of_memory(error) and limit:
        return memory_exceeded(title, limit)
    if type(error).__name__ == "SafetensorError":
        return does_not_fit(title, error)
    return UnusableInput(
        sentence(
            "{model} could not be built and run once ({problem}). Its files may be damaged: save the model again, or "
            "choose another.",
            model=title,
            problem=_short(error),
        ),
        code="source-unusable",
    )


def _tokenizer_fails(title: str, error: BaseException) -> UnusableInput:
    problem: Sentence | str = _short(error)
    if "regex" in str(error).lower():
        problem = sentence("its regular expression needs too many steps")
    return UnusableInput(
        sentence(
            "The tokenizer of {model} fails on some texts ({problem}). Save the model again with transformers, or "
            "choose another.",
            model=title,
            problem=problem,
        ),
        code="source-tokenizer",
        file=tokenization.TOKENIZER,
    )


def _short(error: BaseException) -> str:
    return PATH.sub("", (str(error).strip().splitlines() or [type(error).__name__])[0])[:200]


def _print(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tlcore.models.loading.try_out")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--title", help="the name that the person knows it by")
    parser.add_argument("--memory", type=int, help="bytes of memory that it may take, where it has no control group")
    parser.add_argument("--cgroup", type=Path, help="the folder of its control group")
    given = parser.parse_args(arguments)
    limits.restrict(given.memory, given.cgroup)
    _print(**check(given.folder, given.title or given.folder.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
