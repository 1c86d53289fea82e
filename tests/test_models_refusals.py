"""Model folders, zips and uploads that must not be opened: each gets a sentence, none runs code."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from sources_models import source, write_timm, write_transformers

from tlcore.core.errors import UnusableInput
from tlcore.models import find, open_source, sources_for, uploads
from tlcore.models.loading import open_folder


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    return write_timm("test_resnet", tmp_path_factory.mktemp("good") / "model")


@pytest.fixture
def folder(good, tmp_path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "model"))


class Bomb:
    """Unpickled, it leaves a trace."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (str(self.trace),))


def refused(folder: Path, code: str, *words: str, build: bool = False) -> None:
    def try_it() -> None:
        opened = open_folder(folder, source())
        if build:
            opened.build(3, pretrained=True)

    with pytest.raises(UnusableInput) as caught:
        try_it()
    assert caught.value.code == code, str(caught.value)
    for word in words:
        assert word in str(caught.value)


def edit(folder: Path, **changes: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


def test_the_good_folder_is_good(folder):
    assert open_folder(folder, source()).build(3, pretrained=True).head.out_features == 3


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pth", "weights.pt", "last.ckpt", "model.pkl"])
def test_pickles_are_refused_unopened(folder, tmp_path, name):
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "trace")))
    refused(folder, "source-pickle", name, "run program code", build=True)
    assert not (tmp_path / "trace").exists()


def test_a_pickle_that_calls_itself_safetensors(folder, tmp_path):
    (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb(tmp_path / "trace")) + b"0" * 200)
    refused(folder, "source-weights", "pickle", build=True)
    assert not (tmp_path / "trace").exists()


def test_a_pickle_beside_safetensors_is_left_alone(folder, tmp_path):
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "trace")))
    open_folder(folder, source()).build(3, pretrained=True)
    assert not (tmp_path / "trace").exists()


def test_no_config(folder):
    (folder / "config.json").unlink()
    refused(folder, "source-config", "no config.json")


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"timm"', "[" * 100_000, "\x00\xff"])
def test_config_that_is_not_a_mapping(folder, text):
    (folder / "config.json").write_text(text, encoding="latin-1")
    refused(folder, "source-config")


def test_config_of_nine_megabytes(folder):
    (folder / "config.json").write_text(json.dumps({"architecture": "x" * 9_000_000}))
    refused(folder, "source-config", "8 MB")


def test_remote_code_is_refused(folder):
    refused(edit(folder, auto_map={"AutoModel": "modeling_evil.Evil"}), "source-remote-code", "never run")


@pytest.mark.parametrize(
    "name", ["resnet9000", "hf-hub:timm/resnet18", "local-dir:/etc", "../resnet18", "", None, 7, ["resnet18"]]
)
def test_unknown_architectures_of_timm(folder, name):
    refused(edit(folder, architecture=name), "source-architecture")


@pytest.mark.parametrize("kind", ["whisper", "timm_wrapper", "imagegpt", "detr", "nonsense", None, 3])
def test_architectures_that_no_task_opens(folder, kind):
    refused(edit(folder, model_type=kind), "source-architecture")


def test_a_picture_model_that_calls_itself_a_llama(folder):
    refused(edit(folder, model_type="llama"), "source-mismatch", build=True)


def test_config_without_an_architecture(folder):
    (folder / "config.json").write_text("{}")
    refused(folder, "source-architecture", "model_type")


@pytest.mark.parametrize(
    "changes",
    [
        {"num_classes": -4},
        {"num_classes": 10**9},
        {"model_args": {"widths": [10**7]}},
        {"model_args": {"img_size": "x" * 1000}},
        {"model_args": [1]},
        {"pretrained_cfg": "none"},
        {"pretrained_cfg": {"input_size": [3, 0, 0]}},
        {"pretrained_cfg": {"input_size": "abc"}},
        {"pretrained_cfg": {"input_size": [3, 160, 90]}},
        {"pretrained_cfg": {"std": [0, 0, 0]}},
        {"pretrained_cfg": {"mean": [0.5]}},
        {"pretrained_cfg": {"mean": ["a", "b", "c"]}},
    ],
)
def test_values_that_no_network_has(folder, changes):
    refused(edit(folder, **changes), "source-config")


def test_one_channel(folder):
    refused(edit(folder, model_args={"in_chans": 1}), "source-channels", "1 channels")


def test_config_may_not_point_elsewhere(folder, tmp_path):
    """Files, addresses and loaders that a config names are not used; the folder's own weights are."""
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Bomb(tmp_path / "trace")))
    config = json.loads((folder / "config.json").read_text())
    evil = {
        "file": str(tmp_path / "evil.pth"),
        "url": "http://127.0.0.1:9/x",
        "custom_load": True,
        "source": "file",
    }
    edit(
        folder,
        pretrained_cfg={**config["pretrained_cfg"], **evil},
        model_args={"checkpoint_path": str(tmp_path / "evil.pth"), "cache_dir": str(tmp_path)},
    )
    open_folder(folder, source()).build(3, pretrained=True)
    assert not (tmp_path / "trace").exists()


