"""The bundle's ``calibration.json``: how sure the model says it is, its line between two classes, and from where on a
text has a label.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tlcore.bundle import layout


class Decision(BaseModel):
    """From ``threshold`` up the answer is ``positive``, else the other of two classes.

    ``goal`` and ``value`` say what it was chosen for on validation data (see `evaluation.thresholds.choose`).
    """

    model_config = ConfigDict(extra="forbid")

    positive: str
    threshold: float = Field(ge=0, le=1)
    goal: Literal["f1", "recall", "cost"]
    value: float | None = Field(None, allow_inf_nan=False)


class Calibration(BaseModel):
    """Logits are divided by ``temperature`` before they become probabilities; without a decision the likeliest wins.

    With a ``threshold`` each label has a probability of its own, and those from it up are all given, or those from
    their place's among ``thresholds``, which are in the order of the labels.
    """

    model_config = ConfigDict(extra="forbid")

    temperature: float = Field(1.0, gt=0, le=1000, allow_inf_nan=False)
    decision: Decision | None = None
    threshold: float | None = Field(None, gt=0, lt=1)
    thresholds: list[Annotated[float, Field(gt=0, lt=1)]] | None = None

    def fits(self, labels: Sequence[str]) -> None:
        """Raises ValueError where a decision is not between these labels, or thresholds are not theirs."""
        if self.thresholds is not None and (self.threshold is None or len(self.thresholds) != len(labels)):
            raise ValueError("the thresholds are of other labels")
        if self.decision and (len(labels) != 2 or self.decision.positive not in labels or self.threshold):
            raise ValueError("the decision is about other classes")


def keep_decision(path: Path, decision: Decision | None) -> None:
    """Write a decision (None: the likeliest class) into the bundle at ``path``. Raises ValueError where it is not
    between the bundle's classes.
    """
    _keep(path, {"decision": decision})


def keep_thresholds(path: Path, thresholds: Sequence[float] | None) -> None:
    """Write a threshold for each label (None: one half for all) into the bundle at ``path``. Raises ValueError where
    they are not as many as its labels.
    """
    _keep(path, {"thresholds": None if thresholds is None else list(thresholds)})


def _keep(path: Path, change: dict[str, Any]) -> None:
    """Replace the bundle at ``path`` by one with that change of its calibration: beside it, the example's expected
    answer and the manifest's digests change; every other file stays.
    """
    from tlcore.runtime.predict_images import said

    with zipfile.ZipFile(path) as old:
        manifest = json.loads(old.read("manifest.json"))
        labels = json.loads(old.read("labels.json"))
        found = old.read(layout.CALIBRATION) if layout.CALIBRATION in old.namelist() else b"{}"
        calibration = Calibration.model_validate_json(found).model_copy(update=change)
        calibration.fits(labels)
        changed = {layout.CALIBRATION: _json(calibration.model_dump())}
        if "example/expected.json" in old.namelist():
            import numpy as np

            expected = json.loads(old.read("example/expected.json"))
            prediction, sure = said(np.array(expected["probability"]), labels, calibration.model_dump())
            expected |= {"prediction": prediction, "confidence": sure}
            changed["example/expected.json"] = _json(expected)
        manifest["files"] |= {name: hashlib.sha256(content).hexdigest() for name, content in changed.items()}
        manifest["files"] = dict(sorted(manifest["files"].items()))
        changed["manifest.json"] = _json(manifest)
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with zipfile.ZipFile(draft, "w") as new:
            for name in sorted({*old.namelist(), *changed}):
                member = zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0))
                member.external_attr = 0o644 << 16
                member.compress_type = zipfile.ZIP_DEFLATED
                if name in old.namelist():
                    member.compress_type = old.getinfo(name).compress_type
                with new.open(member, "w", force_zip64=True) as target:
                    if name in changed:
                        target.write(changed[name])
                    else:
                        with old.open(name) as source:
                            shutil.copyfileobj(source, target, 1 << 20)
    os.replace(draft, path)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode()
