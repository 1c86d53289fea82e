"""Share: the bundle's decision thresholds, selected on validation data: for two classes by a goal, or one per label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from tlcore.core.i18n import number, t
from tlcore.evaluation import thresholds
from tlcore.ui.formatting import message, plain, score
from tlcore.ui.opened_bundles import opened

HALF = 0.5  # default if none was selected on validation data


def show(path: Path, report: dict[str, Any]) -> None:
    """The current thresholds and widgets to change them; nothing unless the task is binary or multi-label."""
    from tlcore.bundle.calibration import Decision, keep_decision

    curves = report.get("operating")
    chosen = (report.get("thresholds") or {}).get("labels", ())
    if any(row["threshold"] != HALF for row in chosen) and path.exists():
        _labels(path, report)
    if not curves or not path.exists():
        return
    kept = opened(path).calibration.decision
    with st.expander(t("Where to draw the line between the two classes"), icon=":material/tune:"):
        if kept:
            st.markdown(
                t(
                    "The bundle says “{label}” from a probability of {threshold} up.",
                    label=plain(kept.positive),
                    threshold=number(kept.threshold, 3),
                )
            )
        else:
            st.markdown(t("The bundle gives the likelier class."))
        positive = str(
            st.segmented_control(
                t("The class that is looked for"),
                list(curves),
                default=list(curves)[-1],
                required=True,
                key="decision-class",
                format_func=plain,
            )
        )
        goals = {
            "f1": t("best F1"),
            "recall": t("find at least this share of them"),
            "cost": t("a missed one costs this many false alarms"),
        }
        goal: Any = st.selectbox(t("Goal"), list(goals), format_func=goals.__getitem__, key="decision-goal", width=420)
        value = None
        if goal == "recall":
            value = st.slider(t("Share to find, in percent"), 50, 100, 90, key="decision-recall", width=420) / 100
        elif goal == "cost":
            value = st.number_input(t("False alarms"), 0.01, 1000.0, 5.0, key="decision-cost", width=220)
        point = thresholds.choose(curves[positive]["validation"], goal, value if value is not None else 0.0)
        if point is None:
            st.caption(t("No threshold reaches this goal on validation data."))
        else:
            _outcome(curves[positive], point)
        with st.container(horizontal=True):
            if (
                st.button(
                    t("Keep this threshold in the bundle"),
                    icon=":material/save:",
                    key="decision-keep",
                    disabled=point is None,
                )
                and point
            ):
                keep_decision(path, Decision(positive=positive, threshold=point["threshold"], goal=goal, value=value))
                st.rerun()
            if st.button(t("Give the likelier class"), icon=":material/undo:", key="decision-drop", disabled=not kept):
                keep_decision(path, None)
                st.rerun()


def _outcome(curves: dict[str, Any], chosen: dict[str, Any]) -> None:
    """The selected point on validation data, and the result of the same threshold on test data."""
    test = min(curves["test"], key=lambda p: abs(p["threshold"] - chosen["threshold"]))
    rows = [
        {
            t("At {threshold}", threshold=number(chosen["threshold"], 3)): name,
            t("Precision"): score(point["precision"]),
            t("Recall"): score(point["recall"]),
            "F1": score(point["f1"]),
            "n": number(point["tp"] + point["fp"] + point["fn"] + point["tn"]),
        }
        for name, point in ((t("Validation, where it was chosen"), chosen), (t("Test"), test))
    ]
    st.table(rows, border="horizontal", hide_index=True)


def _labels(path: Path, report: dict[str, Any]) -> None:
    """The thresholds of a multi-label model, with the option of 0.5 for all labels."""
    from tlcore.bundle.calibration import keep_thresholds

    thresholds = report["thresholds"]
    kept = opened(path).calibration.thresholds
    with st.expander(t("From which probability a label is given"), icon=":material/tune:"):
        st.markdown(message(report["sentences"]["thresholds"]))
        if kept is None:
            st.markdown(t("The bundle gives each label from one half up."))
        rows = [
            {
                t("Label"): plain(row["label"]),
                t("Chosen threshold"): number(row["threshold"], 3),
                t("Chosen for"): t("this label's F1") if row["own"] else t("micro-F1, shared"),
                t("Validation texts with it"): number(row["n"]),
                t("F1 there"): score(row["f1"]),
                t("F1 there with one half"): score(row["f1_half"]),
            }
            for row in thresholds["labels"]
        ]
        st.table(rows, border="horizontal", hide_index=True)
        with st.container(horizontal=True):
            if st.button(
                t("Keep these thresholds in the bundle"),
                icon=":material/save:",
                key="thresholds-keep",
                disabled=kept is not None,
            ):
                keep_thresholds(path, [row["threshold"] for row in thresholds["labels"]])
                st.rerun()
            if st.button(
                t("Give every label from one half up"),
                icon=":material/undo:",
                key="thresholds-drop",
                disabled=kept is None,
            ):
                keep_thresholds(path, None)
                st.rerun()
