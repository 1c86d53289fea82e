"""What was measured before training, and what it suggests."""

from tlcore.guidance import shift
from tlcore.guidance.advice import Advice, advise, kept_advice
from tlcore.guidance.evidence import Evidence
from tlcore.guidance.keeping import kept
from tlcore.guidance.measuring import about, measure, measure_with
from tlcore.guidance.race import kept_race
from tlcore.guidance.ranking import kept_ranking, rank, reachable, scores

__all__ = [
    "Advice",
    "Evidence",
    "about",
    "advise",
    "kept",
    "kept_advice",
    "kept_race",
    "kept_ranking",
    "measure",
    "measure_with",
    "rank",
    "reachable",
    "scores",
    "shift",
]
