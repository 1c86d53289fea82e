"""Unpacking to disk, for those who need files: nothing unsafe, nothing overwritten, nothing too large."""

from __future__ import annotations

import pytest
from hostile.build import classes, picture, with_entry, zipped

from tlcore.core.errors import UnusableInput
from tlcore.core.uploads.archives import Archive, Limits, clean, extract, junk, outside, require_free_space


def listing(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_extract_and_choose(tmp_path):
    path = zipped(tmp_path / "up.zip", classes() | {"notes.txt": b"n", "__MACOSX/x.png": b"x"})
    assert extract(path, tmp_path / "all") == [*sorted(classes()), "notes.txt"]
    assert listing(tmp_path / "all") == sorted([*classes(), "notes.txt"])
    assert (tmp_path / "all" / "rose" / "0.png").read_bytes() == classes()["rose/0.png"]
    assert extract(path, tmp_path / "some", allowed=lambda name: name.endswith(".txt")) == ["notes.txt"]
    assert listing(tmp_path / "some") == ["notes.txt"]


@pytest.mark.parametrize("name", ["../evil", "/evil", "C:\\evil", "a/../../evil", "..\\evil"])
def test_extract_stays_inside(name, tmp_path):
    path = with_entry(tmp_path / "in" / "up.zip", name, b"x")
    extract(path, tmp_path / "box" / "out")
    assert [p.name for p in (tmp_path / "box").iterdir()] == ["out"]
    assert len(listing(tmp_path / "box" / "out")) == 10


def test_extract_follows_no_link_and_overwrites_nothing(tmp_path):
    outside_folder, out = tmp_path / "outside", tmp_path / "out"
    outside_folder.mkdir()
    out.mkdir()
    (out / "rose").symlink_to(outside_folder, target_is_directory=True)
    (out / "tulip").mkdir()
    (out / "tulip" / "0.png").write_bytes(b"mine")
    done = extract(zipped(tmp_path / "up.zip", classes()), out)
    assert list(outside_folder.iterdir()) == []
    assert (out / "tulip" / "0.png").read_bytes() == b"mine"
    assert done == [f"tulip/{i}.png" for i in range(1, 5)]


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(entries=9), "archive-too-many"),
        (Limits(total=5_000), "archive-too-large"),
        (Limits(file=1_000), "archive-too-large"),
        (Limits(ratio=0.5, ratio_from=100), "archive-bomb"),
    ],
)
def test_limits(limits, code, tmp_path):
    path = zipped(tmp_path / "up.zip", classes())
    with pytest.raises(UnusableInput) as refusal:
        Archive(path, limits)
    assert (refusal.value.code, refusal.value.file) == (code, "up.zip")


def test_a_full_disk_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(UnusableInput) as refusal:
        require_free_space(tmp_path, 10**18, "up.zip")
    assert refusal.value.code == "disk-full"


def test_reading_from_many_threads(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    files = {f"a/{i}.png": picture(i, size=(40, 40)) for i in range(200)}
    with Archive(zipped(tmp_path / "up.zip", files)) as archive, ThreadPoolExecutor(8) as pool:
        assert dict(zip(files, pool.map(archive.read, files), strict=True)) == files


def test_names():
    assert clean("./a\\b//c.png") == "a/b/c.png"
    assert clean("cafe\u0301.png") == "café.png"
    assert junk("__MACOSX/a.png")
    assert junk("a/.hidden/b.png")
    assert junk("rose/Thumbs.db")
    assert not junk("rose/a.png")
    assert outside("C:/a")
    assert outside("a/../b")
    assert not outside("a/..b/c")
