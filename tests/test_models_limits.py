"""Uploaded models that would take all memory or never end: refused at the upload, with a sentence that names them."""

from __future__ import annotations

import json
import shutil
import struct
import time
from pathlib import Path

import pytest
from text_models import write_model

from tlcore.core import limits
from tlcore.core.errors import UnusableInput
from tlcore.models import open_source, tokenization, uploads, weight_files
from tlcore.models.adapters.build import does_not_fit


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    return write_model(tmp_path_factory.mktemp("encoder") / "bert")


def replace(pattern: dict[str, str], content: str) -> dict[str, object]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def sequence(*steps: dict[str, object]) -> dict[str, object]:
    return {"type": "Sequence", "normalizers": list(steps)}


FOUR_TIMES = sequence(*[replace({"String": "a"}, "a" * 100)] * 4)
BACKTRACKS = replace({"Regex": "(a|aa)+$"}, "b")
SLOW = replace({"Regex": "(?:a*a*|a*a*|a*a*)[^a!]"}, "b")
REPEATS = {
    "type": "TemplateProcessing",
    "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 300_000,
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
    "special_tokens": {},
}


def changed(folder: Path, into: Path, **parts: object) -> Path:
    """A copy of a model with other parts of its tokenizer."""
    into.mkdir()
    for path in folder.iterdir():
        (into / path.name).write_bytes(path.read_bytes())
    result = json.loads((into / "tokenizer.json").read_text())
    (into / "tokenizer.json").write_text(json.dumps({**result, **parts}))
    return into


def refused(folder: Path, store, name: str = "Letters of João") -> UnusableInput:
    with pytest.raises(UnusableInput) as caught:
        uploads.add_upload(folder, store, name, "ana")
    assert list((store.home / "sources").iterdir()) == []
    assert ".upload-" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"normalizer": FOUR_TIMES}, "Letters of João makes a text more than 100 times longer"),
        ({"normalizer": BACKTRACKS}, "Letters of João fails on some texts (its regular expression needs too many"),
        ({"normalizer": replace({"Regex": "(a"}, "b")}, "is not valid (Oniguruma"),
        ({"post_processor": REPEATS}, "Letters of João needed more than 2 GB of memory"),
    ],
    ids=["four times", "backtracks", "invalid", "repeats"],
)
def test_a_hostile_tokenizer_is_refused_at_the_upload(store, encoder, tmp_path, parts, words):
    found = refused(changed(encoder, tmp_path / "model", **parts), store)
    assert found.code == "source-tokenizer"
    assert words in str(found)


