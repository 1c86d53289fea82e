"""Sign-in by OpenID Connect (``st.login``): whether it is configured and works, and the signed-in identity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec

from streamlit import runtime
from streamlit.auth_util import get_cookie_with_chunks, get_secrets_auth_section, is_authlib_installed
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from tlcore.core.i18n import Sentence, sentence
from tlcore.store.users import Identity


def configured() -> bool:
    """Whether ``.streamlit/secrets.toml`` has an ``[auth]`` section."""
    return bool(get_secrets_auth_section())


def problem() -> Sentence | None:
    """Why sign-in is configured but cannot work; None if it works or is not configured."""
    if configured() and not (is_authlib_installed() and find_spec("httpx")):
        return sentence(
            "Nobody can sign in: .streamlit/secrets.toml has an [auth] section, but Authlib and httpx, which sign-in "
            "needs, are not installed. Run: pip install -r requirements-server.txt"
        )
    return None


def of_cookies(cookies: Mapping[str, str]) -> Identity | None:
    """The identity in Streamlit's signed sign-in cookie; None if there is none or its signature is invalid."""
    secret = get_cookie_secret()
    if not secret:
        return None

    def decoded(name: str) -> bytes | None:
        try:
            signed = cookies[name].encode("latin-1")
        except (KeyError, UnicodeEncodeError):
            return None
        return decode_signed_value(secret, name, signed)

    try:
        claims = json.loads(get_cookie_with_chunks(decoded, USER_COOKIE_NAME) or b"null")
    except ValueError:
        return None
    return Identity.from_claims(claims) if isinstance(claims, dict) else None


def of_session(session: str) -> Identity | None:
    """The signed-in identity of a connected session, by session id; None if there is none."""
    connected = runtime.get_instance().get_app_session(session) if runtime.exists() else None
    return Identity.from_claims(connected._user_info) if connected else None
