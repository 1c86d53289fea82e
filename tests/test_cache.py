"""The workspace's cache: its keys, its limit, and what of a dataset it holds."""

from __future__ import annotations

import errno
import json
import os
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from tlcore.core.i18n import sentence
from tlcore.models.loading import open_folder
from tlcore.models.source_model import SourceModel
from tlcore.store import cache, garbage_collection
from tlcore.tasks.shared import image_examples
from tlcore.tasks.shared.image_examples import Canvases
from tlcore.training import features

A, B = "a" * 16, "b" * 16
OLD = 3600.0  # seconds


def pictures(tmp_path, n: int = 3) -> SimpleNamespace:
    import pandas as pd

    for i in range(n):
        Image.new("RGB", (40, 30), (40 * i + 10, 90, 200)).save(tmp_path / f"{i}.png")
    rows = pd.DataFrame({"file": [f"{i}.png" for i in range(n)]})
    return SimpleNamespace(rows=rows, cached_as=A, file=lambda name: tmp_path / name)


# --- pictures --------------------
def test_the_room_for_pictures_is_taken_when_their_file_is_made(tmp_path):
    Canvases(pictures(tmp_path), 256, "bicubic", tmp_path / "cache")
    (path,) = (one for one in (tmp_path / "cache").glob("*.npy") if "digests" not in one.name)
    assert path.stat().st_size >= 3 * 256 * 256 * 3
    assert path.stat().st_blocks * 512 >= path.stat().st_size, "a hole in the file is a SIGBUS on a full disk"


def test_a_full_disk_is_an_error_that_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    from tlcore.execution.failures import explained

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space") as error:
        Canvases(pictures(tmp_path), 32, "bicubic", tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.npy"))
    assert explained(error.value, tmp_path).code == "disk-full"


def test_pictures_without_their_digest_are_decoded_again(tmp_path):
    """Another host has marked a picture whose pixels have not arrived: it must not be served black."""
    dataset, rows = pictures(tmp_path), np.arange(3)
    first = Canvases(dataset, 32, "bicubic", tmp_path / "cache")
    right = first.get(rows).copy()
    first.kept[1] = 0  # the mark is there, the pixels are not
    again = Canvases(dataset, 32, "bicubic", tmp_path / "cache")
    assert np.array_equal(again.get(rows), right)
    assert np.array_equal(np.asarray(first.kept), right), "and they are kept now"


def test_kept_pictures_are_not_decoded_again(tmp_path, monkeypatch):
    dataset, rows = pictures(tmp_path), np.arange(3)
    right = Canvases(dataset, 32, "bicubic", tmp_path / "cache").get(rows)
    monkeypatch.setattr(Canvases, "_decode", lambda *_: pytest.fail("decoded again"))
    assert np.array_equal(Canvases(dataset, 32, "bicubic", tmp_path / "cache").get(rows), right)


def test_pictures_of_another_way_to_decode_are_not_read(tmp_path, monkeypatch):
    Canvases(pictures(tmp_path), 32, "bicubic", tmp_path / "cache").get(np.arange(3))
    monkeypatch.setattr(image_examples, "DECODE_VERSION", image_examples.DECODE_VERSION + 1)
    assert not Canvases(pictures(tmp_path), 32, "bicubic", tmp_path / "cache").digests.any()


# --- keys --------------------
def test_the_same_weights_with_other_heads_of_attention_have_other_features(tmp_path):
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 16, "image_size": 32, "patch_size": 16}
    net = ViTForImageClassification(ViTConfig(**sizes, num_attention_heads=2, num_labels=3))
    sources = []
    for heads in (2, 4):
        net.config.num_attention_heads = heads
        net.save_pretrained(folder := tmp_path / str(heads))
        about = SourceModel(
            id=str(folder),
            title="x",
            architecture="vit",
            parameters=1,
            source_task=sentence("x"),
            source_data=sentence("x"),
            licence="mit",
        )
        sources.append(open_folder(folder, about))
    two, four = sources
    assert two.digest == four.digest
    pixels = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        outs = [one.build(None, True).eval().features(pixels) for one in sources]
    assert not torch.allclose(*outs)
    keys = [features.cache_key(A, one.content_digest, {"size": 32}) for one in sources]
    assert keys[0] != keys[1]


def test_other_versions_have_other_features(monkeypatch):
    before = features.cache_key(A, "model", {"size": 32})
    assert {"torch", "timm", "transformers", "decode"} <= set(features.computed_by())
    monkeypatch.setattr(features, "computed_by", lambda: {"torch": "9.9"})
    assert features.cache_key(A, "model", {"size": 32}) != before


# --- the limit --------------------
def _put(store, name: str, age: float, kilobytes: int = 100) -> None:
    path = store.home / "cache" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(kilobytes * 1024))
    then = time.time() - age
    os.utime(path, (then, then))


