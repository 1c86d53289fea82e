"""The model as ONNX, proved equal to torch on real pictures, and timed."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

OPSET = 17
TOLERANCE = 1e-3
CHECKED = 64  # pictures
INPUT, OUTPUT = "pixels", "logits"


def export(model: Any, size: int, path: Path) -> None:
    """Write the network (pixels (n, 3, size, size) to logits (n, classes), any n) as one ONNX file of a fixed opset."""
    import torch

    model = model.to("cpu", memory_format=torch.contiguous_format).eval()
    example = torch.zeros(2, 3, size, size)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (example,), str(path), dynamo=False, opset_version=OPSET, input_names=[INPUT], output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
        )  # fmt: skip


def session(model: str | bytes) -> Any:
    """An onnxruntime session on the CPU. Its threads sleep while they wait: other work shares the machine."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(session: Any, inputs: np.ndarray) -> np.ndarray:
    """Logits (n, classes) of pixels (n, 3, S, S)."""
    return session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(inputs, dtype=np.float32)})[0]


def agreement(session: Any, model: Any, inputs: np.ndarray, scored: np.ndarray) -> dict[str, Any]:
    """How far ONNX, torch and the outputs that the report was scored from are apart on real test pictures.

    ``inputs`` (n, 3, S, S), ``scored`` (n, classes) logits. Differences are of logits; those against ``scored`` carry
    the precision that training ran at (bf16 on some machines). ``same_class`` counts pictures.
    """
    import torch

    with torch.inference_mode():
        ours = np.concatenate([model(torch.from_numpy(part)).float().numpy() for part in _batches(inputs)])
    theirs = np.concatenate([run(session, part) for part in _batches(inputs)])
    apart = float(np.abs(ours - theirs).max())
    same = int((ours.argmax(1) == theirs.argmax(1)).sum())
    return {
        "n": len(inputs),
        "max_difference": apart,
        "same_class": same,
        "max_difference_report": float(np.abs(theirs - scored).max()),
        "max_difference_torch_report": float(np.abs(ours - scored).max()),
        "same_class_report": int((theirs.argmax(1) == scored.argmax(1)).sum()),
        "tolerance": TOLERANCE,
        "agrees": apart <= TOLERANCE and same == len(inputs),
        "opset": OPSET,
    }


def milliseconds(session: Any, one: np.ndarray, seconds: float = 1.0) -> float:
    """Median time of one picture (1, 3, S, S) through the network, over at most ``seconds`` or 50 runs."""
    run(session, one)
    times: list[float] = []
    while len(times) < 3 or (sum(times) < seconds and len(times) < 50):
        start = time.perf_counter()
        run(session, one)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def _batches(inputs: np.ndarray, size: int = 16) -> list[np.ndarray]:
    return [np.ascontiguousarray(inputs[i : i + size]) for i in range(0, len(inputs), size)]