def test_a_tokenizer_that_does_not_end_is_ended(store, encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("TLCORE_TRIAL_SECONDS", "5")
    found = refused(changed(encoder, tmp_path / "model", normalizer=SLOW), store)
    assert found.code == "source-tokenizer"
    assert "Letters of João was not done with short texts within 5 seconds" in str(found)


def test_a_network_that_needs_too_much_memory_is_refused(store, encoder, monkeypatch):
    monkeypatch.setattr(limits, "TRIAL_BYTES", limits.GB // 5)  # less than importing torch takes
    monkeypatch.setattr(limits, "COPIES", 0)
    found = refused(encoder, store)
    assert "more than 0.2 GB of memory" in str(found), str(found)
    assert "Letters of João" in str(found)


def test_usual_tokenizers_are_taken(store, encoder, tmp_path):
    emoji = sequence(
        replace({"String": "😀"}, " grinning face "),
        replace({"String": "🙂"}, " slightly smiling face "),
        replace({"Regex": " {2,}"}, " "),
        {"type": "Lowercase"},
    )
    made = uploads.add_upload(changed(encoder, tmp_path / "model", normalizer=emoji), store, "mine", "ana")
    assert made.modality == "text"


def test_growth_multiplies_only_where_one_step_finds_what_another_put_in():
    def growth(*steps: dict[str, object]) -> float:
        return tokenization.growth(json.dumps({"normalizer": sequence(*steps)}))

    ten = [replace({"String": letter}, after * 10) for letter, after in ("ab", "bc", "cd")]
    assert growth(ten[0]) == 10
    assert growth(*ten) == 1000
    assert growth(*reversed(ten)) == 10
    assert growth(*[{"type": "ByteLevel"}] * 10) > tokenization.MOST_GROWTH
    assert growth(*[replace({"String": str(n)}, "x") for n in range(2000)]) == float("inf")
    assert growth() == 1
    with pytest.raises(UnusableInput, match="100 times longer"):
        tokenization.open_tokenizer(json.dumps({"normalizer": FOUR_TIMES}), 8)
    with pytest.raises(UnusableInput, match="cannot be read"):
        tokenization.open_tokenizer(json.dumps({"normalizer": {"type": "Replace"}}), 8)


def safetensors(path: Path, entries: dict[str, object], data: bytes) -> None:
    header = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def test_a_header_of_400_000_tensors_is_refused_at_once(store, encoder, tmp_path):
    folder = changed(encoder, tmp_path / "model")
    one = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    began = time.monotonic()
    safetensors(folder / weight_files.WEIGHTS, {f"t{n}": one for n in range(100_000)}, b"")
    assert "lists 100000 tensors" in str(refused(folder, store)).replace(",", "")
    safetensors(folder / weight_files.WEIGHTS, {f"t{n}": one for n in range(400_000)}, b"")
    assert "has at most 10 MB" in str(refused(folder, store))
    assert time.monotonic() - began < 20  # seconds; it held the trial for 180


@pytest.mark.parametrize("places", [[(0, 8), (0, 8)], [(0, 8), (12, 20)], [(4, 12), (12, 20)]])
def test_tensors_that_overlap_or_leave_holes(encoder, tmp_path, places):
    folder = changed(encoder, tmp_path / "model")
    entries = {f"t{at}": {"dtype": "F32", "shape": [2], "data_offsets": place} for at, place in enumerate(places)}
    safetensors(folder / weight_files.WEIGHTS, entries, b"\0" * 20)
    with pytest.raises(UnusableInput, match=r"header of model.safetensors cannot be read"):
        weight_files.read_weights(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(store, tiny_source, tmp_path, value):
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny_source, tmp_path / "letters"))
    weights = load_file(folder / weight_files.WEIGHTS)
    next(one for one in weights.values() if one.dim() == 4)[0, 0, 0, 0] = value
    save_file(weights, folder / weight_files.WEIGHTS, metadata={"format": "pt"})
    opened = open_source(str(folder), store)
    with pytest.raises(UnusableInput, match="weights of letters are damaged"):
        opened.build(3, pretrained=True)
    assert opened.build(3, pretrained=False)


def test_what_keeps_a_network_from_being_built_is_said():
    from safetensors import SafetensorError

    assert "is damaged" in str(does_not_fit("bert", SafetensorError("Error while deserializing header: InvalidOffset")))
    assert "not enough memory" in str(does_not_fit("bert", MemoryError()))
    found = str(does_not_fit("bert", OSError("no file named x in directory /srv/sources/.upload-k3/My_model.")))
    assert "/srv" not in found
    assert ".upload" not in found
    assert "My_model" in found


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("name", ["Letters of João", ""])
def test_a_missing_file_is_said_of_the_name_that_the_person_knows(store, encoder, tmp_path, missing, name):
    folder = changed(encoder, tmp_path / "letters")
    (folder / missing).unlink()
    assert f"There is no {missing} in {name or 'letters'}." in str(refused(folder, store, name))


def test_a_zip_that_lacks_its_tokenizer_is_named_as_the_person_named_it(store, encoder, tmp_path):
    (folder := changed(encoder, tmp_path / "model")).joinpath("tokenizer.json").unlink()
    zipped = shutil.make_archive(str(tmp_path / "letters"), "zip", folder)
    opened = open_source(zipped, store)
    with pytest.raises(UnusableInput, match=r"There is no tokenizer.json in letters\."):
        opened.build(2, pretrained=True)
