"""What comes from a browser is written below its folder only, and what a person typed shows as it is."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import RejectedRow
from tlcore.core.i18n import sentence
from tlcore.ui import dataset_view, thumbnails, upload_view
from tlcore.ui.formatting import plain, short


def sent(name: str, data: bytes = b"data") -> io.BytesIO:
    """A file as the browser sends it."""
    file = io.BytesIO(data)
    file.name = name
    return file


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.zip",
        "/etc/passwd",
        "..\\..\\evil.zip",
        "C:\\Users\\me\\photos.zip",
        "a/../../b.zip",
        "nul\x00byte.zip",
        "x" * 400 + ".zip",
        "é" * 300 + ".png",
    ],
)
def test_a_name_never_leads_out_of_the_folder(tmp_path, name):
    base = tmp_path / "tmp"
    kept = upload_view.keep([sent(name)], base)
    assert kept.resolve().is_relative_to(base.resolve())
    assert kept.read_bytes() == b"data"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [kept]


@pytest.mark.parametrize("name", ["..", "/", "", "./.."])
def test_a_file_without_a_name_is_refused(tmp_path, name):
    with pytest.raises(UnusableInput):
        upload_view.keep([sent(name)], tmp_path)


def test_a_folder_keeps_its_structure(tmp_path):
    kept = upload_view.keep([sent("set/cat/1.png"), sent("set/dog/1.png", b"other")], tmp_path)
    assert (kept / "set/cat/1.png").read_bytes() == b"data"
    assert (kept / "set/dog/1.png").read_bytes() == b"other"


def test_old_uploads_are_cleared(tmp_path):
    old = upload_view.keep([sent("old.zip")], tmp_path).parent
    ago = time.time() - 3 * 24 * 3600
    os.utime(old, (ago, ago))
    new = upload_view.keep([sent("new.zip")], tmp_path)
    assert new.exists()
    assert not old.exists()


def test_files_that_lie_on_the_disk_leave_the_memory_of_the_session(monkeypatch):
    manager = MemoryUploadedFileManager("/upload")
    records = [UploadedFileRec(name, f"{name}.zip", "application/zip", b"data") for name in ("kept", "other")]
    for record in records:
        manager.add_file("session", record)
    context = SimpleNamespace(session_id="session", uploaded_file_mgr=manager)
    monkeypatch.setattr(upload_view, "get_script_run_ctx", lambda **_: context)
    upload_view.release([UploadedFile(records[0], None), sent("pasted.csv"), None])
    assert [record.file_id for record in manager.get_files("session", ["kept", "other"])] == ["other"]


def test_a_path_on_the_server_stays_in_the_open_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(upload_view, "signed_in", lambda: True)
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.zip").write_bytes(b"")
    (tmp_path / "shut.zip").write_bytes(b"")
    (tmp_path / "open" / "link.zip").symlink_to(tmp_path / "shut.zip")
    with pytest.raises(UnusableInput):
        upload_view.server_path(str(tmp_path / "open" / "a.zip"))  # no folder is open yet
    monkeypatch.setenv(upload_view.FOLDERS, str(tmp_path / "open"))
    assert upload_view.server_path(str(tmp_path / "open" / "a.zip")).name == "a.zip"
    for path in ("open/../shut.zip", "open/link.zip", "shut.zip", "open/none.zip"):
        with pytest.raises(UnusableInput):
            upload_view.server_path(str(tmp_path / path))
    with pytest.raises(UnusableInput):
        upload_view.server_path("relative.zip")


def test_one_local_person_may_name_any_path(tmp_path, monkeypatch):
    monkeypatch.setattr(upload_view, "signed_in", lambda: None)
    monkeypatch.delenv(upload_view.FOLDERS, raising=False)
    assert upload_view.server_path(str(tmp_path)) == tmp_path.resolve()


def test_what_was_set_aside_is_no_formula():
    rows = [RejectedRow(file="=cmd|'/c calc'!A1", row=3, reason=sentence("It is no picture."))]
    lines = dataset_view.set_aside_csv(rows).decode().splitlines()
    assert lines[0] == "file,row,reason"
    assert lines[1].startswith("'=cmd")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a*b*.png", "a\\*b\\*.png"),
        ("[x](http://y)", "\\[x\\](http\\://y)"),
        (":red[a]", "\\:red\\[a\\]"),
        ("1.1 GB", "1.1 GB"),
        ("1. one", "1\\. one"),
        ("- minus", "\\- minus"),
        ("<b>", "\\<b\\>"),
        ("two\nlines", "two lines"),
    ],
)
def test_plain_text_has_no_markup(text, shown):
    assert plain(text) == shown


def test_short_names_keep_both_ends():
    assert short("abc", 10) == "abc"
    assert short("a" * 50 + ".png", 21).endswith(".png")
    assert len(short("a" * 500, 21)) <= 21


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_a_thumbnail_of_every_mode(tmp_path, mode):
    from PIL import Image

    path = tmp_path / "picture.tiff"
    Image.new("L", (300, 200), 128).convert(mode if mode != "I;16" else "I").save(path)
    made = Image.open(io.BytesIO(thumbnails.thumbnail(path, 100)))
    assert made.mode in ("RGB", "L")
    assert max(made.size) <= 100


def test_a_thumbnail_of_no_picture_is_grey(tmp_path):
    from PIL import Image

    path = tmp_path / "broken.png"
    path.write_bytes(b"no picture")
    made = Image.open(io.BytesIO(thumbnails.thumbnail(path, 50)))
    assert made.size == (50, 50)
    assert thumbnails.small(b"no picture") is None
    assert thumbnails.thumbnail(Path("/nowhere/at/all.png"), 50)


def test_counts_of_classes_come_in_any_form():
    from tlcore.ui import charts

    figure = charts.bars(["a", "b" * 80], [3, 1], title="Examples")
    assert list(figure.data[0].x) == [3, 1]
