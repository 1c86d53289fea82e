"""Trains all arms of a run: learning-rate search, then one training per seed. Finished work is reused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tlcore.core import atomic_files, machine, stored_files
from tlcore.core.errors import RunFailed
from tlcore.core.i18n import Sentence, sentence
from tlcore.tasks.shared import inference
from tlcore.training import features, loop, pack, shared_phases
from tlcore.training.checkpoint import Checkpoint
from tlcore.training.context import TrainingContext
from tlcore.training.phase import Trained, Training
from tlcore.training.result import ArmResult
from tlcore.training.workload import arm_in_words, epochs_of, work_of

if TYPE_CHECKING:
    pass

T = TypeVar("T")


def fit(context: TrainingContext) -> dict[str, list[ArmResult]]:
    """Train every arm for every seed. An interrupted run resumes from its files."""
    machine.deterministic()
    results, before = {}, 0.0
    for name in context.plan["arms"]:
        arm = _Arm(context, name)
        results[name] = [arm.seed(seed) for seed in range(context.plan["seeds"])]
        before += work_of(context.plan, name)
        context.watch.finish(before)
    return results


def again(
    context: TrainingContext, name: str, seed: int, rate: float | None, kept: Mapping[str, np.ndarray] | None = None
) -> ArmResult:
    """One training of an arm at a known rate, loaded from its files or trained now.

    ``kept`` are frozen features (n, d) by split, if known; then the backbone does not run.
    """
    machine.deterministic()
    arm = _Arm(context, name)
    arm.kept = dict(kept or {})
    folder = arm.folder / f"seed-{seed}"
    if (folder / "result.json").exists():
        return ArmResult.load(folder)
    model, done = arm._train(seed, "final", rate, epochs_of(arm.plan), patience=True)
    return arm._keep(seed, folder, model, done, rate, 0.0)


def trial(
    context: TrainingContext, name: str, rate: float | None, epochs: int, kept: Mapping[str, np.ndarray] | None = None
) -> tuple[np.ndarray, float, float]:
    """One training of an arm, evaluated on validation data only; the model is not saved.

    Returns the validation outputs (n, …) of the best state, its mean validation loss, and the seconds taken.
    """
    machine.deterministic()
    arm = _Arm(context, name)
    arm.kept = dict(kept or {})
    model, done = arm._train(0, "final" if rate is None else f"{rate:g}", rate, epochs, patience=True)
    if done is None:
        assert arm.solved is not None
        loss = min(one["loss"] for one in arm.solved["tried"] if one["strength"] == arm.solved["strength"])
        return pack.on_features(model, arm.kept["validation"], context.machine.device), loss, arm.solve_seconds
    examples, device = context.examples["validation"], context.machine.device
    out = arm._within_memory(lambda: inference.outputs(context.task, model, examples, arm._evaluation_batch(), device))
    return out, -done.score[1], done.seconds + arm.solve_seconds


def frozen(context: TrainingContext, name: str) -> dict[str, np.ndarray]:
    """The frozen features (n, d) an arm begins with, by split, from the cache or by one pass; else empty."""
    arm = _Arm(context, name)
    number = next(number for number, phase in enumerate(arm.plan["phases"]) if not phase.get("once"))
    if arm.plan["phases"][number]["kind"] == "extract":
        arm._within_memory(lambda: arm._frozen(number))
    return arm.kept


class _Arm:
    """One arm. The learning rate is searched on the first seed and used for all seeds."""

    def __init__(self, context: TrainingContext, name: str):
        self.name, self.plan = name, context.plan["arms"][name]
        self.context = context.beside(self.plan.get("side"))
        self.title = arm_in_words(context.plan, name)
        self.folder = context.folder / "arms" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.accumulation = _read(self.folder / "memory.json", {"accumulation": 1})["accumulation"]
        self.notes: list[Sentence] = []
        if self.accumulation > 1:
            self.notes.append(_halved(context.plan["batch_size"], self.accumulation))
        self.trained = epochs_of(self.plan) > 0
        self.extract_seconds = self.solve_seconds = 0.0
        self.solved: dict[str, Any] | None = None
        self.kept: dict[str, np.ndarray] = {}
        self.shared: dict[str, Any] = {}  # report data of the shared pre-training

    def seed(self, seed: int) -> ArmResult:
        """The trained model of one seed, loaded from its files or trained now."""
        folder = self.folder / f"seed-{seed}"
        if (folder / "result.json").exists():
            self.context.watch.finish(self.context.watch.done + epochs_of(self.plan))
            return ArmResult.load(folder)
        if seed and not self.trained:
            return self._again(seed, folder)
        rate, searched = self._search()
        model, done = self._train(seed, "final", rate, epochs_of(self.plan), patience=True)
        return self._keep(seed, folder, model, done, rate, searched if seed == 0 else 0.0)

    def _search(self) -> tuple[float | None, float]:
        """The best learning rate on validation data in short trials on the first seed, and the trials' seconds."""
        rates = self.plan["rates"]
        if len(rates) < 2:
            return (rates[0] if rates else None), 0.0
        trials = []
        for rate in rates:
            path = self.folder / f"trial-{rate:g}.json"
            trial_result = _read(path, None)
            if trial_result is not None:
                self.context.watch.finish(self.context.watch.done + self.plan["trial_epochs"])
            else:
                _, done = self._train(0, f"{rate:g}", rate, self.plan["trial_epochs"], patience=False)
                assert done is not None
                trial_result = {"rate": rate, "score": list(done.score), "seconds": done.seconds}
                atomic_files.write(path, json.dumps(trial_result))
                for left in (self.folder / "seed-0").glob(f"checkpoint-{rate:g}-*.pt"):
                    left.unlink()
            trials.append(trial_result)
        best = max(trials, key=lambda trial: tuple(trial["score"]))
        return best["rate"], sum(trial["seconds"] for trial in trials)

    def _train(
        self, seed: int, trial: str, rate: float | None, epochs: int, patience: bool
    ) -> tuple[Any, Trained | None]:
        """Run every phase of the arm; halves the batch if memory runs out."""
        return self._within_memory(lambda: self._phases(seed, trial, rate, epochs, patience))

    def _phases(
        self, seed: int, trial: str, rate: float | None, epochs: int, patience: bool
    ) -> tuple[Any, Trained | None]:
        context, watch = self.context, self.context.watch
        model = context.model(self.plan["pretrained"], seed)
        done = None
        whole = epochs_of(self.plan)
        for number, phase in enumerate(self.plan["phases"]):
            if phase.get("once"):
                self._once(model, number, phase)
                continue
            now = {"arm": self.name, "seed": seed, "trial": trial, "phase": phase["kind"]}
            moved = any(one["kind"] == "train" and not one.get("once") for one in self.plan["phases"][:number])
            if trial != "final" and moved and phase["kind"] != "train":
                continue  # a trial only needs its training; a head fitted after it does not change the ranking of rates
            if phase["kind"] == "extract":
                if moved:
                    watch.announce(sentence("Looking at every example once with the tuned model"), **now)
                    self._extract(model, moved=True)
                elif not self.kept:
                    watch.announce(sentence("Looking at every example once with the frozen source model"), **now)
                    self._extract(model)
            elif phase["kind"] == "solve":
                watch.announce(sentence("Fitting a linear head on the features"), **now)
                self._solve(model, context)
            else:
                if trial == "final":
                    words = sentence(
                        "Training: {arm}, seed {seed} of {seeds}",
                        arm=self.title,
                        seed=seed + 1,
                        seeds=context.plan["seeds"],
                    )
                else:
                    words = sentence("Trying learning rate {rate}: {arm}", rate=float(trial), arm=self.title)
                share = max(1, round(epochs * phase["epochs"] / whole))
                watch.announce(words, **now, epoch=0, epochs=share)
                done = self._gradient(model, number, phase, seed, trial, rate, share, patience, now, done)
        return model, done

    def _once(self, model: Any, number: int, phase: dict[str, Any]) -> None:
        """Load the state left by a shared pre-training phase into ``model``."""
        context = self.context
        folder = (context.before or context.folder) / "arms" / self.name
        self.shared = shared_phases.begin_with(context, self.name, folder, model, number, phase, self.accumulation)

    def _frozen(self, number: int) -> None:
        """Extract the features the arm begins with, before its phase of that number."""
        model = self.context.model(True, 0)
        for before, phase in enumerate(self.plan["phases"][:number]):
            self._once(model, before, phase)
        self._extract(model)

    def _extract(self, model: Any, moved: bool = False) -> None:
        """Extract the features of every example.

        Features of a network already fine-tuned (``moved``) bypass the cache, and a new head is fitted on them.
        Features after shared pre-training also bypass the cache, since only this arm uses them.
        """
        context = self.context
        model.to(context.machine.device)
        data, source = context.dataset, context.source
        key = features.cache_key(data.fingerprint, source.content_digest, context.processor, data.cached_as)
        self.kept, self.extract_seconds = features.extract(
            context.task,
            model,
            context.examples,
            None if moved or self.shared else context.cache / "features",
            key,
            device=context.machine.device,
            batch_size=self._evaluation_batch(),
            step=lambda n: context.watch.step(n, 0.4),
        )
        if moved:
            self.solved = None

    def _solve(self, model: Any, context: TrainingContext) -> None:
        import torch
        from sklearn import linear_model  # noqa: F401  (imported ahead, so that the clock counts the fit alone)

        if self.solved is None:
            started = time.perf_counter()
            self.solved = context.task.solve(self.kept, context.examples, context.target)
            self.solve_seconds = time.perf_counter() - started
        with torch.no_grad():
            model.head.weight.copy_(torch.from_numpy(self.solved["weight"]))
            model.head.bias.copy_(torch.from_numpy(self.solved["bias"]))

    def _gradient(
        self,
        model: Any,
        number: int,
        phase: dict[str, Any],
        seed: int,
        trial: str,
        rate: float | None,
        epochs: int,
        patience: bool,
        now: dict[str, Any],
        before: Trained | None,
    ) -> Trained:
        context = self.context
        checkpoint = Checkpoint(self.folder / f"seed-{seed}" / f"checkpoint-{trial}-{number}.pt")
        assert rate is not None

        def on_epoch(epoch: int, seconds: float, **values: float) -> None:
            context.watch.now.update(epoch=epoch)
            context.watch.point(
                arm=self.name,
                seed=seed,
                trial=trial,
                phase=number,
                epoch=epoch,
                seconds=seconds + (before.seconds if before else 0.0),
                **values,
            )

        context.watch.now = {**now, "epoch": 0, "epochs": epochs}
        start = context.watch.done
        done = loop.train(
            Training(
                task=context.task,
                model=model,
                examples=context.examples,
                target=context.target,
                phase=phase,
                rate=rate,
                epochs=epochs,
                patience=phase["patience"] if patience else None,
                seed=seed,
                batch_size=context.plan["batch_size"],
                accumulation=self.accumulation,
                machine=context.machine,
                checkpoint=checkpoint,
                metric=context.metric,
                minutes=self.plan["minutes"],
                streams=context.streams if phase.get("hooks") or phase.get("stream") else {},
                sets=context.sets,
                auxiliary=context.auxiliary,
                keep=number + 1 < len(self.plan["phases"]),
                on_step=context.watch.step,
                on_epoch=on_epoch,
            )
        )
        context.watch.finish(start + epochs)
        return done if before is None else before.then(done)

    def _keep(
        self, seed: int, folder: Path, model: Any, done: Trained | None, rate: float | None, searched: float
    ) -> ArmResult:
        """Pack the weights, score the packed model, save the result. Raises RunFailed if packing changed outputs."""
        context = self.context
        folder.mkdir(parents=True, exist_ok=True)
        labels = context.target.get("labels", [])
        out, drift = self._within_memory(
            lambda: pack.pack_and_score(
                context.task,
                context.source,
                model,
                labels,
                context.processor,
                context.examples,
                folder,
                self.kept if not self.trained else None,
                context.machine.device,
                self._evaluation_batch(),
            )
        )
        for split in ("validation", "test"):
            np.save(folder / f"outputs-{split}.npy", out[split])
        scores = {
            split: inference.metrics(
                context.task,
                out[split],
                inference.evaluation_subset(context.task, context.examples[split], split),
                context.target,
            )
            for split in ("train", "validation")
        }
        result = ArmResult(
            arm=self.name,
            seed=seed,
            folder=folder,
            seconds=self.extract_seconds + (done.seconds if done else 0.0),
            seconds_search=searched + self.solve_seconds,
            epochs=done.epochs if done else None,
            best_epoch=done.best_epoch if done else None,
            learning_rate=rate,
            validation=scores["validation"],
            train=scores["train"],
            batch_size=context.plan["batch_size"],
            accumulation=self.accumulation,
            peak_memory=machine.peak_memory(context.machine.device),
            device=context.machine.name,
            examples_per_second=done.examples_per_second if done else None,
            notes=[*self.notes, *(Sentence.model_validate(note) for note in (done.notes if done else ()))],
            measured=done.measured if done else {},
            shared=self.shared,
        )
        if drift > pack.TOLERANCE:
            raise RunFailed(
                sentence("The packed weights do not give back what was trained: they differ by {drift}.", drift=drift),
                code="packed-weights",
            )
        result.save()
        for left in folder.glob("checkpoint-*.pt"):
            left.unlink()
        return result

    def _again(self, seed: int, folder: Path) -> ArmResult:
        """Reuse the result of seed 0: a linear head fitted on features is deterministic."""
        first = ArmResult.load(self.folder / "seed-0")
        folder.mkdir(parents=True, exist_ok=True)
        for split in ("validation", "test"):
            np.save(folder / f"outputs-{split}.npy", first.outputs(split))
        weights = folder / "weights"
        if not weights.exists():
            weights.symlink_to(Path("..", "seed-0", "weights"), target_is_directory=True)
        first.folder, first.seed, first.seconds_search = folder, seed, 0.0
        first.notes = [
            *first.notes,
            sentence("A linear head fitted on frozen features is the same for every seed; it was fitted once."),
        ]
        first.save()
        return first

    def _evaluation_batch(self) -> int:
        return max(1, self.context.plan["batch_size"] // self.accumulation)

    def _within_memory(self, work: Callable[[], T]) -> T:
        """Run ``work``; if memory runs out, halve the batch and resume from the last checkpoint.

        The accumulation doubles, so that the steps stay the same. Raises RunFailed if even two examples at a time do
        not fit.
        """
        while True:
            try:
                return work()
            except Exception as error:
                if not machine.out_of_memory(error):
                    raise
                if self.context.plan["batch_size"] // (2 * self.accumulation) < 2:  # batch norm needs two
                    raise RunFailed(
                        sentence(
                            "The memory of {device} is too small even for two examples at a time. Choose a smaller "
                            "picture size or a smaller source model.",
                            device=self.context.machine.name,
                        ),
                        code="out-of-memory",
                    ) from error
            self.accumulation *= 2
            atomic_files.write(self.folder / "memory.json", json.dumps({"accumulation": self.accumulation}))
            self.notes = [_halved(self.context.plan["batch_size"], self.accumulation)]
            print(str(self.notes[0]))
            _free()


def _halved(batch: int, accumulation: int) -> Sentence:
    return sentence(
        "Memory ran out: batches of {batch} were computed in {parts} parts of {size}. The steps are the same, "
        "but batch-norm statistics are those of the smaller parts.",
        batch=batch,
        parts=accumulation,
        size=max(1, batch // accumulation),
    )


def _free() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _read(path: Path, default: Any) -> Any:
    return stored_files.read_object(path, stored_files.RUN) if path.exists() else default
