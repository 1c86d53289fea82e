"""The whole walk in headless Chromium: a zip goes in, a verdict is read, a bundle comes out and predicts."""

from __future__ import annotations

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
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUNDLED = ROOT / "tlcore" / "sources" / "bundled" / "studio-small" / "model.safetensors"
SECONDS = 1000  # Playwright's milliseconds
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def chromium():
    """The browser on this machine. Without one these tests skip, or fail under TLCORE_REQUIRE_BROWSER=1."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("TLCORE_REQUIRE_BROWSER") == "1":
            pytest.fail("TLCORE_REQUIRE_BROWSER=1, and there is no Chromium on this machine")
        pytest.skip("no Chromium on this machine: the browser walk was not walked")
    return path


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """The address of ``tlcore serve`` (web server and worker) on a workspace of its own."""
    home = tmp_path_factory.mktemp("studio")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    env.pop("TLCORE_DATABASE_URL", None)
    log = home / "serve.log"
    command = [
        sys.executable,
        "-m",
        "tlcore",
        "serve",
        "--workspace",
        str(home / "workspace"),
        "--port",
        str(port),
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out)
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 90
    while True:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2)
            break
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.3)
    yield address
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()


@pytest.fixture
def page(chromium, tmp_path):
    """One tab of a fresh English browser; no page may show a traceback."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=chromium, headless=True, accept_downloads=True, locale="en-US",
            viewport={"width": 1280, "height": 900}, args=list(ARGUMENTS),
        )  # fmt: skip
        browser.set_default_timeout(60 * SECONDS)
        tab = browser.new_page()
        yield tab
        assert tab.locator('[data-testid="stException"]').count() == 0
        browser.close()


def settled(page):
    """Wait until the page's script has run to its end."""
    page.wait_for_timeout(300)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()


def click(page, name):
    page.get_by_role("button", name=name).first.click()
    settled(page)


def test_from_a_zip_to_a_verdict_and_a_bundle(page, studio, photos_zip, tiny_source, tmp_path):
    # Start: a project
    page.goto(studio)
    page.get_by_label("Name of a new project").fill("Stripes and dots")
    click(page, "Create")

    # Source: the task, then the bundled model, or where there is none a folder on the server
    page.wait_for_url("**/source**")
    settled(page)
    click(page, "Choose")
    if not BUNDLED.exists():
        page.get_by_text("Use a model of your own").click()
        page.get_by_label("Or a folder on the server").fill(str(tiny_source))
        page.get_by_label("Or a folder on the server").press("Enter")
        settled(page)
        click(page, "Use this folder")
    click(page, "Next: the data")

    # Data: upload, check, confirm
    page.wait_for_url("**/data**")
    settled(page)
    page.locator('input[type="file"]').first.set_input_files(photos_zip)
    settled(page)
    click(page, "Check the data")
    page.get_by_role("button", name="Confirm the data").wait_for(timeout=120 * SECONDS)
    settled(page)
    click(page, "Confirm the data")
    page.get_by_text("Fingerprint").wait_for()
    click(page, "Next: choose a strategy")

    # Strategy: a small budget
    page.wait_for_url("**/strategy**")
    page.get_by_text("Feature extraction", exact=True).first.click()
    settled(page)
    for label, value in (("Seeds", "2"), ("Epochs at most", "2"), ("Picture size", "32")):
        page.get_by_label(label, exact=True).fill(value)
        page.get_by_label(label, exact=True).press("Enter")
        settled(page)
    click(page, "Start the run")

    # Train: live, and still there after the tab was closed and opened again
    page.wait_for_url("**/train**")
    page.reload()
    settled(page)
    page.get_by_role("button", name="Next: see whether transfer helped").wait_for(timeout=400 * SECONDS)
    click(page, "Next: see whether transfer helped")

    # Compare: a verdict with its n
    page.wait_for_url("**/compare**")
    settled(page)
    said = page.locator('[data-testid="stMain"]').inner_text()
    assert re.search(r"Transfer helps|No clear difference|Negative transfer", said)
    assert re.search(r"n = 1[0-9]", said), "the verdict says its n"
    assert "Of 100 new examples" in said
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (JSON)").click()
    report = json.loads(Path(download.value.path()).read_text())
    assert report["verdict"] in ("transfer-helps", "no-clear-difference", "negative-transfer")
    click(page, "Next: try it, download it, share it")

    # Share: try a picture, take the bundle away
    page.wait_for_url("**/share**")
    settled(page)
    with zipfile.ZipFile(photos_zip) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".png"))
        photo = Path(archive.extract(name, tmp_path / "photo"))
    page.locator('input[type="file"]').first.set_input_files(photo)
    page.get_by_text(" sure").first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Download the bundle")).click()
    bundle = tmp_path / "bundle.zip"
    download.value.save_as(bundle)
    predicts_without_the_studio(bundle, tmp_path / "bundle")


def predicts_without_the_studio(bundle, folder):
    """``predict.py`` of the bundle answers for the example picture what the bundle says it should."""
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    expected = json.loads((folder / "example" / "expected.json").read_text())
    example = next((folder / "example").glob("picture.*"))
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "predict.py"), str(example)],
        capture_output=True, text=True, cwd=folder, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(expected["prediction"]) in done.stdout
