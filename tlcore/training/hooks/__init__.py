"""Hooks that strategies add to the training loop. A new hook is one file here and one line in HOOKS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tlcore.core.registry import by_id, pick
from tlcore.training.hooks.adabn import AdaBn
from tlcore.training.hooks.auxiliary_tasks import SideTasks
from tlcore.training.hooks.causal_language_modelling import Causal
from tlcore.training.hooks.cdan import Cdan
from tlcore.training.hooks.contract import At, Ended, Hook
from tlcore.training.hooks.contrastive import Contrastive
from tlcore.training.hooks.coral import Coral
from tlcore.training.hooks.dan import Dan
from tlcore.training.hooks.dann import Dann
from tlcore.training.hooks.l2_sp import L2SP
from tlcore.training.hooks.lora import Lora
from tlcore.training.hooks.masked_language_modelling import Masked
from tlcore.training.hooks.mcc import Mcc
from tlcore.training.hooks.mean_teacher import MeanTeacher
from tlcore.training.hooks.model_soup import Soup
from tlcore.training.hooks.runner import HookRunner
from tlcore.training.hooks.simclr import SimClr
from tlcore.training.hooks.supervised_pre_training import Supervised
from tlcore.training.hooks.unsupervised_selection import UnsupervisedSelection

HOOKS: tuple[type[Hook], ...] = (
    L2SP,
    Soup,
    Lora,
    Contrastive,
    AdaBn,
    Coral,
    Dan,
    Dann,
    Cdan,
    Mcc,
    MeanTeacher,
    UnsupervisedSelection,
    SideTasks,
    Masked,
    Causal,
    SimClr,
    Supervised,
)

_BY_ID = by_id(HOOKS)


def find(hook_id: str) -> type[Hook]:
    """The hook class with that id. Raises UnusableInput with the known ids."""
    return pick(_BY_ID, hook_id, what="hook")


def running(phase_hooks: Sequence[Mapping[str, Any]]) -> HookRunner:
    """The hooks named by a phase, instantiated for one training. Raises UnusableInput for an unknown one."""
    made = []
    for one in phase_hooks:
        settings = {name: value for name, value in one.items() if name != "id"}
        made.append(find(one["id"])(**settings))
    return HookRunner(made)


__all__ = ["HOOKS", "At", "Ended", "Hook", "HookRunner", "find", "running"]
