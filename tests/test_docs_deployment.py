"""Dockerfile, compose file, Makefile and CI script: what can be held to without Docker."""

from __future__ import annotations

import ast
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.split(None, 1)
    for line in re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
    if line.strip()
]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def values(instruction: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def command_of_image() -> list[str]:
    return json.loads(values("CMD")[-1])


def tlcore(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tlcore", *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60
    )


def test_what_the_image_copies_exists_and_is_not_ignored():
    rules = [r for r in (ROOT / ".dockerignore").read_text().splitlines() if r and not r.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    for line in values("COPY"):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source in let_in, f"{source} is not let in by .dockerignore"
    assert not [secret for secret in (".env", ".git", "tests") if any(fnmatch.fnmatch(secret, r) for r in let_in)]


def test_the_image_runs_as_somebody_else_and_is_looked_after():
    assert values("USER")[-1].isdigit()
    assert int(values("USER")[-1]) > 0
    assert values("VOLUME") == ['["/data"]']
    assert any("TLCORE_HOME=/data" in line for line in values("ENV"))
    check = json.loads(values("HEALTHCHECK")[0].split("CMD", 1)[1])
    ast.parse(check[2])
    assert "/_stcore/health" in check[2]


def test_cpu_and_cuda_are_stages():
    stages = {line.split(" AS ")[1] for line in values("FROM") if " AS " in line}
    assert {"base", "cpu", "cuda"} <= stages
    assert values("FROM")[-1] == "${DEVICE}"
    assert {"DEVICE=cpu", "TORCH_INDEX"} <= set(values("ARG"))


def test_hadolint_has_nothing_to_say():
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.exists():
        pytest.skip("hadolint is not in this environment (requirements-dev.txt)")
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_compose_has_pages_worker_and_database():
    services = COMPOSE["services"]
    assert set(services) == {"web", "worker", "database"}
    for name in ("web", "worker"):
        service = services[name]
        assert service["env_file"] == ".env"
        assert service["volumes"] == ["workspace:/data"]
        assert service["depends_on"]["database"]["condition"] == "service_healthy"
        assert service["environment"]["TLCORE_DATABASE_URL"].startswith("postgresql+psycopg://")
    assert "healthcheck" in services["database"]
    assert set(COMPOSE["volumes"]) == {"workspace", "database"}


def test_the_example_of_settings_names_what_compose_asks_for():
    example = (ROOT / ".env.example").read_text()
    for name in set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text())):
        assert re.search(rf"^#?{name}=", example, re.MULTILINE), name
    assert "POSTGRES_PASSWORD=\n" in example
    ignored = subprocess.run(["git", "check-ignore", "-q", ".env"], cwd=ROOT)
    assert ignored.returncode in (0, 128)  # 128: not a checkout


def test_the_worker_health_check_tells_a_dead_workspace_from_a_living_one(tmp_path):
    """The check is run as it stands: without a worker it fails, with a worker's note it passes."""
    command = COMPOSE["services"]["worker"]["healthcheck"]["test"]
    assert command[:3] == ["CMD", "python", "-c"]
    env = {**os.environ, "TLCORE_HOME": str(tmp_path)}
    alone = subprocess.run([sys.executable, "-c", command[3]], cwd=ROOT, env=env, capture_output=True, timeout=60)
    assert alone.returncode == 1, alone.stderr.decode()[-500:]

    from tlcore.execution import heartbeat

    heartbeat.note(tmp_path, heartbeat.describe({"train": 1, "quick": 1}))
    beside = subprocess.run([sys.executable, "-c", command[3]], cwd=ROOT, env=env, capture_output=True, timeout=60)
    assert beside.returncode == 0, beside.stderr.decode()[-500:]


@pytest.mark.parametrize(
    "command",
    [command_of_image(), COMPOSE["services"]["web"]["command"], COMPOSE["services"]["worker"]["command"]],
    ids=["image", "web", "worker"],
)
def test_entry_commands_are_understood(command):
    """The verb exists, and every option of the command is one of its own."""
    assert command[0] == "tlcore"
    shown = tlcore(command[1], "--help")
    assert shown.returncode == 0, shown.stderr
    for option in (word for word in command[2:] if word.startswith("--")):
        assert option in shown.stdout


def test_the_console_command_is_installed():
    done = subprocess.run(
        [Path(sys.executable).with_name("tlcore"), "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "serve" in done.stdout


@pytest.mark.parametrize(
    "target", ["install", "run", "worker", "test", "lint", "format", "words", "bench", "docker", "clean"]
)
def test_make_knows_its_targets(target):
    if shutil.which("make") is None:
        pytest.skip("make is not on this machine")
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"make {target}" in subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout


def test_make_says_what_to_do_without_a_usable_python(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("make is not on this machine")
    for name in ("Makefile", "requirements.txt", "requirements-models.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    done = subprocess.run(["make", "install", "PYTHON="], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "Python 3.11 or newer" in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("script", [".ci/run"])
def test_scripts_are_sound(script):
    path = ROOT / script
    assert os.access(path, os.X_OK)
    assert subprocess.run(["bash", "-n", str(path)]).returncode == 0
    assert "set -euo pipefail" in path.read_text()
