"""Who may use the console and the API here: whoever holds this home's token. It stands in for the deployed OIDC authoriser."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from caseline_local.engine.proxy import HttpAnswer, HttpRequest, answer_json

AUTHORISED: Mapping[str, str] = {"principalId": "local", "roles": "admin"}
_COOKIE = "caseline"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_SAFE = {"GET", "HEAD", "OPTIONS"}
_HINT = b"""<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Caseline: sign in</title></head>
<body><main><h1>Sign in to Caseline</h1><p>Open the address that <code>caseline dev</code> printed, or paste the token of the file <code>api-token</code>.</p>
<form action="/login"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="off" required autofocus> <button>Sign in</button></form>
</main></body></html>"""
_PRIVATE = [
    ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"), ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'"),
]  # fmt: skip


class Access:
    """Checks requests against `token`; `public_url`'s host is served besides the loopback ones."""

    def __init__(self, token: str, public_url: str) -> None:
        self._token = token.encode()
        self._hosts = _LOOPBACK | {urlsplit(public_url).hostname or "localhost"}

    def serves_host(self, request: HttpRequest) -> bool:
        """A page of a stranger's whose name was made to resolve to this machine sends its own name: refuse it."""
        try:
            return urlsplit(f"//{request.header('host')}").hostname in self._hosts
        except ValueError:
            return False

    def allows(self, request: HttpRequest) -> bool:
        scheme, _, credential = request.header("authorization").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(credential.strip())
        return self._is_token(_read_cookie(request)) and (request.method in _SAFE or _is_same_origin(request))

    def sign_in(self, request: HttpRequest) -> HttpAnswer | None:
        """The answer to a request that signs in or out; None for any other."""
        if request.path.rstrip("/") == "/logout":
            return _redirect("/login", f"{_COOKIE}=; Max-Age=0; HttpOnly; SameSite=Strict; Path=/")
        given = parse_qs(request.query).get("token", [""])[0]
        at_login = request.path.rstrip("/") == "/login"
        if request.method == "GET" and given and (at_login or request.path.rstrip("/") == "/console") and self._is_token(given):
            return _redirect("/console", f"{_COOKIE}={given}; HttpOnly; SameSite=Strict; Path=/")
        return _hint() if at_login else None

    def refuse(self, request: HttpRequest) -> HttpAnswer:
        return _hint() if request.path.startswith("/console") else answer_json(401, {"message": "Unauthorized"})

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token)


def _read_cookie(request: HttpRequest) -> str:
    try:
        found = SimpleCookie(request.header("cookie")).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _is_same_origin(request: HttpRequest) -> bool:
    """Browsers say where a form came from; what is not a browser need not."""
    origin = request.header("origin")
    return not origin or urlsplit(origin).netloc == request.header("host")


def _redirect(path: str, cookie: str) -> HttpAnswer:
    return HttpAnswer(303, [("Location", path), ("Set-Cookie", cookie), *_PRIVATE])


def _hint() -> HttpAnswer:
    return HttpAnswer(401, [("Content-Type", "text/html; charset=utf-8"), *_PRIVATE], _HINT)
