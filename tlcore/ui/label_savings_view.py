"""Label savings of a finished run: start, progress and results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.errors import StudioError
from tlcore.core.i18n import number, t
from tlcore.evaluation import time_to_score
from tlcore.evaluation.label_savings import about
from tlcore.execution.job_kinds import label_savings
from tlcore.report import energy
from tlcore.store.tables import CANCELLED, FAILED
from tlcore.ui import charts, job_view
from tlcore.ui.formatting import duration, interval, message, score
from tlcore.ui.links import learn_link
from tlcore.ui.state import owner, store

if TYPE_CHECKING:
    from tlcore.evaluation.records import Metric
    from tlcore.store.tables import Job, Run

KIND = "label-savings"


def show(run: Run, report: dict[str, Any]) -> None:
    """The state of the label savings (not measured, running, failed, measured), and time and energy of each arm."""
    savings = report.get("label_savings")
    job = store().jobs.newest(KIND, {"run": run.id})
    if job is not None and job_view.live(job):
        job_view.watch(job, t("Cancel"), key="savings-cancel")
    elif savings:
        _measured(report, savings)
    else:
        if job is not None and job.state == FAILED:
            job_view.failure(job)
            job_view.show_log(store().jobs.folder(job.id), key="savings-log")
        elif job is not None and job.state == CANCELLED:
            st.info(t("Measuring was cancelled. What was trained is kept, and it can go on."), icon=":material/cancel:")
        _offer(run, report, job)
    learn_link("label-savings", t("What are label savings?"))
    _costs(run, report)


def _offer(run: Run, report: dict[str, Any], job: Job | None) -> None:
    """The description, the estimated duration, and the start button."""
    try:
        label_savings.usable(run)
        sizes = label_savings.planned_sizes(report)
    except StudioError as error:
        st.info(message(error.sentence), icon=":material/info:")
        return
    seeds = min(label_savings.SEEDS, report["seeds"])
    st.markdown(
        t(
            "How many labels is transfer worth? Both arms are trained again on parts of your training data, with "
            "{sizes} labels and {seeds} seeds each, and compared on the same test examples.",
            sizes=[number(n) for n in sizes[:-1]],
            seeds=seeds,
        )
    )
    guess = label_savings.guess_seconds(report, sizes)
    st.caption(
        t(
            "About {time}, by how long the run's own trainings took. It can be stopped, and goes on later.",
            time=duration(guess),
        )
    )
    again = job is not None and job.state in (FAILED, CANCELLED)
    label = t("Go on measuring") if again else t("Measure the label savings")
    if st.button(label, type="primary", icon=":material/timeline:", key="savings-go"):
        if again and job is not None:
            store().jobs.requeue(job.id)
        else:
            store().jobs.submit(KIND, owner(), {"run": run.id}, lane="train", project_id=run.project_id)
        st.rerun()


def _measured(report: dict[str, Any], savings: dict[str, Any]) -> None:
    metric = _metric(report)
    words = savings["sentences"]
    with st.container(border=True):
        st.markdown("**" + message(words["equal"]) + "**")
        if words.get("seen"):
            st.markdown(message(words["seen"]))
        if words.get("caution"):
            st.warning(message(words["caution"]), icon=":material/warning:")
    title = t("Test score by number of labels")
    charts.show(figure(savings, title, share=metric.share), "label-savings", title)
    st.caption(
        t(
            "Points: measured, with 95 % intervals. Lines: fitted power laws with 95 % bands; right of the dotted line "
            "they are continued beyond what was measured."
        )
    )
    st.table(
        [_row(savings, place, metric) for place in range(len(savings["sizes"]))], border="horizontal", hide_index=True
    )
    st.caption(message(words["how"]))


def _metric(report: dict[str, Any]) -> Metric:
    from tlcore import tasks

    return next(one for one in tasks.find(report["task"]).metrics if one.id == report["metric"])


def _row(savings: dict[str, Any], place: int, metric: Metric) -> dict[str, str]:
    one = savings["sizes"][place]
    arms = [savings["arms"][name]["points"][place] for name in ("transfer", "twin")]
    scores = [f"{score(arm['value'], metric.share)} ({interval(arm['interval'], metric.share)})" for arm in arms]
    readings = {
        "below": t("at most this"),
        "measured": t("measured"),
        "extrapolated": t("extrapolated"),
        "beyond": t("beyond what can be told"),
    }
    needed = t("more than {n}", n=savings["limit"]) if one["needed"] is None else number(about(one["needed"]), 0)
    return {
        t("Labels"): number(one["labels"], 0),
        t("Transfer"): scores[0],
        t("From scratch"): scores[1],
        t("Labels from scratch needs for transfer's score"): f"**{needed}** ({_ends(savings, one)})",
        t("How it is known"): readings[one["reading"]],
    }


def _ends(savings: dict[str, Any], one: dict[str, Any]) -> str:
    low, high = one["interval"]
    end = t("more than {n}", n=savings["limit"]) if high is None else number(about(high), 0)
    return t("{low} to {high}", low=number(about(low), 0), high=end)


def figure(savings: dict[str, Any], title: str, *, share: bool) -> Any:
    """Points, power laws and bands of both arms over a log axis; the savings are an arrow at equal score."""
    import plotly.graph_objects as go

    drawn = go.Figure()
    for name in savings["arms"]:
        arm, colour, dash = charts.ARMS[name]
        curve, points = savings["arms"][name]["curve"], savings["arms"][name]["points"]
        drawn.add_scatter(
            x=curve["labels"] + curve["labels"][::-1],
            y=curve["high"] + curve["low"][::-1],
            fill="toself",
            mode="lines",
            line={"width": 0},
            fillcolor=colour,
            opacity=0.15,
            hoverinfo="skip",
            showlegend=False,
        )
        drawn.add_scatter(
            x=curve["labels"],
            y=curve["value"],
            mode="lines",
            name=t(arm),
            line={"color": colour, "dash": dash, "width": 2},
        )
        drawn.add_scatter(
            x=[p["labels"] for p in points],
            y=[p["value"] for p in points],
            mode="markers",
            showlegend=False,
            name=t("{arm}, measured", arm=arm),
            marker={"color": colour, "size": 10, "symbol": "circle" if name == "transfer" else "diamond-open"},
            error_y={
                "type": "data",
                "symmetric": False,
                "color": colour,
                "array": [p["interval"][1] - p["value"] for p in points],
                "arrayminus": [p["value"] - p["interval"][0] for p in points],
            },
        )
    equal = savings["equal"]
    level = savings["arms"]["transfer"]["points"][-1]["value"]
    end = equal["needed"] or savings["limit"]
    drawn.add_vline(x=equal["labels"], line={"dash": "dot", "width": 1, "color": "gray"})
    drawn.add_annotation(
        x=math.log10(end),
        y=level,
        ax=math.log10(equal["labels"]),
        ay=level,
        xref="x",
        yref="y",
        axref="x",
        ayref="y",
        showarrow=True,
        arrowhead=2,
        arrowwidth=2,
        arrowcolor="gray",
        text="",
    )
    words = t("more than {n}", n=savings["limit"]) if equal["needed"] is None else number(about(equal["needed"]), 0)
    drawn.add_annotation(x=math.log10(end), y=level, text=words, showarrow=False, yshift=14, xanchor="right")
    ticks = [*(p["labels"] for p in savings["arms"]["twin"]["points"]), savings["limit"]]
    drawn.update_layout(
        height=380,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        title={"text": title, "font_size": 14},
        xaxis={
            "type": "log",
            "title": t("labelled training examples"),
            "tickvals": ticks,
            "ticktext": [number(n, 0) for n in ticks],
        },
        yaxis={"title": t("test score"), **({"tickformat": ".0%"} if share else {})},
        legend={"orientation": "h", "y": -0.25, "yanchor": "top"},
    )
    return drawn


def _costs(run: Run, report: dict[str, Any]) -> None:
    """Seconds until a score is reached, energy and cost, with editable assumptions."""
    metric = _metric(report)
    common = time_to_score.best_common(report, metric)
    if common is None or not metric.share:
        return
    st.markdown("**" + t("Time and energy to a score") + "**")
    device = str((run.plan or {}).get("device") or "cpu")
    watts = ((report.get("label_savings") or {}).get("watts")) or {}
    with st.container(horizontal=True):
        wanted = st.number_input(
            t("Validation score, %"), 0.0, 100.0, round(100 * common, 1), 0.5, key=f"tts-score-{run.id}", width=220
        )
        power_draw = st.number_input(
            t("Power of the machine, watts"),
            1.0,
            100_000.0,
            float(watts.get("value") or energy.WATTS[device]),
            key=f"tts-watts-{run.id}",
            width=220,
        )
        price = st.number_input(
            t("Price of a kWh"), 0.0, 1000.0, energy.PRICE, 0.01, key=f"tts-price-{run.id}", width=220
        )
    found = time_to_score.reached(store().runs.points(run.id), report, metric, wanted / 100)
    titles = {"transfer": t("Transfer"), "twin": t("From scratch")}
    st.table(
        [_cost_row(titles[arm], one, power_draw, price) for arm, one in found.items()],
        border="horizontal",
        hide_index=True,
    )
    how = {
        "nvml": t("read from the GPU (NVML) while the label savings were measured"),
        "rapl": t("read from the processor (RAPL) while the label savings were measured"),
    }
    source = how.get(str(watts.get("how"))) or t("an assumption: this machine does not tell its power")
    st.caption(
        t(
            "Score on validation data, mean seconds of one training over the seeds that reached it; the search of "
            "settings is counted once, in the energy. The power is {source}; the price is an assumption. Change both "
            "to what is true of yours.",
            source=source,
        )
    )


def _cost_row(title: str, one: dict[str, Any], watts: float, price: float) -> dict[str, str]:
    if one["seconds"] is None:
        time, used, cost = t("not reached"), "–", "–"
    else:
        spent = energy.energy(one["seconds"] + one["seconds_search"], watts, price)
        time, used, cost = duration(one["seconds"]), number(1000 * spent["kwh"], 2), number(spent["cost"], 5)
    return {
        t("Arm"): title,
        t("Seconds to the score"): time,
        t("Seeds that reached it"): t("{n} of {all}", n=one["seeds"], all=one["of"]),
        t("Search of settings"): duration(one["seconds_search"]),
        t("Energy, Wh"): used,
        t("Cost"): cost,
    }
