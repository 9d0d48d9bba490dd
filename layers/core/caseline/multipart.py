"""Forms with files: `multipart/form-data` (RFC 7578), read from the bytes as they came."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from caseline.errors import PayloadError
from caseline.payloads import MAX_FIELDS

_BOUNDARY = re.compile(r"multipart/form-data\s*;(?:.*;)?\s*boundary=(?:\"([^\"]{1,70})\"|([^\s;,\"]{1,70}))", re.IGNORECASE)
_PARAMETER = re.compile(rb'\b(name|filename)="([^"\r\n]{0,500})"', re.IGNORECASE)
_TYPE = re.compile(rb"^content-type:[ \t]*([^\r\n;]{1,100})", re.IGNORECASE | re.MULTILINE)
_AFTER_BOUNDARY = re.compile(rb"--|[ \t]*\r?\n")
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
    mark = (found[1] or found[2]).encode("utf-8", "surrogatepass")
    pieces = _split(b"\n" + body, b"\n--" + mark)
    if not 0 < len(pieces) < MAX_FIELDS:
        raise PayloadError("the body is not a form of 1 to 1000 fields")
    return list(_read_parts(pieces))


def _split(body: bytes, delimiter: bytes) -> list[bytes]:
    """What stands after each boundary. Without a pattern, which would be another one for each request, and takes longer to make than the form to read."""
    parts: list[list[bytes]] = [[]]
    for piece in body.split(delimiter, MAX_FIELDS + 1):
        if _AFTER_BOUNDARY.match(piece):
            parts.append([piece])
        else:  # what comes before the first, or a line that only begins like one
            parts[-1] += [delimiter, piece]
    return [b"".join(part) for part in parts[1:]]


def _read_parts(pieces: list[bytes]) -> Iterator[Part]:
    for piece in pieces:
        if piece.startswith(b"--"):
            return
        end = _HEAD_END.search(piece)
        head = piece[: end.start()] if end else piece
        told = {name.lower(): _text(value) for name, value in reversed(_PARAMETER.findall(head))}
        if b"name" not in told:
            raise PayloadError("a part of the form has no name")
        content, kind = piece[end.end() :].removesuffix(b"\r") if end else b"", _TYPE.search(head)
        yield Part(told[b"name"], content, told.get(b"filename"), _text(kind[1]).strip().lower() if kind else "text/plain")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
