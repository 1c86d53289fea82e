"""Sign-in that is configured: said at the start where it cannot work, and who is let see what."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from streamlit import config
from streamlit.runtime.runtime import Runtime
from streamlit.runtime.secrets import secrets_singleton
from streamlit.testing.v1 import AppTest
from test_ui_pages import ROOT, home, said  # noqa: F401  (a fixture)

from tlcore.store import Store
from tlcore.store.users import Identity
from tlcore.ui import sign_in, web

ANA = {"is_logged_in": True, "iss": "https://login.example.com", "sub": "1", "email": "ana@example.com"}


@pytest.fixture
def auth(tmp_path):
    path = tmp_path / "secrets.toml"
    path.write_text('[auth]\nredirect_uri = "http://testserver/oauth2callback"\ncookie_secret = "for this test only"\n')
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(path)])
    secrets_singleton._reset()
    yield
    config.set_option("secrets.files", before)
    secrets_singleton._reset()


def library(installed, monkeypatch):
    monkeypatch.setattr(sign_in, "is_authlib_installed", lambda: installed)
    monkeypatch.setattr(sign_in, "find_spec", lambda _: installed or None)


@pytest.mark.parametrize("installed", [False, True])
def test_the_server_says_at_its_start_that_nobody_can_sign_in(auth, store, monkeypatch, capsys, installed):
    library(installed, monkeypatch)
    monkeypatch.setattr(Runtime, "_instance", None)
    with TestClient(web.app(store)):
        said_at_the_start = capsys.readouterr().err
    assert ("pip install -r requirements-server.txt" in said_at_the_start) is not installed


def test_without_an_auth_section_no_library_is_missed(monkeypatch):
    library(False, monkeypatch)
    assert sign_in.problem() is None


def page(claims):
    at = AppTest.from_file(ROOT / "app.py", default_timeout=90)
    at.context = {"locale": "en-US", "timezone": "America/Sao_Paulo"}
    at.user = claims
    return at.run()


def test_the_gate_offers_no_button_that_cannot_work(auth, home, monkeypatch):  # noqa: F811
    library(False, monkeypatch)
    at = page({})
    assert "pip install -r requirements-server.txt" in said(at)
    assert not at.button
    library(True, monkeypatch)
    assert [button.label for button in page({}).button] == ["Sign in"]


def test_who_has_no_subject_sees_nothing(auth, home):  # noqa: F811
    at = page({**ANA, "sub": ""})
    assert "does not say who you are" in said(at)
    assert [button.label for button in at.button] == ["Sign out"]
    assert not at.sidebar.selectbox


def test_an_unverified_address_opens_nobodys_projects(auth, home):  # noqa: F811
    store = Store.open()
    mine = Identity.from_claims({**ANA, "sub": "2", "email_verified": True})
    store.projects.create("Leaves", store.users.sign_in(mine).owner)
    store.projects.create("Old leaves", "ana@example.com")
    assert "eaves" not in str(page(ANA))
    assert "Old leaves" in str(page({**ANA, "email_verified": True}))
