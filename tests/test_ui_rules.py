"""Rules of the pages: no heavy library in the web process, no HTML, sentences that the extraction finds."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "pages").glob("*.py"))
OURS = [ROOT / "app.py", *PAGES, *sorted((ROOT / "tlcore" / "ui").rglob("*.py"))]
HEAVY = (
    "torch",
    "torchvision",
    "transformers",
    "timm",
    "datasets",
    "sklearn",
    "accelerate",
    "onnx",
    "onnxruntime",
)


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_sentences_are_literals_outside_of_f_strings(path):
    """Python 3.11 gives the extraction an f-string as one token: a sentence inside of one is not found."""
    hidden = [
        ast.unparse(call)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr)
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in ("t", "sentence")
        and call.args
        and isinstance(call.args[0], ast.Constant | ast.JoinedStr)
    ]
    assert not hidden


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_html_and_no_css(path):
    text = path.read_text()
    assert "unsafe_allow_html" not in text
    assert "<style" not in text


def test_running_every_page_stays_light(tmp_path):
    """Running every page, with data and a finished run, loads none of the heavy libraries."""
    code = f"""
import json, sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from pathlib import Path
from streamlit.testing.v1 import AppTest
import ui_seed
from tlcore.store import Store
store = Store.open()
fingerprint = ui_seed.dataset(store, Path({str(tmp_path)!r}))
project = ui_seed.project(store, fingerprint)
run = ui_seed.run(store, project, fingerprint)
ui_seed.finished(store, run, fingerprint)
at = AppTest.from_file({str(ROOT / "app.py")!r}, default_timeout=60)
at.query_params["project"] = project
at.run()
for page in {[path.stem for path in PAGES]!r}:
    at.switch_page(f"pages/{{page}}.py")
    at.query_params["project"] = project
    at.run()
    assert not at.exception, (page, at.exception)
print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}} & set({HEAVY!r}))))
"""
    env = {**os.environ, "TLCORE_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    env.pop("TLCORE_DATABASE_URL", None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=env, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_links_to_learn_name_chapters_that_are_there():
    from tlcore.ui.learn import CHAPTERS

    named = {
        call.args[0].value
        for path in OURS
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "learn_link"
        and isinstance(call.args[0], ast.Constant)
    }
    assert {"negative-transfer", "strategies", "over-fitting"} <= named <= {chapter.id for chapter in CHAPTERS}


def test_the_source_page_can_say_how_much_every_kind_of_network_reads():
    from tlcore.tasks import TASKS
    from tlcore.ui.source_view import INPUTS

    assert {kind for task in TASKS for kind in task.source_families} <= set(INPUTS)
