"""Reader of one folder per class, in a zip or folder, optionally below a wrapper folder or split folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import NOT_A_PICTURE, Finding, RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads.file_tree import Tree, is_picture_name, suffix
from tlcore.data.readers.contract import label_problem, split_name, tidy_label
from tlcore.data.tables.rows import open_table
from tlcore.modalities.contract import RawRow


class ImageFolder:
    id = "image-folder"
    title = sentence("One folder for each class")
    what = sentence(
        "A zip or a folder with one folder of pictures for each class, also inside train, validation and test."
    )
    suffixes: tuple[str, ...] = ()
    example = ""

    def matches(self, tree: Tree, columns: Mapping[str, str]) -> bool:
        return any(is_picture_name(name) for name in tree.entries)

    def read(
        self, tree: Tree, columns: Mapping[str, str], group: str | None
    ) -> Iterator[RawRow | RejectedRow | Finding]:
        pictures = [name for name in tree.entries if is_picture_name(name)]
        for name in tree.entries:
            if not is_picture_name(name):
                yield RejectedRow(file=name, reason=_stray(name))
        wrapper = _wrapper(pictures)
        splits = _user_splits(pictures, wrapper, tree.origin)
        below = wrapper + (1 if splits else 0)
        if not any(name.count("/") > below for name in pictures):
            if tree.tables:
                raise _unmapped(tree)
            raise _refuse(
                sentence(
                    "{file} has no folders that name the classes; put the pictures of each class into "
                    "a folder of its own, or add a table with file names and labels.",
                    file=tree.origin,
                ),
                tree.origin,
            )
        for name in sorted(pictures):
            parts = name.split("/")[wrapper:]
            split = split_name(parts[0]) if splits else None
            if splits and split is None:
                yield RejectedRow(
                    file=name, reason=sentence("It lies outside of the train, validation and test folders.")
                )
                continue
            parts = parts[1:] if splits else parts
            if len(parts) < 2:
                yield RejectedRow(file=name, reason=sentence("It lies in no class folder."))
                continue
            label = tidy_label(parts[0])
            if problem := label_problem(label):
                yield RejectedRow(file=name, reason=problem)
            else:
                yield RawRow(name, tree.entries[name], label, split)


def _stray(name: str) -> Sentence:
    if suffix(name) in (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz"):
        return sentence("Archives inside of the upload are not opened.")
    return NOT_A_PICTURE


def _wrapper(pictures: list[str]) -> int:
    """The number of folders that contain all classes, such as ``leaves`` in ``leaves/rose/1.jpg``."""
    depth, names = 0, [name.split("/") for name in pictures]
    while True:
        deep = [parts for parts in names if len(parts) > depth + 2]
        first = Counter(parts[depth] for parts in names if len(parts) > depth + 1)
        if len(first) != 1 or len(deep) * 2 < len(names) or split_name(next(iter(first))):
            return depth
        depth += 1


def _user_splits(pictures: list[str], wrapper: int, origin: str) -> bool:
    """Whether the top folders are the user's own splits. Raises UnusableInput for incomplete split folders."""
    tops = Counter(name.split("/")[wrapper] for name in pictures if name.count("/") > wrapper)
    known = {split_name(top) for top in tops} - {None}
    named = sum(n for top, n in tops.items() if split_name(top))
    deep = sum(n.count("/") >= wrapper + 2 and split_name(n.split("/")[wrapper]) is not None for n in pictures)
    if not known or named * 2 < sum(tops.values()) or (len(known) == 1 and len(tops) > 1):
        return False
    if len(known) == 1:
        return deep > 0
    if "train" not in known:
        if deep * 2 < named:
            return False  # two classes named test and dev, not splits
        raise _refuse(sentence("{file} has a test set but no folder train to learn from.", file=origin), origin)
    if deep * 2 < named:
        raise _refuse(
            sentence(
                "The folders train, validation and test of {file} must hold one folder for each class.",
                file=origin,
            ),
            origin,
        )
    return True


def _unmapped(tree: Tree) -> UnusableInput:
    """The error for a table beside the images whose columns cannot be identified by name."""
    name = next(iter(tree.tables))
    return UnusableInput(
        sentence(
            "It could not be told which column of {file} names the picture and which the label. Its columns are: "
            "{columns}. Name both under “Columns and groups” (in a Spec: data.columns).",
            file=name,
            columns=open_table(tree.entries[name], name).columns[:20],
        ),
        code="columns",
        file=name,
    )


def _refuse(message: Sentence, origin: str) -> UnusableInput:
    return UnusableInput(message, code="no-classes", file=origin)


READER = ImageFolder()
