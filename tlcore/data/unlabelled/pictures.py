"""Unlabelled images: every image of a zip or folder, whatever its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import NOT_A_PICTURE, RejectedRow
from tlcore.core.i18n import sentence
from tlcore.core.uploads.file_tree import Tree, is_picture_name
from tlcore.modalities.contract import RawRow


class Pictures:
    id = "image"
    what = sentence("A zip or folder of pictures; how they lie in it plays no part.")
    suffixes: tuple[str, ...] = ()

    def read(self, tree: Tree, columns: Mapping[str, str]) -> Iterator[RawRow | RejectedRow]:
        names = [name for name in sorted(tree.entries) if is_picture_name(name)]
        if not names:
            raise UnusableInput(
                sentence("{file} holds no pictures.", file=tree.origin), code="no-pictures", file=tree.origin
            )
        for name in sorted(tree.entries):
            if is_picture_name(name):
                yield RawRow(name, tree.entries[name], "")
            else:
                yield RejectedRow(file=name, reason=NOT_A_PICTURE)


BARE = Pictures()
