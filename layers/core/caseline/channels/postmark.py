"""Postmark inbound e-mail, and its bounce and complaint webhooks. Credential: an unguessable token, as `?token=` in the webhook's URL or as the password of
Basic credentials in it.

Facts: postmarkapp.com/developer/user-guide/inbound/parse-an-email and webhooks/bounce-webhook. No signature is documented. Postmark wants a 200, tries again
ten times over ten hours, and gives up at a 403. Fields of bounce and complaint webhooks other than RecordType, Email, MessageID and the time are not confirmed.
"""

from __future__ import annotations

from typing import Any

from caseline.mail import BODY_LIMIT as BODY_LIMIT
from caseline.mail import read_failure, read_mail, write_address
from caseline.mail.headers import MailHeaders
from caseline.mail.mime import Failure, Mail, choose_text
from caseline.payloads import Field, read_json
from caseline.schemes import TokenScheme
from caseline.signals import Signal, Unreadable
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

NAMESPACE = "email"
PROOF = "token"
SILENT = frozenset({"Delivery", "Open", "Click", "SubscriptionChange", "SMTPApiError"})  # what became of the brand's own mail
FAILURES = {"Bounce": "bounce", "SpamComplaint": "complaint"}
_SCHEME = TokenScheme()
verify, sign = _SCHEME.verify, _SCHEME.sign


def acknowledge(request: WebhookRequest, source: Source, signals: list[Signal | Unreadable]) -> WebhookResponse:
    """Anything but a 200 is sent again."""
    return WebhookResponse(200)


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    body = read_json(request.body)
    kind = body["RecordType"].text_or_none()
    if kind in SILENT:
        return []
    if kind in FAILURES:
        return [_read_failure(body, FAILURES[kind], source, request)]
    if kind not in (None, "Inbound"):
        body["RecordType"].refuse("is not a known kind of record")
    return [*read_mail(_read_mail(body), "postmark", source, request.received_at)]


def _read_mail(body: Field) -> Mail:
    files = [(each["Name"].text_or_none() or "", each["ContentType"].text_or_none() or "") for each in body["Attachments"].each()]
    attachments = [{"name": name[:200], "type": kind[:100]} for name, kind in files[:20]]
    headers = MailHeaders(_read_headers(body))
    is_spam = headers.raw("x-spam-status").lower().startswith("yes")
    return Mail(
        headers, choose_text(body["TextBody"].text_or_none(), body["HtmlBody"].text_or_none()), reply=body["StrippedTextReply"].text_or_none() or "",
        provider_id=body["MessageID"].id(), attachments=attachments,
        attributes={"spam": is_spam, "mailbox_hash": body["MailboxHash"].text_or_none(), "tag": body["Tag"].text_or_none()},
    )


def _read_headers(body: Field) -> list[tuple[str, str]]:
    """Postmark takes the known headers apart and lists the others."""
    people = {"From": [body["FromFull"]], "To": list(body["ToFull"].each()), "Cc": list(body["CcFull"].each()), "Bcc": list(body["BccFull"].each())}
    joined = [(name, ", ".join(_read_address(each) for each in found if each.value is not None)) for name, found in people.items()]
    plain = [(name, body[field].text_or_none() or "") for name, field in (("From", "From"), ("Subject", "Subject"), ("Date", "Date"), ("Reply-To", "ReplyTo"))]
    others = [(each["Name"].text(), each["Value"].text_or_none() or "") for each in body["Headers"].each()]
    return [(name, value) for name, value in [*joined, *plain, *others] if value or name not in people]


def _read_address(person: Field) -> str:
    return write_address(person["Name"].text_or_none(), person["Email"].text())


def _read_failure(body: Field, name: str, source: Source, request: WebhookRequest) -> Signal:
    said: dict[str, Any] = {"type": body["Type"].text_or_none(), "diagnostic": (body["Description"].text_or_none() or "")[:500]}
    failure = Failure(body["Email"].text(), {name: {key: value for key, value in said.items() if value} or True})
    moment = body["BouncedAt"].time_or_none() or request.received_at
    return read_failure(failure, f"{body['MessageID'].id()}/{name}", "postmark", source, moment, request.received_at)
