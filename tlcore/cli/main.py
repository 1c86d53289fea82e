"""The command line: the studio's verbs without a browser.

Exit codes: 0 fine, 2 data, spec or source that cannot be used, 64 wrong usage, 1 the run failed, 130 cancelled.
With ``--json`` one JSON object goes to stdout and nothing else; progress goes to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tlcore import __version__
from tlcore.core.errors import StudioError, UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.paths import is_there, printable_name, resolved_path, usable_path

WRONG_USAGE = 64


class _Parser(argparse.ArgumentParser):
    """argparse, with the exit code for wrong usage that shells expect (EX_USAGE)."""

    def error(self, message: str) -> NoReturn:
        if "--json" in sys.argv:
            print(json.dumps({"error": {"code": "usage", "message": message, "file": None, "row": None}}))
        self.print_usage(sys.stderr)
        print(f"{self.prog}: {message}", file=sys.stderr)
        raise SystemExit(WRONG_USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    args = _parser().parse_args(arguments)
    try:
        if args.workspace:
            os.environ["TLCORE_HOME"] = str(resolved_path(args.workspace))
        return args.do(args) or 0
    except StudioError as error:
        _fail(args, error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        _fail(
            args, StudioError(sentence("There was not enough memory on this machine for this."), code="out-of-memory")
        )
        return 1
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG):
            return _unexpected(args, error)
        refusal = _no_such_writing(error)
        _fail(args, refusal)
        return refusal.exit_code
    except Exception as error:
        return _unexpected(args, error)


def _unexpected(args: argparse.Namespace, error: Exception) -> int:
    traceback.print_exc(file=sys.stderr)
    _fail(
        args, StudioError(sentence("Something unexpected happened: {problem}", problem=str(error)), code="unexpected")
    )
    return 1


def _no_such_writing(error: OSError) -> UnusableInput:
    """A file that may not be read or written, or for which there is no room."""
    file = printable_name(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    return UnusableInput(
        sentence("{file} cannot be read or written: {problem}", file=file or "–", problem=error.strerror or str(error)),
        code="disk-full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "file",
        file=file,
    )


def _fail(args: argparse.Namespace, error: StudioError) -> None:
    if getattr(args, "json", False):
        print(json.dumps({"error": error.to_json()}, ensure_ascii=False))
    where = f" ({error.file}{f', row {error.row}' if error.row else ''})" if error.file else ""
    print(f"{error}{where}", file=sys.stderr)


# --- the verbs ---------------------------------------------------------------------------------------------------


def _tasks(args: argparse.Namespace) -> None:
    from tlcore.tasks import TASKS

    rows = [
        {
            "id": task.id,
            "title": str(task.title),
            "what": str(task.what),
            "formats": list(task.formats),
            "metrics": [metric.id for metric in task.metrics],
        }
        for task in TASKS
    ]
    _table(args, "tasks", rows, ("id", "what"))


def _strategies(args: argparse.Namespace) -> None:
    from tlcore.strategies import STRATEGIES

    rows = [
        {
            "id": s.id,
            "title": str(s.title),
            "what": str(s.what),
            "helps": str(s.helps),
            "hurts": str(s.hurts),
            "paper": s.paper,
            "needs": list(s.needs),
            "takes": list(s.takes),
            "options": [option.to_json() for option in s.options],
        }
        for s in STRATEGIES
    ]
    _table(args, "strategies", rows, ("id", "what"))


def _sources(args: argparse.Namespace) -> None:
    from tlcore import models, tasks

    store = _store()
    wanted = [tasks.find(args.task)] if args.task else list(tasks.TASKS)
    reach = models.hub.reachable()
    found = {
        s.id: {**models.describe(s, store, reach), "tasks": [task.id for task in tasks.served_by(s)]}
        for task in wanted
        for s in models.sources_for(task.source_families, store, _owner())
    }
    _table(args, "sources", list(found.values()), ("id", "megabytes", "availability", "licence"))


def _check(args: argparse.Namespace) -> int:
    from tlcore import data, tasks

    told_back = data.check(_path(args.data), task=tasks.find(args.task), progress=_progress(args))
    if args.json:
        _print(told_back)
    else:
        print(f"{told_back['n']} examples that can be used, {len(told_back['set_aside'])} set aside")
        for finding in told_back["findings"]:
            print(f"{finding['level']}: {finding['message']} {', '.join(finding['examples'][:5])}")
    return 0 if told_back["usable"] else 2


def _advise(args: argparse.Namespace) -> None:
    from tlcore import flow, tasks
    from tlcore.spec import from_dict

    given = _data(args.data) | ({"unlabelled": args.unlabelled} if args.unlabelled else {})
    asked = {"task": args.task, "data": given, "source": args.source}
    spec = from_dict({name: value for name, value in asked.items() if value is not None})
    with contextlib.redirect_stdout(sys.stderr):  # a library may print; stdout is for the advice alone
        found = flow.advise(spec, tasks.find(args.task), _store(), _owner(), _progress(args), rank=args.rank)
    advice = found.to_json()
    if args.pilot:
        advice["race"] = _pilot(args, spec)
    if args.json:
        _print(advice)
    else:
        print(advice["strategy"], *advice["reasons"], sep="\n")
        for source in advice["sources"]:
            print(source["id"], "–" if source["score"] is None else format(source["score"], ".3f"), sep="  ")
        if args.pilot:
            print(*(Sentence.model_validate(one) for one in advice["race"]["sentences"].values()), sep="\n")


def _pilot(args: argparse.Namespace, spec: Any) -> dict[str, Any]:
    """The pilot race on the data of a Spec; that of an equal one before is taken as it is."""
    from tlcore import data, tasks
    from tlcore.guidance import pilot

    store = _store()
    dataset = data.read(spec.data, task=tasks.find(spec.task), store=store, owner=_owner())
    asked = pilot.request(spec, dataset.fingerprint)
    if pilot.kept(store, asked) is None:
        _here(args, store, "race", asked, about=asked)
    found = pilot.kept(store, asked)
    assert found is not None
    return found


def _run(args: argparse.Namespace) -> int:
    from tlcore import tasks
    from tlcore.spec import from_yaml
    from tlcore.strategies import find

    path = usable_path(args.spec)
    if not (is_there(path) and path.is_file()):
        raise UnusableInput(sentence("There is no spec file {file}.", file=str(path)), code="spec", file=str(path))
    spec = from_yaml(path.read_text(errors="replace"), file=str(path), base=path.resolve().parent)
    tasks.find(spec.task)
    if spec.strategy != "auto":
        find(spec.strategy)
    store = _store()
    run = store.runs.create(spec, _owner())
    return _work(args, store, run.id)


def _resume(args: argparse.Namespace) -> int:
    store = _store()
    run = _known(store, args.run)
    job = store.jobs.get(run.id)
    if job and job.state == "succeeded":
        return _report(args)
    if job and job.state not in ("queued", "interrupted"):
        store.jobs.requeue(run.id)
    return _work(args, store, run.id)


def _work(args: argparse.Namespace, store: Any, run_id: str) -> int:
    from tlcore.execution.foreground import run_here

    print(f"run {run_id}", file=sys.stderr)
    with contextlib.redirect_stdout(sys.stderr):  # a library may print; stdout is for the report alone
        job = run_here(store, run_id, _progress(args))
    _well(job)
    return _report(args, run_id)


def _well(job: Any) -> None:
    """Raise what a job failed with; nothing where it succeeded."""
    if job.state == "succeeded":
        return
    failure = job.error or {}
    message = Sentence.model_validate(failure.get("sentence") or sentence("The run did not end well.").model_dump())
    error = StudioError(message, code=failure.get("code", job.state), file=failure.get("file"), row=failure.get("row"))
    error.exit_code = 130 if job.state == "cancelled" else failure.get("exit_code", 1)
    raise error


def _report(args: argparse.Namespace, run_id: str | None = None) -> int:
    store = _store()
    run = _known(store, run_id or args.run)
    if run.report is None:
        raise UnusableInput(sentence("The run {run} has no report yet.", run=run.id), code="no-report")
    if args.json:
        _print(run.report)
    else:
        for message in run.report.get("sentences", {}).values():
            print(Sentence.model_validate(message))
        print(run.report["bundle"])
    return 0


def _savings(args: argparse.Namespace) -> int:
    from tlcore.evaluation import label_savings
    from tlcore.execution.job_kinds.label_savings import usable

    store = _store()
    run = _known(store, args.run)
    usable(run)
    given = {"run": run.id, "sizes": args.sizes, "seeds": args.seeds}
    _here(args, store, "label-savings", given, about={"run": run.id})
    found = label_savings.load(store.runs.folder(run.id))
    assert found is not None
    if args.json:
        _print(found)
    else:
        for message in found["sentences"].values():
            print(Sentence.model_validate(message))
    return 0


def _here(args: argparse.Namespace, store: Any, kind: str, given: dict[str, Any], about: dict[str, Any]) -> Any:
    """Do a job that is not a run in this process, or watch the one that is under way about the same thing."""
    from tlcore.execution.foreground import run_here

    job = store.jobs.newest(kind, about)
    if job is None or job.state in ("succeeded", "failed", "cancelled"):
        job = store.jobs.submit(kind, _owner(), given, lane="train")
    with contextlib.redirect_stdout(sys.stderr):  # a library may print; stdout is for the answer alone
        job = run_here(store, job.id, _progress(args))
    _well(job)
    return job


def _export(args: argparse.Namespace) -> None:
    store = _store()
    run = _known(store, args.run)
    bundle = store.runs.folder(run.id) / "bundle.zip"
    if not bundle.exists():
        raise UnusableInput(sentence("The run {run} has no bundle yet.", run=run.id), code="no-bundle")
    output = Path(args.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(bundle, output)
    if args.json:
        _print({"bundle": str(output.resolve())})


def _predict(args: argparse.Namespace) -> int:
    from tlcore import bundle

    opened = bundle.Bundle.open(Path(args.bundle))
    answers = opened.predict_paths([Path(item) for item in args.inputs])
    text = bundle.predictions_csv(answers, opened.labels)
    if args.output:
        Path(args.output).write_text(text, encoding="utf-8")
    if args.json:
        _print(
            {
                "predictions": answers.rows,
                "set_aside": answers.set_aside,
                "output": str(Path(args.output).resolve()) if args.output else None,
            }
        )
    elif not args.output:
        sys.stdout.write(text)
    for left in answers.set_aside:
        print(f"set aside: {left['input']}: {left['reason']}", file=sys.stderr)
    return 0 if answers.rows else 2


def _serve(args: argparse.Namespace) -> int:
    from tlcore.cli.serve import serve

    return serve(_store().home, port=args.port, host=args.host, worker=not args.no_worker)


def _worker(args: argparse.Namespace) -> int:
    from tlcore.execution.worker import work

    return work(_store())


# --- what they share -----------------------------------------------------------------------------------------------


def _store() -> Any:
    from tlcore.store import Store

    return Store.open()


def _owner() -> str:
    from tlcore.store.store import LOCAL_OWNER

    return LOCAL_OWNER


def _known(store: Any, run_id: str) -> Any:
    run = store.runs.get(run_id)
    if run is None:
        raise UnusableInput(sentence("There is no run {run} in this workspace.", run=run_id), code="unknown-run")
    return run


def _path(text: str) -> str:
    return text if text.startswith("hf://") else str(resolved_path(text))


def _data(text: str) -> dict[str, str]:
    """A fingerprint of the workspace, or a path."""
    from tlcore.core.spec_parts import is_fingerprint

    return {"dataset": text} if is_fingerprint(text) else {"path": _path(text)}


def _progress(args: argparse.Namespace) -> Callable[..., None]:
    last = ""

    def progress(share: float | None, message: Sentence, **more: Any) -> None:
        nonlocal last
        epoch = f" {more['epoch']}/{more['epochs']}" if more.get("epochs") else ""
        line = f"{'' if share is None else f'{100 * share:3.0f} % '}{message}{epoch}"
        if line != last:
            last = line
            print(line, file=sys.stderr, flush=True)

    return progress


def _print(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, allow_nan=False, default=str))


def _table(args: argparse.Namespace, name: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    if args.json:
        _print({name: rows})
        return
    widths = [max((len(str(row[c])) for row in rows), default=0) for c in columns]
    for row in rows:
        print("  ".join(str(row[c]).ljust(w) for c, w in zip(columns, widths, strict=True)).rstrip())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="tlcore", description="Transfer Learning Studio without a browser.")
    parser.add_argument("--version", action="version", version=__version__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--workspace", metavar="DIR", help="Folder of the workspace (else TLCORE_HOME).")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)

    def verb(
        name: str, do: Callable[[argparse.Namespace], Any], help: str, *, json: bool = True
    ) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=help, description=help, parents=[shared])
        if json:
            one.add_argument("--json", action="store_true", help="Print one JSON object.")
        one.set_defaults(do=do)
        return one

    verb("tasks", _tasks, "What can be learned.")
    verb("sources", _sources, "What can be transferred from.").add_argument("--task", help="Only for this task.")
    verb("strategies", _strategies, "How it can be transferred.")
    check = verb("check", _check, "Check data and say what is wrong with them.")
    check.add_argument("data", help="A zip, folder, table, or hf://owner/name.")
    check.add_argument("--task", required=True, help="The target task.")
    advise = verb("advise", _advise, "Advice measured on the data.")
    advise.add_argument("--task", required=True, help="The target task.")
    advise.add_argument("--data", required=True, help="A zip, folder, table, hf://owner/name, or a fingerprint.")
    advise.add_argument("--source", help="The source model (else the one that the task begins with).")
    advise.add_argument("--unlabelled", metavar="DATA", help="Examples without labels, to compare the data with.")
    advise.add_argument("--rank", action="store_true", help="Also rank every source that can be had from here.")
    advise.add_argument(
        "--pilot", "--race", dest="pilot", action="store_true", help="Try the strategies in short trainings first."
    )
    verb("run", _run, "Run a spec: transfer, its from-scratch twin, and the report.").add_argument("spec", help="YAML.")
    verb("resume", _resume, "Go on with a run from its checkpoint.").add_argument("run", help="Id of the run.")
    verb("report", _report, "Print the report of a run.").add_argument("run", help="Id of the run.")
    savings = verb("savings", _savings, "How many labels transfer saves, measured for a finished run.")
    savings.add_argument("run", help="Id of the run.")
    savings.add_argument("--sizes", type=int, default=5, help="Numbers of labels to train with, the whole included.")
    savings.add_argument("--seeds", type=int, default=3, help="Seeds of each; at most those of the run.")
    export = verb("export", _export, "Write the bundle of a run to a file.")
    export.add_argument("run", help="Id of the run.")
    export.add_argument("--output", required=True, metavar="FILE.zip", help="Where to.")
    predict = verb("predict", _predict, "Predict with a bundle.")
    predict.add_argument("bundle", help="A bundle.zip.")
    predict.add_argument("inputs", nargs="+", metavar="INPUT", help="Pictures, folders, zips; tables of texts.")
    predict.add_argument("--output", metavar="FILE.csv", help="Where the predictions go (else stdout).")
    serve = verb("serve", _serve, "Open the studio, with its worker.", json=False)
    serve.add_argument("--port", type=int, default=8501)
    serve.add_argument("--host", default="127.0.0.1", help="0.0.0.0 to serve other machines.")
    serve.add_argument("--no-worker", action="store_true", help="Only the web server; the worker runs elsewhere.")
    verb("worker", _worker, "Work through the queue.", json=False)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
