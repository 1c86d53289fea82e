"""Results of a finished run: verdict, scores with intervals, curves, classes; and the table of all runs."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import Sentence, language, number, t
from tlcore.evaluation import score_text
from tlcore.report import score_units
from tlcore.report.heading import NONE, WORDS, heading
from tlcore.store.tables import SUCCEEDED
from tlcore.ui import charts, pretrained_view, several_runs_view
from tlcore.ui.formatting import duration, message, plain, score, size, when
from tlcore.ui.links import learn_link
from tlcore.ui.state import store
from tlcore.ui.walk import runs_of

if TYPE_CHECKING:
    from tlcore.store.tables import Project, Run

VERDICTS: dict[str | None, tuple[Sentence, str, str]] = {
    "transfer-helps": (WORDS["transfer-helps"], "trending_up", "green"),
    "no-clear-difference": (WORDS["no-clear-difference"], "trending_flat", "gray"),
    "negative-transfer": (WORDS["negative-transfer"], "trending_down", "red"),
    None: (NONE, "help", "gray"),
}


def metric_title(report: dict[str, Any], metric: str | None = None) -> str:
    """The title of a metric (default: the headline metric) in the current language."""
    from tlcore import tasks

    wanted = metric or report["metric"]
    known = {one.id: one for one in tasks.find(report["task"]).metrics}
    return t(known[wanted].title) if wanted in known else wanted


def verdict(report: dict[str, Any]) -> None:
    """The verdict as a heading and as a sentence with n and interval."""
    _, icon, colour = VERDICTS.get(report["verdict"], VERDICTS[None])
    stored = report.get("sentences") or {}
    with st.container(border=True):
        title = t(heading(report))
        st.markdown(f"## :{colour}[:material/{icon}: {title}]", anchors=False)
        if stored.get("verdict"):
            st.markdown(message(stored["verdict"]))
        if stored.get("plain"):
            st.markdown("**" + message(stored["plain"]) + "**")
        notes = [
            message(stored[name])
            for name in ("tested_on", "plainer", "stood_at", "twin_budget", "visible")
            if stored.get(name)
        ]
        if notes:
            st.caption("  \n".join(notes))
        if report["verdict"] == "negative-transfer":
            learn_link("negative-transfer", t("What is negative transfer?"))
        else:
            learn_link("verdict", t("How is the verdict reached?"))


def scores(report: dict[str, Any]) -> None:
    """All metrics of both arms with intervals, and the cost."""
    transfer, baseline, difference = report["transfer"], report.get("baseline"), report.get("difference")
    rows, shares = [], score_units.shares(report)
    for metric in transfer["metrics"]:
        share = shares[metric]
        row = {t("Metric"): metric_title(report, metric), t("Transfer"): _cell(transfer, metric, share)}
        if baseline:
            row[t("From scratch")] = _cell(baseline, metric, share)
        if difference:
            row[score_units.difference(report)] = _difference(difference, metric, share)
        rows.append(row)
    st.table(rows, border="horizontal", hide_index=True)
    st.caption(
        t(
            "Mean over the seeds ({seeds}), on {n} test examples not seen in training; 95 % intervals in brackets.",
            seeds=report["seeds"],
            n=report["n_test"],
        )
    )
    st.caption(_what_was_run(report))
    with st.container(horizontal=True):
        arms = [(t("Transfer"), "transfer"), (t("Ablation"), "plainer"), (t("From scratch"), "twin")]
        for title, arm in arms:
            cost = (report.get("cost") or {}).get(arm)
            if cost:
                _cost(title, cost)


def _strategy(strategy: Any) -> str:
    """The title of a strategy; ``auto`` is the advice of the studio."""
    from tlcore.strategies import STRATEGIES

    titles = {one.id: t(one.title) for one in STRATEGIES}
    return t("As the studio advises") if strategy == "auto" else titles.get(str(strategy), str(strategy))


def _what_was_run(report: dict[str, Any]) -> str:
    data = report.get("dataset") or {}
    return t(
        "{strategy}, from {source}, on {data} ({fingerprint})",
        strategy=_strategy(report["strategy"]),
        source=plain((report.get("source") or {}).get("title") or "–"),
        data=plain(data.get("name") or "–"),
        fingerprint=str(data.get("fingerprint")),
    )


def _cell(arm: dict[str, Any], metric: str, share: bool) -> str:
    value = score_text.value(arm["metrics"].get(metric), share)
    pair = (arm.get("intervals") or {}).get(metric)
    return f"**{value}** ({score_text.span(pair, share)})" if pair else f"**{value}**"


def _difference(difference: dict[str, Any], metric: str, share: bool) -> str:
    value = (difference.get("metrics") or {}).get(metric)
    pair = (difference.get("intervals") or {}).get(metric)
    if value is None:
        return "–"
    text = score_text.signed_difference(value, share)
    return f"**{text}** ({score_text.difference_span(pair, share)})" if pair else f"**{text}**"


def _count(value: float) -> str:
    return number(value, 0)


def _cost(title: str, cost: dict[str, Any]) -> None:
    with st.container(border=True, width=330):
        st.markdown(f"**{title}**")
        epochs = [str(n) for n in cost.get("epochs") or [] if n is not None]
        lines = [
            t("Training: {time}", time=duration(cost.get("seconds"))),
            *(
                [t("of it once for all seeds, pre-training: {time}", time=duration(cost["seconds_once"]))]
                if cost.get("seconds_once")
                else []
            ),
            t("Search of settings: {time}", time=duration(cost.get("seconds_search"))),
            t("Epochs of each seed: {epochs}", epochs=epochs) if epochs else t("No epochs: a linear head was fitted"),
            t("Most memory: {size}", size=size(cost.get("peak_memory"))),
            t("On {device}, batches of {n}", device=plain(cost.get("device")), n=cost.get("batch_size")),
        ]
        st.caption("  \n".join(lines))


def notes(report: dict[str, Any]) -> None:
    """The notes of the report: events that affect the scores."""
    for note in report.get("notes") or []:
        st.caption(":material/info: " + message(note))


def curves(run: Run, report: dict[str, Any]) -> None:
    """Validation score and losses of both arms, over epochs or seconds."""
    columns = _curve_columns(run.id)
    if not columns:
        st.caption(t("There are no curves: nothing was trained by gradient."))
        return
    against = st.segmented_control(
        t("Against"),
        ["epoch", "seconds"],
        default="epoch",
        required=True,
        key="curves-against",
        format_func={"epoch": t("epochs"), "seconds": t("seconds")}.__getitem__,
    )
    left, right = st.columns(2)
    metric, share = f"validation_{report['metric']}", score_units.share(report)
    with left:
        if metric in columns:
            title = t("Score on validation data")
            charts.show(_curve(run.id, metric, str(against), language(), title, share=share), "cmp-score", title)
    with right:
        if "train_loss" in columns:
            title = t("Training loss")
            charts.show(_curve(run.id, "train_loss", str(against), language(), title, share=False), "cmp-loss", title)
    if (run.report or {}).get("pre_training"):
        pretrained_view.curve(store().runs.points(run.id))


@st.cache_data(max_entries=64, show_spinner=False)
def _curve_columns(run_id: str) -> list[str]:
    """The columns of a finished run's curves, cached since they never change."""
    points = store().runs.points(run_id)
    return [] if points.empty else list(points.columns)


