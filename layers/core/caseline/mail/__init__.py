"""E-mails as signals: one judgement for every provider that hands them over.

Facts: RFC 5322 (threads), RFC 3834 (automatic answers) and what mail programs did before it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from caseline.errors import PayloadError
from caseline.identity import is_own, normalise_identities, normalise_identity
from caseline.mail.headers import MailHeaders
from caseline.mail.mime import Failure, Mail
from caseline.mail.text import strip_reply, tidy
from caseline.payloads import settle_time
from caseline.signals import AUTO_REPLY, OUTBOUND, Signal
from caseline.sources import Source

BODY_LIMIT = 4_000_000
NAMESPACE = "email"
REFERENCES_LIMIT = 20  # of a mail's references that are kept, the newest
ORIGINAL_LIMIT = 8_000  # characters of a text that are kept where a part of it was stripped
_AUTOMATIC_SUBJECT = re.compile(
    r"\s*(?:auto(?:matic|mated)?[ -]?(?:reply|response)|out of (?:the )?office|abwesenheits(?:notiz|nachricht)|automatische antwort"
    r"|réponse automatique|respuesta automática|risposta automatica|resposta automática)\b",
    re.IGNORECASE,
)
_NOBODY = re.compile(r"(?:no|do[-_.]?not)[-_.]?reply\b|newsletter", re.IGNORECASE)  # who sends to lists and reads no answer: a newsletter, a digest
_DAEMONS = frozenset({"mailer-daemon", "postmaster"})
_BULK = frozenset({"bulk", "junk", "auto_reply", "auto-reply"})  # not "list": a group's address puts that on what customers write
_MARKS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply")
_REPORTS = re.compile(r"multipart/report|message/(?:delivery-status|disposition-notification)", re.IGNORECASE)


def write_address(name: str | None, address: str) -> str:
    """`"Name" <address>`, for providers that give the two apart."""
    quoted = re.sub(r'(["\\])', r"\\\1", name or "")
    return f'"{quoted}" <{address}>' if quoted else address


def read_mail(mail: Mail, channel: str, source: Source, received_at: datetime) -> list[Signal]:
    """One signal; none for a mail from the brand to itself. An automatic answer is marked, and never calls for a case."""
    headers = mail.headers
    sender = _read_sender(headers, source)
    people = _failed_people(mail.failure, source) if mail.failure else _read_people(headers, sender, source, mail.authentic)
    if people is None:
        return []
    automatic = mail.failure is not None or is_automatic(headers, sender[1]) or ("agent" not in people and wants_no_answer(headers))
    above, references = headers.ids("in-reply-to"), headers.ids("references")
    native_id = next(iter(headers.ids("message-id")), "") or mail.provider_id or _fingerprint(mail)
    parent = next(iter(above), None) or (references[-1] if references else None) or (mail.failure.message_id if mail.failure else None)
    thread = next(iter([*references, *above]), None) or parent or native_id
    text, original = _new_words(mail, is_answer=parent is not None)
    facts = {
        **mail.attributes, AUTO_REPLY: automatic, **(mail.failure.facts if mail.failure else {}), "original": original,
        "references": _between(thread, parent, [*references, *above]), "attachments": list(mail.attachments),
        "to": None if "agent" in people else _mailbox(headers, source),
    }
    return [Signal(
        channel=channel, source=source.name, native_id=native_id, kind="email", received_at=received_at, **people,
        occurred_at=settle_time(_read_date(headers) or mail.received or received_at, received_at, "Date"), text=_join(headers.subject, text),
        thread_id=thread, parent_id=parent, attributes=_present(facts),
    )]  # fmt: skip


def read_failure(failure: Failure, native_id: str, channel: str, source: Source, moment: datetime, received_at: datetime) -> Signal:
    """A provider's own notice that a mail of the brand did not arrive, or was called spam: a fact on the customer's timeline, never a case."""
    return Signal(
        channel=channel, source=source.name, native_id=native_id, kind="email", received_at=received_at, occurred_at=settle_time(moment, received_at),
        identities=normalise_identities([f"email:{failure.address}"]), thread_id=failure.message_id, parent_id=failure.message_id,
        attributes={AUTO_REPLY: True, **failure.facts},
    )


def is_automatic(headers: MailHeaders, sender: str = "") -> bool:
    """Whether a machine wrote it: RFC 3834, and what mail programs did before it."""
    return (
        headers.raw("auto-submitted").partition(";")[0].strip().lower() not in ("", "no") or headers.raw("precedence").lower() in _BULK
        or any(mark in headers for mark in _MARKS) or headers.raw("return-path") == "<>" or bool(_REPORTS.match(headers.raw("content-type")))
        or _is_daemon(sender) or ("list-unsubscribe" in headers and bool(_NOBODY.match(sender.removeprefix("email:"))))
        or bool(_AUTOMATIC_SUBJECT.match(headers.subject))
    )  # fmt: skip


def wants_no_answer(headers: MailHeaders) -> bool:
    """Exchange's word for "send me no automatic answer". Of strangers, machines write it; desks write it on what the brand's people say, too."""
    return headers.raw("x-auto-response-suppress").lower() not in ("", "none")


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


def _read_people(headers: MailHeaders, sender: tuple[str, str], source: Source, authentic: bool) -> dict[str, Any] | None:
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
    new = strip_reply(tidy(mail.reply) if mail.reply else whole) or ("" if is_answer else whole)
    return new, whole[:ORIGINAL_LIMIT] if whole != new else None


def _between(thread: str, parent: str | None, named: Sequence[str]) -> list[str]:
    """What it refers to beside its thread and its parent: mails that lost their first reference on the way still share one of these."""
    return [name for name in dict.fromkeys(named) if name not in (thread, parent)][-REFERENCES_LIMIT:]


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
