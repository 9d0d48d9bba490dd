"""Dynamics: its limits, its login, its settings and its webhooks."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from caseline.crm import Change, dynamics
from caseline.errors import ConfigError, CrmAuthError, CrmRateLimitError, PayloadError, SignatureError
from caseline.signals import isoformat
from caseline.sources import Source
from caseline.web import WebhookRequest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.kit.crms import RECORD
from tests.kit.crms.dynamics import SECRET, DynamicsWorld

SAMPLES = sorted(Path(__file__).parents[2].joinpath("events/crm/dynamics").glob("*.json"))


@pytest.mark.parametrize("code", ["0x80072321", "0x80072322", "0x80072326"])
def test_a_protection_limit_is_known_by_its_code(there: DynamicsWorld, code: str) -> None:
    there.simulator.faults.add("answer", "batch", status=429, headers={"Retry-After": "17"}, body={"error": {"code": code, "message": "too much"}})
    with pytest.raises(CrmRateLimitError) as caught:
        there.adapter().find_account(["email:ann@example.com"])
    assert caught.value.retry_after == 17


def test_what_is_left_of_the_limit_is_known(there: DynamicsWorld) -> None:
    crm = there.adapter()
    crm.find_account(["email:ann@example.com"])
    assert (crm.usage.allowed, crm.usage.window, crm.usage.remaining) == (6_000, 300.0, 5_999)


def test_a_user_who_is_none_of_the_organisation_is_an_auth_error(there: DynamicsWorld) -> None:
    there.simulator.faults.add("answer", "batch", status=403, body={"error": {"code": "0x80072560", "message": "The user is no member of the organization."}})
    with pytest.raises(CrmAuthError):
        there.adapter().find_account(["email:ann@example.com"])


def _key_pair() -> tuple[str, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.decode(), key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_logs_in_by_certificate(there: DynamicsWorld) -> None:
    private, there.simulator.public_key = _key_pair()
    secret = {**{name: SECRET[name] for name in ("tenant_id", "client_id")}, "private_key": private, "thumbprint": "AB:" * 19 + "CD"}
    settings = {"instance_url": there.simulator.url, "login_url": there.simulator.url}
    assert dynamics.create(settings, secret, clock=there.clock).find_account(["email:ann@example.com"]).kind == "none"
    with pytest.raises(CrmAuthError, match="AADSTS7000215"):
        dynamics.create(settings, {**secret, "private_key": _key_pair()[0]}, clock=there.clock).find_account(["email:ann@example.com"])


def test_a_token_is_asked_for_anew_before_it_ends(there: DynamicsWorld) -> None:
    crm = there.adapter()
    for seconds, logins in ((0, 1), (3_000, 1), (600, 2)):
        there.tick(seconds)
        crm.find_account(["email:ann@example.com"])
        assert there.simulator.logins == logins


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"colour": "red"}, "colour"), ({"key": "other"}, "alternate or primary"), ({"changes": "never"}, "modified or delta"),
        ({"default_customer": "accounts(1)"}, "default_customer"), ({"owners": {"ann": "Ann"}}, "owners.ann"), ({"queues": {"a": "b"}}, "guid"),
        ({"case_fields": {"score": "cx score"}}, "no column"), ({"case_fields": {"case_key": ""}}, "case_key"), ({"instance_url": "ftp://x"}, "https"),
    ],
)  # fmt: skip
def test_a_wrong_setting_says_what_to_write(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        dynamics.create({"instance_url": "https://acme.crm.dynamics.com", **settings}, SECRET)


@pytest.mark.parametrize("missing", ["tenant_id", "client_id", "client_secret"])
def test_a_secret_that_lacks_something_says_what(missing: str) -> None:
    with pytest.raises(ConfigError, match=missing):
        dynamics.create({"instance_url": "https://acme.crm.dynamics.com"}, {name: value for name, value in SECRET.items() if name != missing})


def test_columns_of_theirs_may_have_other_names(there: DynamicsWorld) -> None:
    columns = there.org.tables["incident"].columns
    columns["acme_urgency"] = replace(columns["cx_score"], name="acme_urgency")
    there.adapter(case_fields={"score": "acme_urgency"}).save_case(replace(RECORD, first=True))
    assert there.org.rows("incident")[0]["acme_urgency"] == 80 and there.cases()[0].version == 1


# ---- webhooks


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_each_sample_means_what_it_says(path: Path) -> None:
    sample = json.loads(path.read_text())
    request, source = _sent(sample)
    expected = sample["expected"]
    if "error" in expected:
        with pytest.raises({"SignatureError": SignatureError, "PayloadError": PayloadError}[expected["error"]]) as caught:
            _receive(request, source)
        assert getattr(caught.value, "field", "") == expected.get("field", "")
    else:
        assert [{**asdict(change), "at": isoformat(change.at)} for change in _receive(request, source)] == expected["changes"]


def _sent(sample: dict[str, Any]) -> tuple[WebhookRequest, Source]:
    sent, at = sample["request"], datetime.fromisoformat(sample["received_at"])
    request = WebhookRequest(sent["method"], sent["url"], sent["headers"], json.dumps(sent["json"]).encode(), at)
    return request, Source("dynamics", "acme", sample["own_ids"], sample["secrets"])


def _receive(request: WebhookRequest, source: Source) -> list[Change]:
    dynamics.verify(request, source)
    return dynamics.parse(request, source)


def test_the_key_may_come_in_a_header_of_another_name() -> None:
    request, source = _sent(json.loads(SAMPLES[0].read_text()))
    other = replace(source, settings={"webhook_header": "x-acme", "coalesce_minutes": 5})
    dynamics.verify(request.with_headers({"x-acme": source.secrets[0]}), other)
    with pytest.raises(SignatureError):
        dynamics.verify(request, other)


def test_what_is_pushed_is_read_by_the_settings_of_the_crm() -> None:
    sample = json.loads(next(path for path in SAMPLES if path.stem == "priority_and_owner").read_text())
    request, source = _sent(sample)
    settings = {"priorities": {"P1": 3, "P2": 2, "P3": 1, "P4": 1}}
    assert [change.fields.get("band") for change in dynamics.parse(request, replace(source, settings=settings))] == [None]
    assert dynamics.parse(request, replace(source, settings={"user_id": sample["request"]["json"]["InitiatingUserId"].upper()})) == []
