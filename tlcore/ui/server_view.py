"""Server status: workers, devices, disk, versions, and whether the hub can be reached."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import time

import streamlit as st

import tlcore
from tlcore.core.i18n import number, t
from tlcore.store import cache
from tlcore.ui.formatting import duration, plain, size
from tlcore.ui.job_view import workers
from tlcore.ui.source_view import find_out_about_hub, hub_answers
from tlcore.ui.state import store

PACKAGES = (
    "streamlit",
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "onnxruntime",
    "sqlalchemy",
    "plotly",
)


def show_workers() -> None:
    """All live workers."""
    alive = workers()
    if not alive:
        st.warning(
            t("No worker is running. On the server, run `tlcore worker` (or `tlcore serve`)."),
            icon=":material/warning:",
        )
        return
    lanes = {"train": t("training"), "quick": t("quick jobs")}
    rows = [
        {
            t("Worker"): plain(f"{note.host}:{note.pid}"),
            t("Device"): plain(note.device),
            t("Cores"): number(note.cores),
            t("Memory"): size(note.memory),
            t("Jobs now"): number(len(note.running)),
            t("Places"): ", ".join(f"{lanes.get(lane, lane)} {number(n)}" for lane, n in note.slots.items()),
            t("Running for"): duration(time.time() - note.since),
            t("Version"): note.version,
        }
        for note in alive
    ]
    st.table(rows, border="horizontal", hide_index=True)


def figures() -> None:
    """Disk, memory and load of the web server's machine."""
    import psutil

    disk, memory = shutil.disk_usage(store().home), psutil.virtual_memory()
    with st.container(horizontal=True):
        st.metric(
            t("Free disk"),
            size(disk.free),
            border=True,
            width=190,
            help=t("Of {total} where the workspace lies.", total=size(disk.total)),
        )
        st.metric(
            t("Free memory"),
            size(memory.available),
            border=True,
            width=190,
            help=t("Of {total} in this machine.", total=size(memory.total)),
        )
        st.metric(t("Processor cores"), number(psutil.cpu_count() or 1), border=True, width=190)
        st.metric(t("Load, one minute"), number(psutil.getloadavg()[0], 1), border=True, width=190)
    if disk.free < 2e9:
        st.warning(t("There is little room left on the disk; runs may fail."), icon=":material/hard_drive:")


def cache_size() -> None:
    """Size and limit of the cache, and the button to clear it."""
    used = cache.usage(store().home)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.metric(
            t("Cache"),
            size(used.size),
            border=True,
            width=190,
            help=t(
                "Decoded pictures, features, tokens and unpacked models, which can be computed again. What was used "
                "least recently goes first where there is more than {limit}.",
                limit=size(used.limit),
            ),
        )
        st.metric(t("Limit of the cache"), size(used.limit), border=True, width=190)
        if st.button(t("Clear the cache"), icon=":material/delete_sweep:", key="cache-clear", disabled=not used.size):
            freed = cache.clear(store())
            st.toast(t("Freed: {size}", size=size(freed)), icon=":material/check:")
            st.rerun()


def hub() -> None:
    """Whether the hub can be reached to download source models."""
    answers = hub_answers()
    if answers is None:
        find_out_about_hub()
    elif answers:
        st.badge(
            t("The hub can be reached: source models can be downloaded."),
            icon=":material/cloud_done:",
            color="green",
        )
    else:
        st.badge(
            t("The hub cannot be reached from here; bundled models and those on this machine work."),
            icon=":material/cloud_off:",
            color="gray",
        )


def versions() -> None:
    """Versions of the installed packages, read without importing them."""
    rows = {"Transfer Learning Studio": tlcore.__version__, "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            rows[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            rows[name] = t("not installed")
    st.table(rows, border="horizontal", width="content")
