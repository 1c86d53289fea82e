"""How long the check of a large upload takes, and how much memory: 20,000 small JPEGs in one zip.

    python benchmarks/data_check.py [--pictures 20000] [--side 160] [--keep FOLDER]

Prints one JSON object: seconds of reading and checking, of making the dataset, pictures a second, and the peak
resident memory of the process (MB) with what it was before the upload was opened.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 20


def make(path: Path, pictures: int, side: int) -> None:
    """A zip of smooth random JPEGs, one in a hundred a re-saved copy of another."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        image = Image.new("RGB", (side, side))
        for i in range(pictures):
            if i % 100:
                coarse = Image.fromarray(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8))
                image = coarse.resize((side, side), Image.Resampling.BICUBIC)
            out = io.BytesIO()
            image.save(out, "JPEG", quality=90 if i % 100 else 70)
            archive.writestr(f"class{(i - (i % 100 == 0)) % CLASSES:02}/{i:05}.jpg", out.getvalue())


def peak() -> float:
    """Peak resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--side", type=int, default=160)
    parser.add_argument(
        "--keep", type=Path, help="a folder to work in that is not deleted; its upload.zip is used again"
    )
    asked = parser.parse_args()

    from tlcore import tasks
    from tlcore.core.spec_parts import Split
    from tlcore.data.confirm import confirm
    from tlcore.data.staging import stage
    from tlcore.store import Store

    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        upload = folder / "upload.zip"
        if not upload.exists():
            make(upload, asked.pictures, asked.side)
        store, before = Store.open(folder / "workspace"), peak()
        began = time.perf_counter()
        staged = stage(upload, task=tasks.find("image-classification"), folder=folder / "staging")
        checked = time.perf_counter()
        after_check = peak()
        dataset = confirm(staged, store, split=Split(), corrections=None, name="benchmark", owner="local")
        done = time.perf_counter()
        store.close()
    print(
        json.dumps(
            {
                "pictures": asked.pictures,
                "side": asked.side,
                "kept": len(staged.rows),
                "megabytes": round(sum(staged.rows["bytes"]) / 1e6, 1),
                "seconds_check": round(checked - began, 1),
                "pictures_per_second": round(asked.pictures / (checked - began)),
                "seconds_dataset": round(done - checked, 1),
                "memory_before": round(before),
                "memory_after_check": round(after_check),
                "memory_peak": round(peak()),
                "findings": {f.code: f.count for f in staged.findings},
                "n": dataset.info.n,
            }
        )
    )


if __name__ == "__main__":
    main()
