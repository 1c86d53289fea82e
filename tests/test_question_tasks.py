"""Question answering on tiny random encoders: windows, answers, training by every strategy, bundles, a whole run."""

from __future__ import annotations

import json

import numpy as np
import pytest
import text_models
from sources_models import source as nameless

from tlcore import data, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Data, Options
from tlcore.models.adapters import transformers_spans
from tlcore.models.loading import open_folder
from tlcore.plan import make_plan
from tlcore.runtime.answer_spans import best_answer, said, windows
from tlcore.spec import Spec
from tlcore.strategies import serving
from tlcore.strategies.contract import PlanContext
from tlcore.tasks.question_answering import task
from tlcore.tasks.question_answering.examples import located
from tlcore.tasks.shared import inference
from tlcore.training.context import TrainingContext

TASK = tasks.find("question-answering")


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return text_models.write_model(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return text_models.write_questions(tmp_path_factory.mktemp("table") / "q.csv", text_models.questions(40))


@pytest.fixture
def questions(table, store):
    return data.read(Data(path=str(table)), task=TASK, store=store, owner="local")


def opened(folder):
    return open_folder(folder, nameless("tests/text"))


def examples(dataset, folder, **options):
    source = opened(folder)
    processor = TASK.processor(source.preprocess, Options(**options), dataset, "cpu")
    target = TASK.fit_target(dataset)
    return processor, target, TASK.examples(dataset, processor, target, None, source)


def batch_of(ids, mask, kinds):
    import torch

    return [torch.tensor(one) for one in (ids, mask, kinds)]


@pytest.mark.parametrize("kind", text_models.KINDS)
def test_every_architecture_is_opened_saved_and_loaded_by_transformers(tmp_path, kind):
    import torch
    from transformers import AutoModelForQuestionAnswering

    source = opened(text_models.write_model(tmp_path / "model", kind))
    assert not transformers_spans.has_head(source)
    model = transformers_spans.build(source, True, 32, 1).eval()
    names = [name for part in model.parts() for name in (*part.parameters, *part.buffers)]
    held = [name for name, _ in (*model.named_parameters(), *model.named_buffers())]
    assert sorted(names) == sorted(held), "each parameter and buffer is in exactly one part"
    assert model.parts()[-1].name == "head"
    given = batch_of([[2, 7, 3, 9, 8, 3], [2, 8, 3, 6, 3, 0]], [[1] * 6, [1] * 5 + [0]], [[0] * 3 + [1] * 3] * 2)
    alone = [one[1:, :5] for one in given]
    with torch.inference_mode():
        out = model(*given)
        assert out.shape == (2, 6, 2)
        assert torch.allclose(out[1:, :5], model(*alone), atol=1e-5), "padding plays no part"
    model.no_answer = 1.25
    model.save(tmp_path / "saved", [], {"max_length": 32})
    again = opened(tmp_path / "saved")
    assert transformers_spans.has_head(again)
    back = transformers_spans.build(again, True, 32, 2).eval()
    assert back.no_answer == 1.25
    theirs = AutoModelForQuestionAnswering.from_pretrained(tmp_path / "saved").eval()
    types = {"token_type_ids": given[2]} if model.takes_kinds else {}
    with torch.inference_mode():
        assert torch.allclose(back(*given), out, atol=1e-6)
        its = theirs(input_ids=given[0], attention_mask=given[1], **types)
    assert torch.allclose(its.start_logits, out[..., 0], atol=1e-5)
    assert torch.allclose(its.end_logits, out[..., 1], atol=1e-5)
    fresh, same = (dict(transformers_spans.build(source, False, 32, 3).named_parameters()) for _ in range(2))
    assert all(torch.equal(fresh[name], value) for name, value in same.items())


def test_a_packed_model_is_a_source_for_other_tasks(tmp_path, bert):
    import torch

    model = transformers_spans.build(opened(bert), True, 32, 0)
    model.save(tmp_path / "saved", [], {"max_length": 32})
    encoder = opened(tmp_path / "saved").build(3, True, seed=0).eval()
    first = next(model.net.parameters())
    assert torch.equal(first, next(encoder.net.encoder.parameters()))
    assert tuple(encoder.head.weight.shape) == (3, 16)


def test_damaged_weights_are_refused(tmp_path, bert):
    import shutil

    folder = tmp_path / "deeper"
    shutil.copytree(bert, folder)
    result = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**result, "num_hidden_layers": 3}))
    with pytest.raises(UnusableInput, match="missing keys"):
        transformers_spans.build(opened(folder), True, 32, 0)


