"""The command line as others rely on it: one JSON object, exit codes, sentences."""

from __future__ import annotations

import json
import shutil

import pytest

from tlcore.cli.main import main


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCORE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(capsys, *arguments):
    try:
        code = main([str(a) for a in arguments])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(("verb", "key"), [("tasks", "tasks"), ("strategies", "strategies"), ("sources", "sources")])
def test_lists_are_one_json_object(capsys, verb, key):
    code, out, _ = run(capsys, verb, "--json")
    assert code == 0
    result = json.loads(out)
    assert list(result) == [key]
    assert all(row["id"] for row in result[key])


def test_sources_say_where_they_are(capsys):
    _, out, _ = run(capsys, "sources", "--task", "image-classification", "--json")
    rows = {row["id"]: row for row in json.loads(out)["sources"]}
    assert len(rows) >= 16
    assert rows["bundled/studio-base"]["availability"] == "bundled"


@pytest.mark.parametrize("arguments", [(), ("nope",), ("check",), ("check", "x"), ("run",), ("export", "x")])
def test_wrong_usage_is_64(capsys, arguments):
    code, _, err = run(capsys, *arguments)
    assert code == 64
    assert "usage" in err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("run", "missing.yaml"), "spec"),
        (("sources", "--task", "image-clasification"), "unknown-task"),
        (("report", "nothing"), "unknown-run"),
        (("resume", "nothing"), "unknown-run"),
    ],
)
def test_unusable_input_is_2_with_an_error_object(capsys, arguments, code):
    status, out, err = run(capsys, *arguments, "--json")
    assert status == 2
    error = json.loads(out)["error"]
    assert set(error) == {"code", "message", "file", "row"}
    assert error["code"] == code
    assert error["message"] in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("task: image-classification\n", "data"),
        ("task: nope\ndata: {path: x}\n", "image-classification"),
        ("task: image-classification\ndata: {path: x}\nstrategy: nope\n", "fine-tuning"),
        ("task: image-classification\ndata: {path: x}\nseeds: many\n", "seeds"),
        ("task: image-classification\ndata: {path: x}\nbudgets: 1\n", "budgets"),
        ("task: image-classification\ndata: {path: x, dataset: y}\n", "either"),
        ("a: [", "YAML"),
        ("!!python/object/apply:os.system [ls]", "YAML"),
        ("a: &a [x]\nb: *a\n", "alias"),
        ("- 1\n", "mapping"),
    ],
)
def test_a_spec_that_cannot_be_used_names_the_field(capsys, tmp_path, text, word):
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    status, out, _ = run(capsys, "run", path, "--json")
    assert status == 2
    assert word in json.loads(out)["error"]["message"]


def test_a_run_on_data_that_are_not_there_is_2(capsys, tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text("task: image-classification\ndata: {path: nowhere.zip}\n")
    status, out, _ = run(capsys, "run", path, "--json")
    assert status == 2
    assert "nowhere.zip" in out


def test_check_tells_what_is_there_and_what_is_not(capsys, photos):
    status, out, _ = run(capsys, "check", photos, "--task", "image-classification", "--json")
    assert status == 0
    result = json.loads(out)
    assert result["usable"]
    assert result["labels"] == {"across": 30, "dots": 30, "down": 30}


def test_check_of_one_class_is_2(capsys, photos, tmp_path):
    shutil.copytree(photos / "dots", tmp_path / "one" / "dots")
    status, out, _ = run(capsys, "check", tmp_path / "one", "--task", "image-classification", "--json")
    assert status == 2
    assert not json.loads(out)["usable"]


def test_advice_is_measured_on_the_training_examples(capsys, photos):
    from tlcore.strategies import STRATEGIES

    status, out, _ = run(capsys, "advise", "--task", "image-classification", "--data", photos, "--json")
    assert status == 0
    result = json.loads(out)
    assert result["strategy"] in {strategy.id for strategy in STRATEGIES}
    assert set(result["evidence"]["n_per_class"]) == {"across", "dots", "down"}
    assert 0 <= result["evidence"]["similarity"] <= 1
    assert 0 <= result["evidence"]["transferability"]["probe"]["value"] <= 1
    assert all(isinstance(reason, str) for reason in result["reasons"])
    assert result["sources"][0]["id"]
