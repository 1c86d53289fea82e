"""Ranking of all reachable source models on a dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import Cancelled, StudioError
from tlcore.core.i18n import Sentence, sentence
from tlcore.guidance import evidence_cache
from tlcore.guidance.evidence import Evidence
from tlcore.guidance.measurement import measure_with

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Options
    from tlcore.data.dataset import Dataset
    from tlcore.models.source_model import SourceModel
    from tlcore.store import Store
    from tlcore.tasks.contract import Task

Progress = Callable[..., None]
ESTIMATES = ("probe", "neighbours", "log_me", "h_score")  # estimates that define the order


def scores(measured: Mapping[str, Evidence]) -> dict[str, float | None]:
    """The score of each source, 0-1, relative to the others; None if it was not measured.

    For each estimate in ESTIMATES, the share of the other sources that a source beats (a tie counts half); the score is
    the mean of these shares. Estimates on different scales are combined by rank alone (Borda 1781). A single source has
    score 1.
    """
    estimates = {ref: _estimates(evidence) for ref, evidence in measured.items()}
    known = {ref: values for ref, values in estimates.items() if values is not None}
    found: dict[str, float | None] = dict.fromkeys(estimates)
    for ref, mine in known.items():
        others = [values for other, values in known.items() if other != ref]
        beaten = [(a > b) + 0.5 * (a == b) for its in others for a, b in zip(mine, its, strict=True)]
        found[ref] = round(sum(beaten) / len(beaten), 4) if beaten else 1.0
    return found


def _estimates(evidence: Evidence) -> list[float] | None:
    transferability = evidence.transferability
    if not transferability or not transferability.get("probe"):
        return None
    values = [
        transferability[name]["value"] if isinstance(transferability[name], dict) else transferability[name]
        for name in ESTIMATES
    ]
    return [float("-inf") if value is None else float(value) for value in values]


def reachable(task: Task, store: Store, owner: str, *, download: bool = False) -> list[SourceModel]:
    """The sources for the task in the owner's catalogue that are bundled or on this machine.

    With ``download`` also those available from the hub.
    """
    from tlcore import models

    wanted = {models.Availability.BUNDLED, models.Availability.HERE}
    if download:
        wanted.add(models.Availability.DOWNLOAD)
    listed = models.sources_for(task.source_families, store, owner)
    return [one for one in listed if models.availability(one, store) in wanted]


def rank(
    dataset: Dataset,
    task: Task,
    refs: Sequence[str],
    store: Store,
    options: Options,
    progress: Progress = lambda share, message=None, **more: None,
) -> list[dict[str, Any]]:
    """Measure each source once with the cheap estimators; returns the rows of `kept_ranking`.

    A source that cannot be opened or measured is listed with the reason; the others go on. Pictures are decoded once
    for all sources with the same input size. Cached measurements are reused. Raises Cancelled.
    """
    from tlcore import models
    from tlcore.core import machine

    failed: dict[str, Any] = {}
    for at, ref in enumerate(refs):
        title = ref

        def within(share: float | None, message: Sentence | None = None, at: int = at, **more: Any) -> None:
            progress((at + (share or 0.0)) / len(refs), message, **more)

        try:
            title = models.find(ref, store).title
            within(0.0, sentence("Source {n} of {total}: {source}", n=at + 1, total=len(refs), source=title))
            opened = models.open_source(
                ref, store, progress=lambda _share, message, **more: within(0.0, message, **more)
            )
            processor = task.processor(opened.preprocess, options, dataset, machine.detect().device)
            measure_with(dataset, task, opened, processor, store.home / "cache", within, thorough=False)
        except Cancelled:
            raise
        except BaseException as error:
            if not (isinstance(error, Exception) or machine.panicked(error)):
                raise
            reason = (
                error.sentence
                if isinstance(error, StudioError)
                else sentence("It failed: {problem}", problem=str(error))
            )
            failed[ref] = {"title": title, "sentence": reason.model_dump(mode="json")}
    evidence_cache.save_failed(store, dataset.fingerprint, failed)
    return kept_ranking(store, dataset.fingerprint)


def kept_ranking(store: Store, fingerprint: str, owner: str | None = None) -> list[dict[str, Any]]:
    """The sources measured on a dataset, best first, then those that failed. Does not import torch.

    Sources without a score are ordered by similarity. With ``owner``, uploads of other people, who may have measured
    the same data, and deleted uploads are left out.

    Rows: ``id``, ``title``, ``score``, ``probe`` ({"value", "interval"}), ``log_me``, ``h_score``, ``leep``,
    ``similarity``, ``seconds`` and ``problem`` (a Sentence as JSON, or None).
    """
    from tlcore.models import uploads

    def hidden(ref: str) -> bool:
        kind, _, id_ = ref.partition("/")
        return owner is not None and kind == "uploaded" and not uploads.owned(id_, store, owner)

    rows = []
    measured = {
        ref: evidence for ref, evidence in evidence_cache.kept_all(store, fingerprint).items() if not hidden(ref)
    }
    found = scores(measured)
    for ref, evidence in measured.items():
        estimates = evidence.transferability or {}
        rows.append(
            {
                "id": ref,
                "title": (evidence.source or {}).get("title", ref),
                "score": found[ref],
                "probe": estimates.get("probe"),
                **{name: estimates.get(name) for name in ("log_me", "h_score", "leep")},
                "similarity": evidence.similarity,
                "seconds": evidence.seconds,
                "problem": None,
            }
        )
    rows.sort(key=lambda row: (row["score"] is None, -(row["score"] or 0.0), -(row["similarity"] or 0.0), row["id"]))
    for ref, why in evidence_cache.failed(store, fingerprint).items():
        if ref not in measured and not hidden(ref):
            rows.append({"id": ref, "title": why["title"], "score": None, "problem": why["sentence"]})
    return rows
