"""The bundled samples: small, the same each time, and usable as they are."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest
from PIL import Image

from tlcore import tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.spec_parts import Data
from tlcore.data.samples import SAMPLES, find
from tlcore.data.staging import stage
from tlcore.spec import Spec


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_sample(sample, tmp_path):
    path = sample.write(tmp_path / "one")
    again = sample.write(tmp_path / "two")
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            sizes = {Image.open(io.BytesIO(archive.read(name))).size for name in archive.namelist()}
        assert max(max(size) for size in sizes) <= 64
    found = stage(path, task=tasks.find(sample.task), folder=tmp_path / "staged")
    assert found.usable
    assert 100 <= len(found.rows) <= 400
    assert found.set_aside() == []
    assert len(set(found.counts.values())) <= 1
    assert {f.level for f in found.findings} <= {"note"}
    Spec(task=sample.task, data=Data(path="x"), **sample.spec)
    assert str(sample.title)
    assert str(sample.what).endswith(".")


def test_generated_photos_say_so():
    assert "generated" in str(find("surface-defects").what)
    assert find("digits").spec["options"]["augmentation"] == "no-flip"


def test_unknown_sample():
    with pytest.raises(UnusableInput) as refusal:
        find("cats")
    assert refusal.value.code == "unknown-sample"
