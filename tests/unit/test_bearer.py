"""Tokens: those that Pub/Sub shows us, and those that we show Google and Apple."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from caseline.calls import read_credentials, webhook_secrets
from caseline.channels import app_store, google_business
from caseline.errors import PayloadError, SignatureError, UnavailableError
from caseline.google import open_token
from caseline.google_push import published_keys
from caseline.outbound import Answer
from caseline.signals import parse_time
from caseline.signatures.jwts import sign_bearer
from caseline.sources import Source
from caseline.web import WebhookRequest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.kit.samples import changed_headers

NOW = parse_time("2026-03-14T09:30:00Z")
KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
ACCOUNT, AUDIENCE = "push@acme-cx.iam.gserviceaccount.com", "https://hooks.example.com/webhooks/google_business"


def jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    return json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key)) | {"kid": kid}


def public(key: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name in ("kty", "n", "e", "kid")}


def source(*keys: dict[str, Any], **settings: Any) -> Source:
    return Source("default", "acme", settings={"jwks": {"keys": list(keys)}, "audience": AUDIENCE, "service_account": ACCOUNT, **settings})


def pem(key: Any) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


MINE = jwk(KEY, "k1")
CLAIMS = {
    "iss": "https://accounts.google.com", "aud": AUDIENCE, "email": ACCOUNT, "email_verified": True, "sub": "1",
    "iat": int(NOW.timestamp()) - 60, "exp": int(NOW.timestamp()) + 3000,
}
ANY_TIME: Any = {"verify_exp": False, "verify_iat": False}
UNSIGNED = WebhookRequest("POST", AUDIENCE, {"content-type": "application/json"}, b"{}", NOW)


def shown(key: dict[str, Any] = MINE, **claims: Any) -> WebhookRequest:
    made = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    return UNSIGNED.with_headers(sign_bearer(made, key))


def test_a_token_of_the_service_account_is_accepted() -> None:
    google_business.verify(shown(), source(public(jwk(OTHER, "k0")), public(MINE)))
    google_business.verify(shown(iss="accounts.google.com", aud=[AUDIENCE]), source(public(MINE)))


def test_a_developer_signs_with_a_key_of_their_own() -> None:
    mine = source(MINE)
    google_business.verify(google_business.sign(UNSIGNED, mine), mine)
    assert google_business.sign(UNSIGNED, source(public(MINE))) == UNSIGNED == google_business.sign(UNSIGNED, Source("default", "acme"))


@pytest.mark.parametrize("claims", [
    {"aud": "https://hooks.example.com/"}, {"aud": None}, {"aud": []}, {"email": "other@acme-cx.iam.gserviceaccount.com"}, {"email": None},
    {"email_verified": False}, {"email_verified": "true"}, {"email_verified": None},
    {"iss": "https://accounts.example.com"}, {"iss": None},
    {"exp": int(NOW.timestamp())}, {"exp": None}, {"exp": "soon"}, {"exp": True}, {"iat": int(NOW.timestamp()) + 301}, {"iat": None}, {"iat": "now"},
], ids=str)
def test_a_token_for_another_purpose_or_time_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(SignatureError):
        google_business.verify(shown(**claims), source(public(MINE)))


@pytest.mark.parametrize("settings", [
    {"jwks": {}}, {"jwks": {"keys": None}}, {"jwks": {"keys": [1]}}, {"jwks": {"keys": [{"kid": "k1"}]}},
    {"jwks": {"keys": [{"kid": "k1", "kty": "RSA", "n": "!", "e": "AQAB"}]}},
    {"audience": ""}, {"audience": None}, {"audience": [AUDIENCE]}, {"service_account": ""}, {"service_account": None},
], ids=str)
def test_without_keys_audience_or_account_nothing_is_accepted(settings: dict[str, Any]) -> None:
    with pytest.raises(SignatureError):
        google_business.verify(shown(), source(public(MINE), **settings))


def test_another_key_algorithm_or_spelling_is_refused() -> None:
    given = source(public(MINE))
    token = shown().headers["authorization"].removeprefix("Bearer ")
    head, claims, signature = token.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "k1"}).encode()).decode().rstrip("=")
    deep = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 2500).decode().rstrip("=")
    hmac = jwt.encode(CLAIMS, "x" * 40, algorithm="HS256", headers={"kid": "k1"})
    spoilt = [
        f"{none}.{claims}.", f"{none}.{claims}.{signature}", f"{deep}.{claims}.{signature}", hmac, f"{head}.{signature}", token + "=", f"{token}A",
        f"{head}.{claims}.{signature[:-1]}~", f"{head}..{signature}", f"{token}.{signature}", f"{token}\n",
    ]
    requests = [UNSIGNED.with_headers({"authorization": f"Bearer {each}"}) for each in spoilt]
    requests += [UNSIGNED, shown(jwk(OTHER, "k1")), shown(jwk(OTHER, "k9")), UNSIGNED.with_headers({"authorization": f"Basic {token}"})]
    requests += [changed for _, changed in changed_headers(shown())]
    for request in requests:
        with pytest.raises(SignatureError):
            google_business.verify(request, given)


def test_a_token_expires() -> None:
    for seconds, right in ((0, True), (2999, True), (3000, False), (-360, True), (-361, False)):
        request = replace(shown(), received_at=NOW + timedelta(seconds=seconds))
        if right:
            google_business.verify(request, source(public(MINE)))
        else:
            with pytest.raises(SignatureError):
                google_business.verify(request, source(public(MINE)))


def test_googles_published_keys_are_read_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> io.BytesIO:
        asked.append(url)
        if len(asked) == 1:
            raise OSError("no route")
        return io.BytesIO(json.dumps({"keys": [public(MINE)]}).encode())

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    published_keys.cache_clear()
    without_keys = source(jwks=None)
    with pytest.raises(SignatureError):
        google_business.verify(shown(), without_keys)
    for _ in range(3):
        google_business.verify(shown(), without_keys)
    with pytest.raises(SignatureError):
        google_business.verify(UNSIGNED.with_headers({"authorization": "Bearer x"}), without_keys)
    assert asked == ["https://www.googleapis.com/oauth2/v3/certs"] * 2


class Platform:
    """Answers every call alike and keeps what was asked."""

    def __init__(self, status: int = 200, content: bytes = b'{"access_token": "sample-access"}') -> None:
        self.status, self.content, self.asked = status, content, dict[str, Any]()

    def now(self) -> Any:
        return NOW

    def request(self, method: str, url: str, **options: Any) -> Answer:
        self.asked = {"method": method, "url": url, **options}
        return Answer(self.status, {}, self.content)


def signed_in(**credentials: str) -> Source:
    return Source("default", "acme", secrets=["sample-webhook-secret", json.dumps(credentials)], settings={"app": "64"})


def test_a_service_account_asks_for_a_token_by_an_assertion() -> None:
    platform = Platform()
    assert open_token(platform, signed_in(client_email="p@example.com", private_key=pem(KEY)), "scope:a") == "sample-access"
    assertion = jwt.decode(platform.asked["data"]["assertion"], KEY.public_key(), algorithms=["RS256"], audience=platform.asked["url"], options=ANY_TIME)
    assert assertion["iss"] == "p@example.com" and assertion["scope"] == "scope:a" and assertion["exp"] - assertion["iat"] == 3600


def test_a_persons_consent_asks_for_a_token_by_refreshing() -> None:
    platform = Platform()
    assert open_token(platform, signed_in(client_id="c", client_secret="s", refresh_token="r"), "scope:a") == "sample-access"
    assert platform.asked["data"] == {"grant_type": "refresh_token", "client_id": "c", "client_secret": "s", "refresh_token": "r"}


def test_apple_is_shown_a_token_signed_as_it_asks() -> None:
    key, platform = ec.generate_private_key(ec.SECP256R1()), Platform(content=b'{"data": []}')
    assert [items for items, _ in app_store.fetch(platform, signed_in(issuer_id="i-1", key_id="K1", private_key=pem(key)), None)] == [[]]
    token = platform.asked["headers"]["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, key.public_key(), algorithms=["ES256"], audience="appstoreconnect-v1", options=ANY_TIME)
    assert claims == {"iss": "i-1", "aud": "appstoreconnect-v1", "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 1200}
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "K1", "typ": "JWT"}
    assert len(base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")) == 64, "both halves as they are, not as ASN.1"


@pytest.mark.parametrize(("given", "error"), [
    (Source("default", "acme"), UnavailableError), (Source("default", "acme", secrets=["plain"]), UnavailableError),
    (signed_in(client_email="p", private_key="x"), UnavailableError),
    (signed_in(client_email="p"), PayloadError), (signed_in(), PayloadError), (Source("default", "acme", secrets=["{"]), PayloadError),
])
def test_credentials_that_are_none(given: Source, error: type[Exception]) -> None:
    with pytest.raises(error):
        open_token(Platform(), given, "scope:a")


@pytest.mark.parametrize(("status", "content"), [(401, b"{}"), (500, b""), (200, b"<html/>"), (302, b"{}")])
def test_an_answer_that_is_none_is_asked_for_again_later(status: int, content: bytes) -> None:
    with pytest.raises(UnavailableError) as caught:
        open_token(Platform(status, content), signed_in(client_email="p@example.com", private_key=pem(KEY)), "scope:a")
    assert "html" not in str(caught.value)


def test_credentials_of_the_api_prove_no_webhook() -> None:
    both = signed_in(issuer_id="i")
    assert webhook_secrets(both) == ["sample-webhook-secret"] and read_credentials(both).object() == {"issuer_id": "i"}