def test_truncated_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    refused(folder, "source-weights", "cut off")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        struct.pack("<Q", 10**15) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 4) + b"nope",
        struct.pack("<Q", 6) + b'{"a":1'[:6],
    ],
)
def test_weights_that_are_not_safetensors(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    refused(folder, "source-weights")


def test_a_git_lfs_pointer(folder):
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    refused(folder, "source-weights", "Git LFS")


def test_weights_in_several_files(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")
    refused(folder, "source-sharded", "several files")


def test_weights_of_another_network(folder):
    refused(edit(folder, architecture="test_efficientnet"), "source-mismatch", "test_efficientnet", build=True)


def test_weights_of_another_size(folder):
    refused(edit(folder, model_args={"channels": [32, 48, 64, 96]}), "source-mismatch", "test_resnet", build=True)


def test_another_transformers_size(tmp_path):
    folder = write_transformers("vit", tmp_path / "vit")
    refused(edit(folder, hidden_size=64), "source-mismatch", "size mismatch", build=True)


def test_layers_that_are_missing(tmp_path):
    folder = write_transformers("vit", tmp_path / "vit")
    refused(edit(folder, num_hidden_layers=7), "source-mismatch", "missing", build=True)


def test_a_config_of_a_giant_takes_no_memory(folder):
    refused(edit(folder, architecture="vit_giant_patch14_224"), "source-mismatch", "million", build=True)


def test_a_network_without_one_linear_head(tmp_path):
    refused(write_timm("repvit_m0_9", tmp_path / "repvit"), "source-head", "one linear layer", build=True)


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def members(good: Path, prefix: str = "") -> dict[str, bytes]:
    return {prefix + p.name: p.read_bytes() for p in good.iterdir() if p.is_file()}


@pytest.mark.parametrize("prefix", ["", "my model/", "a/b/c/"])
def test_a_zip_is_a_source(store, good, tmp_path, prefix):
    path = make_zip(tmp_path / "bundle.zip", {**members(good, prefix), prefix + "report.html": b"x" * 100})
    opened = open_source(str(path), store)
    assert opened.source.title == "bundle"
    assert opened.source.architecture == "test_resnet"
    assert opened.folder.is_relative_to(store.home / "cache")
    assert sorted(p.name for p in opened.folder.iterdir()) == ["config.json", "model.safetensors"]
    assert opened.build(4, pretrained=True).head.out_features == 4
    assert open_source(str(path), store).folder == opened.folder


def test_a_zip_writes_nothing_outside(store, good, tmp_path):
    evil = {"../../evil.txt": b"x", "/etc/evil": b"x", "..\\evil": b"x", "../model.safetensors": b"x"}
    path = make_zip(tmp_path / "evil.zip", {**evil, **members(good)})
    before = sorted(p for p in tmp_path.rglob("*") if "workspace" not in p.parts)
    opened = open_source(str(path), store)
    assert sorted(p for p in tmp_path.rglob("*") if "workspace" not in p.parts) == before
    assert sorted(p.name for p in opened.folder.iterdir()) == ["config.json", "model.safetensors"]


def test_a_link_in_a_zip_stays_a_file(store, good, tmp_path):
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", (good / "config.json").read_bytes())
        info = zipfile.ZipInfo("model.safetensors")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UnusableInput) as caught:
        open_source(str(path), store)
    assert caught.value.code == "source-weights"
    assert not [p for p in store.home.rglob("*") if p.is_symlink()]


def test_a_zip_bomb_is_not_unpacked(store, good, tmp_path):
    path = make_zip(
        tmp_path / "bomb.zip",
        {"config.json": (good / "config.json").read_bytes(), "model.safetensors": b"\0" * 60_000_000},
    )
    assert path.stat().st_size < 200_000
    with pytest.raises(UnusableInput) as caught:
        open_source(str(path), store)
    assert caught.value.code in ("archive-bomb", "source-weights")
    assert sum(p.stat().st_size for p in store.home.rglob("*") if p.is_file()) < 5_000_000


def test_a_zip_that_claims_billions_of_entries_is_not_listed(store, good, tmp_path):
    path = make_zip(tmp_path / "up.zip", members(good))
    raw = path.read_bytes()
    end = raw.rfind(b"PK\x05\x06")
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2**32 - 2, 2**32 - 2, 2**40, 0)
    path.write_bytes(raw[:end] + wide + raw[end:])
    with pytest.raises(UnusableInput) as caught:
        open_source(str(path), store)
    assert caught.value.code == "archive-too-many"


