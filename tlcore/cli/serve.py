"""What ``tlcore serve`` does: the web server and a worker, started together, watched, and stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence, t
from tlcore.store.upload_limits import UploadLimits

PATIENCE = 15.0  # seconds that both have to end
LOOK = 0.5
SOON = 30.0  # seconds; a part that ends sooner than this after its start is started again ever more slowly


class Part:
    """One of the two processes."""

    def __init__(self, *command: str):
        self._command = [sys.executable, *command, "--parent", str(os.getpid())]
        self.tries = 0
        self.start()

    def start(self) -> None:
        # A session of its own: Ctrl-C in the terminal reaches only `serve`, which then stops both in order.
        self.process = subprocess.Popen(self._command, start_new_session=True)
        self.since = time.monotonic()

    @property
    def lives(self) -> bool:
        return self.process.poll() is None

    def start_again(self) -> None:
        """Start once more where it ended; called again and again."""
        lived = time.monotonic() - self.since
        if self.lives:
            self.tries = 0 if lived > SOON else self.tries
        elif lived > min(2**self.tries, SOON):
            self.tries += 1
            self.start()

    def stop(self, until: float) -> None:
        if self.lives:
            self.process.terminate()
        try:
            self.process.wait(max(until - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(home: str | Path | None = None, port: int = 8501, host: str = "127.0.0.1", *, worker: bool = True) -> int:
    """Open the studio of a workspace until SIGTERM or Ctrl-C, and print its address when it is up. The exit code.

    A worker that ends is started again, and so is the web server; jobs under way go on either way. Raises
    UnusableInput where the port is taken, or a setting is none.
    """
    from tlcore.store import Store

    store = Store.open(home)  # migrated here, before two processes open it
    UploadLimits.from_environment()  # refused here, where a person reads it
    _check_free(host, port)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    place = ["--workspace", str(store.home)]
    store.close()
    parts = [Part("-m", "tlcore.ui.web", *place, "--host", host, "--port", str(port))]
    if worker:
        parts.append(Part("-m", "tlcore.execution.worker", *place))
    announced = False
    try:
        while not stopped.wait(LOOK):
            for part in parts:
                part.start_again()
            if not announced and _answers(host, port):
                announced = True
                print(t("The studio is open at {address}", address=address(host, port)), flush=True)
    finally:
        until = time.monotonic() + PATIENCE
        for part in reversed(parts):
            if part.lives:
                part.process.terminate()
        for part in parts:
            part.stop(until)
    return 0


def address(host: str, port: int) -> str:
    """Where a browser on this machine finds the studio."""
    name = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::", "::1", "") else host
    return f"http://{name}:{port}"


def _check_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UnusableInput(
                sentence(
                    "The studio cannot be opened at {host}, port {port} ({problem}). Name another with --port.",
                    host=host,
                    port=str(port),
                    problem=error.strerror or str(error),
                ),
                code="port",
            ) from None


def _answers(host: str, port: int) -> bool:
    near = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)
    # Straight there: the proxy that may be set for the hub knows nothing of this machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://{near}:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
