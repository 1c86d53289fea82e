"""Runs of pre-training on tiny data, for the tests."""

from __future__ import annotations

from tlcore import flow, models
from tlcore.spec import from_dict
from tlcore.training.context import TrainingContext
from tlcore.training.run_progress import Watch


def prepared(task, dataset, further, source, store, *, stream="unlabelled", seeds=1, epochs=2, rate=1e-3, **options):
    """A run of the strategy with a further set, ready to be trained."""
    spec = from_dict(
        {
            "task": task.id,
            "source": str(source),
            "strategy": "pre-training-then-fine-tuning",
            "baseline": "none",
            "seeds": seeds,
            "data": {"dataset": dataset.fingerprint, stream: further.fingerprint},
            "budget": {"epochs": epochs},
            "options": {"batch_size": 16, "learning_rate": rate},
            "strategy_options": options,
        }
    )
    opened, sets = models.open_source(spec.source, store), {stream: further}
    plan = flow.plan_for(spec, task, dataset, opened, sets=sets)
    run = store.runs.create(spec, "local")
    watch = Watch(lambda *args, **more: None, store, run.id, plan)
    return TrainingContext(
        task,
        dataset,
        opened,
        task.fit_target(dataset),
        plan,
        store.runs.folder(run.id),
        store.home / "cache",
        watch,
        sets,
    )


def weights(result):
    from safetensors.torch import load_file

    return load_file(result.weights / "model.safetensors")
