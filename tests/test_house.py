"""The rules of the house that can be counted (docs/architecture.md)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {
    "captum",
    "torch",
    "torchvision",
    "transformers",
    "timm",
    "datasets",
    "sklearn",
    "accelerate",
    "onnx",
    "onnxruntime",
    "mlflow",
    "peft",
}
# Only imported inside functions, by modules that need a network.
HEAVY_ALLOWED = {f"tlcore/models/adapters/{name}_model.py" for name in ("causal", "image", "seq2seq", "span", "text")}
HEAVY_ALLOWED |= {"tlcore/models/adapters/masked_head.py"}
# From the ground up: a room imports from those before it alone, also inside of functions and for annotations.
ROOMS = (
    "core",
    "runtime",
    "modalities",
    "store",
    "data",
    "models",
    "evaluation",
    "tasks",
    "training",
    "strategies",
    "spec",
    "plan",
    "guidance",
    "report",
    "bundle",
    "flow",
    "execution",
    "ui",
    "cli",
)
PAGES = sorted((ROOT / "pages").glob("*.py"))
MODULES = sorted((ROOT / "tlcore").rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_level_imports(tree: ast.Module) -> set[str]:
    """Top-level packages imported when the module is, those under ``if TYPE_CHECKING`` left out."""
    found: set[str] = set()
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.If):
            if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
                waiting += node.body
            waiting += node.orelse
        elif isinstance(node, ast.Try):
            waiting += node.body + node.orelse + node.finalbody + [s for h in node.handlers for s in h.body]
        elif isinstance(node, ast.With | ast.ClassDef):
            waiting += node.body
    return found


def dotted(path: Path) -> str:
    return name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports_within(path: Path, modules: set[str]) -> Iterator[str]:
    """The modules of tlcore that a module imports anywhere: inside of functions and for annotations too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "tlcore":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in modules else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("tlcore."))


def room(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


def test_no_room_imports_from_one_above_it():
    known = {dotted(path) for path in MODULES}
    assert {room(module) for module in known} - {"", "__main__"} == set(ROOMS), "a room has its place in ROOMS"
    upwards = {
        f"{module} imports {other}"
        for path in MODULES
        if room(module := dotted(path)) in ROOMS
        for other in imports_within(path, known)
        if room(other) and ROOMS.index(room(other)) > ROOMS.index(room(module))
    }
    assert not upwards


def test_modules_do_not_import_each_other_in_circles():
    known = {dotted(path) for path in MODULES}
    above = {dotted(path): set(imports_within(path, known)) - {dotted(path)} for path in MODULES}
    try:
        list(TopologicalSorter(above).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_files_that_the_docs_name_are_there():
    folders = (ROOT, ROOT / "tlcore", ROOT / "docs")
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for named in re.findall(r"`([\w/]+/[\w/*]+\.(?:py|md|json|po))`", page.read_text(encoding="utf-8")):
            assert any(list(folder.glob(named)) for folder in folders), f"{page.name}: there is no {named}"


def test_each_room_says_what_it_is_for_and_what_it_never_does():
    for place in ROOMS:
        folder = ROOT / "tlcore" / place
        if folder.is_dir():
            said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
            assert said.count("\n") >= 2, f"{place} says too little of itself"
            assert re.search(r"\b(never|Never|No|no|Knows|alone)\b", said), f"{place} does not say what it never does"


def test_there_is_something_to_count():
    assert len(PAGES) >= 9
    assert len(MODULES) > 60


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_modules(path):
    text = path.read_text()
    imports = module_level_imports(ast.parse(text))
    if name(path) not in HEAVY_ALLOWED:
        assert not imports & HEAVY, "heavy imports wait for work"
    if not name(path).startswith("tlcore/ui/"):
        everywhere = {
            alias.name.split(".")[0] if isinstance(node, ast.Import) else (node.module or "").split(".")[0]
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert "streamlit" not in everywhere, "only app.py, pages and tlcore/ui import streamlit"


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pages(path):
    text = path.read_text()
    assert text.count("\n") <= 120, "a page stays under 120 lines"
    tree = ast.parse(text)
    assert not module_level_imports(tree) & HEAVY
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)], "a page is a script"
    body = [n for n in tree.body if not isinstance(n, ast.Import | ast.ImportFrom)]
    assert ast.get_docstring(tree), "a page says what it is"
    assert ast.unparse(body[1]) == f"guard('{path.stem}')", "a page begins with its guard"


def test_the_light_parts_stay_light():
    """What the web process and the command line's start import brings in none of the heavy libraries."""
    modules = sorted(
        dotted(p)
        for p in MODULES
        if name(p) not in HEAVY_ALLOWED and "__main__" not in p.name and "migrations" not in name(p)
    )
    code = (
        f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\n"
        f"print(sorted(set(sys.modules) & {HEAVY!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_ids_are_file_names():
    """One thing = one file: the id in kebab-case is the module's name in snake_case."""
    from tlcore.data.samples import SAMPLES
    from tlcore.strategies import STRATEGIES
    from tlcore.tasks import TASKS
    from tlcore.ui.learn import CHAPTERS

    for task in TASKS:
        assert type(task).__module__.split(".")[-2:] == [task.id.replace("-", "_"), "task"]
    for strategy in STRATEGIES:
        assert type(strategy).__module__.rsplit(".", 1)[1] == strategy.id.replace("-", "_")
    for chapter in CHAPTERS:
        assert chapter.render.__module__.rsplit(".", 1)[1] == chapter.id.replace("-", "_")
    folder = {path.stem for path in (ROOT / "tlcore" / "data" / "samples").glob("*.py")}
    for sample in SAMPLES:
        assert sample.id.replace("-", "_") in folder


def test_registries_refuse_duplicates():
    from tlcore.core.registry import by_id
    from tlcore.strategies import STRATEGIES

    with pytest.raises(ValueError, match=STRATEGIES[0].id):
        by_id([*STRATEGIES, STRATEGIES[0]])


def tracked() -> list[Path]:
    """Files of the repository: those git knows, and new ones that it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [p for part in listed.stdout.decode().split("\0") if part and (p := ROOT / part).is_file()]


def test_nothing_large_or_foreign_is_in_the_repository():
    """Weights are bundled source models as safetensors or ONNX: at most 12 MB each and 40 MB in all."""
    weights = {".safetensors", ".onnx", ".pt", ".pth", ".bin", ".ckpt", ".pkl"}
    bundled = 0
    for path in tracked():
        size = path.stat().st_size
        if path.suffix in {".safetensors", ".onnx"} and "tlcore/models/bundled/" in name(path):
            assert size <= 12 * 2**20, "a bundled source model is at most 12 MB"
            bundled += size
        else:
            assert path.suffix not in weights, name(path)
            assert size <= 2**20, f"{name(path)} is larger than 1 MB"
    assert bundled <= 40 * 2**20, "bundled source models are at most 40 MB in all"


def test_no_machine_is_named():
    """Paths of one machine, and hosts of package registries, have no place in the repository."""
    paths = re.compile(r"/(?:wor[k]|roo[t]|home/[a-z]+)/[\w.-]+")
    hosts = re.compile(
        r"(?:pypi\.(?:or[g]|python\.or[g])|files\.pythonhosted|download\.pytorch\.or[g]|registry\.npmj[s])"
    )
    for path in tracked():
        if path.suffix in {".safetensors", ".png", ".parquet", ".zip"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for pattern in (paths, hosts):
            found = pattern.search(text)
            assert not found, f"{name(path)}: {found.group(0)}"
