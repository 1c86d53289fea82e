"""Fit the rule behind the advice on the grid, and judge it on data sets it was not fitted on.

    python benchmarks/guidance/regret.py [--kind text] [--write]     # --write: keep the rule in tlcore/guidance

Reads the kind's grid, evidence and turns; takes seconds. Regret is the best transfer strategy's test
accuracy minus that of the advised one, in points, in the mean over draws; the rule that advises a set was fitted on all
other sets (leave one data set out, the two domains of PACS and the two of digits counted singly). The noise floor is
the regret that the truly best strategy would show, from drawing test pictures and draws again. With a race, the rule's
expectation is joined with the validation scores of the trained candidates, of further turns too where they were
trained. What a race could reach at most is simulated: the very models that are scored, on so many test pictures more
as validation. Intervals draw data sets again.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from scipy.stats import weightedtau
from sets import KINDS, Kind
from sklearn.linear_model import BayesianRidge

from tlcore.guidance import advice_rule
from tlcore.guidance.evidence import Evidence
from tlcore.guidance.ranking import scores

TRANSFER = ("feature-extraction", "fine-tuning", "linear-probe-then-fine-tune")
# Networks without weights of their own to tell apart: the twin of one is the twin of the other.
SAME_NETWORK = {"mobilenetv2_100_inat_bird": "mobilenetv2_100_in1k"}
BOOT, SIMULATED = 2000, 40


class Cell:
    """One draw of a set at a size, with one source: its evidence and every strategy's result."""

    def __init__(self, evidence: dict, results: dict[str, dict], material: str):
        self.set, self.size, self.draw, self.source = (evidence[k] for k in ("set", "size", "draw", "source"))
        counts = evidence["n_per_class"]
        self.evidence = Evidence(
            modality=material,
            n_train=evidence["n_train"],
            n_per_class=counts,
            fewest=min(counts.values()),
            imbalance=1.0,
            set_aside=0,
            similarity=evidence["similarity"],
            transferability=evidence["transferability"],
        )
        self.here = advice_rule.Situation.of(self.evidence)
        self.accuracy = {name: one["accuracy"] for name, one in results.items()}
        self.validation = {name: one["validation"] for name, one in results.items()}
        self.n_validation = round(results["feature-extraction"]["n"] - evidence["n_train"])
        self.right = {name: _hits(one["right"]) for name, one in results.items()}
        self.turns: dict[int, dict[str, np.ndarray]] = {}  # further validation sets: what each strategy got right

    def raced(self, apart: dict[str, dict[str, float]], turns: bool) -> advice_rule.PilotScores:
        """What a race measured; the paired variances are those of ``apart`` where its own examples are not known."""
        scores, n = {name: self.validation[name] * self.n_validation for name in TRANSFER}, self.n_validation
        if turns and self.turns:
            hits = {name: np.concatenate([one[name] for one in self.turns.values()]) for name in TRANSFER}
            scores = {name: scores[name] + hits[name].sum() for name in TRANSFER}
            n, apart = n + len(hits[advice_rule.BASE]), variances(hits)
        return advice_rule.PilotScores({name: result / n for name, result in scores.items()}, errors(apart, n), n)

    @property
    def place(self) -> tuple[str, str, str]:
        return self.set, self.size, self.source


def _hits(result: str) -> np.ndarray:
    return np.array(list(result)) == "1"


