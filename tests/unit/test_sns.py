"""Amazon SNS's signature, its certificates, and Mailgun's window of time; with keys made here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from caseline.certificates import CertificateShelf
from caseline.channels import mailgun, ses
from caseline.errors import PayloadError, SignatureError
from caseline.sources import Source
from caseline.web import WebhookRequest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:111122223333:acme-mail"
ADDRESS = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
NOTICE = {
    "Type": "Notification",
    "MessageId": "m-1",
    "TopicArn": TOPIC,
    "Subject": "s",
    "Message": '{"notificationType": "Delivery"}',
    "Timestamp": "2026-03-14T09:29:58.000Z",
    "SignatureVersion": "2",
    "SigningCertURL": ADDRESS,
}


@pytest.fixture(scope="module")
def pair() -> tuple[str, str]:
    """A private key and its certificate, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    certificate = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1)).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """No test calls AWS: what would be fetched is noted, and not there."""
    asked: list[str] = []

    def fetch(address: str) -> str:
        asked.append(address)
        raise SignatureError("not there")

    monkeypatch.setattr(ses, "shelf", CertificateShelf(fetch))
    yield asked


@pytest.fixture
def send(pair: tuple[str, str]) -> Callable[..., None]:
    """Sign the notice, change what was signed, and verify it."""

    def verify(changes: dict[str, Any] | None = None, headers: dict[str, str] | None = None, settings: dict[str, Any] | None = None, **signed: Any) -> None:
        message = {name: value for name, value in {**NOTICE, **signed}.items() if value is not None}
        known = {"topic_arns": [TOPIC], "signing_certificates": {message.get("SigningCertURL"): pair[1]}}
        source = Source("default", "acme", (), [pair[0]], {**known, **(settings or {})})
        version = message["SignatureVersion"]
        body = ses.sign_notification(message, pair[0]) if version in ("1", "2") else {**message, "Signature": "AA=="}
        whole = {name: value for name, value in {**body, **(changes or {})}.items() if value is not None}
        given = {"x-amz-sns-message-type": str(message["Type"])} if headers is None else headers
        ses.verify(WebhookRequest("POST", "https://hooks.example.com/webhooks/ses", given, json.dumps(whole).encode(), NOW), source)

    return verify


def test_both_versions_and_all_types_are_accepted(send: Callable[..., None]) -> None:
    send()
    send(SignatureVersion="1")
    send(Subject=None)
    for kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        send(Type=kind, Token="t", SubscribeURL="https://sns.eu-west-1.amazonaws.com/", Subject=None)
    send(settings={"topic_arns": TOPIC})


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type", "Signature", "SignatureVersion", "SigningCertURL"])
@pytest.mark.parametrize("value", [None, "", "x", 1, [], {}, "é", "\ud800", "A" * 400])
def test_a_changed_field_is_refused(send: Callable[..., None], field: str, value: Any) -> None:
    with pytest.raises(SignatureError):
        send({field: value})


@pytest.mark.parametrize(
    "headers", [{}, {"x-amz-sns-message-type": "SubscriptionConfirmation"}, {"x-amz-sns-message-type": ""}, {"x-amz-sns-message-type": "Notification "}]
)
def test_the_header_says_the_same_type(send: Callable[..., None], headers: dict[str, str]) -> None:
    with pytest.raises(SignatureError):
        send(headers=headers)


@pytest.mark.parametrize(
    "settings",
    [{"topic_arns": []}, {"topic_arns": None}, {"topic_arns": [TOPIC + "2"]}, {"signing_certificates": None}, {"signing_certificates": {ADDRESS: "x"}}],
)
def test_without_its_settings_a_source_refuses(send: Callable[..., None], settings: dict[str, Any]) -> None:
    with pytest.raises(SignatureError):
        send(settings=settings)


@pytest.mark.parametrize(("days", "right"), [(0, True), (-0.9, True), (0.9, True), (1.1, False), (-1.1, False), (-400, False)])
def test_times_of_more_than_a_day_are_refused(send: Callable[..., None], days: float, right: bool) -> None:
    at = (NOW + timedelta(days=days)).isoformat()
    if right:
        send(Timestamp=at)
        return
    with pytest.raises(SignatureError):
        send(Timestamp=at)


@pytest.mark.parametrize(
    "address",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0.pem",
        "https://evil.example/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem?x",
        "https://sns.evil.amazonaws.com/a.pem",
        "https://x@sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com:444/SimpleNotificationService-0.pem",
        "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-0.pem",
        "https://s3.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        ADDRESS + "\n",
    ],
)
def test_certificates_are_awss_own_even_from_the_settings(send: Callable[..., None], shelf: list[str], address: str) -> None:
    with pytest.raises(SignatureError):
        send(SigningCertURL=address)
    assert shelf == []


