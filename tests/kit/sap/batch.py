"""$batch of OData v2: paths are relative to the service, a change set is all of it or nothing and answers with one error."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from caseline.web import Headers

from tests.kit.sap.tenant import SapError, Tenant
from tests.kit.simulated import Call, Reply

ANSWERS, CHANGES = "ejjeeffe0", "ejjeeffe1"
LINE = b"\r\n"
Answerer = Callable[[Call], Reply]
Piece = tuple[Mapping[str, str], bytes]


def answer_batch(call: Call, root: str, answer: Answerer, tenant: Tenant) -> Reply:
    pieces = [_answer(call, root, piece, answer, tenant) for piece in _split(call.raw, call.headers.get("Content-Type") or "")]
    return Reply(202, _join(pieces, ANSWERS), {"Content-Type": f"multipart/mixed; boundary={ANSWERS}"})


def _answer(call: Call, root: str, piece: Piece, answer: Answerer, tenant: Tenant) -> bytes:
    headers, body = piece
    if not headers.get("Content-Type", "").startswith("multipart/mixed"):
        request = _request(call, root, body)
        if request.method != "GET":
            raise SapError(400, "BATCH", "Outside a change set only GET is allowed")
        return _write(answer(request))
    requests = [_request(call, root, inner) for _, inner in _split(body, headers["Content-Type"])]
    if any(request.method == "GET" for request in requests):
        raise SapError(400, "BATCH", "A change set may not hold a GET")
    before = {name: copy.deepcopy(table.rows) for name, table in tenant.tables.items()}
    replies = []
    for request in requests:
        replies.append(answer(request))
        if replies[-1].status >= 400:
            for name, rows in before.items():
                tenant.tables[name].rows = rows
            return _write(replies[-1])
    head = f"Content-Type: multipart/mixed; boundary={CHANGES}".encode() + LINE + LINE
    return head + _join([_write(reply) for reply in replies], CHANGES)


def _request(call: Call, root: str, piece: bytes) -> Call:
    head, _, body = piece.rstrip(LINE).partition(LINE + LINE)
    first, *rest = head.decode("ascii").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[1].startswith("/"):
        raise SapError(400, "BATCH", "A part names a path relative to the service")
    path, _, query = words[1].partition("?")
    headers = Headers({**dict(call.headers), **{name.strip(): value.strip() for name, _, value in (line.partition(":") for line in rest)}})
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    return Call(words[0], f"{root}/{path}", pairs, headers, json.loads(body) if body else None, body, f"{root}/{words[1]}", call.root)


def _write(reply: Reply) -> bytes:
    content = reply.content()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), "dataserviceversion": "2.0", **reply.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 {reply.status} X\r\n{lines}\r\n".encode() + content


def _split(content: bytes, content_type: str) -> list[Piece]:
    edge = LINE + b"--" + content_type.partition("boundary=")[2].strip('"').encode()
    pieces = (LINE + content).split(edge)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise SapError(400, "BATCH", "The batch is not valid multipart/mixed")
    return [_headed(piece.removeprefix(LINE)) for piece in pieces[1:-1]]


def _headed(piece: bytes) -> Piece:
    head, _, body = piece.partition(LINE + LINE)
    return Headers({name.strip(): value.strip() for name, _, value in (line.partition(":") for line in head.decode("ascii").split("\r\n"))}), body


def _join(pieces: list[bytes], boundary: str) -> bytes:
    edge = b"--" + boundary.encode()
    return b"".join(edge + LINE + piece + LINE for piece in pieces) + edge + b"--" + LINE
