"""Strategy: choice of a strategy, options, preview of the Plan, and the Spec as text."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.errors import StudioError
from tlcore.core.i18n import number, t, translate
from tlcore.core.spec_parts import Budget, Data, Options
from tlcore.spec import Spec
from tlcore.tasks import find as find_task
from tlcore.ui.formatting import duration, message, plain
from tlcore.ui.state import SAMPLE, change_draft, draft_spec, go, owner, source_of, store

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.store.tables import Project
    from tlcore.tasks.contract import Task

AUGMENTATIONS = ("auto", "standard", "no-flip", "none")


def _title(strategy: str) -> str:
    from tlcore.strategies import find

    return t("As the studio advises") if strategy == "auto" else t(find(strategy).title)


def choose(project: Project, advised: str | None) -> str:
    """The strategy picker: one card per strategy with its description, when it helps and when it hurts."""
    from tlcore.strategies import STRATEGIES
    from tlcore.strategies.contract import unsuited

    chosen = str(project.draft.get("strategy") or "auto")
    task = find_task(str(project.draft.get("task")))
    data = Data.model_validate(project.draft["data"]) if (project.draft.get("data") or {}).get("dataset") else None
    source = _opened_source(project)
    refused = {  # missing inputs are requested after a strategy is chosen
        one.id: one.refuse(task, data) or (unsuited(one, source) if source else None) for one in STRATEGIES
    }
    names = ["auto", *(name for name, reason in refused.items() if reason is None)]
    if chosen not in names:
        chosen = "auto"

    titles = {name: _title(name) for name in names}
    if advised:
        titles["auto"] = t("As the studio advises ({strategy})", strategy=_title(advised))
    picked = st.pills(
        t("Strategy"),
        names,
        default=chosen,
        required=True,
        format_func=titles.__getitem__,
        key=f"strategy-{project.id}",
    )
    if picked and picked != chosen:
        change_draft(project, strategy=picked, strategy_options=None)
        chosen = str(picked)
    effective = advised if chosen == "auto" else chosen
    with st.grid("auto", min_column_width=230):
        for strategy in STRATEGIES:
            with st.container(border=True, height="stretch"):
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown(f"**{t(strategy.title)}**", width="content")
                    if strategy.id == effective:
                        st.badge(t("chosen"), icon=":material/check:", color="green")
                st.caption(t(strategy.what))
                if reason := refused[strategy.id]:
                    st.caption(":material/block: " + message(reason))
                    continue  # "when it helps" is shown only for tasks that can use it
                st.markdown(f":material/thumb_up: {t(strategy.helps)}")
                st.markdown(f":material/thumb_down: {t(strategy.hurts)}")
                st.caption(plain(strategy.paper))
    return chosen


def _opened_source(project: Project) -> Any:
    """The draft's source model; None if it cannot be found."""
    from tlcore.models import known

    try:
        return known(source_of(project.draft), store())
    except StudioError:
        return None


def sample_note(project: Project) -> None:
    """A note on settings that a sample reduces to finish quickly, shown where they can be changed."""
    from tlcore.data.samples import SAMPLES

    sample = next((one for one in SAMPLES if one.id == project.draft.get(SAMPLE)), None)
    epochs = sample.spec.get("budget", {}).get("epochs") if sample else None
    if sample and epochs:
        st.caption(
            ":material/timer: "
            + t(
                "The sample “{name}” is cut short: at most {epochs} epochs, so that it ends in a few minutes on "
                "two processor cores. For data of your own, empty these fields.",
                name=plain(t(sample.title)),
                epochs=epochs,
            )
        )


