"""Text generation: what is scored, and the scores, against numbers computed elsewhere; training, report, bundle."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import causal_models
import numpy as np
import pytest
import yaml
from sources_models import source as nameless

from tlcore import data, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Data, Options
from tlcore.models.loading import open_folder
from tlcore.strategies import STRATEGIES, serving
from tlcore.tasks.shared import inference
from tlcore.tasks.text_generation.n_grams import Counted
from tlcore.training.context import TrainingContext

TASK = tasks.find("text-generation")
WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "and",
    "saw",
    "dog",
    "run",
    "to",
    "red",
    "house",
    "by",
    "small",
    "lake",
    "with",
    "one",
    "old",
    "tree",
]


def lines(n: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, int(rng.integers(4, 9)))) + f" {i}." for i in range(n)]


def opened(folder):
    return open_folder(folder, nameless("tests/causal"))


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return causal_models.write_model(
        tmp_path_factory.mktemp("llama"), template=causal_models.TEMPLATE, initializer_range=0.05
    )


def made(tmp_path, store, rows, name="t.jsonl"):
    (tmp_path / name).write_text("\n".join(json.dumps(row) for row in rows))
    return data.read(Data(path=str(tmp_path / name)), task=TASK, store=store, owner="local")


def examples_of(dataset, source, **options):
    processor = TASK.processor(source.preprocess, Options(**options), dataset, "cpu")
    return processor, TASK.examples(dataset, processor, TASK.fit_target(dataset), None, source)


def texts_of(batch, tokenizer, row=0):
    """A row of a batch as text, and the part of it that is scored."""
    ids, labels = batch["ids"][row], batch["labels"][row]
    return (
        tokenizer.decode(ids[batch["mask"][row] == 1].tolist(), skip_special_tokens=False),
        tokenizer.decode(labels[labels != -100].tolist(), skip_special_tokens=False),
    )


def first_batch(examples, tokenizer):
    return texts_of(next(iter(examples.batches([np.array([0])], None, "cpu"))), tokenizer)


@pytest.fixture(scope="module")
def tokenizer(llama):
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(llama / "tokenizer.json"))


def test_of_a_prompt_only_the_completion_is_scored(tmp_path, store, llama, tokenizer):
    rows = [{"prompt": f"Prompt {i} ", "completion": f" answer {i}, ação"} for i in range(14)]
    processor, examples = examples_of(made(tmp_path, store, rows), opened(llama))
    whole, scored = first_batch(examples["train"], tokenizer)
    number = examples["train"].held.dataset.rows["text"].iloc[examples["train"].rows[0]].split()[-1]
    end = causal_models.END
    assert whole == f"{end}Prompt {number}\nanswer {number}, ação{end}"
    assert scored == f"answer {number}, ação{end}"
    assert examples["train"].characters[0] == len(f"answer {number}, ação")
    assert (processor["before"], processor["after"]) == ("", "\n")


def test_of_a_chat_only_what_the_assistant_says_is_scored_by_the_tokenizers_own_template(tmp_path, store, llama):
    """Against transformers' own rendering of the same template."""
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    turns = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
    ]
    rows = [{"messages": [*turns, {"role": "assistant", "content": f"See you {i}"}]} for i in range(14)]
    dataset = made(tmp_path, store, rows)
    processor, examples = examples_of(dataset, opened(llama))
    assert processor["template"] == "own"
    assert (processor["before"], processor["after"]) == (
        "<|im_start|>user\n",
        "<|im_end|>\n<|im_start|>assistant\n",
    )
    whole, scored = first_batch(examples["train"], Tokenizer.from_file(str(llama / "tokenizer.json")))
    messages = json.loads(dataset.rows["turns"].iloc[examples["train"].rows[0]])
    theirs = AutoTokenizer.from_pretrained(llama).apply_chat_template(messages, tokenize=False)
    assert whole == causal_models.END + theirs
    assert scored == f"Hello<|im_end|>\n{messages[-1]['content']}<|im_end|>\n"