def variances(hits: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Of the paired difference of every two strategies, for one example."""
    return {a: {b: float((hits[a].astype(float) - hits[b]).var()) for b in TRANSFER} for a in TRANSFER}


def errors(apart: dict[str, dict[str, float]], n: int) -> dict[str, dict[str, float]]:
    return {a: {b: (result / n) ** 0.5 for b, result in row.items()} for a, row in apart.items()}


def usual(train: list[Cell]) -> dict[str, dict[str, float]]:
    """The mean of `variances` over cells."""
    each = [variances({name: c.right[name] for name in TRANSFER}) for c in train]
    return {a: {b: float(np.mean([one[a][b] for one in each])) for b in TRANSFER} for a in TRANSFER}


def lines(kind: Kind, name: str) -> list[dict]:
    path = kind.file(name)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def cells(kind: Kind) -> list[Cell]:
    results: dict[tuple, dict[str, dict]] = defaultdict(dict)
    for one in lines(kind, "grid"):
        results[one["set"], one["size"], one["draw"], one["source"]][one["strategy"]] = one
    out = []
    for one in lines(kind, "evidence"):
        at = one["set"], one["size"], one["draw"], one["source"]
        found = dict(results.get(at, {}))
        other = results.get((*at[:3], SAME_NETWORK.get(at[3], at[3])), {})
        if "scratch" in other:
            found["scratch"] = other["scratch"]
        if all(name in found for name in TRANSFER):
            out.append(Cell(one, found, kind.name))
    further: dict[tuple, dict[int, dict[str, np.ndarray]]] = defaultdict(lambda: defaultdict(dict))
    for one in lines(kind, "turns"):
        further[one["set"], one["size"], one["source"]][one["turn"]][one["strategy"]] = _hits(one["right"])
    for cell in out:
        if cell.draw == 0:
            cell.turns = {turn: result for turn, result in further[cell.place].items() if len(result) == len(TRANSFER)}
    return out


def fit(train: list[Cell]) -> dict:
    """The rule from these cells."""
    alike = float(np.mean([c.here.similarity for c in train if c.here.similarity is not None]))
    result = {
        "mean_similarity": round(alike, 4),
        "strategies": {},
        "cells": len(train) * len(TRANSFER),
        "sets": len({c.set for c in train}),
    }
    left = {}
    for name in (*TRANSFER[1:], "scratch"):
        with_it = [c for c in train if name in c.accuracy]
        if len(with_it) < 10:
            continue
        x = np.stack([c.here.vector(alike) for c in with_it])
        y = np.array([c.accuracy[name] - c.accuracy[advice_rule.BASE] for c in with_it])
        model = BayesianRidge(fit_intercept=False).fit(x, y)
        result["strategies"][name] = {
            "weights": model.coef_.round(5).tolist(),
            "covariance": model.sigma_.round(7).tolist(),
            "noise": round(float(model.alpha_**-0.5), 5),
            "cells": len(with_it),
        }
        left[name] = y - x @ np.array(result["strategies"][name]["weights"])
    together = round(float(np.corrcoef(*(left[name] for name in TRANSFER[1:]))[0, 1]), 3)
    result["correlation"] = {a: {b: together} for a, b in (TRANSFER[1:], TRANSFER[:0:-1])}
    return result


def means(group: list[Cell]) -> dict[str, float]:
    return {name: float(np.mean([c.accuracy[name] for c in group])) for name in TRANSFER}


def floor(group: list[Cell], rng: np.random.Generator, draws: int = 200) -> float:
    """The regret that the best of these means shows when test pictures and draws are drawn again."""
    best = max(TRANSFER, key=lambda name: means(group)[name])
    right = {name: np.stack([c.right[name] for c in group]) for name in TRANSFER}
    n, total = right[best].shape[1], 0.0
    for _ in range(draws):
        rows, columns = rng.integers(len(group), size=len(group)), rng.integers(n, size=n)
        now = {name: right[name][rows][:, columns].mean() for name in TRANSFER}
        total += max(now.values()) - now[best]
    return total / draws


def regrets(all_cells: list[Cell]) -> tuple[dict[str, dict[tuple, float]], dict[tuple, float]]:
    """By way of choosing, the regret at each (set, size, source), in points; and the floor there."""
    rng = np.random.default_rng(0)
    groups: dict[tuple, list[Cell]] = defaultdict(list)
    for cell in all_cells:
        groups[cell.place].append(cell)
    out: dict[str, dict[tuple, float]] = defaultdict(dict)
    floors = {}
    others = {name: [c for c in all_cells if c.set != name] for name in {c.set for c in all_cells}}
    rules = {name: fit(rest) for name, rest in others.items()}
    apart = {name: usual(rest) for name, rest in others.items()}
    for place, group in groups.items():
        found = means(group)
        top = max(found.values())
        for name in TRANSFER:
            out[f"always {name}"][place] = 100 * (top - found[name])
        out["at random"][place] = 100 * (top - float(np.mean(list(found.values()))))
        chosen: dict[str, list[float]] = defaultdict(list)
        for cell in group:
            expected = advice_rule.expect(cell.here, rules[cell.set])
            chosen["advised"].append(found[advice_rule.best(expected)])
            raced = cell.raced(apart[cell.set], turns=True)
            chosen["advised, with race"].append(found[advice_rule.join(expected, raced, rules[cell.set])[1]])
            for times in (1, 3, 5):
                drawn = [
                    found[_ideal(cell, times * cell.n_validation, expected, rules[cell.set], rng)]
                    for _ in range(SIMULATED)
                ]
                chosen[f"simulated: {times} x as many fresh pictures"].append(float(np.mean(drawn)))
        for name, result in chosen.items():
            out[name][place] = 100 * (top - float(np.mean(result)))
        floors[place] = 100 * floor(group, rng)
    return out, floors


def _ideal(cell: Cell, n: int, expected: dict, result: dict, rng: np.random.Generator) -> str:
    """The choice by the highest posterior where ``n`` test pictures more were validation pictures of these models.

    Too good on purpose: they are among those that score, and the models are the very ones that are scored.
    """
    columns = rng.integers(len(cell.right[advice_rule.BASE]), size=n)
    hits = {name: cell.right[name][columns] for name in TRANSFER}
    means = {name: float(one.mean()) for name, one in hits.items()}
    raced = advice_rule.PilotScores(means, errors(variances(hits), n), n)
    return advice_rule.best(advice_rule.join(expected, raced, result)[0])


def first(raced: advice_rule.PilotScores) -> str:
    """Who has the highest score, whatever the rule says; the later one of equals."""
    return max(TRANSFER, key=lambda name: (raced.scores[name], TRANSFER.index(name)))


def in_turn(all_cells: list[Cell]) -> None:
    """What further turns change, over the cells where they were trained: the race's own choice, and the posterior's."""
    some = [c for c in all_cells if c.turns]
    if not some:
        return
    sets, reached = sorted({c.set for c in some}), {}
    for cell in some:
        reached[cell.place] = means([c for c in all_cells if c.place == cell.place])
    rest = {name: [c for c in all_cells if c.set != name] for name in sets}
    rules, apart = {n: fit(cells) for n, cells in rest.items()}, {n: usual(cells) for n, cells in rest.items()}
    print(f"\n{len(some)} cells with further turns ({len(sets)} sets)\n")
    print("| choice | own validation set | in turn | in turn minus own |\n|---|---|---|---|")

    def lost(choose: Callable[[Cell], str]) -> np.ndarray:
        result = {c.place: 100 * (max(reached[c.place].values()) - reached[c.place][choose(c)]) for c in some}
        return by_set(result, sets)

    def joined(cell: Cell, turns: bool) -> tuple[dict[str, advice_rule.Expected], str]:
        result = rules[cell.set]
        return advice_rule.join(advice_rule.expect(cell.here, result), cell.raced(apart[cell.set], turns), result)

    ways: dict[str, Callable[[Cell, bool], str]] = {
        "always linear-probe-then-fine-tune": lambda c, _: TRANSFER[-1],
        "highest score of the race": lambda c, turns: first(c.raced(apart[c.set], turns)),
        "highest expectation, race joined": lambda c, turns: advice_rule.best(joined(c, turns)[0]),
        "advised (one standard error)": lambda c, turns: joined(c, turns)[1],
    }
    for name, way in ways.items():
        own, turned = (lost(lambda c, turns=turns, way=way: way(c, turns)) for turns in (False, True))
        print(f"| {name} | {interval(own)} | {interval(turned)} | {interval(turned - own)} |")


def by_set(values: dict[tuple, float], sets: list[str]) -> np.ndarray:
    return np.array([np.mean([v for place, v in values.items() if place[0] == name]) for name in sets])


def interval(values: np.ndarray) -> str:
    rng = np.random.default_rng(0)
    drawn = values[rng.integers(len(values), size=(BOOT, len(values)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{values.mean():.2f} [{low:.2f}, {high:.2f}]"


def sources(all_cells: list[Cell]) -> None:
    """Ranking of sources by their evidence against their best and their fine-tuned test scores."""
    groups: dict[tuple, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in all_cells:
        groups[cell.set, cell.size][cell.source].append(cell)
    taus, regret, random = defaultdict(list), defaultdict(list), []
    for (name, _), found in groups.items():
        if len(found) < 3:
            continue
        names = sorted(found)
        truth = np.array([max(means(found[s]).values()) for s in names])
        draws = [{s: c.evidence for s in names for c in found[s] if c.draw == d} for d in range(2)]
        ranked = [list(scores(one).values()) for one in draws if len(one) == len(names)]
        estimates = {
            "studio's score": np.mean(ranked, axis=0),
            "probe": [np.mean([c.evidence.transferability["probe"]["value"] for c in found[s]]) for s in names],
            **{
                key: [np.mean([c.evidence.transferability[key] for c in found[s]]) for s in names]
                for key in ("log_me", "h_score")
            },
            "similarity": [np.mean([c.evidence.similarity for c in found[s]]) for s in names],
        }
        for key, guess in estimates.items():
            taus[key].append((name, weightedtau(truth, guess)[0]))
            regret[key].append((name, 100 * (truth.max() - truth[int(np.argmax(guess))])))
        random.append((name, 100 * (truth.max() - truth.mean())))
    if not taus:
        return
    print("\n| ranking by | weighted Kendall tau | top-1 regret, points |\n|---|---|---|")

    def mean(pairs: list[tuple[str, float]]) -> str:
        sets = sorted({name for name, _ in pairs})
        return interval(np.array([np.mean([v for n, v in pairs if n == name]) for name in sets]))

    for key in taus:
        print(f"| {key} | {mean(taus[key])} | {mean(regret[key])} |")
    print(f"| at random | 0 | {mean(random)} |")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--kind", default="image", choices=KINDS)
    ask.add_argument("--write", action="store_true")
    result = ask.parse_args()
    every = cells(KINDS[result.kind])
    sets = sorted({c.set for c in every})
    places, twins = len({c.place for c in every}), sum("scratch" in c.accuracy for c in every)
    print(f"{len(every)} cells at {places} places ({len(sets)} sets), {twins} with a twin\n")
    found, floors = regrets(every)
    print("| choice | regret, points | minus that of the advised | worst set |\n|---|---|---|---|")
    ours = by_set(found["advised"], sets)
    for name, values in found.items():
        one = by_set(values, sets)
        worst = sets[int(one.argmax())]
        print(f"| {name} | {interval(one)} | {interval(one - ours)} | {worst} {one.max():.2f} |")
    print(f"| noise floor | {interval(by_set(floors, sets))} | | |")
    in_turn(every)
    sources(every)
    if result.write:
        final = fit(every)
        final["points"] = [
            {
                "per_class": round(c.here.per_class, 1),
                "similarity": c.here.similarity,
                "best": max(TRANSFER, key=lambda s, c=c: c.accuracy[s]),
                "scratch_better": c.accuracy.get("scratch", 0.0) > max(c.accuracy[s] for s in TRANSFER),
            }
            for c in every
        ]
        path = advice_rule.file(result.kind)
        path.write_text(json.dumps(final, indent=1) + "\n")
        print(f"\n{path.name} written: {final['cells']} trainings")


if __name__ == "__main__":
    main()
