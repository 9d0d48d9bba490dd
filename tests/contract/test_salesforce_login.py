"""Salesforce: logins by client credentials and by JWT, sessions that end, and settings and secrets that are wrong."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from caseline.crm import open_crm
from caseline.errors import ConfigError, CrmAuthError, CrmUnavailableError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.kit.crms.salesforce import SECRET, SalesforceWorld
from tests.kit.salesforce import CLIENT_ID, USERNAME

ANN = ["email:ann@example.com"]


def jwt_adapter(there: SalesforceWorld, **changes: Any) -> Any:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    there.simulator.public_key = changes.pop("public_key", public)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    secret = {"client_id": CLIENT_ID, "username": USERNAME, "private_key": private, **changes}
    return open_crm("salesforce").create({"instance_url": there.simulator.url}, secret, clock=lambda: datetime.now(UTC))


def test_jwt_bearer(there: SalesforceWorld, ann: str) -> None:
    assert jwt_adapter(there).find_account(ANN).account.account_id == ann


@pytest.mark.parametrize("changes", [{"username": "other@acme.example"}, {"client_id": "other"}, {"private_key": "no key"}, {"public_key": None}])
def test_a_jwt_that_salesforce_refuses(there: SalesforceWorld, changes: dict[str, Any]) -> None:
    with pytest.raises(CrmAuthError) as caught:
        jwt_adapter(there, **changes).find_account(ANN)
    assert "PRIVATE" not in str(caught.value) and USERNAME not in str(caught.value)


def test_a_wrong_secret(there: SalesforceWorld) -> None:
    crm = open_crm("salesforce").create({"instance_url": there.simulator.url}, {"client_id": CLIENT_ID, "client_secret": "s3cret-of-old"})
    with pytest.raises(CrmAuthError, match="invalid_client") as caught:
        crm.find_account(ANN)
    assert "s3cret-of-old" not in str(caught.value)


def test_one_login_serves_all_calls(there: SalesforceWorld, ann: str) -> None:
    crm = there.adapter()
    for _ in range(3):
        crm.find_account(ANN)
    assert there.simulator.logins == 1


def test_an_expired_session_is_renewed_once(there: SalesforceWorld, ann: str) -> None:
    crm = there.adapter()
    crm.find_account(ANN)
    there.simulator.expire_sessions()
    assert crm.find_account(ANN).kind == "exact" and there.simulator.logins == 2
    there.simulator.faults.add("answer", "/composite", status=401, body=[], times=50)
    with pytest.raises(CrmAuthError):
        crm.find_account(ANN)
    assert there.simulator.logins == 3


def test_threads_that_meet_an_expired_session_log_in_once(there: SalesforceWorld, ann: str) -> None:
    crm, kinds = there.adapter(), []
    crm.find_account(ANN)
    there.simulator.expire_sessions()
    threads = [threading.Thread(target=lambda: kinds.append(crm.find_account(ANN).kind)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kinds == ["exact"] * 4 and there.simulator.logins <= 5


def test_a_login_that_answers_nonsense_is_unavailable(there: SalesforceWorld) -> None:
    for fault in ({"body": "<html>"}, {"body": {}}, {"body": []}):
        there.simulator.faults.add("answer", "oauth2", status=200, **fault)
        with pytest.raises(CrmUnavailableError):
            there.adapter().find_account(ANN)
    there.simulator.faults.add("answer", "oauth2", status=503, body="<html>maintenance</html>")
    with pytest.raises(CrmUnavailableError):
        there.adapter().find_account(ANN)


# ---- settings


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"instance_url": "http://crm.example.com"},
        {"instance_url": "https://user:pass@crm.example.com"},
        {"instance_url": "https://crm.example.com/path"},
        {"instance_url": "https://crm.example.com", "tiers": "gold"},
        {"instance_url": "https://crm.example.com", "leads": "yes"},
        {"instance_url": "https://crm.example.com", "tier_field": "X__c"},
        {"instance_url": "https://crm.example.com", "account_fields": {"tier": "X FROM User"}},
    ],
)
def test_wrong_settings_say_what_to_write(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="crm"):
        open_crm("salesforce").create(settings, SECRET)


@pytest.mark.parametrize("secret", [{}, {"client_id": "a"}, {"client_id": "a", "client_secret": ""}, {"client_id": "a", "private_key": "k"}])
def test_a_secret_that_lacks_something(secret: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="lacks"):
        open_crm("salesforce").create({"instance_url": "https://crm.example.com"}, secret)
