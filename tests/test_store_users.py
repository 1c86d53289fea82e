"""People who sign in: told apart by issuer and subject, and the rows that their e-mail address owned before."""

from __future__ import annotations

import json
import sqlite3
import threading
from types import SimpleNamespace

import pytest
from alembic import command
from alembic.config import Config

from tlcore.models import uploads
from tlcore.store import Store
from tlcore.store.store import MIGRATIONS
from tlcore.store.tables import fold_owner
from tlcore.store.users import EMAIL_ISSUERS, Identity

ISS = "https://login.example.com"
ANA = {"is_logged_in": True, "iss": ISS, "sub": "1", "email": "Ana@Example.com", "email_verified": True, "name": "Ana"}


def who(**claims):
    return Identity.from_claims({**ANA, **claims})


def before(home, *rows):
    """A workspace of the revision before this table, with projects (owner, name) and Ana's dataset in two cases."""
    home.mkdir(parents=True)
    store = Store(home, f"sqlite:///{home / 'studio.db'}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store._engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
    store.close()
    with sqlite3.connect(home / "studio.db") as old:
        for n, (owner, name) in enumerate(rows):
            old.execute("insert into projects values (?, ?, ?, '{}', 1.0, 1.0)", (f"p{n}", owner, name))
            if "@" in owner:
                old.execute(
                    "insert into datasets values ('abc', ?, 'image-classification', 'leaves', 20, 1.0)", (owner,)
                )
    return Store.open(home)


def names(store, owner):
    return sorted(project.name for project in store.projects.all(owner))


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.delenv("TLCORE_DATABASE_URL", raising=False)
    monkeypatch.delenv(EMAIL_ISSUERS, raising=False)


def test_a_new_person_has_an_opaque_owner_that_stays(store):
    first = store.users.sign_in(who())
    assert first.owner.startswith("user-")
    assert (first.email, first.name) == ("ana@example.com", "Ana")
    again = store.users.sign_in(who(email="ana.silva@example.com", name="Ana Silva"))
    assert (again.id, again.owner) == (first.id, first.owner)
    assert (again.email, again.name) == ("ana.silva@example.com", "Ana Silva")


def test_the_same_address_is_not_the_same_person(store):
    owners = {
        store.users.sign_in(one).owner
        for one in (who(), who(sub="2"), who(iss="https://other.example.com"), who(email="ANA@EXAMPLE.COM", sub="3"))
    }
    assert len(owners) == 4


@pytest.mark.parametrize(
    ("said", "verified"),
    [(True, True), ("true", True), (False, False), ("false", False), (None, False), (1, False), ("yes", False)],
)
def test_an_address_counts_only_where_it_is_said_to_be_verified(said, verified):
    assert who(email_verified=said).email == ("ana@example.com" if verified else None)
    claims = {key: value for key, value in ANA.items() if key != "email_verified"}
    assert Identity.from_claims(claims).email is None


def test_an_issuer_that_never_says_it_can_be_trusted(monkeypatch):
    monkeypatch.setenv(EMAIL_ISSUERS, f"https://a.example.com, {ISS}")
    assert who(email_verified=None).email == "ana@example.com"
    assert who(email_verified=False).email is None
    assert who(email_verified=None, iss="https://b.example.com").email is None
    assert who(email_verified=None, iss="https://login.example.com.evil.com").email is None


def test_nobody_is_known_without_a_subject():
    assert who(sub="") is None
    assert who(is_logged_in=False) is None
    assert who(iss=None) is None
    assert who(iss=None, provider="default").iss == "default"


def test_rows_that_an_address_owned_go_on_belonging_to_it_in_whatever_case(tmp_path):
    store = before(
        tmp_path / "w",
        ("Ana@Example.com", "one"),
        ("ana@example.com", "two"),
        ("ben@example.com", "his"),
        ("local", "x"),
    )
    ana = store.users.sign_in(who())
    assert names(store, ana.owner) == ["one", "two"]
    assert [row.fingerprint for row in store.datasets.all(ana.owner)] == ["abc"]
    assert names(store, store.users.sign_in(who(sub="2", email="ben@example.com")).owner) == ["his"]
    assert names(store, "local") == ["x"]


def test_an_unverified_address_shows_nobody_anything(tmp_path):
    store = before(tmp_path / "w", ("ana@example.com", "hers"))
    for n, said in enumerate((False, None, "no")):
        assert names(store, store.users.sign_in(who(sub=f"x{n}", email_verified=said)).owner) == []
    assert names(store, store.users.sign_in(who()).owner) == ["hers"]


def test_what_was_claimed_is_not_claimed_again(tmp_path):
    store = before(tmp_path / "w", ("ana@example.com", "hers"))
    first = store.users.sign_in(who())
    for other in (who(sub="2"), who(iss="https://other.example.com")):
        taker = store.users.sign_in(other)
        assert taker.owner != first.owner
        assert names(store, taker.owner) == []
    assert names(store, store.users.sign_in(who()).owner) == ["hers"]


def test_an_address_that_is_verified_later_brings_its_rows_then(tmp_path):
    store = before(tmp_path / "w", ("ana@example.com", "hers"))
    about = store.home / "sources" / "net-1" / "about.json"
    about.parent.mkdir(parents=True)
    early = store.users.sign_in(who(email_verified=None))
    about.write_text(json.dumps({"title": "net", "owner": early.owner}))
    store.projects.create("meanwhile", early.owner)
    later = store.users.sign_in(who())
    assert names(store, later.owner) == ["hers", "meanwhile"]
    assert uploads.owned("net-1", store, later.owner)
    store.projects.create("from an older page", early.owner)
    assert "from an older page" in names(store, store.users.sign_in(who()).owner)


def test_an_uploaded_source_of_an_address_stays_its_own(store):
    about = store.home / "sources" / "net-1" / "about.json"
    about.parent.mkdir(parents=True)
    about.write_text(json.dumps({"title": "net", "owner": "Ana@Example.com"}))
    assert uploads.owned("net-1", store, store.users.sign_in(who()).owner)
    assert not uploads.owned("net-1", store, store.users.sign_in(who(sub="2")).owner)


def test_rows_of_a_subject_are_claimed_while_there_is_one_issuer(tmp_path):
    store = before(tmp_path / "w", ("subject-7", "seven"), ("subject-8", "eight"))
    assert names(store, store.users.sign_in(who(sub="subject-7", email=None)).owner) == ["seven"]
    assert names(store, store.users.sign_in(who(sub="subject-8", iss="https://other.example.com")).owner) == []
    taken = ("local", "ana@example.com", store.users.sign_in(who()).owner)
    for sub in taken:
        assert store.users.sign_in(who(sub=sub, email=None)).owner not in taken


def test_letters_that_fold_to_others_are_somebody_else():
    assert fold_owner("Ana@Example.COM") == "ana@example.com"
    assert fold_owner("mi\u212ae@example.com") != "mike@example.com"  # the sign of kelvin
    assert fold_owner("stra\u00dfe@example.com") != "strasse@example.com"
    assert fold_owner("Subject") == "Subject"


def test_one_who_signs_in_twice_at_once_is_one_person(tmp_path):
    store = before(tmp_path / "w", ("ana@example.com", "hers"))
    wait, owners, errors = threading.Barrier(4), [], []

    def enter(sub):
        wait.wait()
        try:
            owners.append((sub, store.users.sign_in(who(sub=sub)).owner))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=enter, args=(sub,)) for sub in ("1", "1", "2", "2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(set(owners)) == 2
    assert len({owner for _, owner in owners}) == 2


def test_others_see_a_verified_address_and_no_name_that_looks_like_one(store):
    ana = store.users.sign_in(who()).owner
    ben = store.users.sign_in(who(sub="2", email_verified=None, name="Ben")).owner
    eve = store.users.sign_in(who(sub="3", email_verified=None, name="ana@example.com")).owner
    assert store.users.names() == {ana: "ana@example.com", ben: "Ben", eve: eve}


def test_the_library_names_who_published_by_what_may_be_shown(store, tmp_path):
    from tlcore.models import find

    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(b"")
    owner = store.users.sign_in(who()).owner
    model = store.models.publish(bundle, name="net", owner=owner, task="image-classification", run_id=None, about={})
    assert find(f"library/{model.id}", store).provider == "ana@example.com"


def test_the_page_asks_for_the_owner_by_issuer_and_subject(store, monkeypatch):
    from tlcore.ui import state

    claims, page = dict(ANA, email_verified=None), state.Session()
    monkeypatch.setattr(state, "st", SimpleNamespace(user=claims))
    monkeypatch.setattr(state, "store", lambda: store)
    monkeypatch.setattr(state, "session", lambda: page)
    mine = state.owner()
    assert mine not in ("Ana@Example.com", "ana@example.com", "1")
    claims["sub"] = "2"  # somebody else, though the address is the same
    assert state.owner() != mine
