"""Builds the bundle's predict.py: a script `runtime/predict_*.py` with functions of the studio inlined."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tlcore import runtime

MARK = "# studio: "
END = '\n"""\n'
BY_ONNX = "onnxruntime>=1.17\nnumpy>=1.24\n"
# Older versions of transformers ignore settings in a version-5 config.json; older versions of timm cannot read folders.
BY_TORCH = {
    "transformers": "torch>=2.4\ntransformers>=5.0\nsafetensors>=0.4\nnumpy>=1.24\n",
    "timm": "torch>=2.4\ntimm>=1.0.16\nsafetensors>=0.4\nnumpy>=1.24\n",
}
PICTURES, TEXTS = "Pillow>=9.5\n", "tokenizers>=0.20\n"  # libraries that read the examples


def requirements(reads: str, library: str | None) -> str:
    """The requirements.txt of predict.py.

    It has onnxruntime (or torch and the ``library`` of the weights, if there is no model.onnx) and ``reads``, the
    library that reads the examples.
    """
    return (BY_TORCH[library] if library else BY_ONNX) + reads


def predict_py() -> str:
    """The text of predict.py for pictures."""
    from tlcore.runtime.image_canvas import canvas, pixels
    from tlcore.runtime.images import to_rgb

    return _written("predict_images.py", (to_rgb, canvas, pixels))


def predict_text_py() -> str:
    """The text of predict.py for texts."""
    from tlcore.runtime.predict_images import answer, cell, probabilities, said, uncell, write_table

    return _written("predict_texts.py", (probabilities, said, answer, cell, uncell, write_table))


def predict_tokens_py() -> str:
    """The text of predict.py for entities in texts."""
    from tlcore.runtime.predict_images import cell, uncell, write_table
    from tlcore.runtime.predict_texts import padded
    from tlcore.runtime.text_spans import entities, pieces, shown, words_of

    functions, constants = _of_tables()
    own = (padded, cell, uncell, write_table, pieces, words_of, entities, shown)
    return _written("predict_entities.py", (*functions, *own), constants)


def predict_generation_py() -> str:
    """The text of predict.py for text generation."""
    from tlcore.runtime.generation import begun, continued, readable
    from tlcore.runtime.predict_images import cell, uncell, write_table

    functions, constants = _of_tables()
    own = (cell, uncell, write_table, begun, continued, readable)
    return _written("predict_continuations.py", (*functions, *own), constants)


def predict_sequences_py() -> str:
    """The text of predict.py for sequence-to-sequence models."""
    from tlcore.runtime.predict_images import cell, uncell, write_table
    from tlcore.runtime.predict_texts import padded

    functions, constants = _of_tables()
    return _written("predict_sequences.py", (*functions, cell, uncell, write_table, padded), constants)


def predict_questions_py() -> str:
    """The text of predict.py for question answering."""
    from tlcore.runtime.answer_spans import best_answer, padded, said, windows
    from tlcore.runtime.predict_images import cell, uncell, write_table
    from tlcore.runtime.predict_texts import encoding_of

    return _written("predict_answers.py", (windows, padded, best_answer, said, encoding_of, cell, uncell, write_table))


def _of_tables() -> tuple[tuple[Callable[..., Any], ...], dict[str, Any]]:
    """Functions that read texts from tables and lists, and the constants that they use."""
    from tlcore.runtime import predict_texts as text

    functions = (text.gather, text.first, text.trained_on, text._from_table, text._place, text.encoding_of)
    return functions, {name: getattr(text, name) for name in ("MOST_BYTES", "TEXT_COLUMNS")}


def _written(name: str, functions: tuple[Callable[..., Any], ...], constants: Mapping[str, Any] | None = None) -> str:
    """The script ``name`` of tlcore/runtime with ``functions`` and ``constants`` inlined.

    Training uses the same functions, so training and predict.py cannot diverge.
    """
    text = (Path(runtime.__file__).parent / name).read_text(encoding="utf-8")
    docstring, code = text[: text.index(END) + len(END)], text[text.index(END) + len(END) :]
    lines = [line for line in code.splitlines(keepends=True) if not line.startswith("from tlcore.")]
    before, _, after = "".join(lines).partition(MARK)
    after = after.partition("\n")[2]
    own = "".join(f"{name} = {value!r}\n" for name, value in (constants or {}).items())
    own += "\n\n".join("\n" + inspect.getsource(function) for function in functions)
    text = f"{docstring}\nfrom __future__ import annotations\n{before}{own}\n\n{after.lstrip()}".replace(
        "  # noqa: F401", ""
    )
    text = re.sub(r"  # noqa: \w+", "", text)
    assert "tlcore" not in text
    compile(text, "predict.py", "exec")
    return text
