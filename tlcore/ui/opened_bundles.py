"""Cache of opened bundles, for predictions on the pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence

SHOWN = 8  # examples predicted at once


@st.cache_resource(max_entries=4, show_spinner=False)
def _bundle(path: str, stamp: float) -> Any:
    """An opened bundle, cached by path and modification time. Runs in onnxruntime, so the pages need no torch."""
    from tlcore.bundle import Bundle

    return Bundle.open(path)


def opened(path: Path) -> Any:
    """The bundle at a path. Raises UnusableInput if it is missing or broken."""
    if not path.exists():
        raise UnusableInput(sentence("The bundle of this run is not there any more."), code="bundle")
    return _bundle(str(path), path.stat().st_mtime)
