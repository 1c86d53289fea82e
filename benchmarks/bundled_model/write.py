"""Train the bundled source model for text generation, studio-writer, on text that is free to use (writer_text.py).

    nice -n 10 python benchmarks/bundled_model/write.py --output OUT --minutes 14

A byte-level BPE tokenizer of 1,024 tokens is made first, then a Llama-shaped network of 0.9 million weights is trained
from random ones on one thread; the learning rate follows the clock, so that the same command does not give the same
weights on another machine. Prints what was seen, and the held-out perplexity on generated pieces of another seed.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, LlamaConfig
from writer_text import held_out, pieces

END = "<|endoftext|>"
VOCABULARY, LENGTH, BATCH = 1_024, 192, 16
PEAK, WARM_UP = 4e-3, 0.03  # learning rate; share of the time until it is reached


def tokenizer_of(texts: list[str]) -> Tokenizer:
    """A byte-level BPE with one special token, which begins, ends and pads."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return tokenizer


def stream(tokenizer: Tokenizer, texts: list[str], seed: int) -> np.ndarray:
    """All texts in random order as one row of tokens, each behind the token that begins it."""
    order = np.random.default_rng(seed).permutation(len(texts))
    found = tokenizer.encode_batch([texts[i] for i in order], add_special_tokens=False)
    return np.concatenate([np.array([0, *one.ids], np.int64) for one in found])


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=128,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            intermediate_size=352,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=None,
            initializer_range=0.04,
        ),
        dtype=torch.float32,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--output", type=Path, required=True)
    arguments.add_argument("--minutes", type=float, default=14)
    asked = arguments.parse_args()
    torch.set_num_threads(1)
    found = pieces()
    texts = [text for part in found.values() for text in part]
    tokenizer = tokenizer_of(texts)
    tokens = stream(tokenizer, texts, 0)
    watched = torch.from_numpy(stream(tokenizer, held_out(), 0))
    watched = watched[: len(watched) // LENGTH * LENGTH].view(-1, LENGTH)
    model = network()
    print(
        {name: (len(part), sum(map(len, part))) for name, part in found.items()},
        len(tokens),
        "tokens",
        sum(p.numel() for p in model.parameters()),
        "weights",
        flush=True,
    )
    flat = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.05},
            {"params": flat, "weight_decay": 0.0},
        ],
        betas=(0.9, 0.98),
    )
    blocks = tokens[: len(tokens) // LENGTH * LENGTH].reshape(-1, LENGTH)
    rng, begun, step, order = np.random.default_rng(0), time.monotonic(), 0, []
    result = begun
    while (done := (time.monotonic() - begun) / (60 * asked.minutes)) < 1:
        if len(order) < BATCH:
            order = list(rng.permutation(len(blocks)))
        batch = torch.from_numpy(blocks[[order.pop() for _ in range(BATCH)]])
        rate = PEAK * (done / WARM_UP if done < WARM_UP else 0.5 * (1 + math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        if time.monotonic() - result > 30:
            result = time.monotonic()
            print(f"{done:.0%} step {step} loss {loss.item():.3f} {step * BATCH * LENGTH:,} tokens", flush=True)
    model.eval()
    with torch.inference_mode():
        losses = [model(input_ids=row[None], labels=row[None]).loss.item() for row in watched]
    print(
        f"{step} steps, {step * BATCH * LENGTH:,} tokens seen, {len(tokens):,} different; held-out perplexity "
        f"{math.exp(np.mean(losses)):.3f} on {watched.numel():,} tokens",
        flush=True,
    )
    asked.output.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(asked.output)
    (asked.output / "generation_config.json").unlink(missing_ok=True)
    tokenizer.save(str(asked.output / "tokenizer.json"))
    (asked.output / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": END,
                "eos_token": END,
                "model_max_length": 256,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
