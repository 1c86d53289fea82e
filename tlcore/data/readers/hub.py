"""A dataset on the Hugging Face hub, by its name; streamed, so that only what is kept reaches the disk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tlcore.data.archives import LIMITS
from tlcore.data.findings import Finding, SetAside
from tlcore.data.readers.contract import RawRow, label_problem, split_name, tidy_label
from tlcore.data.readers.image_table import NAMES
from tlcore.data.trees import Tree
from tlcore.errors import UnusableInput
from tlcore.words import Sentence, say

SECONDS = 3.0
NAME = re.compile(r"(?P<name>[\w.-]+(/[\w.-]+)?)(/(?P<config>[\w.-]+))?(@(?P<revision>[\w./-]+))?")


class Hub:
    id = "hub"
    title = say("A dataset on the hub")
    what = say("hf://owner/name: a dataset of the Hugging Face hub with a column of pictures and one of labels.")
    suffixes: tuple[str, ...] = ()
    example = ""

    def reads(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        return tree.hub is not None

    def read(self, tree: Tree, columns: Mapping[str, str], group: str | None) -> Iterator[RawRow | SetAside | Finding]:
        assert tree.hub is not None
        match = NAME.fullmatch(tree.hub)
        if not match:
            raise _refuse(
                say("{name} is no name of a dataset; write hf://owner/name.", name=tree.hub), tree, "hub-name"
            )
        name, config, revision = match["name"], match["config"], match["revision"]
        sets = _load(tree, name, config, revision)
        named = {part: split_name(part) for part in sets}
        by_split = len([s for s in named.values() if s]) > 1
        for part, rows in sets.items():
            if by_split and named[part] is None:
                yield Finding(
                    level="note",
                    code="hub-split",
                    examples=[part],
                    sentence=say(
                        "The part {part} of the dataset is neither train, validation nor test and was left out.",
                        part=part,
                    ),
                )
                continue
            yield from _rows(tree, part, rows, columns, group, named[part] if by_split else None)


def _load(tree: Tree, name: str, config: str | None, revision: str | None) -> Mapping[str, Any]:
    """The dataset's parts, streaming where the hub answers, from the cache where the machine is set
    offline.
    """
    import datasets
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    offline = constants.HF_HUB_OFFLINE
    if not offline:
        try:
            HfApi().dataset_info(name, revision=revision, timeout=SECONDS)
        except RepositoryNotFoundError:
            raise _refuse(
                say(
                    "The hub has no dataset {name}, or it needs a token (HF_TOKEN) that may read it.",
                    name=name,
                ),
                tree,
                "hub-missing",
            ) from None
        except HFValidationError:
            raise _refuse(
                say("{name} is no name of a dataset; write hf://owner/name.", name=name), tree, "hub-name"
            ) from None
        except HfHubHTTPError as error:
            raise _refuse(
                say(
                    "The hub did not hand out {name}: {problem}",
                    name=name,
                    problem=str(error).splitlines()[0][:200],
                ),
                tree,
                "hub-unreachable",
            ) from None
        except Exception:
            raise _refuse(
                say("The hub cannot be reached from this machine; give a folder, a zip or a table instead."),
                tree,
                "hub-unreachable",
            ) from None
    try:
        found = datasets.load_dataset(name, config, revision=revision, streaming=not offline)
    except Exception as error:
        raise _refuse(
            say(
                "The dataset {name} cannot be read: {problem}",
                name=name,
                problem=(str(error).strip().splitlines() or [type(error).__name__])[0][:300],
            ),
            tree,
            "hub-unreadable",
        ) from None
    return dict(found)


def _rows(
    tree: Tree, part: str, rows: Any, columns: Mapping[str, str], group: str | None, split: str | None
) -> Iterator[RawRow | SetAside | Finding]:
    """The rows of one part, pictures as bytes, labels by their names."""
    import datasets

    if rows.features is None:
        rows = rows._resolve_features() if hasattr(rows, "_resolve_features") else rows
    features = rows.features or {}
    image = _column("image", columns, features, tree, datasets.Image)
    label = _column("label", columns, features, tree, datasets.ClassLabel)
    groups = columns.get("group") or (group if group in features else None)
    names = getattr(features[label], "names", None)
    rows = rows.cast_column(image, datasets.Image(decode=False))
    rows = rows.select_columns([c for c in dict.fromkeys((image, label, groups)) if c])
    try:
        for number, cells in enumerate(rows, start=1):
            if number > LIMITS.entries:
                raise _refuse(
                    say("The dataset holds more than {limit} pictures.", limit=LIMITS.entries),
                    tree,
                    "too-many-files",
                )
            id, code = f"{part}/{number:06d}", cells[label]
            text = names[code] if names and isinstance(code, int) and 0 <= code < len(names) else code
            shown = "" if names and isinstance(code, int) and code < 0 else tidy_label(text)
            cell = cells[image] or {}
            if problem := label_problem(shown) or _picture_problem(cell):
                yield SetAside(file=id, row=number, reason=problem)
                continue
            yield RawRow(id, cell["bytes"], shown, split, tidy_label(cells[groups]) or None if groups else None, number)
    except UnusableInput:
        raise
    except Exception as error:
        raise _refuse(
            say(
                "Reading the dataset stopped at row {row} of {part}: {problem}",
                row=number,
                part=part,
                problem=(str(error).strip().splitlines() or [type(error).__name__])[0][:300],
            ),
            tree,
            "hub-unreadable",
        ) from None


def _column(role: str, columns: Mapping[str, str], features: Mapping[str, Any], tree: Tree, kind: type) -> str:
    """The column of a role: as the person said, else by its kind, else by its name."""
    if role in columns:
        if columns[role] in features:
            return columns[role]
    else:
        by_kind = [name for name, feature in features.items() if isinstance(feature, kind)]
        by_name = [name for name in features if name.lower().replace("_", "") in NAMES[role]]
        for found in ([n for n in by_kind if n in by_name], by_kind, by_name):
            if found:
                return found[0]
    raise _refuse(
        say(
            "The dataset has no column for the {role}; its columns are {columns}. Say which one it is.",
            role=say("picture") if role == "image" else say("label"),
            columns=list(features)[:20],
        ),
        tree,
        "columns",
    )


def _picture_problem(cell: Mapping[str, Any]) -> Sentence | None:
    return None if isinstance(cell.get("bytes"), bytes) else say("It names no picture.")


def _refuse(sentence: Sentence, tree: Tree, code: str) -> UnusableInput:
    return UnusableInput(sentence, code=code, file=tree.origin)


READER = Hub()
