"""The visible data sets that the rules are fitted on: where they lie, how a few are drawn, and how trained.

A kind has a rule of its own, since what helps pictures need not help texts. Sets and sources come from the folder that
TLCORE_ASSETS names; a draw is a copy with train (stratified) and test (at most 400, the same for every draw).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
MOST, MOST_TEST = 200, 400
SIZES = {"few": 10, "many": None}  # examples a class; None: as many as MOST in all allow


@dataclass(frozen=True)
class Kind:
    """A material (`tlcore/modalities`): ``sets`` is name -> what `draw` needs, ``rates`` the middle one of each
    strategy's search."""

    name: str
    task: str
    sets: Mapping[str, Any]
    sources: tuple[str, ...]
    rates: Mapping[str, float]
    draw: Callable[[Path, Path, Any, str, int], None]  # assets, new folder, the set, size, number
    options: Callable[[Any], dict[str, Any]]

    def file(self, name: str) -> Path:
        """Where its lines of that name (grid, evidence, turns) lie."""
        return HERE / f"{name}-{self.name}.jsonl"

    def place(self, assets: Path, work: Path, name: str, size: str, number: int) -> Path:
        """The folder of a draw, made where it is not there."""
        folder = work / "draws" / f"{name}-{size}-{number}"
        if not folder.exists():
            draft = folder.with_suffix(".part")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            self.draw(assets, draft, self.sets[name], size, number)
            draft.rename(folder)
        return folder


def _wanted(size: str, classes: int) -> dict[str, int]:
    """Examples a class."""
    return {"train": SIZES[size] or MOST // classes, "test": MOST_TEST // classes}


def _pictures(assets: Path, draft: Path, of: tuple[str, int], size: str, number: int) -> None:
    origin = assets / "data" / of[0]
    labels = sorted(p.name for p in (origin / "train").iterdir() if p.is_dir())
    for split, most in _wanted(size, len(labels)).items():
        rng = np.random.default_rng(number if split == "train" else 0)
        for label in labels:
            files = sorted((origin / split / label).iterdir())
            (draft / split / label).mkdir(parents=True)
            for i in rng.permutation(len(files))[:most]:
                shutil.copyfile(files[i], draft / split / label / files[i].name)


def _texts(assets: Path, draft: Path, of: tuple[str, int], size: str, number: int) -> None:
    origin, most_classes = assets / "data" / of[0], of[1]
    tables = {split: pd.read_csv(origin / f"{split}.csv").drop_duplicates("text") for split in ("train", "test")}
    labels = sorted(tables["train"]["label"].unique())[:most_classes]
    for split, most in _wanted(size, len(labels)).items():
        table, seed = tables[split], number if split == "train" else 0
        rows = [table[table["label"] == label] for label in labels]
        few = pd.concat([one.sample(min(most, len(one)), random_state=seed) for one in rows])
        few[["text", "label"]].to_csv(draft / f"{split}.csv", index=False)


PICTURES = Kind(
    name="image",
    task="image-classification",
    sets={  # folder that holds train/ and test/, picture size
        "hymenoptera": ("hymenoptera", 96),
        "flowers5": ("flowers5", 96),
        "covid_xray": ("covid_xray", 96),
        "pacs-photo": ("pacs_photo_art/photo", 96),
        "pacs-art": ("pacs_photo_art/art_painting", 96),
        "cifar10": ("cifar10", 64),
        "mnist": ("digits_mnist_usps/mnist", 64),
        "usps": ("digits_mnist_usps/usps", 64),
    },
    sources=("mobilenetv2_100_in1k", "mobilenetv2_100_inat_bird", "bundled/studio-small"),
    rates={"fine-tuning": 4e-4, "linear-probe-then-fine-tune": 4e-4, "scratch": 1.6e-3},
    draw=_pictures,
    options=lambda of: {"image_size": of[1]},
)
TEXTS = Kind(
    name="text",
    task="text-classification",
    sets={  # folder that holds train.csv and test.csv, classes at most
        "sst2": ("sst2", 2),
        "sms_spam": ("sms_spam", 2),
        "ag_news": ("ag_news", 4),
        "banking10": ("banking77", 10),
        "tweets_mg_pt": ("tweets_mg_pt", 3),
    },
    sources=("bundled/minilm-l6",),
    rates={"fine-tuning": 1e-4, "linear-probe-then-fine-tune": 1e-4, "scratch": 4e-4},
    draw=_texts,
    options=lambda of: {},
)
KINDS = {kind.name: kind for kind in (PICTURES, TEXTS)}
