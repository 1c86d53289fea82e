"""The task, and the source model: cards, the catalogue with its filters, a model of one's own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore import tasks
from tlcore.core.errors import StudioError
from tlcore.core.i18n import Sentence, sentence, t
from tlcore.ui import large_uploads
from tlcore.ui.formatting import message, plain, size
from tlcore.ui.state import change_draft, default_source, owner, store
from tlcore.ui.upload_view import keep, limit_help, release, server_path

if TYPE_CHECKING:
    from tlcore.models import Availability
    from tlcore.models.source_model import SourceModel
    from tlcore.store.tables import Project

DOMAINS: dict[str, Sentence] = {
    "natural": sentence("everyday photos"),
    "medical": sentence("medical"),
    "satellite": sentence("satellite"),
    "text": sentence("texts"),
    "own": sentence("own models"),
}
SIZES: dict[str, tuple[Sentence, float, float]] = {
    "small": (sentence("up to 10 million parameters"), 0, 10e6),
    "medium": (sentence("10 to 50 million"), 10e6, 50e6),
    "large": (sentence("over 50 million"), 50e6, float("inf")),
}


TOKENS = sentence("at most {n} tokens of a text")
INPUTS: dict[str, Sentence] = {"image": sentence("{n} pixels"), "text": TOKENS, "seq2seq": TOKENS, "causal": TOKENS}


def _languages(model: SourceModel) -> str:
    """The languages that a text model knows; nothing for others."""
    return ", ".join(t("many languages") if code == "many" else code for code in model.languages)


def choose_task(project: Project) -> str | None:
    """Cards of the tasks there are; gives back the chosen one."""
    from tlcore.tasks import TASKS

    chosen = project.draft.get("task")
    if chosen is None and len(TASKS) == 1:  # nothing to choose between
        change_draft(project, task=TASKS[0].id)
        chosen = TASKS[0].id
    with st.grid("auto", min_column_width=300):
        for task in TASKS:
            with st.container(border=True, height="stretch"):
                st.markdown(f"{task.icon} **{t(task.title)}**")
                st.caption(t(task.what))
                if task.id == chosen:
                    st.badge(t("chosen"), icon=":material/check:", color="green")
                elif st.button(t("Choose"), key=f"task-{task.id}"):
                    change_draft(project, task=task.id, source=None, data=None, options=None, corrections=None)
                    st.rerun()
    return chosen


def choose_source(project: Project, task: str) -> None:
    """The catalogue: what is chosen, the filters, and one row for each model."""
    from tlcore.models import availability, sources_for

    models = sources_for(tasks.find(task).source_families, store(), owner())
    reach = hub_answers()
    places = {model.id: availability(model, store(), reach) for model in models}
    chosen = project.draft.get("source")
    if chosen is None:  # a start that works on any machine; another is one click away
        chosen = default_source(task)
        change_draft(project, source=chosen)
    _chosen(project, models, places, chosen)
    if reach is None:
        find_out_about_hub()
    elif not reach:
        st.info(
            t(
                "The hub cannot be reached from here, so models that would be downloaded cannot be used now. "
                "Bundled models and those on this machine work."
            ),
            icon=":material/cloud_off:",
        )
    found = _filtered(models, places)
    if not found:
        st.caption(t("No model fits these filters."))
        return
    st.caption(t("{n} of {all} models. Click a row to choose it.", n=len(found), all=len(models)))
    picked = _table(found, places, chosen)
    if picked is not None and picked.id != chosen:
        if not _usable(places[picked.id]):
            st.warning(t("{title} is not reachable from here.", title=plain(picked.title)))
        else:
            change_draft(project, source=picked.id)
            st.rerun()


def _usable(place: Availability) -> bool:
    return place != "not reachable"


def hub_answers() -> bool | None:
    """Whether the hub answers, as far as is known; asking goes on beside the page, which never waits."""
    from tlcore.models import hub

    known = hub.remembered()
    if known is None:
        threading.Thread(target=hub.reachable, daemon=True).start()
    return known


def find_out_about_hub() -> None:
    """Look again until it is known whether the hub answers."""

    @st.fragment(run_every=0.7)
    def look() -> None:
        from tlcore.models import hub

        if hub.remembered() is not None:
            st.rerun()
        st.caption(t("Finding out whether the hub of source models can be reached …"))

    look()


def _chosen(project: Project, models: list[SourceModel], places: dict[str, Availability], chosen: str) -> None:
    model = next((one for one in models if one.id == chosen), None)
    if model is None:
        st.markdown(t("Chosen: **{source}**", source=plain(chosen)))
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/check_circle: **{plain(model.title)}**", width="content")
            st.badge(t(places[model.id].title), color="green" if _usable(places[model.id]) else "gray")
        st.markdown(f"{message(model.source_task)} · {message(model.source_data)}")
        facts = [
            t("{n} million parameters", n=round(model.parameters / 1e6, 1)) if model.parameters else "",
            size(model.megabytes * 1e6) if model.megabytes else "",
            t(INPUTS[model.modality], n=model.input_size) if model.input_size else "",
            _languages(model),
            t("licence {licence}", licence=plain(model.licence)),
        ]
        st.caption(" · ".join(fact for fact in facts if fact))
        if model.note:
            st.caption(message(model.note))
        # Those listed are this person's own; what others uploaded is not in the catalogue.
        if model.id.startswith("uploaded/") and st.button(t("Remove"), icon=":material/delete:", key="source-remove"):
            st.dialog(t("Remove this model?"))(_remove)(project, model)


def _remove(project: Project, model: SourceModel) -> None:
    st.markdown(t("“{name}” is taken off this server.", name=plain(model.title)))
    st.caption(
        t("Runs that began from it and their results stay, but none can begin from it, or go on from it, again.")
    )
    if used := _in_use(model.id):
        st.warning(t("Work that is not finished needs it; wait for it, or stop it first."), icon=":material/warning:")
    with st.container(horizontal=True):
        go = st.button(
            t("Remove"),
            type="primary",
            icon=":material/delete:",
            key="source-remove-go",
            disabled=used,
            on_click=_take_off,
            args=(project, model.id),
        )
        if st.button(t("Keep it"), key="source-remove-no") or go:
            st.rerun()


def _take_off(project: Project, ref: str) -> None:
    from tlcore.models import uploads

    uploads.remove(ref.partition("/")[2], store(), owner())
    change_draft(project, source=None)
    st.session_state.pop("source-table", None)  # the row that was selected is another model's now


def _in_use(ref: str) -> bool:
    """Whether anything that waits or runs names this source, itself or by its run."""
    for job in store().jobs.queue():
        run = store().runs.get(str(job.input.get("run") or job.id))
        if ref in (job.input.get("source"), run and run.spec.get("source")):
            return True
    return False


def _filtered(models: list[SourceModel], places: dict[str, Availability]) -> list[SourceModel]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            t("Search"),
            type="search",
            key="source-search",
            width=260,
            placeholder=t("name, data, architecture"),
        )
        domains = [name for name in DOMAINS if any(model.domain == name for model in models)]
        domain = st.multiselect(
            t("Domain"),
            domains,
            key="source-domain",
            placeholder=t("any"),
            width=200,
            format_func={name: t(title) for name, title in DOMAINS.items()}.__getitem__,
        )
        sizes = st.multiselect(
            t("Size"),
            list(SIZES),
            key="source-size",
            placeholder=t("any"),
            width=200,
            format_func={name: t(size[0]) for name, size in SIZES.items()}.__getitem__,
        )
        licence = st.multiselect(
            t("Licence"),
            sorted({model.licence for model in models}),
            key="source-licence",
            placeholder=t("any"),
            width=200,
        )
        usable = st.toggle(t("Usable now"), key="source-usable", value=False)
    return [
        model
        for model in models
        if (not text or text.lower() in _searchable(model))
        and (not domain or model.domain in domain)
        and (not sizes or any(SIZES[s][1] <= (model.parameters or 0) < SIZES[s][2] for s in sizes))
        and (not licence or model.licence in licence)
        and (not usable or _usable(places[model.id]))
    ]


def _searchable(model: SourceModel) -> str:
    parts = [
        model.id,
        model.title,
        model.provider,
        model.architecture,
        t(model.source_data),
        t(model.source_task),
        _languages(model),
    ]
    return " ".join(parts).lower()


def _table(found: list[SourceModel], places: dict[str, Availability], chosen: str | None) -> SourceModel | None:
    import pandas as pd

    table = pd.DataFrame(
        {
            "chosen": ["✓" if model.id == chosen else "" for model in found],
            "title": [model.title for model in found],
            "place": [t(places[model.id].title) for model in found],
            "parameters": [model.parameters / 1e6 if model.parameters else None for model in found],
            "megabytes": [model.megabytes for model in found],
            "data": [t(model.source_data) for model in found],
            "task": [t(model.source_task) for model in found],
            "size": [model.input_size for model in found],
            "languages": [_languages(model) for model in found],
            "licence": [model.licence for model in found],
            "provider": [model.provider for model in found],
        }
    )
    if not any(model.languages for model in found):
        table = table.drop(columns="languages")
    column = st.column_config
    event: Any = st.dataframe(
        table,
        key="source-table",
        placeholder="–",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        height=min(560, 38 + 35 * len(found)),
        alt=t("Source models"),
        column_config={
            "chosen": column.TextColumn("", width=30, pinned=True),
            "title": column.TextColumn(t("Model"), pinned=True, width=230),
            "place": column.TextColumn(t("Where it is"), width=150),
            "parameters": column.NumberColumn(t("Million parameters"), format="%.1f"),
            "megabytes": column.NumberColumn("MB", format="%.0f"),
            "data": column.TextColumn(t("Source data")),
            "task": column.TextColumn(t("Source task")),
            "size": column.NumberColumn(t("Input"), help=t("Pixels a side, or tokens of a text at most")),
            "languages": column.TextColumn(t("Languages")),
            "licence": column.TextColumn(t("Licence")),
            "provider": column.TextColumn(t("Provider")),
        },
    )
    rows = event.selection.rows
    return found[rows[0]] if rows and rows[0] < len(found) else None


def own_model(project: Project) -> None:
    """A model of one's own: uploaded (``config.json`` and ``model.safetensors``, or a zip), or a folder."""
    st.caption(
        t(
            "A model in the hub layout of timm or transformers: `config.json` and `model.safetensors`. "
            "Pickled weights (`.bin`, `.pt`) are refused, because opening a pickle can run foreign code."
        )
    )
    limit = st.get_option("server.maxUploadSize")
    left, right = st.columns(2)
    with left:
        files = st.file_uploader(
            t("Upload config.json and model.safetensors, or a zip of both"),
            accept_multiple_files=True,
            key="source-upload",
            help=limit_help(limit),
        )
        sent: list[Path] = []
        larger = st.expander(
            t("More than {limit} MB", limit=limit),
            icon=":material/terminal:",
            key="source-large",
            on_change="rerun",
        )
        if larger.open:
            with larger:
                sent = _sent(large_uploads.receive(limit, large_uploads.SOURCE_TOKEN, "model.zip"))
        title = st.text_input(t("Name"), key="source-upload-name", max_chars=120)
        if st.button(
            t("Add this model"), icon=":material/upload:", disabled=not (files or sent), key="source-upload-go"
        ):
            _try(project, lambda: _upload(files, title) if files else _take(sent, title))
    with right:
        path = st.text_input(t("Or a folder on the server"), placeholder="/models/my-model", key="source-folder")
        if st.button(t("Use this folder"), disabled=not path.strip(), key="source-folder-go"):
            _try(project, lambda: _folder(path.strip()))


