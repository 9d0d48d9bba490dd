"""Forms with files: `multipart/form-data` (RFC 7578), read from the bytes as they came."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from caseline.errors import PayloadError
from caseline.payloads import MAX_FIELDS

_BOUNDARY = re.compile(r"multipart/form-data\s*;(?:.*;)?\s*boundary=(?:\"([^\"]{1,70})\"|([^\s;,\"]{1,70}))", re.IGNORECASE)
_NAME = re.compile(rb'\bname="([^"\r\n]{0,500})"', re.IGNORECASE)
_FILE = re.compile(rb'\bfilename="([^"\r\n]{0,500})"', re.IGNORECASE)
_TYPE = re.compile(rb"^content-type:[ \t]*([^\r\n;]{1,100})", re.IGNORECASE | re.MULTILINE)
_HEAD_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True)
class Part:
    """One field. `file` is the name of the file it holds, None for a field of text."""

    name: str
    content: bytes
    file: str | None = None
    type: str = "text/plain"


def read_multipart(content_type: str, body: bytes) -> list[Part]:
    """The fields in order. Raises PayloadError for a body that is no such form."""
    found = _BOUNDARY.match(content_type.strip())
    if not found:
        raise PayloadError("is not multipart/form-data with a boundary", "content-type")
    mark = re.escape((found[1] or found[2]).encode("utf-8", "surrogatepass"))
    pieces = re.split(rb"(?:\A|\r?\n)--" + mark + rb"(?=--|[ \t]*\r?\n)", body, maxsplit=MAX_FIELDS + 1)
    if len(pieces) < 2 or len(pieces) > MAX_FIELDS:
        raise PayloadError("the body is not a form of 1 to 1000 fields")
    return list(_read_parts(pieces[1:]))


def _read_parts(pieces: list[bytes]) -> Iterator[Part]:
    for piece in pieces:
        if piece.startswith(b"--"):
            return
        end = _HEAD_END.search(piece)
        head = piece[: end.start()] if end else piece
        name, file, kind = _NAME.search(head), _FILE.search(head), _TYPE.search(head)
        if not name:
            raise PayloadError("a part of the form has no name")
        content = piece[end.end() :] if end else b""
        yield Part(_text(name[1]), content, _text(file[1]) if file else None, _text(kind[1]).strip().lower() if kind else "text/plain")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
