"""How it is transferred. A new strategy is one file here and one line in STRATEGIES."""

from tlcore.registry import by_id, pick
from tlcore.strategies.contract import Strategy
from tlcore.strategies.feature_extraction import FeatureExtraction
from tlcore.strategies.fine_tuning import FineTuning
from tlcore.strategies.linear_probe_then_fine_tune import LinearProbeThenFineTune
from tlcore.strategies.scratch import Scratch

STRATEGIES: tuple[Strategy, ...] = (FeatureExtraction(), FineTuning(), LinearProbeThenFineTune(), Scratch())

_BY_ID = by_id(STRATEGIES)


def find(strategy_id: str) -> Strategy:
    """The strategy with that id. Raises UnusableInput naming those there are."""
    return pick(_BY_ID, strategy_id, what="strategy")