@st.cache_resource(max_entries=64, show_spinner=False)
def _curve(run_id: str, column: str, against: str, spoken: str, title: str, share: bool = True) -> Any:
    """The figure of a finished run's curves, cached per language (``spoken``).

    One object is shared by all sessions: copying it on each rerun took longer than the rest of the curves.
    """
    return charts.curves(store().runs.points(run_id), column, against=against, title=title, share=share)


def gap(report: dict[str, Any]) -> None:
    """Over-fitting: the scores on training and validation data."""
    rows, share = [], score_units.share(report)
    for title, arm in ((t("Transfer"), "transfer"), (t("From scratch"), "twin")):
        arm_gap = (report.get("gap") or {}).get(arm)
        if arm_gap:
            rows.append(
                {
                    t("Arm"): title,
                    t("On training data"): score_text.value(arm_gap["train"], share),
                    t("On validation data"): score_text.value(arm_gap["validation"], share),
                    t("Gap"): score_text.signed_difference(arm_gap["gap"], share),
                }
            )
    if rows:
        st.table(rows, border="horizontal", hide_index=True)
        learn_link("over-fitting", t("What does the gap tell?"))


def classes(report: dict[str, Any]) -> None:
    """Scores per class; for single-label tasks also confusion matrices of both arms and most confused pairs."""
    if not report.get("confusion"):
        _per_class(report)
        return
    labels = report.get("labels") or []
    left, right = st.columns(2)
    with left:
        title = t("Transfer: truth in rows, prediction in columns")
        charts.show(charts.confusion(report["confusion"], labels, title=title), "confusion", title)
    with right:
        if report.get("confusion_baseline"):
            title = t("From scratch: truth in rows, prediction in columns")
            charts.show(charts.confusion(report["confusion_baseline"], labels, title=title), "confusion-twin", title)
    pairs = report.get("most_confused") or []
    if pairs:
        st.markdown("**" + t("Most confused") + "**")
        for pair in pairs[:5]:
            st.markdown(
                t(
                    "- {n} of “{truth}” taken for “{prediction}” ({share})",
                    n=pair["count"],
                    truth=plain(pair["truth"]),
                    prediction=plain(pair["prediction"]),
                    share=score(pair["share"]),
                )
            )
    box = st.expander(t("Each class"), icon=":material/category:", key="per-class", on_change="rerun")
    if box.open:
        with box:
            _per_class(report)


