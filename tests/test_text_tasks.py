"""Text models and tasks on tiny random encoders: opening, parts, training by every strategy, saving, ONNX, bundles."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import text_models
from sources_models import source as nameless

from tlcore import data, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Data, Options
from tlcore.models.loading import open_folder
from tlcore.plan import make_plan
from tlcore.spec import Spec, from_dict
from tlcore.strategies import STRATEGIES
from tlcore.strategies.contract import PlanContext
from tlcore.tasks.shared import inference
from tlcore.training.context import TrainingContext

TASK = tasks.find("text-classification")


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return text_models.write_model(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return text_models.write_table(tmp_path_factory.mktemp("table") / "t.csv", text_models.sentences(60))


@pytest.fixture
def texts(table, store):
    return data.read(Data(path=str(table)), task=TASK, store=store, owner="local")


def opened(folder):
    return open_folder(folder, nameless("tests/text"))


@pytest.mark.parametrize("kind", text_models.KINDS)
def test_every_architecture_is_opened_grouped_saved_and_loaded_back(tmp_path, kind):
    import torch

    source = opened(text_models.write_model(tmp_path / "model", kind))
    assert source.modality == "text"
    model = source.build(3, True, seed=1).eval()
    names = [name for part in model.parts() for name in (*part.parameters, *part.buffers)]
    held = [name for name, _ in (*model.named_parameters(), *model.named_buffers())]
    assert sorted(names) == sorted(held), "each parameter and buffer is in exactly one part"
    assert model.parts()[-1].name == "head"
    assert len(model.parts()) >= (3 if kind == "albert" else 4)
    ids, mask = torch.tensor([[2, 7, 9, 3], [2, 8, 3, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    with torch.inference_mode():
        out = model(ids, mask)
        alone = model(ids[1:, :3], mask[1:, :3])
    assert torch.allclose(out[1:], alone, atol=1e-5), "padding plays no part"
    assert torch.allclose(out, model.classify(model.features(ids, mask)), atol=1e-6)
    model.save(tmp_path / "saved", ["a", "b", "c"], {"max_length": 16})
    again = opened(tmp_path / "saved")
    back = again.build(None, True).eval()
    assert again.has_head(back)
    assert again.preprocess["input_size"] == 16
    with torch.inference_mode():
        assert torch.allclose(back(ids, mask), out, atol=1e-6)
    fresh = source.build(3, False, seed=1)
    same = source.build(3, False, seed=1)
    weights = dict(fresh.named_parameters())
    assert all(torch.equal(weights[name], value) for name, value in same.named_parameters())
    assert not torch.equal(fresh.parts() and next(fresh.net.encoder.parameters()), next(model.net.encoder.parameters()))


def test_features_are_the_mean_of_the_token_vectors(bert):
    """Against transformers' own network, one text at a time and by hand."""
    import torch
    from transformers import AutoModel

    model = opened(bert).build(None, True).eval()
    assert model.head is None
    reference = AutoModel.from_pretrained(bert).eval()
    with torch.inference_mode():
        mine = model.features(
            torch.tensor([[2, 7, 9, 11, 3], [2, 8, 3, 0, 0]]), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
        )
        for row, ids in zip(mine, ([2, 7, 9, 11, 3], [2, 8, 3]), strict=True):
            hidden = reference(input_ids=torch.tensor([ids])).last_hidden_state[0]
            assert torch.allclose(row, hidden.mean(dim=0), atol=1e-6)


def test_frozen_parts_keep_still(bert):
    model = opened(bert).build(2, True)
    model.set_training({"head"})
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["net.head.weight", "net.head.bias"]
    off = [module for module in model.net.encoder.modules() if "Dropout" in type(module).__name__]
    assert off
    assert not any(module.training for module in off)
    with pytest.raises(ValueError, match="no such parts"):
        model.set_training({"tail"})


