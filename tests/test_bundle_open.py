"""Bundles from anywhere: opened where they are what they say, refused with a sentence where they are not."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import stat
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image
from report_run import finished

from tlcore import bundle, report
from tlcore.bundle import Bundle, predictions_csv, set_aside_csv
from tlcore.bundle.open import found_in
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import t
from tlcore.execution.job_kinds.predict import predict


@pytest.fixture(scope="module")
def context():
    made = finished("transformers")
    bundle.pack(made, report.build(made))
    return made


@pytest.fixture
def path(context, tmp_path):
    return shutil.copyfile(context.folder / "bundle.zip", tmp_path / "bundle.zip")


def rewritten(path, change):
    """The zip again, each member passed through ``change(name, content)``; None leaves it out."""
    with zipfile.ZipFile(path) as old:
        members = [(info.filename, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(path, "w") as new:
        for name, content in members:
            changed = change(name, content)
            if changed is not None:
                new.writestr(name, changed)
    return path


def with_member(path, name, content=b"x", **attributes):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        member = zipfile.ZipInfo(name)
        for key, value in attributes.items():
            setattr(member, key, value)
        archive.writestr(member, content)
    return path


def test_zip_and_folder_give_the_numbers_of_the_report(context, path, tmp_path):
    rows = context.dataset.split("test")
    files = [context.dataset.file(name) for name in rows["file"]]
    kept = list(csv.DictReader((context.folder / "predictions.csv").open()))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "folder")
    for place in (path, tmp_path / "folder"):
        found = Bundle.open(place).predict(files)
        assert [row.prediction for row in found] == [row["prediction"].removeprefix("'") for row in kept]
        for row, old in zip(found, kept, strict=True):
            assert row.confidence == pytest.approx(float(old["confidence"]), abs=1e-3)
            assert sum(row.probability) == pytest.approx(1)


def test_inputs_of_every_kind_and_bad_ones_in_their_place(context, path):
    file = context.dataset.file(context.dataset.split("test")["file"].iloc[0])
    inputs = [
        file,
        file.read_bytes(),
        ("upload", Image.open(file)),
        b"no picture",
        ("cut.jpg", file.read_bytes()[:200]),
    ]
    rows = Bundle.open(path).predict(inputs)
    assert [row.input for row in rows] == [str(file), "2", "upload", "4", "cut.jpg"]
    assert [row.reason is None for row in rows] == [True, True, True, False, False]
    assert rows[0].probability == pytest.approx(rows[1].probability)
    assert rows[0].probability == pytest.approx(rows[2].probability)
    table = list(csv.reader(predictions_csv(rows, Bundle.open(path).labels).splitlines()))
    assert table[0] == ["input", "prediction", "confidence", "'=square", "disc", "triangle"]
    assert len(table) == 4
    aside = list(csv.reader(set_aside_csv(rows).splitlines()))
    assert [row[0] for row in aside] == ["input", "4", "cut.jpg"]
    assert "not a picture" in aside[1][1]


def test_paths_as_the_command_line_gives_them(context, path, tmp_path):
    file = context.dataset.file(context.dataset.split("test")["file"].iloc[0])
    opened = Bundle.open(path)
    answers = opened.predict_paths([file, tmp_path / "nowhere.jpg"])
    assert answers.rows[0]["probability"].keys() == set(opened.labels)
    assert answers.set_aside == [{"input": str(tmp_path / "nowhere.jpg"), "reason": "There is no such file."}]
    assert len(predictions_csv(answers, opened.labels).splitlines()) == 2
    json.dumps(answers.rows)


def test_torch_is_not_needed(path):
    import subprocess
    import sys

    code = (
        "import sys; from tlcore.bundle import Bundle; from PIL import Image\n"
        f"row = Bundle.open({str(path)!r}).predict([Image.new('RGB', (80, 60))])[0]\n"
        "assert row.prediction and 'torch' not in sys.modules and 'timm' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


REFUSED = {
    "not a zip": lambda p: p.write_bytes(b"hello") and p,
    "empty": lambda p: p.write_bytes(b"") or p,
    "a climbing name": lambda p: with_member(p, "../evil.py"),
    "an absolute name": lambda p: with_member(p, "/etc/evil"),
    "code beside it": lambda p: with_member(p, "sitecustomize.py"),
    "a pickle": lambda p: with_member(p, "pytorch_model.bin"),
    "one file twice": lambda p: with_member(p, "labels.json", b'["a"]'),
    "a link": lambda p: with_member(
        rewritten(p, lambda n, c: None if n == "report.html" else c),
        "report.html",
        b"/etc/passwd",
        external_attr=(stat.S_IFLNK | 0o777) << 16,
        create_system=3,
    ),
    "changed labels": lambda p: rewritten(p, lambda n, c: c.replace(b"disc", b"dish") if n == "labels.json" else c),
    "no model": lambda p: rewritten(p, lambda n, c: None if n == "model.onnx" else c),
    "no manifest": lambda p: rewritten(p, lambda n, c: None if n == "manifest.json" else c),
    "a manifest of nonsense": lambda p: rewritten(p, lambda n, c: b"[[[" if n == "manifest.json" else c),
    "deep JSON": lambda p: rewritten(p, lambda n, c: b"[" * 100_000 if n == "manifest.json" else c),
    "another format": lambda p: rewritten(
        p, lambda n, c: json.dumps({**json.loads(c), "format": 99}) if n == "manifest.json" else c
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_a_whole_bundle_is_refused(path, kind):
    changed = REFUSED[kind](path)
    with pytest.raises(UnusableInput) as caught:
        Bundle.open(changed)
    assert caught.value.code == "bundle"
    assert t(caught.value.sentence)


def resealed(path, **contents):
    """The zip with some files replaced and the manifest's hashes made to fit: a forger's bundle."""

    def change(name, content):
        content = contents.get(name, content)
        if name == "manifest.json":
            manifest = json.loads(content)
            manifest["files"] |= {n: hashlib.sha256(c).hexdigest() for n, c in contents.items()}
            return json.dumps(manifest)
        return content

    return rewritten(path, change)


def test_a_forged_model_is_refused_when_it_is_used(path):
    forged = Bundle.open(resealed(path, **{"model.onnx": b"\x80\x04not onnx"}))
    with pytest.raises(UnusableInput, match="ONNX"):
        forged.predict([Image.new("RGB", (50, 50))])


def test_a_model_that_reads_other_files_is_refused(path):
    import onnx

    weight = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [1.0])
    weight.ClearField("float_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../../etc/hostname")
    value = onnx.helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["pixels", "w"], ["logits"])], "g", [value], [out], [weight]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    with pytest.raises(UnusableInput, match="another file"):
        Bundle.open(resealed(path, **{"model.onnx": model.SerializeToString()})).predict([Image.new("RGB", (50, 50))])


def test_labels_and_outputs_must_fit(path):
    forged = Bundle.open(resealed(path, **{"labels.json": b'["one", "two"]'}))
    with pytest.raises(UnusableInput, match="2 classes"):
        forged.predict([Image.new("RGB", (50, 50))])


def test_absurd_preprocessing_is_refused(path):
    result = {"size": 64, "canvas": 10**9, "interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.5] * 3}
    with pytest.raises(UnusableInput):
        Bundle.open(resealed(path, **{"preprocessing.json": json.dumps(result).encode()}))


def test_a_zip_of_pictures_is_predicted_as_a_job(context, tmp_path):
    store = context.store
    rows = context.dataset.split("test")
    job = store.jobs.submit("predict", "local", {"run": context.run_id, "path": "new.zip"})
    with zipfile.ZipFile(store.jobs.folder(job.id) / "new.zip", "w") as archive:
        for name, file in zip(rows["id"], rows["file"], strict=True):
            archive.write(context.dataset.file(file), name)
        archive.writestr("__MACOSX/._x.jpg", b"junk")
        archive.writestr("deep/broken.png", b"\x89PNG\r\n\x1a\nxxxx")
    seen = []
    result = predict(store, job, lambda share, message, **_: seen.append(str(message)))
    assert (result["n"], result["set_aside"]) == (18, 1)
    assert sum(result["counts"].values()) == 18
    assert seen == ["16 pictures predicted"]
    table = list(csv.DictReader((store.jobs.folder(job.id) / result["file"]).open()))
    kept = {row["input"]: row["prediction"] for row in csv.DictReader((context.folder / "predictions.csv").open())}
    assert {row["input"]: row["prediction"] for row in table} == kept
    aside = list(csv.DictReader((store.jobs.folder(job.id) / result["set_aside_file"]).open()))
    assert [row["input"] for row in aside] == ["deep/broken.png"]


def test_a_file_that_cannot_be_predicted_is_listed_by_its_own_name(context):
    kept = context.store.home / "tmp" / "upload-k3j2h1" / "new.zip"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"no zip")
    job = context.store.jobs.submit("predict", "local", {"run": context.run_id, "path": str(kept)})
    result = predict(context.store, job, print)
    aside = list(csv.DictReader((context.store.jobs.folder(job.id) / result["set_aside_file"]).open()))
    assert [row["input"] for row in aside] == ["new.zip"]


def test_a_job_whose_bundle_is_gone_says_so(store):
    job = store.jobs.submit("predict", "local", {"run": "nothing000", "path": "x.zip"})
    with pytest.raises(UnusableInput, match="not there any more"):
        predict(store, job, print)


def test_inputs_are_found_with_their_names(tmp_path):
    image = io.BytesIO()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(image, "PNG")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "A.PNG").write_bytes(image.getvalue())
    (tmp_path / "b" / ".hidden.png").write_bytes(image.getvalue())
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("k/one.png", image.getvalue())
    found = [
        (name, reason and str(reason)) for name, _, reason in found_in([tmp_path / "b", tmp_path / "z.zip", "no.png"])
    ]
    assert found == [("b/A.PNG", None), ("z.zip/k/one.png", None), ("no.png", "There is no such file.")]
    assert [name for name, *_ in found_in([tmp_path / "b"])] == ["A.PNG"]


def test_a_job_answers_what_was_typed_and_knobs_have_bounds(path, store, monkeypatch):
    """What the pages ask of the worker for kinds that need torch; here one that does not."""
    from tlcore.bundle.predictors import Knob, find
    from tlcore.core.i18n import sentence
    from tlcore.execution.job_kinds.predict import ask

    job = store.jobs.submit("ask", "local", {"bundle": str(path), "inputs": [str(path), "nothing.png"]})
    result = ask(store, job, lambda *a, **k: None)
    assert [row["prediction"] for row in result["rows"]] == [None, None]
    assert all(row["reason"]["text"] for row in result["rows"])
    monkeypatch.setattr(type(find("image")), "knobs", (Knob("beams", sentence("Beams"), 1, 8, 2, 1),))
    opened = Bundle.open(path)
    assert opened.settings == {"beams": 2}
    opened.choose({"beams": 4.0})
    assert opened.settings == {"beams": 4}
    assert isinstance(opened.settings["beams"], int)
    for bad in ({"beams": 9}, {"beams": "4"}, {"other": 1}, {"beams": True}):
        with pytest.raises(UnusableInput):
            opened.choose(bad)
    assert (opened.folder / "model.safetensors").read_bytes() == opened.read("model.safetensors")


def test_a_table_to_predict_is_read_as_strictly_as_one_to_train_on(tmp_path):
    from tlcore.bundle.predictors import find

    (tmp_path / "t.csv").write_text('text\nI love it, but it broke\n"I love it, but it broke"\ngood\n')
    (tmp_path / "open.csv").write_text("text,note\ngood,a\n" + '"' + "never closed " * 6_000_000)
    result = [
        (name, text, reason and str(reason)) for name, text, reason in find("text").found_in(tmp_path.glob("t.csv"))
    ]
    assert result == [
        ("t.csv:2", None, "It has more or fewer cells than the header."),
        ("t.csv:3", "I love it, but it broke", None),
        ("t.csv:4", "good", None),
    ]
    *_, (name, text, reason) = find("text").found_in([tmp_path / "open.csv"])
    assert (name, text) == ("open.csv:3", None)
    assert "a quotation mark may never be closed" in str(reason)
