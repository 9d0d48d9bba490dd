"""Mailgun routes: e-mails as forms; and its event webhooks. Credential: the HTTP webhook signing key.

Facts: documentation.mailgun.com, "Receive, forward and store" and "Securing webhooks". The signature covers a time and a token that stand in the body, not the
mail: whoever saw one request can send others while it is fresh, which is five minutes (setting `tolerance_seconds`). A 200 ends it, a 406 too, after anything
else Mailgun tries again for eight hours. Not confirmed: that those later tries are signed anew. The same mail again is the same signal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode

from caseline.errors import PayloadError, SignatureError
from caseline.mail import BODY_LIMIT as BODY_LIMIT
from caseline.mail import read_failure, read_mail
from caseline.mail.headers import MailHeaders
from caseline.mail.mime import Failure, Mail, choose_text, read_mime
from caseline.multipart import read_multipart
from caseline.payloads import Field, clean_text, read_form, read_json
from caseline.signals import Signal, Unreadable
from caseline.signatures import TOLERANCE_SECONDS
from caseline.signatures.hmacs import sign_token, verify_token_signature
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

NAMESPACE = "email"
PROOF = "body"
PROVING = ("timestamp", "token", "signature")
SILENT = frozenset({"accepted", "delivered", "opened", "clicked", "unsubscribed", "stored", "rejected", "list_member_uploaded", "list_uploaded"})
FAILURES = {"failed": "bounce", "complained": "complaint"}
FIELDS = {"from": "from", "to": "to", "cc": "cc", "subject": "subject", "message-id": "message-id", "date": "date"}
Fields = Mapping[str, str]


def verify(request: WebhookRequest, source: Source) -> None:
    try:
        timestamp, token, signature = _read_proof(request)
    except PayloadError as error:
        raise SignatureError("the body holds no proof") from error
    tolerance = source.settings.get("tolerance_seconds", TOLERANCE_SECONDS)
    verify_token_signature(timestamp, token, signature, source.secrets, request.received_at, tolerance)


def sign(request: WebhookRequest, source: Source) -> WebhookRequest:
    """The form as the platform would send it, signed with the newest secret; for samples."""
    proof = sign_token(hashlib.sha256(request.body).hexdigest()[:50], source.secrets[0], request.received_at)
    fields = [pair for pair in read_form(request.body) if pair[0] not in PROVING]
    return replace(request, body=urlencode([*fields, *proof.items()]).encode())


def acknowledge(request: WebhookRequest, source: Source, signals: list[Signal | Unreadable]) -> WebhookResponse:
    """Anything but a 200 is sent again."""
    return WebhookResponse(200)


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    if _is_json(request):
        return _read_event(read_json(request.body)["event-data"], source, request)
    pairs, files = _read_pairs(request)
    fields = {name.lower(): value for name, value in reversed(pairs)}
    return [*read_mail(_read_mail(fields, files), "mailgun", source, request.received_at)]


def _read_proof(request: WebhookRequest) -> tuple[str, str, str]:
    """The three values, each exactly once."""
    if _is_json(request):
        stated = read_json(request.body)["signature"]
        return stated["timestamp"].id(), stated["token"].text(), stated["signature"].text()
    pairs, _ = _read_pairs(request)
    found = [[value for name, value in pairs if name == wanted] for wanted in PROVING]
    if any(len(values) != 1 for values in found):
        raise PayloadError("is required once", "signature")
    return found[0][0], found[1][0], found[2][0]


def _is_json(request: WebhookRequest) -> bool:
    return "json" in request.headers.get("content-type", "").lower()


def _read_pairs(request: WebhookRequest) -> tuple[list[tuple[str, str]], list[dict[str, str]]]:
    """Fields and files. A mail with attachments comes as multipart/form-data, any other as a plain form."""
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/"):
        return [(name, clean_text(value)) for name, value in read_form(request.body)], []
    parts = read_multipart(kind, request.body)
    texts = [(part.name, clean_text(part.content.decode("utf-8", "replace"))) for part in parts if part.file is None]
    return texts, [{"name": part.file[:200], "type": part.type} for part in parts if part.file is not None]


def _read_mail(fields: Fields, files: Sequence[Mapping[str, str]]) -> Mail:
    spam = fields.get("x-mailgun-sflag", "").lower() == "yes"
    if fields.get("body-mime"):
        return read_mime(fields["body-mime"].encode("utf-8", "surrogatepass"), attributes={"spam": spam})
    told = [(name, fields[field]) for name, field in FIELDS.items() if fields.get(field)]
    return Mail(
        MailHeaders([*_read_headers(fields), *told, ("to", fields.get("recipient", ""))]), choose_text(fields.get("body-plain"), fields.get("body-html")),
        reply=fields.get("stripped-text", ""), received=Field(fields.get("timestamp"), "timestamp").epoch(), attachments=files[:20], attributes={"spam": spam},
    )


def _read_headers(fields: Fields) -> list[tuple[str, str]]:
    """`message-headers`: a JSON list of names and values."""
    stated = read_json(fields["message-headers"].encode()) if fields.get("message-headers") else Field([], "")
    headers: list[tuple[str, str]] = []
    for pair in Field(stated.value, "message-headers").each():
        words = [each.text() for each in pair.each()]
        headers.append((words[0], words[1]) if len(words) == 2 else pair.refuse("must be a name and a value"))
    return headers


def _read_event(event: Field, source: Source, request: WebhookRequest) -> list[Signal | Unreadable]:
    """What became of the brand's own mail: only failures and complaints are kept."""
    kind = event["event"].text()
    if kind in SILENT or (kind == "failed" and event["severity"].text_or_none() == "temporary"):
        return []
    if kind not in FAILURES:
        event["event"].refuse("is not a known event")
    status = event["delivery-status"]
    said = {"status": status["code"].id_or_none(), "diagnostic": (status["message"].text_or_none() or status["description"].text_or_none() or "")[:500]}
    failure = Failure(event["recipient"].text(), {FAILURES[kind]: {name: value for name, value in said.items() if value} or True},
                      event["message"]["headers"]["message-id"].id_or_none())  # fmt: skip
    return [read_failure(failure, event["id"].id(), "mailgun", source, event["timestamp"].epoch(), request.received_at)]
