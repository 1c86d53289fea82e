"""The advice: the suggested strategy and its reasons, expected scores, and a map of size and similarity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import number, t, translate
from tlcore.ui import charts
from tlcore.ui.formatting import duration, interval, message, plain, score
from tlcore.ui.state import change_draft, owner, source_of, store

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.guidance import Advice, Evidence
    from tlcore.store.tables import Project

# Okabe-Ito colours; each strategy also has a letter, so that colour is not the only signal.
COLOURS = {"feature-extraction": "#56b4e9", "linear-probe-then-fine-tune": "#e69f00", "fine-tuning": "#009e73"}
MAP_SIZES = [2 ** (step / 4) for step in range(8, 45)]  # examples per class: 4 to 2,048
MAP_STEPS = 41  # of similarity, 0 to 1


def show(project: Project, dataset: Dataset) -> Advice:
    """Show and return the advice for this dataset and the chosen source, from the evidence measured so far."""
    from tlcore import guidance

    source = source_of(project.draft)
    advice = guidance.kept_advice(store(), dataset, source, unlabelled(project), owner())
    with st.container(border=True):
        suggested = t("Advice: {strategy}", strategy=_title(advice.strategy))
        st.markdown(f":material/lightbulb: **{suggested}**")
        for reason in advice.reasons:
            st.markdown(f"- {message(reason)}")
        if advice.source:
            name = plain(_source_title(advice.source))
            if st.button(t("Use {source} instead", source=name), key="advised-source"):
                change_draft(project, source=advice.source)
                st.rerun()
        for name in advice.offers:
            _offer(project, name)
        if advice.choices:
            _choices(advice, project, dataset)
    if advice.choices:
        box = st.expander(t("The map of the advice"), icon=":material/map:", key="advice-map", on_change="rerun")
        if box.open:
            with box:
                _map(advice.evidence)
    return advice


def unlabelled(project: Project) -> str | None:
    """The fingerprint of the draft's unlabelled dataset, or None."""
    return (project.draft.get("data") or {}).get("unlabelled")


def _offer(project: Project, strategy: str) -> None:
    """Offer a strategy that learns from the unlabelled dataset; one click puts it into the draft."""
    if project.draft.get("strategy") == strategy:
        return
    if st.button(t("Choose {strategy}", strategy=_title(strategy)), key=f"advised-{strategy}", icon=":material/check:"):
        st.session_state[f"strategy-{project.id}"] = strategy  # the strategy picker of the page
        change_draft(project, strategy=strategy, strategy_options=None)
        st.rerun()


def _choices(advice: Advice, project: Project, dataset: Dataset) -> None:
    """The expected score and approximate duration of each strategy."""
    rows = []
    for one in advice.choices:
        seconds = _seconds(project, dataset, one.strategy)
        rows.append(
            {
                t("Strategy"): _title(one.strategy),
                t("Expected accuracy"): f"**{score(one.expected)}** ({interval(one.interval)})",
                t("About so long"): duration(seconds) if seconds else "–",
            }
        )
    st.table(rows, border="horizontal", hide_index=True)
    st.caption(
        t(
            "Expected on new examples; four times in five within the brackets. Times are rough, for all seeds and with "
            "the twin."
        )
    )


def _seconds(project: Project, dataset: Dataset, strategy: str) -> float | None:
    """A rough estimate for the complete run in seconds; None if the draft is not a valid Spec yet."""
    import os

    from tlcore import flow, models
    from tlcore.core.errors import StudioError
    from tlcore.training.workload import guess_seconds
    from tlcore.ui.state import draft_spec

    try:
        spec = draft_spec(project).with_strategy(strategy)
        plan = flow.preview(spec, dataset, models.find(spec.source, store()))
    except StudioError:
        return None
    return guess_seconds(plan, os.cpu_count() or 1)


def _map(evidence: Evidence) -> None:
    from tlcore.guidance import advice_rule

    here = advice_rule.Situation.of(evidence)
    if here is None:
        return
    title = t("The advised strategy by examples a class and similarity")
    charts.show(_drawn(here, evidence, title), "advice-map-picture", title)
    fitted = advice_rule.fitted(here.modality)
    st.caption(
        t(
            "The colours show what the rule advises where a linear head does as well as on your data. The small marks "
            "are the {cells} trainings on {sets} data sets of {kind} that the rule was fitted on, coloured by the "
            "strategy that did best there; a cross marks where training from scratch did better than all of them. "
            "The diamond is your project, with the 95 % interval of its similarity.",
            cells=fitted["cells"],
            sets=fitted["sets"],
            kind=translate(advice_rule.FITTED_ON[here.modality]),
        )
    )


def _drawn(here: Any, evidence: Evidence, title: str) -> Any:
    import plotly.graph_objects as go

    from tlcore.guidance import advice_rule

    names = list(COLOURS)
    grid = [step / (MAP_STEPS - 1) for step in range(MAP_STEPS)]
    advised = advice_rule.regions(here, MAP_SIZES, grid)
    last = len(names) - 1
    shades = [[(i + end) / len(names), colour] for i, colour in enumerate(COLOURS.values()) for end in (0, 1)]
    figure = go.Figure(
        go.Heatmap(
            x=MAP_SIZES,
            y=grid,
            z=[[names.index(name) for name in row] for row in advised],
            zmin=-0.5,
            zmax=last + 0.5,
            colorscale=shades,
            opacity=0.35,
            showscale=False,
            text=[[_title(name) for name in row] for row in advised],
            hovertemplate="%{text}<extra></extra>",
        )
    )
    points = advice_rule.fitted(here.modality)["points"]
    for name in names:
        for with_scratch in (False, True):
            these = [p for p in points if p["best"] == name and p["scratch_better"] == with_scratch]
            if these:
                figure.add_scatter(
                    x=[p["per_class"] for p in these],
                    y=[p["similarity"] for p in these],
                    mode="markers",
                    name=t("{strategy}; scratch better", strategy=_title(name)) if with_scratch else _title(name),
                    marker={
                        "color": COLOURS[name],
                        "size": 8,
                        "symbol": "x" if with_scratch else "circle",
                        "line": {"width": 1, "color": "#444"},
                    },
                    hoverinfo="name",
                )
    if here.similarity is not None and evidence.similarity is not None:
        low, high = evidence.similarity_interval or (evidence.similarity, evidence.similarity)
        figure.add_scatter(
            x=[here.per_class],
            y=[evidence.similarity],
            mode="markers",
            name=t("Your project"),
            marker={"color": "#cc79a7", "size": 16, "symbol": "diamond", "line": {"width": 2, "color": "#222"}},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [high - evidence.similarity],
                "arrayminus": [evidence.similarity - low],
                "color": "#222",
            },
            hovertemplate=f"{number(here.per_class, 0)} · {number(evidence.similarity, 2)}<extra></extra>",
        )
    figure.update_layout(
        height=420,
        margin={"l": 8, "r": 8, "t": 30, "b": 8},
        title={"text": title, "font_size": 14},
        xaxis={"type": "log", "title": t("Training examples a class"), "tickvals": [4, 16, 64, 256, 1024]},
        yaxis={"title": t("Similarity to the source's data"), "range": [0, 1]},
        legend={"orientation": "h", "y": -0.25},
    )
    return figure


def _title(strategy: str) -> str:
    from tlcore.strategies import find

    return t(find(strategy).title)


def _source_title(ref: str) -> str:
    from tlcore import models

    return models.find(ref, store()).title
