"""The text modality: texts are stored in the table of rows, not in files. A million of them fit in memory."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow, rejection_findings
from tlcore.core.i18n import Sentence, sentence
from tlcore.modalities import duplicates
from tlcore.modalities.contract import Progress, RawText, in_a_split
from tlcore.modalities.group_checks import check_groups
from tlcore.modalities.groups import by_pattern
from tlcore.modalities.text import languages, near_duplicates, personal_data

if TYPE_CHECKING:
    from tlcore.core.uploads.file_tree import Tree

CHUNK = 20_000  # rows held as Python objects at a time
MOST = 5_000_000
OVERLAP = 13  # words in an n-gram for contamination
SAID = ("text", "target", "completion")  # text columns compared for contamination
LONG = 2_000  # characters: about 500 words, more than most models read
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("sha256", pa.string()),
        ("same", pa.int64()),
        ("label", pa.string()),
        ("truth", pa.string()),
        ("split", pa.string()),
        ("group", pa.string()),
        ("row", pa.int64()),
        ("characters", pa.int32()),
    ]
)
NOT_WORDS = re.compile(r"[\W_]+")
GARBLED = "\ufffd|\u00c3[\u00a0-\u00bf\u0152-\u2122]|\u00e2\u20ac"  # UTF-8 decoded with a wrong encoding
WORDS = duplicates.Words(
    several=lambda **params: sentence("The same text has several labels: {labels}.", **params),
    copy=lambda **params: sentence("Its text is the same as that of {file}.", **params),
    crossing=lambda **params: sentence("The same text is in the {split} set as {file}.", **params),
    conflicts=lambda **params: sentence("Texts that appear under more than one label, rejected: {n}.", **params),
    leaks=lambda **params: sentence(
        "Texts that are in two of your splits: {n}. The copy outside of the test set was rejected, so that the score "
        "is of texts never seen in training.",
        **params,
    ),
    copies=lambda **params: sentence(
        "Texts with the same words as another one (case, blanks and punctuation aside), of which one each was kept: "
        "{n}.",
        **params,
    ),
    decide=sentence("Decide which label is right, and upload each text once."),
    alike=lambda **params: sentence(
        "Texts that share about 70 % of their word pairs with another one, or more: {n}. Where the studio cuts the "
        "split and you gave no groups, it keeps them in the same split.",
        **params,
    ),
    alike_leaks=lambda **params: sentence(
        "Texts that are almost the same are in two of your splits, so the score may be too good: {n}.", **params
    ),
    alike_conflicts=lambda **params: sentence("Texts that are almost the same have different labels: {n}.", **params),
    look=sentence("Look at these rows and decide."),
)


class Texts:
    id = "text"

    def none_here(self, file: str, wanted: Sequence[Sentence]) -> UnusableInput:
        return UnusableInput(
            sentence(
                "{file} holds nothing that this task reads, which is: {formats}.", file=file, formats=list(wanted)
            ),
            code="no-texts",
            file=file,
        )

    def nothing_usable(self, file: str) -> Sentence:
        return sentence("{file} holds no text with a label.", file=file)

    def ingest(
        self, stream: Iterator[RawText | RejectedRow | Finding], tree: Tree, files: Path, progress: Progress | None
    ) -> tuple[pd.DataFrame, list[RejectedRow], list[Finding]]:
        rejected, findings = list(tree.set_aside), list[Finding]()
        parts: list[pa.Table] = []
        schema = SCHEMA
        waiting: list[dict[str, Any]] = []
        last_progress, n = time.monotonic(), 0
        for item in stream:
            if isinstance(item, RejectedRow):
                rejected.append(item)
                continue
            if isinstance(item, Finding):
                findings.append(item)
                continue
            n += 1
            if n > MOST:
                raise UnusableInput(
                    sentence("The table holds more than {limit} texts; upload a part of them.", limit=MOST),
                    code="too-many-rows",
                    file=tree.origin,
                )
            if n == 1:
                schema = pa.schema([*SCHEMA, *((name, pa.string()) for name in item.more)])
            waiting.append(_row(item))
            if len(waiting) == CHUNK:
                parts.append(pa.Table.from_pylist(waiting, schema))
                waiting = []
            if progress and n % 1000 == 0 and time.monotonic() - last_progress > 0.5:
                last_progress = time.monotonic()
                progress(None, sentence("Texts checked: {n}", n=n))
        parts.append(pa.Table.from_pylist(waiting, schema))
        if progress:
            progress(0.9, sentence("Looking for duplicates among {n} texts", n=n))
        return pa.concat_tables(parts).to_pandas(), rejected, findings

    def check(
        self, taken: pd.DataFrame, rejected: list[RejectedRow], group: str | None, task: Any
    ) -> tuple[pd.DataFrame, list[RejectedRow], list[Finding]]:
        findings = rejection_findings(rejected)
        rows = taken.astype({"row": "Int64"})
        stay, rejected = in_a_split(rows, rejected)
        rows = rows[stay]
        agreed = rows["truth"].where(rows["truth"].notna(), rows["label"])
        stay, copies, copy_findings = duplicates.exact(rows.assign(label=agreed), "same", WORDS)
        rows = rows[stay].drop(columns=["same", "truth"]).reset_index(drop=True)
        if group and rows["group"].isna().all() and len(rows):
            # Texts have no file names to match, so a missing column was probably meant.
            found = by_pattern(group, rows["id"])
            if not any(found):
                raise UnusableInput(
                    sentence("There is no column {group} to keep together.", group=group[:200]), code="group"
                )
            rows["group"] = found
        whole = _whole(rows)
        once = ~whole.duplicated()  # a context with several questions is not its own near duplicate
        near, near_said = duplicates.alike(rows[once], near_duplicates.clusters(whole[once]), WORDS)
        rows["near"] = whole.map(dict(zip(whole[once], near, strict=True)))
        rows["language"] = languages.column(rows["text"])
        findings += [
            *copy_findings,
            *near_said,
            *languages.findings(rows),
            *task.check(rows),
            *check_groups(rows, group),
            *_lengths(rows),
            *_garbled(rows),
            *personal_data.of_rows(rows),
        ]
        return rows, rejected + copies, findings

    def contaminated(self, rows: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
        """Which rows (bool, (n,)) have the same words as a known text.

        Where ``known`` holds blocks of documents, whose borders differ from those of other texts, a row also matches
        where a run of `OVERLAP` of its words, or all words of a shorter text, occurs in a known text.
        """
        texts = rows["text"].map(normalised)
        own = {normalised(text) for name in SAID if name in known for text in known[name].dropna()}
        found = texts.isin(own)
        return found | _inside(texts, own) if "document" in known else found


def normalised(text: str) -> str:
    """The words of a text, case-folded, with one space for spaces and punctuation.

    A text without words is returned unchanged.
    """
    return NOT_WORDS.sub(" ", text.casefold()).strip() or text


def _inside(texts: pd.Series, own: set[str]) -> pd.Series:
    """Which texts (bool, (n,)) share a run of up to `OVERLAP` words with one of ``own``.

    Source: Brown et al. 2020, arXiv 2005.14165, appendix C, which finds test texts in training texts this way.
    """
    words, wholes = texts.str.split(), [text.split() for text in own]
    length = words.map(len).clip(upper=OVERLAP)
    found = pd.Series(False, index=texts.index)
    for n in sorted(set(length)):
        known = {run for text in wholes for run in _runs(text, n)}
        found |= (length == n) & words.map(lambda text, n=n, known=known: not known.isdisjoint(_runs(text, n)))
    return found


def _runs(words: list[str], n: int) -> Iterator[int]:
    """A hash of each n-gram of words."""
    return (hash(tuple(words[i : i + n])) for i in range(len(words) - n + 1))


def _whole(rows: pd.DataFrame) -> pd.Series:
    """The full text of each example: the prompt and its completion, where there is one."""
    return rows["text"] + "\n" + rows["completion"] if "completion" in rows else rows["text"]


def _row(item: RawText) -> dict[str, Any]:
    same = hashlib.blake2b(normalised(item.same or item.text).encode(), digest_size=8).digest()
    whole = "\x1f".join([item.text, *item.more.values()])
    return {
        **item.more,
        "id": item.id,
        "text": item.text,
        "sha256": hashlib.sha256(whole.encode()).hexdigest(),
        "same": int.from_bytes(same, "big", signed=True),
        "label": item.label,
        "truth": item.truth,
        "split": item.split,
        "group": item.group,
        "row": item.row,
        "characters": len(item.text),
    }


def _garbled(rows: pd.DataFrame) -> list[Finding]:
    found = rows[rows["text"].str.contains(GARBLED, regex=True)]
    if found.empty:
        return []
    return [
        Finding(
            level="warning",
            code="garbled",
            count=len(found),
            examples=found["id"].head(10).tolist(),
            sentence=sentence(
                "Texts with signs of a wrong encoding, such as {signs}: {n}.", signs=["Ã©", "�"], n=len(found)
            ),
            fix=sentence("Save the table as UTF-8 and upload it again."),
        )
    ]


def _lengths(rows: pd.DataFrame) -> list[Finding]:
    long = rows[rows["characters"] > LONG]
    if long.empty:
        return []
    return [
        Finding(
            level="note",
            code="long-texts",
            count=len(long),
            examples=long["id"].head(10).tolist(),
            sentence=sentence(
                "Texts longer than {limit} characters: {n}. The plan says how much of a long text is read.",
                limit=LONG,
                n=len(long),
            ),
        )
    ]


MODALITY = Texts()