def _sent(given: dict[str, Any]) -> list[Path]:
    """The files that came by the address of `large`."""
    if not given:
        return []
    path = Path(given["path"])
    return [path] if path.is_file() else sorted(one for one in path.iterdir() if not one.name.startswith("."))


def _upload(files: list[Any], title: str) -> str:
    from tlcore.models.uploads import add_upload

    kept = keep(files, store().home / "tmp")
    brought = {path.name: path for path in kept.iterdir()} if kept.is_dir() else kept
    name = title.strip() or (files[0].name if len(files) == 1 else "")
    added = add_upload(brought, store(), name, owner()).id
    release(files)
    return added


def _take(sent: list[Path], title: str) -> str:
    from tlcore.models.uploads import add_upload

    name = title.strip() or (sent[0].stem if len(sent) == 1 else "")
    added = add_upload({path.name: path for path in sent}, store(), name, owner()).id
    large_uploads.close(large_uploads.SOURCE_TOKEN)
    return added


def _folder(path: str) -> str:
    from tlcore.models import find
    from tlcore.models import weight_files as files
    from tlcore.models.uploads import try_out

    folder = server_path(path)
    source = find(str(folder), store())
    try_out(folder, source.title, files.read_weights(folder).values)
    return source.id


def _try(project: Project, add: Any) -> None:
    try:
        with st.spinner(t("Reading the model …")):
            source = add()
    except StudioError as error:
        st.error(message(error.sentence), icon=":material/error:")
        return
    change_draft(project, source=source)
    st.rerun()
