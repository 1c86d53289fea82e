"""Files that are streamed past the page: the secret, the names, the limits."""

from __future__ import annotations

import json
import os
import time

import pytest

from tlcore.core.errors import UnusableInput
from tlcore.store import upload_tokens


def send(home, secret, name, data=b"PK"):
    file = upload_tokens.Arriving(home, secret, name, len(data))
    file.write(data)
    return file


def test_a_file_arrives_whole_or_not_at_all(tmp_path):
    secret = upload_tokens.open_token(tmp_path, "ana")
    file = send(tmp_path, secret, "photos.zip", b"abc")
    assert upload_tokens.arrived(tmp_path, secret) == []
    file.write(b"de")
    assert file.done() == 5
    assert [path.read_bytes() for path in upload_tokens.arrived(tmp_path, secret)] == [b"abcde"]
    send(tmp_path, secret, "broken.zip").give_up()
    assert [path.name for path in upload_tokens.arrived(tmp_path, secret)] == ["photos.zip"]
    assert upload_tokens.arriving(tmp_path, secret) == 0


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("photos.zip", "photos.zip"),
        ("../../evil.zip", "evil.zip"),
        ("..\\..\\evil.zip", "evil.zip"),
        ("..", "upload"),
        (".hidden", "hidden"),
        ("", "upload"),
        ("C:x.zip", "C_x.zip"),
        ("a\nb\x00.zip", "a_b_.zip"),
        ("folhas é 日本 🍃.zip", "folhas é 日本 🍃.zip"),
        ("日" * 250 + ".zip", "日" * 48 + ".zip"),
        (".zip", "zip"),
    ],
)
def test_a_name_cannot_leave_its_folder(tmp_path, name, kept):
    secret = upload_tokens.open_token(tmp_path, "ana")
    file = send(tmp_path, secret, name)
    file.done()
    assert file.path.name == kept
    assert file.path.parent == tmp_path / "staging" / "uploads" / secret
    assert [path.name for path in upload_tokens.arrived(tmp_path, secret)] == [kept]


@pytest.mark.parametrize("secret", ["", "..", "../..", "A" * 43, "A" * 42 + "\n", "a/b" + "A" * 40])
def test_without_the_secret_nothing_is_taken(tmp_path, secret):
    upload_tokens.open_token(tmp_path, "ana")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UnusableInput) as failure:
        send(tmp_path, secret, "x.zip")
    assert failure.value.code == "upload-address"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_closed_or_old_door_takes_nothing_and_keeps_what_came(tmp_path):
    secret = upload_tokens.open_token(tmp_path, "ana")
    send(tmp_path, secret, "a.zip").done()
    upload_tokens.close_token(tmp_path, secret)
    assert not upload_tokens.is_open(tmp_path, secret)
    assert len(upload_tokens.arrived(tmp_path, secret)) == 1
    old = upload_tokens.open_token(tmp_path, "ana")
    door = tmp_path / "staging" / "uploads" / old / ".door.json"
    door.write_text(json.dumps({"owner": "ana", "until": time.time() - 1}))
    with pytest.raises(UnusableInput):
        send(tmp_path, old, "a.zip")
    os.utime(door.parent, (0, 0))
    upload_tokens.open_token(tmp_path, "ana")
    assert not door.parent.exists()
    assert len(upload_tokens.arrived(tmp_path, secret)) == 1


def test_what_is_too_large_is_refused_before_and_while_it_comes(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCORE_UPLOAD_GB", str(1000 / 2**30))
    secret = upload_tokens.open_token(tmp_path, "ana")
    with pytest.raises(UnusableInput) as failure:
        upload_tokens.Arriving(tmp_path, secret, "x.zip", 1001)
    assert failure.value.code == "upload-too-large"
    file = upload_tokens.Arriving(tmp_path, secret, "x.zip")
    file.write(b"x" * 1000)
    with pytest.raises(UnusableInput) as failure:
        file.write(b"x")
    assert failure.value.code == "upload-too-large"
    file.give_up()
    monkeypatch.setattr(upload_tokens, "SPARE", 2**62)
    with pytest.raises(UnusableInput) as failure:
        upload_tokens.Arriving(tmp_path, secret, "x.zip")
    assert failure.value.code == "disk-full"


def test_not_more_than_so_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(upload_tokens, "FILES", 3)
    secret = upload_tokens.open_token(tmp_path, "ana")
    for n in range(3):
        send(tmp_path, secret, f"{n}.zip").done()
    with pytest.raises(UnusableInput) as failure:
        send(tmp_path, secret, "more.zip")
    assert failure.value.code == "upload-files"
