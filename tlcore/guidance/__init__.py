"""Measurements made before training, and the advice drawn from them."""

from tlcore.guidance import domain_shift
from tlcore.guidance.advice import Advice, advise, kept_advice
from tlcore.guidance.evidence import Evidence
from tlcore.guidance.evidence_cache import kept
from tlcore.guidance.measurement import about, measure, measure_with, with_own_counts
from tlcore.guidance.pilot import kept_race
from tlcore.guidance.ranking import kept_ranking, rank, reachable, scores

__all__ = [
    "Advice",
    "Evidence",
    "about",
    "advise",
    "domain_shift",
    "kept",
    "kept_advice",
    "kept_race",
    "kept_ranking",
    "measure",
    "measure_with",
    "rank",
    "reachable",
    "scores",
    "with_own_counts",
]
