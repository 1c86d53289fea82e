"""The model card, in the Hugging Face format (YAML front matter, then Markdown)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from tlcore.bundle import lora_adapter, onnx_export, predictors
from tlcore.bundle.predictors import Kind
from tlcore.core.i18n import Sentence

if TYPE_CHECKING:
    from tlcore.report.context import RunContext

# Licence identifiers of the hub; any other licence is "other" with its own name.
LICENCES = (
    "apache-2.0",
    "mit",
    "bsd-3-clause",
    "bsd-2-clause",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "cc0-1.0",
    "openrail",
    "gpl-3.0",
    "lgpl-3.0",
    "agpl-3.0",
    "unlicense",
)
# The hub's name of each task that has a different id here.
PIPELINES = dict.fromkeys(("sentiment-analysis", "multi-label-text-classification"), "text-classification")
TYPES = {"macro-f1": "f1", "exact-match": "exact_match"}


def write(context: RunContext, report: dict[str, Any], hashes: dict[str, str], needed: str) -> str:
    """The model card of a packed model; every figure is measured.

    ``hashes``: sha256 of the bundle's other files by name. ``needed``: the requirements.txt of its predict.py.
    """
    kind = predictors.find(context.task.bundle)
    head = yaml.safe_dump(_front(context, report), sort_keys=False, allow_unicode=True, width=1000)
    parts = [
        f"---\n{head}---\n",
        f"# {line(report['name'])}\n",
        _what(report),
        "## Verdict\n",
        english(report["sentences"]["verdict"]) + "\n",
        "## Scores on the test set\n",
        _scores(report, kind),
        "## Against the naive\n",
        _baselines(report),
        *(["## Calibration\n", _calibration(report["calibration"])] if report.get("calibration") else []),
        "## Data\n",
        _data(report),
        "## Use\n",
        _needs(needed),
        kind.use(context),
        "## Limits\n",
        _limits(report, kind),
        "## Cost\n",
        _cost(report),
        "## Export\n",
        _export(report["export"], kind),
        *(["## Adapter\n", lora_adapter.section(report["adapter"])] if report.get("adapter") else []),
        "## Files\n",
        _files(hashes),
    ]
    return "\n".join(parts)


def _front(context: RunContext, report: dict[str, Any]) -> dict[str, Any]:
    library = context.source.library
    titles, data = _titles(report), report["dataset"]
    front = licence_lines(report["source"]["licence"])
    if report["source"]["hub_id"]:
        front["base_model"] = report["source"]["hub_id"]
    front |= {
        "library_name": library,
        "pipeline_tag": pipeline(report["task"]),
        "tags": [
            report["task"],
            "transfer-learning",
            report["strategy"],
            library,
            *([] if report["export"].get("skipped") else ["onnx"]),
        ],
        "dataset_fingerprint": data["fingerprint"],
        "model-index": [
            {
                "name": " ".join(report["name"].split()),
                "results": [
                    {
                        "task": {"type": pipeline(report["task"])},
                        "dataset": {
                            "name": data["name"],
                            "type": "private",
                            "split": "test",
                            "revision": data["fingerprint"],
                        },
                        "metrics": [
                            {
                                "type": TYPES.get(metric, metric),
                                "value": round(value, 4),
                                "name": titles.get(metric, metric),
                                "args": {
                                    "interval_95": [round(end, 4) for end in report["packed"]["intervals"][metric]],
                                    "n": report["n_test"],
                                },
                            }
                            for metric, value in report["packed"]["metrics"].items()
                        ],
                    }
                ],
            }
        ],
    }
    return front


def pipeline(task: str) -> str:
    """The hub's pipeline tag of a task."""
    return PIPELINES.get(task, task)


def licence_lines(licence: str | None) -> dict[str, Any]:
    """The front-matter fields of a licence: a hub identifier, else "other" with its name."""
    licence = (licence or "").strip()
    known = licence.lower() if licence.lower() in LICENCES else None
    return {"license": known} if known else {"license": "other", "license_name": licence or "unknown"}


def _what(report: dict[str, Any]) -> str:
    source = report["source"]
    labels = ", ".join(f"`{line(label)}`" for label in (report["labels"] or [])[:50])
    more = f" and {len(report['labels']) - 50} more" if len(report["labels"] or []) > 50 else ""
    classes = f"Classes: {labels}{more}.\n\n" if labels else ""
    revision = f", revision `{source['revision']}`" if source["revision"] else ""
    return (
        f"{report['task']} by **{report['strategy']}** from {line(source['title'])} (`{source['id']}`{revision}, "
        f"licence {source['licence']}). The source was trained on: {english(source['data'])}.\n\n"
        f"{classes}Run `{report['run']}`, {report['created']}.\n"
    )


def _scores(report: dict[str, Any], kind: Kind) -> str:
    rows = [
        f"n = {report['n_test']} test {kind.things} that training never saw; 95 % bootstrap intervals. The model in "
        f"this bundle is seed {report['packed']['seed']}, chosen by its validation score; the recipe's scores are "
        f"means over {report['seeds']} seeds.\n",
        "| | this model | recipe | from-scratch twin | difference |",
        "|---|---|---|---|---|",
    ]
    titles = _titles(report)
    for metric in report["packed"]["metrics"]:
        cells = [_estimate(report[key], metric) for key in ("packed", "transfer", "baseline", "difference")]
        rows.append(f"| {titles.get(metric, metric)} | " + " | ".join(cells) + " |")
    if plain := report["sentences"].get("plain"):
        rows += ["", english(plain)]
    if report.get("per_class"):
        rows += ["", "| class | n | precision | recall | F1 |", "|---|---|---|---|---|"]
        rows += [
            f"| {line(row['label'])} | {row['n']} | {_share(row['precision'])} | {_share(row['recall'])} | "
            f"{_share(row['f1'])} |"
            for row in report["per_class"][:200]
        ]
    if line_on_thresholds := report["sentences"].get("thresholds"):
        rows += ["", english(line_on_thresholds)]
    return "\n".join(rows) + "\n"