def options(project: Project) -> None:
    """Budget, seeds and settings; an empty field means automatic. Stored in the draft immediately."""
    draft, key = project.draft, project.id
    task = find_task(str(draft.get("task")))
    had = {**(draft.get("options") or {})}
    budget = {**(draft.get("budget") or {})}
    spec, opts, bud = Spec.model_fields, Options.model_fields, Budget.model_fields
    auto = t("auto")

    def none_if_auto(value: Any) -> Any:
        return None if value in (None, "auto") else value

    with st.grid("auto", min_column_width=220):
        name = st.text_input(
            t("Name of the run"),
            draft.get("name") or project.name[:120],
            max_chars=120,
            key=f"o-name-{key}",
            help=_help(spec["name"]),
        )
        seeds = st.number_input(
            t("Seeds"), 1, 20, int(draft.get("seeds") or 3), key=f"o-seeds-{key}", help=_help(spec["seeds"])
        )
        epochs = st.number_input(
            t("Epochs at most"),
            1,
            1000,
            none_if_auto(budget.get("epochs")),
            placeholder=auto,
            key=f"o-epochs-{key}",
            help=_help(bud["epochs"]),
        )
        minutes = st.number_input(
            t("Minutes at most, each arm"),
            0.1,
            10_000.0,
            none_if_auto(budget.get("minutes")),
            placeholder=t("no limit"),
            key=f"o-minutes-{key}",
            help=_help(bud["minutes"]),
        )
        own = _own_options(task, had, key)
        batch = st.number_input(
            t("Batch size"),
            1,
            4096,
            none_if_auto(had.get("batch_size")),
            placeholder=auto,
            key=f"o-batch-{key}",
            help=_help(opts["batch_size"]),
        )
        rate = st.number_input(
            t("Learning rate"),
            1e-7,
            10.0,
            none_if_auto(had.get("learning_rate")),
            step=1e-4,
            format="%.2e",
            placeholder=auto,
            key=f"o-rate-{key}",
            help=_help(opts["learning_rate"]),
        )
        with_scratch = st.toggle(
            t("Train the from-scratch twin"),
            draft.get("baseline", "scratch") == "scratch",
            key=f"o-twin-{key}",
            help=_help(spec["baseline"]),
        )
        longer = st.number_input(
            t("Twin's budget, times the ordinary"),
            1.0,
            10.0,
            float(budget.get("baseline") or budget.get("twin") or 1.0),
            step=0.5,
            key=f"o-longer-{key}",
            help=_help(bud["baseline"]),
            disabled=not with_scratch,
        )
    if seeds == 1:
        st.caption(t("One seed gives scores, but no verdict on the recipe: chance alone can make a difference."))
    if not with_scratch:
        st.caption(t("Without the twin the report cannot say whether transfer helped."))
    chosen = {
        "name": name.strip() or project.name[:120],
        "seeds": int(seeds),
        "baseline": "scratch" if with_scratch else "none",
        "budget": {"epochs": epochs or "auto", "minutes": minutes, "baseline": longer},
        "options": {
            **own,
            "batch_size": batch or "auto",
            "learning_rate": rate or "auto",
        },
    }
    if any(draft.get(field) != value for field, value in chosen.items()):
        change_draft(project, **chosen)
        project.draft = {**draft, **chosen}


def _own_options(task: Task, had: dict[str, Any], key: str) -> dict[str, Any]:
    """The task-specific options."""
    opts, auto = Options.model_fields, t("auto")
    numbers = {
        "image_size": (t("Picture size"), 16, 1024, 16),
        "max_length": (t("Tokens of a text at most"), 8, 512, 8),
    }
    chosen: dict[str, Any] = {}
    for name, (title, low, high, step) in numbers.items():
        if name in task.options:
            value = had.get(name)
            chosen[name] = (
                st.number_input(
                    title,
                    low,
                    high,
                    None if value in (None, "auto") else value,
                    step=step,
                    placeholder=auto,
                    key=f"o-{name.partition('_')[0]}-{key}",
                    help=_help(opts[name]),
                )
                or "auto"
            )
    languages = {"source_language": t("Language of the sources"), "target_language": t("Language of the targets")}
    for name, title in languages.items():
        if name in task.options:
            value = had.get(name)
            chosen[name] = (
                st.text_input(
                    title,
                    "" if value in (None, "auto") else value,
                    placeholder=auto,
                    max_chars=40,
                    key=f"o-{name.partition('_')[0]}-{key}",
                    help=_help(opts[name]),
                ).strip()
                or "auto"
            )
    if "augmentation" in task.options:
        titles = {"auto": auto, "standard": t("standard"), "no-flip": t("no mirroring"), "none": t("none")}
        chosen["augmentation"] = st.selectbox(
            t("Augmentation"),
            AUGMENTATIONS,
            key=f"o-augment-{key}",
            format_func=titles.__getitem__,
            index=AUGMENTATIONS.index(had.get("augmentation", "auto")),
            help=_help(opts["augmentation"]),
        )
    return chosen


