"""The hub: answering, refusing, silent and black-holed, played by a small server on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlparse

import pytest
from sources_models import write_timm

from tlcore.core.errors import Cancelled, UnusableInput
from tlcore.core.i18n import sentence
from tlcore.models import Availability, availability, find, hub, open_source

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "garden/test-resnet"


class Hub(ThreadingHTTPServer):
    """As much of the hub as its client asks for when it fetches the files of one model."""

    daemon_threads = True

    def __init__(self, folder: Path):
        super().__init__(("127.0.0.1", 0), Answer)
        self.folder, self.asked, self.gated = folder, list[str](), False
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urlparse(self.path).path
        self.server.asked.append(f"{self.command} {path}")
        names = sorted(p.name for p in self.server.folder.iterdir())
        if path == "/api/models":
            return self._send(b"[]")
        if path == f"/api/models/{REPO}/revision/main" or path == f"/api/models/{REPO}/revision/{COMMIT}":
            files = [{"rfilename": n, "size": (self.server.folder / n).stat().st_size} for n in names]
            return self._send(json.dumps({"id": REPO, "modelId": REPO, "sha": COMMIT, "siblings": files}).encode())
        for revision in ("main", COMMIT):
            head = f"/{REPO}/resolve/{revision}/"
            if path.startswith(head) and path.removeprefix(head) in names:
                if self.server.gated:
                    return self._send(b"", 403, {"X-Error-Code": "GatedRepo"})
                content = (self.server.folder / path.removeprefix(head)).read_bytes()
                etag = hashlib.sha256(content).hexdigest()
                return self._send(content, 200, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
        code = "RevisionNotFound" if f"/{REPO}/" in path + "/" else "RepoNotFound"
        return self._send(b"{}", 404, {"X-Error-Code": code})

    def _send(self, content: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@pytest.fixture(autouse=True)
def online(monkeypatch, tmp_path) -> Iterator[None]:
    """The network is allowed in these tests, and only to this machine; the cache is a folder of the test."""
    from huggingface_hub import constants

    for name in (
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "TLCORE_MODELS",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    hub.forget()
    yield
    hub.forget()


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = write_timm("test_resnet", tmp_path_factory.mktemp("hub") / "model")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A test\n")
    return folder


@pytest.fixture
def server(model, monkeypatch) -> Iterator[Hub]:
    running = Hub(model)
    monkeypatch.setenv("HF_ENDPOINT", running.address)
    yield running
    running.shutdown()
    running.server_close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("ref", ["TinyLlama/TinyLlama-1.1B-Chat-v1.0", "meta-llama/Llama-3.2-1B"])
def test_a_model_known_to_be_too_large_is_refused_before_anything_is_fetched(server, store, ref):
    with pytest.raises(UnusableInput) as caught:
        open_source(ref, store)
    assert caught.value.code == "source-too-large"
    assert server.asked == []


def test_a_model_is_downloaded_once_and_then_is_here(server, store):
    source = find(REPO, store)
    assert availability(source, store) is Availability.DOWNLOAD
    opened = open_source(REPO, store)
    assert opened.revision == COMMIT
    assert opened.source.licence == "mit"
    assert opened.source.architecture == "test_resnet"
    assert opened.build(2, pretrained=True).head.out_features == 2
    assert availability(source, store) is Availability.HERE
    asked = len(server.asked)
    server.shutdown()
    assert open_source(REPO, store).digest == opened.digest
    assert open_source(f"{REPO}@{COMMIT}", store).digest == opened.digest
    assert len(server.asked) == asked, "what is here is opened without asking the network"


def test_a_download_tells_its_progress_and_can_be_stopped(server, store):
    shares: list[float | None] = []
    open_source(REPO, store, lambda share, message: shares.append(share))
    assert shares[0] is None
    assert [s for s in shares if s is not None] == sorted(s for s in shares if s is not None)
    assert shares[-1] == pytest.approx(1.0)


def test_a_cancelled_download_stops(server, store):
    def stop(share: float | None, message: object) -> None:
        if share is not None:
            raise Cancelled(sentence("Cancelled."), code="cancelled")

    with pytest.raises(Cancelled):
        open_source(REPO, store, stop)
    assert hub.local(REPO, "main") is None


def test_only_the_needed_files_are_fetched(server, store, model, tmp_path):
    extra = tmp_path / "with-pickle"
    extra.mkdir()
    for path in model.iterdir():
        (extra / path.name).write_bytes(path.read_bytes())
    (extra / "pytorch_model.bin").write_bytes(b"never fetched")
    server.folder = extra
    folder = open_source(REPO, store).folder
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert not [line for line in server.asked if "pytorch_model" in line]


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["config.json", "pytorch_model.bin"], "source-pickle"),
        (["config.json", "model-00001-of-00002.safetensors"], "source-sharded"),
        (["model.safetensors"], "source-config"),
        (["config.json"], "source-weights"),
    ],
)
def test_refused_by_its_list_of_files(server, store, tmp_path, names, code):
    server.folder = tmp_path / "listing"
    server.folder.mkdir()
    for name in names:
        (server.folder / name).write_bytes(b"{}")
    with pytest.raises(UnusableInput) as caught:
        open_source(REPO, store)
    assert caught.value.code == code
    assert not [line for line in server.asked if "/resolve/" in line]


def test_names_and_revisions_that_the_hub_does_not_have(server, store):
    with pytest.raises(UnusableInput, match="no model called nobody/nothing"):
        open_source("nobody/nothing", store)
    with pytest.raises(UnusableInput, match="no revision called v9"):
        open_source(f"{REPO}@v9", store)
    with pytest.raises(UnusableInput, match="Did you mean timm/resnet18"):
        open_source("timm/resnet18.a1_in1", store)


def test_gated_models_say_what_to_do(server, store):
    server.gated = True
    with pytest.raises(UnusableInput, match="HF_TOKEN") as caught:
        open_source(REPO, store)
    assert caught.value.code == "source-gated"


def test_models_copied_in_by_hand(store, model, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("TLCORE_MODELS", str(tmp_path / "by-hand"))
    for place in ("garden/test-resnet", "garden--test-resnet", "test-resnet"):
        target = tmp_path / "by-hand" / place
        target.mkdir(parents=True)
        for path in model.iterdir():
            (target / path.name).write_bytes(path.read_bytes())
        assert availability(find(REPO, store), store, reach=False) is Availability.HERE
        assert open_source(REPO, store).folder == target
        (target / "config.json").unlink()


AT_MOST = 6  # seconds: 2.5 on an idle machine, and without its limit each of these would wait far longer


def timed() -> tuple[bool, float]:
    hub.forget()
    started = time.monotonic()
    return hub.reachable(), time.monotonic() - started


def test_a_hub_that_answers(server):
    assert timed()[0]


def test_a_closed_port(monkeypatch, store):
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    answer, seconds = timed()
    assert not answer
    assert seconds < AT_MOST
    assert availability(find(REPO, store), store) is Availability.UNREACHABLE
    with pytest.raises(UnusableInput, match="not reachable") as caught:
        open_source(REPO, store)
    assert caught.value.code == "hub-unreachable"


def test_a_black_hole_is_found_out_in_time_and_remembered(monkeypatch, store):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        answer, seconds = timed()
        assert not answer
        assert seconds < AT_MOST
        asked: list[str] = []
        monkeypatch.setattr(hub, "_ask", lambda address, timeout: asked.append(address))
        assert not hub.reachable()
        assert asked == []


def test_a_name_server_that_never_answers(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(20))
    answer, seconds = timed()
    assert not answer
    assert seconds < AT_MOST


def test_many_at_once_ask_once(server):
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(hub.reachable())) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 12
    assert server.asked == ["GET /api/models"]


def test_offline_means_not_asking(server, monkeypatch, store):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not hub.reachable()
    assert availability(find(REPO, store), store) is Availability.UNREACHABLE
    assert server.asked == []


def test_a_fresh_process_without_a_hub_is_quick(tmp_path):
    """Imports included, and through a proxy that does not exist."""
    code = (
        "import time; from tlcore.models.hub import reachable; t = time.monotonic(); "
        "print(reachable(), time.monotonic() - t)"
    )
    env = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "HF_ENDPOINT")}
    env |= {"HTTPS_PROXY": f"http://127.0.0.1:{closed_port()}", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=env,
        cwd=Path(__file__).parents[1],
        timeout=60,
    )
    answer, seconds = done.stdout.split()
    assert answer == "False"
    assert float(seconds) < AT_MOST