def _baselines(report: dict[str, Any]) -> str:
    rows = ["| baseline | score (95 %) | recipe minus baseline (95 %) |", "|---|---|---|"]
    for one in report["naive"]:
        title = english(one["title"])
        if one["value"] is None:
            rows.append(f"| {title} | {english(one['reason'])} | – |")
        else:
            rows.append(f"| {title} | {_span(one)} | {_span(one['difference'])} |")
    if stored := report["sentences"].get("naive"):
        rows += ["", english(stored)]
    return "\n".join(rows) + "\n"


def _calibration(calibration: dict[str, Any]) -> str:
    reason = f" {english(calibration['reason'])}" if calibration["reason"] else ""
    return (
        f"Temperature {calibration['temperature']:.3f}, fitted on {calibration['n_validation']} validation examples; "
        f"`predict.py` divides the logits by it (`calibration.json`).{reason}\n\n"
        f"| on {calibration['n_test']} test examples | before | after |\n|---|---|---|\n"
        + "".join(
            f"| {name} | {_span(calibration['before'][key])} | {_span(calibration['after'][key])} |\n"
            for key, name in (
                ("ece", f"ECE, {calibration['bins']} bins of equal mass"),
                ("debiased", "debiased error"),
                ("brier", "Brier score"),
            )
        )
    )


def _span(estimate: dict[str, Any]) -> str:
    return f"{estimate['value']:.3f} ({estimate['interval'][0]:.3f} – {estimate['interval'][1]:.3f})"


def _data(report: dict[str, Any]) -> str:
    data = report["dataset"]
    n = data["n"]
    return (
        f"{line(data['name'])}, fingerprint `{data['fingerprint']}`: {n.get('train', 0)} training, "
        f"{n.get('validation', 0)} validation and {n.get('test', 0)} test examples; {data['set_aside']} set aside as "
        f"unusable. {english(data['split_said'])}\n"
    )


def _needs(requirements: str) -> str:
    *names, last = re.findall(r"^\w+", requirements, re.MULTILINE)
    text = f"{', '.join(names)} and {last}"
    return f"With {text}:\n" if "torch" in names else f"Without any framework ({text}):\n"


def _limits(report: dict[str, Any], kind: Kind) -> str:
    lines = [
        *kind.limits(),
        *(
            ["* The confidence is the network's own and was not calibrated."]
            if kind.confident and not report.get("calibration")
            else []
        ),
    ]
    small = [line(row["label"]) for row in report.get("per_class", []) if row["n"] < 10]
    if small:
        lines.append(f"* Fewer than 10 test {kind.things}, so hardly tested: {', '.join(small[:20])}.")
    if report.get("unknown_label"):
        lines.append(
            f"* {report['unknown_label']} test {kind.things} had a label that no training example has; all errors."
        )
    lines += [f"* {english(note)}" for note in report["notes"]]
    return "\n".join(lines) + "\n"


def _cost(report: dict[str, Any]) -> str:
    rows = ["| arm | seconds, all seeds | seconds of search | epochs | device |", "|---|---|---|---|---|"]
    for arm, cost in report["cost"].items():
        epochs = ", ".join("solved" if e is None else str(e) for e in cost["epochs"])
        rows.append(f"| {arm} | {cost['seconds']:.1f} | {cost['seconds_search']:.1f} | {epochs} | {cost['device']} |")
    return "\n".join(rows) + "\n"


def _export(export: dict[str, Any], kind: Kind) -> str:
    if export.get("skipped"):
        return english(export["skipped"]) + "\n"
    return (
        f"`model.onnx` (opset {onnx_export.OPSET}, any batch size) against torch on {export['n']} test "
        f"{kind.things}: largest difference of a logit {export['max_difference']:.1e} (allowed "
        f"{export['tolerance']:.0e}), same answer on {export['same_class']}. "
        f"One of them through the network took {export['milliseconds']:.1f} ms "
        "with onnxruntime on the CPU of the machine that trained it, decoding not counted.\n"
    )


def _files(hashes: dict[str, str]) -> str:
    rows = [
        "| file | sha256 |",
        "|---|---|",
        *(f"| `{name}` | `{digest}` |" for name, digest in sorted(hashes.items())),
    ]
    return "\n".join(rows) + "\n"


def _estimate(estimate: dict[str, Any] | None, metric: str) -> str:
    if not estimate:
        return "–"
    low, high = estimate["intervals"][metric]
    return f"{estimate['metrics'][metric]:.3f} ({low:.3f} – {high:.3f})"


def _titles(report: dict[str, Any]) -> dict[str, str]:
    """English titles of the task's metrics, by id."""
    from tlcore import tasks

    return {metric.id: str(metric.title) for metric in tasks.find(report["task"]).metrics}


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def english(sentence: dict[str, Any]) -> str:
    """A stored sentence in English, on one line."""
    return line(str(Sentence.model_validate(sentence)))


def line(text: str) -> str:
    """User text on one line, escaped so that it cannot start a table cell, tag or heading in Markdown."""
    return re.sub(r"([|<>`*_\[\]\\])", r"\\\1", " ".join(str(text).split()))
