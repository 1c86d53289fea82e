"""Uploads that are too large for the page: a separate address, to which a command sends the file."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from tlcore.core.i18n import t
from tlcore.store import upload_tokens
from tlcore.ui.formatting import plain, size
from tlcore.ui.state import owner, store

TOKEN = "upload-door"  # session key of the upload token for examples
SOURCE_TOKEN = "source-door"  # session key of the upload token for a source model


def receive(limit: Any, token_key: str = TOKEN, example: str = "photos.zip") -> dict[str, Any]:
    """Show an upload address, the command that sends a file to it, and what has arrived; returns input for the check.

    ``limit``: the size limit. ``token_key``: session key of the upload token. ``example``: file name in the command.
    """
    home = store().home
    secret = st.session_state.get(token_key)
    if not secret or not upload_tokens.is_open(home, secret):
        st.caption(
            t(
                "The page takes {limit} MB. Larger files are sent by a command to an address of their own, "
                "and go straight to the server's disk.",
                limit=limit,
            )
        )
        if st.button(t("Make an address"), icon=":material/link:", key="door-open"):
            st.session_state[token_key] = upload_tokens.open_token(home, owner())
            st.rerun()
        return {}
    st.caption(t("Run this where the file is. The address is secret, and lasts one day."))
    st.code(f"curl -T {example} {address(secret)}/{example}", language="bash", wrap_lines=True)
    return _arrived(secret)


def address(secret: str) -> str:
    """The upload URL, on the server of this page."""
    parts = urlsplit(st.context.url or "http://localhost:8501")
    return f"{parts.scheme}://{parts.netloc}/api/upload/{secret}"


def _arrived(secret: str) -> dict[str, Any]:
    home = store().home
    known = upload_tokens.arrived(home, secret)

    @st.fragment(run_every=2)
    def look() -> None:
        if len(upload_tokens.arrived(home, secret)) != len(known):
            st.rerun()
        coming = upload_tokens.arriving(home, secret)
        if coming:
            st.caption(t("Arriving: {size} so far.", size=size(coming)))
        elif not known:
            st.caption(t("Nothing has arrived yet."))

    look()
    for path in known:
        st.markdown(f":material/check_circle: {plain(path.name)} ({size(path.stat().st_size)})")
    if not known:
        return {}
    return {"path": str(known[0] if len(known) == 1 else known[0].parent), "sent": True}


def close(token_key: str = TOKEN) -> None:
    """Close this session's upload address."""
    secret = st.session_state.pop(token_key, None)
    if secret:
        upload_tokens.close_token(store().home, secret)