@pytest.mark.parametrize(
    "template",
    [
        None,
        "{% for m in messages %}{{ m['content'][0:3] }}{% endfor %}",
        "{{ raise_exception('no') }}",
        "{% if %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    ],
)
def test_a_template_that_cannot_be_used_gives_way_to_the_plain_one(tmp_path, store, template):
    from tokenizers import Tokenizer

    folder = causal_models.write_model(tmp_path / "m", template=template)
    rows = [
        {"messages": [{"role": "user", "content": f"Hi {i}"}, {"role": "assistant", "content": f"Hello {i}"}]}
        for i in range(14)
    ]
    processor, examples = examples_of(made(tmp_path, store, rows), opened(folder))
    assert processor["template"] == "plain"
    assert "written plainly" in " ".join(map(str, TASK.notes(processor)))
    whole, scored = first_batch(examples["train"], Tokenizer.from_file(str(folder / "tokenizer.json")))
    end = causal_models.END
    number = scored.strip().removeprefix("Hello ").removesuffix(end)
    assert whole == f"{end}User: Hi {number}\nAssistant: Hello {number}{end}\n"
    assert scored.strip() == f"Hello {number}{end}"


def test_what_is_too_long_loses_its_prompt_first(tmp_path, store, llama, tokenizer):
    rows = [{"prompt": "p" * 200, "completion": f"answer {i:02}"} for i in range(14)]
    processor, examples = examples_of(made(tmp_path, store, rows), opened(llama), max_length=32)
    whole, scored = first_batch(examples["train"], tokenizer)
    assert len(whole) - 2 * len(causal_models.END) + 2 == 32
    assert scored.startswith("answer ")
    assert scored.endswith(causal_models.END)
    assert processor["cut"] == 1.0
    with pytest.raises(UnusableInput, match="at most 128 tokens"):
        TASK.processor(opened(llama).preprocess, Options(max_length=256), examples["train"].held.dataset, "cpu")


def test_scores_are_transformers_own_loss_on_the_same_texts(tmp_path, store, llama, tokenizer):
    """Perplexity, bits per character and accuracy of the source as it is, one text at a time with nothing of ours."""
    import torch
    from transformers import AutoModelForCausalLM

    (tmp_path / "t.csv").write_text("text\n" + "\n".join(f'"{line}, é"' for line in lines(40)))
    dataset = data.read(Data(path=str(tmp_path / "t.csv")), task=TASK, store=store, owner="local")
    source = opened(llama)
    _, examples = examples_of(dataset, source)
    model = source.build(None, True).eval()
    out = inference.outputs(TASK, model, examples["test"], 3, "cpu")
    found = inference.metrics(TASK, out, examples["test"], {})
    plain = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32).eval()
    nats = tokens = hits = characters = 0
    for text in dataset.split("test")["text"]:
        ids = torch.tensor([[256, *tokenizer.encode(text).ids, 256]])
        with torch.inference_mode():
            result = plain(input_ids=ids, labels=ids)
        n = ids.shape[1] - 1
        nats, tokens, characters = nats + result.loss.item() * n, tokens + n, characters + len(text)
        hits += int((result.logits[0, :-1].argmax(-1) == ids[0, 1:]).sum())
    assert found["perplexity"] == pytest.approx(np.exp(nats / tokens), rel=1e-4)
    assert found["bits-per-character"] == pytest.approx(nats / np.log(2) / characters, rel=1e-4)
    assert found["next-token-accuracy"] == pytest.approx(hits / tokens)
    naive = {one.id: one for one in TASK.baselines(dataset, examples, {}, source)}
    assert naive["source-as-it-is"].records.columns["loss"] == pytest.approx(out["loss"], rel=1e-5)


def test_counting_by_hand():
    """a b a b a c: Witten and Bell's formula on paper, with a vocabulary of five."""
    ids, starts = np.array([9, 0, 1, 0, 1, 0, 2]), np.array([0, 7])
    model = Counted(ids, starts, words=5, longest=1)
    losses, hits = model.weigh(np.array([9, 0, 1, 3]), np.array([0, 4]))
    # No context: 6 places, 3 different tokens behind it; a 3, b 2, c 1.
    chance = {0: (3 + 3 / 5) / 9, 1: (2 + 3 / 5) / 9, 3: (3 / 5) / 9}
    assert np.exp(-losses[0, 1:]) == pytest.approx([chance[0], chance[1], chance[3]])
    # Behind the beginning 1 place (a); behind a 3 places and 2 different (b, b, c); behind b 2 places (a, a).
    after = [(1 + chance[0]) / 2, (2 + 2 * chance[1]) / 5, (0 + chance[3]) / 3]
    assert np.exp(-losses[1, 1:]) == pytest.approx(after)
    assert hits[1, 1:].tolist() == [True, True, False]
    assert hits[0, 1:].tolist() == [True, False, False]


def test_counting_is_a_distribution_and_stays_within_a_text():
    rng = np.random.default_rng(0)
    ids, starts = rng.integers(0, 6, 300), np.arange(0, 301, 10)
    model = Counted(ids, starts, words=6)
    every = np.array([[3, 1, 4, word] for word in range(6)]).ravel()
    losses, _ = model.weigh(every, np.arange(0, 25, 4))
    assert np.exp(-losses[:, 3::4]).sum(axis=1) == pytest.approx(np.ones(len(losses)))
    alone, _ = model.weigh(np.array([2, 5]), np.array([0, 2]))
    behind, _ = model.weigh(np.array([1, 1, 2, 5]), np.array([0, 2, 4]))
    assert alone[:, 1].tolist() == behind[:, 3].tolist()


