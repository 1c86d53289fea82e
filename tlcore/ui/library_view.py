"""The library of published models: search, download, use as a source, withdraw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import number, t
from tlcore.evaluation import score_text
from tlcore.ui.formatting import interval, plain, score, short, size, when
from tlcore.ui.state import change_draft, go, owner, store
from tlcore.ui.state import project as open_project
from tlcore.ui.verdict_view import VERDICTS

if TYPE_CHECKING:
    from tlcore.store.tables import Model

SHOWN = 40


def show() -> None:
    """All models, newest first."""
    models = store().models.all()
    if not models:
        st.info(
            t("Nothing has been published yet. Finish a run, then publish it on Share."),
            icon=":material/info:",
        )
        return
    wanted = ""
    if len(models) > 3:
        wanted = (
            st.text_input(
                t("Search"),
                type="search",
                key="library-search",
                live=True,
                placeholder=t("name, class, source"),
                width=420,
            )
            or ""
        )
    found = [model for model in models if wanted.lower() in _searchable(model)]
    if not found:
        st.caption(t("No model fits “{text}”.", text=plain(wanted)))
    with st.grid("auto", min_column_width=340):
        for model in found[:SHOWN]:
            with st.container(border=True, height="stretch"):
                _card(model)
    if len(found) > SHOWN:
        st.caption(t("{n} more; search to find them.", n=len(found) - SHOWN))


def _searchable(model: Model) -> str:
    about = model.about
    return " ".join([model.name, *map(str, about.get("labels") or []), str(about.get("source") or "")]).lower()


def _scored(task: str, about: dict[str, Any]) -> str:
    """A score with the name of its metric, for metrics other than accuracy."""
    from tlcore import tasks

    metric = next(
        (one for known in tasks.TASKS if known.id == task for one in known.metrics if one.id == about["metric"]), None
    )
    share = metric.share if metric else True
    return t(
        "{metric} {score} on {n} test examples ({interval})",
        metric=metric.title if metric else about["metric"],
        score=score_text.value(about["value"], share),
        n=about.get("n_test"),
        interval=score_text.span(about["interval"], share) if about.get("interval") else score_text.NOTHING,
    )


def _card(model: Model) -> None:
    from tlcore import tasks

    about = model.about
    known = {task.id: task.title for task in tasks.TASKS}
    st.markdown(f"**{plain(model.name)}**")
    with st.container(horizontal=True):
        if about.get("verdict"):
            word, icon, colour = VERDICTS.get(about["verdict"], VERDICTS[None])
            st.badge(t(word), icon=f":material/{icon}:", color=colour)  # type: ignore[arg-type]
        if model.owner == owner():
            st.badge(t("yours"), color="gray")
    lines = [t(known[model.task]) if model.task in known else plain(model.task)]
    if about.get("value") is not None:
        lines.append(
            t(
                "{score} right on {n} test examples ({interval})",
                score=score(about["value"]),
                n=about.get("n_test"),
                interval=interval(about.get("interval")),
            )
            if about.get("metric") in (None, "accuracy")
            else _scored(model.task, about)
        )
    if pre_training := about.get("pre_training"):
        lines.append(
            t(
                "A source model without a head, pre-trained on {name} ({n} examples)",
                name=plain(pre_training["set"]),
                n=number(pre_training["examples"]),
            )
        )
    labels = [plain(short(str(label), 24)) for label in about.get("labels") or []]
    if labels:
        more = t(" and {n} more", n=len(labels) - 8) if len(labels) > 8 else ""
        lines.append(t("Classes: {labels}", labels=", ".join(labels[:8])) + more)
    lines.append(
        t(
            "From {source}, licence {licence}",
            source=plain(about.get("source")),
            licence=plain(about.get("licence") or "–"),
        )
    )
    lines.append(t("Published {when}", when=when(model.created)))
    st.caption("  \n".join(lines))
    _actions(model)


def _actions(model: Model) -> None:
    path = store().models.bundle(model.id)
    with st.container(horizontal=True):
        if path.exists():
            st.download_button(
                t("Download ({size})", size=size(path.stat().st_size)),
                path.read_bytes,
                f"{model.name}.zip",
                "application/zip",
                on_click="ignore",
                icon=":material/download:",
                key=f"library-{model.id}",
            )
        project = open_project()
        if project and st.button(
            t("Transfer from it"),
            icon=":material/hub:",
            key=f"use-{model.id}",
            help=t("Use it as the source model of the open project."),
        ):
            change_draft(project, task=project.draft.get("task") or model.task, source=f"library/{model.id}")
            go("source")
        if model.owner == owner() and st.button(
            t("Remove"), icon=":material/delete:", type="tertiary", key=f"remove-{model.id}"
        ):
            st.dialog(t("Remove from the library?"))(_ask)(model.id, model.name)


def _ask(model_id: str, name: str) -> None:
    st.markdown(t("“{name}” will not be found any more. Copies that were downloaded stay.", name=plain(name)))
    with st.container(horizontal=True):
        if st.button(t("Remove"), type="primary", key="remove-yes"):
            store().models.remove(model_id, owner())
            st.rerun()
        if st.button(t("Keep it"), key="remove-no"):
            st.rerun()
