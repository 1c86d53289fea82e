"""A deep link on a fresh server goes through the frame: navigation and gate come first, the page stays."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SIGN_IN = """[auth]
redirect_uri = "http://localhost/oauth2callback"
cookie_secret = "only-for-this-test"
client_id = "x"
client_secret = "x"
server_metadata_url = "http://127.0.0.1:9/none"
"""


class Server:
    """A fresh Streamlit server with the interface that drives it without a browser (tests only)."""

    def __init__(self, home: Path, *more: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        env = {**os.environ, "TLCORE_HOME": str(home), "HF_HUB_OFFLINE": "1"}
        env.pop("TLCORE_DATABASE_URL", None)
        options = {
            "server.headless": "true",
            "server.address": "127.0.0.1",
            "server.port": self.port,
            "server.enableAgentApi": "true",
            "server.fileWatcherType": "none",
            "server.allowedHosts": "127.0.0.1",
            "browser.gatherUsageStats": "false",
        }
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")]
        command += [f"--{name}={value}" for name, value in options.items()]
        self.log = home / "server.log"
        home.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*command, *more], cwd=ROOT, env=env, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stcore/health", timeout=2)
                return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < until, self.log.read_text()
                time.sleep(0.2)

    def ask(self, **request):
        """One request as a browser would cause it; follows a run that takes longer than the server waits."""
        while True:
            asked = urllib.request.Request(
                f"http://127.0.0.1:{self.port}/_stcore/agent/interact",
                json.dumps(request).encode(),
                {"Content-Type": "application/json"},
            )
            try:
                with urllib.request.urlopen(asked, timeout=60) as answer:
                    result = json.load(answer)
            except urllib.error.HTTPError as error:
                raise AssertionError(error.read().decode()) from None
            if result.get("status") == "ready" or answer.status != 202:
                return result
            request = {"session_id": result["session_id"]}

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(*more):
        servers.append(Server(tmp_path / f"home{len(servers)}", *more))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def texts(node, kind):
    """What the elements of a kind say."""
    own = [str(node.get("props", {}).get("body") or node.get("value"))] if node.get("type") == kind else []
    return own + [text for child in node.get("children", []) for text in texts(child, kind)]


def test_first_visitor_by_a_deep_link_gets_the_frame_and_the_page(serve):
    result = serve().ask(page="server")
    assert result["status"] == "ready", result
    assert "Server" in " ".join(texts(result["tree"], "title"))
    shown = json.dumps(result)
    assert "Language" in shown, "the frame's language picker is there"
    assert {"learn", "library"} <= {page.get("url_path") for page in result["pages"]}


def test_first_visitor_by_a_deep_link_meets_the_gate(serve, tmp_path):
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(SIGN_IN)
    result = serve(f"--secrets.files={secrets}").ask(page="library")
    shown = json.dumps(result["tree"])
    assert "Sign in" in shown
    assert "published" not in shown, "nothing of the page itself is sent"