ODD = [
    "naïve café",
    "ação não é İstanbul",
    "日本語 の 文",
    "a\u0301cute e\u0301",
    "👩\u200d💻 codes 💻",
    "x\u00a0y\tz  w",
    "ﬁne ﬀ",
    "STRASSE ß",
]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [24, 40, 64])
def test_windows_map_back_to_the_exact_characters(seed, size):
    """Whatever the text, every span of tokens that stands for an answer gives the answer's own characters."""
    tokenizer = wordpiece()
    rng = np.random.default_rng(seed)
    words = [str(rng.choice([*ODD, *text_models.WORDS])) for _ in range(60)]
    context, question = " ".join(words), " ".join(words[:9])
    overlap, cut = size // 3, size // 4
    every = windows(tokenizer, [(question, context)], size, overlap, cut)[0]
    assert all(len(ids) <= size for ids, _, _ in every)
    assert all(len(ids) == len(kinds) == len(places) for ids, kinds, places in every)
    covered = np.zeros(len(context), dtype=bool)
    for _, kinds, places in every:
        inside = places[:, 0] >= 0
        assert set(kinds[inside]) == {1}
        assert set(kinds[~inside][:-1]) == {0}
        for a, b in places[inside]:
            covered[a:b] = True
    assert all(covered[i] for i, c in enumerate(context) if c.isalnum()), "no word is lost between windows"
    at = 0
    for word in words:
        start = context.index(word, at)
        at = start + len(word)
        found = [(one[2], *located(one[2], (start, at))) for one in every]
        holding = [one for one in found if one[1]]
        assert holding, word
        for places, first, last in holding:
            scores = np.zeros((len(places), 2))
            scores[first, 0] = scores[last, 1] = 9.0
            start_, end_, none, _, _, _ = best_answer([scores], [places], 30, 0.0)
            assert said(context, start_, end_, none) == (word, (start, at))


