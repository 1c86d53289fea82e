"""Source models that a person uploaded, on the page Source: listed for their owner, who may remove them."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest
import ui_seed
from test_ui_pages import home, opened, said  # noqa: F401  (a fixture)

from tlcore.models import uploads
from tlcore.store import Store

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
