"""Upload of examples: a zip, a folder from the browser, a table with a zip, a hub dataset, a server path.

Uploads are untrusted: they are written below ``tmp/`` of the workspace and passed to a check.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence, t
from tlcore.core.paths import is_there, usable_path
from tlcore.core.spec_parts import Data
from tlcore.core.uploads.file_tree import Tree
from tlcore.data.readers import READERS, Reader
from tlcore.store.tables import new_id
from tlcore.store.upload_limits import UploadLimits
from tlcore.tasks import find
from tlcore.ui import large_uploads, text_view
from tlcore.ui.formatting import message, plain
from tlcore.ui.state import CHECK, SAMPLE, change_draft, owner, signed_in, store

if TYPE_CHECKING:
    from tlcore.store.tables import Project
    from tlcore.tasks.contract import Task

KEPT = 2 * 24 * 3600  # seconds that uploads are kept
FOLDERS = "TLCORE_DATA_FOLDERS"  # environment variable: server folders that signed-in users may use, colon-separated
# Example input to check whether a reader accepts hub datasets.
ON_HUB = Tree(origin="hf://owner/name", hub="owner/name")


def ways(modality: str) -> dict[str, str]:
    """The ways of upload for one modality: titles by id."""
    return {
        **KINDS[modality].ways(),
        "large": t("More than {limit} MB", limit=st.get_option("server.maxUploadSize")),
        "server": t("A path on the server"),
        "workspace": t("Data used before"),
        "sample": t("A sample"),
    }


def form(project: Project) -> None:
    """The upload form: choose a way, provide the data, submit the check."""
    task = find(str(project.draft.get("task")))
    kind = KINDS[task.modality]
    readers = [reader for reader in READERS if reader.id in task.formats]
    options = ways(kind.modality)
    if not any(reader.matches(ON_HUB, {}) for reader in readers):
        del options["hub"]
    way = st.segmented_control(
        t("Where are the examples?"),
        list(options),
        format_func=options.__getitem__,
        default=next(iter(options)),
        required=True,
        key=f"upload-way-{kind.modality}",
    )
    if way == "workspace":
        _used_before(project)
        return
    if way == "sample":
        _sample(project)
        return
    given = _inputs(str(way), kind, readers)
    with st.expander(t("Columns and groups"), icon=":material/view_column:"):
        columns, group = _columns(str(way), (given.get("files") or [None])[0], task)
    ready = bool(given.get("files") or given.get("path"))
    if st.button(
        t("Check the data"),
        type="primary",
        icon=":material/fact_check:",
        disabled=not ready,
        key="upload-check",
    ):
        try:
            path, name = _path_and_name(given)
        except UnusableInput as error:
            st.error(message(error.sentence), icon=":material/error:")
            return
        submit(project, {"path": path, "columns": columns, "group": group or None, "name": name})


def submit(project: Project, input: dict[str, Any]) -> None:
    """Queue the check of an upload and store its job id in the draft."""
    whole = {"task": project.draft.get("task"), "name": project.name, **input}
    job = store().jobs.submit("check-upload", owner(), whole, project_id=project.id)
    data = {"group": input.get("group"), "columns": input.get("columns") or {}}
    change_draft(project, **{CHECK: job.id, "data": {k: v for k, v in data.items() if v} or None})
    st.rerun()


def _pictures_ways() -> dict[str, str]:
    return {
        "zip": t("A zip of photos"),
        "folder": t("A folder on your computer"),
        "table": t("A table and a zip"),
        "hub": t("A dataset on the hub"),
    }


def _inputs(way: str, kind: Kind, readers: Sequence[Reader]) -> dict[str, Any]:
    limit = st.get_option("server.maxUploadSize")
    if way in kind.ways():
        return kind.inputs(way, limit_help(limit), readers)
    if way == "large":
        return large_uploads.receive(limit)
    st.caption(t("A zip, a folder or a table that already lies on the server."))
    path = st.text_input(t("Path on the server"), placeholder="/data/examples.zip", key="upload-path").strip()
    return {"path": path or None}


def _pictures(way: str, help: str, readers: Sequence[Reader]) -> dict[str, Any]:
    if way == "zip":
        st.caption(t("One folder per class in the zip; folders train, validation and test are respected."))
        file = st.file_uploader(t("Zip file"), type=["zip"], key="upload-zip", help=help)
        return {"files": [file] if file else []}
    if way == "folder":
        st.caption(t("One folder per class inside the folder you choose."))
        files = st.file_uploader(t("Folder"), accept_multiple_files="directory", key="upload-folder", help=help)
        return {"files": files or []}
    if way == "table":
        st.caption(t("A CSV, Excel or Parquet file with a column of picture names and a column of labels."))
        left, right = st.columns(2)
        table = left.file_uploader(t("Table"), type=["csv", "tsv", "xlsx", "parquet"], key="upload-table")
        file = right.file_uploader(t("Zip of the pictures"), type=["zip"], key="upload-table-zip", help=help)
        return {"files": [table, file] if table and file else []}
    return text_view.hub_name()


def limit_help(limit: Any) -> str:
    """The help text on the size limit of an uploader."""
    return t(
        "At most {limit} MB a file and {together} MB together here; there is a way of its own for larger ones.",
        limit=limit,
        together=UploadLimits.from_environment().session // 2**20,
    )


def _columns(way: str, file: Any, task: Task) -> tuple[dict[str, str], str]:
    fields = Data.model_fields
    columns: dict[str, str] = {}
    if way in ("table", "tables", "paste", "hub", "large", "server"):
        st.caption(t("Leave empty what the studio should find by itself."))
        table = _table(file) if way in ("table", "tables", "paste") and file else None
        if table and len(table.sheets) > 1:
            sheet = st.selectbox(t("Sheet of the workbook"), table.sheets, key="column-sheet")
            if sheet != table.sheets[0]:
                columns["sheet"], table = sheet, _table(file, sheet)
        names = table.columns if table else []
        for place, (role, title) in zip(st.columns(len(task.roles)), task.roles, strict=True):
            if column := _column(place, t(title), names, f"column-{role}"):
                columns[role] = column
        if task.labelled:
            also = st.text_input(
                t("Further columns of labels"),
                key="column-also",
                help=t("Separated by commas: other things to learn from the same examples, by multi-task learning."),
            )
            columns |= {"also": also.strip()} if also.strip() else {}
    group = st.text_input(
        t("Keep together"),
        key="column-group",
        help=t(fields["group"].description or ""),
        placeholder=t("patient, or ^(p\\d+)_ for file names that begin with the patient"),
    )
    return columns, group.strip()


def _column(place: Any, title: str, names: list[str], key: str) -> str:
    """A column name: selected from the table's columns if they are known, else typed."""
    if names:
        found = t("found by the studio")
        return place.selectbox(title, names, index=None, placeholder=found, key=f"{key}-pick") or ""
    return str(place.text_input(title, key=key)).strip()


