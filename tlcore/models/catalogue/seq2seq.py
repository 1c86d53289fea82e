"""Networks that read a text and write one: translators of two or of many languages, summarizers, and T5, which is both.

Parameters are those of the network; languages are ISO 639-1 codes, "many" for tens of languages.
"""

from __future__ import annotations

from tlcore.core.i18n import Sentence, sentence
from tlcore.models.source_model import SourceModel

OPUS = sentence("OPUS: translations from the web, parliaments, subtitles and books")
C4 = sentence("C4: 750 GB of English web text, then some twenty tasks")
MC4 = sentence("mC4: web text in 101 languages")
NEWS = sentence("300,000 English news articles with their highlights")
TRANSLATES = sentence("translating")
SUMS_UP = sentence("summing up news")
MANY_DUTIES = sentence("filling in missing spans, translating, summing up, answering (T5)")
SPANS = sentence("filling in missing spans of text")
REPAIRS = sentence("repairing spoiled texts")
MAYBE_PICKLED = sentence(
    "Its weights on the hub may be a pickle, which is never opened here. Where they are: save them as "
    "model.safetensors on a machine of yours and bring the folder."
)
WHICH_TWO = sentence("It needs two languages: source_language and target_language, such as eng_Latn and por_Latn.")
WHICH = sentence("It writes several languages: give target_language as it knows it, such as pt or por.")


def _entry(
    id_: str,
    title: str,
    provider: str,
    architecture: str,
    millions: float,
    licence: str,
    task: Sentence,
    data: Sentence,
    languages: tuple[str, ...],
    note: Sentence | None = None,
    length: int = 512,
) -> SourceModel:
    return SourceModel(
        id=id_,
        title=title,
        provider=provider,
        hub_id=id_,
        revision="main",
        architecture=architecture,
        parameters=round(millions * 1e6),
        megabytes=round(millions * 4, 1),
        source_task=task,
        source_data=data,
        licence=licence,
        input_size=length,
        library="transformers",
        domain="text",
        languages=languages,
        modality="seq2seq",
        note=note,
    )


def _opus(
    name: str,
    title: str,
    languages: tuple[str, ...],
    millions: float = 77.9,
    licence: str = "apache-2.0",
    note: Sentence | None = MAYBE_PICKLED,
) -> SourceModel:
    return _entry(
        f"Helsinki-NLP/{name}",
        title,
        "University of Helsinki",
        "marian",
        millions,
        licence,
        TRANSLATES,
        OPUS,
        languages,
        note,
    )


ENTRIES = (
    _opus("opus-mt-en-ROMANCE", "Opus-MT, English to Romance languages", ("en", "pt", "es", "fr", "it"), note=WHICH),
    _opus("opus-mt-ROMANCE-en", "Opus-MT, Romance languages to English", ("pt", "es", "fr", "it", "en")),
    _opus("opus-mt-tc-big-en-pt", "Opus-MT big, English to Portuguese", ("en", "pt"), 232.8, "cc-by-4.0", WHICH),
    _opus("opus-mt-en-de", "Opus-MT, English to German", ("en", "de"), 74.4, "cc-by-4.0"),
    _opus("opus-mt-de-en", "Opus-MT, German to English", ("de", "en"), 74.4),
    _opus("opus-mt-en-es", "Opus-MT, English to Spanish", ("en", "es")),
    _entry(
        "google-t5/t5-small", "T5 small", "Google", "t5", 60.5, "apache-2.0", MANY_DUTIES, C4, ("en", "de", "fr", "ro")
    ),
    _entry(
        "google-t5/t5-base", "T5 base", "Google", "t5", 222.9, "apache-2.0", MANY_DUTIES, C4, ("en", "de", "fr", "ro")
    ),
    _entry("google/mt5-small", "mT5 small", "Google", "mt5", 300.2, "apache-2.0", SPANS, MC4, ("many",), MAYBE_PICKLED),
    _entry(
        "google/byt5-small",
        "ByT5 small, on bytes",
        "Google",
        "t5",
        299.6,
        "apache-2.0",
        SPANS,
        MC4,
        ("many",),
        MAYBE_PICKLED,
    ),
    _entry(
        "facebook/bart-base",
        "BART base",
        "Meta",
        "bart",
        139.4,
        "apache-2.0",
        REPAIRS,
        sentence("English web text, news and books: 160 GB"),
        ("en",),
    ),
    _entry(
        "sshleifer/distilbart-cnn-12-6",
        "DistilBART, news summaries",
        "S. Shleifer",
        "bart",
        305.5,
        "apache-2.0",
        SUMS_UP,
        NEWS,
        ("en",),
        MAYBE_PICKLED,
    ),
    _entry(
        "facebook/nllb-200-distilled-600M",
        "NLLB, 200 languages",
        "Meta",
        "m2m_100",
        615.1,
        "cc-by-nc-4.0",
        TRANSLATES,
        sentence("translations between 200 languages, mined from the web"),
        ("many",),
        WHICH_TWO,
    ),
)
