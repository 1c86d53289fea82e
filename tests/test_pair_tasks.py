"""Networks that write texts, on tiny random ones: opening, parts, every strategy, exact resume."""

from __future__ import annotations

import json
import os

import numpy as np
import pair_models
import pytest
import text_models
from sources_models import source as nameless

from tlcore import data, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Data, Options
from tlcore.models import pair_tokenization
from tlcore.models.adapters import transformers_seq2seq
from tlcore.models.loading import open_folder
from tlcore.plan import make_plan
from tlcore.spec import Spec
from tlcore.strategies import serving
from tlcore.strategies.contract import PlanContext
from tlcore.tasks.shared import inference
from tlcore.training.context import TrainingContext

TASK = tasks.find("translation")
TARGETS = [target for _, target in pair_models.pairs(60)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One source of each kind: `pair_models.KINDS`, and an encoder."""
    base = tmp_path_factory.mktemp("models")
    made = {kind: pair_models.write_model(base / kind, kind) for kind in pair_models.KINDS}
    return {**made, "bert": text_models.write_model(base / "bert")}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return text_models.write_table(tmp_path_factory.mktemp("pairs") / "t.csv", pair_models.pairs(60), "source,target")


@pytest.fixture
def pairs(table, store):
    return data.read(Data(path=str(table)), task=TASK, store=store, owner="local")


def opened(folder):
    return open_folder(folder, nameless("tests/pairs"))


def written_by(model):
    import torch

    ids, mask = torch.tensor([[2, 7, 9, 3], [2, 8, 3, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    labels = torch.tensor([[5, 6, 7], [8, 9, -100]])
    with torch.inference_mode():
        return model(ids, mask, labels), model.write(ids, mask, 6), model(ids[1:, :3], mask[1:, :3], labels[1:, :2])


@pytest.mark.parametrize("kind", [*pair_models.KINDS, *text_models.KINDS])
def test_every_architecture_is_opened_grouped_saved_and_loaded_back(tmp_path, kind):
    import torch
    from transformers import AutoModelForSeq2SeqLM

    if kind in pair_models.KINDS:
        source = opened(pair_models.write_model(tmp_path / "model", kind))
        model = source.build(None, True).eval()
    else:
        source = opened(text_models.write_model(tmp_path / "model", kind))
        model = transformers_seq2seq.on_encoder(source, pair_tokenization.vocabulary(TARGETS), True, 16, 1).eval()
    assert source.modality == ("seq2seq" if kind in pair_models.KINDS else "text")
    parts = model.parts()
    held = [name for name, _ in (*model.named_parameters(), *model.named_buffers())]
    assert sorted(n for part in parts for n in (*part.parameters, *part.buffers)) == sorted(held)
    assert parts[-1].name == "head"
    assert any("decoder" in name for name in parts[-1].parameters)
    assert not any("decoder" in name for part in parts[:-1] for name in part.parameters)
    model.set_training({"head"})
    learns = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert learns == set(parts[-1].parameters)
    model.eval()
    logits, ids, alone = written_by(model)
    assert torch.allclose(logits[1:, :2], alone, atol=1e-5), "padding plays no part"
    assert torch.equal(written_by(model)[1], ids), "writing draws nothing"
    model.save(tmp_path / "saved", [], {"max_length": 16, "languages": ["eng_Latn", "por_Latn"]})
    again = opened(tmp_path / "saved")
    assert again.modality == "seq2seq"
    assert again.preprocess["input_size"] == 16
    back = written_by(again.build(None, True).eval())
    assert torch.allclose(back[0], logits, atol=1e-6)
    assert torch.equal(back[1], ids)
    plain = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "saved").eval()
    out = plain.generate(input_ids=torch.tensor([[2, 7, 9, 3]]), attention_mask=torch.ones(1, 4), max_new_tokens=6)
    ours = [one for one in ids[0].tolist() if one >= 0]
    assert out[0, 1 : 1 + len(ours)].tolist() == ours, "transformers alone writes the same"
    fresh, same = (dict(source_model(source, seed=1).named_parameters()) for _ in range(2))
    assert all(torch.equal(fresh[name], value) for name, value in same.items())


def source_model(source, seed):
    return TASK.model(source, {"vocabulary": pair_tokenization.vocabulary(TARGETS)}, False, size=16, seed=seed)


def test_a_step_is_the_same_with_and_without_the_cache(folders):
    """Greedy writing by hand, one whole forward pass a token, against what the cache gives."""
    import torch

    model = opened(folders["bart"]).build(None, True).eval()
    ids, mask = torch.tensor([[2, 7, 9, 3]]), torch.ones(1, 4, dtype=torch.long)
    labels: list[int] = []
    with torch.inference_mode():
        for _ in range(6):
            logits = model(ids, mask, torch.tensor([[*labels, 0]]))[0, -1]
            logits = logits if labels else logits.masked_fill(torch.arange(len(logits)) != 2, -np.inf)
            labels.append(int(logits.argmax()))
            if labels[-1] == model.end:
                break
    assert [one for one in model.write(ids, mask, 6)[0].tolist() if one >= 0] == [
        one for one in labels if one != model.end
    ]


def test_a_vocabulary_writes_everything_and_is_the_same_each_time():
    from tokenizers import Tokenizer

    result = pair_tokenization.vocabulary(TARGETS)
    assert result == pair_tokenization.vocabulary(TARGETS)
    made = Tokenizer.from_str(result)
    for text in ("o prato foi bom", "Ação! 日本 €", "x"):
        ids = made.encode(text).ids
        assert ids[-1] == 2
        assert made.decode(ids).strip() == text


def test_marians_two_sides_are_those_of_sentencepiece(tmp_path):
    """Against transformers' own slow tokenizer."""
    import sentencepiece
    from tokenizers import Tokenizer
    from transformers import MarianTokenizer

    pieces: dict[str, None] = {}
    for side, texts in zip(("source", "target"), zip(*pair_models.pairs(300), strict=True), strict=True):
        (tmp_path / "texts").write_text("\n".join(f"{text}." for text in texts))
        sentencepiece.SentencePieceTrainer.train(
            input=str(tmp_path / "texts"),
            model_prefix=str(tmp_path / side),
            vocab_size=60,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        os.replace(tmp_path / f"{side}.model", tmp_path / f"{side}.spm")
        kept = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / f"{side}.spm"))
        pieces |= {kept.id_to_piece(i): None for i in range(3, kept.get_piece_size())}
    names = ["</s>", "<unk>", *pieces, "<pad>"]
    (tmp_path / "vocab.json").write_text(json.dumps({name: place for place, name in enumerate(names)}))
    (tmp_path / "tokenizer_config.json").write_text("{}")
    slow = MarianTokenizer.from_pretrained(tmp_path)
    source, target = map(Tokenizer.from_str, pair_tokenization.read(tmp_path, {"model_type": "marian"}, (None, None)))
    for ours, theirs in [*pair_models.pairs(40, 1), ("The  food!", "½ ação")]:
        assert source.encode(ours).ids == slow(ours).input_ids
        assert target.encode(theirs).ids == slow(text_target=theirs).input_ids
        read = slow.decode(slow(text_target=theirs).input_ids, skip_special_tokens=True)
        assert target.decode(target.encode(theirs).ids).strip() == read
    (tmp_path / "target.spm").unlink()
    with pytest.raises(UnusableInput, match=r"target\.spm"):
        pair_tokenization.read(tmp_path, {"model_type": "marian"}, (None, None))


