"""Access tokens of Google's APIs: for a service account by a signed JWT (RFC 7523), for a person's consent by its refresh token."""

from __future__ import annotations

from typing import Any

from caseline.calls import read_answer, read_credentials
from caseline.errors import UnavailableError
from caseline.payloads import Field
from caseline.sources import Source

TOKEN_HOST = "oauth2.googleapis.com"  # noqa: S105 - a host
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def open_token(session: Any, source: Source, scope: str) -> str:
    """An access token. The credentials are a key file of a service account, or `{"client_id", "client_secret", "refresh_token"}`."""
    key = read_credentials(source)
    form = _refresh_form(key) if "refresh_token" in key else {"grant_type": GRANT, "assertion": _sign_assertion(key, scope, int(session.now().timestamp()))}
    return read_answer(session.request("POST", TOKEN_URL, data=form), "a token")["access_token"].text()


def _refresh_form(key: Field) -> dict[str, str]:
    return {"grant_type": "refresh_token", **{name: key[name].text() for name in ("client_id", "client_secret", "refresh_token")}}


def _sign_assertion(key: Field, scope: str, now: int) -> str:
    import jwt

    claims = {"iss": key["client_email"].text(), "scope": scope, "aud": TOKEN_URL, "iat": now, "exp": now + 3600}
    try:
        return jwt.encode(claims, key["private_key"].text(), algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError) as error:
        raise UnavailableError("the service account's private key is not a key") from error
