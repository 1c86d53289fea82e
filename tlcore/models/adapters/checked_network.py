"""A network as transformers builds it from an untrusted folder of weights and config.json, everything checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.models import tokenization, weight_files
from tlcore.models.adapters.build import BUILD_ERRORS, check_complete, check_size, does_not_fit

if TYPE_CHECKING:
    from tlcore.models.adapters.build import ModelFolder


def network(
    opened: ModelFolder,
    auto: Any,
    pretrained: bool,
    seed: int,
    *,
    may_lack: Callable[[str], bool] = lambda key: "pooler" in key,
    without: Collection[str] = (),
    changes: Mapping[str, Any] | None = None,
    tokenizers: Callable[[Any], None] | None = None,
) -> Any:
    """The folder's network as a class ``auto`` of transformers builds it, ``without`` some keys of its config and with
    ``changes`` of it.

    With ``pretrained`` its weights are loaded and checked: none is missing but those that it ``may_lack``. Everything
    random is drawn from ``seed``. ``tokenizers`` refuses a network with fewer tokens than the folder's tokenizers have;
    by default there is one of them. Raises UnusableInput.
    """
    import torch
    from transformers import AutoConfig

    from tlcore.models.adapters.transformers_image import plain, quietly

    kind, changes = str(opened.config["model_type"]), changes or {}
    settings = {key: value for key, value in plain(opened.config).items() if not key.startswith("studio_")}
    if "num_labels" in changes:
        without = (*without, "id2label", "label2id")
    settings = {**{key: value for key, value in settings.items() if key not in without}, **changes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            config = AutoConfig.for_model(kind, **settings)
            check_size(opened, lambda: auto.from_config(config))
            info = None
            if pretrained:
                with quietly():
                    made, info = auto.from_pretrained(
                        opened.folder,
                        config=config,
                        dtype=torch.float32,
                        use_safetensors=True,
                        local_files_only=True,
                        trust_remote_code=False,
                        ignore_mismatched_sizes=True,
                        output_loading_info=True,
                    )
            else:
                made = auto.from_config(config, dtype=torch.float32)
            if tokenizers:
                tokenizers(made)
            else:
                check_vocabulary(tokenization.read(opened.folder), made.get_input_embeddings().num_embeddings)
        except BUILD_ERRORS as error:
            if isinstance(error, UnusableInput):
                raise
            raise does_not_fit(kind, error) from None
        if info is not None:
            check_complete(info, kind, may_lack)
    return made


def check_sizes(config: dict[str, Any], largest: Mapping[str, int]) -> None:
    """Refuse sizes that no network of these architectures has, before anything is built."""
    for name, most in largest.items():
        value = config.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most):
            raise UnusableInput(
                sentence(
                    "config.json says {name} = {value}, which no text network can have.",
                    name=name,
                    value=str(value)[:40],
                ),
                code="source-config",
                file=weight_files.CONFIG,
            )


def check_vocabulary(tokenizer_json: str, have: int) -> None:
    """Refuse a tokenizer with more tokens than the network has vectors."""
    wanted = tokenization.open_tokenizer(tokenizer_json, 8).get_vocab_size(with_added_tokens=True)
    if wanted > have:
        raise UnusableInput(
            sentence(
                "The tokenizer has {wanted} tokens and the network only {have}; they do not belong together.",
                wanted=wanted,
                have=have,
            ),
            code="source-tokenizer",
            file=tokenization.TOKENIZER,
        )
