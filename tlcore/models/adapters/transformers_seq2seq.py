"""Networks that read a text and write one, in transformers' layout, untrusted; and fresh decoders on text encoders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.models import pair_tokenization, tokenization
from tlcore.models.adapters import transformers_text
from tlcore.models.adapters.build import does_not_fit
from tlcore.models.adapters.checked_network import check_sizes, check_vocabulary, network
from tlcore.models.pair_tokenization import WARM

if TYPE_CHECKING:
    from tlcore.models.adapters.build import ModelFolder
    from tlcore.models.adapters.seq2seq_model import Seq2SeqModel

KINDS = frozenset({"t5", "mt5", "marian", "bart", "m2m_100", WARM})
LARGEST = {
    **transformers_text.LARGEST,
    "d_model": 8_192,
    "d_ff": 65_536,
    "d_kv": 1_024,
    "num_layers": 96,
    "num_heads": 256,
    "num_decoder_layers": 96,
    "encoder_layers": 96,
    "decoder_layers": 96,
    "encoder_ffn_dim": 65_536,
    "decoder_ffn_dim": 65_536,
    "encoder_attention_heads": 256,
    "decoder_attention_heads": 256,
}
LAYERS = 3  # of a fresh decoder
POSITIONS = 512  # that a fresh decoder knows
# Settings of generation that old configs carry; the studio has its own, and no hidden ones.
GENERATION = (
    "num_beams",
    "min_length",
    "max_length",
    "no_repeat_ngram_size",
    "length_penalty",
    "early_stopping",
    "bad_words_ids",
    "task_specific_params",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "prefix",
    "num_return_sequences",
    "do_sample",
    "top_k",
    "top_p",
    "temperature",
    "repetition_penalty",
)


def preprocess(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """How a text becomes the network's input. Raises UnusableInput where a size cannot be."""
    parts = [config]
    if config.get("model_type") == WARM:
        parts = [config.get("encoder"), config.get("decoder")]
        if (
            not all(isinstance(part, dict) for part in parts)
            or parts[0].get("model_type") not in transformers_text.KINDS
            or (parts[1].get("model_type") != "bert")
        ):
            raise does_not_fit(WARM, ValueError("its encoder or its decoder is not known here"))
    for part in parts:
        check_sizes(part, LARGEST)
    pad = config.get("pad_token_id")
    if config.get("model_type") == WARM:
        pad = config.get("studio_source_pad")
    return {
        "modality": "seq2seq",
        "input_size": tokenization.longest(folder, {**parts[0], **config}),
        "resizable": True,
        "multiple": 1,
        "pad": pad if isinstance(pad, int) and not isinstance(pad, bool) and pad >= 0 else 0,
        "folder": str(folder),
    }


def build(opened: ModelFolder, num_classes: int | None, pretrained: bool, size: int, seed: int) -> Seq2SeqModel:
    """The network as transformers builds it, its saved weights loaded and checked; nothing new is put on it, whatever
    ``num_classes`` is.

    ``size`` is in tokens and changes nothing of the network. Its tokenizers are those of any two languages, where it
    knows many: examples have their own.
    """
    from transformers import AutoModelForSeq2SeqLM

    from tlcore.models.adapters.seq2seq_model import Seq2SeqModel

    inner = ("encoder", "decoder") if opened.config["model_type"] == WARM else ()
    pair = ("", "")

    def tokenizers(made: Any) -> None:
        nonlocal pair
        pair = pair_tokenization.read(opened.folder, opened.config, any_languages(opened))
        _vocabularies(made, pair)

    net = network(
        opened,
        AutoModelForSeq2SeqLM,
        pretrained,
        seed,
        without=GENERATION,
        tokenizers=tokenizers,
        changes={name: _inner(opened.config[name]) for name in inner},
    )
    return Seq2SeqModel(net, pair, opened.config, opened.folder, size, int(opened.preprocess["pad"]))


def on_encoder(opened: ModelFolder, vocabulary: str, pretrained: bool, size: int, seed: int) -> Seq2SeqModel:
    """A text encoder as a source of knowledge (Rothe et al. 2020, arXiv 1907.12461), and a fresh decoder that looks at
    all of its token vectors and writes in the tokens of ``vocabulary``.
    """
    import torch
    from transformers import BertConfig, BertLMHeadModel, EncoderDecoderConfig, EncoderDecoderModel

    from tlcore.models.adapters.seq2seq_model import Seq2SeqModel

    encoder = transformers_text.build(opened, None, pretrained, size, seed).net.encoder
    written = tokenization.open_tokenizer(vocabulary, 8)
    width, heads = encoder.config.hidden_size, getattr(encoder.config, "num_attention_heads", 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        decoder = BertLMHeadModel(
            BertConfig(
                vocab_size=written.get_vocab_size(with_added_tokens=True),
                hidden_size=width,
                num_hidden_layers=LAYERS,
                num_attention_heads=heads if heads and width % heads == 0 else max(1, width // 64),
                intermediate_size=4 * width,
                max_position_embeddings=POSITIONS,
                type_vocab_size=1,
                is_decoder=True,
                add_cross_attention=True,
                pad_token_id=written.token_to_id(pair_tokenization.PAD),
                bos_token_id=written.token_to_id(pair_tokenization.START),
                eos_token_id=written.token_to_id(pair_tokenization.END),
            )
        )
        config = EncoderDecoderConfig.from_encoder_decoder_configs(encoder.config, decoder.config)
        config.pad_token_id = decoder.config.pad_token_id
        config.decoder_start_token_id = decoder.config.bos_token_id
        config.eos_token_id = decoder.config.eos_token_id
        net = EncoderDecoderModel(encoder=encoder, decoder=decoder, config=config)
    new_config = {**opened.config, "model_type": WARM}
    pair = tokenization.read(opened.folder), vocabulary
    return Seq2SeqModel(net, pair, new_config, opened.folder, size, int(opened.preprocess["pad"]))


def _inner(config: dict[str, Any]) -> dict[str, Any]:
    """The config of a part, its kind kept, and nothing that could choose other code."""
    from tlcore.models.adapters.transformers_image import plain

    return {**plain(config), "model_type": config["model_type"]}


def any_languages(opened: ModelFolder) -> tuple[str | None, str | None]:
    """Two languages that a model of many surely knows."""
    return ("eng_Latn", "por_Latn") if opened.config["model_type"] == "m2m_100" else (None, None)


def _vocabularies(net: Any, pair: tuple[str, str]) -> None:
    """Refuse a tokenizer with more tokens than the network has vectors on that side."""
    out = net.get_output_embeddings().weight.shape[0]
    for tokenizer_json, have in zip(pair, (net.get_input_embeddings().num_embeddings, out), strict=True):
        check_vocabulary(tokenizer_json, have)
