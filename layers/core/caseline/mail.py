"""E-mails as signals: one reading for every provider that hands them over.

Facts: RFC 5322 (messages, threads), RFC 2045 to 2047 (MIME), RFC 3834 (automatic answers), RFC 3464 (delivery status). Mails are parsed with
compat32, the one policy of the standard library that raises on no header, however malformed; words are decoded here. The library's `email` package is
loaded with the first mail.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from caseline.errors import PayloadError
from caseline.identity import is_own, normalise_identities, normalise_identity
from caseline.mail_text import html_to_text, strip_reply, tidy
from caseline.payloads import clean_text, settle_time
from caseline.signals import OUTBOUND, Signal
from caseline.sources import Source

if TYPE_CHECKING:
    from email.message import Message

BODY_LIMIT = 4_000_000
NAMESPACE = "email"
ORIGINAL_LIMIT = 8_000  # characters of a text that are kept where a part of it was stripped
_HEADER_LIMIT = 8_000
_ATTACHMENTS = 20
_FOLDS = re.compile(r"\r?\n[ \t]*|[\r\n]")
_PLAIN = re.compile(r'(?:"?([^"<>(),;:@\\]*)"? ?<([^\s<>(),;:"@\\]+@[^\s<>(),;:"@\\]+)>|([^\s<>(),;:"@\\]+@[^\s<>(),;:"@\\]+))\Z')
_ID = re.compile(r"<([^<>\s]{1,500})>")
_AUTOMATIC_SUBJECT = re.compile(
    r"\s*(?:auto(?:matic|mated)?[ -]?(?:reply|response)|out of (?:the )?office|abwesenheits(?:notiz|nachricht)|automatische antwort"
    r"|réponse automatique|respuesta automática|risposta automatica|resposta automática)\b",
    re.IGNORECASE,
)
_DAEMONS = frozenset({"mailer-daemon", "postmaster"})
_BULK = frozenset({"bulk", "junk", "auto_reply", "auto-reply"})  # not "list": a group's address puts that on what customers write
_MARKS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply")
_REPORTS = re.compile(r"multipart/report|message/(?:delivery-status|disposition-notification)", re.IGNORECASE)
_CHARSETS = re.compile(r"utf-(?:8|16|32)|ascii|iso(?:8859|2022)|cp\d|koi8|gb|big5|euc|shift|mac|hz|tis|johab")


class MailHeaders:
    """Headers as they were sent, by name without regard to case, several of a name in order."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        self._people: dict[str, list[tuple[str, str]]] = {}
        for name, value in pairs:
            self._values.setdefault(name.strip().lower(), []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def raw(self, name: str) -> str:
        """The first value, unfolded; empty if there is none."""
        value = next(iter(self._values.get(name, ())), "")[:_HEADER_LIMIT].strip()
        return value if value.isprintable() else _FOLDS.sub(" ", value)

    def text(self, name: str) -> str:
        return decode_words(self.raw(name))

    def ids(self, name: str) -> list[str]:
        """Message ids without their brackets; one without brackets is taken as it stands."""
        value = clean_text(_repair(self.raw(name)))
        bare = value.split()[:1] if "<" not in value else []
        return _ID.findall(value) or [word for word in bare if len(word) <= 500]

    def addresses(self, name: str) -> list[tuple[str, str]]:
        """Display name and identity of each address, malformed ones left out."""
        if name not in self._people:
            found = [(decode_words(shown), normalise_identity(f"email:{address}")) for shown, address in _split_addresses(_repair(self.raw(name)))]
            self._people[name] = [(shown, identity) for shown, identity in found if identity]
        return self._people[name]


def _split_addresses(value: str) -> list[tuple[str, str]]:
    """Names and addresses. Most headers hold one plain address, and need no parser."""
    plain = _PLAIN.match(value)
    if plain or not value:
        return [(plain[1] or "", plain[2] or plain[3])] if plain else []
    from email.utils import getaddresses

    try:
        return getaddresses([value])
    except (RecursionError, IndexError):  # comments in comments
        return []


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


def read_headers(text: str) -> list[tuple[str, str]]:
    """A block of headers as text."""
    from email.parser import HeaderParser

    return [(name, str(value)) for name, value in HeaderParser().parsestr(text[:100_000]).raw_items()]


def choose_text(plain: str | None, html: str | None) -> str:
    """The plain text, or the words of the HTML where there is none."""
    return clean_text(plain) if plain and plain.strip() else html_to_text(clean_text(html or ""))


def write_address(name: str | None, address: str) -> str:
    """`"Name" <address>`, for providers that give the two apart."""
    quoted = re.sub(r'(["\\])', r"\\\1", name or "")
    return f'"{quoted}" <{address}>' if quoted else address


def read_mail(mail: Mail, channel: str, source: Source, received_at: datetime) -> list[Signal]:
    """One signal; none for a mail from the brand to itself. An automatic answer is marked, and never calls for a case."""
    headers = mail.headers
    sender = _read_sender(headers, source)
    automatic = mail.failure is not None or is_automatic(headers, sender[1])
    people = _failed_people(mail.failure, source) if mail.failure else _read_people(headers, sender, source, mail.authentic, automatic)
    if people is None:
        return []
    above, references = headers.ids("in-reply-to"), headers.ids("references")
    native_id = next(iter(headers.ids("message-id")), "") or mail.provider_id or _fingerprint(mail)
    parent = next(iter(above), None) or (references[-1] if references else None) or (mail.failure.message_id if mail.failure else None)
    text, original = _new_words(mail, is_answer=parent is not None)
    facts = {
        **mail.attributes, "auto_reply": automatic, **(mail.failure.facts if mail.failure else {}), "original": original,
        "attachments": list(mail.attachments), "to": None if "agent" in people else _mailbox(headers, source),
    }
    return [Signal(
        channel=channel, source=source.name, native_id=native_id, kind="email", received_at=received_at, **people,
        occurred_at=settle_time(_read_date(headers) or mail.received or received_at, received_at, "Date"), text=_join(headers.text("subject"), text),
        thread_id=next(iter([*references, *above]), None) or parent or native_id, parent_id=parent, attributes=_present(facts),
    )]  # fmt: skip


def read_failure(failure: Failure, native_id: str, channel: str, source: Source, moment: datetime, received_at: datetime) -> Signal:
    """A provider's own notice that a mail of the brand did not arrive, or was called spam: a fact on the customer's timeline, never a case."""
    return Signal(
        channel=channel, source=source.name, native_id=native_id, kind="email", received_at=received_at, occurred_at=settle_time(moment, received_at),
        identities=normalise_identities([f"email:{failure.address}"]), thread_id=failure.message_id, parent_id=failure.message_id,
        attributes={"auto_reply": True, **failure.facts},
    )


def is_automatic(headers: MailHeaders, sender: str = "") -> bool:
    """Whether a machine wrote it: RFC 3834, and what mail programs did before it."""
    submitted = headers.raw("auto-submitted").partition(";")[0].strip().lower()
    suppressed = headers.raw("x-auto-response-suppress").lower()
    return (
        submitted not in ("", "no") or suppressed not in ("", "none") or headers.raw("precedence").lower() in _BULK
        or any(mark in headers for mark in _MARKS) or headers.raw("return-path") == "<>" or bool(_REPORTS.match(headers.raw("content-type")))
        or sender.removeprefix("email:").partition("@")[0] in _DAEMONS or bool(_AUTOMATIC_SUBJECT.match(headers.text("subject")))
    )  # fmt: skip


def decode_words(value: str) -> str:
    """A header's words, RFC 2047 or raw; what cannot be decoded stays readable."""
    value = _repair(value)
    if "=?" not in value:
        return clean_text(re.sub(r"\s+", " ", value)).strip()
    from email.errors import HeaderParseError
    from email.header import decode_header

    try:
        pieces = decode_header(value)
    except (HeaderParseError, ValueError):
        return clean_text(value)
    words = "".join(piece if isinstance(piece, str) else decode_bytes(piece, charset) for piece, charset in pieces)
    return clean_text(re.sub(r"\s+", " ", words)).strip()


def decode_bytes(content: bytes, charset: str | None) -> str:
    """By the charset that is stated if it is one of texts; UTF-8 where none or ASCII is; never fails."""
    name = _charset(charset)
    if name in ("ascii", "utf-8"):
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            return content.decode("cp1252", "replace")
    return content.decode("cp1252" if name == "iso8859-1" else name, "replace")


def _charset(stated: str | None) -> str:
    try:
        name = codecs.lookup(stated or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"
    return name if _CHARSETS.match(name) else "utf-8"


def _repair(value: str) -> str:
    """Bytes that a parser kept as surrogates, as text."""
    if value.isascii():
        return value
    return decode_bytes(value.encode("utf-8", "surrogateescape"), None) if any("\udc80" <= c <= "\udcff" for c in value) else value


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
            return Failure(address, {"bounce": _present(said)}, _returned_id(parts))
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


def _read_sender(headers: MailHeaders, source: Source) -> tuple[str, str]:
    """Who wrote it. A form on the brand's own site writes in its own name, and names the customer as the one to answer."""
    senders = headers.addresses("from") or headers.addresses("sender") or headers.addresses("return-path")
    if not senders:
        return "", ""
    answers = headers.addresses("reply-to") if owns(source, senders[0][1]) else []
    if not answers or owns(source, answers[0][1]):
        return senders[0]
    internal = all(owns(source, identity) for _, identity in [*headers.addresses("to"), *headers.addresses("cc")])
    return answers[0] if internal else senders[0]


def _read_people(headers: MailHeaders, sender: tuple[str, str], source: Source, authentic: bool, automatic: bool) -> dict[str, Any] | None:
    """The customer is the sender, or the first addressee who is not the brand's own; None where both are the brand's."""
    name, identity = sender
    if not identity:
        raise PayloadError("names no address", "From")
    if not owns(source, identity) or not authentic or _is_daemon(identity):
        return {"identities": (identity,), "author_name": name or None}
    others = [other for header in ("to", "cc", "bcc") for _, other in headers.addresses(header) if not owns(source, other)]
    return {"direction": OUTBOUND, "identities": (others[0],), "agent": name or identity.removeprefix("email:")} if others else None


def _is_daemon(identity: str) -> bool:
    return identity.removeprefix("email:").partition("@")[0] in _DAEMONS


def _failed_people(failure: Failure, source: Source) -> dict[str, Any] | None:
    identity = normalise_identity(f"email:{failure.address}")
    return {"identities": () if identity is None or owns(source, identity) else (identity,)}


def owns(source: Source, identity: str) -> bool:
    """Whether an e-mail identity is the brand's: named, bare or not, or of a domain that is."""
    return is_own(identity, source.own_ids) or source.owns(NAMESPACE, identity.removeprefix("email:"))


def _mailbox(headers: MailHeaders, source: Source) -> str | None:
    """The address of the brand that was written to: it often says which desk is meant."""
    told = [identity.removeprefix("email:") for name in ("to", "cc") for _, identity in headers.addresses(name)]
    return next((address for address in told if owns(source, f"email:{address}")), next(iter(told), None))


def _new_words(mail: Mail, is_answer: bool) -> tuple[str, str | None]:
    """What is new in the mail, and its whole text if that is more. Of a first mail that seems to quote everything, all is new."""
    whole = tidy(mail.text)
    new = strip_reply(mail.reply or mail.text) or ("" if is_answer else whole)
    return new, whole[:ORIGINAL_LIMIT] if whole != new else None


def _read_date(headers: MailHeaders) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(headers.raw("date"))
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.year >= 1970 else None


def _fingerprint(mail: Mail) -> str:
    """An id for a mail that has none: the same for the same mail."""
    parts = [mail.headers.raw(name) for name in ("from", "to", "date", "subject")]
    return "sha256:" + hashlib.sha256("\n".join([*parts, mail.text]).encode("utf-8", "surrogatepass")).hexdigest()


def _join(subject: str, text: str) -> str | None:
    return "\n\n".join(part for part in (subject, text) if part) or None


def _present(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value}
