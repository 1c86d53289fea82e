"""How fast the pages are: the first one in a browser, and all of them for many people while a training runs.

    python benchmarks/pages.py [--sessions 20] [--seconds 60] [--pace 2] [--projects 8] [--first 5]

Starts ``tlcore serve`` on a free port of 127.0.0.1 with a workspace of its own (a sample, two real short runs, a
published model, more projects). Prints one JSON object, times in milliseconds:

``first_page``  from the address to the heading on the screen in headless Chromium, from a warm server: each time a
                fresh browser with an empty cache, on Start and, as a deep link, on Compare. Target: under 2,000.
``pages``       from a rerun request to its ``script_finished``, over Streamlit's own WebSocket: each session walks all
                pages, one rerun every ``pace`` seconds, while a worker trains. Target: p95 under 300 on two cores.
``live``        the same for the parts of a page that rerun by themselves, asked for as a browser does.
``web_seconds`` processor time of the web process meanwhile; ``web_megabytes`` what it held before and after.

The sessions are one process on the same machine, so what they cost counts against the server.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg  # noqa: TID251
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg  # noqa: TID251
from websockets.asyncio.client import connect

from tlcore import tasks
from tlcore.core.spec_parts import Split
from tlcore.data.confirm import confirm
from tlcore.data.samples import find
from tlcore.data.staging import stage
from tlcore.spec import from_dict
from tlcore.store import Store
from tlcore.store.store import LOCAL_OWNER

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("source", "data", "strategy", "train", "compare", "share", "library", "server")
PAGES = {"start": "Transfer Learning Studio", **{name: name.title() for name in NAMES}}  # and what each is headed
SOURCE = "bundled/studio-small"
PATIENCE = 30  # seconds after which an answer that did not come is an error
SHORT = {"strategy": "feature-extraction", "seeds": 2, "budget": {"epochs": 2}}
LONG = {"name": "long", "strategy": "fine-tuning", "seeds": 20, "budget": {"epochs": 1000}}  # outlives the measurement
USED = ("cpu_times", "memory_info")
CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def seed(store: Store, folder: Path, projects: int) -> tuple[dict[str, Any], str, str]:
    """A workspace as after some use: the draft of a project, its id, and the id of its newest finished run."""
    sample = find("surface-defects")
    staged = stage(sample.write(folder), task=tasks.find(sample.task), folder=folder / "staged")
    data = confirm(staged, store, split=Split(), corrections=None, name="Surface defects", owner=LOCAL_OWNER)
    draft = {"task": sample.task, "source": SOURCE, "data": {"dataset": data.fingerprint}, **sample.spec}
    project = [store.projects.create(f"Surface {n}", LOCAL_OWNER, draft).id for n in range(projects)][-1]
    for name in ("first", "second"):
        run = store.runs.create(from_dict({**draft, "name": name, **SHORT}), LOCAL_OWNER, project)
        command = [sys.executable, "-m", "tlcore", "resume", run.id, "--workspace", str(store.home)]
        subprocess.run(command, cwd=ROOT, stdout=sys.stderr, timeout=600, check=True)
    about = {"labels": data.info.labels, "source": SOURCE, "dataset": data.fingerprint, "modality": "image"}
    bundle = store.runs.folder(run.id) / "bundle.zip"
    store.models.publish(bundle, name="Surface", owner=LOCAL_OWNER, task=sample.task, run_id=run.id, about=about)
    return draft, project, run.id


@contextlib.contextmanager
def studio(home: Path, port: int) -> Iterator[psutil.Process]:
    """``tlcore serve`` on the workspace; gives its web process once it answers, and stops all of it at the end."""
    command = [sys.executable, "-m", "tlcore", "serve", "--workspace", str(home), "--port", str(port)]
    with (home / "serve.log").open("wb") as log:
        serve = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=log, stderr=log)
    parts: list[psutil.Process] = []
    try:
        until = time.monotonic() + 120
        while not parts:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
                parts = psutil.Process(serve.pid).children()
            if serve.poll() is not None or time.monotonic() > until:
                raise SystemExit((home / "serve.log").read_text())
            time.sleep(0.3)
        yield next(part for part in parts if "tlcore.ui.web" in part.cmdline())
    finally:
        parts = psutil.Process(serve.pid).children(recursive=True) if serve.poll() is None else parts
        serve.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            serve.wait(30)
        serve.kill()
        for left in parts:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()


def first_page(address: str, title: str, times: int) -> list[int]:
    """Milliseconds until the heading is on the screen, each time in a fresh browser."""
    from playwright.sync_api import sync_playwright

    took = []
    with sync_playwright() as playwright:
        for _ in range(times):
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM))
            page = browser.new_page(locale="en-US")
            began = time.perf_counter()
            page.goto(f"http://{address}", wait_until="commit")
            page.get_by_role("heading", name=title, exact=True, level=1).wait_for()
            took.append(round(1000 * (time.perf_counter() - began)))
            browser.close()
    return took


class Visitor:
    """One tab: goes from page to page, and reruns the live parts of a page as a browser does."""

    def __init__(self, address: str, queries: dict[str, str], first: int):
        self._address, self._queries, self._first = address, queries, first
        self.times: dict[str, list[float]] = defaultdict(list)  # seconds, by page; and of "opening" and "live"
        self.errors: list[str] = []
        self._pages: dict[str, str] = {}  # the hash of each page
        self._alive: dict[str, object] = {}  # fragments that rerun by themselves, with a token of each drawing
        self._tasks, self._turn = set[asyncio.Task[None]](), asyncio.Lock()

    async def visit(self, wait: float, until: float, pace: float) -> None:
        await asyncio.sleep(wait)
        try:
            async with connect(
                f"ws://{self._address}/_stcore/stream",
                origin=f"http://{self._address}",
                subprotocols=["streamlit"],
                proxy=None,
                max_size=None,
            ) as self._line:
                self._tasks.add(asyncio.create_task(self._read()))
                await self._ask("opening", {"query_string": self._queries["start"]})
                due, walk = time.monotonic(), itertools.islice(itertools.cycle(PAGES), self._first, None)
                while (due := due + random.uniform(0.75, 1.25) * pace) < until:
                    place = next(walk)
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                    page = {"page_script_hash": self._pages[place], "query_string": self._queries.get(place, "")}
                    await self._ask(place, page)
                    if self._heading != PAGES[place]:
                        self.errors.append(f"{place}: headed {self._heading!r}")
        except Exception as error:
            self.errors.append(repr(error))
        for task in self._tasks:
            if not task.cancel() and task.exception():
                self.errors.append(repr(task.exception()))

    async def _ask(self, what: str, page: dict[str, str], fragment: str = "", token: object = None) -> None:
        """One rerun; its time counts from the wish, also where it waits for a live part that runs just now."""
        began = time.perf_counter()
        async with self._turn:
            if fragment and self._alive.get(fragment) is not token:
                return
            if not fragment:
                self._alive, self._heading, self._shown = {}, "", page
            self._done = asyncio.Event()
            asked: Any = {**page, "fragment_id": fragment, "is_auto_rerun": bool(fragment)}
            await self._line.send(BackMsg(rerun_script=asked).SerializeToString())
            await asyncio.wait_for(self._done.wait(), PATIENCE)
            self.times[what].append(time.perf_counter() - began)

    async def _read(self) -> None:
        async for data in self._line:
            result = ForwardMsg.FromString(data)
            kind, element = result.WhichOneof("type"), result.delta.new_element
            if kind == "navigation":
                self._pages = {p.url_pathname or "start": p.page_script_hash for p in result.navigation.app_pages}
            elif kind == "new_session" and not result.metadata.run.fragment_ids:
                self._alive = {}
            elif kind == "auto_rerun":
                token = self._alive[result.auto_rerun.fragment_id] = object()
                again = self._again(result.auto_rerun.fragment_id, result.auto_rerun.interval, token)
                self._tasks.add(asyncio.create_task(again))
            elif kind == "delta" and element.HasField("exception"):
                self.errors.append(f"exception: {element.exception.type} {element.exception.message}")
            elif kind == "delta" and element.heading.tag == "h1":
                self._heading = self._heading or element.heading.body
            elif kind == "script_finished" and result.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                self._done.set()

    async def _again(self, fragment: str, interval: float, token: object) -> None:
        while self._alive.get(fragment) is token:
            await asyncio.sleep(interval)
            await self._ask("live", self._shown, fragment, token)


async def load(visitors: list[Visitor], seconds: float, pace: float) -> None:
    """Send all visitors through the pages until the time is over."""
    until = time.monotonic() + seconds
    async with asyncio.timeout(seconds + 2 * PATIENCE):
        await asyncio.gather(*(v.visit(n * pace / len(visitors), until, pace) for n, v in enumerate(visitors)))


def spread(times: list[float]) -> dict[str, int]:
    """n, and p50, p95 and max of seconds as milliseconds."""
    ordered = sorted(round(1000 * one) for one in times) or [0]
    p95 = ordered[-(-95 * len(ordered) // 100) - 1]
    return {"n": len(times), "p50": ordered[len(ordered) // 2], "p95": p95, "max": ordered[-1]}


def measure(asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Seed, serve, look at the first page, start the training, send the visitors; all figures."""
    store = Store.open(folder / "workspace")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    draft, project, finished = seed(store, folder, asked.projects)
    queries = {"start": f"project={project}", "compare": f"run={finished}"}
    with studio(store.home, port) as web:
        asyncio.run(load([Visitor(address, queries, 0)], 8, 0.5))  # each page once: now the server is warm
        link = f"{address}/compare?project={project}&run={finished}"
        first = {page: first_page(a, PAGES[page], asked.first) for page, a in (("start", address), ("compare", link))}
        run, until = store.runs.create(from_dict({**draft, **LONG}), LOCAL_OWNER, project).id, time.monotonic() + 180
        while (epochs := len(store.runs.points(run))) == 0 and time.monotonic() < until:
            time.sleep(1)
        visitors, before = [Visitor(address, queries, n) for n in range(asked.sessions)], web.as_dict(USED)
        asyncio.run(load(visitors, asked.seconds, asked.pace))
        after, job, epochs = web.as_dict(USED), store.jobs.get(run), len(store.runs.points(run)) - epochs
        state, nice = (job.state, psutil.Process(job.pid).nice()) if job and job.pid else (None, None)
    times = {place: [one for v in visitors for one in v.times[place]] for place in (*PAGES, "opening", "live")}
    return {
        "cores": os.cpu_count(),
        "sessions": asked.sessions,
        "seconds": asked.seconds,
        "first_page": first,
        "pages": spread([one for place in PAGES for one in times[place]]),
        **{place: spread(took) for place, took in times.items()},
        "errors": [e for v in visitors for e in v.errors],
        "training": {"state": state, "nice": nice, "epochs": epochs},
        "web_seconds": round(sum(after["cpu_times"][:2]) - sum(before["cpu_times"][:2]), 1),
        "web_megabytes": [result["memory_info"].rss >> 20 for result in (before, after)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("sessions", 20), ("seconds", 60), ("pace", 2), ("projects", 8), ("first", 5)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped then, too
    os.environ.pop("TLCORE_DATABASE_URL", None)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        print(json.dumps(measure(parser.parse_args(), Path(folder)), indent=1))


if __name__ == "__main__":
    main()