def test_a_head_alone_is_refused_where_there_is_none(tmp_path):
    reasons = {one.id: one.refuse(TASK, None) for one in STRATEGIES}
    assert "no head" in str(reasons["feature-extraction"])
    assert "no head" in str(reasons["linear-probe-then-fine-tune"])
    assert {"fine-tuning", "scratch"} <= {one.id for one in serving(TASK)}
    assert "feature-extraction" not in {one.id for one in serving(TASK)}


def test_a_run_that_was_killed_ends_at_the_very_same_weights(tmp_path, store, llama, monkeypatch):
    from safetensors.torch import load_file

    from tlcore.plan import make_plan
    from tlcore.strategies.contract import PlanContext
    from tlcore.training import fit
    from tlcore.training.job_progress import Tally

    dataset = made(tmp_path, store, [{"prompt": line[:9], "completion": line[9:]} for line in lines(60)])
    source = opened(llama)
    processor = TASK.processor(source.preprocess, Options(), dataset, "cpu")
    from tlcore.spec import Spec

    context = PlanContext(dataset.info.n["train"], 62, 10_000, "cpu", 3, 8, 1e-3, TASK.rate, has_convex_head=False)
    spec = Spec(task=TASK.id, data=Data(dataset=dataset.fingerprint), seeds=1, baseline="none")
    plan = make_plan(spec, "fine-tuning", context, processor, TASK.metrics[0])

    class Killed(Exception):
        pass

    def trained(folder, stop_after=None):
        folder.mkdir(exist_ok=True)
        tally, seen = Tally(lambda *a, **k: None), []

        def point(**values):
            seen.append(values["epoch"])
            if stop_after is not None and values["epoch"] > stop_after:
                raise Killed

        monkeypatch.setattr(tally, "point", point)
        result = TrainingContext(
            TASK, dataset, source, TASK.fit_target(dataset), plan, folder, tmp_path / "cache", tally
        )
        return fit.again(result, "transfer", 0, 1e-3), seen

    whole, _ = trained(tmp_path / "whole")
    with pytest.raises(Killed):
        trained(tmp_path / "killed", stop_after=1)
    again, seen = trained(tmp_path / "killed")
    assert seen[0] == 2, "it goes on from its checkpoint"
    mine, its = (load_file(one.weights / "model.safetensors") for one in (again, whole))
    assert mine.keys() == its.keys()
    assert all(bool((mine[name] == its[name]).all()) for name in its)
    assert np.array_equal(again.outputs("test"), whole.outputs("test"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, llama):
    """A whole run by the command line, both arms, and where it lies."""
    folder = tmp_path_factory.mktemp("generation-run")
    (folder / "texts.txt").write_text("\n\n".join(" ".join(lines(12, seed)) for seed in range(40)))
    (folder / "spec.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "lines",
                "task": "text-generation",
                "data": {"path": str(folder / "texts.txt")},
                "source": str(llama),
                "strategy": "auto",
                "seeds": 2,
                "budget": {"epochs": 3},
                "options": {"batch_size": 8, "learning_rate": 0.01},
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "tlcore", "run", str(folder / "spec.yaml"), "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "TLCORE_HOME": str(folder / "home")},
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads(done.stdout)


def test_the_command_line_tells_the_whole_story(finished):
    _, report = finished
    assert report["strategy"] == "fine-tuning"
    assert report["metric"] == "perplexity"
    assert report["verdict"] in ("transfer-helps", "no-clear-difference", "negative-transfer")
    before = next(one for one in report["naive"] if one["id"] == "source-as-it-is")
    assert report["transfer"]["value"] < before["value"], "training brought the perplexity down"
    best = min([report["baseline"]["value"], *(one["value"] for one in report["naive"])])
    assert report["difference"]["value"] == pytest.approx(best - report["transfer"]["value"])
    assert report["reference"]["id"] in ("n-gram", "source-as-it-is", "twin")
    assert report["gap"]["transfer"]["gap"] == pytest.approx(
        report["gap"]["transfer"]["validation"] - report["gap"]["transfer"]["train"]
    )
    for sample in report["samples"]:
        assert sample["truth"]
        assert {one["how"]["text"] for one in sample["written"]} == {
            "the likeliest words",
            "drawn: temperature 0.8, top-p 0.95, seed 0",
        }
        assert any(one["before"] != one["after"] for one in sample["written"])
    assert any(one["prediction"] for one in report["worst"])
    rows = list(csv.DictReader((Path(report["bundle"]).parent / "predictions.csv").open()))
    assert len(rows) == report["n_test"]
    assert all(0 < float(row["score"]) <= 1 for row in rows)


def test_no_page_of_the_report_speaks_of_points_or_per_cent_of_a_perplexity(finished):
    _, report = finished
    for name, says in (("report.html", "perplexity"), ("report.pt_BR.html", "perplexidade")):
        page = (Path(report["bundle"]).parent / name).read_text()
        row = page[page.index(f"<tr><td>{says}</td>") :].split("</tr>")[0]
        assert "%" not in row
        assert "point" not in row
        assert "ponto" not in row
        assert report["samples"][0]["id"] in page
    result = {name: json.dumps(sentence) for name, sentence in report["sentences"].items()}
    assert "points" not in "".join(result.values())


def test_the_bundle_writes_without_the_studio_and_in_plain_transformers(finished, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tlcore.bundle import Bundle

    _, report = finished
    with zipfile.ZipFile(report["bundle"]) as archive:
        archive.extractall(tmp_path)
    expected = json.loads((tmp_path / "example" / "expected.json").read_text())
    prompt = next(csv.DictReader((tmp_path / "example" / "texts.csv").open()))["text"]
    with (tmp_path / "prompts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "prompt"], ["not this one", prompt]])
    done = subprocess.run(
        [sys.executable, "-I", "predict.py", "example/texts.csv", "prompts.csv"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    row, by_name = csv.DictReader(done.stdout.splitlines(keepends=True))
    assert row["prediction"] == by_name["prediction"] == expected["prediction"]
    assert all(c.isprintable() or c in "\n\t" for c in row["prediction"]), "bytes that are no text are no text"
    bundle = Bundle.open(report["bundle"])
    assert [text for _, text, _ in bundle.kind.found_in([tmp_path / "prompts.csv"])] == [prompt]
    assert bundle.predict([prompt])[0].prediction == expected["prediction"]
    assert str(bundle.predict([" "])[0].reason) == "It has no text."
    bundle.choose({"temperature": 1.0, "length": 12, "seed": 1})
    drawn = bundle.predict([prompt, prompt])
    bundle.choose({"seed": 2})
    assert drawn[0].prediction == drawn[1].prediction != bundle.predict([prompt])[0].prediction
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path).eval(), AutoTokenizer.from_pretrained(tmp_path)
    ids = tokenizer(causal_models.END + prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        out = model.generate(ids[:, -64:], max_new_tokens=8, do_sample=False, pad_token_id=256)
    whole = tokenizer.decode(out[0, ids[:, -64:].shape[1] :])
    assert ids.shape[1] > 64 or expected["prediction"].startswith(whole)
    card = (tmp_path / "README.md").read_text()
    assert "pipeline_tag: text-generation" in card
    assert "not what is true" in card
    assert "confidence" not in card
    assert "- onnx" not in card


def test_the_bundle_is_a_source_again(finished, tmp_path):
    from tlcore.models import local_folders

    _, report = finished
    local_folders.extract(__import__("pathlib").Path(report["bundle"]), tmp_path)
    assert local_folders.from_folder(tmp_path, "x", "x").modality == "causal"
    assert opened(tmp_path).build(None, True)


@pytest.mark.assets
def test_the_bundled_writer_learns_a_play(assets, store, tmp_path):
    """A few steps on Shakespeare bring the perplexity of the bundled model down on test blocks never seen."""
    import torch

    from tlcore.models import open_source

    text = (assets / "data" / "tiny_shakespeare" / "train.txt").read_text()[:60_000]
    (tmp_path / "play.txt").write_text(text)
    dataset = data.read(Data(path=str(tmp_path / "play.txt")), task=TASK, store=store, owner="local")
    source = open_source("bundled/studio-writer", store)
    _, examples = examples_of(dataset, source)
    model = source.build(None, True)

    def perplexity():
        out = inference.outputs(TASK, model, examples["test"], 16, "cpu")
        return inference.metrics(TASK, out, examples["test"], {})["perplexity"]

    before = perplexity()
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    places = np.random.default_rng(0).permutation(len(examples["train"]))
    for batch in examples["train"].batches([places[i : i + 4] for i in range(0, len(places) - 4, 4)], None, "cpu"):
        TASK.loss(model, batch)[0].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert perplexity() < 0.9 * before


def test_lora_is_advised_for_large_models(store, tmp_path):
    from tlcore.guidance import about, advise, kept_advice, measure
    from tlcore.models import find

    dataset = made(tmp_path, store, [{"prompt": line[:9], "completion": line[9:]} for line in lines(30)])
    found = measure(dataset)
    assert advise(found).strategy == "fine-tuning"
    large = advise(about(found, TASK, find("HuggingFaceTB/SmolLM2-360M", store)))
    assert large.strategy == "lora"
    assert "362 million" in str(large.reasons[1])
    assert kept_advice(store, dataset, "HuggingFaceTB/SmolLM2-360M").strategy == "lora"
    assert kept_advice(store, dataset, "bundled/studio-writer").strategy == "fine-tuning"
    assert kept_advice(store, dataset, "bundled/none").strategy == "fine-tuning"
