"""How work ends, in the current process: results, failures and their sentences, Ctrl-C, a job held elsewhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tlcore.core.i18n import translate
from tlcore.execution import failures, job_kinds, lease, processes
from tlcore.execution.foreground import run_here
from tlcore.execution.reconcile import Reconcile
from tlcore.store import Store

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.job_kinds import KINDS, chain  # noqa: E402

TABLE = "tests.job_kinds:KINDS"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    return Store.open(tmp_path)


def do(store, kind, input=None, **more):
    job = store.jobs.submit(kind, "local", input or {})
    return run_here(store, job.id, kinds=TABLE, **more)


def test_work_in_the_foreground_ends_with_its_output_and_tells_its_progress(store):
    result = []
    job = do(
        store,
        "count",
        {"steps": 5},
        on_progress=lambda share, sentence, **more: result.append((share, str(sentence), more)),
    )
    assert (job.state, job.output, job.error) == ("succeeded", {"link": chain(5), "steps": 5}, None)
    assert result[1] == (0.2, "Step 1 of 5", {"step": 1})
    assert job.progress["share"] == 0.8
    assert job.progress["sentence"] == {"text": "Step {n} of {steps}", "params": {"n": 4, "steps": 5}}
    assert job.started <= job.finished
    assert (job.pid, job.worker) == (os.getpid(), processes.name())


@pytest.mark.parametrize(
    ("kind", "input", "code", "exit_code", "words"),
    [
        ("refuse", {}, "column", 2, "The column kind is not there."),
        ("memory", {}, "out-of-memory", 1, "not enough memory"),
        ("torch-memory", {}, "out-of-memory", 1, "not enough memory"),
        ("disk", {}, "disk-full", 1, "disk of the workspace is full"),
        ("bug", {"zero": 0}, "unexpected", 1, "Something unexpected happened (ZeroDivisionError)"),
        ("backtracks", {}, "source-tokenizer", 2, "its regular expression needs too many steps"),
        ("interpreter", {}, "unexpected", 1, "Something unexpected happened (SystemExit)"),
        ("no-such-kind", {}, "kind", 2, "knows no work called no-such-kind"),
    ],
)
def test_a_failure_is_said_in_words_and_its_traceback_is_in_the_log(store, kind, input, code, exit_code, words):
    job = do(store, kind, input)
    assert job.state == "failed"
    assert (job.error["code"], job.error["exit_code"]) == (code, exit_code)
    assert words in translate(job.error["sentence"])
    assert "Traceback" not in json.dumps(job.error)
    assert "Traceback" in (store.jobs.folder(job.id) / "log.txt").read_text()


def test_a_failure_names_its_file_and_row(store):
    error = do(store, "refuse").error
    assert (error["file"], error["row"]) == ("a.csv", 3)


def test_a_full_disk_is_known_by_other_names_too(tmp_path, monkeypatch):
    wrote = RuntimeError("[enforce fail at inline_container.cc] PytorchStreamWriter failed writing file data/0")
    assert failures.explained(wrote, tmp_path).code == "unexpected"
    monkeypatch.setattr(failures, "FULL", 2**62)
    assert failures.explained(wrote, tmp_path).code == "disk-full"
    assert failures.explained(RuntimeError("shapes differ"), tmp_path).code == "unexpected"


def test_native_failures_are_said_in_words(tmp_path):
    damaged = type("SafetensorError", (Exception,), {})("Error while deserializing header: InvalidOffset")
    assert failures.explained(damaged, tmp_path).code == "source-weights"
    onnx = type("RuntimeException", (Exception,), {"__module__": "onnxruntime.capi"})("Node failed: std::bad_alloc")
    for error in (onnx, RuntimeError("std::bad_alloc"), MemoryError()):
        assert failures.explained(error, tmp_path).code == "out-of-memory"
    inside = type("PanicException", (BaseException,), {})("called `Option::unwrap()` on a `None` value")
    found = failures.explained(inside, tmp_path, "tiny-bert")
    assert (found.code, found.exit_code) == ("source-unusable", 2)
    assert "It was working with the model tiny-bert." in str(found)


def test_output_that_json_cannot_hold_does_not_lose_the_run(store):
    assert do(store, "not-json").output == {"value": None, "path": "x"}
    job = do(store, "loss")
    assert (job.progress["loss"], job.progress["share"]) == (None, 0.5)


def test_ctrl_c_cancels(store):
    job = store.jobs.submit("count", "local", {"steps": 1000, "sleep": 0.02})
    code = (
        "import sys\nfrom tlcore.store import Store\nfrom tlcore.execution.foreground import run_here\n"
        "print(run_here(Store.open(sys.argv[1]), sys.argv[2], kinds=sys.argv[3]).state)\n"
    )
    terminal = subprocess.Popen(
        [sys.executable, "-c", code, str(store.home), job.id, TABLE], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    wait_for(lambda: (store.jobs.folder(job.id) / "checkpoint.txt").exists())
    terminal.send_signal(signal.SIGINT)
    assert terminal.communicate(timeout=60)[0] == "cancelled\n"
    assert store.jobs.get(job.id).state == "cancelled"


def test_a_killed_foreground_run_goes_on_in_the_next(store):
    job = store.jobs.submit("count", "local", {"steps": 60, "sleep": 0.02})
    code = (
        "import sys\nfrom tlcore.store import Store\nfrom tlcore.execution.foreground import run_here\n"
        "run_here(Store.open(sys.argv[1]), sys.argv[2], kinds=sys.argv[3])\n"
    )
    terminal = subprocess.Popen([sys.executable, "-c", code, str(store.home), job.id, TABLE], cwd=ROOT)
    wait_for(lambda: (store.jobs.folder(job.id) / "checkpoint.txt").exists())
    terminal.kill()
    terminal.wait()
    assert store.jobs.get(job.id).state == "running"  # nobody has looked yet
    done = run_here(store, job.id, kinds=TABLE)
    assert (done.state, done.attempt, done.output["link"]) == ("succeeded", 2, chain(60))
    (_, first), (_, second) = (
        map(int, line.split()) for line in (store.jobs.folder(job.id) / "attempts.txt").read_text().splitlines()
    )
    assert first == 0 < second


def test_a_job_that_a_worker_holds_is_watched_and_its_progress_told(store):
    job = store.jobs.submit("count", "local", {"steps": 3})
    assert store.jobs.take(job.id, processes.name())
    store.jobs.beat(
        job.id,
        1,
        pid=os.getpid(),
        pid_started=processes.started(os.getpid()),
        progress={"share": 0.5, "sentence": None, "at": 1.0, "epoch": 2},
    )
    result = []
    watching = threading.Thread(
        target=lambda: result.append(run_here(store, job.id, lambda *a, **more: result.append((a, more)), kinds=TABLE))
    )
    watching.start()
    wait_for(lambda: result)
    assert result[0] == ((0.5, None), {"epoch": 2})
    store.jobs.finish(job.id, 1, "succeeded", output={"by": "worker"})
    watching.join(timeout=10)
    assert result[-1].output == {"by": "worker"}


def test_a_lease_that_is_lost_is_noticed_and_nothing_more_is_written(store):
    job = store.jobs.submit("count", "local", {})
    store.jobs.take(job.id, "w")
    lost = threading.Event()
    with lease.Lease(store, store.jobs.get(job.id), lost.set) as held:
        held.progress(0.1, None)
        store.jobs.interrupt(job.id, 1)
        store.jobs.take(job.id, "other")
        assert lost.wait(5)
        held.progress(0.9, None)
    row = store.jobs.get(job.id)
    assert (row.attempt, (row.progress or {}).get("share")) in ((2, 0.1), (2, None))


def test_reconcile_leaves_living_jobs_alone_and_hands_on_dead_ones(store):
    me, mine = processes.name(), processes.started(os.getpid())
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = f"{processes.host()}:{gone.pid}:1.0"
    ids = {}
    for name, worker, pid, since in [
        ("alive", me, os.getpid(), mine),
        ("claimed a moment ago", me, None, None),
        ("child of a living worker gone", me, gone.pid, 1.0),
        ("worker dead", dead, None, None),
        ("pid used again by another process", f"{processes.host()}:{os.getpid()}:1.0", None, None),
        ("of another host", "elsewhere-12345678:1:1.0", 1, 1.0),
    ]:
        ids[name] = store.jobs.submit("count", "local", {}).id
        store.jobs.take(ids[name], worker)
        store.jobs.beat(ids[name], 1, pid=pid, pid_started=since)
    lost = set(Reconcile(store)())
    assert lost == {ids["worker dead"], ids["pid used again by another process"]}
    assert store.jobs.get(ids["worker dead"]).state == "interrupted"


def test_a_silent_job_of_another_host_is_handed_on_after_its_lease(store, monkeypatch):
    from tlcore.execution.reconcile import Reconcile

    monkeypatch.setenv("TLCORE_LEASE", "1")
    silent, beating = (store.jobs.submit("count", "local", {}).id for _ in range(2))
    for job in (silent, beating):
        store.jobs.take(job, "elsewhere-12345678:1:1.0")
    look, handed_on = Reconcile(store), []
    for _ in range(8):
        store.jobs.beat(beating, 1)
        handed_on += look()
        time.sleep(0.2)
    assert handed_on == [silent]


def test_a_zombie_counts_as_gone_and_a_name_can_be_read_back():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    since = processes.started(child.pid)
    assert processes.lives(child.pid, since)
    assert not processes.lives(child.pid, since + 1)
    child.stdin.close()
    wait_for(lambda: not processes.lives(child.pid, since))
    child.wait()
    assert processes.parse(processes.name()) == (processes.host(), os.getpid(), processes.started(os.getpid()))


def test_every_kind_is_named_once():
    for table in (KINDS, job_kinds.KINDS):
        assert len(dict(table)) == len(table)


def wait_for(happened, seconds=60.0):
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
