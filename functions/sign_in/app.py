"""Sign people in with the issuer by the code flow, and out again. The session is the issuer's ID token in a cookie no script can read."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools import Logger
from caseline.errors import UnavailableError
from caseline.oidc import LOGIN_TAKES, Login, TokenError, open_login, seal_login
from caseline.people import SESSION, read_cookie
from caseline.wiring import wiring

logger = Logger()
LOGIN = "__Host-caseline-login"
COOKIE = "{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}"
HEADERS = {
    "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Caseline</title><main><h1>{text}</h1><p><a href="{login}">Sign in</a></p></main></html>'
LARGEST_COOKIE = 4000  # bytes: browsers drop larger ones without a word


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    try:
        return ROUTES[event["path"].rstrip("/")](event)
    except TokenError as error:
        logger.info("sign-in refused", extra={"reason": str(error)})
        return page(403, "Signing in did not work. Start again.", clear(LOGIN))
    except UnavailableError as error:
        logger.warning("sign-in not possible", extra={"reason": str(error)})
        return page(503, "The sign-in service does not answer. Try again in a moment.")


def start(event: dict[str, Any]) -> dict[str, Any]:
    """To the issuer, with a state, a nonce and a verifier that only this browser has."""
    wanted = (event.get("queryStringParameters") or {}).get("to")
    login = Login(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), return_path(wanted))
    cookie = COOKIE.format(name=LOGIN, value=seal_login(login, wiring().client_secret(), wiring().clock()), seconds=LOGIN_TAKES)
    return redirect(wiring().provider.login_url(login, redirect_uri()), cookie)


def finish(event: dict[str, Any]) -> dict[str, Any]:
    """Back from the issuer: the code becomes an ID token, the token a session as long as it is valid."""
    asked = event.get("queryStringParameters") or {}
    if "code" not in asked:
        raise TokenError("the issuer did not sign this person in")
    login = open_login(read_cookie(event, LOGIN), asked.get("state", ""), wiring().client_secret(), wiring().clock())
    token, claims = wiring().provider.redeem(asked["code"], login, redirect_uri(), wiring().client_secret())
    if len(token) > LARGEST_COOKIE:
        raise TokenError("the ID token is too large for a cookie; let the issuer put fewer claims into it")
    seconds = max(0, int(claims["exp"] - wiring().clock().timestamp()))
    return redirect(address() + login.return_to, COOKIE.format(name=SESSION, value=token, seconds=seconds), clear(LOGIN))


def sign_out(event: dict[str, Any]) -> dict[str, Any]:
    return page(200, "You are signed out.", clear(SESSION))


ROUTES = {"/login": start, "/login/callback": finish, "/logout": sign_out}


def return_path(asked: str | None) -> str:
    """A page of the console; anything else, another site's above all, is the queue."""
    parts = urlsplit(asked or "")
    plain = not parts.scheme and not parts.netloc and "\\" not in parts.path and parts.path.isprintable()
    return parts.path if plain and (parts.path == "/console" or parts.path.startswith("/console/")) else "/console"


def address() -> str:
    return wiring().environ["CONSOLE_URL"].rstrip("/")


def redirect_uri() -> str:
    return f"{address()}/login/callback"


def clear(name: str) -> str:
    return COOKIE.format(name=name, value="", seconds=0)


def redirect(location: str, *cookies: str) -> dict[str, Any]:
    return {"statusCode": 303, "headers": HEADERS | {"Location": location}, "multiValueHeaders": {"Set-Cookie": list(cookies)}, "body": ""}


def page(status: int, text: str, *cookies: str) -> dict[str, Any]:
    headers, body = HEADERS | {"Content-Type": "text/html; charset=utf-8"}, PAGE.format(text=text, login=f"{address()}/login")
    return {"statusCode": status, "headers": headers, "multiValueHeaders": {"Set-Cookie": list(cookies)}, "body": body}
