"""Headless Chromium on a studio of its own: what the walks in a browser share."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tlcore.core.i18n import t

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 1000  # Playwright's milliseconds
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str:
    """The browser on this machine. Without one a test skips, or fails under TLCORE_REQUIRE_BROWSER=1."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("TLCORE_REQUIRE_BROWSER") == "1":
            pytest.fail("TLCORE_REQUIRE_BROWSER=1, and there is no Chromium on this machine")
        pytest.skip("no Chromium on this machine: the browser walk was not walked")
    return path


@contextlib.contextmanager
def serving(home: Path) -> Iterator[str]:
    """The address of ``tlcore serve`` (web server and worker) on the workspace ``home/workspace``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    env.pop("TLCORE_DATABASE_URL", None)
    log = home / "serve.log"
    command = [sys.executable, "-m", "tlcore", "serve", "--workspace", str(home / "workspace"), "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out)
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 90
    try:
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2)
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


@contextlib.contextmanager
def browsing() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    path = chromium()
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextlib.contextmanager
def tab(browser: Any, locale: str = "en-US", width: int = 1280) -> Iterator[Any]:
    """One tab of a browser without memory; no page may show a traceback."""
    context = browser.new_context(locale=locale, accept_downloads=True, viewport={"width": width, "height": 900})
    context.set_default_timeout(60 * SECONDS)
    page = context.new_page()
    yield page
    assert page.locator('[data-testid="stException"]').count() == 0
    context.close()


def click(page: Any, name: str | re.Pattern[str]) -> None:
    """Press a button as soon as it is there and can be pressed."""
    page.get_by_role("button", name=name).first.click()


def fill(page: Any, label: str, value: str) -> None:
    """Type into a field and send it."""
    field = page.get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")


def fill_in(page: Any, fields: Mapping[str, tuple[str, str]]) -> None:
    """Fill fields of the Strategy page, each until the Spec on that page has its line: {label: (value, line)}."""
    for label, (value, line) in fields.items():
        fill(page, label, value)
        in_spec(page, line)


def in_spec(page: Any, line: str) -> None:
    """Wait for a line of the Spec that the Strategy page shows as YAML."""
    page.locator('[data-testid="stCode"]', has_text=line).first.wait_for(state="attached")


def give(page: Any, key: str, path: Path) -> None:
    """A file for the upload whose key begins so."""
    page.locator(f'[class*="st-key-{key}"] input[type="file"]').first.set_input_files(path)


def downloaded(page: Any, name: str | re.Pattern[str]) -> Path:
    """The file behind a button."""
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    return Path(download.value.path())


def use_folder(page: Any, folder: Path) -> None:
    """Choose a model of one's own on the Source page: a folder on the server."""
    page.get_by_text(t("Use a model of your own")).click()
    fill(page, t("Or a folder on the server"), str(folder))
    click(page, t("Use this folder"))
    page.get_by_text(str(folder)).first.wait_for()


def bundle(page: Any, folder: Path) -> dict[str, Any]:
    """The bundle of the Share page, downloaded and unzipped into ``folder``; what it says of its own example."""
    with zipfile.ZipFile(downloaded(page, re.compile(re.escape(t("Download the bundle ({size})").split("(")[0])))) as z:
        z.extractall(folder)
    return json.loads((folder / "example" / "expected.json").read_text())


def predicts_without_the_studio(folder: Path, expected: dict[str, Any]) -> None:
    """``predict.py`` of an unzipped bundle says of the bundle's example what the bundle says it should."""
    example = next(one for one in sorted((folder / "example").iterdir()) if one.name != "expected.json")
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "predict.py"), str(example)],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader(done.stdout.splitlines(keepends=True))
    assert row["prediction"] == str(expected["prediction"])
    if expected.get("confidence") is not None:
        assert float(row["confidence"]) == pytest.approx(expected["confidence"], abs=1e-3)