def _names(store) -> set[str]:
    return {p.relative_to(store.home / "cache").as_posix() for p in (store.home / "cache").rglob("*") if p.is_file()}


def test_the_least_recently_used_goes_first(store, monkeypatch):
    key = "0" * 24
    _put(store, f"features/{A}-{key}-train.npz", 5 * OLD)
    _put(store, f"features/{A}-{key}-moments.npz", 2 * OLD)
    _put(store, f"pictures/{A}-256-bicubic-x.npy", 4 * OLD)
    _put(store, f"pictures/{A}-256-bicubic-x.digests.npy", 4 * OLD, 1)
    _put(store, f"tokens/{B}-x.npz", 3 * OLD)
    _put(store, f"evidence/{A}-{key}.json", 9 * OLD)
    _put(store, f"races/{A}-x-y.json", 9 * OLD)
    monkeypatch.setenv("TLCORE_CACHE_GB", str(310 * 1024 / 2**30))
    garbage_collection.sweep(store)
    results = {f"evidence/{A}-{key}.json", f"races/{A}-x-y.json"}
    split = {f"features/{A}-{key}-{one}.npz" for one in ("train", "moments")}
    assert _names(store) == {*results, *split, f"tokens/{B}-x.npz"}, "the features of all splits are one entry"
    monkeypatch.setenv("TLCORE_CACHE_GB", "0")
    cache.touch(store.home / "cache" / "tokens" / f"{B}-x.npz")
    cache.evict(store)
    assert _names(store) == {*results, f"tokens/{B}-x.npz"}, "what was used a moment ago stays"
    assert cache.clear(store) > 0
    assert _names(store) == results
    assert cache.usage(store.home).size == 0


def test_a_model_that_a_running_job_has_open_stays(store, monkeypatch):
    job = store.jobs.submit("run", "ana", {}, lane="train")
    assert store.jobs.take(job.id, "w:1:1")
    _put(store, "sources/abc/model.safetensors", 60)
    _put(store, "sources/old/model.safetensors", 2 * OLD)
    os.utime(store.home / "cache" / "sources" / "old", (time.time() - 2 * OLD,) * 2)
    assert cache.clear(store) > 0
    assert _names(store) == {"sources/abc/model.safetensors"}
    assert store.jobs.finish(job.id, 1, "succeeded")
    cache.clear(store)
    assert _names(store) == set()


def test_the_limit_is_a_share_of_the_disk_and_less_where_it_is_full(tmp_path, monkeypatch):
    monkeypatch.delenv("TLCORE_CACHE_GB", raising=False)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(total=1000, free=800))
    assert cache.limit(tmp_path, 0) == 250
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(total=1000, free=10))
    assert cache.limit(tmp_path, 200) == 160
    monkeypatch.setenv("TLCORE_CACHE_GB", "2")
    assert cache.limit(tmp_path, 0) == 2 * 2**30


def test_everything_of_a_dataset_is_found_by_its_fingerprint(store):
    key = "0" * 24
    for fingerprint in (A, B):
        _put(store, f"features/{fingerprint}-{key}-train.npz", 1)
        _put(store, f"pictures/{fingerprint}-256-bicubic-x.npy", 1)
        _put(store, f"tokens/{fingerprint}-x.npz", 1)
        _put(store, f"evidence/{fingerprint}-{key}.json", 1)
        _put(store, f"evidence/index/{fingerprint}/x.json", 1)
        _put(store, f"races/{fingerprint}-x-y/clean/done.json", 1)
        _put(store, f"races/{fingerprint}-x-y.json", 1)
    _put(store, f"evidence/shift/{B}-{A}-{key}.json", 1)
    _put(store, f"features/{key}-train.npz", 1)  # of an earlier version: whose it is cannot be told
    cache.forget(store.home, A)
    assert len(_names(store)) == 7
    assert not any(A in name or name == f"features/{key}-train.npz" for name in _names(store))


def test_features_without_their_moments_are_taken_again(tmp_path):
    """A network with batch norm needs both; evidence from features alone would say that it has none."""
    net = torch.nn.Sequential(torch.nn.BatchNorm1d(2))

    class Two:
        ids, labels = ["a", "b"], np.array([0, 1])

        def __len__(self):
            return 2

        def batches(self, chunks, _key, _device):
            for chunk in chunks:
                yield {"x": torch.rand(len(chunk), 2)}

    task = SimpleNamespace(features=lambda model, batch: model(batch["x"]))
    taken = {"device": "cpu", "batch_size": 2}
    features.extract(task, net, {"train": Two()}, tmp_path, "k", **taken)
    (tmp_path / "k-moments.npz").unlink()
    features.extract(task, net, {"train": Two()}, tmp_path, "k", **taken)
    assert features.moments(tmp_path, "k") is not None
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == '["k-moments.npz", "k-train.npz"]'
