"""Make the workspace of a release that later releases are tested with: ``python tests/upgrades/make_workspace.py``.

Writes ``tests/upgrades/<version>/workspace.zip`` (four finished runs, a library model, a cancelled run; drawn pictures,
made-up texts, tiny random source models) and ``golden.json`` (what the command line and the pages show of it). Run it
once, at a release, with the code of that release.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1])]
os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TLCORE_DEVICE": "cpu", "TZ": "UTC"}

import conftest  # noqa: E402
import pair_models  # noqa: E402
import text_models  # noqa: E402
from shown import shown  # noqa: E402

import tlcore  # noqa: E402
from tlcore.execution.foreground import run_here  # noqa: E402
from tlcore.models.uploads import add_upload  # noqa: E402
from tlcore.spec import from_dict  # noqa: E402
from tlcore.store import Store  # noqa: E402

HOME = Path(tempfile.gettempdir()) / "studio-workspace"  # stands in Specs and reports, so it is the same everywhere
LEFT_OUT = ("cache", "tmp", "workers", "staging", "arms", "checkpoint.pt", ".lock")


def main() -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    given = HOME.with_name("studio-given")
    shutil.rmtree(given, ignore_errors=True)
    store = Store.open(HOME)
    vit, bert, t5 = (
        _vit(given / "vit"),
        text_models.write_model(given / "bert"),
        pair_models.write_model(given / "t5", "t5"),
    )
    sources = {
        name: add_upload(folder, store, f"Tiny {name}", "local").id
        for name, folder in (("vit", vit), ("bert", bert), ("t5", t5))
    }
    photos = conftest.write_photos(given / "patterns", 16, side=24)
    words = text_models.write_table(given / "words.csv", text_models.sentences(120))
    asked = text_models.write_questions(given / "questions.csv", text_models.questions(50))
    pairs = text_models.write_table(given / "pairs.csv", pair_models.pairs(60), "source,target")
    small = {"batch_size": 16, "learning_rate": 0.01}
    runs = [
        _run(
            store,
            "Patterns",
            task="image-classification",
            data={"path": str(photos)},
            source=sources["vit"],
            strategy="fine-tuning",
            seeds=2,
            budget={"epochs": 4},
            options={**small, "image_size": 32},
        ),
        _run(
            store,
            "Good or bad",
            task="text-classification",
            data={"path": str(words)},
            source=sources["bert"],
            strategy="feature-extraction",
            seeds=2,
            budget={"epochs": 4},
            options=small,
        ),
        _run(
            store,
            "Questions",
            task="question-answering",
            data={"path": str(asked)},
            source=sources["bert"],
            strategy="fine-tuning",
            seeds=2,
            budget={"epochs": 3},
            options={**small, "max_length": 24},
        ),
        _run(
            store,
            "Pairs",
            task="translation",
            data={"path": str(pairs)},
            source=sources["t5"],
            strategy="fine-tuning",
            seeds=2,
            budget={"epochs": 6},
            options=small,
        ),
    ]
    from tlcore.ui.share_view import about

    first = store.runs.get(runs[1])
    path = store.runs.folder(first.id) / "bundle.zip"
    store.models.publish(
        path, name="Good or bad for all", owner="local", task=first.task, run_id=first.id, about=about(first, path)
    )
    waiting = store.runs.create(from_dict({**first.spec, "name": "Never ran"}), "local", first.project_id)
    store.jobs.cancel(waiting.id)
    store.close()
    target = HERE / tlcore.__version__
    target.mkdir(exist_ok=True)
    _pack(target / "workspace.zip")
    for kept in list(HOME.iterdir()):
        shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
    with zipfile.ZipFile(target / "workspace.zip") as archive:
        archive.extractall(HOME)
    (target / "golden.json").write_text(json.dumps(shown(HOME), indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    print(f"{(target / 'workspace.zip').stat().st_size / 1e6:.2f} MB")


def _vit(folder: Path) -> Path:
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        num_labels=4,
    )
    ViTForImageClassification(config).save_pretrained(folder)
    return folder


def _run(store: Store, name: str, **spec: object) -> str:
    draft = {key: spec[key] for key in ("task", "source")}
    project = store.projects.create(name, "local", draft)
    run = store.runs.create(from_dict({"name": name, **spec}), "local", project.id)
    job = run_here(store, run.id)
    assert job.state == "succeeded", (name, job.error)
    fingerprint = store.runs.get(run.id).dataset
    store.projects.save_draft(project.id, {**draft, "data": {"dataset": fingerprint}})
    return run.id


def _pack(path: Path) -> None:
    """Everything but caches, the weights of each seed (the packed model is in the bundle), and machine's paths."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(HOME.rglob("*")):
            inside = file.relative_to(HOME)
            if file.is_file() and not any(part in LEFT_OUT or part.endswith(".lock") for part in inside.parts):
                archive.write(file, inside)


if __name__ == "__main__":
    main()