def test_a_folder_that_cannot_be_used_is_refused(tmp_path):
    folder = text_models.write_model(tmp_path / "a")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UnusableInput, match=r"no tokenizer\.json"):
        opened(folder).build(2, True)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(UnusableInput, match="tokenizer of this model cannot be read"):
        opened(folder).build(2, True)
    text_models.write_tokenizer(folder)
    small = text_models.write_model(tmp_path / "b", vocab_size=20)
    with pytest.raises(UnusableInput, match="tokens and the network only 20"):
        opened(small).build(2, True)
    result = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**result, "hidden_size": 10**9}))
    with pytest.raises(UnusableInput, match="no text network can have"):
        opened(folder)
    (folder / "config.json").write_text(json.dumps({**result, "num_hidden_layers": 5}))
    with pytest.raises(UnusableInput, match="missing keys"):
        opened(folder).build(2, True)
    (folder / "config.json").write_text(json.dumps({**result, "auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(UnusableInput, match="program code"):
        opened(folder)


def test_source_and_task_must_read_the_same(bert, texts, tiny_source, dataset):
    result = opened(bert).preprocess
    with pytest.raises(UnusableInput, match="reads texts"):
        tasks.find("image-classification").processor(result, Options(), dataset, "cpu")
    with pytest.raises(UnusableInput, match="reads pictures"):
        TASK.processor(opened(tiny_source).preprocess, Options(), texts, "cpu")


def test_how_much_of_a_text_is_read(bert, texts):
    source = opened(bert)
    auto = TASK.processor(source.preprocess, Options(), texts, "cpu")
    lengths = np.array([len(text.split()) + 2 for text in texts.split("train")["text"]])
    assert auto["size"] == max(16, -(-int(np.ceil(np.quantile(lengths, 0.95))) // 8) * 8)
    short = TASK.processor(source.preprocess, Options(max_length=8), texts, "cpu")
    assert short["cut"] == pytest.approx((lengths > 8).mean(), abs=1e-4)
    assert short["cut"] > 0.3
    assert "cut after 8 tokens" in str(TASK.notes(short)[0])
    assert TASK.notes(auto) == []
    with pytest.raises(UnusableInput, match="at most 64 tokens"):
        TASK.processor(source.preprocess, Options(max_length=128), texts, "cpu")


def test_batches_are_cut_padded_and_cached(bert, texts, tmp_path):
    source = opened(bert)
    processor = TASK.processor(source.preprocess, Options(max_length=8), texts, "cpu")
    target = TASK.fit_target(texts)
    train = TASK.examples(texts, processor, target, tmp_path / "cache" / "pictures", source)["train"]
    order = inference.longest_first(train, np.arange(len(train)))
    lengths = [min(8, len(train.texts[i].split()) + 2) for i in order]
    assert lengths == sorted(lengths, reverse=True)
    words = {word: place for place, word in enumerate((*text_models.SPECIAL, *text_models.WORDS))}
    (batch,) = train.batches([np.array([3, 0])], None, "cpu")
    for row, i in zip(batch["ids"].tolist(), (3, 0), strict=True):
        expected = [2, *(words[word] for word in train.texts[i].split()[:6]), 3]
        assert row == expected + [0] * (len(row) - len(expected))
    assert batch["mask"].sum(dim=1).tolist() == [min(8, len(train.texts[i].split()) + 2) for i in (3, 0)]
    assert len(list((tmp_path / "cache" / "tokens").glob("*.npz"))) == 1
    with pytest.raises(ValueError, match="without a source model"):
        inference.longest_first(TASK.examples(texts, processor, target, None)["train"], order)


@pytest.mark.parametrize("strategy", [one.id for one in STRATEGIES if not (one.needs or one.takes)])
def test_every_strategy_trains(strategy, bert, texts, tmp_path, store):
    """A few steps of each; afterwards the packed weights give the outputs that were scored."""
    from tlcore.training import fit
    from tlcore.training.job_progress import Tally

    source = opened(bert)
    processor = TASK.processor(source.preprocess, Options(), texts, "cpu")
    context = PlanContext(texts.info.n["train"], TASK.side(processor), 5_000, "cpu", 1, 16, 1e-3, TASK.rate)
    spec = Spec(task=TASK.id, data=Data(dataset=texts.fingerprint), seeds=1, baseline="none")
    plan = make_plan(spec, strategy, context, processor, TASK.metrics[0])
    found = TrainingContext(
        TASK,
        texts,
        source,
        TASK.fit_target(texts),
        plan,
        tmp_path / "run",
        tmp_path / "cache",
        Tally(lambda *a, **k: None),
    )
    found.folder.mkdir()
    result = fit.again(found, "transfer", 0, 1e-3)
    model = open_folder(result.weights, source.source).build(None, True)
    test = found.examples["test"]
    again = inference.outputs(TASK, model, test, 3, "cpu")
    assert np.abs(again - result.outputs("test")).max() < 1e-3
    assert 0 <= result.validation["accuracy"] <= 1


def test_rates_are_those_of_text_encoders(bert):
    context = PlanContext(100, 62, 20_000_000, "cpu", 3, None, None, TASK.rate)
    spec = Spec(task=TASK.id, data=Data(dataset="x"), seeds=1)
    plan = make_plan(spec, "fine-tuning", context, {"size": 16}, TASK.metrics[0])
    assert plan["arms"]["transfer"]["rates"] == pytest.approx([2.5e-5, 1e-4, 4e-4])
    assert plan["arms"]["twin"]["rates"] == pytest.approx([4e-4, 1.6e-3, 6.4e-3])


def test_words_alone_find_what_words_tell(bert, texts):
    target = TASK.fit_target(texts)
    examples = TASK.examples(texts, {"size": 16, "pad": 0}, target, None)
    found = {one.id: one for one in TASK.baselines(texts, examples, target, opened(bert))}
    ones = np.ones((1, len(examples["test"])))
    majority = TASK.aggregate(found["majority"].records, ones, target)["accuracy"][0]
    truth = texts.split("test")["label"]
    commonest = texts.split("train")["label"].mode()[0]
    assert majority == pytest.approx((truth == commonest).mean())
    assert TASK.aggregate(found["words"].records, ones, target)["accuracy"][0] >= 0.9


def test_the_source_of_a_task_is_its_own():
    assert from_dict({"task": TASK.id, "data": {"dataset": "x"}}).source == "bundled/minilm-l6"
    assert from_dict({"task": "image-classification", "data": {"dataset": "x"}}).source == "bundled/studio-base"
    assert from_dict({"task": TASK.id, "data": {"dataset": "x"}, "source": "a/b"}).source == "a/b"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, bert, table):
    """A whole run by the command line, both arms, and where it lies."""
    folder = tmp_path_factory.mktemp("text-run")
    report = text_models.run(
        folder,
        name="texts",
        task="text-classification",
        data={"path": str(table), "columns": {"text": "text"}},
        source=str(bert),
        strategy="linear-probe-then-fine-tune",
        seeds=2,
        budget={"epochs": 3},
        options={"batch_size": 16, "learning_rate": 0.01},
    )
    return folder, report


def test_the_command_line_tells_the_whole_story(finished):
    _, report = finished
    assert report["task"] == "text-classification"
    assert report["verdict"] in ("transfer-helps", "no-clear-difference", "negative-transfer")
    assert report["transfer"]["value"] >= 0.5
    assert {one["id"] for one in report["naive"]} == {"majority", "words"}
    assert report["export"]["agrees"] is True
    assert all("text" in one and one["gradcam"] is None for one in report["worst"])
    assert all("".join(piece for piece, _ in one["words"]).strip() == one["text"] for one in report["worst"])


def test_the_bundle_answers_without_the_studio_as_the_report_says(finished, table, tmp_path):
    from tlcore.bundle import Bundle

    _, report = finished
    with zipfile.ZipFile(report["bundle"]) as archive:
        archive.extractall(tmp_path / "bundle")
    given = list(csv.DictReader((Path(report["bundle"]).parent / "predictions.csv").open()))
    rows = {f"t.csv:{i}": row for i, row in enumerate(csv.DictReader(table.open()), start=2)}
    text_models.write_table(tmp_path / "asked.csv", [(rows[one["input"]]["text"], "?") for one in given])
    done = subprocess.run(
        [sys.executable, "-I", "predict.py", str(tmp_path / "asked.csv")],
        cwd=tmp_path / "bundle",
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    result = list(csv.DictReader(done.stdout.splitlines()))
    assert [one["prediction"] for one in result] == [one["prediction"] for one in given]
    assert [one["input"] for one in result] == [f"asked.csv:{i}" for i in range(2, len(given) + 2)]
    for mine, its in zip(result, given, strict=True):
        assert float(mine["confidence"]) == pytest.approx(float(its["confidence"]), abs=2e-3)
    opened_ = Bundle.open(report["bundle"])
    assert [row.prediction for row in opened_.predict([rows[one["input"]]["text"] for one in given])] == [
        one["prediction"] for one in given
    ]
    empty = opened_.predict(["", "good food"])
    assert str(empty[0].reason) == "It has no text."
    assert empty[1].prediction in opened_.labels
    (tmp_path / "lines.txt").write_text("good food\n\nbad room\n")
    answers = opened_.predict_paths([tmp_path / "lines.txt", tmp_path / "none.csv"])
    assert [row["input"] for row in answers.rows] == ["lines.txt:1", "lines.txt:3"]
    assert answers.set_aside == [{"input": str(tmp_path / "none.csv"), "reason": "There is no such file."}]


def test_the_column_that_was_trained_on_comes_before_others(finished, tmp_path):
    from tlcore.bundle import Bundle

    _, report = finished
    with zipfile.ZipFile(report["bundle"]) as archive:
        archive.extractall(tmp_path / "bundle")
    manifest = tmp_path / "bundle" / "manifest.json"
    result = json.loads(manifest.read_text())
    assert result["column"] == "text", "what the Spec calls it"
    manifest.write_text(json.dumps({**result, "column": "remark"}))
    good, bad = "the food was good and lovely", "the food was bad and awful"
    (tmp_path / "both.csv").write_text(f"text,remark\n{good},{bad}\n{bad},{good}\n")
    done = subprocess.run(
        [sys.executable, "-I", "predict.py", str(tmp_path / "both.csv")],
        cwd=tmp_path / "bundle",
        text=True,
        capture_output=True,
        timeout=120,
    )
    own = [one["prediction"] for one in csv.DictReader(done.stdout.splitlines())]
    opened_ = Bundle.open(tmp_path / "bundle")
    there, back = ([row.prediction for row in opened_.predict(texts)] for texts in ([bad, good], [good, bad]))
    found = opened_.stream(opened_.found_in([tmp_path / "both.csv"]))
    assert own == [row.prediction for row in found] == there != back


def test_the_bundle_is_a_source_and_loads_in_transformers(finished, tmp_path):
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer

    _, report = finished
    with zipfile.ZipFile(report["bundle"]) as archive:
        archive.extractall(tmp_path)
        assert "head on the mean" not in archive.read("README.md").decode()
    encoder, weights = AutoModel.from_pretrained(tmp_path).eval(), load_file(tmp_path / "model.safetensors")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    given = tokenizer(["good food"], return_tensors="pt", padding=False, truncation=False)
    with torch.inference_mode():
        hidden = encoder(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).last_hidden_state
    logits = hidden.mean(dim=1) @ weights["head.weight"].T + weights["head.bias"]
    from tlcore.bundle import Bundle

    calibration = json.loads((tmp_path / "calibration.json").read_text())["temperature"]
    row = Bundle.open(report["bundle"]).predict(["good food"])[0]
    assert (logits / calibration).softmax(dim=1)[0].tolist() == pytest.approx(list(row.probability), abs=1e-4)
    assert opened(tmp_path).build(None, True).head is not None


def test_without_onnx_the_bundle_says_so_and_predict_py_uses_torch(finished, tmp_path):
    from tlcore.bundle import Bundle

    _, report = finished
    with zipfile.ZipFile(report["bundle"]) as archive:
        archive.extractall(tmp_path)
    before = Bundle.open(tmp_path).predict(["good food"])[0]
    (tmp_path / "model.onnx").unlink()
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["files"]["model.onnx"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UnusableInput, match="no ONNX file"):
        Bundle.open(tmp_path).predict(["good food"])
    done = subprocess.run(
        [sys.executable, "-I", "predict.py", "--text", "good food"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (result,) = csv.DictReader(done.stdout.splitlines())
    assert result["prediction"] == before.prediction
    assert float(result["confidence"]) == pytest.approx(before.confidence, abs=1e-4)


def test_predict_py_knows_the_columns_that_the_reader_knows():
    from tlcore.data.readers.text_table import NAMES
    from tlcore.runtime.predict_texts import TEXT_COLUMNS

    assert NAMES["text"] == TEXT_COLUMNS


def test_advice_on_texts(bert, texts, tmp_path):
    from tlcore import guidance

    source = opened(bert)
    processor = TASK.processor(source.preprocess, Options(), texts, "cpu")
    found = guidance.measure_with(texts, TASK, source, processor, tmp_path)
    assert [part.id for part in found.similarity_parts] == ["fertility"]
    assert 0 <= found.transferability["probe"]["value"] <= 1
    result = guidance.advise(found, [])
    assert result.strategy in {one.id for one in STRATEGIES}
    assert any("pieces in the mean" in str(reason) for reason in result.reasons)


@pytest.mark.assets
def test_minilm_on_a_few_real_sentences(assets, store, tmp_path):
    """The bundled encoder's features tell 64 labelled reviews a class apart, on test sentences never seen."""
    import pandas as pd

    from tlcore.models import open_source
    from tlcore.training.features import extract

    frame = {name: pd.read_csv(assets / "data" / "sst2" / f"{name}.csv") for name in ("train", "test")}
    for name, n in (("train", 90), ("test", 100)):
        part = frame[name].drop_duplicates("text").groupby("label").sample(n, random_state=0)
        (tmp_path / "up").mkdir(exist_ok=True)
        part.to_csv(tmp_path / "up" / f"{name}.csv", index=False)
    task = tasks.find("sentiment-analysis")
    made = data.read(Data(path=str(tmp_path / "up")), task=task, store=store, owner="local")
    source = open_source("bundled/minilm-l6", store)
    processor = task.processor(source.preprocess, Options(), made, "cpu")
    target = task.fit_target(made)
    assert target["labels"] == ["negative", "positive"]
    examples = task.examples(made, processor, target, tmp_path / "pictures", source)
    model = task.model(source, target, True, size=processor["size"])
    features, _ = extract(task, model, examples, tmp_path, "k", device="cpu", batch_size=32)
    head = task.solve(features, examples, target)
    outputs = features["test"] @ head["weight"].T + head["bias"]
    accuracy = (outputs.argmax(axis=1) == examples["test"].labels).mean()
    assert accuracy > 0.65, accuracy  # 200 sentences: chance is 0.5 with a standard error of 0.035
