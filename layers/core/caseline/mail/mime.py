"""Reading e-mails: the part that somebody wrote, and reports of failed delivery.

Facts: RFC 2045, RFC 2046, RFC 3464. Mails are parsed with compat32, the one policy of the standard library that raises on no header, however
malformed; words are decoded by `headers`. The library's `email` package is loaded with the first mail that needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from caseline.errors import PayloadError
from caseline.mail.headers import MailHeaders, decode_bytes, decode_words, read_headers
from caseline.mail.html import html_to_text
from caseline.payloads import clean_text

if TYPE_CHECKING:
    from email.message import Message

_ATTACHMENTS = 20


@dataclass(frozen=True)
class Failure:
    """A bounce or a complaint about a mail of the brand: about whom, and the facts for `attributes`."""

    address: str
    facts: Mapping[str, Any]
    message_id: str | None = None


@dataclass(frozen=True)
class Mail:
    """What a provider hands over. `reply` is what the provider itself found to be new; an own sender counts only if `authentic`."""

    headers: MailHeaders
    text: str = ""
    reply: str = ""
    provider_id: str = ""
    received: datetime | None = None
    attachments: Sequence[Mapping[str, str]] = ()
    failure: Failure | None = None
    authentic: bool = True
    attributes: Mapping[str, Any] = field(default_factory=dict)


def read_mime(content: bytes, **facts: Any) -> Mail:
    """A whole mail. `facts` are fields of Mail that only the provider knows."""
    from email.parser import BytesParser

    try:
        message = BytesParser().parsebytes(content)
        parts = list(message.walk())
        text = _read_words(message)
        attachments = [_describe(part) for part in parts if _is_attachment(part)][:_ATTACHMENTS]
        failure = _read_report(parts)
    except (RecursionError, ValueError, LookupError, TypeError) as error:
        raise PayloadError("is not a readable mail", "content") from error
    return Mail(MailHeaders(message.raw_items()), text, attachments=attachments, failure=failure, **facts)


def choose_text(plain: str | None, html: str | None) -> str:
    """The plain text, or the words of the HTML where there is none."""
    return clean_text(plain) if plain and plain.strip() else html_to_text(clean_text(html or ""))


def _read_words(part: Message) -> str:
    """The words of a part: of alternatives the first that has any, of several parts all."""
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        words = (_read_words(child) for child in _children(part))
        if part.get_content_subtype() == "alternative":
            return next((found for found in words if found.strip()), "")
        return "\n\n".join(found for found in words if found.strip())
    kind = part.get_content_type()
    if _is_attachment(part) or kind not in ("text/plain", "text/html"):
        return ""
    content = decode_bytes(_content(part), part.get_content_charset())
    return choose_text(None, content) if kind == "text/html" else clean_text(content)


def _children(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    yield from (child for child in (payload if isinstance(payload, list) else ()) if not isinstance(child, str))


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _is_attachment(part: Message) -> bool:
    disposition = str(part.get("content-disposition", "")).partition(";")[0].strip().lower()
    return disposition == "attachment" or (part.get_content_maintype() not in ("text", "multipart", "message") and part.get_filename() is not None)


def _describe(part: Message) -> dict[str, str]:
    return {"name": decode_words(str(part.get_filename() or ""))[:200], "type": part.get_content_type()[:100]}


def _read_report(parts: Sequence[Message]) -> Failure | None:
    """The first recipient whom a delivery status says the mail did not reach, and which mail it was."""
    status = next((part for part in parts if part.get_content_type() == "message/delivery-status"), None)
    if status is None:
        return None
    for block in map(lambda child: MailHeaders(child.raw_items()), _children(status)):
        address = (block.raw("original-recipient") or block.raw("final-recipient")).partition(";")[2].strip().strip("<>")
        if address and block.raw("action").lower() in ("failed", "delayed"):
            said = {"action": block.raw("action").lower(), "status": block.raw("status"), "diagnostic": block.text("diagnostic-code")[:500]}
            return Failure(address, {"bounce": {name: value for name, value in said.items() if value}}, _returned_id(parts))
    return None


def _returned_id(parts: Sequence[Message]) -> str | None:
    """The id of the brand's mail that came back, whole or as its headers."""
    for part in parts:
        kind = part.get_content_type()
        pairs = read_headers(decode_bytes(_content(part), None)) if kind == "text/rfc822-headers" else []
        returned = [child.raw_items() for child in _children(part)] if kind == "message/rfc822" else [pairs]
        found = [message_id for each in returned for message_id in MailHeaders(each).ids("message-id")]
        if found:
            return found[0]
    return None
