"""Does the verdict keep its word? Power at true differences of 4, 8 and 12 points, and false verdicts at none.

Per-unit records are simulated and put to `tlcore.evaluation.statistics.difference` with the 2,000 draws of a report;
only macro-F1, which plays no part in the verdict, is left out. A test unit has an ease of its own, an arm a leaning of
its own on each unit, a seed a chance of its own; they are weighed so that two models of different arms disagree on a
fifth of the units (discordance 0.2), and two seeds of one arm on the share stated. Besides, each seed's accuracy has a
standard deviation from seed to seed. Three seeds an arm, mean accuracy 75 %.

    OMP_NUM_THREADS=1 python benchmarks/verdict_power.py [--repetitions 200] [--null 400] [--sizes 1000] [--settings 2]

Every row of the table has random numbers of its own: rows that are run singly are the same.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta, multivariate_normal, norm

from tlcore.core.i18n import sentence
from tlcore.evaluation import statistics
from tlcore.evaluation.records import Metric, Records

SIZES, DIFFERENCES, SEEDS = (100, 300, 1000), (0.04, 0.08, 0.12), 3
ACCURACY, DISCORDANCE = 0.75, 0.2
# (disagreement of two seeds of one arm, standard deviation of accuracy from seed to seed)
SETTINGS = ((0.02, 0.01), (0.12, 0.01), (0.12, 0.02))


class Accuracy:
    """What `difference` needs of a task, with accuracy alone."""

    metrics = (Metric("accuracy", sentence("accuracy")),)

    def aggregate(self, records: Records, weights: np.ndarray, target: dict) -> dict[str, np.ndarray]:
        return {"accuracy": weights @ records.columns["right"] / weights.sum(axis=1)}


@dataclass(frozen=True)
class World:
    """Accuracies (transfer, twin) and how much of a unit's fate is the unit's, the arm's and the seed's."""

    accuracy: tuple[float, float]
    between: float  # correlation of two arms' latent ease of a unit
    within: float  # correlation of two seeds of one arm
    deviation: float


def world(difference: float, within: float, deviation: float) -> World:
    """The correlations that give the wanted disagreements at these accuracies."""
    both = (ACCURACY + difference / 2, ACCURACY - difference / 2)
    between = _correlation(both, DISCORDANCE)
    return World(both, between, max(between, _correlation((ACCURACY, ACCURACY), within)), deviation)


def _correlation(accuracy: tuple[float, float], disagreement: float) -> float:
    ends = norm.ppf(accuracy)

    def apart(r: float) -> float:
        both_right = multivariate_normal.cdf(ends, mean=[0, 0], cov=[[1, r], [r, 1]])
        return sum(accuracy) - 2 * both_right - disagreement

    return float(brentq(apart, 0.0, 0.9999))


def simulate(result: World, n: int, rng: np.random.Generator) -> list[list[Records]]:
    """Records of both arms, three seeds each, on the same n units."""
    unit = rng.standard_normal(n)
    arms = []
    for accuracy in result.accuracy:
        own = rng.standard_normal(n)
        seeds = []
        for _ in range(SEEDS):
            latent = (
                np.sqrt(result.between) * unit
                + np.sqrt(result.within - result.between) * own
                + np.sqrt(1 - result.within) * rng.standard_normal(n)
            )
            reached = np.clip(accuracy + result.deviation * rng.standard_normal(), 0.01, 0.99)
            right = (latent < norm.ppf(reached)).astype(float)
            seeds.append(Records(ids=range(n), unit=np.arange(n), columns={"right": right}))
        arms.append(seeds)
    return arms


def verdicts(result: World, n: int, repetitions: int, rng: np.random.Generator) -> tuple[list[str | None], float]:
    """The verdict of each repetition, and the mean share of units on which the arms disagree."""
    found, apart = [], []
    for i in range(repetitions):
        ours, its = simulate(result, n, rng)
        found.append(statistics.difference(Accuracy(), ours, its, {}, seed=i).verdict)
        apart.append(np.mean([a.columns["right"] != b.columns["right"] for a in ours for b in its]))
    return found, float(np.mean(apart))


def bounds(k: int, n: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a rate."""
    low = float(beta.ppf(0.025, k, n - k + 1)) if k else 0.0
    return low, float(beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repetitions", type=int, default=200)
    arguments.add_argument("--null", type=int, default=400, help="repetitions without a difference")
    arguments.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), choices=SIZES)
    arguments.add_argument("--settings", nargs="+", type=int, default=list(range(len(SETTINGS))), help="by place")
    asked = arguments.parse_args()
    started = time.perf_counter()
    for within, deviation in (SETTINGS[place] for place in asked.settings):
        print(
            f"\nseeds of one arm disagree on {within:.0%}, deviation from seed to seed {100 * deviation:.0f} points\n"
        )
        print("| n | discordance | visible difference | 4 points | 8 points | 12 points | none: false verdicts |")
        print("|--:|--:|--:|--:|--:|--:|--:|")
        for n in asked.sizes:
            cells, apart = [], []
            rng = np.random.default_rng((n, int(1000 * within), int(1000 * deviation)))
            for difference in DIFFERENCES:
                found, disagreed = verdicts(world(difference, within, deviation), n, asked.repetitions, rng)
                apart.append(disagreed)
                k = found.count("transfer-helps")
                low, high = bounds(k, len(found))
                cells.append(f"{k / len(found):.2f} ({low:.2f} to {high:.2f})")
            found, disagreed = verdicts(world(0.0, within, deviation), n, asked.null, rng)
            apart.append(disagreed)
            false = len(found) - found.count("no-clear-difference")
            cells.append(
                f"{false} of {len(found)} = {false / len(found):.3f} (at most {bounds(false, len(found))[1]:.3f})"
            )
            seen = 100 * statistics.visible_difference(n, SEEDS, DISCORDANCE, deviation)
            print(f"| {n} | {np.mean(apart):.2f} | {seen:.1f} points | " + " | ".join(cells) + " |", flush=True)
    print(
        f"\n{asked.repetitions} repetitions a cell, {asked.null} without a difference; "
        f"{time.perf_counter() - started:.0f} s"
    )


if __name__ == "__main__":
    main()
