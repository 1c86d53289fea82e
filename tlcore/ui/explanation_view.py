"""Why transfer did not help, and what to try next: one click sets the draft and goes to Strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import sentence, t
from tlcore.ui.formatting import message
from tlcore.ui.state import change_draft, go

if TYPE_CHECKING:
    from tlcore.store.tables import Project

KINDS = {
    "source": ":material/hub:",
    "strategy": ":material/tune:",
    "scratch": ":material/restart_alt:",
    "measure": ":material/straighten:",
}
ABOUT = {"evidence": sentence("Before training"), "training": sentence("In training")}


def show(project: Project, report: dict[str, Any]) -> None:
    """Shows nothing unless the result is, or leans to, negative transfer."""
    explanation = report.get("explanation")
    if not explanation:
        return
    with st.container(border=True):
        negative = explanation["kind"] == "negative"
        title = t("Why transfer may have hurt") if negative else t("The difference leans to negative transfer")
        st.markdown("**" + title + "**")
        for about, name in ABOUT.items():
            signs = [one for one in explanation["signs"] if one["about"] == about]
            if signs:
                st.markdown(
                    ":gray[" + t(name) + "]  \n" + "  \n".join("• " + message(one["sentence"]) for one in signs)
                )
        if not explanation["suggestions"]:
            return
        st.markdown(":gray[" + t("What to try next") + "]")
        for number, one in enumerate(explanation["suggestions"]):
            if st.button(
                message(one["sentence"]), icon=KINDS.get(one["kind"], ":material/arrow_forward:"), key=f"next-{number}"
            ):
                if one["draft"]:
                    change_draft(project, **one["draft"])
                go("strategy")
