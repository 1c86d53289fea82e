"""The bundle's predict.py: `standalone` with the studio's own picture functions written into it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from tlcore.data.pictures import to_rgb
from tlcore.tasks.picture_canvas import canvas, pixels

MARK = "# studio: "
END = '\n"""\n'
REQUIREMENTS = "onnxruntime>=1.17\nnumpy>=1.24\nPillow>=9.5\n"


def predict_py() -> str:
    """The text of predict.py. The functions are taken from where training takes them, so they cannot drift apart."""
    text = Path(__file__).with_name("standalone.py").read_text(encoding="utf-8")
    docstring, code = text[: text.index(END) + len(END)], text[text.index(END) + len(END) :]
    before, _, after = code.partition(MARK)
    after = "".join(line for line in after.splitlines(keepends=True)[1:] if not line.startswith("from tlcore."))
    own = "\n\n".join("\n" + inspect.getsource(function) for function in (to_rgb, canvas, pixels))
    text = f"{docstring}\nfrom __future__ import annotations\n{before}{own}\n\n{after.lstrip()}".replace(
        "  # noqa: F401", ""
    )
    text = re.sub(r"  # noqa: \w+", "", text)
    assert "tlcore" not in text
    compile(text, "predict.py", "exec")
    return text
