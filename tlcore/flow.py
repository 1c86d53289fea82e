"""The steps of a run: Spec, data, source, evidence, advice, plan, all arms, report, bundle.

The worker, the command line and the tests all call `work`. An interrupted run starts again from the first step and
skips every step whose result an earlier attempt left. Each attempt writes to its own folder, which becomes the run's
folder if the attempt still holds the job at the end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore import guidance, models, strategies, tasks
from tlcore.core import atomic_files, machine, stored_files
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.spec_parts import Data
from tlcore.data import auxiliary, read
from tlcore.data.dataset import Dataset
from tlcore.plan import make_plan
from tlcore.spec import Spec
from tlcore.store import cache
from tlcore.store.attempts import Fence
from tlcore.strategies.contract import PlanContext, Strategy, missing, unsuited
from tlcore.tasks.contract import Task
from tlcore.training import fit, resume
from tlcore.training.context import TrainingContext

if TYPE_CHECKING:
    from tlcore.models.loading import OpenSource
    from tlcore.models.source_model import SourceModel
    from tlcore.store import Store
    from tlcore.store.tables import Job

Progress = Callable[..., None]
PLANNED = ("strategy", "processor", "arms")  # keys of every plan


def work(store: Store, job: Job, progress: Progress) -> dict[str, Any]:
    """Execute or resume the run of this job. Returns the headline of its report."""
    run = store.runs.get(job.id)
    assert run is not None
    fence = Fence.of(job)
    spec, folder = Spec.model_validate(run.spec), store.runs.begin(run.id, fence, resume.of_run)
    atomic_files.write(folder / "spec.yaml", spec.to_yaml())
    task = tasks.find(spec.task)
    cache.evict(store)

    progress(0.0, sentence("Reading the data"))
    sets = auxiliary_datasets(spec, task, folder / "plan.json", store, run.owner, _without_share(progress))
    if run.dataset:  # a resumed run keeps its dataset, even if the path has changed
        dataset = Dataset.open(store, run.dataset, run.owner)
    else:
        dataset = read(spec.data, task=task, store=store, owner=run.owner, progress=_without_share(progress))
    if not (folder / "plan.json").exists():
        dataset = tested_on(spec, dataset, sets, store, run.owner)
        store.runs.set(run.id, fence=fence, dataset=dataset.fingerprint)
    progress(0.0, sentence("Opening the source model"))
    source = models.open_source(spec.source, store, progress=_without_share(progress))
    target = task.fit_target(dataset)
    plan = _kept(
        folder / "plan.json",
        lambda: plan_for(
            spec, task, dataset, source, lambda: advised(spec, task, dataset, source, store, progress, run.owner), sets
        ),
        PLANNED,
    )
    store.runs.set(run.id, fence=fence, plan=plan)
    _kept(folder / "target.json", lambda: target)
    _kept(folder / "processor.json", lambda: plan["processor"])

    from tlcore.training.run_progress import Watch

    watch = Watch(progress, store, run.id, plan, fence)
    print(
        f"run {run.id}: {plan['strategy']} on {dataset.info.name}, {machine.detect().description}",
        file=sys.stderr,
        flush=True,
    )
    arms = fit.fit(TrainingContext(task, dataset, source, target, plan, folder, store.home / "cache", watch, sets))

    from tlcore import bundle, report
    from tlcore.report.context import RunContext

    context = RunContext(
        store=store,
        run_id=run.id,
        folder=folder,
        spec=spec,
        requested_strategy=spec.strategy,
        task=task,
        dataset=dataset,
        source=source,
        target=target,
        processor=plan["processor"],
        plan=plan,
        arms=arms,
    )
    watch.announce(sentence("Writing the report"))
    report_json = report.build(context)
    watch.announce(sentence("Packing the model for download"))
    bundle.pack(context, report_json)
    bundle.pack_pretrained(context, report_json)
    store.runs.commit(run.id, folder, fence, report=report_json)
    report.mirror(context, report_json)
    progress(1.0, sentence("Done"))
    return {"verdict": report_json["verdict"], "value": report_json["transfer"]["value"]}


def advise(
    spec: Spec,
    task: Task,
    store: Store,
    owner: str,
    progress: Progress = lambda *args, **more: None,
    *,
    rank: bool = False,
) -> guidance.Advice:
    """Evidence of a Spec's data and source, and the resulting advice.

    Lists the reachable sources. With ``rank`` each of them is measured; otherwise only those measured before have a
    score.
    """
    dataset = read(spec.data, task=task, store=store, owner=owner, progress=_without_share(progress))
    source = models.open_source(spec.source, store, progress=_without_share(progress))
    advice = advised(spec, task, dataset, source, store, progress, owner)
    refs = [one.id for one in guidance.reachable(task, store, owner)]
    if rank:
        guidance.rank(dataset, task, refs, store, spec.options, progress)
    rows = {row["id"]: row for row in guidance.kept_ranking(store, dataset.fingerprint, owner)}
    listed = [
        {"id": ref, "score": rows.get(ref, {}).get("score"), "probe": rows.get(ref, {}).get("probe")}
        for ref in dict.fromkeys([*refs, source.source.id])
    ]
    listed.sort(key=lambda one: (one["score"] is None, -(one["score"] or 0.0)))
    race = guidance.kept_pilot(store, dataset.fingerprint, spec.source)
    return guidance.advise(advice.evidence, listed, race, advice.shift)


def advised(
    spec: Spec, task: Task, dataset: Dataset, source: OpenSource, store: Store, progress: Progress, owner: str
) -> guidance.Advice:
    """The advice from the Evidence of a dataset and a source, cached or measured now.

    It includes the shift of the Spec's unlabelled dataset and the newest pilot, if any. The run reuses the features.
    """
    cache, quiet_progress = store.home / "cache", _without_share(progress)
    processor = task.processor(source.preprocess, spec.options, dataset, machine.detect().device)
    evidence = guidance.about(
        guidance.measure_with(dataset, task, source, processor, cache, quiet_progress), task, source.source
    )
    bare = auxiliary.read_all(spec.data, ("unlabelled",), task=task, store=store, owner=owner, progress=quiet_progress)
    shifts = [
        guidance.domain_shift.measure(dataset, one, task, source, processor, cache, quiet_progress)
        for one in bare.values()
    ]
    race = guidance.kept_pilot(store, dataset.fingerprint, spec.source)
    return guidance.advise(evidence, race=race, shift=next(iter(shifts), None))


def auxiliary_datasets(
    spec: Spec, task: Task, plan: Path, store: Store, owner: str, progress: Progress
) -> dict[str, Dataset]:
    """The auxiliary datasets of the strategy, by name; those named in a stored ``plan``, if it exists."""
    if plan.exists():
        return auxiliary.named(stored_files.read_object(plan, stored_files.RUN, PLANNED), store, owner)
    if spec.strategy == "auto":
        return {}
    strategy = strategies.find(spec.strategy)
    return auxiliary.read_all(
        spec.data, (*strategy.needs, *strategy.takes), task=task, store=store, owner=owner, progress=progress
    )


def tested_on(spec: Spec, dataset: Dataset, sets: Mapping[str, Dataset], store: Store, owner: str) -> Dataset:
    """The dataset, with the strategy's auxiliary test set if there is one."""
    name = None if spec.strategy == "auto" else strategies.find(spec.strategy).tests_on
    if name is None or name not in sets:
        return dataset
    return auxiliary.tested_on(dataset, sets[name], sets.get("unlabelled"), tasks.find(spec.task), store, owner)


