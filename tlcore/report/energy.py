"""The cost of training: seconds, watts, kilowatt-hours and money. Watts are measured if the hardware reports them."""

from __future__ import annotations

import glob
import threading
import time
from pathlib import Path
from typing import Any

# Assumptions, shown as such and editable on the page: a desktop processor under load, a data-centre GPU with its share
# of the server, and the price of one kilowatt-hour in the person's currency.
WATTS = {"cpu": 65.0, "cuda": 350.0}
PRICE = 0.20
EVERY = 0.5  # seconds between two readings of a GPU
RAPL = "/sys/class/powercap/intel-rapl:?"


def energy(seconds: float, watts: float, price: float) -> dict[str, float]:
    """Kilowatt-hours, and their cost at ``price`` per kWh."""
    kwh = watts * seconds / 3.6e6
    return {"kwh": kwh, "cost": kwh * price}


class Meter:
    """Context manager that measures the mean power (``watts``) of its block; ``how`` is ``nvml``, ``rapl`` or None.

    NVML gives the board power of the first GPU. RAPL (Linux, if readable) gives the energy of the processor packages,
    which includes all other processes on them. Both attributes are None if neither is available.
    """

    def __init__(self, device: str):
        self.device = device
        self.watts: float | None = None
        self.how: str | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen: list[float] = []

    def __enter__(self) -> Meter:
        self._begun = time.monotonic()
        self._energy: dict[str, float] = _rapl() if self.device == "cpu" else {}
        if self.device == "cuda":
            self._thread = threading.Thread(target=self._sample, name="watts", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(timeout=5)
        elapsed = time.monotonic() - self._begun
        if self._seen:
            self.watts, self.how = sum(self._seen) / len(self._seen), "nvml"
        elif self._energy and elapsed > 1:
            after = _rapl()
            joules = [after[name] - before for name, before in self._energy.items() if name in after]
            if joules and min(joules) > 0:  # ignored if a counter wrapped around
                self.watts, self.how = sum(joules) / elapsed, "rapl"

    def _sample(self) -> None:
        try:
            import pynvml

            pynvml.nvmlInit()
            board = pynvml.nvmlDeviceGetHandleByIndex(0)
            while not self._stop.wait(EVERY):
                self._seen.append(pynvml.nvmlDeviceGetPowerUsage(board) / 1000)
        except Exception as error:  # e.g. a container without the driver's library: the assumed watts are used
            print(f"the power of the GPU cannot be read: {error}")


def _rapl() -> dict[str, float]:
    """Joules used so far, by processor package; empty if they cannot be read (most machines require root)."""
    found = {}
    for folder in glob.glob(RAPL):
        try:
            found[folder] = int((Path(folder) / "energy_uj").read_text()) / 1e6
        except (OSError, ValueError):
            continue
    return found
