"""OpenID Connect, as much as a relying party needs: who signed a token, and the code flow with PKCE, state and nonce.

Facts from OpenID Connect Core 1.0 (3.1.2, 3.1.3.7), RFC 7636 (PKCE) and RFC 8725 (algorithms are fixed by us, never by the token).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import jwt

from caseline.errors import CaselineError, UnavailableError
from caseline.people import READER, ROLES

ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
LEEWAY = 30  # seconds between our clock and the issuer's
KEYS_FOR, REFETCH_AFTER = 600, 30  # seconds that keys are kept, and that pass before an unknown key id asks again
LOGIN_TAKES = 600  # seconds to sign in at the issuer
TIMEOUT, LARGEST = 5, 256 * 1024
ROLE_CLAIMS = ("roles", "groups", "cognito:groups")

Fetch = Callable[[str, Mapping[str, str] | None], dict[str, Any]]


class TokenError(CaselineError):
    """The token does not prove who this is. The text says which check failed and never holds the token."""


@dataclass(frozen=True)
class Settings:
    """`audiences` are what a token may be made for; `hosts` those that the issuer's endpoints may stand on besides its own host."""

    issuer: str
    client_id: str
    audiences: frozenset[str]
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Login:
    """What must survive the trip to the issuer and back, in a signed cookie."""

    state: str
    nonce: str
    verifier: str
    return_to: str