@dataclass(frozen=True)
class Header:
    """The column names of an uploaded table, and the sheets of a workbook."""

    columns: list[str]
    sheets: list[str]  # of a workbook; the first one is read


def _table(file: Any, sheet: str | None = None) -> Header | None:
    """The header of an uploaded table; None if it cannot be read (the check will give the reason)."""
    upload = getattr(file, "file_id", None) or hashlib.sha256(file.getvalue()).hexdigest()
    return _header(upload, file.name, sheet, file)


@st.cache_data(max_entries=64, show_spinner=False)
def _header(upload: str, name: str, sheet: str | None, _file: Any) -> Header | None:
    """The header of a table, cached per upload: pages rerun on each click and workbooks are slow to open."""
    from tlcore.core.uploads.file_tree import Entry
    from tlcore.data.tables.rows import open_table

    data = _file.getvalue()
    try:
        table = open_table(Entry(len(data), lambda: data), name, sheet)
    except UnusableInput:
        return None
    return Header(list(table.columns), list(table.sheets))


def _path_and_name(given: dict[str, Any]) -> tuple[str, str]:
    """The path that the check reads, and its display name. Raises UnusableInput."""
    files = given.get("files") or []
    if files:
        kept = keep(files, store().home / "tmp").resolve()
        release(files)
        return str(kept), files[0].name.split("/")[0]
    path = str(given["path"])
    if given.get("sent"):
        large_uploads.close()
        sent = Path(path).resolve()  # a folder of several files is named by a secret
        return str(sent), min(one.name for one in sent.iterdir()) if sent.is_dir() else sent.name
    if given.get("hub"):
        return path, path.removeprefix("hf://")
    return str(server_path(path)), Path(path).name


@dataclass(frozen=True)
class Kind:
    """The upload of one modality: its ways, and a function that shows the widgets of a way."""

    modality: str
    ways: Callable[[], dict[str, str]]
    inputs: Callable[[str, str, Sequence[Reader]], dict[str, Any]]


KINDS = {
    kind.modality: kind
    for kind in (
        Kind("image", _pictures_ways, _pictures),
        Kind("text", text_view.ways, text_view.inputs),
    )
}


