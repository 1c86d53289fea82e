"""The one gradient loop, for every task and strategy.

Nothing in it draws from a generator that lives on: the order of the examples, the augmentation and dropout are
functions of (seed, epoch, step), so a training that was killed goes on from its checkpoint to the very same weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from tlcore.strategies.hooks import At, running
from tlcore.tasks.contract import Metric, Part, Task
from tlcore.training.checkpoint import Checkpoint


@dataclass
class Training:
    """What one training needs. ``phase`` is a `train_phase` of the Plan."""

    task: Task
    model: Any
    examples: Mapping[str, Any]
    target: dict[str, Any]
    phase: dict[str, Any]
    rate: float
    epochs: int
    patience: int | None  # epochs without a better validation score before it stops; None: never
    seed: int
    batch_size: int
    accumulation: int
    machine: Any
    checkpoint: Checkpoint
    metric: Metric
    minutes: float | None = None
    streams: Mapping[str, Any] = field(default_factory=dict)  # further examples, for the phase or its hooks, by name
    sets: Mapping[str, Any] = field(default_factory=dict)  # the datasets that the streams are of
    sides: Mapping[str, Any] = field(default_factory=dict)  # further tasks, for hooks (`training.sides.Side`)
    keep: bool = False  # the state at the end stays in the checkpoint, for the phases that come after
    on_step: Callable[[int], None] = lambda n: None
    on_epoch: Callable[..., None] = lambda **values: None


@dataclass
class Trained:
    """The best state by validation data, and how it was reached."""

    score: tuple[float, float]  # headline metric (higher is better), then minus the loss
    best_epoch: int
    epochs: int
    seconds: float
    examples_per_second: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)  # sentences for the report, dumped
    measured: dict[str, Any] = field(default_factory=dict)  # by the hooks, under their ids

    def then(self, after: Trained) -> Trained:
        """This phase and the one that went on from it: the state is that of the later one."""
        return replace(after, best_epoch=self.epochs + after.best_epoch, epochs=self.epochs + after.epochs,
                       seconds=self.seconds + after.seconds, history=[*self.history, *after.history],
                       notes=[*self.notes, *after.notes], measured={**self.measured, **after.measured})  # fmt: skip


def train(told: Training) -> Trained:
    """Run one `train` phase; the model ends with its best state by validation data, or by what a hook of the phase
    chooses it by. A phase that was finished before is not run again where its end was kept.
    """
    import torch
    from accelerate import Accelerator

    machine, phase, model = told.machine, told.phase, told.model
    accelerator = Accelerator(cpu=machine.device == "cpu", mixed_precision="bf16" if machine.bf16 else "no")
    device = str(accelerator.device)
    model.to(accelerator.device, memory_format=torch.channels_last)
    kept = told.checkpoint.load()
    if kept and "done" in kept:
        model.load_state_dict(kept["model"])
        return Trained(**kept["done"])
    parts = told.task.parts(model)
    trainable = trained(parts, phase["trainable"])
    _train_mode(model, trainable, phase)
    top = told.rate * phase["scale"]
    groups = _groups(model, parts, trainable, top, phase)
    hooks = running(phase.get("hooks", ()))
    hooks.begin(told, device)
    if extra := hooks.parameters():
        groups.append({"params": extra, "lr": top, "top": top, "weight_decay": phase["weight_decay"]})
    clipped = list(
        {id(one): one for one in (*model.parameters(), *extra)}.values()
    )  # some of extra may lie in the model
    modes = [(module, module.training) for module in model.modules()]
    optimizer = accelerator.prepare(torch.optim.AdamW(groups, fused=True))
    examples = told.streams[phase["stream"]] if phase.get("stream") else told.examples["train"]
    order_size, batch = len(examples), told.batch_size
    steps = max(1, order_size // batch if order_size >= batch else 1)

    best: dict[str, Any] = {"score": [-math.inf, -math.inf], "epoch": 0, "state": None}
    history: list[dict[str, float]] = []
    epoch, spent, count = 0, 0.0, 0
    if kept:
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        hooks.load_state_dict(kept["hooks"])
        best, history, epoch, spent = kept["best"], kept["history"], kept["epoch"], kept["seconds"]
    begun, nothing = time.monotonic(), torch.zeros((), device=accelerator.device)

    def judge(epoch: int, **values: float) -> None:
        """Score on validation data, keep the best state, and tell."""
        model.eval()
        with accelerator.autocast():
            seen = {} if phase.get("stream") else score(told, model, "validation", device)
            now = hooks.judge(model, seen, At(told.seed, epoch, share=epoch / told.epochs))
        now = list(now or (order(told.metric, seen) if seen else (0.0, float(epoch))))
        if now > best["score"]:
            best.update(score=now, epoch=epoch, state=_copied(model))
        values.update({f"validation_{k}": v for k, v in seen.items()})
        seconds = spent + time.monotonic() - begun
        history.append({"epoch": epoch, "seconds": seconds, **values})
        told.on_epoch(epoch=epoch, seconds=seconds, **values)

    if epoch == 0:
        judge(0)  # a head that was solved beforehand may already be the best
    while epoch < told.epochs:
        for module, mode in modes:
            module.training = mode
        losses = 0.0
        places = np.random.default_rng((told.seed, epoch)).permutation(order_size)[: steps * batch]
        pieces = [in_batches(whole, max(1, batch // told.accumulation)) for whole in in_batches(places, batch)]
        feed = examples.batches([piece for step in pieces for piece in step], (told.seed, epoch), device)
        done = 0
        for step, these in enumerate(pieces):
            _set_rate(optimizer, phase, epoch * steps + step, told.epochs * steps)
            torch.manual_seed((told.seed * 1_000_003 + epoch) * 1_000_003 + step)
            size = sum(map(len, these))
            at = At(told.seed, epoch, step, done, (epoch * steps + step) / (told.epochs * steps))
            for piece, inputs in zip(these, feed, strict=False):
                with accelerator.autocast():
                    loss, given = (nothing, None) if phase.get("stream") else told.task.loss(model, inputs)
                    loss = hooks.loss(model, inputs, given, loss, at)
                accelerator.backward(loss * (len(piece) / size))
                losses += loss.detach() * len(piece)
                at = replace(at, seen=at.seen + len(piece))
            accelerator.clip_grad_norm_(clipped, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            hooks.after_step(model, at)
            done += size
            told.on_step(size)
        count += done
        epoch += 1
        judge(epoch, train_loss=float(losses) / max(1, done))
        seconds = history[-1]["seconds"]
        stop = told.patience is not None and epoch - best["epoch"] >= told.patience
        stop = stop or (told.minutes is not None and seconds > 60 * told.minutes)
        if stop or epoch == told.epochs:
            break
        if told.checkpoint.due():
            told.checkpoint.save({
                "model": model.state_dict(), "optimizer": optimizer.state_dict(), "hooks": hooks.state_dict(),
                "best": best, "history": history, "epoch": epoch, "seconds": seconds,
            })  # fmt: skip
    if best["state"] is not None:
        model.load_state_dict(best["state"])
    left = hooks.end(model)
    elapsed = time.monotonic() - begun
    found = Trained(
        score=left.score or (best["score"][0], best["score"][1]), best_epoch=best["epoch"], epochs=epoch,
        seconds=spent + elapsed, examples_per_second=round(count / elapsed, 1) if elapsed > 0 and count else None,
        history=history, notes=[note.model_dump() for note in left.notes], measured=left.measured,
    )  # fmt: skip
    if told.keep:
        told.checkpoint.save({"model": model.state_dict(), "done": asdict(found)})
    return found


def order(metric: Metric, seen: Mapping[str, float]) -> tuple[float, float]:
    """By what states are compared, higher is better: the headline metric, then minus the loss."""
    return seen[metric.id] * (1 if metric.higher_is_better else -1), -seen["loss"]


def trained(parts: list[Part], which: str | float) -> set[str]:
    """The names of the parts that a phase trains: ``all``, the ``head``, ``nothing``, or that share of them from the
    head down.
    """
    if which == "nothing":
        return set()
    if which == "all":
        return {part.name for part in parts}
    count = 1 if which == "head" else max(1, math.ceil(float(which) * len(parts)))
    return {part.name for part in parts[-count:]}


class First:
    """The first ``n`` examples of a split; all where ``n`` is None."""

    def __init__(self, examples: Any, n: int | None):
        self._examples, self._n = examples, len(examples) if n is None else min(n, len(examples))

    def __len__(self) -> int:
        return self._n

    def __getattr__(self, name: str) -> Any:
        """What holds of each example, cut; the rest as it is."""
        value = getattr(object.__getattribute__(self, "_examples"), name)
        whole = isinstance(value, np.ndarray | list) and len(value) == len(self._examples)
        return value[: self._n] if whole else value


def judged(task: Task, examples: Any, split: str) -> Any:
    """As much of a split as the task scores while it trains; all of the test set."""
    return examples if split == "test" else First(examples, task.judged)


def in_batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """The order cut into pieces of ``size``; the last one may be smaller."""
    return [order[i : i + size] for i in range(0, len(order), size)]


def arranged(examples: Any) -> np.ndarray:
    """The places of all examples in the order in which looking at them is fastest."""
    order = np.arange(len(examples))
    return examples.arrange(order) if hasattr(examples, "arrange") else order


def in_place(rows: list[np.ndarray], order: np.ndarray) -> np.ndarray:
    """Batches of rows that were taken in ``order``, each row at its own place again."""
    taken = np.concatenate(rows)
    out = np.empty_like(taken)
    out[order] = taken
    return out


def outputs(task: Task, model: Any, examples: Any, batch_size: int, device: str) -> np.ndarray:
    """The model's outputs on a split, (n, …) as the task keeps them, in the split's order."""
    import torch

    model.eval()
    rows, order = [], arranged(examples)
    with torch.inference_mode():
        for batch in examples.batches(in_batches(order, batch_size), None, device):
            rows.append(task.outputs(model, batch, task.loss(model, batch)[1]))
    return in_place(rows, order)


def score(told: Training, model: Any, split: str, device: str) -> dict[str, float]:
    """The task's metrics and the mean loss on a split, or on as much of it as the task judges after an epoch."""
    import torch

    model.eval()
    rows, losses = [], 0.0
    examples = judged(told.task, told.examples[split], split)
    order = arranged(examples)
    size = max(1, told.batch_size // told.accumulation)
    with torch.inference_mode():
        for batch in examples.batches(in_batches(order, size), None, device):
            loss, given = told.task.loss(model, batch)
            rows.append(told.task.outputs(model, batch, given))
            losses += float(loss) * len(rows[-1])
    return {**metrics(told.task, in_place(rows, order), examples, told.target), "loss": losses / len(examples)}


def metrics(task: Task, out: np.ndarray, examples: Any, target: dict[str, Any]) -> dict[str, float]:
    """The task's metrics of outputs on a split, each example counted once."""
    records = task.evaluate(out, examples, target)
    return {k: float(v[0]) for k, v in task.aggregate(records, np.ones((1, len(records))), target).items()}


def _copied(model: Any) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _train_mode(model: Any, trainable: set[str], phase: dict[str, Any]) -> None:
    """What is trained learns, what is frozen keeps still; batch norm's moments stay where the phase keeps them."""
    from torch.nn.modules.batchnorm import _BatchNorm

    model.set_training(trainable)
    if phase["statistics"] == "kept":
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


def _groups(model: Any, parts: list[Part], trainable: set[str], rate: float,
            phase: dict[str, Any]) -> list[dict[str, Any]]:  # fmt: skip
    """Parameter groups: the rate falls by ``layer_decay`` with each part below the head; no decay of 1-d weights."""
    named = dict(model.named_parameters())
    groups = []
    for depth, part in enumerate(reversed(parts)):
        if part.name not in trainable:
            continue
        for flat in (True, False):
            these = [named[n] for n in part.parameters if n in named and (named[n].ndim <= 1) == flat]
            if these:
                own = rate * phase["layer_decay"] ** depth
                groups.append({"params": these, "lr": own, "top": own,
                               "weight_decay": 0.0 if flat else phase["weight_decay"]})  # fmt: skip
    return groups


def _set_rate(optimizer: Any, phase: dict[str, Any], step: int, steps: int) -> None:
    """Linear warm-up, then half a cosine to zero: a function of the step alone."""
    warm = max(1, round(phase["warmup"] * steps))
    share = (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
    for group in optimizer.param_groups:
        group["lr"] = group["top"] * share
