"""Ten kills at random moments, of the training process and of the worker in turn, change nothing in the report."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tlcore.execution.foreground import run_here
from tlcore.spec import from_dict
from tlcore.store import Store
from tlcore.store.tables import FAILED, RUNNING, SUCCEEDED

KILLS = 10


@pytest.fixture
def spec(photos, tiny_source):
    return from_dict(
        {
            "name": "killed",
            "task": "image-classification",
            "data": {"path": str(photos)},
            "source": str(tiny_source),
            "strategy": "linear-probe-then-fine-tune",
            "seeds": 3,
            "budget": {"epochs": 16},
            "options": {"image_size": 32, "batch_size": 8},
        }
    )


def start_worker(store: Store) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tlcore.execution.worker", "--workspace", str(store.home)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.timeout(600)
def test_ten_kills_change_nothing(spec, tmp_path):
    undisturbed = Store.open(tmp_path / "undisturbed")
    calm = undisturbed.runs.create(spec, "local")
    assert run_here(undisturbed, calm.id).state == SUCCEEDED
    expected = undisturbed.runs.get(calm.id).report

    store = Store.open(tmp_path / "killed")
    run = store.runs.create(spec, "local")
    chance, worker, kills, reached = random.Random(20261123), start_worker(store), [], 0.0
    try:
        while (job := store.jobs.get(run.id)).state not in (SUCCEEDED, FAILED):
            share = (job.progress or {}).get("share") or 0.0
            if job.state == RUNNING and job.pid and len(kills) < KILLS and share >= reached:
                time.sleep(chance.uniform(0.0, 0.8))
                victim = "worker" if len(kills) % 2 else "training"
                if victim == "worker":
                    worker.kill()
                    worker.wait()
                    worker = start_worker(store)
                else:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(job.pid, signal.SIGKILL)
                kills.append((victim, round(share, 2)))
                reached = min(0.9, share + 0.01)  # let it get somewhere before the next one
            time.sleep(0.1)
    finally:
        worker.kill()
        worker.wait()
    assert job.state == SUCCEEDED, job.error
    assert len(kills) == KILLS, kills
    assert job.attempt > 1
    report = store.runs.get(run.id).report
    for arm in ("transfer", "baseline"):
        for key in ("value", "interval", "metrics"):
            assert report[arm][key] == expected[arm][key], (arm, key, kills)
        same = [[seed["best_epoch"] for seed in result[arm]["per_seed"]] for result in (report, expected)]
        assert same[0] == same[1]
    assert report["difference"] == expected["difference"]
    assert report["verdict"] == expected["verdict"]