def _help(field: Any) -> str | None:
    return t(field.description) if field.description else None


def plan(spec: Spec, dataset: Dataset) -> bool:
    """Preview the Plan; returns whether it can run."""
    from tlcore.data.auxiliary import opened
    from tlcore.evaluation.statistics import foreseen
    from tlcore.flow import preview
    from tlcore.guidance import kept_advice
    from tlcore.strategies.phase_text import phases_in_words
    from tlcore.training.workload import guess_seconds

    try:
        sets = opened(spec.data, store(), owner())
        advice = lambda: kept_advice(store(), dataset, spec.source, spec.data.unlabelled, owner())  # noqa: E731
        plan_json = preview(spec, dataset, _source(spec), advice, sets)
    except StudioError as error:
        st.warning(message(error.sentence), icon=":material/warning:")
        return False
    task = find_task(spec.task)
    titles = {"transfer": t("Transfer"), "plainer": t("Ablation"), "twin": t("From-scratch twin")}
    for name, arm in plan_json["arms"].items():
        st.markdown(f"**{titles[name]}**" + (f": {translate(arm['title'])}" if "title" in arm else ""))
        rows = [_phase(place, phase) for place, phase in enumerate(phases_in_words(arm), 1)]
        st.table(rows, border="horizontal", hide_index=True)
    st.caption(
        t(
            "{seen}, batches of {batch}, {seeds} seeds. At most about {time} on this machine; "
            "training stops early where the validation score no longer rises.",
            seen=task.describe_input(plan_json["processor"]),
            batch=plan_json["batch_size"],
            seeds=spec.seeds,
            time=duration(guess_seconds(plan_json, os.cpu_count() or 1)),
        )
    )
    for note in task.notes(plan_json["processor"]):
        st.caption(":material/content_cut: " + message(note))
    for note in plan_json["notes"]:
        st.caption(":material/info: " + message(note))
    n_test = dataset.info.n.get("test", 0)
    # The foreseen difference is of accuracy.
    if "twin" in plan_json["arms"] and spec.seeds > 1 and n_test and task.labelled:
        st.caption(":material/visibility: " + message(foreseen(n_test, spec.seeds)))
    return True


def _phase(place: int, phase: dict[str, Any]) -> dict[str, str]:
    slower = phase["layer_decay"] < 1
    trained = [t(phase["trained"]), *map(t, phase["hooks"])]
    rates = ", ".join(f"{rate:.0e}" for rate in phase["rates"])
    return {
        t("Phase"): f"{place}. {t(phase['title'])}",
        t("Frozen"): t(phase["frozen"]),
        t("Trained"): " + ".join(trained),
        t("Learning rates"): (t("{rates}, lower layers slower", rates=rates) if slower else rates) or "–",
        t("Epochs at most"): number(phase["epochs"]) if phase["epochs"] else "–",
    }


def _source(spec: Spec) -> Any:
    from tlcore.models import known

    return known(spec.source, store())


def as_text(spec: Spec) -> None:
    """The Spec as YAML, and the equivalent command line."""
    text = spec.to_yaml()
    st.code(text, language="yaml")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            t("Download the spec"),
            text,
            "spec.yaml",
            "application/yaml",
            on_click="ignore",
            icon=":material/download:",
            key="spec-yaml",
        )
    st.caption(t("The same run without a browser:"))
    st.code(f"tlcore run spec.yaml --workspace {store().home}", language="bash")


def start(project: Project, ready: bool) -> None:
    """The start button: queues the run and opens Train."""
    icon = ":material/play_arrow:"
    if st.button(t("Start the run"), type="primary", icon=icon, key="start-run", disabled=not ready):
        try:
            spec = draft_spec(project)
        except StudioError as error:
            st.error(message(error.sentence), icon=":material/error:")
            return
        run = store().runs.create(spec, owner(), project.id)
        go("train", run=run.id)
