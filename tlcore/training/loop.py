"""The gradient loop, for every task and strategy.

It uses no long-lived random generator: example order, augmentation and dropout are functions of (seed, epoch, step), so
that a killed training resumes from its checkpoint to exactly the same weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from tlcore.models.layer_groups import LayerGroup
from tlcore.tasks.shared.inference import length_buckets, order
from tlcore.training import kernels
from tlcore.training.hooks import At, HookRunner, running
from tlcore.training.phase import Trained, Training


def train(training: Training) -> Trained:
    """Run one `train` phase; the model ends in its best state by validation data or by a hook's criterion.

    A finished phase whose final state is in the checkpoint is not run again.
    """
    import torch
    from accelerate import Accelerator

    machine, phase, model = training.machine, training.phase, training.model
    accelerator = Accelerator(cpu=machine.device == "cpu")
    device = str(accelerator.device)
    # accelerate has one precision per process; the faster one depends on the network.
    autocast = partial(torch.autocast, accelerator.device.type, torch.bfloat16, enabled=kernels.half(model, machine))
    model.to(accelerator.device, memory_format=torch.channels_last)
    kept = training.checkpoint.load()
    if kept and "done" in kept:
        model.load_state_dict(kept["model"])
        return Trained(**kept["done"])
    parts = training.task.parts(model)
    trainable = trained(parts, phase["trainable"])
    _train_mode(model, trainable, phase)
    top = training.rate * phase["scale"]
    groups = _groups(model, parts, trainable, top, phase)
    hooks = running(phase.get("hooks", ()))
    hooks.begin(training, device)
    if extra := hooks.parameters():
        groups.append({"params": extra, "lr": top, "top": top, "weight_decay": phase["weight_decay"]})
    # Each parameter once: parameters of hooks may be part of the model.
    clipped = list({id(one): one for one in (*model.parameters(), *extra)}.values())
    modes = [(module, module.training) for module in model.modules()]
    optimizer = accelerator.prepare(torch.optim.AdamW(groups, fused=True))
    examples = training.streams[phase["stream"]] if phase.get("stream") else training.examples["train"]

    best: dict[str, Any] = {"score": [-math.inf, -math.inf], "epoch": 0, "state": None}
    history: list[dict[str, float]] = []
    epoch, spent, count = 0, 0.0, 0
    if kept:
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        hooks.load_state_dict(kept["hooks"])
        best, history, epoch, spent = kept["best"], kept["history"], kept["epoch"], kept["seconds"]
    begun = time.monotonic()

    def judge(epoch: int, **values: float) -> None:
        """Score on validation data, keep the best state and report."""
        model.eval()
        with autocast():
            seen = {} if phase.get("stream") else training.validated(model, device)
            now = hooks.after_evaluation(model, seen, At(training.seed, epoch, share=epoch / training.epochs))
        now = list(now or (order(training.metric, seen) if seen else (0.0, float(epoch))))
        if now > best["score"]:
            best.update(score=now, epoch=epoch, state=_copied(model))
        values.update({f"validation_{k}": v for k, v in seen.items()})
        seconds = spent + time.monotonic() - begun
        history.append({"epoch": epoch, "seconds": seconds, **values})
        training.on_epoch(epoch=epoch, seconds=seconds, **values)

    if epoch == 0:
        judge(0)  # a head fitted beforehand may already be the best
    while epoch < training.epochs:
        for module, mode in modes:
            module.training = mode
        with kernels.stepwise_attention(model, device):
            loss, done = _epoch(training, examples, epoch, hooks, accelerator, autocast, optimizer, clipped)
        count += done
        epoch += 1
        judge(epoch, train_loss=loss)
        seconds = history[-1]["seconds"]
        stop = training.patience is not None and epoch - best["epoch"] >= training.patience
        stop = stop or (training.minutes is not None and seconds > 60 * training.minutes)
        if stop or epoch == training.epochs:
            break
        if training.checkpoint.due():
            training.checkpoint.save(
                {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "hooks": hooks.state_dict(),
                    "best": best,
                    "history": history,
                    "epoch": epoch,
                    "seconds": seconds,
                }
            )
    if best["state"] is not None:
        model.load_state_dict(best["state"])
    left = hooks.end(model)
    elapsed = time.monotonic() - begun
    found = Trained(
        score=left.score or (best["score"][0], best["score"][1]),
        best_epoch=best["epoch"],
        epochs=epoch,
        seconds=spent + elapsed,
        examples_per_second=round(count / elapsed, 1) if elapsed > 0 and count else None,
        history=history,
        notes=[note.model_dump() for note in left.notes],
        measured=left.measured,
    )
    if training.keep:
        training.checkpoint.save({"model": model.state_dict(), "done": asdict(found)})
    return found


def _epoch(
    training: Training,
    examples: Any,
    epoch: int,
    hooks: HookRunner,
    accelerator: Any,
    autocast: Callable[[], Any],
    optimizer: Any,
    clipped: list[Any],
) -> tuple[float, int]:
    """Train one epoch; returns the mean loss and the number of examples.

    An incomplete last batch is dropped, unless it is the only one.
    """
    import torch

    phase, model, batch = training.phase, training.model, training.batch_size
    steps = max(1, len(examples) // batch)
    rng = np.random.default_rng((training.seed, epoch))
    places = length_buckets(examples, rng.permutation(len(examples))[: steps * batch], batch, rng)
    at_once = max(1, batch // training.accumulation)
    pieces = [np.array_split(whole, math.ceil(len(whole) / at_once)) for whole in places]
    feed = examples.batches(
        [piece for step in pieces for piece in step], (training.seed, epoch), str(accelerator.device)
    )
    nothing = torch.zeros((), device=accelerator.device)
    losses, done = 0.0, 0
    for step, these in enumerate(pieces):
        _set_rate(optimizer, phase, epoch * steps + step, training.epochs * steps)
        torch.manual_seed((training.seed * 1_000_003 + epoch) * 1_000_003 + step)
        size = sum(map(len, these))
        at = At(training.seed, epoch, step, done, (epoch * steps + step) / (training.epochs * steps))
        for piece, inputs in zip(these, feed, strict=False):
            with autocast():
                loss, given = (nothing, None) if phase.get("stream") else training.task.loss(model, inputs)
                loss = hooks.loss(model, inputs, given, loss, at)
            accelerator.backward(loss * (len(piece) / size))
            losses += loss.detach() * len(piece)
            at = replace(at, seen=at.seen + len(piece))
        accelerator.clip_grad_norm_(clipped, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        hooks.after_step(model, at)
        done += size
        training.on_step(size)
    return float(losses) / max(1, done), done


def trained(parts: list[LayerGroup], which: str | float) -> set[str]:
    """The layer groups (names) a phase trains: ``all``, the ``head``, ``nothing``, or a share from the head down."""
    if which == "nothing":
        return set()
    if which == "all":
        return {part.name for part in parts}
    count = 1 if which == "head" else max(1, math.ceil(float(which) * len(parts)))
    return {part.name for part in parts[-count:]}


def _copied(model: Any) -> dict[str, Any]:
    """A copy of the state in CPU memory, since GPU memory is scarce."""
    return {name: value.detach().to("cpu", copy=True) for name, value in model.state_dict().items()}


def _train_mode(model: Any, trainable: set[str], phase: dict[str, Any]) -> None:
    """Train mode for trained layer groups only; batch norm keeps its statistics if ``statistics`` is "kept"."""
    from torch.nn.modules.batchnorm import _BatchNorm

    model.set_training(trainable)
    if phase["statistics"] == "kept":
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


def _groups(
    model: Any, parts: list[LayerGroup], trainable: set[str], rate: float, phase: dict[str, Any]
) -> list[dict[str, Any]]:
    """Parameter groups: the rate falls by ``layer_decay`` per layer group below the head; no decay of 1-d weights."""
    named = dict(model.named_parameters())
    groups = []
    for depth, part in enumerate(reversed(parts)):
        if part.name not in trainable:
            continue
        for flat in (True, False):
            these = [named[n] for n in part.parameters if n in named and (named[n].ndim <= 1) == flat]
            if these:
                own = rate * phase["layer_decay"] ** depth
                groups.append(
                    {"params": these, "lr": own, "top": own, "weight_decay": 0.0 if flat else phase["weight_decay"]}
                )
    return groups


def _set_rate(optimizer: Any, phase: dict[str, Any], step: int, steps: int) -> None:
    """Set the rate: linear warm-up, then cosine decay to zero; a function of the step only."""
    warm = max(1, round(phase["warmup"] * steps))
    share = (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
    for group in optimizer.param_groups:
        group["lr"] = group["top"] * share
