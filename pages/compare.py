"""Compare: whether transfer helped, with intervals; the worst errors; all runs of the project."""

import streamlit as st

from tlcore.core.i18n import t
from tlcore.store.tables import FAILED, SUCCEEDED
from tlcore.ui import baselines_view, explanation_view, guard, job_view, report_parts, run_view, verdict_view, walk

guard("compare")

walk.heading(t("Compare"), t("The transfer run beside its twin trained from scratch, on test data neither has seen."))
project = walk.need_project()
picked = run_view.pick_run(project, key="compare")
if picked is None:
    st.info(t("This project has no run yet."), icon=":material/info:")
    walk.forward("strategy", t("Go to Strategy to start one"))
    st.stop()

run, job = picked
report = run.report
if job.state == FAILED and not report:
    job_view.failure(job)
    walk.forward("train", t("See its log on Train"))
elif job.state != SUCCEEDED or not report:
    st.info(t("This run is not finished; its report comes at the end."), icon=":material/hourglass_top:")
    walk.forward("train", t("See how it goes on Train"))
else:
    verdict_view.verdict(report)
    baselines_view.line(report)
    explanation_view.show(project, report)
    verdict_view.scores(report)
    verdict_view.notes(report)
    verdict_view.downloads(run)
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
verdict_view.all_runs(project)
