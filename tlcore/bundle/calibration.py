"""The bundle's ``calibration.json``: temperature, decision threshold of two classes, and thresholds of labels."""

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
    """Binary decision: ``positive`` if its probability is at least ``threshold``, else the other class.

    ``goal`` and ``value``: the criterion that selected it on validation data (see `evaluation.thresholds.choose`).
    """

    model_config = ConfigDict(extra="forbid")

    positive: str
    threshold: float = Field(ge=0, le=1)
    goal: Literal["f1", "recall", "cost"]
    value: float | None = Field(None, allow_inf_nan=False)


class Calibration(BaseModel):
    """Temperature scaling and thresholds. Logits are divided by ``temperature``.

    Single-label: the most probable class wins, unless there is a ``decision``. Multi-label: ``threshold`` is set, each
    label has its own probability, and all labels at or above it are predicted. ``thresholds`` (one per label, in their
    order) replace ``threshold`` if given.
    """

    model_config = ConfigDict(extra="forbid")

    temperature: float = Field(1.0, gt=0, le=1000, allow_inf_nan=False)
    decision: Decision | None = None
    threshold: float | None = Field(None, gt=0, lt=1)
    thresholds: list[Annotated[float, Field(gt=0, lt=1)]] | None = None

    def fits(self, labels: Sequence[str]) -> None:
        """Raises ValueError if the decision or the number of thresholds does not match ``labels``."""
        if self.thresholds is not None and (self.threshold is None or len(self.thresholds) != len(labels)):
            raise ValueError("the thresholds are of other labels")
        if self.decision and (len(labels) != 2 or self.decision.positive not in labels or self.threshold):
            raise ValueError("the decision is about other classes")


def keep_decision(path: Path, decision: Decision | None) -> None:
    """Write a decision (None: the most probable class) into the bundle at ``path``.

    Raises ValueError if it does not match the bundle's classes.
    """
    _keep(path, {"decision": decision})


def keep_thresholds(path: Path, thresholds: Sequence[float] | None) -> None:
    """Write one threshold per label (None: the common ``threshold`` for all) into the bundle at ``path``.

    Raises ValueError if there are not as many as labels.
    """
    _keep(path, {"thresholds": None if thresholds is None else list(thresholds)})


def _keep(path: Path, change: dict[str, Any]) -> None:
    """Update the calibration of the bundle at ``path`` (atomic replace). Raises ValueError if it does not fit.

    The example's expected prediction and the manifest's digests are updated too; all other files stay.
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
