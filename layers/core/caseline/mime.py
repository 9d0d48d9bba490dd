"""Reading e-mails: headers, words in any charset, the part that somebody wrote, and reports of failed delivery.

Facts: RFC 5322, RFC 2045 to 2047, RFC 3464. Mails are parsed with compat32, the one policy of the standard library that raises on no header, however
malformed; words are decoded here. The library's `email` package is loaded with the first mail that needs it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from caseline.errors import PayloadError
from caseline.identity import normalise_identity
from caseline.mail_html import html_to_text
from caseline.payloads import clean_text

if TYPE_CHECKING:
    from email.message import Message

_HEADER_LIMIT = 8_000
_ATTACHMENTS = 20
_BLOCK_LIMIT = 100_000
_BLOCK_END = re.compile(r"\r?\n\r?\n")
_HEADER = re.compile(r"^([!-9;-~]{1,100}):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_FOLDS = re.compile(r"\r?\n[ \t]*|[\r\n]")
_PLAIN = re.compile(r'(?:"?([^"<>(),;:@\\]*)"? ?<([^\s<>(),;:"@\\]+@[^\s<>(),;:"@\\]+)>|([^\s<>(),;:"@\\]+@[^\s<>(),;:"@\\]+))\Z')
_ID = re.compile(r"<([^<>\s]{1,500})>")
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

    @cached_property
    def subject(self) -> str:
        return self.text("subject")

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
    """A block of headers as text, up to the first empty line. Folds stay; `MailHeaders.raw` takes them out."""
    block = _BLOCK_END.split(text[:_BLOCK_LIMIT].lstrip("\r\n"), maxsplit=1)[0]
    return _HEADER.findall(block)


def choose_text(plain: str | None, html: str | None) -> str:
    """The plain text, or the words of the HTML where there is none."""
    return clean_text(plain) if plain and plain.strip() else html_to_text(clean_text(html or ""))


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
