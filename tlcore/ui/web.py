"""The web server: the pages of the studio, two extra routes, and the upload guard.

``GET /healthz`` reports whether the server and its database respond. ``PUT /api/upload/<secret>/<name>`` accepts large
files (tlcore/store/upload_tokens.py). ``app.py`` is a plain script, so `streamlit run app.py` also works, but without
these routes and without the limits of ``upload_guard``.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import t
from tlcore.execution import processes
from tlcore.store import Store
from tlcore.store.upload_limits import UploadLimits
from tlcore.store.upload_tokens import Arriving
from tlcore.ui import sign_in
from tlcore.ui.upload_guard import UploadGuard, upload_lifespan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app.py"
PIECE = 4 * 2**20  # bytes buffered in memory before a write
STATUS = {"upload-address": 404, "upload-too-large": 413, "upload-files": 409, "disk-full": 507}


def app(store: Store, limits: UploadLimits | None = None) -> st.App:
    """The studio as an ASGI application; without ``limits``, the upload limits come from the environment."""

    async def health(_: Request) -> JSONResponse:
        try:
            await run_in_threadpool(store.jobs.running)
        except Exception:
            return JSONResponse({"status": "the database does not answer"}, status_code=503)
        return JSONResponse({"status": "ok"})

    async def upload(request: Request) -> JSONResponse:
        try:
            return JSONResponse(await _take(request, store.home), status_code=201)
        except UnusableInput as error:
            # The rest of the body is not read, so the connection cannot be reused.
            return JSONResponse({"error": error.to_json()}, STATUS.get(error.code, 400), {"Connection": "close"})
        except ClientDisconnect:
            return JSONResponse({"error": {"code": "upload-incomplete"}}, status_code=400)

    routes = [
        Route("/healthz", health, methods=["GET"]),
        Route("/api/upload/{secret}/{name}", upload, methods=["PUT"]),
    ]
    limits = limits or UploadLimits.from_environment()
    return st.App(
        APP,
        routes=routes,
        middleware=[Middleware(UploadGuard, limits=limits)],
        lifespan=lambda _: _lifespan(limits),
    )


@asynccontextmanager
async def _lifespan(limits: UploadLimits) -> AsyncIterator[None]:
    """The lifespan of the server, from the loading of its settings to its end."""
    if problem := sign_in.problem():
        print(t(problem), file=sys.stderr, flush=True)
    async with upload_lifespan(limits):
        yield


async def _take(request: Request, home: Path) -> Mapping[str, Any]:
    """Write the request body to the workspace in chunks."""
    size = request.headers.get("content-length", "")
    arriving = await run_in_threadpool(
        Arriving,
        home,
        request.path_params["secret"],
        request.path_params["name"],
        int(size) if size.isdecimal() else None,
    )
    piece = bytearray()
    try:
        async for data in request.stream():
            piece += data
            if len(piece) >= PIECE:
                await run_in_threadpool(arriving.write, bytes(piece))
                piece.clear()
        await run_in_threadpool(arriving.write, bytes(piece))
        return {"received": arriving.path.name, "bytes": await run_in_threadpool(arriving.done)}
    except BaseException:
        arriving.give_up()
        raise


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tlcore.ui.web")
    parser.add_argument("--workspace")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--parent", type=int, help="stop when this process ends")
    given = parser.parse_args(arguments)
    if given.parent:
        processes.die_with(given.parent, signal.SIGTERM)
    store = Store.open(given.workspace)
    os.environ["TLCORE_HOME"] = str(store.home)  # so that the pages open the same workspace
    os.chdir(ROOT)  # the folder of .streamlit/config.toml
    sys.argv = [str(APP)]
    app(store).run(config={"server.address": given.host, "server.port": given.port, "server.headless": True})


if __name__ == "__main__":
    main()