def plan_for(
    spec: Spec,
    task: Task,
    dataset: Dataset,
    source: OpenSource,
    advice: Callable[[], guidance.Advice] | None = None,
    sets: Mapping[str, Dataset] | None = None,
) -> dict[str, Any]:
    """The Plan with every ``auto`` resolved for this data and machine. ``sets`` are `further_sets`.

    ``advice`` is called for ``strategy: auto``; without it the counts decide. Raises UnusableInput if the strategy
    refuses.
    """
    here = machine.detect()
    plan = _plan(spec, task, dataset, source.preprocess, source.source, here.device, advice, sets)
    return {**plan, "machine": here.to_json(), "source_revision": source.revision, "source_digest": source.digest}


def preview(
    spec: Spec,
    dataset: Dataset,
    source: SourceModel,
    advice: Callable[[], guidance.Advice] | None = None,
    sets: Mapping[str, Dataset] | None = None,
) -> dict[str, Any]:
    """The Plan as far as known without opening the source model, for a page to show before a run."""
    task = tasks.find(spec.task)
    return _plan(
        spec,
        task,
        dataset,
        task.assumed_preprocessing(source),
        source,
        machine.detect_without_torch().device,
        advice,
        sets,
    )


def _plan(
    spec: Spec,
    task: Task,
    dataset: Dataset,
    preprocess: dict[str, Any],
    source: SourceModel,
    device: str,
    advice: Callable[[], guidance.Advice] | None,
    sets: Mapping[str, Dataset] | None,
) -> dict[str, Any]:
    processor = task.processor(preprocess, spec.options, dataset, device)
    strategy, shift = spec.strategy, None
    if strategy == "auto":
        counted = guidance.about(guidance.measure(dataset), task, source)
        told_by = advice() if advice else guidance.advise(counted)
        strategy, shift = told_by.strategy, told_by.shift

    found = strategies.find(strategy)
    if reason := found.refuse(task, spec.data) or unsuited(found, source) or missing(found, spec.data):
        raise UnusableInput(reason, code="strategy-refused")

    def none_if_auto(value: Any) -> Any:
        return None if value == "auto" else value

    context = PlanContext(
        n_train=dataset.info.n["train"],
        size=task.side(processor),
        parameters=source.parameters or 3_500_000,
        device=device,
        epochs=none_if_auto(spec.budget.epochs),
        batch_size=none_if_auto(spec.options.batch_size),
        learning_rate=none_if_auto(spec.options.learning_rate),
        rate=task.rate,
        has_convex_head=task.has_convex_head,
        has_new_head=task.has_new_head,
        has_native_head=preprocess.get("modality") in task.native_families,
        sets={name: one.info.n["train"] for name, one in (sets or {}).items()},
        auxiliary=tuple(dataset.auxiliary),
        modality=str(preprocess.get("modality", "image")),
        labelled=task.labelled,
    )
    plan = make_plan(spec, strategy, context, processor, task.metrics[0])
    plan["sets"] = auxiliary.describe(sets or {})
    notes = [*unused(spec.data, found), *(guidance.domain_shift.in_words(shift) if shift else [])]
    plan["notes"] = [note.model_dump(mode="json") for note in notes]
    if found.tests_on:
        tests = plan["sets"].get(found.tests_on, {})
        plan["tested_on"] = tests.get("name")  # None: the dataset's own test set
        tests["tests"] = True
    return plan


def unused(data: Data, strategy: Strategy) -> list[Sentence]:
    """Sentences about the Spec's auxiliary datasets that the strategy does not use."""
    given = [name for name in auxiliary.NAMES if getattr(data, name) and name not in {*strategy.needs, *strategy.takes}]
    return [
        sentence(
            "The auxiliary dataset (data.{name}) is not learned from: {strategy} takes none. A strategy that does is "
            "chosen by its name.",
            name=name,
            strategy=strategy.title,
        )
        for name in given
    ]


def _without_share(progress: Progress) -> Progress:
    """Progress messages without a share of the run."""
    return lambda share, message, **more: progress(None, message, **more)


def _kept(path: Path, make: Callable[[], dict[str, Any]], keys: Collection[str] = ()) -> dict[str, Any]:
    """A JSON file of the run: read if it exists, else made and written atomically.

    Raises UnusableInput if the file is damaged or lacks one of the ``keys``.
    """
    if path.exists():
        return stored_files.read_object(path, stored_files.RUN, keys)
    value = make()
    atomic_files.write(path, json.dumps(value, indent=1))
    return value
