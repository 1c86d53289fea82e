"""Speed on texts, side by side in one run: our feature extraction and fine-tuning against plain PyTorch.

    python benchmarks/text_speed.py [--texts 4000] [--turns 3] [--only frozen|tuning]

SST-2 from the folder that TLCORE_ASSETS names, and the bundled MiniLM. Targets: extraction within 1.3 times a bare pass
over texts that are sorted by length, cutting into tokens included on both sides; fine-tuning at least 0.95 of the
tokens a second of a bare loop on like batches. Medians of turns that alternate.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tokenizers import Tokenizer
from torch.nn import functional

from tlcore import data, tasks
from tlcore.core import machine
from tlcore.core.spec_parts import Data, Options
from tlcore.models import open_source
from tlcore.store import Store
from tlcore.strategies.contract import PlanContext, train_phase
from tlcore.tasks.shared import inference
from tlcore.training import features, loop
from tlcore.training.checkpoint import Checkpoint
from tlcore.training.phase import Training

TASK = tasks.find("sentiment-analysis")
BATCH = 32


def tokenizer(source, processor) -> Tokenizer:
    made = Tokenizer.from_file(str(source.folder / "tokenizer.json"))
    made.no_padding()
    made.enable_truncation(processor["size"])
    return made


def padded(pieces: list[list[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, pieces))
    ids = torch.tensor([piece + [pad] * (longest - len(piece)) for piece in pieces])
    return ids, torch.tensor([[1] * len(piece) + [0] * (longest - len(piece)) for piece in pieces])


def frozen(dataset, source, target, processor, folder: Path, turns: int) -> None:
    """What a tutorial would write, sorted by length; and our extraction, its cache written."""
    model = TASK.model(source, target, True, size=processor["size"], seed=0).eval()

    def bare() -> float:
        started = time.perf_counter()
        cut = [found.ids for found in tokenizer(source, processor).encode_batch(dataset.rows["text"].tolist())]
        order = sorted(range(len(cut)), key=lambda i: -len(cut[i]))
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                model.features(*padded([cut[i] for i in order[start : start + BATCH]], processor["pad"]))
        return time.perf_counter() - started

    def ours(turn: int) -> float:
        started = time.perf_counter()
        examples = TASK.examples(dataset, processor, target, folder / f"turn-{turn}" / "pictures", source)
        features.extract(TASK, model, examples, folder / f"turn-{turn}", "k", device="cpu", batch_size=BATCH)
        return time.perf_counter() - started

    both = [(bare(), ours(turn)) for turn in range(turns)]
    once, mine = (statistics.median(times) for times in zip(*both, strict=True))
    ratio = statistics.median(b / a for a, b in both)
    print(f"extraction, n = {len(dataset.rows)}: bare {once:.1f} s, ours {mine:.1f} s, ratio {ratio:.2f} (target 1.3)")


def tuning(dataset, source, target, processor, folder: Path, turns: int) -> None:
    """One epoch of fine-tuning by our loop, and by a bare one over batches of the same texts."""
    examples = TASK.examples(dataset, processor, target, folder / "pictures", source)
    train = examples["train"]
    tokens = int(train.held.lengths(train.rows).sum())
    here = machine.detect()
    context = PlanContext(len(train), TASK.side(processor), 22_000_000, "cpu", 1, BATCH, 1e-4, TASK.rate)
    phase = train_phase(context)

    def bare() -> float:
        model = TASK.model(source, target, True, size=processor["size"], seed=0).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, weight_decay=0.05, fused=True)
        cut = [found.ids for found in tokenizer(source, processor).encode_batch(train.texts)]
        order = np.random.default_rng(0).permutation(len(train))[: len(train) // BATCH * BATCH]
        started = time.perf_counter()
        for start in range(0, len(order), BATCH):
            chunk = order[start : start + BATCH]
            with torch.autocast("cpu", torch.bfloat16, enabled=here.bf16):
                logits = model(*padded([cut[i] for i in chunk], processor["pad"]))
                loss = functional.cross_entropy(logits.float(), torch.from_numpy(train.labels[chunk]))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return time.perf_counter() - started

    def ours(turn: int) -> float:
        model = TASK.model(source, target, True, size=processor["size"], seed=0)
        few = {**examples, "validation": inference.First(examples["validation"], 1)}  # the bare loop judges nothing
        result = Training(
            task=TASK,
            model=model,
            examples=few,
            target=target,
            phase=phase,
            rate=1e-4,
            epochs=1,
            patience=None,
            seed=0,
            batch_size=BATCH,
            accumulation=1,
            machine=here,
            checkpoint=Checkpoint(folder / f"checkpoint-{turn}.pt"),
            metric=TASK.metrics[0],
        )
        train.held.lengths(train.rows)  # cut into tokens, as in the bare loop, before the clock starts
        started = time.perf_counter()
        loop.train(result)
        return time.perf_counter() - started

    both = [(bare(), ours(turn)) for turn in range(turns)]
    once, mine = (statistics.median(times) for times in zip(*both, strict=True))
    ratio = statistics.median(a / b for a, b in both)
    print(
        f"fine-tuning, {tokens} tokens: bare {tokens / once:.0f} tokens/s, ours {tokens / mine:.0f} tokens/s, "
        f"ratio {ratio:.2f} (target 0.95)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=4_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", choices=("frozen", "tuning"))
    result = parser.parse_args()
    if not os.environ.get("TLCORE_ASSETS"):
        raise SystemExit("TLCORE_ASSETS names no folder: the texts of this benchmark are not here")
    sst2 = Path(os.environ["TLCORE_ASSETS"]).resolve() / "data" / "sst2"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        whole = pd.concat(pd.read_csv(path) for path in sorted(sst2.glob("*.csv"))).drop_duplicates("text")
        whole.sample(min(result.texts, len(whole)), random_state=0).to_csv(folder / "texts.csv", index=False)
        store = Store.open(folder / "workspace")
        dataset = data.read(Data(path=str(folder / "texts.csv")), task=TASK, store=store, owner="local")
        source = open_source("bundled/minilm-l6", store)
        processor, target = TASK.processor(source.preprocess, Options(), dataset, "cpu"), TASK.fit_target(dataset)
        machine.deterministic()
        for name, work in (("frozen", frozen), ("tuning", tuning)):
            if result.only in (None, name):
                work(dataset, source, target, processor, folder, result.turns)
        store.close()


if __name__ == "__main__":
    main()
