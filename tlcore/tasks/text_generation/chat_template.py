"""Converts chats to text: by the tokenizer's own chat template in a sandbox, else by a plain template."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Turns = Sequence[dict[str, str]]
Text = tuple[str, list[tuple[int, int]]]  # a text and its scored spans: (begin, end) in characters
LARGEST = 200_000  # most characters of a template
TITLES = {"system": "System", "user": "User", "assistant": "Assistant"}
TODAY = "01 Jan 2026"  # fixed date for templates that use it, so that resumed runs are identical
MARK = "\x02here\x03"


def plain(turns: Turns, end: str, opened: bool = False) -> str:
    """The plain template: ``User: …`` and ``Assistant: …``, one line each, ``end`` after each assistant message.

    With ``opened`` the text ends with an open assistant turn.
    """
    lines = [
        f"{TITLES[turn['role']]}: {turn['content']}{end if turn['role'] == 'assistant' else ''}\n" for turn in turns
    ]
    return "".join(lines) + ("Assistant:" if opened else "")


def own(folder: Path, tokens: dict[str, str]) -> Callable[[Turns, bool], str] | None:
    """The tokenizer's own chat template as a function of (turns, opened); None where there is no valid one.

    It runs in jinja's sandbox without access to anything but its arguments, as in transformers. ``tokens`` are
    bos_token and eos_token.
    """
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    program = read_template(folder)
    if program is None:
        return None
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    environment.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: TODAY}
    # {% generation %} marks assistant text; it is transformers' extension of jinja.
    program = re.sub(r"(\{%-?\s*)generation(\s*-?%\})", r"\1if true\2", program)
    program = re.sub(r"(\{%-?\s*)endgeneration(\s*-?%\})", r"\1endif\2", program)
    try:
        template = environment.from_string(program)
    except TemplateError:
        return None

    def render(turns: Turns, opened: bool) -> str:
        return template.render(messages=[dict(turn) for turn in turns], add_generation_prompt=opened, **tokens)

    return render


def spans(turns: Turns, render: Callable[[Turns, bool], str]) -> Text | None:
    """A chat as text, with the spans of the assistant's messages; None where they cannot be located.

    The span of a message is the text that its turn adds; it must contain the message.
    """
    try:
        whole, found = render(turns, False), []
        for place, turn in enumerate(turns):
            if turn["role"] == "assistant":
                before, after = render(turns[:place], True), render(turns[: place + 1], False)
                in_order = after.startswith(before) and whole.startswith(after)
                if not in_order or turn["content"].strip() not in after[len(before) :]:
                    return None
                found.append((len(before), len(after)))
        return whole, found
    except Exception:  # untrusted template: it may raise anything
        return None


def around(render: Callable[[Turns, bool], str]) -> tuple[str, str]:
    """The text before and after the first user message of a chat."""
    before, _, after = render([{"role": "user", "content": MARK}], True).partition(MARK)
    return before, after


def read_template(folder: Path) -> str | None:
    """The template's text: from ``chat_template.jinja``, else from ``tokenizer_config.json``; None without one."""
    alone = folder / "chat_template.jinja"
    if alone.is_file():
        return alone.read_text(encoding="utf-8", errors="replace")[:LARGEST]
    config = folder / "tokenizer_config.json"
    if not config.is_file() or config.stat().st_size > 50 * LARGEST:
        return None
    try:
        found: Any = json.loads(config.read_text(encoding="utf-8"))["chat_template"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if isinstance(found, list):
        named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default")
    return found[:LARGEST] if isinstance(found, str) and found else None


def _refuse(reason: str) -> None:
    raise ValueError(reason)