def _per_class(report: dict[str, Any]) -> None:
    import pandas as pd

    column = st.column_config
    rows = report.get("per_class") or []
    table = pd.DataFrame(rows)
    shares = {name: score for name in ("precision", "recall", "f1")}
    st.dataframe(
        table.style.format({**shares, "n": _count, "threshold": lambda p: number(p, 3)}, na_rep="–") if rows else table,
        placeholder="–",
        hide_index=True,
        alt=t("Scores of each class") if report.get("confusion") else t("Scores of each label"),
        column_config={
            "label": column.TextColumn(t("Class") if report.get("confusion") else t("Label")),
            "n": column.NumberColumn("n"),
            "precision": column.NumberColumn(t("Precision")),
            "recall": column.NumberColumn(t("Recall")),
            "f1": column.NumberColumn("F1"),
            "threshold": column.NumberColumn(t("Given from")),
        },
    )
    if stored := (report.get("sentences") or {}).get("thresholds"):
        st.caption(message(stored))


def downloads(run: Run) -> None:
    """Download buttons: the report as HTML and JSON, and all predictions on the test set."""
    folder = store().runs.folder(run.id)
    html = folder / f"report.{language()}.html"
    if not html.exists():
        html = folder / "report.html"
    with st.container(horizontal=True):
        for path, label, mime in (
            (html, t("Report (HTML)"), "text/html"),
            (folder / "report.json", t("Report (JSON)"), "application/json"),
            (folder / "predictions.csv", t("Every test prediction (CSV)"), "text/csv"),
        ):
            if path.exists():
                st.download_button(
                    label,
                    _reader(path),
                    f"{run.id}-{path.name}",
                    mime,
                    on_click="ignore",
                    icon=":material/download:",
                    key=f"download-{path.name}",
                )


def _reader(path: Path) -> Any:
    return path.read_bytes


def all_runs(project: Project) -> None:
    """A table of all runs of the project, and a comparison of the selected ones."""
    import pandas as pd

    pairs = runs_of(project.id)
    rows = [_row(run, job) for run, job in pairs]
    column = st.column_config
    table = pd.DataFrame(rows)
    event: Any = st.dataframe(
        _styled(table, [bool(run.report and not score_units.share(run.report)) for run, _ in pairs]) if rows else table,
        hide_index=True,
        placeholder="–",
        key="all-runs",
        on_select="rerun",
        selection_mode="multi-row",
        alt=t("All runs of this project"),
        column_config={
            "name": column.TextColumn(t("Run"), pinned=True),
            "state": column.TextColumn(t("State")),
            "verdict": column.TextColumn(t("Verdict")),
            "strategy": column.TextColumn(t("Strategy")),
            "source": column.TextColumn(t("Source")),
            "n_test": column.NumberColumn(t("n (test)")),
            "seeds": column.NumberColumn(t("Seeds")),
            "metric": column.TextColumn(t("Score")),
            "transfer": column.NumberColumn(t("Transfer")),
            "baseline": column.NumberColumn(t("From scratch")),
            "difference": column.NumberColumn(t("Difference in this score")),
            "against": column.TextColumn(t("Difference from")),
            "data": column.TextColumn(t("Data")),
            "created": column.TextColumn(t("Created")),
        },
    )
    chosen = [pairs[i][0] for i in event.selection.rows if i < len(pairs) and pairs[i][0].report]
    if len(chosen) < 2:
        st.caption(t("Tick two or more finished runs to see them side by side."))
        return
    if len({run.dataset for run in chosen}) > 1:
        st.warning(
            t("These runs used different data, so their scores are not comparable."),
            icon=":material/warning:",
        )
    names, reports = [f"{run.name} · {when(run.created)}" for run in chosen], [run.report or {} for run in chosen]
    title = t("Scores of the ticked runs with their 95 % intervals")
    charts.show(
        charts.intervals(names, reports, title=title, share=all(map(score_units.share, reports))), "ticked", title
    )
    several_runs_view.show(chosen, dict(zip((run.id for run in chosen), names, strict=True)))


def _styled(table: Any, plainly: list[bool]) -> Any:
    """The table with formatted numbers; ``plainly`` marks the rows whose scores are not shares."""
    import pandas as pd

    styled = table.style.format({"n_test": _count}, na_rep="–")
    for share in (True, False):
        rows = [place for place, plain_ in enumerate(plainly) if plain_ != share]
        for columns, shown in (
            (["transfer", "baseline"], score_text.value),
            (["difference"], score_text.signed_difference),
        ):
            styled = styled.format(
                functools.partial(shown, share=share), na_rep="–", subset=pd.IndexSlice[rows, columns]
            )
    return styled


def _row(run: Run, job: Any) -> dict[str, Any]:
    from tlcore.ui.job_view import state_word

    report = run.report or {}
    ended = job.state == SUCCEEDED
    return {
        "name": run.name,
        "state": state_word(job),
        "verdict": t(heading(report)) if ended else None,
        "metric": metric_title(report) if report else None,
        "transfer": (report.get("transfer") or {}).get("value"),
        "baseline": (report.get("baseline") or {}).get("value"),
        "difference": (report.get("difference") or {}).get("value"),
        "against": score_units.reference(report) if report.get("difference") else None,
        "strategy": _strategy(report.get("strategy") or run.spec.get("strategy")),
        "source": str(run.spec.get("source")).rpartition("/")[2],
        "n_test": report.get("n_test"),
        "seeds": run.spec.get("seeds"),
        "data": run.dataset,
        "created": when(run.created),
    }
