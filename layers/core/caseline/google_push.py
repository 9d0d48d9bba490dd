"""Pub/Sub's pushes: a bearer token (OIDC) says who pushes. Settings `audience` and `service_account`, both needed, and `jwks` in place of the keys
that Google publishes.

Facts: cloud.google.com/pubsub, "Authentication for push". Not confirmed: the second form of the issuer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

from caseline.errors import PayloadError, SignatureError
from caseline.payloads import read_json
from caseline.signatures.jwts import sign_bearer, verify_bearer
from caseline.sources import Source
from caseline.web import WebhookRequest

CERTS = "https://www.googleapis.com/oauth2/v3/certs"
ISSUERS = ("https://accounts.google.com", "accounts.google.com")


def verify_push(request: WebhookRequest, source: Source) -> None:
    """Who signed, for whom, and on whose behalf."""
    audience, account = (source.settings.get(name) for name in ("audience", "service_account"))
    if not (isinstance(audience, str) and audience and isinstance(account, str) and account):
        raise SignatureError("audience and service_account are not configured")
    given = source.settings.get("jwks")
    keys = (lambda: given) if isinstance(given, Mapping) else partial(published_keys, int(request.received_at.timestamp()) // 3600)
    claims = verify_bearer(request.headers, keys, audience, request.received_at)
    if claims["iss"] not in ISSUERS or claims.get("email") != account or claims.get("email_verified") is not True:
        raise SignatureError("the token is not of the service account")


def sign_push(request: WebhookRequest, source: Source) -> WebhookRequest:
    """As Pub/Sub would send it, where the setting `jwks` holds a private key of a developer's own; for samples."""
    now, settings = int(request.received_at.timestamp()), source.settings
    key = next((key for key in (settings.get("jwks") or {}).get("keys", ()) if "d" in key), None)
    if key is None:
        return request
    person = {"iss": ISSUERS[0], "sub": "1", "email": settings.get("service_account"), "email_verified": True}
    return request.with_headers(sign_bearer({**person, "aud": settings.get("audience"), "iat": now, "exp": now + 3600}, key))


@lru_cache(maxsize=2)
def published_keys(hour: int) -> Mapping[str, Any]:
    """Google's keys, read from their one address at most once an hour; new ones are published long before they sign."""
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(CERTS, timeout=3) as answer:
            return read_json(answer.read(100_000)).object()
    except (OSError, HTTPException, PayloadError) as error:
        raise SignatureError("the keys cannot be read") from error
