"""Source models that a person uploaded, on the page Source: listed for their owner, who may remove them."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest
import streamlit as st
import ui_seed
from test_ui_pages import home, opened, said  # noqa: F401  (a fixture)

from tlcore.models import uploads
from tlcore.store import Store, upload_tokens
from tlcore.ui import large_uploads

TASK = "image-classification"


@pytest.fixture
def brought(home, tiny_source):  # noqa: F811
    """One upload of this person's and one of another's, and a project with each."""
    store = Store.open()
    for name, owner in (("mine-1", "local"), ("theirs-1", "bruno")):
        place = shutil.copytree(tiny_source, uploads.folder(name, store))
        about = {"title": f"Leaves of {owner}", "owner": owner, "added": 1.0, "input_size": 32}
        (place / uploads.ABOUT).write_text(json.dumps(about))
    projects = []
    for name in ("mine-1", "theirs-1"):
        projects.append(ui_seed.project(store, name=name))
        store.projects.save_draft(projects[-1], {"task": TASK, "source": f"uploaded/{name}"})
    return SimpleNamespace(store=store, mine=projects[0], theirs=projects[1])


def test_only_own_uploads_are_listed_and_removed(brought):
    at = opened("source", project=brought.theirs)
    titles = set(at.dataframe[0].value["title"])
    assert "Leaves of local" in titles
    assert "Leaves of bruno" not in titles
    assert "source-remove" not in {button.key for button in at.button}
    at = opened("source", project=brought.mine)
    at.button(key="source-remove").click().run()
    at.button(key="source-remove-go").click().run()
    assert not at.exception
    assert uploads.uploaded(brought.store, "local") == []
    assert brought.store.projects.get(brought.mine, "local").draft["source"] != "uploaded/mine-1"
    assert len(uploads.uploaded(brought.store, "bruno")) == 1


def test_an_upload_that_unfinished_work_needs_is_not_removed(brought):
    brought.store.jobs.submit("measure", "local", {"task": TASK, "dataset": "abc", "source": "uploaded/mine-1"})
    at = opened("source", project=brought.mine)
    at.button(key="source-remove").click().run()
    assert "Work that is not finished needs it" in said(at)
    assert at.button(key="source-remove-go").disabled


def own_model(project):
    """The page Source with the box for a model of one's own, and the way for large ones, open."""
    at = opened("source", project=project)
    at.session_state["own-model"] = True
    at.session_state["source-large"] = True
    at.run()
    assert not at.exception, at.exception
    return at


def test_the_uploader_of_models_names_what_the_server_takes(brought):
    uploader = own_model(brought.mine).file_uploader(key="source-upload")
    limit = st.get_option("server.maxUploadSize")
    assert uploader.proto.max_upload_size_mb == limit
    assert f"{limit} MB a file" in uploader.help


def test_a_large_model_comes_by_an_address_of_its_own(brought, tiny_source, monkeypatch):
    monkeypatch.setattr(uploads, "try_out", lambda folder, *named: 32)
    at = own_model(brought.mine)
    at.button(key="door-open").click().run()
    assert "model.zip" in at.code[0].value
    secret = at.session_state[large_uploads.SOURCE_TOKEN]
    assert large_uploads.TOKEN not in at.session_state, "examples have an address of their own"
    for name in ("config.json", "model.safetensors"):
        file = upload_tokens.Arriving(brought.store.home, secret, name)
        file.write((tiny_source / name).read_bytes())
        file.done()
    at.run()
    at.text_input(key="source-upload-name").set_value("Sent leaves").run()
    at.button(key="source-upload-go").click().run()
    assert not at.exception, at.exception
    [model] = [one for one in uploads.uploaded(brought.store, "local") if one.title == "Sent leaves"]
    assert brought.store.projects.get(brought.mine, "local").draft["source"] == model.id
    assert not upload_tokens.is_open(brought.store.home, secret)
