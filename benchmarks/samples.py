"""Every bundled sample by the command line, with its own settings: the verdict, and the seconds from command to report.

    python benchmarks/samples.py [--only ID …] [--seeds N]

Run it alone on the machine. One line of a Markdown table a sample.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from tlcore import tasks
from tlcore.data.samples import SAMPLES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[one.id for one in SAMPLES])
    parser.add_argument("--seeds", type=int)
    result = parser.parse_args()
    print("| sample | seconds | metric | transfer | from scratch | against | difference | verdict | n |")
    print("|---|--:|---|---|---|---|---|---|--:|")
    for sample in SAMPLES:
        if result.only and sample.id not in result.only:
            continue
        with tempfile.TemporaryDirectory() as place:
            upload = sample.write(Path(place) / "upload")
            spec = {"name": sample.id, "task": sample.task, "source": tasks.find(sample.task).default_source}
            spec |= sample.spec
            spec["data"] = {**sample.spec.get("data", {}), "path": str(upload)}
            if result.seeds:
                spec["seeds"] = result.seeds
            path = Path(place) / "spec.yaml"
            path.write_text(yaml.safe_dump(spec))
            command = [sys.executable, "-m", "tlcore", "run", str(path), "--json", "--workspace", f"{place}/w"]
            started = time.monotonic()
            done = subprocess.run(command, capture_output=True, text=True)
            seconds = time.monotonic() - started
            if done.returncode:
                print(f"| {sample.id} | {seconds:.0f} | failed: {done.stderr[-300:]} |", flush=True)
                continue
            report = json.loads(done.stdout)
        apart, against = report["difference"], report["reference"]["id"]
        cells = [
            sample.id,
            f"{seconds:.0f}",
            report["metric"],
            said(report["transfer"]),
            said(report["baseline"]),
            against,
            f"{apart['value']:+.3f} {ends(apart['interval'])}",
            report["verdict"],
            str(report["n_test"]),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


def said(arm: dict) -> str:
    return f"{arm['value']:.3f} {ends(arm['interval'])}"


def ends(interval: list[float]) -> str:
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"


if __name__ == "__main__":
    main()
