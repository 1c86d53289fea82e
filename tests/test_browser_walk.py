"""The whole walk in headless Chromium: a zip goes in, a verdict is read, a bundle comes out and predicts."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from browsing import (
    ROOT,
    SECONDS,
    bundle,
    click,
    downloaded,
    fill_in,
    give,
    in_spec,
    predicts_without_the_studio,
    tab,
    use_folder,
)

BUNDLED = ROOT / "tlcore" / "models" / "bundled" / "studio-small" / "model.safetensors"
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture
def page(browser):
    with tab(browser) as one:
        yield one


def test_from_a_zip_to_a_verdict_and_a_bundle(page, studio, photos_zip, tiny_source, tmp_path):
    # Start: a project
    page.goto(studio)
    page.get_by_label("Name of a new project").fill("Stripes and dots")
    click(page, "Create")

    # Source: the task, then the bundled model, or where there is none a folder on the server
    page.wait_for_url("**/source**")
    click(page, "Choose")
    if not BUNDLED.exists():
        use_folder(page, tiny_source)
    click(page, "Next: the data")

    # Data: upload, check, confirm
    page.wait_for_url("**/data**")
    give(page, "upload-zip", photos_zip)
    click(page, "Check the data")
    page.get_by_role("button", name="Confirm the data").click(timeout=120 * SECONDS)
    page.get_by_text("Fingerprint").wait_for()
    click(page, "Next: choose a strategy")

    # Strategy: a small budget
    page.wait_for_url("**/strategy**")
    page.get_by_text("Feature extraction", exact=True).first.click()
    in_spec(page, "strategy: feature-extraction")
    fill_in(
        page,
        {"Seeds": ("2", "seeds: 2"), "Epochs at most": ("2", "epochs: 2"), "Picture size": ("32", "image_size: 32")},
    )
    click(page, "Start the run")

    # Train: live, and still there after the tab was closed and opened again
    page.wait_for_url("**/train**")
    page.reload()
    page.get_by_role("button", name="Next: see whether transfer helped").click(timeout=400 * SECONDS)

    # Compare: a verdict with its n
    page.wait_for_url("**/compare**")
    page.get_by_role("button", name="Report (JSON)").wait_for()
    said = page.locator('[data-testid="stMain"]').inner_text()
    assert re.search(r"Transfer helps|No clear difference|Negative transfer", said)
    assert re.search(r"n = 1[0-9]", said), "the verdict says its n"
    assert "Of 100 new examples" in said
    report = json.loads(downloaded(page, "Report (JSON)").read_text())
    assert report["verdict"] in ("transfer-helps", "no-clear-difference", "negative-transfer")
    click(page, "Next: try it, download it, share it")

    # Share: try a picture, take the bundle away
    page.wait_for_url("**/share**")
    with zipfile.ZipFile(photos_zip) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".png"))
        photo = Path(archive.extract(name, tmp_path / "photo"))
    give(page, "try-file", photo)
    page.get_by_text(" sure").first.wait_for()
    predicts_without_the_studio(tmp_path / "bundle", bundle(page, tmp_path / "bundle"))
