"""Share: try the model, predict a batch, download the bundle, publish it to the library."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.errors import StudioError
from tlcore.core.i18n import sentence, t
from tlcore.store.tables import SUCCEEDED
from tlcore.tasks import find
from tlcore.ui import charts, job_view, text_view, try_by_worker, try_entities, try_questions, word_attributions_view
from tlcore.ui.formatting import message, plain, score, short, size
from tlcore.ui.opened_bundles import SHOWN, opened
from tlcore.ui.state import owner, store
from tlcore.ui.thumbnails import small
from tlcore.ui.upload_view import keep

if TYPE_CHECKING:
    from tlcore.store.tables import Job, Run

BARS = 10  # most classes shown for one prediction


def try_it(path: Path, key: str, task: str) -> None:
    """Try the model on the user's own examples."""
    from tlcore.bundle import predictors

    kind = predictors.find(find(task).bundle)
    if kind.worker:
        try_by_worker.show(path, key, kind)
    else:
        TRY[kind.id](path, key)


def _texts(path: Path, key: str) -> None:
    """Try typed or pasted texts."""
    given = text_view.asked(key)
    for name, text in given[:SHOWN]:
        _answer(path, name, text, f"{key}-{name}")
    if len(given) > SHOWN:
        st.caption(t("The first {n} are shown; for many texts, predict a file below.", n=SHOWN))


def _pictures(path: Path, key: str) -> None:
    """Try pictures from a file or the camera."""
    way = st.segmented_control(
        t("Picture from"),
        ["file", "camera"],
        default="file",
        required=True,
        key=f"try-way-{key}",
        format_func={"file": t("your computer"), "camera": t("the camera")}.__getitem__,
    )
    if way == "camera":
        shot = st.camera_input(t("Take a picture"), key=f"try-camera-{key}", width=420)
        files = [shot] if shot else []
    else:
        files = st.file_uploader(
            t("Pictures"),
            type=["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif", "heic"],
            accept_multiple_files=True,
            key=f"try-file-{key}",
            max_upload_size=50,
        )
    for number, file in enumerate(files[:SHOWN]):
        _answer(path, file.name, file.getvalue(), f"{key}-{number}")
    if len(files) > SHOWN:
        st.caption(t("The first {n} are shown; for many pictures, predict a zip below.", n=SHOWN))


def _answer(path: Path, name: str, given: bytes | str, key: str) -> None:
    try:
        bundle = opened(path)
        row = bundle.predict([(name, given)])[0]
    except StudioError as error:
        st.error(message(error.sentence), icon=":material/error:")
        return
    if row.prediction is None:
        reason = message(row.reason) if row.reason else t("It cannot be read.")
        st.error(plain(short(name, 60)) + ": " + reason, icon=":material/error:")
        return
    shares = sorted(zip(bundle.labels, row.probability, strict=True), key=lambda item: -item[1])[:BARS]
    with st.container(border=True, horizontal=True, gap="medium"):
        picture = small(given) if isinstance(given, bytes) else None
        if picture:
            st.image(picture, width=220, caption=plain(short(name, 30)), alt=short(name, 80))
        elif isinstance(given, str):
            st.markdown(f"> {plain(text_view.short(given))}", width=320)
        with st.container(width="stretch"):
            if not bundle.labels:
                st.markdown("**" + plain(row.prediction) + "**")
                if row.confidence is not None:
                    st.caption(t("{share} sure", share=score(row.confidence)))
                return
            st.markdown(
                t(
                    "**{prediction}**, {share} sure",
                    prediction=plain(row.prediction) or t("none of the labels"),
                    share=score(row.confidence),
                )
            )
            title = t("Probability of each class")
            figure = charts.bars([name for name, _ in shares], [p for _, p in shares], title=title, share=True)
            charts.show(figure, f"try-{key}", title)
            if isinstance(given, str):
                word_attributions_view.on_demand({"bundle": str(path), "text": given}, f"{key}-{hash(given)}")


TRY = {"image": _pictures, "text": _texts, "tokens": try_entities.try_it, "question-answering": try_questions.try_it}
TABLE_OF_TEXTS = (
    sentence("Texts: a CSV or TSV with a column named text, or a TXT with one a line"),
    ["csv", "tsv", "txt"],
)
BATCHES = {  # all other kinds read texts
    "image": (sentence("Zip of pictures"), ["zip"]),
    "question-answering": (
        sentence("Questions: a CSV, TSV or JSON lines with the columns context and question"),
        ["csv", "tsv", "jsonl"],
    ),
}


def batch(run: Run) -> None:
    """Batch prediction by a job: a zip of pictures or a file of texts to a CSV of predictions."""
    title, types = BATCHES.get(find(run.task).bundle, TABLE_OF_TEXTS)
    file = st.file_uploader(t(title), type=types, key=f"batch-{run.id}")
    job_key = f"batch-job-{run.id}"
    if st.button(t("Predict them all"), icon=":material/table_view:", disabled=file is None, key="batch-go"):
        kept = keep([file], store().home / "tmp")
        given = {"run": run.id, "path": str(kept)}
        st.session_state[job_key] = store().jobs.submit("predict", owner(), given, project_id=run.project_id).id
        st.rerun()
    job = store().jobs.get(st.session_state[job_key]) if job_key in st.session_state else None
    if job is None:
        return
    if job_view.live(job):
        _wait(job.id)
    elif job.state == SUCCEEDED:
        _predicted(job)
    else:
        job_view.failure(job)


