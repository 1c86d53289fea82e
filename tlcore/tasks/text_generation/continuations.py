"""Generated continuations of test prompts, before and after training, beside the true texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core import machine
from tlcore.core.i18n import sentence
from tlcore.runtime.generation import begun, continued, readable
from tlcore.tasks.text_generation import chat_template

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.data.dataset import Dataset
    from tlcore.models.loading import OpenSource
    from tlcore.tasks.contract import Task

PROMPT = 200  # most characters of a plain text used as prompt; never more than half of it
SHOWN, PREDICTED = 4, 24  # prompts continued by both models, and by the trained one alone
WORST = 12  # of the latter, those with the lowest scores
GREEDY = {"length": 48, "temperature": 0.0, "top_p": 1.0, "seed": 0}
DRAWN = {"length": 48, "temperature": 0.8, "top_p": 0.95, "seed": 0}
WAYS = ((sentence("the likeliest words"), GREEDY), (sentence("drawn: temperature 0.8, top-p 0.95, seed 0"), DRAWN))


def halves(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Each text as (prompt, true continuation).

    Prompt and completion; or a chat up to its last assistant message, and that message; or a plain text split at a
    blank.
    """
    if "turns" in rows:
        return [_chat(json.loads(turns)) for turns in rows["turns"]]
    if "completion" in rows:
        return list(zip(rows["text"], rows["completion"], strict=True))
    return [_parted(text) for text in rows["text"]]


def samples(
    task: Task,
    answers: list[dict[str, Any]],
    dataset: Dataset,
    processor: dict[str, Any],
    source: OpenSource,
    weights: Path,
) -> list[dict[str, Any]]:
    """Texts that the source model and the trained model generate from the same prompts with the same seeds: {id,
    prompt, truth, written: [{how, before, after}]}.

    Fills in ``prediction`` of some answers: those with the lowest scores, and others spread over the test set.
    """
    from tlcore.models import tokenization

    device = machine.detect().device
    tokenizer = tokenization.open_tokenizer(tokenization.read(source.folder), 1_000_000)
    prompts = _prompts(dataset.split("test"), processor, source.folder)

    def writes(model: Any, place: int, settings: dict[str, Any]) -> str:
        text, prompt = prompts[place]
        made = continued(model, begun(tokenizer, prompt, text, settings["length"]), prompt, settings)
        return readable(tokenizer.decode(made)).strip()

    def network(model: Any) -> Any:
        return model.to(device).eval().net

    n = len(answers)
    spread = np.unique(np.linspace(0, n - 1, min(n, SHOWN)).astype(int)).tolist()
    worst = sorted(range(n), key=lambda place: answers[place]["score"])[:WORST]
    more = np.unique(np.linspace(0, n - 1, min(n, PREDICTED - WORST)).astype(int)).tolist()
    trained = network(task.load(weights, source.source, processor["size"]))
    for place in {*spread, *worst, *more}:
        answers[place]["prediction"] = writes(trained, place, GREEDY)
    after = {(place, way): writes(trained, place, how) for place in spread for way, (_, how) in enumerate(WAYS)}
    before = network(task.source_model(source, {})[0])
    return [
        {
            "id": answers[place]["id"],
            "prompt": answers[place]["text"],
            "truth": answers[place]["truth"],
            "written": [
                {"how": way_sentence.model_dump(), "before": writes(before, place, how), "after": after[place, way]}
                for way, (way_sentence, how) in enumerate(WAYS)
            ],
        }
        for place in spread
    ]


def _prompts(rows: pd.DataFrame, processor: dict[str, Any], folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Each prompt as in training, with the special tokens and text around it."""
    around = {name: processor[name] for name in ("before", "after", "bos", "end", "context")}
    if processor["form"] != "chat":
        return [(begin, around) for begin, _ in halves(rows)]
    from tlcore.tasks.text_generation.examples import names, plainly

    end = str(processor["end_token"] or "")
    own = chat_template.own(folder, names(processor)) if processor["template"] == "own" else None
    bare = {**around, "before": "", "after": ""}
    found = []
    for turns in map(json.loads, rows["turns"]):
        before = turns[: _last(turns)]
        try:
            text = own(before, True) if own else plainly(end)(before, True)
        except Exception:  # untrusted template: it may fail on a partial chat
            text = plainly(end)(before, True)
        found.append((text, {**bare, "after": text[len(text.rstrip()) :]}))
    return found


def _chat(turns: list[dict[str, str]]) -> tuple[str, str]:
    last = _last(turns)
    return "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns[:last]), turns[last]["content"]


def _last(turns: list[dict[str, str]]) -> int:
    return max(place for place, turn in enumerate(turns) if turn["role"] == "assistant")


def _parted(text: str) -> tuple[str, str]:
    """A text split at the last blank within its first half and within `PROMPT` characters."""
    room = min(PROMPT, len(text) // 2)
    at = max(text.rfind(" ", 1, room + 1), text.rfind("\n", 1, room + 1))
    at = at if at > 0 else max(1, room)
    return text[:at].rstrip() or text[:1], text[at:].strip()
