"""Tiny networks that write, with random weights and a byte-level tokenizer, in hub layout, for the tests."""

from __future__ import annotations

import json
from pathlib import Path

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
    "head_dim": 16,
}
KINDS = {
    "gpt2": {
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 2,
        "n_positions": 128,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    },
    "llama": {**SIZES, "tie_word_embeddings": True},
    "mistral": SIZES,
    "qwen2": {**SIZES, "tie_word_embeddings": True},
    "qwen3": {**SIZES, "tie_word_embeddings": False},
    "gemma": SIZES,
    "gemma2": {**SIZES, "final_logit_softcapping": 2.0},
    "gemma3_text": SIZES,
    "smollm3": SIZES,
    "gpt_neox": {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 128,
    },
}
END = "<|endoftext|>"
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] | trim + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def write_tokenizer(folder: Path, template: str | None = None) -> None:
    """Bytes as tokens, three special ones before them."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: place for place, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(one, special=True) for one in (END, "<|im_start|>", "<|im_end|>")])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    result = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": END, "eos_token": END}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({**result, "chat_template": template} if template else result)
    )


def write_model(folder: Path, kind: str = "llama", template: str | None = None, **changes: object) -> Path:
    """A random network of that kind, as transformers saves it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    result = {
        "vocab_size": 259,
        "bos_token_id": 256,
        "eos_token_id": 256,
        "pad_token_id": None,
        "initializer_range": 0.2,
        **KINDS[kind],
        **changes,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **result)).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    write_tokenizer(folder, template)
    return folder
