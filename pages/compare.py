"""Compare: whether transfer helped, with intervals; errors to look at; all runs of the project."""

import streamlit as st

from tlcore.store.tables import FAILED, SUCCEEDED
from tlcore.ui import explanation_view, guard, jobview, live, naive_view, report_parts, verdicts, walk
from tlcore.words import t

guard("compare")

walk.heading(t("Compare"), t("The transfer run beside its twin trained from scratch, on test data neither has seen."))
project = walk.need_project()
picked = live.pick_run(project, key="compare")
if picked is None:
    st.info(t("This project has no run yet."), icon=":material/info:")
    walk.forward("strategy", t("Go to Strategy to start one"))
    st.stop()

run, job = picked
report = run.report
if job.state == FAILED and not report:
    jobview.failure(job)
    walk.forward("train", t("See its log on Train"))
elif job.state != SUCCEEDED or not report:
    st.info(t("This run is not finished; its report comes at the end."), icon=":material/hourglass_top:")
    walk.forward("train", t("See how it goes on Train"))
else:
    verdicts.verdict(report)
    naive_view.line(report)
    explanation_view.show(project, report)
    verdicts.scores(report)
    verdicts.notes(report)
    verdicts.downloads(run)
    parts = report_parts.of(report)
    part = st.segmented_control(
        t("Part"),
        list(parts),
        default="curves",
        required=True,
        key="compare-part",
        label_visibility="collapsed",
        format_func={name: t(one.title(report)) for name, one in parts.items()}.__getitem__,
    )
    parts[part].show(run, report)
    walk.forward("share", t("Next: try it, download it, share it"))

st.subheader(t("All runs of this project"), anchor=False)
verdicts.all_runs(project)
