"""An optional copy of each run in MLflow, if ``MLFLOW_TRACKING_URI`` is set. The store stays authoritative."""

from __future__ import annotations

import math
import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.report.context import RunContext

EXPERIMENT = "transfer-learning-studio"
TAG = "studio.run"
AT_ONCE = 900  # metrics per request; MLflow accepts at most 1,000
# Short timeouts: an unreachable tracking server must not delay a finished run. Telemetry is off.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


def mirror(context: RunContext, report: dict[str, Any]) -> str | None:
    """Log parameters, final scores, curves, report and bundle to MLflow; returns MLflow's run id.

    Returns None, with a line in the log, if it is not configured, not installed, or fails: a mirror never breaks a run.
    Mirroring a run again updates the same MLflow run.
    """
    address = os.environ.get("MLFLOW_TRACKING_URI")
    if not address:
        return None
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        return _log(context, report, address)
    except Exception as error:
        print(f"MLflow: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return None


def _log(context: RunContext, report: dict[str, Any], address: str) -> str:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(address)
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
    before = client.search_runs([experiment], f"tags.`{TAG}` = '{context.run_id}'", max_results=1)
    tags = {
        TAG: context.run_id,
        "verdict": str(report["verdict"]),
        "fingerprint": report["dataset"]["fingerprint"],
    }
    run = before[0] if before else client.create_run(experiment, run_name=report["name"], tags=tags)
    run_id, now = run.info.run_id, int(1000 * time.time())
    if not before:
        client.log_batch(run_id, params=[Param(name, str(value)[:500]) for name, value in _parameters(report).items()])
    metrics = [Metric(name, value, now, 0) for name, value in _scores(report).items()]
    metrics += [Metric(*point) for point in _curves(context.store.runs.points(context.run_id), now)]
    for start in range(0, len(metrics), AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + AT_ONCE])
    for name in ("report.json", "report.html", "predictions.csv", "spec.yaml", "plan.json", "bundle.zip"):
        if (context.folder / name).exists():
            client.log_artifact(run_id, str(context.folder / name))
    client.set_terminated(run_id)
    return run_id


def _parameters(report: dict[str, Any]) -> dict[str, Any]:
    return {
        "task": report["task"],
        "strategy": report["strategy"],
        "requested_strategy": report["requested_strategy"],
        "source": report["source"]["id"],
        "seeds": report["seeds"],
        "n_train": report["dataset"]["n"].get("train"),
        "n_test": report["n_test"],
        "image_size": report["processor"].get("size"),
    }


def _scores(report: dict[str, Any]) -> dict[str, float]:
    """``transfer.accuracy``, ``transfer.accuracy.low`` … for both arms, their difference and the packed model."""
    out: dict[str, float] = {}
    for arm in ("transfer", "baseline", "difference", "packed"):
        if report[arm]:
            for metric, value in report[arm]["metrics"].items():
                low, high = report[arm]["intervals"][metric]
                out |= {f"{arm}.{metric}": value, f"{arm}.{metric}.low": low, f"{arm}.{metric}.high": high}
    return out


def _curves(points: pd.DataFrame, now: int) -> list[tuple[str, float, int, int]]:
    """Finite values of the final trainings as (key, value, time in ms, step); steps are counted over all phases."""
    out = []
    final = points[points["trial"] == "final"] if len(points) else points
    for (arm, seed), rows in final.groupby(["arm", "seed"]) if len(final) else ():
        for step, (_, row) in enumerate(rows.sort_values(["phase", "epoch"]).iterrows(), 1):
            for name, value in row.drop(["arm", "seed", "trial", "phase", "epoch"]).items():
                if isinstance(value, int | float) and math.isfinite(value):
                    out.append((f"{arm}.seed-{seed}.{name}", float(value), now, step))
    return out