def test_byt5_needs_no_file_of_a_tokenizer(tmp_path):
    from tokenizers import Tokenizer
    from transformers import ByT5Tokenizer

    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')
    made = Tokenizer.from_str(
        pair_tokenization.read(tmp_path, {"model_type": "t5", "vocab_size": 384}, (None, None))[0]
    )
    for text in ("Olá, ação! ½", "  two  blanks"):
        assert made.encode(text).ids == ByT5Tokenizer()(text).input_ids
        assert made.decode(made.encode(text).ids) == text


def test_models_of_many_languages_and_of_many_duties_are_told_which(folders, pairs):
    import torch

    source = opened(folders["m2m_100"])
    with pytest.raises(UnusableInput, match="source_language and target_language"):
        TASK.processor(source.preprocess, Options(), pairs, "cpu")
    options = Options(source_language="eng_Latn", target_language="por_Latn")
    processor = TASK.processor(source.preprocess, options, pairs, "cpu")
    target = TASK.fit_target(pairs)
    test = TASK.examples(pairs, processor, target, None, source)["test"]
    (batch,) = test.batches([np.array([0, 1])], None, "cpu")
    names = json.loads((folders["m2m_100"] / "tokenizer.json").read_text())["model"]["vocab"]
    assert batch["ids"][:, 0].tolist() == [names["eng_Latn"]] * 2
    assert batch["labels"][:, 0].tolist() == [names["por_Latn"]] * 2
    model = TASK.model(source, target, True, size=processor["size"]).eval()
    with torch.inference_mode():
        out = TASK.outputs(model, batch, TASK.loss(model, batch)[1])
    assert out["ids"][:, 0].tolist() == [names["por_Latn"]] * 2
    result = {
        "model_type": "t5",
        "task_specific_params": {
            "summarization": {"prefix": "summarize: "},
            "translation_en_to_pt": {"prefix": "to pt: "},
        },
    }
    assert pair_tokenization.prefix(result, "summarization", (None, None)) == "summarize: "
    assert pair_tokenization.prefix(result, "translation", ("en", "pt")) == "to pt: "
    assert pair_tokenization.prefix(result, "translation", (None, None)) == ""
    assert pair_tokenization.prefix({"model_type": "marian"}, "translation", (None, "por")) == ">>por<< "


