"""Checks of the groups of staged examples: whether they can be divided into three splits."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from tlcore.core.findings import NEEDED, Finding, first, named
from tlcore.core.i18n import sentence


def check_groups(rows: pd.DataFrame, group: str | None) -> list[Finding]:
    """Findings on the groups of rows. ``group`` is the column or pattern the user named, if any."""
    found = rows["group"].dropna()
    if found.empty:
        return (
            []
            if not group or rows.empty
            else [
                Finding(
                    level="error",
                    code="group",
                    sentence=sentence(
                        "{group} is neither a column of the table nor does it match any file name.", group=group
                    ),
                    fix=sentence("Give the name of a column, or a pattern such as (patient[0-9]+)."),
                )
            ]
        )
    given = set(rows["split"].dropna())
    own = given >= {"train", "test"} or given >= {"train", "validation"}
    return [*_counted(rows, found), *(_torn(rows, found) if own else _to_deal_out(rows))]


def _counted(rows: pd.DataFrame, found: pd.Series) -> Iterator[Finding]:
    yield Finding(
        level="note",
        code="groups",
        count=int(found.nunique()),
        examples=first(found.unique()),
        sentence=sentence("Groups found: {n}. Each stays within one split.", n=int(found.nunique())),
    )
    ungrouped = rows[rows["group"].isna()]["id"]
    if len(ungrouped):
        yield Finding(
            level="warning",
            code="group-missing",
            count=len(ungrouped),
            examples=first(ungrouped),
            sentence=sentence("Pictures without a group: {n}. Each of them counts as its own.", n=len(ungrouped)),
        )


def _torn(rows: pd.DataFrame, found: pd.Series) -> Iterator[Finding]:
    """A warning for groups that are in more than one of the user's own splits."""
    torn = found.groupby(found).filter(lambda g: rows.loc[g.index, "split"].nunique() > 1)
    if len(torn):
        yield Finding(
            level="warning",
            code="group-torn",
            count=int(torn.nunique()),
            examples=first(torn.unique()),
            sentence=sentence(
                "Groups that are in more than one of your own splits: {n}. The score may be too good.",
                n=int(torn.nunique()),
            ),
        )


def _to_deal_out(rows: pd.DataFrame) -> Iterator[Finding]:
    """Findings for too few groups to fill three splits, or to have each class in all of them."""
    units = rows["group"].fillna("\x00" + rows["id"])
    per_class = units.groupby(rows["label"]).nunique()
    few = per_class[per_class < NEEDED]
    if units.nunique() < NEEDED:
        yield Finding(
            level="error",
            code="groups-too-few",
            count=int(units.nunique()),
            examples=first(units.unique()),
            sentence=sentence(
                "Training, validation and test need at least one group each; groups found: {n}.", n=int(units.nunique())
            ),
        )
    elif len(few):
        yield Finding(
            level="warning",
            code="class-few-groups",
            count=len(few),
            examples=first(few.index),
            sentence=sentence(
                "Classes in fewer than {needed} groups, which will be missing from a split ({n}): {labels}.",
                n=len(few),
                needed=NEEDED,
                labels=named(few),
            ),
        )
