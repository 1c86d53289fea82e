"""What the tests share: a workspace, small pictures that can be told apart, and a tiny source model of timm's."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TLCORE_CHECKPOINT_SECONDS", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny networks: more threads only wait for each other

ASSETS = os.environ.get("TLCORE_ASSETS")


@pytest.fixture
def store(tmp_path):
    """An empty workspace of its own."""
    from tlcore.store import Store

    opened = Store.open(tmp_path / "workspace")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def assets() -> Path:
    """Real data and weights; tests that use them skip, saying so, where the folder is not there."""
    if not ASSETS or not Path(ASSETS).is_dir():
        pytest.skip("TLCORE_ASSETS names no folder: real data and weights are not here")
    return Path(ASSETS)


def draw(kind: str, seed: int, side: int = 48) -> Image.Image:
    """A noisy picture of stripes across, stripes down or dots."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    wave = {"across": np.sin(y / 2.5), "down": np.sin(x / 2.5), "dots": np.sin(x / 2.5) * np.sin(y / 2.5)}[kind]
    grey = 128 + 70 * wave[..., None] + rng.normal(0, 25, (side, side, 3)) + rng.uniform(-25, 25, 3)
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))


def write_photos(folder: Path, n: int, kinds: tuple[str, ...] = ("across", "down", "dots"), side: int = 48) -> Path:
    """A folder of one folder per class with ``n`` pictures in each."""
    for k, kind in enumerate(kinds):
        (folder / kind).mkdir(parents=True)
        for i in range(n):
            draw(kind, 1000 * k + i, side).save(folder / kind / f"{i:03}.png")
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """Three classes of thirty pictures."""
    return write_photos(tmp_path_factory.mktemp("photos") / "patterns", 30)


@pytest.fixture(scope="session")
def photos_zip(photos, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("zip") / "patterns.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(photos.rglob("*.png")):
            archive.write(file, file.relative_to(photos.parent))
    return path


@pytest.fixture(scope="session")
def tiny_source(tmp_path_factory) -> Path:
    """timm's smallest ResNet with random weights, in hub layout: a source model of half a megabyte."""
    import timm
    import torch
    from timm.models import save_for_hf

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tiny") / "test_resnet"
    save_for_hf(timm.create_model("test_resnet", num_classes=10), folder, safe_serialization=True)
    return folder


@pytest.fixture
def dataset(photos, store):
    """The photos as a dataset of the workspace."""
    from tlcore import data, tasks
    from tlcore.core.spec_parts import Data

    return data.read(Data(path=str(photos)), task=tasks.find("image-classification"), store=store, owner="local")


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium."""
    from browsing import browsing

    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """The address of a studio with its worker, on a workspace of its own."""
    from browsing import serving

    with serving(tmp_path_factory.mktemp("studio")) as address:
        yield address