def test_a_folder_that_cannot_be_used_is_refused(tmp_path, folders):
    folder = pair_models.write_model(tmp_path / "a", "t5")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UnusableInput, match=r"no tokenizer\.json"):
        opened(folder).build(None, True)
    text_models.write_tokenizer(folder)
    result = json.loads((folder / "config.json").read_text())
    for change, expected in (
        ({"d_ff": 10**9}, "no text network can have"),
        ({"num_layers": 5}, "missing keys"),
        ({"auto_map": {"AutoModel": "x.Y"}}, "program code"),
    ):
        (folder / "config.json").write_text(json.dumps({**result, **change}))
        with pytest.raises(UnusableInput, match=expected):
            opened(folder).build(None, True)
    with pytest.raises(UnusableInput, match="network only 20"):
        opened(pair_models.write_model(tmp_path / "b", "bart", vocab_size=20)).build(None, True)
    (folder / "config.json").write_text(
        json.dumps(
            {"model_type": "encoder-decoder", "encoder": {"model_type": "vit"}, "decoder": {"model_type": "bert"}}
        )
    )
    with pytest.raises(UnusableInput, match="not known here"):
        opened(folder)


def fitting(source, pairs, store, tmp_path, strategy, epochs=1):
    from tlcore.training.job_progress import Tally

    processor = TASK.processor(source.preprocess, Options(), pairs, "cpu")
    context = PlanContext(pairs.info.n["train"], TASK.side(processor), 5_000, "cpu", epochs, 16, 1e-3, TASK.rate, False)
    spec = Spec(task=TASK.id, data=Data(dataset=pairs.fingerprint), seeds=1, baseline="none")
    plan = make_plan(spec, strategy, context, processor, TASK.metrics[0])
    result = TrainingContext(
        TASK, pairs, source, TASK.fit_target(pairs), plan, tmp_path, store.home / "cache", Tally(lambda *a, **k: None)
    )
    result.folder.mkdir(exist_ok=True)
    return result


