"""Uploads into the memory of the web process: who may send them, how many bytes are held, and until when."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient
from streamlit import config, runtime
from streamlit.runtime.runtime import Runtime
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from tlcore.core.errors import UnusableInput
from tlcore.store import upload_limits
from tlcore.store.upload_limits import UploadLimits
from tlcore.ui import upload_guard, web

ORIGIN = "http://testserver"
SECRET = "a secret of thirty-two characters"
ANA = {"iss": "https://login.example.com", "sub": "ana", "origin": ORIGIN, "is_logged_in": True}
BEN = {**ANA, "sub": "ben"}
MB = 2**20
LARGE = 2 * MB - 1000  # bytes; with what is around it no more than a file may have


@pytest.fixture
def auth(tmp_path):
    """Sign-in is configured."""
    path = tmp_path / "secrets.toml"
    path.write_text(f'[auth]\nredirect_uri = "{ORIGIN}/oauth2callback"\ncookie_secret = "{SECRET}"\n')
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(path)])
    secrets_singleton._reset()
    yield
    config.set_option("secrets.files", before)
    secrets_singleton._reset()


@pytest.fixture
def studio(store, monkeypatch):
    """The real ASGI application, which takes 3 MB from a session and 4 MB from a person."""
    monkeypatch.setattr(upload_guard, "SWEEP", 0.05)
    ttl = config.get_option("server.disconnectedSessionTTL")
    config.set_option("server.disconnectedSessionTTL", 0.2)
    Runtime._instance = None
    with TestClient(web.app(store, UploadLimits(3 * MB, 4 * MB)), base_url=ORIGIN) as client:
        yield client
    Runtime._instance = None
    config.set_option("server.disconnectedSessionTTL", ttl)


def cookie(claims, secret=SECRET):
    return create_signed_value(secret, "_streamlit_user", json.dumps(claims)).decode()


def sign(client, claims, secret=SECRET):
    client.cookies.delete("_streamlit_user")
    if claims:
        client.cookies.set("_streamlit_user", cookie(claims, secret))


def token(client):
    client.get("/_stcore/health")
    return client.cookies["_streamlit_xsrf"]


@contextmanager
def tab(client):
    """An open page; gives the id of its session."""
    before = {info.session.id for info in runtime.get_instance()._session_mgr.list_active_sessions()}
    headers = {"Origin": ORIGIN}
    with client.websocket_connect("/_stcore/stream", ["streamlit", token(client)], headers=headers):
        until = time.monotonic() + 5
        while True:
            now = {info.session.id for info in runtime.get_instance()._session_mgr.list_active_sessions()}
            if now - before:
                break
            assert time.monotonic() < until
            time.sleep(0.01)
        yield (now - before).pop()


def put(client, session, size=100, name="a.zip", chunked=False):
    """Send a file as a page does; the status, and how many bytes of the body were read."""
    boundary = "boundary"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode()
    read = 0

    def body():
        nonlocal read
        left = head + b"x" * size + f"\r\n--{boundary}--\r\n".encode()
        while left:
            read += len(left[: MB // 2])
            yield left[: MB // 2]
            left = left[MB // 2 :]

    length = len(head) + size + len(boundary) + 8
    headers = {"X-Xsrftoken": token(client), "Content-Type": f"multipart/form-data; boundary={boundary}"}
    if not chunked:
        headers["Content-Length"] = str(length)
    answer = client.put(f"/_stcore/upload_file/{session}/{name}", content=body(), headers=headers)
    return answer.status_code, answer


def held():
    return sum(len(f.data) for s in runtime.get_instance().uploaded_file_mgr.file_storage.values() for f in s.values())


def test_who_is_not_signed_in_sends_nothing(auth, studio):
    with tab(studio) as session:
        status, answer = put(studio, session)
        assert (status, answer.json()["error"]["code"]) == (403, "not-signed-in")
        assert answer.headers["connection"] == "close"
        sign(studio, ANA, secret="another secret than the server's")
        assert put(studio, session)[0] == 403
        sign(studio, {**ANA, "is_logged_in": False})
        assert put(studio, session)[0] == 403
        assert studio.delete(f"/_stcore/upload_file/{session}/a.zip").status_code == 403
    assert held() == 0


def test_a_refused_body_is_not_read(auth, studio):
    """The application, called as a server does it, never asks for the body."""
    import anyio

    asked, sent = [], []

    async def receive():
        asked.append(1)
        return {"type": "http.request", "body": b"x" * MB, "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/_stcore/upload_file/some-session/some-file",
        "headers": [(b"content-length", b"157286400")],
        "query_string": b"",
    }
    anyio.run(studio.app, scope, receive, send)
    assert sent[0]["status"] == 403
    assert not asked


def test_who_is_signed_in_sends_to_their_own_session(auth, studio):
    sign(studio, ANA)
    with tab(studio) as session:
        assert put(studio, session, 1000)[0] == 204
        assert held() == 1000
        sign(studio, BEN)
        assert put(studio, session)[0] == 403
        sign(studio, ANA)
        assert (
            studio.delete(f"/_stcore/upload_file/{session}/a.zip", headers={"X-Xsrftoken": token(studio)}).status_code
            == 204
        )
        assert held() == 0


def test_without_sign_in_a_page_takes_uploads(studio):
    with tab(studio) as session:
        assert put(studio, session)[0] == 204
        assert config.get_option("server.maxUploadSize") == 2, "what the uploaders of the pages name"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_session_and_a_person_are_capped(studio, chunked):
    with tab(studio) as session, tab(studio) as second:
        assert put(studio, session, LARGE, "a")[0] == 204
        status, answer = put(studio, session, LARGE, "b", chunked)
        assert status == 413
        assert chunked or answer.json()["error"]["code"] == "upload-memory"
        assert put(studio, second, MB, "c")[0] == 204
        assert put(studio, second, LARGE, "d", chunked)[0] == 413  # of all tabs together
        assert held() == LARGE + MB
        studio.delete(f"/_stcore/upload_file/{session}/a", headers={"X-Xsrftoken": token(studio)})
        assert put(studio, second, MB + MB // 2, "d", chunked)[0] == 204


def test_each_signed_in_person_has_a_cap_of_their_own(auth, studio):
    sign(studio, ANA)
    with tab(studio) as hers, tab(studio) as also_hers:
        assert put(studio, hers, LARGE)[0] == 204
        assert put(studio, also_hers, MB)[0] == 204
        assert put(studio, also_hers, LARGE, "b")[0] == 413
        sign(studio, BEN)
        with tab(studio) as his:
            assert put(studio, his, LARGE)[0] == 204


def test_an_abandoned_upload_is_freed_by_the_clock(studio):
    with tab(studio) as session:
        assert put(studio, session, MB)[0] == 204
    until = time.monotonic() + 5
    while held():
        assert time.monotonic() < until, "the files of a closed tab stayed"
        time.sleep(0.02)
    manager = runtime.get_instance()._session_mgr
    assert not manager._session_storage._cache.currsize


def test_limits_come_from_the_environment(monkeypatch):
    assert UploadLimits.from_environment() == UploadLimits(400 * MB, 800 * MB)
    monkeypatch.setenv(upload_limits.SESSION_MB, "1.5")
    monkeypatch.setenv(upload_limits.PERSON_MB, "20")
    assert UploadLimits.from_environment() == UploadLimits(3 * MB // 2, 20 * MB)
    for wrong in ("many", "0", "-1", "nan", "inf"):
        monkeypatch.setenv(upload_limits.PERSON_MB, wrong)
        with pytest.raises(UnusableInput):
            UploadLimits.from_environment()


def test_an_uploader_names_no_more_than_is_taken():
    assert UploadLimits(400 * MB, 800 * MB).file_megabytes(200) == 200
    assert UploadLimits(100 * MB, 800 * MB).file_megabytes(200) == 99
    assert UploadLimits(100 * MB, 50 * MB).file_megabytes(200) == 49
