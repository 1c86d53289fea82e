"""A packed bundle: whole, deterministic, loaded back by the libraries, and right without the studio."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from report_run import PROCESSOR, finished

from tlcore import bundle, report, tasks
from tlcore.bundle import layout, lora_adapter, predict_program
from tlcore.bundle import model_card as card
from tlcore.bundle.pack import sha256, write_zip
from tlcore.bundle.predictors import KINDS
from tlcore.core.errors import UnusableInput

SITE = Path(np.__file__).parents[1]
# What predict.py may use: onnxruntime, numpy, Pillow, and what onnxruntime itself needs.
ALLOWED = ("numpy", "numpy.libs", "PIL", "pillow.libs", "onnxruntime", "flatbuffers", "packaging", "google")


@pytest.fixture(scope="module", params=["timm", "transformers"])
def packed(request, tmp_path_factory):
    """(context, report, unzipped folder) of a run of each library."""
    context = finished(request.param)
    result = report.build(context)
    path = bundle.pack(context, result)
    folder = tmp_path_factory.mktemp(request.param)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return context, result, folder


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    """A folder of links to the few packages that predict.py may import."""
    folder = tmp_path_factory.mktemp("site")
    for name in ALLOWED:
        if (SITE / name).exists():
            (folder / name).symlink_to(SITE / name)
    return folder


def run_alone(clean: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """predict.py in an isolated interpreter that sees neither the studio nor any other package."""
    code = (
        f"import sys, runpy; sys.path.append({str(clean)!r}); sys.argv = ['predict.py', *{list(arguments)!r}]\n"
        "try:\n    runpy.run_path('predict.py', run_name='__main__')\n"
        "finally:\n    assert not {'torch', 'tlcore', 'timm', 'pandas'} & set(sys.modules)"
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=folder, capture_output=True, text=True, timeout=120
    )


def test_it_holds_what_it_promises(packed):
    context, result, folder = packed
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names <= layout.KNOWN
    assert {
        "model.safetensors",
        "config.json",
        "model.onnx",
        "predict.py",
        "README.md",
        "report.html",
        "labels.json",
        "preprocessing.json",
        "manifest.json",
        "example/expected.json",
    } <= names
    assert ("preprocessor_config.json" in names) == (context.source.library == "transformers")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == names - {"manifest.json"}
    assert all(sha256(folder / name) == digest for name, digest in manifest["files"].items())
    assert manifest["fingerprint"] == context.dataset.fingerprint
    inside = json.loads((folder / "report.json").read_text())
    assert inside["bundle"] is None
    assert inside["verdict"] == result["verdict"]
    assert str(context.folder) not in (folder / "README.md").read_text()


def test_onnx_agrees_with_torch_and_with_the_report(packed):
    context, result, _ = packed
    facts = result["export"]
    assert facts["agrees"]
    assert facts["n"] == facts["same_class"] == facts["same_class_report"] == 18
    assert facts["max_difference"] < 1e-3
    assert facts["max_difference_torch_report"] < 1e-4
    assert facts["milliseconds"] > 0
    assert json.loads((context.folder / "report.json").read_text())["export"] == facts


def test_the_libraries_load_it_back(packed):
    import torch

    context, found, folder = packed
    result = context.arms["transfer"][found["packed"]["seed"]]
    if context.source.library == "timm":
        import timm

        model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    else:
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        model = AutoModelForImageClassification.from_pretrained(folder).eval()
        assert list(model.config.id2label.values()) == context.target["labels"]
        processor = AutoImageProcessor.from_pretrained(folder)
        shown = processor(Image.new("RGB", (200, 100), "red"), return_tensors="np")["pixel_values"]
        assert shown.shape == (1, 3, 64, 64)
    examples = context.task.examples(context.dataset, PROCESSOR, context.target, None)["test"]
    with torch.inference_mode():
        out = model(next(examples.batches([np.arange(18)], None, "cpu"))["pixels"])
    out = getattr(out, "logits", out).numpy()
    assert np.abs(out - result.outputs("test")).max() < 1e-4


def test_predict_py_alone_gives_the_numbers_of_the_report(packed, clean, tmp_path):
    context, result, folder = packed
    rows = context.dataset.split("test")
    pictures = tmp_path / "pictures"
    for name, file in zip(rows["id"], rows["file"], strict=True):
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        (pictures / name).write_bytes(context.dataset.file(file).read_bytes())
    (pictures / "broken.jpg").write_bytes((pictures / rows["id"][1]).read_bytes()[:300])
    (pictures / "notes.txt").write_text("not a picture")
    done = run_alone(clean, folder, str(pictures), "--output", str(tmp_path / "out.csv"))
    assert done.returncode == 0, done.stderr
    found = {row["input"]: row for row in csv.DictReader((tmp_path / "out.csv").open())}
    kept = {row["input"]: row for row in csv.DictReader((context.folder / "predictions.csv").open())}
    assert {("'" + name if name[0] == "=" else name) for name in rows["id"]} == set(found) == set(kept)
    for name, row in found.items():
        assert row["prediction"] == kept[name]["prediction"]
        for column in ("confidence", "'=square", "disc", "triangle"):
            assert float(row[column]) == pytest.approx(float(kept[name][column]), abs=1e-3)
    right = np.mean([found[name]["prediction"] == row["truth"] for name, row in kept.items()])
    assert right == pytest.approx(result["packed"]["value"])
    aside = {row["input"]: row["reason"] for row in csv.DictReader((tmp_path / "out-set-aside.csv").open())}
    assert set(aside) == {"broken.jpg", "notes.txt"}
    assert "cut off" in aside["broken.jpg"]
    assert "not a picture" in aside["notes.txt"]
    assert "broken.jpg" in done.stderr


def test_without_onnx_the_bundle_says_so_and_its_torch_gives_the_same(packed, tmp_path, monkeypatch):
    from tlcore.bundle import Bundle
    from tlcore.bundle.predictors.images import Pictures

    context, _, _ = packed

    def export(*_):
        raise RuntimeError("no such operator\nmore")

    with monkeypatch.context() as within:
        within.setattr(Pictures, "export", export)
        result = report.build(context)
        path = bundle.pack(context, result)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    assert not (tmp_path / "model.onnx").exists()
    assert "no such operator" in str(result["notes"][-1])
    needed = (tmp_path / "requirements.txt").read_text()
    assert context.source.library in needed
    assert "torch" in needed
    assert "onnxruntime" not in needed
    card = (tmp_path / "README.md").read_text()
    assert f"With torch, {context.source.library}," in card
    assert "Without any framework" not in card
    with pytest.raises(UnusableInput, match="no ONNX file"):
        Bundle.open(path).predict([Image.new("RGB", (50, 50))])
    expected = json.loads((tmp_path / "example/expected.json").read_text())
    command = [sys.executable, "-I", "predict.py", expected["input"]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    row = next(csv.DictReader(done.stdout.splitlines()))
    assert row["prediction"].removeprefix("'") == expected["prediction"]
    assert float(row["confidence"]) == pytest.approx(expected["confidence"], abs=1e-5)
    bundle.pack(context, report.build(context))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.things != "pictures"], ids=lambda kind: kind.id)
def test_what_predict_py_imports_is_in_the_requirements(kind):
    """Beside the standard library; transformers 4 would pass over parts of a config.json that version 5 wrote."""
    import re

    imported = set(re.findall(r"^ *(?:import|from) (\w+)", kind.predict_py(), re.MULTILINE)) - sys.stdlib_module_names
    by_onnx, by_torch = (predict_program.requirements(kind.requirement, library) for library in (None, "transformers"))
    assert imported - {"torch", "transformers", "safetensors"} <= set(re.findall(r"^\w+", by_onnx, re.MULTILINE))
    assert imported - {"onnxruntime"} <= set(re.findall(r"^\w+", by_torch, re.MULTILINE))
    assert "transformers>=5" in by_torch


def test_a_temperature_reaches_every_prediction(packed, clean, tmp_path, monkeypatch):
    """Report, example, predict.py and the studio give the same confidences, and they are not the raw ones."""
    from tlcore.bundle import Bundle
    from tlcore.evaluation import calibration

    context, _, _ = packed
    monkeypatch.setattr(calibration, "temperature", lambda logits, truth: (2.5, None))
    found = report.build(context)
    path = bundle.pack(context, found)
    folder = tmp_path / "unzipped"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    assert (
        json.loads((folder / "calibration.json").read_text())["temperature"]
        == found["calibration"]["temperature"]
        == 2.5
    )
    result = next(r for r in context.arms["transfer"] if r.seed == found["packed"]["seed"])
    by_hand = np.exp(result.outputs("test") / 2.5)
    by_hand /= by_hand.sum(axis=1, keepdims=True)
    kept = list(csv.DictReader((context.folder / "predictions.csv").open()))
    assert [float(row["confidence"]) for row in kept] == pytest.approx(by_hand.max(axis=1).tolist(), abs=1e-5)
    rows = context.dataset.split("test")
    files = [context.dataset.file(file) for file in rows["file"]]
    answers = Bundle.open(path).predict(files)
    assert [row.confidence for row in answers] == pytest.approx(by_hand.max(axis=1).tolist(), abs=1e-3)
    done = run_alone(clean, folder, str(files[0]), str(files[1]))
    alone = list(csv.DictReader(done.stdout.splitlines()))
    assert [float(row["confidence"]) for row in alone] == pytest.approx([r.confidence for r in answers[:2]], abs=1e-5)
    expected = json.loads((folder / "example/expected.json").read_text())
    assert expected["confidence"] == pytest.approx(float(kept[0]["confidence"]), abs=1e-3)
    monkeypatch.undo()
    bundle.pack(context, report.build(context))


def test_the_example_gives_what_is_expected(packed, clean):
    _, _, folder = packed
    expected = json.loads((folder / "example/expected.json").read_text())
    done = run_alone(clean, folder, expected["input"])
    assert done.returncode == 0, done.stderr
    row = next(csv.DictReader(done.stdout.splitlines()))
    assert row["prediction"].removeprefix("'") == expected["prediction"]
    assert float(row["confidence"]) == pytest.approx(expected["confidence"], abs=expected["tolerance"])


def test_predict_py_says_when_nothing_can_be_read(packed, clean, tmp_path):
    _, _, folder = packed
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no zip")
    done = run_alone(clean, folder, str(tmp_path / "bad.zip"), "nowhere.jpg")
    assert done.returncode == 2
    assert "This zip cannot be read." in done.stderr
    assert "There is no such file." in done.stderr
    assert "Traceback" not in done.stderr


def test_the_card_is_yaml_then_measurements(packed):
    context, found, folder = packed
    text = (folder / "README.md").read_text()
    _, head, body = text.split("---\n", 2)
    front = yaml.safe_load(head)
    assert front["license"] == "apache-2.0"
    assert front["library_name"] == context.source.library
    result = front["model-index"][0]["results"][0]
    assert front["model-index"][0]["name"] == "shapes <1>"
    assert result["metrics"][0]["value"] == round(found["packed"]["value"], 4)
    assert result["dataset"]["revision"] == context.dataset.fingerprint
    assert "shapes \\<1\\>" in body
    assert f"{found['packed']['value']:.3f}" in body
    assert f"{found['export']['milliseconds']:.1f} ms" in body
    for name in ("model.onnx", "model.safetensors", "predict.py"):
        assert sha256(folder / name) in body


def test_the_hub_knows_the_tasks_of_the_cards():
    known = {
        "image-classification",
        "text-classification",
        "token-classification",
        "question-answering",
        "summarization",
        "translation",
        "text-generation",
    }
    assert {card.pipeline(task.id) for task in tasks.TASKS} == known


def test_adapters_of_a_source_on_the_hub_say_how_they_are_loaded():
    result = {
        "base": "owner/name",
        "source": "Name",
        "class": "BertModel",
        "library": "transformers",
        "bytes": 1000,
        "merged": 9000,
        "head": True,
    }
    assert 'BertModel.from_pretrained("owner/name")' in lora_adapter.section(result)
    own = lora_adapter.section({**result, "base": None})
    assert "(Name)" in own
    assert "```" not in own


def test_the_same_content_gives_the_same_zip(packed, tmp_path):
    _, _, folder = packed
    for name in ("a.zip", "b.zip"):
        write_zip(tmp_path / name, folder)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_predict_py_prepares_pictures_as_training_does(tmp_path):
    """Every odd kind of picture, through the written predict.py and through the studio's own reader."""
    from tlcore.runtime.image_canvas import canvas
    from tlcore.runtime.images import open_picture

    own: dict = {"__name__": "predict", "__file__": str(tmp_path / "predict.py")}
    exec(compile(predict_program.predict_py(), "predict.py", "exec"), own)
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (50, 80), dtype=np.uint8)
    colour = rng.integers(0, 256, (50, 80, 4), dtype=np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    kinds = {
        "rgb.png": (Image.fromarray(colour[..., :3]), {}),
        "rgba.png": (Image.fromarray(colour), {}),
        "grey.png": (Image.fromarray(grey), {}),
        "la.png": (Image.fromarray(grey).convert("LA"), {}),
        "16.png": (Image.fromarray(grey.astype(np.uint16) * 16), {}),
        "float.tif": (Image.fromarray(grey.astype(np.float32) / 255), {}),
        "cmyk.jpg": (Image.fromarray(colour, "CMYK"), {}),
        "turned.jpg": (Image.fromarray(colour[..., :3]), {"exif": turned}),
        "palette.gif": (Image.fromarray(colour[..., :3]).quantize(16), {}),
        "two.gif": (
            Image.fromarray(grey),
            {"save_all": True, "append_images": [Image.fromarray(255 - grey)]},
        ),
    }
    for name, (image, options) in kinds.items():
        image.save(tmp_path / name, **options)
        ours, theirs = open_picture(tmp_path / name), own["open_picture"](tmp_path / name)
        assert np.array_equal(np.asarray(ours), np.asarray(theirs)), name
        assert np.array_equal(canvas(ours, 40, "bicubic"), own["canvas"](theirs, 40, "bicubic")), name
    for name, content in {
        "a.jpg": b"",
        "b.jpg": b"GIF89a",
        "c.png": b"\x89PNG\r\n\x1a\n" + bytes(40),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=r"\.$"):
            own["open_picture"](tmp_path / name)
