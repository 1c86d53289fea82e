"""The pilot: short trainings of candidate strategies with successive halving, scored on validation data.

Each round trains the remaining strategies longer. The worse half is dropped, unless it is within noise of the leader
(Jamieson & Talwalkar, arXiv 1502.07943). Every round trains from the beginning: a long training stopped early is still
in its warm-up and is less informative than a short one with its own schedule. Test data are not used. If there are few
validation examples, the last round adds cross-validation folds (`guidance.cross_validation`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore import strategies
from tlcore.core import stored_files
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.spec_parts import Data
from tlcore.guidance import measurement
from tlcore.guidance.advice_rule import BASE
from tlcore.spec import Spec
from tlcore.training.workload import epochs_of, guess_seconds

if TYPE_CHECKING:
    from tlcore.models.source_model import SourceModel
    from tlcore.store import Store
    from tlcore.tasks.contract import Task

VERSION = 2
SHARES = (1 / 9, 1 / 3, 1.0)  # of the epochs of a full training, by round
LEAST = 3  # epochs of a round; fewer measure how a strategy starts rather than how good it is
FIELDS = ("task", "data", "source", "options", "budget")  # fields of a Spec that a pilot depends on


def candidates(
    task: Task, data: Data | None = None, scratch: bool = False, source: SourceModel | None = None
) -> list[str]:
    """The strategies in the pilot: those with ``races`` that suit the task; ``scratch`` adds training from scratch.

    For a large language model, LoRA replaces all strategies that train the full network, as in the advice.
    """
    serving = [one for one in strategies.serving(task, data) if one.in_pilot or (scratch and not one.pretrained)]
    among = measurement.advised_strategies(task, source)
    if measurement.LORA not in among:
        return [one.id for one in serving]
    whole = [one.id for one in serving if one.pretrained and one.id != BASE]
    return [*(one.id for one in serving if one.id not in whole and one.id in among), measurement.LORA]


def rounds(epochs: int) -> list[int]:
    """Epochs of each round for a strategy with ``epochs`` in a full training; [0] if it has no gradient training."""
    return [0] if epochs == 0 else [min(epochs, max(LEAST, round(share * epochs))) for share in SHARES]


def request(spec: Spec, fingerprint: str, *, scratch: bool = False) -> dict[str, Any]:
    """The input of a pilot job. Equal requests share one result."""
    pilot_spec = spec.model_copy(update={"data": spec.data.model_copy(update={"dataset": fingerprint, "path": None})})
    plain = pilot_spec.model_dump(mode="json")
    return {"spec": {name: plain[name] for name in FIELDS}, "scratch": scratch}


def path(store: Store, asked: Mapping[str, Any]) -> Path:
    """The file of a pilot's result."""
    spec = asked["spec"]
    rest = json.dumps([VERSION, {**asked, "spec": {**spec, "data": None}}], sort_keys=True)
    stem = f"{spec['data']['dataset']}-{_short(spec['source'])}-{_short(rest)}"
    return store.home / "cache" / "races" / f"{stem}.json"


def kept(store: Store, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """The cached result of exactly this request; None if there is none."""
    found = path(store, asked)
    return _cached(found) if found.exists() else None


def kept_pilot(store: Store, fingerprint: str, source_id: str) -> dict[str, Any] | None:
    """The newest pilot of a dataset and a source, with any options; None if there is none. Does not import torch."""
    found = (store.home / "cache" / "races").glob(f"{fingerprint}-{_short(source_id)}-*.json")
    newest = max(found, key=lambda one: one.stat().st_mtime, default=None)
    return _cached(newest) if newest else None


def _cached(file: Path) -> dict[str, Any] | None:
    """A cached result; None if the file is damaged, so that it is measured again."""
    try:
        return stored_files.read_object(file, stored_files.RUN)
    except UnusableInput:
        return None


def survivors(scores: Mapping[str, tuple[float, float]], near: Mapping[str, bool]) -> list[str]:
    """The strategies of the next round, best first: the better half and all within noise of the leader.

    ``scores``: (score, minus the loss as tie-breaker), higher is better. ``near``: whether within noise of the leader.
    """
    order = sorted(scores, key=lambda name: scores[name], reverse=True)
    half = ceil(len(order) / 2)
    return [name for place, name in enumerate(order) if place < half or near[name]]


def guess(plans: Sequence[Mapping[str, Any]], cores: int, turns: int = 1) -> float:
    """A rough upper bound in seconds if no strategy is dropped, from the candidates' plans and the folds ``turns``."""
    total = 0.0
    for plan in plans:
        arm = plan["arms"]["transfer"]
        epochs = rounds(epochs_of(arm))
        passes = epochs[0] * len(arm["rates"]) + sum(sorted(set(epochs))[1:]) + (turns - 1) * epochs[-1]
        still = [phase for phase in arm["phases"] if phase["kind"] != "train"]
        once = {**arm, "phases": [*still, {"kind": "train", "epochs": passes}] if passes else still, "rates": []}
        total += guess_seconds({**plan, "arms": {"transfer": once}, "seeds": 1}, cores) - 10
    return total + 5


def sentences(found: Mapping[str, Any]) -> dict[str, Sentence]:
    """Sentences about the winner, how clear its lead is, and the method."""
    from tlcore.strategies import find

    by_id = {one["strategy"]: one for one in found["candidates"]}
    best = by_id[found["winner"]]["rungs"][-1]

    def shown(score: float) -> Any:
        return sentence("{percent} %", percent=round(100 * score, 1)) if found["share"] else round(score, 3)

    numbers = {
        "winner": find(found["winner"]).title,
        "metric": found["metric_title"],
        "score": shown(best["score"]),
        "low": shown(best["interval"][0]),
        "high": shown(best["interval"][1]),
        "n": found["n_validation"],
    }
    if found["clear"]:
        won = sentence(
            "{winner} won the pilot: {metric} {score} on {n} validation examples (95 % interval {low} to {high}).",
            **numbers,
        )
    else:
        other = find(found["runner_up"]).title
        won = sentence(
            "{winner} came first: {metric} {score} on {n} validation examples (95 % interval {low} to {high}), "
            "but {other} is within noise of it.",
            other=other,
            **numbers,
        )
    how = sentence(
        "Successive halving: short trainings with one seed, scored on validation data alone; the worse half is "
        "dropped after each round, unless it is within one standard error of the leader. Each round begins anew with "
        "a schedule of its own length. The winner was chosen on these {n} examples, so its score here is a little "
        "too good.",
        n=found["n_validation"],
    )
    out = {"won": won, "how": how}
    if found["n_validation"] > found["n_own"]:
        out["turns"] = sentence(
            "{own} validation examples say little. After the last round every strategy that was left was trained on "
            "{turns} more cross-validation folds of training and validation data: the scores are those of all {n} "
            "examples together, each by a model that had not seen it.",
            own=found["n_own"],
            turns=found["turns"] - 1,
            n=found["n_validation"],
        )
    return out


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
