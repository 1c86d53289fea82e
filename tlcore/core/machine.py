"""The machine that was found: device, precision, threads, memory. No torch until `found` is called."""

from __future__ import annotations

import errno
import functools
import os
import resource
import sys
from dataclasses import dataclass
from typing import Any

# How torch, CUDA and ONNX Runtime say it where they raise a plain RuntimeError.
NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "Failed to allocate memory",
    "std::bad_alloc",
    "bad allocation",
    "Cannot allocate memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "unable to find an engine to execute",
)
NO_ROOM = "failed to map segment from shared object"  # a library that has no room in memory


@dataclass(frozen=True)
class Machine:
    """Where training happens."""

    device: str  # "cpu" | "cuda"
    name: str  # e.g. "NVIDIA H100" or "CPU, 2 cores"
    threads: int
    bf16: bool  # has bfloat16 arithmetic that is faster than float32
    memory: int  # bytes

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)

    @property
    def description(self) -> str:
        return f"{self.name} · {self.memory / 2**30:.0f} GB"


@functools.cache
def detect() -> Machine:
    """Ask torch for the machine. ``TLCORE_DEVICE=cpu`` keeps off a GPU."""
    import psutil
    import torch

    threads = torch.get_num_threads()
    if torch.cuda.is_available() and os.environ.get("TLCORE_DEVICE") != "cpu":
        about = torch.cuda.get_device_properties(0)
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before anything is multiplied there
        torch.backends.cudnn.allow_tf32 = False  # float32 means it: kept features are compared with fresh ones
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return Machine("cuda", about.name, threads, bf16, about.total_memory)
    bf16 = bool(torch.cpu._is_avx512_bf16_supported()) if hasattr(torch.cpu, "_is_avx512_bf16_supported") else False
    return Machine("cpu", f"CPU, {os.cpu_count()} cores", threads, bf16, psutil.virtual_memory().total)


def detect_without_torch() -> Machine:
    """The same without torch, for the pages: a GPU is there where the driver's device files are."""
    import psutil

    cuda = os.path.exists("/dev/nvidia0") and os.environ.get("TLCORE_DEVICE") != "cpu"
    cores = os.cpu_count() or 1
    return Machine(
        "cuda" if cuda else "cpu", "GPU" if cuda else f"CPU, {cores} cores", cores, True, psutil.virtual_memory().total
    )


def deterministic() -> None:
    """Same seed, same machine, same versions: same result; on a GPU up to rounding in the way back of attention, of
    which torch has no other.
    """
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads what was not written
    torch.backends.cudnn.benchmark = False


def peak_memory(device: str) -> int:
    """Bytes at the highest: of the GPU where there is one, else of the process."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, on the GPU or beside it."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch and isinstance(error, torch.OutOfMemoryError)):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    if isinstance(error, ImportError | OSError) and NO_ROOM in str(error):
        return True
    # ONNX Runtime has classes of its own, which are no RuntimeError.
    native = isinstance(error, RuntimeError) or type(error).__module__.startswith("onnxruntime")
    return native and any(sign in str(error) for sign in NO_MEMORY)


def of_gpu(error: BaseException) -> bool:
    """Whether an error that `out_of_memory` knows is about the memory of the GPU."""
    torch = sys.modules.get("torch")
    return bool(torch and isinstance(error, torch.OutOfMemoryError)) or any(
        sign in str(error) for sign in ("CUDA", "CUBLAS", "CUDNN", "cuDNN", "unable to find an engine")
    )


def panicked(error: BaseException) -> bool:
    """Whether a library written in Rust (tokenizers, safetensors) gave up inside: its exception derives from
    BaseException alone, and no module exports it.
    """
    return type(error).__name__ == "PanicException"
