"""`tlcore serve` as it stands: the server, its worker, the two addresses that are not pages, and the end of it all."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tlcore.cli.serve import address, serve
from tlcore.core.errors import UnusableInput
from tlcore.execution import processes
from tlcore.execution.heartbeat import workers_alive
from tlcore.store import Store
from tlcore.store.upload_tokens import arrived, arriving, open_token

ROOT = Path(__file__).resolve().parents[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(happened, seconds=60.0):
    until = time.monotonic() + seconds
    while not (value := happened()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """``(serve's process, its port, the store)``."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    environment = {key: value for key, value in os.environ.items() if key != "TLCORE_DATABASE_URL"}
    code = "import sys\nfrom tlcore.cli.serve import serve\nsys.exit(serve(sys.argv[1], int(sys.argv[2])))\n"
    one = subprocess.Popen(
        [sys.executable, "-c", code, str(home), str(port)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    said = ""
    while "The studio is open" not in said:
        said = one.stdout.readline()
        assert said, "serve ended before it was up"
    assert said.strip() == f"The studio is open at http://localhost:{port}"
    yield one, port, Store.open(home)
    one.kill()
    one.wait()


def ask(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def test_the_server_is_up_and_its_worker_too(studio):
    one, port, store = studio
    assert ask(port, "GET", "/healthz") == (200, b'{"status":"ok"}')
    status, page = ask(port, "GET", "/")
    assert status == 200
    assert b"<title>" in page
    [worker] = wait_for(lambda: workers_alive(store))
    assert worker.slots == {"train": 1, "quick": 2}
    assert len(web_processes(one)) == 2


def test_a_large_file_is_streamed_to_the_workspace_in_bounded_memory(studio):
    import psutil

    one, port, store = studio
    secret = open_token(store.home, "local")
    web = next(p for p in psutil.Process(one.pid).children() if "tlcore.ui.web" in p.cmdline())
    before, piece = web.memory_info().rss, os.urandom(2**20)
    status, text = ask(port, "PUT", f"/api/upload/{secret}/folhas%20%C3%A9.zip", (piece for _ in range(300)))
    assert (status, json.loads(text)) == (201, {"received": "folhas é.zip", "bytes": 300 * 2**20})
    [path] = arrived(store.home, secret)
    assert path.stat().st_size == 300 * 2**20
    with path.open("rb") as file:
        assert all(file.read(2**20) == piece for _ in range(300))
    assert web.memory_info().rss - before < 100 * 2**20


def test_nothing_is_taken_without_the_secret_nor_kept_of_a_broken_upload(studio):
    _, port, store = studio
    secret = open_token(store.home, "local")
    status, text = ask(port, "PUT", "/api/upload/" + "A" * 43 + "/x.zip", b"PK")
    assert (status, json.loads(text)["error"]["code"]) == (404, "upload-address")
    status, text = ask(port, "PUT", f"/api/upload/{secret}/x.zip", b"", {"Content-Length": str(2**50)})
    assert (status, json.loads(text)["error"]["code"]) == (413, "upload-too-large")
    assert b"<title>" in ask(port, "GET", f"/api/upload/{secret}/x.zip")[1]  # the pages' own answer, not a file
    assert ask(port, "PUT", f"/api/upload/{secret}/..%2F..%2Fevil.zip", b"PK")[0] in (400, 404)
    line = socket.create_connection(("127.0.0.1", port))
    line.sendall(f"PUT /api/upload/{secret}/x.zip HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n".encode())
    line.sendall(b"x" * 10_000_000)
    wait_for(lambda: arriving(store.home, secret))
    line.close()
    wait_for(lambda: not arriving(store.home, secret))
    assert arrived(store.home, secret) == []
    assert not list(store.home.rglob("evil.zip"))


def test_a_killed_worker_is_started_again(studio):
    _, port, store = studio
    [first] = wait_for(lambda: workers_alive(store))
    os.kill(first.pid, signal.SIGKILL)
    [second] = wait_for(lambda: [one for one in workers_alive(store) if one.pid != first.pid])
    assert second.pid != first.pid
    assert ask(port, "GET", "/healthz")[0] == 200


def test_a_taken_port_is_said(studio, tmp_path):
    _, port, _ = studio
    with pytest.raises(UnusableInput) as failure:
        serve(tmp_path, port)
    assert failure.value.code == "port"
    assert f"port {port}" in str(failure.value)


def test_the_end_of_serve_is_the_end_of_both(studio):
    one, port, store = studio
    wait_for(lambda: workers_alive(store))
    parts = [(p.pid, processes.started(p.pid)) for p in web_processes(one)]
    assert len(parts) == 2
    one.send_signal(signal.SIGTERM)
    assert one.wait(timeout=60) == 0
    assert not any(processes.lives(*part) for part in parts)
    assert workers_alive(store) == []
    with pytest.raises(OSError, match="refused"):
        ask(port, "GET", "/healthz")


def web_processes(one):
    import psutil

    return psutil.Process(one.pid).children()


def test_an_address_is_one_that_a_browser_can_open():
    assert address("0.0.0.0", 8501) == "http://localhost:8501"
    assert address("studio.example", 80) == "http://studio.example:80"
