"""What strategies add to the one loop. A new hook is one file here and one line in HOOKS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tlcore.registry import by_id, pick
from tlcore.strategies.hooks.adabn import AdaBn
from tlcore.strategies.hooks.causal import Causal
from tlcore.strategies.hooks.cdan import Cdan
from tlcore.strategies.hooks.contract import At, Ended, Hook
from tlcore.strategies.hooks.contrastive import Contrastive
from tlcore.strategies.hooks.coral import Coral
from tlcore.strategies.hooks.dan import Dan
from tlcore.strategies.hooks.dann import Dann
from tlcore.strategies.hooks.l2_sp import L2SP
from tlcore.strategies.hooks.lora import Lora
from tlcore.strategies.hooks.masked import Masked
from tlcore.strategies.hooks.mcc import Mcc
from tlcore.strategies.hooks.mean_teacher import MeanTeacher
from tlcore.strategies.hooks.running import Running
from tlcore.strategies.hooks.side_tasks import SideTasks
from tlcore.strategies.hooks.simclr import SimClr
from tlcore.strategies.hooks.soup import Soup
from tlcore.strategies.hooks.supervised import Supervised
from tlcore.strategies.hooks.target_choice import TargetChoice

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
    TargetChoice,
    SideTasks,
    Masked,
    Causal,
    SimClr,
    Supervised,
)

_BY_ID = by_id(HOOKS)


def find(hook_id: str) -> type[Hook]:
    """The hook with that id. Raises UnusableInput naming those there are."""
    return pick(_BY_ID, hook_id, what="hook")


def running(told: Sequence[Mapping[str, Any]]) -> Running:
    """The hooks that a phase names, made for one training. Raises UnusableInput for one that is not known."""
    made = []
    for one in told:
        settings = {name: value for name, value in one.items() if name != "id"}
        made.append(find(one["id"])(**settings))
    return Running(made)


__all__ = ["HOOKS", "At", "Ended", "Hook", "Running", "find", "running"]
