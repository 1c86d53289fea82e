"""Why transfer did not help, and what to try next: one click sets the draft and goes to Strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import say, t
from tlcore.ui.formatting import sentence
from tlcore.ui.state import change_draft, go

if TYPE_CHECKING:
    from tlcore.store.tables import Project

KINDS = {
    "source": ":material/hub:",
    "strategy": ":material/tune:",
    "scratch": ":material/restart_alt:",
    "measure": ":material/straighten:",
}
ABOUT = {"evidence": say("Before training"), "training": say("In training")}


def show(project: Project, report: dict[str, Any]) -> None:
    """Nothing unless the result is, or leans to, negative transfer."""
    told = report.get("explanation")
    if not told:
        return
    with st.container(border=True):
        negative = told["kind"] == "negative"
        title = t("Why transfer may have hurt") if negative else t("The difference leans to negative transfer")
        st.markdown("**" + title + "**")
        for about, name in ABOUT.items():
            signs = [one for one in told["signs"] if one["about"] == about]
            if signs:
                st.markdown(
                    ":gray[" + t(name) + "]  \n" + "  \n".join("• " + sentence(one["sentence"]) for one in signs)
                )
        if not told["suggestions"]:
            return
        st.markdown(":gray[" + t("What to try next") + "]")
        for number, one in enumerate(told["suggestions"]):
            if st.button(
                sentence(one["sentence"]), icon=KINDS.get(one["kind"], ":material/arrow_forward:"), key=f"next-{number}"
            ):
                if one["draft"]:
                    change_draft(project, **one["draft"])
                go("strategy")