@dataclass
class Provider:
    """One issuer. `fetch(url, form)` gets a JSON object, by POST where there is a form; `clock` gives aware UTC times."""

    settings: Settings
    fetch: Fetch
    clock: Callable[[], datetime]
    _metadata: dict[str, Any] = field(default_factory=dict)
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    _keys_at: float = float("-inf")

    def check_token(self, token: str, nonce: str | None = None) -> dict[str, Any]:
        """The claims of a token that the issuer signed for us and that is valid now; TokenError otherwise."""
        key = self._key_of(token)
        try:
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=list(ALGORITHMS), audience=sorted(self.settings.audiences), issuer=self.settings.issuer,
                options={"require": ["exp", "iss", "aud", "sub"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise TokenError(f"the token was refused: {type(error).__name__}") from None
        _check_times(claims, self.clock().timestamp())
        _check_party(claims, self.settings.client_id)
        if nonce is not None and not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise TokenError("the token was made for another sign-in")
        return claims

    def login_url(self, login: Login, redirect_uri: str) -> str:
        """Where the browser goes to sign in."""
        asked = {
            "response_type": "code", "client_id": self.settings.client_id, "redirect_uri": redirect_uri, "scope": "openid profile email",
            "state": login.state, "nonce": login.nonce, "code_challenge": challenge_of(login.verifier), "code_challenge_method": "S256",
        }
        return f"{self._endpoint('authorization_endpoint')}?{urlencode(asked)}"

    def redeem(self, code: str, login: Login, redirect_uri: str, client_secret: str) -> tuple[str, dict[str, Any]]:
        """The ID token that the code stands for, checked, with its claims."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": login.verifier,
            "client_id": self.settings.client_id, "client_secret": client_secret,
        }
        token = self.fetch(self._endpoint("token_endpoint"), form).get("id_token")
        if not isinstance(token, str):
            raise TokenError("the issuer gave no ID token")
        return token, self.check_token(token, login.nonce)

    def _key_of(self, token: str) -> jwt.PyJWK:
        if not self.settings.issuer or not self.settings.audiences:
            raise TokenError("no issuer is configured")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise TokenError("this is not a token") from None
        kind, key_id = ALGORITHMS.get(str(header.get("alg"))), str(header.get("kid"))
        if kind is None:
            raise TokenError("the token's algorithm is not accepted")
        key = self._find_key(key_id)
        if key is None or key.key_type != kind:
            raise TokenError("no key of the issuer signed this")
        return key

    def _find_key(self, key_id: str) -> jwt.PyJWK | None:
        age = self.clock().timestamp() - self._keys_at
        if age > KEYS_FOR or (key_id not in self._keys and age > REFETCH_AFTER):
            self._keys, self._keys_at = _read_keys(self.fetch(self._endpoint("jwks_uri"), None)), self.clock().timestamp()
        return self._keys.get(key_id)

    def _endpoint(self, name: str) -> str:
        if not self._metadata:
            found = self.fetch(self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration", None)
            if found.get("issuer") != self.settings.issuer:
                raise UnavailableError("the issuer's metadata names another issuer")
            self._metadata = found
        return check_host(str(self._metadata.get(name, "")), self.settings)


def check_host(url: str, settings: Settings) -> str:
    """The URL, if it stands on the issuer's host or one that was configured."""
    issuer, parts = urlsplit(settings.issuer), urlsplit(url)
    if parts.scheme != issuer.scheme or not parts.netloc or parts.netloc not in settings.hosts | {issuer.netloc}:
        raise UnavailableError("an endpoint of the issuer stands on a host that is not configured")
    return url


def read_roles(claims: Mapping[str, Any]) -> list[str]:
    """The roles or groups of the token that mean something here; whoever has none may read."""
    listed: Any = next((claims[name] for name in ROLE_CLAIMS if claims.get(name)), [])
    named = {role for role in (listed if isinstance(listed, list) else [listed]) if isinstance(role, str)}
    return sorted(named & ROLES) or [READER]


def read_name(claims: Mapping[str, Any]) -> str:
    """What stands in a case's history: the mail address where there is one."""
    return str(claims.get("email") or claims.get("preferred_username") or claims["sub"])


def challenge_of(verifier: str) -> str:
    return _base64url(hashlib.sha256(verifier.encode()).digest())


def seal_login(login: Login, secret: str, now: datetime) -> str:
    """The login as a cookie value that only we can make, good for ten minutes."""
    body = _base64url(json.dumps({**login.__dict__, "until": int(now.timestamp()) + LOGIN_TAKES}).encode())
    return f"{body}.{_seal(body, secret)}"


def open_login(cookie: str, state: str, secret: str, now: datetime) -> Login:
    """The login that a cookie holds; TokenError unless we made it, lately, for this state."""
    body, _, seal = cookie.partition(".")
    if not hmac.compare_digest(seal.encode("utf-8", "replace"), _seal(body, secret).encode()):
        raise TokenError("the sign-in was not started here")
    data = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    if data.pop("until") < now.timestamp() or not hmac.compare_digest(data["state"].encode(), state.encode("utf-8", "replace")):
        raise TokenError("the sign-in took too long or belongs to another window")
    return Login(**data)


def fetch_json(url: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A JSON object over HTTP: no redirects, a deadline, a size cap."""
    body = urlencode(form).encode() if form is not None else None
    try:
        with _OPENER.open(Request(url, data=body, headers={"Accept": "application/json"}), timeout=TIMEOUT) as response:  # noqa: S310 - check_host saw it
            data = json.loads(response.read(LARGEST + 1)[:LARGEST])
    except (URLError, OSError, ValueError) as error:
        raise UnavailableError(f"the issuer did not answer: {type(error).__name__}") from None
    if not isinstance(data, dict):
        raise UnavailableError("the issuer answered something else than an object")
    return data


class _StayPut(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = build_opener(_StayPut)


def _read_keys(found: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """The issuer's signing keys by id; keys of kinds that we do not know are left out."""
    usable = [key for key in found.get("keys", ()) if key.get("kty") in ALGORITHMS.values() and key.get("use", "sig") == "sig" and key.get("kid")]
    return {str(key["kid"]): jwt.PyJWK(key, _algorithm_of(key)) for key in usable if _algorithm_of(key) in ALGORITHMS}


def _algorithm_of(key: Mapping[str, Any]) -> str:
    return str(key.get("alg") or {"RSA": "RS256", "EC": "ES256"}[key["kty"]])


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    try:
        ends, starts = float(claims["exp"]), float(claims.get("nbf", claims.get("iat", 0)))
    except (TypeError, ValueError):
        raise TokenError("the token's times are not numbers") from None
    if not (starts - LEEWAY <= now < ends + LEEWAY):
        raise TokenError("the token is not valid now")


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """A token for several audiences says to whom it was given, and that must be us."""
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != client_id:
        raise TokenError("the token was given to another party")


def _seal(body: str, secret: str) -> str:
    key = hmac.new(secret.encode(), b"caseline sign-in cookie", hashlib.sha256).digest()
    return _base64url(hmac.new(key, body.encode("utf-8", "replace"), hashlib.sha256).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
