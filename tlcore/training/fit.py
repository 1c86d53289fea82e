"""Both arms of a run: the learning-rate search, then one training a seed; what is done already is not done again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tlcore.core import atomic_files as whole
from tlcore.core import machine
from tlcore.core.errors import RunFailed
from tlcore.core.i18n import Sentence, say
from tlcore.tasks.shared import inference
from tlcore.training import features, loop, pack, shared_phases
from tlcore.training.checkpoint import Checkpoint
from tlcore.training.context import Fitting
from tlcore.training.phase import Trained, Training
from tlcore.training.result import ArmResult
from tlcore.training.workload import arm_in_words, epochs_of, work_of

if TYPE_CHECKING:
    pass

T = TypeVar("T")


def fit(told: Fitting) -> dict[str, list[ArmResult]]:
    """Train every arm for every seed. A run that was interrupted goes on where its files say it stood."""
    machine.deterministic()
    results, before = {}, 0.0
    for name in told.plan["arms"]:
        arm = _Arm(told, name)
        results[name] = [arm.seed(seed) for seed in range(told.plan["seeds"])]
        before += work_of(told.plan, name)
        told.watch.finish(before)
    return results


def again(
    told: Fitting, name: str, seed: int, rate: float | None, kept: Mapping[str, np.ndarray] | None = None
) -> ArmResult:
    """One training of an arm at a rate that is known already, from its files or by training it now.

    ``kept`` are the frozen features of the examples, where they are known: then no backbone runs.
    """
    machine.deterministic()
    arm = _Arm(told, name)
    arm.kept = dict(kept or {})
    folder = arm.folder / f"seed-{seed}"
    if (folder / "result.json").exists():
        return ArmResult.load(folder)
    model, done = arm._train(seed, "final", rate, epochs_of(arm.plan), patience=True)
    return arm._keep(seed, folder, model, done, rate, 0.0)


def trial(
    told: Fitting, name: str, rate: float | None, epochs: int, kept: Mapping[str, np.ndarray] | None = None
) -> tuple[np.ndarray, float, float]:
    """One training of an arm that is looked at on validation data alone: its outputs there (n, …) at its best state,
    its mean loss there, and the seconds it took. Nothing of the model is kept.
    """
    machine.deterministic()
    arm = _Arm(told, name)
    arm.kept = dict(kept or {})
    model, done = arm._train(0, "final" if rate is None else f"{rate:g}", rate, epochs, patience=True)
    if done is None:
        assert arm.solved is not None
        loss = min(one["loss"] for one in arm.solved["tried"] if one["strength"] == arm.solved["strength"])
        return pack.on_features(model, arm.kept["validation"], told.machine.device), loss, arm.solve_seconds
    examples, device = told.examples["validation"], told.machine.device
    out = arm._within_memory(lambda: inference.outputs(told.task, model, examples, arm._evaluation_batch(), device))
    return out, -done.score[1], done.seconds + arm.solve_seconds


def frozen(told: Fitting, name: str) -> dict[str, np.ndarray]:
    """The frozen features that an arm begins with, from the cache or by one pass; empty where it has no such phase."""
    arm = _Arm(told, name)
    number = next(number for number, phase in enumerate(arm.plan["phases"]) if not phase.get("once"))
    if arm.plan["phases"][number]["kind"] == "extract":
        arm._within_memory(lambda: arm._frozen(number))
    return arm.kept


class _Arm:
    """One arm: its learning rate is searched on the first seed and used for all."""

    def __init__(self, told: Fitting, name: str):
        self.name, self.plan = name, told.plan["arms"][name]
        self.told = told.beside(self.plan.get("side"))
        self.title = arm_in_words(told.plan, name)
        self.folder = told.folder / "arms" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.accumulation = _read(self.folder / "memory.json", {"accumulation": 1})["accumulation"]
        self.notes: list[Sentence] = []
        if self.accumulation > 1:
            self.notes.append(_halved(told.plan["batch_size"], self.accumulation))
        self.trained = epochs_of(self.plan) > 0
        self.extract_seconds = self.solve_seconds = 0.0
        self.solved: dict[str, Any] | None = None
        self.kept: dict[str, np.ndarray] = {}
        self.shared: dict[str, Any] = {}  # what is told of the phases that are done once

    def seed(self, seed: int) -> ArmResult:
        """The trained model of one seed, from its files or by training it now."""
        folder = self.folder / f"seed-{seed}"
        if (folder / "result.json").exists():
            self.told.watch.finish(self.told.watch.done + epochs_of(self.plan))
            return ArmResult.load(folder)
        if seed and not self.trained:
            return self._again(seed, folder)
        rate, searched = self._search()
        model, done = self._train(seed, "final", rate, epochs_of(self.plan), patience=True)
        return self._keep(seed, folder, model, done, rate, searched if seed == 0 else 0.0)

    def _search(self) -> tuple[float | None, float]:
        """The learning rate that did best on validation data in short trials on the first seed, and their seconds."""
        rates = self.plan["rates"]
        if len(rates) < 2:
            return (rates[0] if rates else None), 0.0
        trials = []
        for rate in rates:
            path = self.folder / f"trial-{rate:g}.json"
            told = _read(path, None)
            if told is not None:
                self.told.watch.finish(self.told.watch.done + self.plan["trial_epochs"])
            else:
                _, done = self._train(0, f"{rate:g}", rate, self.plan["trial_epochs"], patience=False)
                assert done is not None
                told = {"rate": rate, "score": list(done.score), "seconds": done.seconds}
                whole.write(path, json.dumps(told))
                for left in (self.folder / "seed-0").glob(f"checkpoint-{rate:g}-*.pt"):
                    left.unlink()
            trials.append(told)
        best = max(trials, key=lambda trial: tuple(trial["score"]))
        return best["rate"], sum(trial["seconds"] for trial in trials)

    def _train(
        self, seed: int, trial: str, rate: float | None, epochs: int, patience: bool
    ) -> tuple[Any, Trained | None]:
        """Every phase of the arm, once; halves the batch where memory runs out."""
        return self._within_memory(lambda: self._phases(seed, trial, rate, epochs, patience))

    def _phases(
        self, seed: int, trial: str, rate: float | None, epochs: int, patience: bool
    ) -> tuple[Any, Trained | None]:
        told, watch = self.told, self.told.watch
        model = told.model(self.plan["pretrained"], seed)
        done = None
        whole = epochs_of(self.plan)
        for number, phase in enumerate(self.plan["phases"]):
            if phase.get("once"):
                self._once(model, number, phase)
                continue
            now = {"arm": self.name, "seed": seed, "trial": trial, "phase": phase["kind"]}
            moved = any(one["kind"] == "train" and not one.get("once") for one in self.plan["phases"][:number])
            if trial != "final" and moved and phase["kind"] != "train":
                continue  # a rate is judged by its training; no training follows a head that is fitted on its features
            if phase["kind"] == "extract":
                if moved:
                    watch.say(say("Looking at every example once with the tuned model"), **now)
                    self._extract(model, moved=True)
                elif not self.kept:
                    watch.say(say("Looking at every example once with the frozen source model"), **now)
                    self._extract(model)
            elif phase["kind"] == "solve":
                watch.say(say("Fitting a linear head on the features"), **now)
                self._solve(model, told)
            else:
                if trial == "final":
                    words = say(
                        "Training: {arm}, seed {seed} of {seeds}",
                        arm=self.title,
                        seed=seed + 1,
                        seeds=told.plan["seeds"],
                    )
                else:
                    words = say("Trying learning rate {rate}: {arm}", rate=float(trial), arm=self.title)
                share = max(1, round(epochs * phase["epochs"] / whole))
                watch.say(words, **now, epoch=0, epochs=share)
                done = self._gradient(model, number, phase, seed, trial, rate, share, patience, now, done)
        return model, done

    def _once(self, model: Any, number: int, phase: dict[str, Any]) -> None:
        """Begin with what a phase leaves that all trainings of the arm share."""
        told = self.told
        folder = (told.before or told.folder) / "arms" / self.name
        self.shared = shared_phases.begin_with(told, self.name, folder, model, number, phase, self.accumulation)

    def _frozen(self, number: int) -> None:
        """The features that the arm begins with, before its phase of that number."""
        model = self.told.model(True, 0)
        for before, phase in enumerate(self.plan["phases"][:number]):
            self._once(model, before, phase)
        self._extract(model)

    def _extract(self, model: Any, moved: bool = False) -> None:
        """The features of every example; those of a network that has ``moved`` from the source are nobody else's, so
        that they are neither taken from the cache nor put into it, and a head is fitted on them anew. Those behind a
        phase that is done once are the arm's alone.
        """
        told = self.told
        model.to(told.machine.device)
        key = features.cache_key(told.dataset.fingerprint, told.source.digest, told.processor)
        self.kept, self.extract_seconds = features.extract(
            told.task,
            model,
            told.examples,
            None if moved or self.shared else told.cache / "features",
            key,
            device=told.machine.device,
            batch_size=self._evaluation_batch(),
            step=lambda n: told.watch.step(n, 0.4),
        )
        if moved:
            self.solved = None

    def _solve(self, model: Any, told: Fitting) -> None:
        import torch
        from sklearn import linear_model  # noqa: F401  (imported ahead, so that the clock counts the fit alone)

        if self.solved is None:
            started = time.perf_counter()
            self.solved = told.task.solve(self.kept, told.examples, told.target)
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
        told = self.told
        checkpoint = Checkpoint(self.folder / f"seed-{seed}" / f"checkpoint-{trial}-{number}.pt")
        assert rate is not None

        def on_epoch(epoch: int, seconds: float, **values: float) -> None:
            told.watch.now.update(epoch=epoch)
            told.watch.point(
                arm=self.name,
                seed=seed,
                trial=trial,
                phase=number,
                epoch=epoch,
                seconds=seconds + (before.seconds if before else 0.0),
                **values,
            )

        told.watch.now = {**now, "epoch": 0, "epochs": epochs}
        start = told.watch.done
        done = loop.train(
            Training(
                task=told.task,
                model=model,
                examples=told.examples,
                target=told.target,
                phase=phase,
                rate=rate,
                epochs=epochs,
                patience=phase["patience"] if patience else None,
                seed=seed,
                batch_size=told.plan["batch_size"],
                accumulation=self.accumulation,
                machine=told.machine,
                checkpoint=checkpoint,
                metric=told.metric,
                minutes=self.plan["minutes"],
                streams=told.streams if phase.get("hooks") or phase.get("stream") else {},
                sets=told.sets,
                sides=told.sides,
                keep=number + 1 < len(self.plan["phases"]),
                on_step=told.watch.step,
                on_epoch=on_epoch,
            )
        )
        told.watch.finish(start + epochs)
        return done if before is None else before.then(done)

    def _keep(
        self, seed: int, folder: Path, model: Any, done: Trained | None, rate: float | None, searched: float
    ) -> ArmResult:
        """Pack the weights, score what was packed, and write the result down."""
        told = self.told
        folder.mkdir(parents=True, exist_ok=True)
        labels = told.target.get("labels", [])
        out, drift = self._within_memory(
            lambda: pack.pack_and_score(
                told.task,
                told.source,
                model,
                labels,
                told.processor,
                told.examples,
                folder,
                self.kept if not self.trained else None,
                told.machine.device,
                self._evaluation_batch(),
            )
        )
        for split in ("validation", "test"):
            np.save(folder / f"outputs-{split}.npy", out[split])
        scores = {
            split: inference.metrics(
                told.task, out[split], inference.judged(told.task, told.examples[split], split), told.target
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
            batch_size=told.plan["batch_size"],
            accumulation=self.accumulation,
            peak_memory=machine.peak_memory(told.machine.device),
            device=told.machine.name,
            examples_per_second=done.examples_per_second if done else None,
            notes=[*self.notes, *(Sentence.model_validate(note) for note in (done.notes if done else ()))],
            measured=done.measured if done else {},
            shared=self.shared,
        )
        if drift > pack.TOLERANCE:
            raise RunFailed(
                say("The packed weights do not give back what was trained: they differ by {drift}.", drift=drift),
                code="packed-weights",
            )
        result.save()
        for left in folder.glob("checkpoint-*.pt"):
            left.unlink()
        return result

    def _again(self, seed: int, folder: Path) -> ArmResult:
        """A solved head has nothing random in it: another seed would give the same model, and is not computed."""
        first = ArmResult.load(self.folder / "seed-0")
        folder.mkdir(parents=True, exist_ok=True)
        for split in ("validation", "test"):
            np.save(folder / f"outputs-{split}.npy", first.outputs(split))
        weights = folder / "weights"
        if not weights.exists():
            weights.symlink_to(first.weights, target_is_directory=True)
        first.folder, first.seed, first.seconds_search = folder, seed, 0.0
        first.notes = [*first.notes, say("A solved head is the same for every seed; it was computed once.")]
        first.save()
        return first

    def _evaluation_batch(self) -> int:
        return max(1, self.told.plan["batch_size"] // self.accumulation)

    def _within_memory(self, work: Callable[[], T]) -> T:
        """Where memory runs out: half the batch, twice the accumulation, and on from the last checkpoint."""
        while True:
            try:
                return work()
            except Exception as error:
                if not machine.out_of_memory(error):
                    raise
                if self.told.plan["batch_size"] // (2 * self.accumulation) < 2:  # batch norm needs two
                    raise RunFailed(
                        say(
                            "The memory of {device} is too small even for two examples at a time. Choose a smaller "
                            "picture size or a smaller source model.",
                            device=self.told.machine.name,
                        ),
                        code="out-of-memory",
                    ) from error
            self.accumulation *= 2
            whole.write(self.folder / "memory.json", json.dumps({"accumulation": self.accumulation}))
            self.notes = [_halved(self.told.plan["batch_size"], self.accumulation)]
            print(str(self.notes[0]))
            _free()


def _halved(batch: int, accumulation: int) -> Sentence:
    return say(
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
    return json.loads(path.read_text()) if path.exists() else default
