"""OData's $batch: several requests in one call, as multipart/mixed. A list of parts in the list is a change set: all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from typing import Any

from caseline.crm._http import Answer
from caseline.errors import CrmUnavailableError
from caseline.web import Headers

BOUNDARY, CHANGES = "batch_caseline", "changes_caseline"
_END = b"\r\n"


@dataclass(frozen=True)
class Part:
    """`path` is below the versioned root."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Item = Part | Sequence[Part]


def write_batch(items: Sequence[Item], root: str) -> bytes:
    pieces = [_request(item, root) if isinstance(item, Part) else _change_set(item, place, root) for place, item in enumerate(items)]
    return _join(pieces, BOUNDARY)


def read_batch(answer: Answer) -> list[list[Answer]]:
    """The answers of each item: one of a part, one each of a change set, or the one error that undid it."""
    items = _split(answer.content, _boundary(answer.headers.get("Content-Type", "")))
    return [[_part(answer, inner) for _, inner in _inside(headers, body)] for headers, body in items]


def _request(part: Part, root: str, content_id: int = 0) -> bytes:
    """Every text in a body is escaped to ASCII and every path encoded: nothing in them can end a line."""
    head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary", *([f"Content-ID: {content_id}"] if content_id else [])]
    headers = {"Accept": "application/json", **({"Content-Type": "application/json"} if part.body is not None else {}), **part.headers}
    lines = [*head, "", f"{part.method} {root}{part.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return _END.join(line.encode("ascii") for line in lines) + (b"" if part.body is None else json.dumps(part.body, allow_nan=False).encode())


def _change_set(parts: Sequence[Part], place: int, root: str) -> bytes:
    boundary = f"{CHANGES}_{place}"
    inner = _join([_request(part, root, number) for number, part in enumerate(parts, 1)], boundary)
    return f"Content-Type: multipart/mixed; boundary={boundary}".encode() + _END + _END + inner


def _join(pieces: Sequence[bytes], boundary: str) -> bytes:
    edge = b"--" + boundary.encode()
    return b"".join(edge + _END + piece + _END for piece in pieces) + edge + b"--" + _END


def _inside(headers: Mapping[str, str], body: bytes) -> list[tuple[Mapping[str, str], bytes]]:
    kind = headers.get("Content-Type", "")
    return _split(body, _boundary(kind)) if kind.lower().startswith("multipart/") else [(headers, body)]


def _split(content: bytes, boundary: str) -> list[tuple[Mapping[str, str], bytes]]:
    edge = _END + b"--" + boundary.encode()
    pieces = (_END + content).split(edge)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise CrmUnavailableError("a batch was answered in part")
    return [_headed(piece.removeprefix(_END)) for piece in pieces[1:-1]]


def _headed(piece: bytes) -> tuple[Mapping[str, str], bytes]:
    head, _, body = piece.partition(_END + _END)
    return Headers({name: str(value) for name, value in BytesHeaderParser().parsebytes(head).items()}), body


def _part(answer: Answer, piece: bytes) -> Answer:
    line, _, rest = piece.lstrip().partition(_END)
    words = line.split(b" ")
    if len(words) < 2 or not words[1].isdigit():
        raise CrmUnavailableError("a batch was answered with what is no HTTP")
    headers, body = _headed(rest)
    return Answer(answer.crm, int(words[1]), headers, body.strip(), answer.retry_after)


def _boundary(content_type: str) -> str:
    name = content_type.partition("boundary=")[2].split(";")[0].strip().strip('"')
    if not name:
        raise CrmUnavailableError("a batch was answered with another kind of content")
    return name
