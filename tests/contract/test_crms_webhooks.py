"""A CRM's own webhooks: only what it sent is taken, and whatever is sent is read or refused."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from caseline.crm import Change, open_crm
from caseline.errors import PayloadError, SignatureError
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.crms import KINDS, NOW, RECORD, World
from tests.kit.odd import ODD, paths_of, put
from tests.kit.samples import changed_headers


@dataclass(frozen=True)
class Sent:
    module: Any
    request: WebhookRequest
    source: Source

    def is_taken(self, request: WebhookRequest | None = None, source: Source | None = None) -> bool:
        try:
            self.module.verify(request or self.request, source or self.source)
        except SignatureError as error:
            assert not any(secret in str(error) for secret in self.source.secrets)
            return False
        return True

    def carries_its_secret(self) -> bool:
        """Then a token proves the sender, and nothing the body."""
        words = [self.request.url, *self.request.headers.values()]
        words += [_decoded(word) for value in self.request.headers.values() for word in value.split()]
        return any(secret in word for secret in self.source.secrets for word in words)

    def proving(self) -> list[str]:
        """The headers without which it is refused."""
        headers = self.request.headers
        return [name for name in headers if not self.is_taken(replace(self.request, headers={other: headers[other] for other in headers if other != name}))]


def _decoded(word: str) -> str:
    try:
        return base64.b64decode(word, validate=True).decode()
    except ValueError:
        return ""


@pytest.fixture
def sent(remote: World) -> list[Sent]:
    """One request for each kind of change that the CRM sends by webhook."""
    account = remote.add_account("Globex", tier="smb")
    contact, saved = remote.add_contact(account, "Ann", "ann@example.com"), remote.adapter().save_case(RECORD)
    ids = {"contact": contact, "account": account}
    found = [Sent(open_crm(remote.adapter().name), *each) for kind in KINDS if (each := remote.webhook(kind, ids.get(kind, saved.crm_id)))]
    assert found, "nothing would be looked at"
    return found


def test_a_request_that_is_not_signed_is_refused(world: World) -> None:
    module = open_crm(world.adapter().name)
    for body in (b"", b"{}", b"[]", b"\xff", b"<a/>"):
        for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic eDp5"}, {"content-type": "application/json"}):
            for secrets in ((), ("",), ("a-secret-of-sixteen-or-more",)):
                request = WebhookRequest("POST", f"https://hooks.example.com/webhooks/crm/{world.adapter().name}", headers, body, NOW)
                with pytest.raises(SignatureError):
                    module.verify(request, Source("default", "acme", (), secrets))


def test_what_the_crm_sends_is_taken_and_read(sent: list[Sent]) -> None:
    for each in sent:
        each.module.verify(each.request, each.source)
        changes = each.module.parse(each.request, each.source)
        assert changes and all(change.kind in (*KINDS, "merged") and change.crm_id and change.at.tzinfo for change in changes)
        json.dumps([asdict(change) for change in changes], default=str)


def test_any_live_secret_is_taken_and_no_other(sent: list[Sent]) -> None:
    for each in sent:
        rotated = [("another-secret-of-32-characters!", *each.source.secrets), (*each.source.secrets, "another-secret-of-32-characters!")]
        assert all(each.is_taken(source=replace(each.source, secrets=secrets)) for secrets in rotated)
        for secrets in ((), ("",), ("another-secret-of-32-characters!",), tuple(secret[:-1] for secret in each.source.secrets)):
            assert not each.is_taken(source=replace(each.source, secrets=secrets)), secrets


def test_a_proof_that_is_spoilt_is_refused(sent: list[Sent]) -> None:
    for each in sent:
        proving = each.proving()
        assert proving or "?" in each.request.url or each.request.url.rstrip("/").count("/") > 5, "nothing proves it"
        for how, request in changed_headers(each.request, told=[name for name in each.request.headers if name not in proving]):
            if not (how.endswith("other case") and each.carries_its_secret()):
                assert not each.is_taken(request), how
        for name in (name for name in each.request.headers if name not in proving):
            for value in ("", " ", "x", "é", "\x00", "\ud800", "9" * 9000):
                each.is_taken(each.request.with_headers({name: value}))
        if not proving:
            assert not each.is_taken(replace(each.request, url=each.request.url[:-1])) and not each.is_taken(replace(each.request, url=each.request.url + "x"))


def test_a_body_that_was_changed_by_one_byte_is_refused(sent: list[Sent]) -> None:
    for each in (each for each in sent if not each.carries_its_secret()):
        body = each.request.body
        changed = [body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] for at in range(len(body))]
        assert not any(each.is_taken(replace(each.request, body=other)) for other in (*changed, body + b" ", b" " + body, body[:-1], b""))


def test_a_request_whose_time_is_signed_gets_stale(sent: list[Sent]) -> None:
    for each in sent:
        signed = any(_is_time(each.request.headers[name], each.request.received_at) for name in each.proving())
        for hours in (-25, -1, 1, 25):
            taken = each.is_taken(replace(each.request, received_at=each.request.received_at + timedelta(hours=hours)))
            assert not (signed and taken), hours


def _is_time(value: str, now: datetime) -> bool:
    digits = re.search(r"\b(\d{10})(\d{3})?\b", value)
    return bool(digits and abs(int(digits[1]) - now.timestamp()) < 86_400) or now.strftime("%Y-%m-%dT%H") in value


def test_odd_bodies_are_refused_by_name_or_read(sent: list[Sent]) -> None:
    for each in sent:
        for body in _odd_bodies(each.request.body):
            try:
                changes = each.module.parse(replace(each.request, body=body), each.source)
            except PayloadError as error:
                assert "ann@example.com" not in str(error)
                continue
            assert isinstance(changes, list) and all(isinstance(change, Change) and change.crm_id for change in changes)
            json.dumps([asdict(change) for change in changes], default=str).encode()


def _odd_bodies(body: bytes) -> Iterator[bytes]:
    yield from (b"", b" ", b"null", b"{}", b"[]", b"[[]]", b"[null]", b'""', b"0", b"true", b"\xff\xfe", b"<a/>", b"<a>", b"a=b", b"[" * 5000, b'{"a":' * 5000)
    yield from (body[: len(body) // 2], body + body, body.replace(b'"', b"'"))
    try:
        value = json.loads(body)
    except ValueError:
        return
    yield from (json.dumps(put(value, path, odd)).encode() for path in paths_of(value) for odd in ODD)
