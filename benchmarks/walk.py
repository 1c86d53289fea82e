"""A bundled sample walked in a browser and timed: from the click on it to the verdict and to the downloaded bundle.

    python benchmarks/walk.py [--sample surface-defects] [--language en-US|pt-BR] [--shots FOLDER] [--wide 1280]

Starts the studio with its worker on a workspace of its own and drives headless Chromium by Playwright, as a new user
would go: every default is left as it is. Run it alone on the machine. ``--shots`` keeps a picture of every step.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tlcore.core import i18n
from tlcore.core.i18n import t
from tlcore.data.samples import SAMPLES

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LONGEST = 900_000  # milliseconds that a run may take


def serve(home: Path) -> tuple[subprocess.Popen, str]:
    """``tlcore serve`` on a free port; its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tlcore", "serve", "--workspace", str(home / "workspace"), "--port", str(port)]
    with (home / "serve.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    address = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2)
            return server, address
        except OSError:
            time.sleep(0.3)
    raise SystemExit((home / "serve.log").read_text())


class Walk:
    """One tab, its clock and its pictures."""

    def __init__(self, page: Page, shots: Path | None):
        self.page, self.shots, self.begun, self.number = page, shots, time.monotonic(), 0

    def settled(self) -> None:
        self.page.wait_for_timeout(200)
        self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=name).first.click()
        self.settled()

    def at(self, step: str) -> None:
        print(f"{time.monotonic() - self.begun:6.1f} s  {step}", flush=True)
        if self.shots:
            self.number += 1
            self.page.wait_for_timeout(700)
            self.page.screenshot(path=self.shots / f"{self.number:02d}-{step}.png", full_page=True)


def walk(args: argparse.Namespace, page: Page, address: str) -> None:
    """Start → Data → Strategy → Train → Compare → Share, as the buttons lead."""
    sample = next(one for one in SAMPLES if one.id == args.sample)
    page.goto(address)
    page.get_by_role("heading", name=t("Try a sample")).wait_for()
    here = Walk(page, args.shots)
    here.settled()
    here.at("start")
    here.begun = time.monotonic()
    card = page.locator('[data-testid="stVerticalBlock"]', has=page.get_by_text(t(sample.title), exact=True)).last
    card.get_by_role("button", name=t("Try this sample")).click()
    page.wait_for_url("**/data**")
    page.get_by_role("button", name=t("Confirm the data")).wait_for()
    here.settled()
    here.at("data")
    here.click(t("Confirm the data"))
    page.get_by_role("button", name=t("Next: choose a strategy")).wait_for()
    here.at("confirmed")
    here.click(t("Next: choose a strategy"))
    page.wait_for_url("**/strategy**")
    here.settled()
    here.at("strategy")
    here.click(t("Start the run"))
    page.wait_for_url("**/train**")
    if args.shots:
        page.wait_for_timeout(20_000)
        here.at("training")
    page.get_by_role("button", name=t("Next: see whether transfer helped")).wait_for(timeout=LONGEST)
    here.at("trained")
    here.click(t("Next: see whether transfer helped"))
    page.wait_for_url("**/compare**")
    page.get_by_text(re.compile("n = ")).first.wait_for()
    here.settled()
    here.at("verdict")
    here.click(t("Next: try it, download it, share it"))
    page.wait_for_url("**/share**")
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile(re.escape(t("Download the bundle ({size})").split(" (")[0]))).click()
    print(f"{time.monotonic() - here.begun:6.1f} s  bundle, {Path(download.value.path()).stat().st_size / 1e6:.1f} MB")
    here.at("share")
    assert page.locator('[data-testid="stException"]').count() == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", default="surface-defects", choices=[one.id for one in SAMPLES])
    parser.add_argument("--language", default="en-US", choices=("en-US", "pt-BR"))
    parser.add_argument("--shots", type=Path)
    parser.add_argument("--wide", type=int, default=1280)
    result = parser.parse_args()
    i18n.set_language_provider(lambda: "pt_BR" if result.language == "pt-BR" else "en")
    if result.shots:
        result.shots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server, address = serve(Path(folder))
        try:
            browser = playwright.chromium.launch_persistent_context(
                Path(folder) / "profile",
                executable_path=shutil.which("chromium"),
                headless=True,
                locale=result.language,
                accept_downloads=True,
                viewport={"width": result.wide, "height": 900},
                args=list(ARGUMENTS),
            )
            browser.set_default_timeout(120_000)
            walk(result, browser.new_page(), address)
            browser.close()
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main()
