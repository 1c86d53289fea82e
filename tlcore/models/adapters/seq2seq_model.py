"""A network that reads a text and writes one, behind one contract. Imports torch: import it inside functions only."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tlcore.models import pair_tokenization, tokenization, weight_files
from tlcore.models.adapters.image_model import set_training
from tlcore.models.layer_grouping import NECK, STEM, Key, group
from tlcore.models.layer_groups import LayerGroup
from tlcore.models.pair_tokenization import IGNORED, WARM

LAYER = re.compile(r"\.(?:block|layer|layers|albert_layers)\.(\d+)\.")
HEADS = ("decoder", "enc_to_dec_proj", "model.decoder", "lm_head", "final_logits_bias")


class Seq2SeqModel(nn.Module):
    """``net`` is transformers' own network; its decoder with what follows it is the head.

    ``pair`` are the tokenizers of both sides; ``pad`` is the source side's padding.
    """

    head = head_name = None  # no linear head that could be solved

    def __init__(self, net: Any, pair: tuple[str, str], config: dict[str, Any], folder: Path, length: int, pad: int):
        from transformers import GenerationConfig

        super().__init__()
        self.net = net
        self.pair, self.config, self.folder, self.input_size, self.pad = pair, config, folder, length, pad
        self.library = "transformers"
        net_config = net.config
        self.target_pad, self.end = _token(net_config, "pad_token_id") or 0, _token(net_config, "eos_token_id")
        start = _token(net_config, "decoder_start_token_id")
        self.start = self.target_pad if start is None else start
        net.generation_config = GenerationConfig(
            pad_token_id=self.target_pad,
            eos_token_id=self.end,
            decoder_start_token_id=self.start,
            num_beams=1,
            do_sample=False,
            forced_bos_token_id=pair_tokenization.first(pair[1]),
            bad_words_ids=[[self.target_pad]] if config.get("model_type") == "marian" else None,
        )
        self._parts: list[LayerGroup] | None = None

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Logits (B, T, V) of each target token given the source and the target tokens before it.

        ``ids`` and ``mask`` are (B, S), ``labels`` (B, T) with `IGNORED` for padding.
        """
        before = labels.new_full(labels.shape, self.target_pad)
        before[:, 0] = self.start
        before[:, 1:] = labels[:, :-1].masked_fill(labels[:, :-1] == IGNORED, self.target_pad)
        return self.net(input_ids=ids, attention_mask=mask, decoder_input_ids=before, use_cache=False).logits

    def write(
        self, ids: torch.Tensor, mask: torch.Tensor, most: int, beams: int = 1, first: int | None = None
    ) -> torch.Tensor:
        """Token ids (B, most) of what the network writes, `IGNORED` behind its end: the likeliest token each time, or
        the likeliest of ``beams`` texts. ``first`` is the token that every text begins with, where there is one.
        """
        forced = {} if first is None else {"forced_bos_token_id": first}
        out = self.net.generate(input_ids=ids, attention_mask=mask, max_new_tokens=most, num_beams=beams, **forced)
        out = out[:, 1:]
        ended = (out == self.end).cumsum(1) - (out == self.end).long() > 0
        whole = out.new_full((len(out), most), IGNORED)
        whole[:, : out.shape[1]] = out.masked_fill(ended, IGNORED)
        return whole

    def example(self, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One input that means nothing, to try the network with."""
        ones = torch.ones(1, min(size, 8), dtype=torch.long)
        return ones, ones, ones[:, :3]

    def parts(self) -> list[LayerGroup]:
        """The encoder's embeddings first, then its layers, the decoder with what follows it last."""
        if self._parts is None:
            heads = [name for name in HEADS if any(n == name or n.startswith(f"{name}.") for n in _tensors(self.net))]
            self._parts = group(self.net, heads, _matcher(self.net, heads), "net")
        return self._parts

    def set_training(self, trainable_parts: set[str]) -> None:
        """Train these parts and freeze the others, dropout included."""
        set_training(self, trainable_parts)

    def cam_module(self) -> None:
        """A text has no map of places."""
        return None

    def save(self, folder: Path, labels: list[str], preprocess: dict[str, Any]) -> None:
        """Write what ``AutoModelForSeq2SeqLM.from_pretrained`` loads, and the tokenizers of both sides.

        ``preprocess`` is what evaluation used: ``max_length`` in tokens of the source, and ``languages``.
        """
        from tlcore.models.adapters.transformers_image import quietly

        pair = self.pair
        if self.config.get("model_type") != WARM:
            pair = pair_tokenization.read(self.folder, self.config, tuple(preprocess["languages"]))
        self.net.generation_config.forced_bos_token_id = pair_tokenization.first(pair[1])
        folder.mkdir(parents=True, exist_ok=True)
        with quietly():
            self.net.save_pretrained(folder, max_shard_size="100GB")
        config = json.loads((folder / weight_files.CONFIG).read_text(encoding="utf-8"))
        config.pop("_name_or_path", None)
        config |= {
            "dtype": "float32",
            "studio_max_length": int(preprocess["max_length"]),
            "studio_source_pad": self.pad,
            "eos_token_id": self.end,
        }
        (folder / weight_files.CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")
        for name, one in zip((tokenization.TOKENIZER, pair_tokenization.TARGET), pair, strict=True):
            (folder / name).write_text(one, encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(
            json.dumps(
                {
                    "tokenizer_class": "PreTrainedTokenizerFast",
                    "model_max_length": int(preprocess["max_length"]),
                    "pad_token": tokenization.open_tokenizer(self.pair[0], 8).id_to_token(self.pad),
                },
                indent=2,
            ),
            encoding="utf-8",
        )


def _token(config: Any, name: str) -> int | None:
    value = getattr(config, name, None)
    value = value[0] if isinstance(value, list) and value else value
    if value is None and hasattr(config, "decoder"):
        return _token(config.decoder, name) if not isinstance(config.decoder, dict) else None
    return value if isinstance(value, int) else None


def _tensors(net: nn.Module) -> list[str]:
    return [name for name, _ in (*net.named_parameters(), *net.named_buffers())]


def _matcher(net: nn.Module, heads: list[str]) -> Any:
    """The order of a tensor's name in the encoder: embeddings, numbered layers, what follows them."""
    names = [name for name, _ in net.named_parameters() if not name.startswith(tuple(f"{head}." for head in heads))]
    numbered = [place for place, name in enumerate(names) if LAYER.search(name)]
    behind = set(names[numbered[-1] + 1 :]) if numbered else set()

    def find(name: str) -> Key:
        if match := LAYER.search(name):
            return (float(match[1]),)
        return NECK if name in behind and "embed" not in name else STEM

    return find
