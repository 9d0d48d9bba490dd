"""Headers of e-mails, however malformed: names, addresses, ids, and words in any charset.

Facts: RFC 5322, RFC 2047.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from functools import cached_property

from caseline.identity import normalise_identity
from caseline.payloads import clean_text

_HEADER_LIMIT = 8_000
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


def read_headers(text: str) -> list[tuple[str, str]]:
    """A block of headers as text, up to the first empty line. Folds stay; `MailHeaders.raw` takes them out."""
    block = _BLOCK_END.split(text[:_BLOCK_LIMIT].lstrip("\r\n"), maxsplit=1)[0]
    return _HEADER.findall(block)


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
