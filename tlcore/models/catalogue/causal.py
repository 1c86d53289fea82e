"""Networks that go on writing: the studio's own tiny one, then small ones of the hub, in several languages.

Parameters are those of the network, its table of tokens counted once; languages are ISO 639-1 codes, "many" for tens.
"""

from __future__ import annotations

from pathlib import Path

from tlcore.core.i18n import Sentence, sentence
from tlcore.models import weight_files
from tlcore.models.source_model import SourceModel

FOLDER = Path(__file__).parents[1] / "bundled" / "studio-writer"
NEXT_TOKEN = sentence("going on with a text, token by token")
INSTRUCTED = sentence("answering what a person asks, after learning to go on with texts")
SMOLLM = sentence("web pages, textbooks and program code in English: {n} trillion tokens", n=2)
SMOLLM_4 = sentence("web pages, textbooks and program code in English: {n} trillion tokens", n=4)
QWEN3 = sentence("36 trillion tokens in 119 languages")
WEBTEXT = sentence("WebText: 40 GB of English web pages that people linked to")
MAYBE_PICKLED = sentence(
    "Its weights on the hub may be a pickle, which is never opened here. Where they are: save them as "
    "model.safetensors on a machine of yours and bring the folder."
)
LLAMA = sentence(
    "Larger than the 800 million weights that can be trained here today. Meta's Llama 3.2 licence applies: read it "
    "before use; the hub asks you to sign in and accept it, and a model made from it must carry Llama in its name."
)
LARGE = sentence(
    "Over 300 million parameters: LoRA is advised, and a GPU; its from-scratch twin takes very long on a CPU."
)
TOO_LARGE = sentence(
    "Larger than the 800 million weights that can be trained here today; listed for when that changes."
)


def _entry(
    id_: str,
    title: str,
    provider: str,
    architecture: str,
    millions: float,
    licence: str,
    data: Sentence,
    languages: tuple[str, ...],
    note: Sentence | None = None,
    task: Sentence = NEXT_TOKEN,
    bytes_each: int = 2,
) -> SourceModel:
    return SourceModel(
        id=id_,
        title=title,
        provider=provider,
        hub_id=id_,
        revision="main",
        architecture=architecture,
        parameters=round(millions * 1e6),
        megabytes=round(millions * bytes_each, 1),
        source_task=task,
        source_data=data,
        licence=licence,
        input_size=512,
        library="transformers",
        domain="text",
        languages=languages,
        modality="causal",
        note=note,
    )


def _bundled() -> SourceModel:
    there = (FOLDER / weight_files.WEIGHTS).is_file()
    return SourceModel(
        id="bundled/studio-writer",
        title="Studio writer, tiny",
        provider="Transfer Learning Studio",
        architecture="llama",
        parameters=weight_files.read_weights(FOLDER).values if there else None,
        megabytes=round((FOLDER / weight_files.WEIGHTS).stat().st_size / 1e6, 1) if there else None,
        source_task=NEXT_TOKEN,
        source_data=sentence(
            "12 MB of text: little stories made by a program in English and Portuguese, documentation of "
            "Python and four packages in English, and this studio's own pages"
        ),
        licence="apache-2.0",
        input_size=256,
        library="transformers",
        domain="text",
        languages=("en", "pt"),
        modality="causal",
        note=sentence(
            "Very small and trained for 14 minutes: it knows short sentences of two languages and little else. "
            "For a first walk without a network; for real use choose a larger one."
        ),
    )


ENTRIES = (
    _bundled(),
    _entry("HuggingFaceTB/SmolLM2-135M", "SmolLM2 135M", "Hugging Face", "llama", 134.5, "apache-2.0", SMOLLM, ("en",)),
    _entry(
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "SmolLM2 135M, instructed",
        "Hugging Face",
        "llama",
        134.5,
        "apache-2.0",
        SMOLLM,
        ("en",),
        task=INSTRUCTED,
    ),
    _entry(
        "HuggingFaceTB/SmolLM2-360M",
        "SmolLM2 360M",
        "Hugging Face",
        "llama",
        361.8,
        "apache-2.0",
        SMOLLM_4,
        ("en",),
        LARGE,
    ),
    _entry(
        "HuggingFaceTB/SmolLM2-360M-Instruct",
        "SmolLM2 360M, instructed",
        "Hugging Face",
        "llama",
        361.8,
        "apache-2.0",
        SMOLLM_4,
        ("en",),
        LARGE,
        INSTRUCTED,
    ),
    _entry(
        "distilbert/distilgpt2",
        "DistilGPT-2",
        "Hugging Face",
        "gpt2",
        81.9,
        "apache-2.0",
        sentence("OpenWebText: 38 GB of English web pages, taught by GPT-2"),
        ("en",),
        bytes_each=4,
    ),
    _entry("openai-community/gpt2", "GPT-2", "OpenAI", "gpt2", 124.4, "mit", WEBTEXT, ("en",), bytes_each=4),
    _entry(
        "pierreguillou/gpt2-small-portuguese",
        "GPT-2 small, Portuguese",
        "Pierre Guillou",
        "gpt2",
        124.4,
        "mit",
        sentence("GPT-2, then Wikipedia in Portuguese: 1 GB"),
        ("pt",),
        MAYBE_PICKLED,
        bytes_each=4,
    ),
    _entry("Qwen/Qwen3-0.6B-Base", "Qwen3 0.6B", "Alibaba", "qwen3", 596.0, "apache-2.0", QWEN3, ("many",), LARGE),
    _entry(
        "Qwen/Qwen3-0.6B",
        "Qwen3 0.6B, instructed",
        "Alibaba",
        "qwen3",
        596.0,
        "apache-2.0",
        QWEN3,
        ("many",),
        LARGE,
        INSTRUCTED,
    ),
    _entry(
        "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        "TinyLlama 1.1B, instructed",
        "TinyLlama",
        "llama",
        1100.0,
        "apache-2.0",
        sentence("web pages and program code in English: 3 trillion tokens"),
        ("en",),
        TOO_LARGE,
        INSTRUCTED,
    ),
    _entry(
        "meta-llama/Llama-3.2-1B",
        "Llama 3.2 1B",
        "Meta",
        "llama",
        1235.8,
        "llama3.2",
        sentence("up to 9 trillion tokens of public text in many languages, Portuguese among them"),
        ("en", "pt", "many"),
        LLAMA,
    ),
)