@pytest.mark.parametrize("damage", ["cut", "text", "crc"])
def test_damaged_zips(store, good, tmp_path, damage):
    path = make_zip(tmp_path / "bundle.zip", members(good))
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        raw = raw[: len(raw) // 2]
    elif damage == "text":
        raw = bytearray(b"hello")
    else:
        raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(bytes(raw))
    with pytest.raises(UnusableInput) as caught:
        open_source(str(path), store)
    assert caught.value.code == ("archive-not-zip" if damage == "text" else "archive-damaged")
    assert not list((store.home / "cache" / "sources").iterdir())


def test_a_zip_of_a_pickle(store, good, tmp_path):
    path = make_zip(tmp_path / "m.zip", {"config.json": (good / "config.json").read_bytes(), "model.pth": b"x"})
    with pytest.raises(UnusableInput, match=r"model\.pth"):
        open_source(str(path), store)


def test_uploads_are_tried_kept_and_listed(store, good, tmp_path):
    made = uploads.add_upload(good, store, "Folhas de maçã", "ana")
    assert made.id.startswith("uploaded/folhas-de-maca-")
    assert (made.architecture, made.title) == ("test_resnet", "Folhas de maçã")
    assert str(made.source_task) == "not known; the folder does not say"
    assert find(made.id, store) == made
    assert made in sources_for(("image",), store, "ana")
    assert open_source(made.id, store).build(2, pretrained=True).head.out_features == 2
    place = uploads.folder(made.id.partition("/")[2], store)
    before = place.stat().st_ino
    again = uploads.add_upload(make_zip(tmp_path / "x.zip", members(good)), store, "Folhas de maçã", "ana")
    assert again.id == made.id
    assert place.stat().st_ino == before, "a run may be reading it"
    assert [path.name for path in place.parent.iterdir()] == [place.name]
    assert len(uploads.uploaded(store, "ana")) == 1
    assert uploads.remove(place.name, store, "ana")
    assert uploads.uploaded(store, "ana") == []
    with pytest.raises(UnusableInput, match="Nobody uploaded"):
        find(made.id, store)


def test_each_has_their_own_uploads(store, good):
    made = uploads.add_upload(good, store, "leaves", "ana")
    id_ = made.id.partition("/")[2]
    assert made not in sources_for(("image",), store, "bruno")
    assert find(made.id, store) == made, "a Spec that names it works for everybody"
    assert not uploads.remove(id_, store, "bruno")
    theirs = uploads.add_upload(good, store, "leaves", "bruno")
    assert theirs.id != made.id
    assert uploads.remove(id_, store, "ana")
    assert uploads.uploaded(store, "bruno") == [theirs]


def test_another_config_for_the_same_weights_is_another_upload(store, good, tmp_path):
    made = uploads.add_upload(good, store, "leaves", "ana")
    other = shutil.copytree(good, tmp_path / "other")
    (other / "README.md").write_text("licence: mit")
    assert uploads.add_upload(other, store, "leaves", "ana").id != made.id


def test_an_upload_from_before_owners_were_kept_is_the_local_ones(store, good):
    made = uploads.add_upload(good, store, "leaves", "ana")
    about = uploads.folder(made.id.partition("/")[2], store) / uploads.ABOUT
    about.write_text(json.dumps({"title": "leaves", "added": 1.0, "input_size": 32}))
    assert uploads.uploaded(store, "local") == [made]
    assert uploads.uploaded(store, "ana") == []


def test_uploaded_files_of_transformers(store, tmp_path):
    folder = write_transformers("dinov2", tmp_path / "dinov2")
    made = uploads.add_upload({f"dinov2/{p.name}": p for p in folder.iterdir()}, store, "", "ana")
    assert (made.library, made.architecture) == ("transformers", "dinov2")


def test_an_upload_that_does_not_build_leaves_nothing(store, folder):
    with pytest.raises(UnusableInput) as caught:
        uploads.add_upload(edit(folder, architecture="test_efficientnet"), store, "bad", "ana")
    assert caught.value.code == "source-mismatch"
    assert list((store.home / "sources").iterdir()) == []


def test_a_pickle_is_not_uploaded(store, folder, tmp_path):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    for brought in (folder, {p.name: p for p in folder.iterdir()}):
        with pytest.raises(UnusableInput) as caught:
            uploads.add_upload(brought, store, "bad", "ana")
        assert caught.value.code == "source-pickle"
    assert list((store.home / "sources").iterdir()) == []


@pytest.mark.parametrize("id_", ["../../etc", "..", "", "a/b", "A" * 300, "nobody"])
def test_upload_ids_lead_nowhere_else(store, id_):
    with pytest.raises(UnusableInput):
        find(f"uploaded/{id_}", store)
    assert not uploads.remove(id_, store, "ana")
