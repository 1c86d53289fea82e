"""Advice: which strategy the evidence suggests, with its reasons."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from tlcore.guidance.evidence import Evidence
from tlcore.words import Sentence, say

# Examples in the smallest class below which only a head is fitted, and from which everything is fine-tuned at once.
FEW, MANY = 25, 400


class Advice(BaseModel):
    """A strategy, the reasons, and what they rest on."""

    strategy: str
    reasons: list[Sentence]
    evidence: Evidence
    sources: list[dict[str, Any]] = Field(default_factory=list)  # {"id", "score"}, best first, reachable ones

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it: reasons as English sentences."""
        return {**self.model_dump(mode="json"), "reasons": [str(reason) for reason in self.reasons]}


def advise(evidence: Evidence, sources: list[dict[str, Any]] | None = None) -> Advice:
    """A first advice from the number of examples in the smallest class.

    The thresholds follow the literature on few labels (arXiv 1805.08974, 2202.10054); they are not yet fitted.
    """
    n = evidence.fewest
    reasons = [
        say("The smallest class has {n} examples to train on; there are {total} in all.", n=n, total=evidence.n_train)
    ]
    if n < FEW:
        strategy = "feature-extraction"
        reasons.append(
            say(
                "With under {few} a class, training the whole network mostly learns the examples by heart; "
                "a head on frozen features is safer, and done in seconds.",
                few=FEW,
            )
        )
    elif n < MANY:
        strategy = "linear-probe-then-fine-tune"
        reasons.append(
            say(
                "With {few} to {many} a class there is enough to adapt the network, if it starts from a "
                "head that already fits.",
                few=FEW,
                many=MANY,
            )
        )
    else:
        strategy = "fine-tuning"
        reasons.append(say("With {many} or more a class, all layers can be trained.", many=MANY))
    if evidence.imbalance > 10:
        reasons.append(
            say(
                "The largest class has {times} times the examples of the smallest; look at macro-F1, not at "
                "accuracy alone.",
                times=evidence.imbalance,
            )
        )
    reasons.append(
        say(
            "How similar your data are to the source's was not measured; the comparison with the "
            "from-scratch twin tells whether transfer helped."
        )
    )
    return Advice(strategy=strategy, reasons=reasons, evidence=evidence, sources=sources or [])
