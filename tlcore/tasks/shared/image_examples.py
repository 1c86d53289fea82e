"""The images of one split: decoded once, cached on disk as small squares, served in batches."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import PIL
from filelock import FileLock

from tlcore.core import atomic_files
from tlcore.data.splits import units
from tlcore.runtime.image_canvas import canvas
from tlcore.store import cache
from tlcore.tasks.shared import augmentation

if TYPE_CHECKING:
    import torch

    from tlcore.data.dataset import Dataset

CACHE_BYTES = 20 * 2**30
DECODE_VERSION = 1  # raise with any change of the decoded pixels; older cache files are then ignored
PAIRS = "pairs"  # augmentation with two strong views of each image; "pairs-no-flip" never mirrors


class Canvases:
    """Decoded images of a dataset as one memory-mapped array (n, S', S', 3), filled on request.

    A second file holds a digest (n,) of each image. A cached image is used only if its digest matches; each process
    checks this once, because on a shared folder the digest may become visible before the pixels. Disk space is reserved
    when the file is created, so that a full disk raises OSError then and no signal later. Datasets above
    ``CACHE_BYTES``, or without a folder, are not cached and are decoded anew in every epoch.
    """

    def __init__(self, dataset: Dataset, side: int, interpolation: str, folder: Path | None):
        self.files = [dataset.file(name) for name in dataset.rows["file"]]
        self.side, self.interpolation = side, interpolation
        shape = (len(self.files), side, side, 3)
        self.kept: np.ndarray | None = None
        if folder and int(np.prod(shape)) <= CACHE_BYTES:
            folder.mkdir(parents=True, exist_ok=True)
            how = hashlib.sha256(f"{DECODE_VERSION} {PIL.__version__}".encode()).hexdigest()[:8]
            stem = f"{dataset.cached_as}-{side}-{interpolation}-{how}"
            self.kept = _mapped(folder / f"{stem}.npy", shape, np.uint8)
            self.digests = _mapped(folder / f"{stem}.digests.npy", shape[:1], np.uint64)
            self.checked = np.zeros(shape[0], bool)
        self.pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="decode")

    def get(self, rows: np.ndarray) -> np.ndarray:
        """The canvases of these rows, (k, S', S', 3) uint8."""
        if self.kept is None:
            return np.stack(list(self.pool.map(self._decode, rows)))
        missing = [row for row in rows[~self.checked[rows]] if not self._intact(row)]
        if missing:
            for row, picture in zip(missing, self.pool.map(self._decode, missing), strict=True):
                self.kept[row] = picture
                self.digests[row] = _digest(picture)
                self.checked[row] = True
        return self.kept[rows]

    def _intact(self, row: int) -> bool:
        """Whether the cache file holds the complete image of this row."""
        assert self.kept is not None
        self.checked[row] = self.digests[row] != 0 and self.digests[row] == _digest(self.kept[row])
        return bool(self.checked[row])

    def _decode(self, row: int) -> np.ndarray:
        from tlcore.runtime.images import open_picture

        return canvas(open_picture(self.files[row]), self.side, self.interpolation)


class PictureExamples:
    """One split: ``ids``, ``labels`` (indices into the target's labels, -1 where unknown) and batches of tensors."""

    def __init__(
        self, dataset: Dataset, split: str, labels: Sequence[str], processor: dict[str, Any], canvases: Canvases
    ):
        rows = dataset.rows
        self.rows = np.flatnonzero((rows["split"] == split).to_numpy())
        self.ids = rows["id"].iloc[self.rows].tolist()
        index = {label: i for i, label in enumerate(labels)}
        self.labels = np.array([index.get(label, -1) for label in rows["label"].iloc[self.rows]], dtype=np.int64)
        self.groups = units(rows.iloc[self.rows])
        self.processor, self.canvases = processor, canvases

    def __len__(self) -> int:
        return len(self.rows)

    def batches(
        self, chunks: Sequence[np.ndarray], key: tuple[int, int] | None, device: str
    ) -> Iterator[dict[str, torch.Tensor]]:
        """One batch for each chunk of indices.

        ``pixels`` (k, 3, S, S) float32 channels-last, ``labels`` (k,), and ``places``, the indices.

        ``key`` is None for evaluation, else (seed, epoch) for augmentation. With pair augmentation ``pixels`` is (2k,
        3, S, S): the first views of all k images, then the second views. A thread loads the next batch ahead; tensors
        are created in the calling thread, which owns torch's threads.
        """
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="next-batch") as ahead:
            waiting = [ahead.submit(self.canvases.get, self.rows[chunk]) for chunk in chunks[:1]]
            for chunk, following in zip(chunks, [*chunks[1:], None], strict=True):
                canvases = waiting.pop().result()
                if following is not None:
                    waiting.append(ahead.submit(self.canvases.get, self.rows[following]))
                yield self._tensors(canvases, chunk, key, device)

    def _tensors(
        self, canvases: np.ndarray, chunk: np.ndarray, key: tuple[int, int] | None, device: str
    ) -> dict[str, torch.Tensor]:
        import torch

        whole = torch.from_numpy(canvases).to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)
        kind, size = self.processor["augmentation"], self.processor["size"]
        if key is None or kind == "none":
            view = augmentation.evaluation_view(whole, size)
        elif kind.startswith(PAIRS):
            numbers = augmentation.uniform(*key, self.rows[chunk], 2 * augmentation.VIEW_DRAWS)
            flip = kind == PAIRS
            view = torch.cat([augmentation.contrast(whole, size, u, flip) for u in np.split(numbers, 2, axis=1)])
        else:
            numbers = augmentation.uniform(*key, self.rows[chunk])
            view = augmentation.augment(whole, size, numbers, flip=kind == "standard")
        pixels = augmentation.normalise(view, self.processor).contiguous(memory_format=torch.channels_last)
        return {"pixels": pixels, "labels": torch.from_numpy(self.labels[chunk]).to(device), "places": chunk}


def _digest(picture: np.ndarray) -> np.uint64:
    """A digest of the pixels; never 0, which marks a missing image."""
    found = hashlib.blake2b(np.ascontiguousarray(picture).data, digest_size=8).digest()
    return np.uint64(int.from_bytes(found, "little") | 1)


def _mapped(path: Path, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """A zero-filled array on disk, opened or created; safe for concurrent processes.

    Raises OSError (ENOSPC) where the disk has no room for it.
    """
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            with atomic_files.atomic_path(path) as draft, draft.open("wb") as file:
                header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                file.flush()
                _reserve(file, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        opened = np.lib.format.open_memmap(path, mode="r+")
    cache.touch(path)
    return opened


def _reserve(file: IO[bytes], size: int) -> None:
    """Append ``size`` bytes of zeros to a file, allocated on disk. Raises OSError where it is full."""
    if size == 0:
        return
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), file.tell(), size)
        return
    while size > 0:
        size -= file.write(bytes(min(size, 1 << 24)))
