"""Seconds to a score, and watts where the machine tells them."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import pandas as pd
import pytest

from tlcore.core.i18n import sentence
from tlcore.evaluation import time_to_score
from tlcore.evaluation.records import Metric
from tlcore.report import energy


def test_time_to_a_score_by_hand():
    metric = Metric("accuracy", sentence("accuracy"))
    points = pd.DataFrame(
        [
            {
                "arm": "twin",
                "seed": seed,
                "trial": "final",
                "phase": 0,
                "epoch": e,
                "seconds": 2.0 * e,
                "validation_accuracy": (0.2, 0.5, 0.7, 0.6)[e] + 0.1 * seed,
            }
            for seed in (0, 1)
            for e in range(4)
        ]
    )
    report = {
        "transfer": {"per_seed": [{"seed": 0, "seconds": 1.5, "validation": {"accuracy": 0.9}}], "seconds_search": 0.2},
        "baseline": {
            "per_seed": [
                {"seed": 0, "seconds": 7.0, "validation": {"accuracy": 0.7}},
                {"seed": 1, "seconds": 6.0, "validation": {"accuracy": 0.8}},
            ],
            "seconds_search": 3.0,
        },
    }
    result = time_to_score.reached(points, report, metric, 0.6)
    assert result["transfer"] == {"seconds": 1.5, "seeds": 1, "of": 1, "seconds_search": 0.2}
    # seed 0 began one second before its first point and has 0.7 at 4 s; seed 1 has 0.6 at 2 s
    assert result["twin"]["seconds"] == pytest.approx((5.0 + 2.0) / 2)
    assert time_to_score.reached(points, report, metric, 0.75)["twin"]["seeds"] == 1
    assert time_to_score.reached(points, report, metric, 0.95)["transfer"]["seconds"] is None
    assert time_to_score.best_common(report, metric) == pytest.approx(0.75)


def test_energy_by_hand():
    assert energy.energy(7200, 500, 0.3) == {"kwh": pytest.approx(1.0), "cost": pytest.approx(0.3)}


def test_watts_are_read_where_the_machine_tells_and_not_made_up(monkeypatch, tmp_path):
    with energy.Meter("cpu") as meter:
        pass
    assert meter.watts is None
    monkeypatch.setattr(energy, "RAPL", str(tmp_path / "pkg"))
    (tmp_path / "pkg").mkdir()
    counter = tmp_path / "pkg" / "energy_uj"
    counter.write_text("1000000")
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(energy, "time", SimpleNamespace(monotonic=lambda: clock.now))
    with energy.Meter("cpu") as meter:
        clock.now += 1.1
        counter.write_text("111000000")
    assert meter.how == "rapl"
    assert meter.watts == pytest.approx(110 / 1.1)
    counter.write_text("5")
    with energy.Meter("cpu") as meter:
        clock.now += 1.1
        counter.write_text("1")
    assert meter.watts is None, "a counter that wrapped around"


def test_the_watts_of_a_gpu_are_the_mean_of_what_nvml_tells(monkeypatch):
    readings = iter([100_000, 300_000, *[200_000] * 1000])
    board = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda at: at,
        nvmlDeviceGetPowerUsage=lambda handle: next(readings),
    )
    monkeypatch.setitem(sys.modules, "pynvml", board)
    monkeypatch.setattr(energy, "EVERY", 0.01)
    with energy.Meter("cuda") as meter:
        time.sleep(0.3)
    assert (meter.how, meter.watts) == ("nvml", pytest.approx(200.0))
    monkeypatch.setitem(sys.modules, "pynvml", None)  # the package is not there
    with energy.Meter("cuda") as meter:
        time.sleep(0.05)
    assert meter.watts is None
