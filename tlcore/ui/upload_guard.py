"""Access control and memory limits for Streamlit's upload route.

Streamlit keeps each uploaded file in the memory of the web process until its session ends, and requires only a session
and an XSRF token, which anybody can get. If sign-in is configured, `UploadGuard` rejects users who are not signed in.
It also limits the bytes per session and per user. `free_ended_sessions` ends expired sessions on time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from streamlit import config, runtime
from streamlit.logger import get_logger

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.store.store import LOCAL_OWNER
from tlcore.store.upload_limits import RECORD, UploadLimits
from tlcore.ui import sign_in

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SWEEP = 15.0  # seconds between two sweeps for ended sessions
_ROUTE = re.compile(r"_stcore/upload_file(?:/(?P<session>[^/]*))?")
_LOGGER = get_logger(__name__)


class UploadGuard:
    """ASGI middleware: rejects uploads before their body is read.

    Status 403 if sign-in is configured and the request is not signed in as the user of its session; 413 if the session
    or the user would exceed their `UploadLimits`. All other routes pass unchanged.
    """

    def __init__(self, app: ASGIApp, limits: UploadLimits):
        self._app, self._limits = app, limits
        self._person_of: dict[str, str] = {}  # session id → user
        self._arriving: dict[object, tuple[str, int]] = {}  # request in progress → (session id, bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _ROUTE.search(scope["path"]) if scope["type"] == "http" else None
        if found is None or scope["method"] == "OPTIONS":
            await self._app(scope, receive, send)
            return
        request, session = Request(scope), found["session"] or ""
        person = LOCAL_OWNER
        if sign_in.configured():
            identity = sign_in.of_cookies(request.cookies)
            opened_by = sign_in.of_session(session)
            if identity is None or opened_by is None or identity.key != opened_by.key:
                await _refuse(403, UnusableInput(sentence("Sign in to upload files."), code="not-signed-in"))(
                    scope, receive, send
                )
                return
            person = json.dumps(identity.key)
        if scope["method"] != "PUT":
            await self._app(scope, receive, send)
            return
        self._forget_empty_sessions()
        self._person_of[session] = person
        declared = request.headers.get("content-length", "")
        reserved = int(declared) if declared.isdecimal() else 0
        try:
            self._reserve(request, session, reserved)
        except UnusableInput as error:
            await _refuse(413, error)(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read, reserved
            message = await receive()
            read += len(message.get("body", b""))
            if read > reserved:  # no Content-Length was declared
                reserved = read
                try:
                    self._reserve(request, session, reserved)
                except UnusableInput as error:
                    raise HTTPException(413, error.code, {"Connection": "close"}) from None
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._arriving.pop(request, None)

    def _reserve(self, request: Request, session: str, size: int) -> None:
        """Reserve ``size`` bytes for a request in progress. Raises UnusableInput if this exceeds a limit."""
        self._arriving.pop(request, None)
        person = self._person_of[session]
        total = {one: _held(one) for one, whose in self._person_of.items() if whose == person}
        for one, arriving in self._arriving.values():
            if one in total:
                total[one] += arriving + RECORD
        for held, limit in ((total[session], self._limits.session), (sum(total.values()), self._limits.person)):
            if held + size > limit:
                raise UnusableInput(
                    sentence(
                        "Your open pages hold {held} MB of uploaded files; at most {limit} MB are taken. "
                        "Close other tabs, or send the file by a command.",
                        held=round(held / 2**20),
                        limit=round(limit / 2**20),
                    ),
                    code="upload-memory",
                )
        self._arriving[request] = (session, size)

    def _forget_empty_sessions(self) -> None:
        busy = {session for session, _ in self._arriving.values()}
        self._person_of = {one: who for one, who in self._person_of.items() if one in busy or _held(one)}


def _refuse(status: int, error: UnusableInput) -> JSONResponse:
    # The body is not read, so the connection cannot be reused.
    return JSONResponse({"error": error.to_json()}, status, {"Connection": "close"})


def _held(session: str) -> int:
    """The bytes of uploads that a session holds in memory."""
    if not runtime.exists():
        return 0
    files = runtime.get_instance().uploaded_file_mgr.file_storage.get(session, {})  # type: ignore[attr-defined]
    return sum(len(file.data) + RECORD for file in list(files.values()))


@contextlib.asynccontextmanager
async def upload_lifespan(limits: UploadLimits) -> AsyncIterator[None]:
    """Server lifespan: sets the limit that uploaders show, and frees ended sessions every `SWEEP` seconds."""
    configured = config.get_option("server.maxUploadSize")
    config.set_option("server.maxUploadSize", limits.file_megabytes(configured))

    async def sweep() -> None:
        while True:
            await asyncio.sleep(SWEEP)
            try:
                free_ended_sessions()
            except Exception:
                _LOGGER.exception("Ended sessions could not be freed")

    task = asyncio.create_task(sweep())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        config.set_option("server.maxUploadSize", configured)


def free_ended_sessions() -> None:
    """End sessions whose reconnect time (``server.disconnectedSessionTTL``) is over, and free their uploads.

    Streamlit itself drops them only when another session disconnects. Call it on the thread of the event loop.
    """
    if not runtime.exists():
        return
    running = runtime.get_instance()
    stored = running._session_mgr._session_storage  # type: ignore[attr-defined]
    for _, ended in stored._cache.expire():
        ended.session.shutdown()
    known = {info.session.id for info in (*stored.list(), *running._session_mgr.list_active_sessions())}
    for session in set(running.uploaded_file_mgr.file_storage) - known:  # type: ignore[attr-defined]
        running.uploaded_file_mgr.remove_session_files(session)