def keep(files: list[Any], base: Path) -> Path:
    """Write uploaded files below ``base``: a single file as a file, several as a folder. Raises UnusableInput.

    Names come from the browser and are untrusted: only their safe relative parts are used.
    """
    _clear(base)
    folder = base / f"upload-{new_id()}"
    folder.mkdir(parents=True)
    for file in files:
        target = folder.joinpath(*_safe_parts(file.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        file.seek(0)
        with target.open("wb") as out:
            shutil.copyfileobj(file, out, 1 << 20)
    if len(files) == 1:
        return folder.joinpath(*_safe_parts(files[0].name))
    return folder


def release(files: list[Any]) -> None:
    """Free the memory of uploaded files that are no longer needed.

    Otherwise they count towards the memory limit of the session until it ends.
    """
    context = get_script_run_ctx(suppress_warning=True)
    manager = context.uploaded_file_mgr if context else None
    if context and isinstance(manager, MemoryUploadedFileManager):
        for file in files:
            if isinstance(file, UploadedFile):
                manager.remove_file(context.session_id, file.file_id)


def _clear(base: Path) -> None:
    """Delete uploads older than `KEPT`: they have been checked, copied or abandoned."""
    for folder in base.glob("upload-*"):
        if folder.stat().st_mtime < time.time() - KEPT:
            shutil.rmtree(folder, ignore_errors=True)


def _safe_parts(name: str) -> list[str]:
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    parts = [_short_name(part.replace("\x00", "").replace(":", "_")) for part in parts]
    parts = [part for part in parts if part]
    if not parts:
        raise UnusableInput(sentence("A file without a name cannot be used."), code="file-name", file=name)
    return parts


def _short_name(part: str, most: int = 200) -> str:
    """A file name of at most ``most`` bytes, valid on all file systems; the suffix is kept."""
    if len(part.encode()) <= most:
        return part
    ending = Path(part).suffix[:20]
    return part.encode()[: most - len(ending.encode())].decode(errors="ignore") + ending


def server_path(path: str) -> Path:
    """A server path that this user may use, with symbolic links resolved. Raises UnusableInput."""
    wanted = usable_path(path)
    if not wanted.is_absolute():
        raise UnusableInput(sentence("Give the whole path, beginning with /."), code="path", file=path)
    try:
        wanted = wanted.resolve()
    except RuntimeError:  # circular symbolic links
        raise _nothing_there(path) from None
    allowed = [Path(part).resolve() for part in os.environ.get(FOLDERS, "").split(":") if part]
    if (allowed or signed_in()) and not any(wanted.is_relative_to(folder) for folder in allowed):
        names = [str(folder) for folder in allowed] or "–"
        raise UnusableInput(
            sentence(
                "This path is not in a folder that is open to everybody. Open folders: {folders}",
                folders=names,
            ),
            code="path",
            file=path,
        )
    if not is_there(wanted):
        raise _nothing_there(path)
    return wanted


def _nothing_there(path: str) -> UnusableInput:
    return UnusableInput(sentence("There is nothing at {path} on the server.", path=path), code="path", file=path)


def _used_before(project: Project) -> None:
    task = project.draft.get("task")
    rows = [row for row in store().datasets.all(owner()) if row.task == task]
    if not rows:
        st.caption(t("Nothing has been confirmed in this workspace yet."))
        return
    names = {row.fingerprint: f"{row.name} · {row.n} · {row.fingerprint}" for row in rows}
    chosen = st.selectbox(t("Dataset"), list(names), format_func=names.__getitem__, key="upload-known")
    if st.button(t("Use this data"), type="primary", key="upload-known-go"):
        change_draft(project, **{"data": {"dataset": chosen}, CHECK: None})
        st.rerun()


def _sample(project: Project) -> None:
    from tlcore.data.samples import SAMPLES

    names = {sample.id: sample for sample in SAMPLES if sample.task == project.draft.get("task")}
    if not names:
        st.caption(t("There is no sample for this task yet."))
        return
    titles = {name: t(sample.title) for name, sample in names.items()}
    chosen = st.selectbox(t("Sample"), list(names), format_func=titles.__getitem__, key="upload-sample")
    st.caption(plain(t(names[chosen].what)))
    if st.button(t("Check the data"), type="primary", icon=":material/fact_check:", key="upload-sample-go"):
        change_draft(project, **{SAMPLE: chosen, **names[chosen].spec})
        submit(project, {"sample": chosen, "name": t(names[chosen].title)})
