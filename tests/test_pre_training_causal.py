"""Pre-training of networks that write: texts without prompts first, then prompts and completions."""

from __future__ import annotations

import json

import causal_models
import pytest
import torch
from pre_training_runs import prepared
from text_models import sentences

from tlcore import data, models, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Data
from tlcore.data import auxiliary
from tlcore.training import fit, loop, shared_phases

TASK = tasks.find("text-generation")


@pytest.fixture
def case(tmp_path, store):
    """Prompts with completions, texts of one line each, and a network that writes."""
    rows = [json.dumps({"prompt": f"is it {label}? {text}", "completion": label}) for text, label in sentences(40)]
    (tmp_path / "p.jsonl").write_text("\n".join(rows))
    (tmp_path / "u.txt").write_text("\n".join(text for text, _ in sentences(60, seed=7)))
    labelled = data.read(Data(path=str(tmp_path / "p.jsonl")), task=TASK, store=store, owner="local")
    bare = auxiliary.read_set("unlabelled", str(tmp_path / "u.txt"), task=TASK, store=store, owner="local")
    return TASK, labelled, bare, causal_models.write_model(tmp_path / "writer")


def test_a_network_that_writes_goes_on_with_the_texts_and_is_kept_whole(case, store, monkeypatch):
    found = prepared(*case, store)
    seen, original = [], loop.train

    def train(training):
        done = original(training)
        seen.append((training.phase, {name: value.clone() for name, value in training.model.state_dict().items()}))
        return done

    monkeypatch.setattr(loop, "train", train)
    result = fit.fit(found)["transfer"][0]
    assert [phase.get("once", False) for phase, _ in seen] == [True, False]
    assert seen[0][0]["hooks"] == [{"id": "causal"}]
    assert result.shared["losses"][-1] < result.shared["losses"][0]
    assert result.shared["source"]
    opened = models.open_source(str(found.folder / "arms" / "transfer" / shared_phases.SOURCE), store)
    network = TASK.model(opened, found.target, True)
    assert all(torch.equal(value, seen[0][1][name]) for name, value in network.state_dict().items())


def test_its_loss_is_that_of_transformers_on_the_same_texts(case, store):
    from tlcore.training.hooks import At
    from tlcore.training.hooks.causal_language_modelling import Causal

    result = prepared(*case, store)
    hook, model = Causal(), result.model(True, 0).eval()
    hook.task = TASK
    (batch,) = Causal.stream(result, case[2]).batches([range(4)], (0, 0), "cpu")
    with torch.no_grad():
        found = hook.loss(model, batch, None, torch.zeros(()), At(0, 0))
        theirs = model.net(input_ids=batch["ids"], attention_mask=batch["mask"], labels=batch["labels"]).loss
    assert float(found) == pytest.approx(float(theirs), rel=1e-5)
    assert (batch["labels"] != -100).sum() >= (batch["mask"].sum() - len(batch["ids"]))


def test_there_is_no_head_to_train_alone(case, store):
    with pytest.raises(UnusableInput, match="no head to train alone"):
        prepared(*case, store, then="linear-probe-then-fine-tune")
