"""Text encoders in transformers' layout, untrusted: known architectures, and never code of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.errors import UnusableInput
from tlcore.sources.opening import files, tokens
from tlcore.sources.opening.fitting import BUILD_ERRORS, check_size, does_not_fit, fresh_head
from tlcore.words import say

if TYPE_CHECKING:
    from tlcore.sources.opening.opened import OpenSource
    from tlcore.sources.opening.text_model import TextModel

KINDS = frozenset({
    "bert", "roberta", "xlm-roberta", "camembert", "distilbert", "deberta", "deberta-v2", "modernbert", "electra",
    "albert", "mpnet",
})  # fmt: skip
LARGEST = {"hidden_size": 8_192, "dim": 8_192, "num_hidden_layers": 96, "n_layers": 96, "intermediate_size": 65_536,
           "hidden_dim": 65_536, "vocab_size": 1_000_000, "max_position_embeddings": 131_072,
           "num_attention_heads": 256, "n_heads": 256}  # fmt: skip


def preprocess(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """How a text becomes the network's input. Raises UnusableInput where sizes or tokenizer cannot be."""
    check_sizes(config, LARGEST)
    pad = config.get("pad_token_id")
    return {
        "modality": "text", "input_size": tokens.longest(folder, config), "resizable": True, "multiple": 1,
        "pad": pad if isinstance(pad, int) and not isinstance(pad, bool) and pad >= 0 else 0, "folder": str(folder),
    }  # fmt: skip


def check_sizes(config: dict[str, Any], largest: Mapping[str, int]) -> None:
    """Refuse sizes that no network of these architectures has, before anything is built."""
    for name, most in largest.items():
        value = config.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most):
            raise UnusableInput(
                say("config.json says {name} = {value}, which no text network can have.", name=name,
                    value=str(value)[:40]),
                code="source-config", file=files.CONFIG,
            )  # fmt: skip


def build(opened: OpenSource, num_classes: int | None, pretrained: bool, size: int, seed: int) -> TextModel:
    """The encoder as transformers builds it, its saved weights loaded and checked, and a fresh head.

    ``size`` is in tokens and changes nothing of the network.
    """
    import torch
    from torch import nn
    from transformers import AutoModel

    from tlcore.sources.opening.text_model import TextModel

    encoder = network(opened, AutoModel, pretrained, seed, lambda key: "pooler" in key)
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # made for another task; the mean of all tokens takes its place
    width = encoder.config.hidden_size
    head: nn.Linear | None = None
    if num_classes is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = nn.Linear(width, num_classes)
            fresh_head(head)
    elif pretrained:
        head = _own_head(opened, width)
    return TextModel(encoder, head, opened.config, opened.folder, size)


def network(opened: OpenSource, auto: Any, pretrained: bool, seed: int, may_lack: Callable[[str], bool],
            **changes: Any) -> Any:  # fmt: skip
    """The folder's network as a class ``auto`` of transformers builds it, with ``changes`` of its config.

    With ``pretrained`` its weights are loaded and checked: none is missing but those that it ``may_lack``. Everything
    random is drawn from ``seed``. Raises UnusableInput.
    """
    import torch
    from transformers import AutoConfig

    from tlcore.sources.opening.from_transformers import plain, quietly

    kind = str(opened.config["model_type"])
    told = {key: value for key, value in plain(opened.config).items() if not key.startswith("studio_")}
    if "num_labels" in changes:
        told = {key: value for key, value in told.items() if key not in ("id2label", "label2id")}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            config = AutoConfig.for_model(kind, **{**told, **changes})
            check_size(opened, lambda: auto.from_config(config))
            info = None
            if pretrained:
                with quietly():
                    made, info = auto.from_pretrained(
                        opened.folder, config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True,
                        trust_remote_code=False, ignore_mismatched_sizes=True, output_loading_info=True,
                    )  # fmt: skip
            else:
                made = auto.from_config(config, dtype=torch.float32)
            check_vocabulary(opened, made)
        except BUILD_ERRORS as error:
            if isinstance(error, UnusableInput):
                raise
            raise does_not_fit(kind, error) from None
        if info is not None:
            check_complete(info, kind, may_lack)
    return made


def with_masked_head(opened: OpenSource) -> Any:
    """The source as it guesses hidden words, in evaluation mode; None where its file has no head for that."""
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM

    from tlcore.sources.opening.from_transformers import plain, quietly

    names = opened.config.get("architectures")
    if not isinstance(names, list) or not any(str(name).endswith(("ForMaskedLM", "ForPreTraining")) for name in names):
        return None
    try:
        config = AutoConfig.for_model(str(opened.config["model_type"]), **plain(opened.config))
        check_size(opened, lambda: AutoModelForMaskedLM.from_config(config))
        with quietly():
            model, info = AutoModelForMaskedLM.from_pretrained(
                opened.folder, config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True,
                trust_remote_code=False, ignore_mismatched_sizes=True, output_loading_info=True,
            )  # fmt: skip
        check_complete(info, str(opened.config["model_type"]))
    except (*BUILD_ERRORS, UnusableInput):
        return None
    return model.eval()


def _own_head(opened: OpenSource, width: int) -> Any:
    """The head that a model of the studio brings, in its file of weights."""
    from safetensors import safe_open
    from torch import nn

    shape = files.read_weights(opened.folder).shapes.get("head.weight")
    if shape is None or len(shape) != 2 or shape[1] != width:
        return None
    head = nn.Linear(width, shape[0])
    with safe_open(opened.folder / files.WEIGHTS, framework="pt") as kept:
        state = {"weight": kept.get_tensor("head.weight"), "bias": kept.get_tensor("head.bias")}
    head.load_state_dict(state)
    return head


def check_vocabulary(opened: OpenSource, encoder: Any) -> None:
    """Refuse a tokenizer with more tokens than the network has vectors."""
    have = encoder.get_input_embeddings().num_embeddings
    wanted = tokens.open_tokenizer(tokens.read(opened.folder), 8).get_vocab_size(with_added_tokens=True)
    if wanted > have:
        raise UnusableInput(
            say("The tokenizer has {wanted} tokens and the network only {have}; they do not belong together.",
                wanted=wanted, have=have),
            code="source-tokenizer", file=tokens.TOKENIZER,
        )  # fmt: skip


def check_complete(info: Any, kind: str, may_lack: Callable[[str], bool] = lambda key: "pooler" in key) -> None:
    """Refuse where layers were not in the file, but for those that it ``may_lack``: a pooler is not used."""

    def get(name: str) -> Any:
        return info[name] if isinstance(info, dict) else getattr(info, name)

    def used(key: str) -> bool:
        return not may_lack(key) and not key.endswith("position_ids")

    if mismatched := [key[0] for key in get("mismatched_keys") if used(key[0])]:
        raise does_not_fit(kind, ValueError(f"size mismatch for {mismatched[0]}"))
    if missing := [key for key in get("missing_keys") if used(key)]:
        raise does_not_fit(kind, ValueError(f"missing keys: {', '.join(sorted(missing)[:3])}"))
