"""ONNX export: the exported model is compared with torch on real examples, and timed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tlcore.core.i18n import sentence

OPSET = 17
TOLERANCE = 1e-3
CHECKED = 64  # examples
INPUT, OUTPUT = "pixels", "logits"


def export(
    model: Any,
    example: tuple[Any, ...],
    path: Path,
    free: Mapping[str, dict[int, str]],
    outputs: Mapping[str, dict[int, str]] | None = None,
) -> None:
    """Write the network as one ONNX file of a fixed opset, traced on ``example``.

    ``free`` maps input names, in order, to their dynamic axes; ``outputs`` likewise (default: logits (n, classes)).
    """
    outputs = outputs or {OUTPUT: {0: "n"}}
    import torch

    model = model.to("cpu").eval()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            example,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(free),
            output_names=list(outputs),
            dynamic_axes={**free, **outputs},
        )


def session(model: str | bytes) -> Any:
    """An onnxruntime session on the CPU. Its threads do not busy-wait, because other work shares the machine."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(session: Any, feed: Mapping[str, np.ndarray]) -> np.ndarray:
    """The network's first output, logits (n, …). ``feed`` maps input names to arrays; unknown names are ignored."""
    known = [one.name for one in session.get_inputs()]
    return session.run(None, {name: np.ascontiguousarray(feed[name]) for name in known})[0]


def by_torch(model: Any, feed: Mapping[str, np.ndarray]) -> np.ndarray:
    """The same as `run`, by the torch network."""
    import torch

    with torch.inference_mode():
        return model(*(torch.from_numpy(np.ascontiguousarray(value)) for value in feed.values())).float().numpy()


def agreement(
    session: Any, model: Any, feeds: Sequence[Mapping[str, np.ndarray]], scored: np.ndarray
) -> dict[str, Any]:
    """Agreement of ONNX, torch and the outputs behind the report's scores, on real test examples.

    ``feeds``: batches of inputs by name. ``scored``: logits (n, classes) of all of them. Differences are of logits;
    those from ``scored`` include the precision of training (bf16 on some machines). ``same_class`` counts examples.
    """
    ours = np.concatenate([by_torch(model, feed) for feed in feeds])
    theirs = np.concatenate([run(session, feed) for feed in feeds])
    largest_difference = float(np.abs(ours - theirs).max())
    same = int((ours.argmax(1) == theirs.argmax(1)).sum())
    return {
        "n": len(theirs),
        "max_difference": largest_difference,
        "same_class": same,
        "max_difference_report": float(np.abs(theirs - scored).max()),
        "max_difference_torch_report": float(np.abs(ours - scored).max()),
        "same_class_report": int((theirs.argmax(1) == scored.argmax(1)).sum()),
        "tolerance": TOLERANCE,
        "agrees": largest_difference <= TOLERANCE and same == len(theirs),
        "opset": OPSET,
    }


def skipped(folder: Path, error: Exception) -> dict[str, Any]:
    """The facts of a failed ONNX export, with the reason; removes the incomplete file."""
    (folder / "model.onnx").unlink(missing_ok=True)
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return {
        "n": 0,
        "agrees": None,
        "skipped": sentence(
            "This network could not be written as ONNX ({reason}); predict.py runs its weights with torch instead.",
            reason=reason,
        ).model_dump(),
    }


def milliseconds(session: Any, one: Mapping[str, np.ndarray], seconds: float = 1.0) -> float:
    """Median time of one example in milliseconds, over at most ``seconds`` or 50 runs."""
    run(session, one)
    times: list[float] = []
    while len(times) < 3 or (sum(times) < seconds and len(times) < 50):
        start = time.perf_counter()
        run(session, one)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))
