"""Work for the tests of the queue: small, real, and ending in every way that work can end."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence

KINDS = tuple(
    (name, f"tests.job_kinds:{name.replace('-', '_')}")
    for name in (
        "count",
        "note",
        "refuse",
        "memory",
        "torch-memory",
        "disk",
        "bug",
        "interpreter",
        "stubborn",
        "dies",
        "has-child",
        "not-json",
        "loss",
        "grows",
        "expands",
        "backtracks",
    )
)


def count(store, job, progress):
    """Walk ``steps`` links of a hash chain with a checkpoint after each; the end depends on every link."""
    folder = store.jobs.folder(job.id)
    kept, steps = folder / "checkpoint.txt", job.input["steps"]
    step, link = 0, "start"
    if kept.exists():
        step, link = int(kept.read_text().split()[0]), kept.read_text().split()[1]
    with (folder / "attempts.txt").open("a") as file:
        file.write(f"{job.attempt} {step}\n")
    while step < steps:
        progress(step / steps, sentence("Step {n} of {steps}", n=step, steps=steps), step=step)
        link = hashlib.sha256(f"{link}{step}".encode()).hexdigest()
        step += 1
        part = kept.with_suffix(".part")
        part.write_text(f"{step} {link}")
        part.replace(kept)
        time.sleep(job.input.get("sleep", 0))
    return {"link": link, "steps": step}


def chain(steps: int) -> str:
    link = "start"
    for step in range(steps):
        link = hashlib.sha256(f"{link}{step}".encode()).hexdigest()
    return link


def note(store, job, progress):
    with Path(job.input["file"]).open("a") as file:
        file.write(f"{job.id}\n")
    return {"pid": os.getpid(), "nice": os.nice(0), "tunables": os.environ.get("GLIBC_TUNABLES")}


def refuse(store, job, progress):
    raise UnusableInput(sentence("The column {name} is not there.", name="kind"), code="column", file="a.csv", row=3)


def memory(store, job, progress):
    return {"n": len(bytearray(2**62))}


def torch_memory(store, job, progress):
    import torch

    return {"n": torch.empty(2**50, dtype=torch.uint8).numel()}


def disk(store, job, progress):
    with open("/dev/full", "w") as file:
        file.write("x" * 100_000)


def bug(store, job, progress):
    return {"n": 1 / job.input["zero"]}


def interpreter(store, job, progress):
    sys.exit(7)


def stubborn(store, job, progress):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (store.jobs.folder(job.id) / "began").touch()
    time.sleep(600)


def dies(store, job, progress):
    os.kill(os.getpid(), signal.SIGKILL)


def has_child(store, job, progress):
    """Starts a process of its own, as data loaders do."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (store.jobs.folder(job.id) / "grandchild").write_text(str(child.pid))
    time.sleep(600)


def not_json(store, job, progress):
    return {"value": float("nan"), "path": Path("x")}


def loss(store, job, progress):
    progress(0.5, None, loss=float("inf"), left=None)
    time.sleep(1.2)
    return {}


def grows(store, job, progress):
    """Takes memory until it gets no more, as Python says it."""
    taken = []
    while True:
        taken.append(bytearray(64 * 2**20))


def expands(store, job, progress):
    """Cuts a text by a tokenizer that makes each letter a hundred million of them: native code that aborts."""
    steps = [{"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 100}] * 4
    _tokenizer({"type": "Sequence", "normalizers": steps}).encode("a" * 10)


def backtracks(store, job, progress):
    """A regular expression that needs more steps than its library allows."""
    _tokenizer({"type": "Replace", "pattern": {"Regex": "(a|aa)+$"}, "content": "b"}).encode("a" * 3000 + "!")


def _tokenizer(normalizer):
    from tokenizers import Tokenizer, models

    made = json.loads(Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")).to_str())
    return Tokenizer.from_str(json.dumps({**made, "normalizer": normalizer}))
