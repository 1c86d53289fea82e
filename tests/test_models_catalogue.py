"""The catalogue against timm's own registry, and finding a source model by its name."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from tlcore import tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence
from tlcore.core.registry import by_id
from tlcore.models import Availability, availability, describe, find, open_source, sources_for
from tlcore.models.catalogue import CATALOGUE, FAMILIES
from tlcore.models.source_model import DOMAINS

TIMM = [entry for entry in CATALOGUE.values() if entry.id.startswith("timm/")]
# timm's name of the network of an entry that is not timm's own, or transformers' config of it.
SMALL = {"hidden_size": 384, "num_attention_heads": 6}
ELSEWHERE = {
    "1aurent/vit_small_patch16_224.lunit_dino": ("timm", "vit_small_patch16_224"),
    "owkin/phikon": ("ViTModel", {"add_pooling_layer": False}),
    "facebook/dinov2-small": ("Dinov2Model", {**SMALL, "image_size": 518, "patch_size": 14}),
    "microsoft/rad-dino": ("Dinov2Model", {"image_size": 518, "patch_size": 14}),
}


def test_there_are_enough_small_to_large_and_beyond_photographs():
    assert len(CATALOGUE) >= 19
    sizes = sorted(entry.parameters for entry in CATALOGUE.values() if entry.parameters)
    assert sizes[0] < 3e6
    assert sizes[-1] > 3e8
    assert {"natural", "medical", "satellite"} <= {entry.domain for entry in CATALOGUE.values()}
    assert next(iter(CATALOGUE)) == "bundled/studio-base"


def test_two_entries_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two entries"):
        by_id([FAMILIES[1].ENTRIES[0], FAMILIES[1].ENTRIES[0]])


@pytest.mark.parametrize("entry", [e for e in CATALOGUE.values() if e.hub_id], ids=lambda e: e.id)
def test_entries_are_complete(entry):
    assert entry.title
    assert entry.licence
    assert entry.revision
    assert entry.domain in DOMAINS
    assert tasks.served_by(entry)
    assert isinstance(entry.source_task, Sentence)
    assert isinstance(entry.source_data, Sentence)
    each = 2 if entry.architecture in ("llama", "qwen3") else 4  # bytes a weight, as published
    assert entry.megabytes == pytest.approx(entry.parameters * each / 1e6, rel=0.01)
    if "non-commercial" in entry.licence or entry.licence.startswith(("cc-by-nc", "dinov3")):
        assert entry.note is not None


@pytest.mark.parametrize("entry", TIMM, ids=lambda e: e.id)
def test_entries_agree_with_timm(entry):
    import timm
    import torch

    name = entry.id.removeprefix("timm/")
    assert timm.list_pretrained(name) == [name]
    known = timm.get_pretrained_cfg(name)
    assert known.hf_hub_id == entry.hub_id
    assert known.hf_hub_filename is None, "its weights are not the plain model.safetensors"
    assert known.license == entry.licence
    assert known.input_size == (3, entry.input_size, entry.input_size)
    assert known.architecture == entry.architecture
    with torch.device("meta"):
        net = timm.create_model(name)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(entry.parameters, rel=0.01)
    with torch.device("meta"):
        net.reset_classifier(3)
    assert isinstance(net.get_classifier(), torch.nn.Linear), "a new head could not be fitted"


def test_entries_from_elsewhere_have_the_size_of_their_architecture():
    import timm
    import torch
    import transformers

    for entry in CATALOGUE.values():
        if not entry.hub_id or entry in TIMM or entry.modality != "image":
            continue
        kind, arguments = ELSEWHERE[entry.id]
        with torch.device("meta"):
            if kind == "timm":
                net = timm.create_model(arguments, num_classes=0)
            else:
                extra = {"add_pooling_layer": False} if kind == "ViTModel" else {}
                config = {k: v for k, v in arguments.items() if k != "add_pooling_layer"}
                model = getattr(transformers, kind)
                net = model(model.config_class(**config), **extra)
        assert sum(p.numel() for p in net.parameters()) == pytest.approx(entry.parameters, rel=0.01), entry.id


def test_find_by_every_kind_of_name(store, tiny_source, monkeypatch):
    assert find("timm/resnet18.a1_in1k", store).title == "ResNet-18"
    assert find("timm/resnet18.tv_in1k", store).hub_id == "timm/resnet18.tv_in1k"
    other = find("facebook/dinov2-small@v1.0", store)
    assert (other.hub_id, other.revision, other.title) == ("facebook/dinov2-small", "v1.0", "DINOv2 small")
    assert find("somebody/some.model", store).revision == "main"
    assert find(str(tiny_source), store).title == tiny_source.name
    monkeypatch.chdir(tiny_source.parent)
    assert find(f"./{tiny_source.name}", store).title == tiny_source.name


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("bundled/studio-smal", "did you mean bundled/studio-small"),
        ("resnet18", "Allowed are: bundled/<id>"),
        ("timm/resnet18/more", "Allowed are"),
        ("", "Allowed are"),
        ("http://example.org/x", "Allowed are"),
        ("a/b@../../c", "Allowed are"),
        ("../nowhere", "no folder or zip at"),
        ("/nowhere/at/all", "no folder or zip at"),
        ("missing.zip", "no folder or zip at"),
        ("library/none", "library has no model"),
        ("library/../x", "library has no model"),
        ("uploaded/none", "Nobody uploaded"),
    ],
)
def test_names_that_cannot_be(store, ref, words):
    with pytest.raises(UnusableInput, match=words) as caught:
        find(ref, store)
    assert caught.value.exit_code == 2


def test_a_folder_is_opened_where_it_is(store, tiny_source):
    source = find(str(tiny_source), store)
    assert availability(source, store) is Availability.HERE
    opened = open_source(str(tiny_source), store)
    assert opened.folder == tiny_source
    assert opened.source.parameters > 10_000
    assert opened.source.library == "timm"
    assert opened.revision is None


def test_a_model_of_the_library_is_a_source(store, tiny_source, tmp_path):
    import zipfile

    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in tiny_source.iterdir():
            archive.write(file, file.name)
    model = store.models.publish(
        path,
        name="Leaves",
        owner="ana",
        task="image-classification",
        run_id=None,
        about={"labels": ["a", "b"], "licence": "mit", "modality": "image"},
    )
    source = find(f"library/{model.id}", store)
    assert (source.title, source.licence, source.provider) == ("Leaves", "mit", "ana")
    assert str(source.source_task) == "telling 2 classes apart"
    assert source in sources_for(("image",), store, "local")
    assert source not in sources_for(("seq2seq", "text"), store, "local")
    assert availability(source, store) is Availability.HERE
    assert open_source(source.id, store).build(3, pretrained=True).head.out_features == 3
    store.models.bundle(model.id).unlink()
    assert availability(source, store) is Availability.UNREACHABLE
    with pytest.raises(UnusableInput, match="no longer"):
        open_source(source.id, store)


def test_a_row_for_the_command_line(store, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    for reach, where in ((True, "will be downloaded"), (False, "not reachable")):
        row = describe(CATALOGUE["timm/resnet18.a1_in1k"], store, reach)
        assert json.loads(json.dumps(row)) == row
        assert row["availability"] == where
        assert (row["parameters"], row["licence"]) == (11689512, "apache-2.0")
        assert row["source_task"] == "telling 1,000 kinds of things apart"


def test_sources_are_data():
    for entry in CATALOGUE.values():
        json.dumps({k: str(v) for k, v in asdict(entry).items()})
        with pytest.raises(AttributeError):
            entry.title = "other"


# What transformers' own defaults lack of each text encoder's configuration.
WORDS_250K = {
    "vocab_size": 250037,
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}
XLM = {"vocab_size": 250002, "max_position_embeddings": 514, "type_vocab_size": 1}
DEBERTA = {
    "relative_attention": True,
    "position_biased_input": False,
    "pos_att_type": ["p2c", "c2p"],
    "type_vocab_size": 0,
}
TEXT = {
    "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2": WORDS_250K,
    "intfloat/multilingual-e5-small": WORDS_250K,
    "intfloat/multilingual-e5-base": XLM,
    "FacebookAI/xlm-roberta-base": XLM,
    "sentence-transformers/all-mpnet-base-v2": {"vocab_size": 30527, "max_position_embeddings": 514},
    "distilbert/distilbert-base-uncased": {},
    "google-bert/bert-base-uncased": {},
    "FacebookAI/roberta-base": {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1},
    "google/electra-small-discriminator": {
        "embedding_size": 128,
        "hidden_size": 256,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
    },
    "MoritzLaurer/deberta-v3-base-zeroshot-v2.0": {
        **DEBERTA,
        "vocab_size": 128100,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_size": 768,
        "position_buckets": 256,
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
    },
    "answerdotai/ModernBERT-base": {"vocab_size": 50368},
    "distilbert/distilbert-base-multilingual-cased": {"vocab_size": 119547},
    "google-bert/bert-base-multilingual-cased": {"vocab_size": 119547},
    "neuralmind/bert-base-portuguese-cased": {"vocab_size": 29794},
    "PORTULAN/albertina-100m-portuguese-ptbr-encoder": {**DEBERTA, "vocab_size": 50265},
}


@pytest.mark.parametrize("entry", [e for e in CATALOGUE.values() if e.modality == "text"], ids=lambda e: e.id)
def test_text_encoders_have_the_size_of_their_architecture(entry):
    import torch
    from transformers import AutoConfig, AutoModel

    assert entry.languages
    if entry.id.startswith("bundled/"):
        return
    with torch.device("meta"):
        net = AutoModel.from_config(AutoConfig.for_model(entry.architecture, **TEXT[entry.id]))
    assert entry.parameters == pytest.approx(sum(p.numel() for p in net.parameters()), rel=0.002)
