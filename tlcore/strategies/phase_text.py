"""A Plan in words, for the page that shows it before a run."""

from __future__ import annotations

from typing import Any

from tlcore.core.i18n import Sentence, sentence
from tlcore.training.hooks import find

ALL, HEAD, NOTHING = sentence("all layers"), sentence("the head"), sentence("nothing")
BACKBONE = sentence("all layers but the head")


def phases_in_words(arm: dict[str, Any]) -> list[dict[str, Any]]:
    """One mapping per phase of an arm.

    Keys: title, frozen, trained, rates (of the head), layer_decay, epochs, and hooks (short descriptions).
    """
    return [_KINDS[phase["kind"]](phase, arm) for phase in arm["phases"]]


def _extract(phase: dict[str, Any], arm: dict[str, Any]) -> dict[str, Any]:
    return _row(sentence("Look at every example once, keep the features"), frozen=ALL, trained=NOTHING)


def _solve(phase: dict[str, Any], arm: dict[str, Any]) -> dict[str, Any]:
    return _row(sentence("Fit a linear head on the features"), frozen=BACKBONE, trained=HEAD)


def _train(phase: dict[str, Any], arm: dict[str, Any]) -> dict[str, Any]:
    which = phase["trainable"]
    title = sentence("Train, until the validation score stops rising")
    if phase.get("once"):
        title = (
            sentence("Pre-train on further examples, once for all seeds")
            if phase["pretrained"]
            else sentence("Pre-train random weights on further examples, once for all seeds")
        )
    return _row(
        title,
        frozen={"all": NOTHING, "head": BACKBONE, "nothing": ALL}.get(which) or _layers(1 - which),
        trained={"all": ALL, "head": HEAD, "nothing": NOTHING}.get(which) or _layers(which),
        hooks=[find(hook["id"]).what for hook in phase.get("hooks", ())],
        rates=[rate * phase["scale"] for rate in ([phase["rate"]] if phase.get("once") else arm["rates"])],
        layer_decay=phase["layer_decay"],
        epochs=phase["epochs"],
    )


def _layers(share: float) -> Sentence:
    return sentence("{percent} % of the layers", percent=round(100 * share))


def _row(
    title: Sentence,
    *,
    frozen: Sentence,
    trained: Sentence,
    rates: list[float] | None = None,
    layer_decay: float = 1.0,
    epochs: int | None = None,
    hooks: list[Sentence] | None = None,
) -> dict[str, Any]:
    return {
        "title": title,
        "frozen": frozen,
        "trained": trained,
        "rates": rates or [],
        "layer_decay": layer_decay,
        "epochs": epochs,
        "hooks": hooks or [],
    }


_KINDS = {"extract": _extract, "solve": _solve, "train": _train}
