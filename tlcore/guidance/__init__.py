"""What is measured before training (evidence), and what it suggests (advice): ranking, pilot, advice rule.

Looks at training and validation data only, never at the test set, and never decides for the person.
"""

from tlcore.guidance import domain_shift
from tlcore.guidance.advice import Advice, advise, kept_advice
from tlcore.guidance.evidence import Evidence
from tlcore.guidance.evidence_cache import kept
from tlcore.guidance.measurement import about, measure, measure_with, with_own_counts
from tlcore.guidance.pilot import kept_pilot
from tlcore.guidance.ranking import kept_ranking, rank, reachable, scores

__all__ = [
    "Advice",
    "Evidence",
    "about",
    "advise",
    "domain_shift",
    "kept",
    "kept_advice",
    "kept_pilot",
    "kept_ranking",
    "measure",
    "measure_with",
    "rank",
    "reachable",
    "scores",
    "with_own_counts",
]
