"""Who is let in: tokens that prove it, and every way in which they may not; signing in by the code flow and out again."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from caseline.errors import UnavailableError
from caseline.oidc import Login, Provider, Settings, TokenError, fetch_json, open_login, read_roles, seal_login
from caseline.people import SESSION, read_cookie, read_token

from functions.authorise_request import app as authoriser
from functions.sign_in import app as sign_in
from tests.kit.oidc import CLIENT, ISSUER, NOW, SECRET, OidcProvider, good_claims, make_key

ARN = "arn:aws:execute-api:eu-central-1:123456789012:abc/live/GET/console/cases"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> Any:
        return self.now


class FakeWiring:
    def __init__(self, provider: Provider, clock: Clock) -> None:
        self.provider, self.clock, self.environ = provider, clock, {"CONSOLE_URL": "https://care.acme.example/"}

    def client_secret(self) -> str:
        return SECRET


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> OidcProvider:
    return OidcProvider()


@pytest.fixture
def provider(issuer: OidcProvider, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Provider:
    found = Provider(Settings(ISSUER, CLIENT, frozenset({CLIENT})), issuer.fetch, clock)
    wired = FakeWiring(found, clock)
    monkeypatch.setattr(authoriser, "wiring", lambda: wired)
    monkeypatch.setattr(sign_in, "wiring", lambda: wired)
    return found


def ask(token: str = "", cookie: str = "") -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {"Cookie": cookie}
    return authoriser.handler({"type": "REQUEST", "methodArn": ARN, "headers": headers}, None)


def test_a_good_token_is_let_in_with_name_and_roles(provider: Provider, issuer: OidcProvider) -> None:
    policy = ask(issuer.token())
    assert policy["principalId"] == "ana@acme.example" and policy["context"] == {"roles": "agent"}
    assert policy["policyDocument"]["Statement"][0]["Resource"] == "arn:aws:execute-api:eu-central-1:123456789012:abc/live/*"


def test_a_session_cookie_is_as_good(provider: Provider, issuer: OidcProvider) -> None:
    assert ask(cookie=f"theme=dark; {SESSION}={issuer.token()}; x=y")["principalId"] == "ana@acme.example"


def test_keys_and_metadata_are_fetched_once(provider: Provider, issuer: OidcProvider) -> None:
    for _ in range(5):
        ask(issuer.token())
    assert len(issuer.fetched) == 2


def forge(issuer: OidcProvider) -> dict[str, str]:
    """Tokens that must not be let in."""
    now = int(NOW.timestamp())
    public = jwt.algorithms.RSAAlgorithm.to_jwk(issuer.keys["key-1"][1].public_key())
    mistaken = base64.b64encode(public.encode())
    none = jwt.encode(good_claims(), "", algorithm="none", headers={"kid": "key-1"})
    header, _, seal = issuer.token().split(".")
    other = base64.urlsafe_b64encode(json.dumps(good_claims() | {"sub": "root"}).encode()).decode().rstrip("=")
    return {
        "empty": "", "not a token": "abc", "three dots": "...", "non-ascii": "\u00e9.\u00e9.\u00e9",
        "unsigned": none,
        "signed with the public key as if it were a secret": jwt.encode(good_claims(), mistaken, algorithm="HS256", headers={"kid": "key-1"}),
        "another's key": jwt.encode(good_claims(), make_key("RS256", "stranger"), algorithm="RS256", headers={"kid": "key-1"}),
        "an unknown key": jwt.encode(good_claims(), make_key("RS256", "stranger"), algorithm="RS256", headers={"kid": "key-9"}),
        "a key that the token brings": jwt.encode(good_claims(), make_key("RS256", "stranger"), algorithm="RS256", headers={"kid": "key-9", "jku": "https://evil.example/keys"}),
        "a strange algorithm": jwt.encode(good_claims(), issuer.keys["key-1"][1], algorithm="RS512", headers={"kid": "key-1"}),
        "another body": f"{header}.{other}.{seal}",
        "another issuer": issuer.token(iss="https://evil.example"),
        "another audience": issuer.token(aud="payroll"),
        "many audiences, given to another": issuer.token(aud=[CLIENT, "payroll"], azp="payroll"),
        "many audiences, given to nobody": issuer.token(aud=[CLIENT, "payroll"]),
        "expired": issuer.token(exp=now - 31),
        "not yet valid": issuer.token(nbf=now + 31),
        "no subject": issuer.token(sub=None),
        "no end": issuer.token(exp=None),
        "an end that is no number": issuer.token(exp="tomorrow"),
    }  # fmt: skip


FORGED = list(forge(OidcProvider()))


@pytest.mark.parametrize("name", FORGED)
def test_forged_tokens_are_401(provider: Provider, issuer: OidcProvider, name: str) -> None:
    with pytest.raises(authoriser.Unauthorised, match=r"^Unauthorized$"):
        ask(forge(issuer)[name])


def test_without_an_issuer_nobody_is_let_in(issuer: OidcProvider, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = FakeWiring(Provider(Settings("", "", frozenset()), issuer.fetch, clock), clock)
    monkeypatch.setattr(authoriser, "wiring", lambda: closed)
    with pytest.raises(authoriser.Unauthorised):
        ask(issuer.token())
    assert issuer.fetched == []


def test_a_new_key_is_found_and_unknown_ones_do_not_hammer_the_issuer(provider: Provider, issuer: OidcProvider, clock: Clock) -> None:
    ask(issuer.token())
    issuer.keys["key-2"] = ("ES256", make_key("ES256", "two"))
    clock.now += timedelta(seconds=31)
    assert ask(issuer.token("key-2"))["principalId"]
    before = len(issuer.fetched)
    for _ in range(10):
        with pytest.raises(authoriser.Unauthorised):
            ask(jwt.encode(good_claims(), make_key("RS256", "stranger"), algorithm="RS256", headers={"kid": "key-9"}))
    assert len(issuer.fetched) == before


def test_a_key_of_another_kind_than_the_algorithm_is_refused(provider: Provider, issuer: OidcProvider) -> None:
    issuer.keys["curve"] = ("ES256", make_key("ES256", "two"))
    with pytest.raises(authoriser.Unauthorised):
        ask(jwt.encode(good_claims(), issuer.keys["key-1"][1], algorithm="RS256", headers={"kid": "curve"}))


def test_an_issuer_that_is_down_is_not_a_refusal(provider: Provider, issuer: OidcProvider) -> None:
    issuer.down = True
    with pytest.raises(UnavailableError):
        ask(issuer.token())


@pytest.mark.parametrize("endpoint", ["https://evil.example/keys", "http://login.acme.example/keys", "file:///etc/passwd", ""])
def test_endpoints_on_other_hosts_are_not_called(clock: Clock, endpoint: str) -> None:
    issuer = OidcProvider(jwks_uri=endpoint)
    with pytest.raises(UnavailableError):
        Provider(Settings(ISSUER, CLIENT, frozenset({CLIENT})), issuer.fetch, clock).check_token(issuer.token())
    assert len(issuer.fetched) == 1


def test_configured_hosts_are_called(clock: Clock) -> None:
    issuer = OidcProvider(jwks_uri="https://keys.acme.example/keys")
    known = Settings(ISSUER, CLIENT, frozenset({CLIENT}), frozenset({"keys.acme.example"}))
    assert Provider(known, issuer.fetch, clock).check_token(issuer.token())["sub"] == "u-1"


def test_metadata_of_another_issuer_is_refused(clock: Clock) -> None:
    issuer = OidcProvider(issuer="https://evil.example")
    with pytest.raises(UnavailableError):
        Provider(Settings(ISSUER, CLIENT, frozenset({CLIENT})), issuer.fetch, clock).check_token(issuer.token())


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({"roles": ["agent", "x"]}, ["agent"]), ({"groups": ["admin"]}, ["admin"]), ({"cognito:groups": ["viewer"]}, ["viewer"]), ({}, ["viewer"]),
        ({"roles": "agent"}, ["agent"]),
        ({"roles": ["not admin"]}, ["viewer"]), ({"roles": "not admin"}, ["viewer"]), ({"roles": [["admin"]]}, ["viewer"]), ({"roles": 7}, ["viewer"]),
    ],
)  # fmt: skip
def test_only_roles_that_mean_something_here_count(claims: dict[str, Any], roles: list[str]) -> None:
    assert read_roles(claims) == roles


# ---- signing in


def visit(path: str, query: dict[str, str] | None = None, cookie: str = "") -> dict[str, Any]:
    return sign_in.handler({"httpMethod": "GET", "path": path, "queryStringParameters": query, "headers": {"cookie": cookie}}, None)


def cookies_of(response: dict[str, Any]) -> dict[str, str]:
    return {cookie.partition("=")[0]: cookie.partition("=")[2] for cookie in response["multiValueHeaders"]["Set-Cookie"]}


def start(**query: str) -> tuple[str, str]:
    """Where the browser is sent, and the cookie it got."""
    response = visit("/login", query)
    cookie = cookies_of(response)[sign_in.LOGIN]
    assert response["statusCode"] == 303 and "Secure; HttpOnly; SameSite=Lax" in cookie
    return response["headers"]["Location"], f"{sign_in.LOGIN}={cookie.partition(';')[0]}"


def test_the_code_flow_ends_in_a_session_at_the_page_one_wanted(provider: Provider, issuer: OidcProvider) -> None:
    location, cookie = start(to="/console/cases/case-1")
    assert location.startswith(f"{ISSUER}/authorize?") and SECRET not in location
    assert dict(parse_qsl(urlsplit(location).query))["redirect_uri"] == "https://care.acme.example/login/callback"
    response = visit("/login/callback", issuer.authorize(location), cookie)
    assert (response["statusCode"], response["headers"]["Location"]) == (303, "https://care.acme.example/console/cases/case-1")
    session = cookies_of(response)[SESSION]
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=3600"} <= {part.strip() for part in session.split(";")} and "Domain" not in session
    assert cookies_of(response)[sign_in.LOGIN].startswith(";")
    assert ask(cookie=f"{SESSION}={session.partition(';')[0]}")["principalId"] == "ana@acme.example"


def test_a_login_begun_in_another_browser_is_refused(provider: Provider, issuer: OidcProvider) -> None:
    attackers, _ = start()
    _, victims = start()
    assert visit("/login/callback", issuer.authorize(attackers), victims)["statusCode"] == 403
    assert visit("/login/callback", issuer.authorize(attackers), "")["statusCode"] == 403


def test_a_code_works_once_and_a_late_one_not_at_all(provider: Provider, issuer: OidcProvider, clock: Clock) -> None:
    location, cookie = start()
    query = issuer.authorize(location)
    assert visit("/login/callback", query, cookie)["statusCode"] == 303
    assert visit("/login/callback", query, cookie)["statusCode"] == 503
    clock.now += timedelta(seconds=601)
    assert visit("/login/callback", issuer.authorize(location), cookie)["statusCode"] == 403


def test_a_token_for_another_sign_in_is_refused(provider: Provider, issuer: OidcProvider) -> None:
    with pytest.raises(TokenError):
        provider.check_token(issuer.token(nonce="another"), nonce="mine")


def test_a_refusal_of_the_issuer_is_told_without_its_words(provider: Provider) -> None:
    _, cookie = start()
    response = visit("/login/callback", {"error": "access_denied", "error_description": "<script>", "state": "x"}, cookie)
    assert response["statusCode"] == 403 and "<script>" not in response["body"]


@pytest.mark.parametrize(
    "to",
    ["https://evil.example/", "//evil.example/console", "/\\evil.example", "javascript:alert(1)", "/api/v1/cases", "/consolex", "/console\r\nSet-Cookie: a=b"],
)
def test_one_returns_to_the_console_only(to: str) -> None:
    assert sign_in.return_path(to) == "/console"


def test_signing_out_clears_the_session(provider: Provider) -> None:
    response = visit("/logout")
    assert response["statusCode"] == 200 and cookies_of(response)[SESSION].startswith(";") and "Max-Age=0" in cookies_of(response)[SESSION]


@pytest.mark.parametrize(
    "change", [lambda sealed: sealed[:-1], lambda sealed: "e30." + sealed.partition(".")[2], lambda sealed: "", lambda sealed: "\u00e9.\u00e9"]
)
def test_a_login_cookie_that_was_tampered_with_is_refused(change: Any) -> None:
    login = Login("state", "nonce", "verifier", "/console")
    sealed = seal_login(login, SECRET, NOW)
    assert open_login(sealed, "state", SECRET, NOW) == login
    for cookie, secret in ((change(sealed), SECRET), (sealed, "another secret")):
        with pytest.raises(TokenError):
            open_login(cookie, "state", secret, NOW)


def test_cookies_and_headers_are_read_as_they_come() -> None:
    assert read_cookie({"headers": {"cookie": "a=1; b=2=3;c"}}, "b") == "2=3" and read_cookie({"headers": None}, "b") == ""
    assert read_token({"headers": {"Authorization": "Basic abc", "Cookie": f"{SESSION}=t"}}) == "t"


def test_http_is_refused_when_it_does_not_answer() -> None:
    with pytest.raises(UnavailableError):
        fetch_json("http://127.0.0.1:9/")