@pytest.mark.parametrize("kind", ["bert", "t5"])
@pytest.mark.parametrize("strategy", [one.id for one in serving(TASK)])
def test_every_strategy_trains(strategy, kind, folders, pairs, tmp_path, store):
    """A few steps of each; afterwards the packed weights give the outputs that were scored."""
    from tlcore.training import fit

    source = opened(folders[kind])
    found = fitting(source, pairs, store, tmp_path / "run", strategy)
    result = fit.again(found, "transfer", 0, 1e-3)
    model = open_folder(result.weights, source.source).build(None, True)
    again, before = inference.outputs(TASK, model, found.examples["test"], 3, "cpu"), result.outputs("test")
    assert np.allclose(again["loss"], before["loss"], rtol=1e-3)
    assert (again["ids"] == before["ids"]).mean() > 0.99
    assert 0 <= result.validation["chrf"] <= 1
    if strategy == "feature-extraction":
        kept = TASK.model(source, found.target, True, size=found.processor["size"])
        frozen = [n for part in kept.parts()[:-1] for n in part.parameters]
        assert frozen
        ours = dict(model.named_parameters())
        assert all(np.array_equal(ours[n].detach(), p.detach()) for n, p in kept.named_parameters() if n in frozen)


def test_a_training_that_was_killed_goes_on_to_the_same_weights(folders, pairs, tmp_path, store, monkeypatch):
    from safetensors.torch import load_file

    from tlcore.training import fit

    source = opened(folders["bert"])
    whole = fit.again(fitting(source, pairs, store, tmp_path / "whole", "fine-tuning", 3), "transfer", 0, 1e-3)
    real, calls = inference.score, []

    def dies(*args):
        calls.append(1)
        if len(calls) == 3:  # after the second epoch's training, before it is written down
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(inference, "score", dies)
    result = fitting(source, pairs, store, tmp_path / "killed", "fine-tuning", 3)
    with pytest.raises(KeyboardInterrupt):
        fit.again(result, "transfer", 0, 1e-3)
    monkeypatch.setattr(inference, "score", real)
    resumed = fit.again(result, "transfer", 0, 1e-3)
    ours, theirs = (load_file(one.weights / "model.safetensors") for one in (whole, resumed))
    assert all((ours[name] == theirs[name]).all() for name in ours)
    assert (whole.outputs("test") == resumed.outputs("test")).all()


def test_a_source_of_another_kind_is_refused(pairs, tiny_source):
    with pytest.raises(UnusableInput, match="reads pictures"):
        TASK.processor(opened(tiny_source).preprocess, Options(), pairs, "cpu")


def test_summaries_are_judged_by_rouge_against_first_sentences(folders, tmp_path, store):
    task = tasks.find("summarization")
    rows = [(f"{a}. {b} and more of it.", a) for a, b in pair_models.pairs(40)]
    path = text_models.write_table(tmp_path / "t.csv", rows, "document,summary")
    made = data.read(Data(path=str(path)), task=task, store=store, owner="local")
    source = opened(folders["t5"])
    processor, target = task.processor(source.preprocess, Options(), made, "cpu"), task.fit_target(made)
    examples = task.examples(made, processor, target, None, source)
    ones = np.ones((1, made.info.n["test"]))
    found = {
        one.id: task.aggregate(one.records, ones, target) for one in task.baselines(made, examples, target, source)
    }
    assert set(found) == {"lead-1", "lead-3", "nearest", "source"}
    assert float(found["lead-1"]["rouge-l"][0]) == pytest.approx(1.0)
    assert float(found["lead-3"]["rouge-l"][0]) < 0.9
    assert "greedy" in str(task.notes(processor)[0])
