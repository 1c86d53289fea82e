"""Shared pre-training: phases run once per arm; all seeds and learning-rate trials start from their result.

::

    arms/<arm>/once-<phase>.pt    checkpoint during training, final state afterwards
    arms/<arm>/pre-trained/       the network without a head, in hub layout: a source model
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.data import auxiliary
from tlcore.training import loop
from tlcore.training.checkpoint import Checkpoint
from tlcore.training.hooks import find
from tlcore.training.phase import Trained, Training
from tlcore.training.workload import passes_once

if TYPE_CHECKING:
    from tlcore.training.context import TrainingContext

TRIAL = "pre-training"  # trial name of its curve points, distinct from final trainings and rate trials
SOURCE = "pre-trained"  # folder of the pre-trained network


def begin_with(
    context: TrainingContext, arm: str, folder: Path, model: Any, number: int, phase: dict[str, Any], accumulation: int
) -> dict[str, Any]:
    """Load the body of a shared phase into ``model``, which keeps its head; run the phase if it is not finished.

    Returns its report data: objective, start, set, fingerprint, examples, left_out, epochs, seconds, losses, notes,
    source.
    """
    checkpoint = Checkpoint(folder / f"once-{number}.pt")
    kept = checkpoint.load()
    if kept is None or "done" not in kept:
        _train(context, arm, checkpoint, number, phase, accumulation)
        kept = checkpoint.load()
        assert kept is not None
    done = Trained(**kept["done"])
    model.load_state_dict({**model.state_dict(), **without_head(context, model, kept["model"])})
    losses = [point["train_loss"] for point in done.history if "train_loss" in point]
    given, seen = context.given[phase["stream"]], context.sets[phase["stream"]].info.n["train"]
    return {
        "objective": phase["hooks"][0]["id"],
        "start": "source" if phase["pretrained"] else "random",
        "set": given.info.name,
        "fingerprint": given.fingerprint,
        "examples": seen,
        "left_out": given.info.n["train"] - seen,
        "epochs": done.epochs,
        "seconds": done.seconds,
        "losses": losses,
        "notes": done.notes,
        "source": _packed(context, folder / SOURCE, model),
    }


def without_head(context: TrainingContext, model: Any, state: dict[str, Any]) -> dict[str, Any]:
    """A state without the head that the task puts on the source model."""
    last = context.task.parts(model)[-1]
    own = {*last.parameters, *last.buffers} if getattr(context.task, "has_new_head", True) else set()
    return {name: value for name, value in state.items() if name not in own}


def _train(
    context: TrainingContext, arm: str, checkpoint: Checkpoint, number: int, phase: dict[str, Any], accumulation: int
) -> None:
    """Run the phase or resume it; the final state is in the checkpoint."""
    stream, watch, epochs = phase["stream"], context.watch, phase["epochs"]
    watch.announce(
        sentence("Pre-training on {name}", name=context.sets[stream].info.name),
        arm=arm,
        phase="pre-training",
        epoch=0,
        epochs=epochs,
    )

    def on_epoch(epoch: int, seconds: float, **values: float) -> None:
        watch.now.update(epoch=epoch)
        watch.point(arm=arm, seed=0, trial=TRIAL, phase=number, epoch=epoch, seconds=seconds, **values)

    start = watch.done
    loop.train(
        Training(
            task=context.task,
            model=context.model(phase["pretrained"], 0),
            examples=context.examples,
            target=context.target,
            phase=phase,
            rate=phase["rate"],
            epochs=epochs,
            patience=None,
            seed=0,
            batch_size=phase["batch_size"],
            accumulation=accumulation,
            machine=context.machine,
            checkpoint=checkpoint,
            metric=context.metric,
            minutes=context.plan["arms"][arm]["minutes"],
            streams={stream: _stream(context, phase)},
            sets=context.sets,
            keep=True,
            on_step=lambda n: watch.step(n, phase["views"]),
            on_epoch=on_epoch,
        )
    )
    watch.finish(start + passes_once(context.plan, phase))


def _stream(context: TrainingContext, phase: dict[str, Any]) -> Any:
    """The examples of the phase in the form its objective needs."""
    return find(phase["hooks"][0]["id"]).stream(context, auxiliary.some_left(context.sets[phase["stream"]]))


def _packed(context: TrainingContext, folder: Path, model: Any) -> bool:
    """Write the body as a source model; returns whether a network built from it has exactly the same weights."""
    import torch

    from tlcore.models.loading import backbones, open_folder

    if folder.exists():
        return True
    draft = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    backbones.save(model, draft, context.task.saved_preprocessing(context.processor))
    try:
        opened = open_folder(draft, context.source.source)
        other = context.task.model(opened, context.target, True, size=context.processor["size"], seed=0)
    except UnusableInput as error:  # an architecture that requires a head
        print(f"the pre-trained network cannot be a source model: {error}")
        return False
    ours, theirs = (without_head(context, one, one.state_dict()) for one in (model, other))
    if ours.keys() != theirs.keys() or not all(torch.equal(ours[name], theirs[name]) for name in ours):
        return False
    draft.rename(folder)
    return True
