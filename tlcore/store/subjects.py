"""What a job works on, where only one job at a time may: the label savings of a run, or a pilot race."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def subject(kind: str, asked: Mapping[str, Any]) -> str | None:
    """The subject of a job with that input, at most 80 characters; None for a job that shares nothing with others."""
    if kind == "label-savings" and asked.get("run"):
        return f"{kind}:{asked['run']}"[:80]
    if kind == "race":
        spec = asked.get("spec") or {}
        # The data are those of the fingerprint, whatever else the Spec says of where they came from.
        about = {**asked, "spec": {**spec, "data": (spec.get("data") or {}).get("dataset")}}
        return f"{kind}:{hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()[:32]}"
    return None