def wordpiece():
    """A tokenizer of single characters and a few words, whose normaliser changes the length of a text."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    names = {word: i for i, word in enumerate([*text_models.SPECIAL, *text_models.WORDS, "ca", "##fe"])}
    tokenizer = Tokenizer(models.WordPiece(names, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def test_the_best_answer_by_hand():
    """Against a search of all spans, one by one."""
    rng = np.random.default_rng(1)
    for _ in range(30):
        logits, places = [], []
        for _window in range(int(rng.integers(1, 4))):
            n = int(rng.integers(3, 12))
            logits.append(rng.normal(0, 2, (n + 2, 2)))
            at = np.full((n + 2, 2), -1)
            at[2:] = [[10 * i, 10 * i + 5] for i in range(n)]
            places.append(at)
        longest, lead = int(rng.integers(1, 6)), float(rng.normal())
        every = [
            (scores[i, 0] + scores[j, 1], at[i, 0], at[j, 1])
            for scores, at in zip(logits, places, strict=True)
            for i in range(2, len(scores))
            for j in range(i, min(len(scores), i + longest))
        ]
        best = max(every)
        null = min(one[0].sum() for one in logits)
        start, end, none, sure, score, empty = best_answer(logits, places, longest, lead)
        assert (start, end, score, empty) == (best[1], best[2], pytest.approx(best[0]), pytest.approx(null))
        assert none == (null - lead > best[0])
        whole = sum(np.exp(one[0]) for one in every) + np.exp(null - lead)
        assert sure == pytest.approx((np.exp(null - lead) if none else np.exp(best[0])) / whole)
        always = best_answer(logits, places, longest, None)
        assert always[2] is False
        assert always[3] == pytest.approx(np.exp(best[0]) / sum(np.exp(one[0]) for one in every))
    nothing = best_answer([np.zeros((3, 2))], [np.full((3, 2), -1)], 5, None)
    assert nothing[2] is True
    assert said("words", *nothing[:3])[0] == ""


def test_the_line_for_no_answer_is_the_best_there_is():
    """Against trying every line on random scores."""
    rng = np.random.default_rng(0)

    class Some:
        contexts = ["good bad"] * 40
        truths = [["good"] if i % 3 else [] for i in range(40)]  # noqa: RUF012
        languages = ["en"] * 40
        ids, groups = list(range(40)), np.arange(40)

    out = np.zeros(40, task.OUTPUT)
    out["end"] = 4
    out["start"][::5], out["end"][::5] = 5, 8
    out["best"], out["null"] = rng.normal(0, 3, 40).round(), rng.normal(0, 3, 40).round()

    def mean(line):
        tried = out.copy()
        tried["none"] = out["null"] - out["best"] > line
        return TASK.evaluate(tried, Some, {}).columns["f1"].mean()

    found = task.threshold(out, Some)
    assert mean(found) == pytest.approx(max(mean(line) for line in np.arange(-15, 15, 0.25)))
    Some.truths = [["good"]] * 40
    assert task.threshold(out, Some) == 0.0


def test_training_sees_one_window_a_question_and_evaluation_all(questions, bert):
    _, _, made = examples(questions, bert, max_length=24)
    train = made["train"]
    several = [i for i in range(len(train)) if len(train.held.of(train.rows[i])) > 1]
    assert several
    chunk = np.array([several[0], several[1], 0])
    (whole,) = train.batches([chunk], None, "cpu")
    assert np.bincount(whole["owner"]).tolist() == [len(train.held.of(train.rows[i])) for i in chunk]
    (one,) = train.batches([chunk], (0, 0), "cpu")
    (again,) = train.batches([chunk], (0, 0), "cpu")
    assert len(one["ids"]) == 3
    assert (one["ids"] == again["ids"]).all()
    drawn = {tuple(next(train.batches([chunk], (0, epoch), "cpu"))["answer"][0].tolist()) for epoch in range(30)}
    assert len(drawn) > 1
    for row, place in enumerate(whole["owner"]):
        first, last = whole["answer"][row].tolist()
        if first:
            at = whole["places"][row]
            words = train.contexts[chunk[place]][at[first, 0] : at[last, 1]]
            assert words == train.truths[chunk[place]][0]
    order = inference.longest_first(train, np.arange(len(train)))
    lengths = train.held.lengths(train.rows[order])
    assert (np.diff(lengths) <= 0).all()


def test_how_much_is_read_at_once(questions, bert, tmp_path):
    source = opened(bert)
    auto = TASK.processor(source.preprocess, Options(), questions, "cpu")
    rows = questions.split("train")
    lengths = np.array(
        [len(q.split()) + len(c.split()) + 4 for q, c in zip(rows["question"], rows["text"], strict=True)]
    )
    assert auto["size"] == max(24, -(-int(np.ceil(np.quantile(lengths, 0.95))) // 8) * 8)
    small = TASK.processor(source.preprocess, Options(max_length=24), questions, "cpu")
    assert small["several"] == pytest.approx((lengths > 24).mean(), abs=0.02)
    assert "overlap by 8" in str(TASK.notes(small)[0])
    with pytest.raises(UnusableInput, match="24 to 64 tokens"):
        TASK.processor(source.preprocess, Options(max_length=128), questions, "cpu")
    cache = tmp_path / "cache" / "pictures"
    first = TASK.examples(questions, auto, {}, cache, source)["test"].held.of(0)
    assert len(list((tmp_path / "cache" / "tokens").glob("*-windows-*.npz"))) == 1
    kept = TASK.examples(questions, auto, {}, cache, source)["test"].held.of(0)
    assert (kept[0][2] == first[0][2]).all()
    with pytest.raises(ValueError, match="without a source model"):
        inference.longest_first(TASK.examples(questions, auto, {}, None)["train"], np.arange(3))


@pytest.mark.parametrize("strategy", [one.id for one in serving(TASK) if not (one.needs or one.takes)])
def test_every_strategy_trains(strategy, bert, questions, tmp_path, store):
    """A few steps of each; afterwards the packed weights give the outputs that were scored."""
    from tlcore.training import fit
    from tlcore.training.job_progress import Tally

    source = opened(bert)
    processor = TASK.processor(source.preprocess, Options(), questions, "cpu")
    context = PlanContext(
        questions.info.n["train"], TASK.side(processor), 5_000, "cpu", 3, 16, 1e-3, TASK.rate, TASK.has_convex_head
    )
    spec = Spec(task=TASK.id, data=Data(dataset=questions.fingerprint), seeds=1, baseline="none")
    plan = make_plan(spec, strategy, context, processor, TASK.metrics[0])
    found = TrainingContext(
        TASK,
        questions,
        source,
        TASK.fit_target(questions),
        plan,
        tmp_path / "run",
        tmp_path / "cache",
        Tally(lambda *a, **k: None),
    )
    found.folder.mkdir()
    result = fit.again(found, "transfer", 0, 3e-3)
    model = TASK.load(result.weights, source.source)
    kept = result.outputs("test")
    again = inference.outputs(TASK, model, found.examples["test"], 3, "cpu")
    assert (again["start"] == kept["start"]).all()
    assert (again["none"] == kept["none"]).all()
    assert np.abs(again["best"] - kept["best"]).max() < 1e-3
    assert 0 <= result.validation["f1"] <= 1
    frozen = strategy == "feature-extraction"
    before, after = (
        dict(m.net.bert.named_parameters()) for m in (transformers_spans.build(source, True, 32, 0), model)
    )
    moved = any(not np.array_equal(before[n].detach(), value.detach()) for n, value in after.items())
    assert moved != frozen


def test_it_learns_what_can_be_learned(tmp_path, store):
    """A training of some seconds beats every naive answer on questions that a word tells."""
    from tlcore.training import fit
    from tlcore.training.job_progress import Tally

    folder = text_models.write_model(tmp_path / "bert")
    rows = [one for one in text_models.questions(300) if one["question"] == "was it bad"]
    made = data.read(
        Data(path=str(text_models.write_questions(tmp_path / "q.json", rows))), task=TASK, store=store, owner="local"
    )
    source = opened(folder)
    processor = TASK.processor(source.preprocess, Options(), made, "cpu")
    context = PlanContext(made.info.n["train"], 60, 5_000, "cpu", 15, 16, 1e-2, 1.0, TASK.has_convex_head)
    spec = Spec(task=TASK.id, data=Data(dataset=made.fingerprint), seeds=1, baseline="none")
    plan = make_plan(spec, "scratch", context, processor, TASK.metrics[0])
    found = TrainingContext(
        TASK,
        made,
        source,
        TASK.fit_target(made),
        plan,
        tmp_path / "run",
        tmp_path / "cache",
        Tally(lambda *a, **k: None),
    )
    found.folder.mkdir()
    result = fit.again(found, "transfer", 0, 1e-2)
    test = found.examples["test"]
    records = TASK.evaluate(result.outputs("test"), test, found.target)
    score = float(records.columns["f1"].mean())
    naive = {one.id: one for one in TASK.baselines(made, found.examples, found.target, source)}
    assert score > 0.8
    assert score > max(float(one.records.columns["f1"].mean()) for one in naive.values() if one.records)
    assert naive["as-is"].records is None
    assert "no head of its own" in str(naive["as-is"].reason)
    own = {one.id: one for one in TASK.baselines(made, found.examples, found.target, opened(result.weights))}
    assert float(own["as-is"].records.columns["f1"].mean()) == pytest.approx(score, abs=0.05)
    shown = TASK.answers(records, made)
    assert [one["score"] for one in shown] == records.columns["f1"].tolist()
    assert shown[0]["text"].startswith(test.questions[0])
