"""SendGrid Inbound Parse: e-mails as forms. Credential: an unguessable token, as `?token=` in the webhook's URL or as the password of Basic credentials in it.

Facts: twilio.com/docs/sendgrid/for-developers/parsing-email. Both ways of posting are read: parsed (the default), and raw (the whole mail in `email`). Texts
come in the charsets that `charsets` names. The subject is the form's; people are the headers', where a comma in a name is told from one between two people.
Not confirmed: signatures of inbound posts (an option since 2025), what happens after a 4xx, and the limit of size.
"""

from __future__ import annotations

from caseline.errors import PayloadError
from caseline.mail import BODY_LIMIT as BODY_LIMIT
from caseline.mail import read_mail
from caseline.mail.headers import MailHeaders, decode_bytes, read_headers
from caseline.mail.mime import Mail, choose_text, read_mime
from caseline.multipart import Part, read_multipart
from caseline.payloads import Field, read_json
from caseline.schemes import TokenScheme
from caseline.signals import Signal, Unreadable
from caseline.sources import Source
from caseline.web import WebhookRequest

NAMESPACE = "email"
PROOF = "token"
SPAM_SCORE = 5.0  # SpamAssassin's own threshold; setting `spam_score`
_SCHEME = TokenScheme()
verify, sign = _SCHEME.verify, _SCHEME.sign


def parse(request: WebhookRequest, source: Source) -> list[Signal | Unreadable]:
    parts = read_multipart(request.headers.get("content-type", ""), request.body)
    fields = {part.name: part.content for part in reversed(parts) if part.file is None}
    mail = _read_raw(fields, source) if "email" in fields else _read_parsed(fields, parts, source)
    return [*read_mail(mail, "sendgrid", source, request.received_at)]


def _read_raw(fields: dict[str, bytes], source: Source) -> Mail:
    return read_mime(fields["email"], attributes={"spam": _is_spam(fields, source)})


def _read_parsed(fields: dict[str, bytes], parts: list[Part], source: Source) -> Mail:
    if "from" not in fields and "headers" not in fields:
        raise PayloadError("is required", "from")
    charsets = _read_charsets(fields)
    texts = {name: decode_bytes(fields[name], charsets.get(name)) for name in ("from", "to", "cc", "subject", "text", "html") if name in fields}
    sent = read_headers(decode_bytes(fields.get("headers", b""), None))
    told = [(name, texts[name]) for name in ("from", "to", "cc") if name in texts]
    subject = [("subject", texts["subject"])] if "subject" in texts else []
    files = [{"name": part.file[:200], "type": part.type} for part in parts if part.file is not None]
    text = choose_text(texts.get("text"), texts.get("html"))
    return Mail(MailHeaders([*subject, *sent, *told]), text, attachments=files[:20], attributes={"spam": _is_spam(fields, source)})


def _read_charsets(fields: dict[str, bytes]) -> dict[str, str]:
    """`charsets` says how each field is encoded; without it all is UTF-8."""
    try:
        stated = read_json(fields["charsets"]) if "charsets" in fields else Field({}, "charsets")
        return {name: value.text() for name, value in stated.members()}
    except PayloadError as error:
        raise PayloadError("must be a JSON object of texts", "charsets") from error


def _is_spam(fields: dict[str, bytes], source: Source) -> bool:
    try:
        return float(fields.get("spam_score", b"0")) >= float(source.settings.get("spam_score", SPAM_SCORE))
    except (ValueError, TypeError):
        return False
