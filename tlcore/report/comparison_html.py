"""Details in the HTML report: why transfer hurt, multi-task results, baselines, calibration and slices."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from tlcore.core.i18n import number, t, translate
from tlcore.evaluation import score_text
from tlcore.report import score_units

PARTS = 10  # slices of the test set that are listed


def section(report: dict[str, Any]) -> Markup:
    """The sections that the report has data for; reports of earlier versions have none."""
    return Markup("\n").join(
        [*_explanation(report), *_tasks(report), *_baselines(report), *_calibration(report), *_slices(report)]
    )


def _explanation(report: dict[str, Any]) -> list[Markup]:
    explanation = report.get("explanation")
    if not explanation:
        return []
    negative = explanation["kind"] == "negative"
    title = t("Why transfer may have hurt") if negative else t("The difference leans to negative transfer")
    return [
        _heading(title),
        _list([translate(one["sentence"]) for one in explanation["signs"]]),
        Markup("<h3>{}</h3>").format(t("What to try next")),
        _list([translate(one["sentence"]) for one in explanation["suggestions"]]),
    ]


def _tasks(report: dict[str, Any]) -> list[Markup]:
    """The table of multi-task results, one row per task."""
    entries = report.get("tasks")
    if not entries:
        return []
    words = {"gains": t("gains"), "loses": t("loses"), "unclear": t("no clear difference")}
    rows = [
        [
            one["title"] if isinstance(one["title"], str) else translate(one["title"]),
            _score(**one["together"]),
            _score(**one["alone"]),
            _signed_difference(one["difference"], True),
            words[one["change"]],
            number(one["n"], 0),
        ]
        for one in entries
    ]
    head = [t("Task"), t("Together"), t("Alone"), t("Difference"), t("Change"), "n"]
    paragraph = Markup("<p>{}</p>").format(translate(report["sentences"]["tasks"]))
    return [_heading(t("Task by task")), paragraph, _table(head, rows)]


def _baselines(report: dict[str, Any]) -> list[Markup]:
    entries = report.get("naive")
    if not entries:
        return []
    rows, share = [], score_units.share(report)
    for one in entries:
        if one["value"] is None:
            rows.append([translate(one["title"]), translate(one["reason"]), "–", "–"])
        else:
            rows.append(
                [
                    translate(one["title"]),
                    _score(one["value"], one["interval"], share),
                    _signed_difference(one["difference"], share),
                    t("yes") if one["beaten"] else t("not clearly"),
                ]
            )
    stored = report["sentences"].get("naive")
    beaten = all(one["beaten"] is not False for one in entries)
    paragraph = (
        Markup("<p{}>{}</p>").format(Markup("" if beaten else ' class="alarm"'), translate(stored))
        if stored
        else Markup("")
    )
    head = [t("Baseline"), t("Score"), t("Trained model minus baseline"), t("Beaten")]
    return [_heading(t("Simple baselines")), paragraph, _table(head, rows)]


def _calibration(report: dict[str, Any]) -> list[Markup]:
    calibration = report.get("calibration")
    if not calibration:
        return []
    names = {"ece": t("Expected calibration error"), "debiased": t("The same, chance taken off")}
    rows = [
        [
            title,
            *(
                _score(calibration[side][key]["value"], calibration[side][key]["interval"])
                for side in ("before", "after")
            ),
        ]
        for key, title in names.items()
    ]
    brier = [
        f"{number(calibration[side]['brier']['value'], 3)} ("
        + t(
            "{low} to {high}",
            low=number(calibration[side]["brier"]["interval"][0], 3),
            high=number(calibration[side]["brier"]["interval"][1], 3),
        )
        + ")"
        for side in ("before", "after")
    ]
    rows.append([t("Brier score"), *brier])
    return [
        _heading(t("Calibration")),
        Markup("<p>{}</p>").format(translate(report["sentences"]["calibration"])),
        _table([t("On test data"), t("Before"), t("Calibrated")], rows),
    ]


def _slices(report: dict[str, Any]) -> list[Markup]:
    share = score_units.share(report)
    rows = [
        [
            translate(one["name"]),
            number(one["n"]),
            _score(one["score"], one["interval"], share),
            _signed_difference(one["difference"], share),
            number(one["adjusted"], 3),
            t("yes") if one["weak"] else "–",
        ]
        for one in (report.get("slices") or {"rows": []})["rows"][:PARTS]
    ]
    if not rows:
        return []
    head = [t("Part"), "n", t("Score"), t("Against all"), t("p, adjusted"), t("Weak")]
    return [_heading(t("Where it is weak")), _table(head, rows)]


def _heading(text: str) -> Markup:
    return Markup("<h2>{}</h2>").format(text)


def _list(texts: list[str]) -> Markup:
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(text) for text in texts))


def _table(head: list[str], rows: list[list[str]]) -> Markup:
    def line(tag: str, cells: list[str]) -> Markup:
        inside = Markup("").join(Markup(f"<{tag}>{{}}</{tag}>").format(cell) for cell in cells)
        return Markup("<tr>{}</tr>").format(inside)

    body = Markup("").join(line("td", row) for row in rows)
    return Markup('<div class="scroll"><table>{}{}</table></div>').format(line("th", head), body)


def _score(value: float, interval: list[float], share: bool = True) -> str:
    return f"{score_text.value(value, share)} ({score_text.span(interval, share)})"


def _signed_difference(difference: dict[str, Any], share: bool) -> str:
    value, interval = difference["value"], difference["interval"]
    return f"{score_text.signed_difference(value, share)} ({score_text.difference_span(interval, share)})"
