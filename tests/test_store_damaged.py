"""A workspace that cannot be used is said in a sentence, on the command line and on the page."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tlcore.cli.main import main
from tlcore.core.errors import UnusableInput
from tlcore.store import Store

ROOT = Path(__file__).resolve().parents[1]


def _no_database(home: Path) -> None:
    home.mkdir()
    (home / "studio.db").write_text("these are notes, and no database " * 40)


def _half_written(home: Path) -> None:
    store = Store.open(home)
    for i in range(300):
        store.projects.create(f"project {i}", "local")
    store.close()
    path = home / "studio.db"
    with sqlite3.connect(path) as database:
        database.execute("pragma wal_checkpoint(truncate)")
    database.close()
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _without_tables(home: Path) -> None:
    store = Store.open(home)
    store.close()
    with sqlite3.connect(home / "studio.db") as database:
        for table in ("points", "runs", "jobs", "projects"):
            database.execute(f"drop table {table}")
    database.close()


def _folder_of_that_name(home: Path) -> None:
    (home / "studio.db").mkdir(parents=True)


def _of_a_newer_studio(home: Path) -> None:
    Store.open(home).close()
    with sqlite3.connect(home / "studio.db") as database:
        database.execute("update alembic_version set version_num = '9999'")
    database.close()


WORKSPACES = {
    "no database": (_no_database, "database"),
    "half written": (_half_written, "database"),
    "without tables": (_without_tables, "database"),
    "a folder named studio.db": (_folder_of_that_name, "database"),
    "of a newer studio": (_of_a_newer_studio, "workspace-newer"),
    "a file": (lambda home: home.write_text("a file"), "workspace"),
}


@pytest.fixture(params=WORKSPACES.values(), ids=WORKSPACES.keys())
def spoilt(request, tmp_path, monkeypatch):
    """A workspace that cannot be used, and the code that says so."""
    make, code = request.param
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    make(tmp_path / "home")
    monkeypatch.setenv("TLCORE_HOME", str(tmp_path / "home"))
    return code


def failed(capsys, *arguments):
    status = main([*arguments, "--json"])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert len(out.splitlines()) == 1
    return status, json.loads(out)["error"]


def test_the_command_line_says_it(spoilt, capsys):
    status, error = failed(capsys, "report", "nothing")
    assert (status, error["code"]) == (2, spoilt)
    assert "home" in error["message"]
    assert "sqlalche" not in error["message"]


def test_the_page_says_it(spoilt):
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    at.run()
    assert not at.exception
    assert len(at.error) == 1
    assert "home" in at.error[0].value


@pytest.mark.parametrize("number", ["EACCES", "EROFS", "EPERM", "ENOSPC"])
def test_a_home_that_may_not_be_written_to(number, tmp_path, monkeypatch, capsys):
    import errno

    monkeypatch.setenv("TLCORE_HOME", str(tmp_path / "home"))

    def refused(path, *args, **more):
        raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)), str(path))

    monkeypatch.setattr(Path, "mkdir", refused)
    status, error = failed(capsys, "report", "nothing")
    assert (status, error["code"]) == (2, "disk-full" if number == "ENOSPC" else "workspace")


def test_a_database_that_may_not_be_written_to(tmp_path):
    store = Store.open(tmp_path)

    def write() -> None:
        with store.transaction() as session:
            session.connection().exec_driver_sql("pragma query_only=on")
            session.connection().exec_driver_sql("create table x (a int)")

    with pytest.raises(UnusableInput) as refusal:
        write()
    assert refusal.value.code == "database"
    store.close()


def test_a_home_below_a_file_and_one_that_cannot_be(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert failed(capsys, "report", "x", "--workspace", str(tmp_path / "file" / "home"))[0] == 2
    assert failed(capsys, "report", "x", "--workspace", "x" * 5000)[1]["code"] == "path"
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert failed(capsys, "report", "x", "--workspace", str(tmp_path / "a"))[0] == 2


def test_an_address_that_is_no_databases(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TLCORE_DATABASE_URL", "this is none")
    monkeypatch.setenv("TLCORE_HOME", str(tmp_path))
    status, error = failed(capsys, "report", "x")
    assert (status, error["code"]) == (2, "database")


def test_a_database_damaged_while_the_server_runs_is_said_on_the_page(tmp_path, monkeypatch):
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    monkeypatch.setenv("TLCORE_HOME", str(tmp_path / "home"))
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    at.run()
    assert not at.exception
    assert not at.error
    with sqlite3.connect(tmp_path / "home" / "studio.db") as database:
        database.execute("drop table projects")
    database.close()
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    at.run()
    assert not at.exception
    assert "damaged" in at.error[0].value
