"""How it is transferred: one file a strategy, each a plan of phases and hooks, and training from scratch.

A strategy only plans: it never loads a model, never trains, and never looks at an example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlcore.core.registry import by_id, pick
from tlcore.strategies.contract import Strategy
from tlcore.strategies.contrastive_then_head import ContrastiveThenHead
from tlcore.strategies.domain_adaptation import DomainAdaptation
from tlcore.strategies.feature_extraction import FeatureExtraction
from tlcore.strategies.fine_tuning import FineTuning
from tlcore.strategies.gradual_unfreezing import GradualUnfreezing
from tlcore.strategies.linear_probe_then_fine_tune import LinearProbeThenFineTune
from tlcore.strategies.lora import LoRA
from tlcore.strategies.multi_task_learning import MultiTaskLearning
from tlcore.strategies.pre_training_then_fine_tuning import PreTrainingThenFineTuning
from tlcore.strategies.scratch import Scratch

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.tasks.contract import Task

STRATEGIES: tuple[Strategy, ...] = (
    FeatureExtraction(),
    FineTuning(),
    LinearProbeThenFineTune(),
    GradualUnfreezing(),
    LoRA(),
    ContrastiveThenHead(),
    DomainAdaptation(),
    MultiTaskLearning(),
    PreTrainingThenFineTuning(),
    Scratch(),
)

_BY_ID = by_id(STRATEGIES)


def serving(task: Task, data: Data | None = None) -> list[Strategy]:
    """The strategies that suit a task and these data, in order."""
    return [strategy for strategy in STRATEGIES if strategy.refuse(task, data) is None]


def find(strategy_id: str) -> Strategy:
    """The strategy with that id. Raises UnusableInput with the known ids."""
    return pick(_BY_ID, strategy_id, what="strategy")