def _wait(job_id: str) -> None:
    @st.fragment(run_every=1)
    def look() -> None:
        job = store().jobs.get(job_id)
        if job is None or not job_view.live(job):
            st.rerun()
        job_view.progress_bar(job)
        job_view.worker_hint(job)

    look()


def _predicted(job: Job) -> None:
    output, folder = job.output or {}, store().jobs.folder(job.id)
    st.success(
        t("{n} examples predicted, {aside} rejected.", n=output.get("n", 0), aside=output.get("set_aside", 0)),
        icon=":material/check_circle:",
    )
    with st.container(horizontal=True):
        for field, label in (
            ("file", t("Download the predictions (CSV)")),
            ("set_aside_file", t("Rejected rows (CSV)")),
        ):
            path = folder / Path(str(output.get(field))).name
            if path.is_file() and (field == "file" or output.get("set_aside")):
                st.download_button(
                    label,
                    path.read_bytes,
                    f"{job.id}-{path.name}",
                    "text/csv",
                    on_click="ignore",
                    icon=":material/download:",
                    key=f"batch-{field}",
                )


def bundle(path: Path, name: str) -> None:
    """The download button and the content of the bundle."""
    if not path.exists():
        st.warning(t("The bundle of this run is not there any more."), icon=":material/warning:")
        return
    st.download_button(
        t("Download the bundle ({size})", size=size(path.stat().st_size)),
        path.read_bytes,
        f"{name}.zip",
        "application/zip",
        type="primary",
        on_click="ignore",
        icon=":material/download:",
        key="bundle-download",
    )
    box = st.expander(t("What is inside"), icon=":material/folder_zip:", key="bundle-inside", on_change="rerun")
    if box.open:
        with box:
            st.table(_inside(path), border="horizontal", hide_index=True, width="content")
    st.caption(t("`predict.py` in it needs only what its requirements.txt lists, and no part of this studio."))


def _inside(path: Path) -> list[dict[str, str]]:
    about = {
        "model.safetensors": t("the weights, as timm or transformers load them"),
        "config.json": t("the architecture"),
        "model.onnx": t("the model for onnxruntime, checked against the weights"),
        "README.md": t("the model card, filled from measurements"),
        "predict.py": t("predicts without the studio"),
        "labels.json": t("the classes"),
        "preprocessor_config.json": t("how a picture becomes numbers, as transformers reads it"),
        "preprocessing.json": t("how an example becomes numbers"),
        "tokenizer.json": t("how a text is cut into tokens"),
        "manifest.json": t("what this bundle is, and the digest of each file"),
        "report.html": t("the report, to be read in a browser"),
        "report.pt_BR.html": t("the report, in Portuguese"),
        "expected.json": t("what predict.py should answer for the example"),
        "report.json": t("the report of the run"),
        "requirements.txt": t("what predict.py needs"),
    }
    with zipfile.ZipFile(path) as archive:
        return [
            {
                t("File"): plain(entry.filename),
                t("Size"): size(entry.file_size),
                t("What it is"): about.get(Path(entry.filename).name, ""),
            }
            for entry in archive.infolist()
            if not entry.is_dir()
        ]


def publish(run: Run, path: Path) -> None:
    """Publish the model to the library, for all users of this server."""
    known = [m for m in store().models.all() if m.run_id == run.id and not m.about.get("pre_training")]
    if known:
        st.success(t("In the library as “{name}”.", name=plain(known[0].name)), icon=":material/local_library:")
        return
    name = st.text_input(t("Name in the library"), run.name, max_chars=120, key=f"publish-name-{run.id}", width=520)
    st.caption(t("Everybody on this server will find it, can download it, and can transfer from it."))
    if st.button(
        t("Publish to the library"),
        icon=":material/publish:",
        key="publish-go",
        disabled=not path.exists() or not name.strip(),
    ):
        store().models.publish(path, name=name, owner=owner(), task=run.task, run_id=run.id, about=about(run, path))
        st.rerun()


def about(run: Run, path: Path) -> dict[str, Any]:
    """The library entry of a model: scores with intervals, verdict, labels, licence, size in bytes."""
    report = run.report or {}
    packed, source = report.get("packed") or {}, report.get("source") or {}
    return {
        "labels": report.get("labels") or [],
        "metric": report.get("metric"),
        "value": packed.get("value"),
        "interval": packed.get("interval"),
        "n_test": report.get("n_test"),
        "verdict": report.get("verdict"),
        "strategy": report.get("strategy"),
        "source": source.get("id") or run.spec.get("source"),
        "licence": source.get("licence"),
        "architecture": source.get("architecture"),
        "parameters": source.get("parameters"),
        "modality": (run.plan or {}).get("modality"),
        "dataset": run.dataset,
        "bytes": path.stat().st_size,
    }