def test_certificates_are_fetched_once_and_strangers_cannot_make_us_fetch_many(pair: tuple[str, str]) -> None:
    asked: list[str] = []

    def fetch(address: str) -> str:
        asked.append(address)
        return pair[1]

    shelf = CertificateShelf(fetch)
    assert shelf.find(ADDRESS, {}, NOW) == shelf.find(ADDRESS, {}, NOW) == pair[1]
    for number in range(50):
        with pytest.raises(SignatureError):
            shelf.find(ADDRESS.replace(".pem", f"{number}.pem"), {}, NOW + timedelta(seconds=20))
    shelf.find(ADDRESS.replace(".pem", "x.pem"), {}, NOW + timedelta(seconds=31))
    assert len(asked) == 2


def test_unproven_requests_fetch_nothing(send: Callable[..., None], shelf: list[str]) -> None:
    for changes in ({"TopicArn": "arn:other"}, {"Timestamp": "2020-01-01T00:00:00Z"}, {"Type": "x"}):
        with pytest.raises(SignatureError):
            send(changes, settings={"signing_certificates": {}})
    assert shelf == []
    with pytest.raises(SignatureError):
        send(settings={"signing_certificates": {}})
    assert shelf == [ADDRESS]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff", b'{"Type": "Notification"}', b"[" * 9999])
def test_other_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(SignatureError):
        ses.verify(
            WebhookRequest("POST", "https://h.example/", {"x-amz-sns-message-type": "Notification"}, body, NOW),
            Source("default", "acme", settings={"topic_arns": [TOPIC]}),
        )


@pytest.mark.parametrize(
    ("seconds", "tolerance", "right"), [(300, None, True), (301, None, False), (-301, None, False), (3000, 3600, True), (3700, 3600, False)]
)
def test_mailguns_time_is_in_the_body(seconds: int, tolerance: int | None, right: bool) -> None:
    source = Source("default", "acme", (), ["key-sample-mailgun"], {"tolerance_seconds": tolerance} if tolerance else {})
    plain = WebhookRequest("POST", "https://h.example/", {"content-type": "application/x-www-form-urlencoded"}, b"from=a%40b.example", NOW)
    signed = replace(mailgun.sign(plain, source), received_at=NOW + timedelta(seconds=seconds))
    if right:
        mailgun.verify(signed, source)
        return
    with pytest.raises(SignatureError):
        mailgun.verify(signed, source)


def test_mailguns_proof_stands_once_and_is_whole() -> None:
    source = Source("default", "acme", (), ["key-sample-mailgun"])
    plain = WebhookRequest("POST", "https://h.example/", {"content-type": "application/x-www-form-urlencoded"}, b"from=a%40b.example", NOW)
    signed = mailgun.sign(plain, source)
    mailgun.verify(signed, source)
    for changed in (
        signed.body + b"&token=x",
        signed.body.replace(b"&token=", b"&token=0"),
        signed.body[:-1],
        signed.body.replace(b"timestamp=", b"timestamp=0"),
    ):
        with pytest.raises(SignatureError):
            mailgun.verify(replace(signed, body=changed), source)


def test_mailguns_form_with_files_and_its_events_are_proven_alike() -> None:
    source = Source("default", "acme", (), ["key-sample-mailgun"])
    proof = mailgun.sign_token("t" * 50, source.secrets[0], NOW)
    fields = {"from": "Ann <ann@example.com>", "subject": "Hi", "stripped-text": "Broken.", **proof}
    parts = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    parts += '--b\r\nContent-Disposition: form-data; name="attachment-1"; filename="a.png"\r\nContent-Type: image/png\r\n\r\nPNG\r\n--b--\r\n'
    form = WebhookRequest("POST", "https://h.example/", {"content-type": "multipart/form-data; boundary=b"}, parts.encode(), NOW)
    mailgun.verify(form, source)
    (signal,) = mailgun.parse(form, source)
    assert signal.text == "Hi\n\nBroken." and signal.attributes["attachments"] == [{"name": "a.png", "type": "image/png"}]
    event = WebhookRequest(
        "POST", "https://h.example/", {"content-type": "application/json"}, json.dumps({"signature": proof, "event-data": {"event": "opened"}}).encode(), NOW
    )
    mailgun.verify(event, source)
    assert mailgun.parse(event, source) == []


def test_a_subscription_waits_for_a_person() -> None:
    body = {**NOTICE, "Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"}
    with pytest.raises(PayloadError) as caught:
        ses.parse(WebhookRequest("POST", "https://h.example/", {}, json.dumps(body).encode(), NOW), Source("default", "acme"))
    assert caught.value.field == "Token"
