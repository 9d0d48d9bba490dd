"""$batch: multipart/mixed in, multipart/mixed out; change sets are all or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from caseline.web import Headers

from tests.kit.dynamics.errors import DataverseError
from tests.kit.simulated import Call, Reply

ANSWERS, CHANGES = "batchresponse_7f3c", "changesetresponse_7f3c"
REFERENCE = re.compile(r"\$(\d+)(?=[/\"]|$)")
Answerer = Callable[[Call], Reply]


def answer_batch(call: Call, answer: Answerer, transaction: Callable[[], Any], go_on: bool) -> Reply:
    """Parts in their order; the first that fails ends it unless it is to go on."""
    pieces, failed = [], False
    for headers, body in split_parts(call.raw, _boundary(call.headers.get("Content-Type") or "")):
        piece, fine = _answer_piece(call, headers, body, answer, transaction)
        pieces.append(piece)
        failed = not fine
        if failed and not go_on:
            break
    content = _join(pieces, ANSWERS)
    return Reply(200, content, {"Content-Type": f"multipart/mixed; boundary={ANSWERS}", "OData-Version": "4.0"})


def _answer_piece(call: Call, headers: Mapping[str, str], body: bytes, answer: Answerer, transaction: Callable[[], Any]) -> tuple[bytes, bool]:
    kind = headers.get("Content-Type", "")
    if not kind.startswith("multipart/mixed"):
        reply = answer(read_request(call, body))
        return write_reply(reply), reply.status < 400
    return _answer_change_set(call, split_parts(body, _boundary(kind)), answer, transaction)


def _answer_change_set(call: Call, parts: list[tuple[Mapping[str, str], bytes]], answer: Answerer, transaction: Callable[[], Any]) -> tuple[bytes, bool]:
    made: dict[str, str] = {}
    written: list[bytes] = []
    failed = Reply(400)
    try:
        with transaction():
            for headers, body in parts:
                content_id, request = headers.get("Content-ID", ""), read_request(call, body, made)
                if request.method == "GET":
                    raise DataverseError(400, "0x80048d19", "A change set may not hold a GET.")
                reply = answer(request)
                if reply.status >= 400:
                    failed = reply
                    raise DataverseError(reply.status, "", "")
                made[content_id] = reply.headers.get("OData-EntityId", "").partition("/v9.2")[2]
                written.append(write_reply(reply, content_id))
    except DataverseError as error:
        return write_reply(failed if not error.code else Reply(error.status, error.body())), False
    head = f"Content-Type: multipart/mixed; boundary={CHANGES}\r\n\r\n".encode()
    return head + _join(written, CHANGES), True


def read_request(call: Call, piece: bytes, made: Mapping[str, str] | None = None) -> Call:
    """Lines end with CR LF; the empty line after the headers may be the boundary's own."""
    head, _, body = piece.rstrip(b"\r\n").partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or words[2] != "HTTP/1.1":
        raise DataverseError(400, "0x80048d19", "The request line of a batch part is not valid.")
    headers = Headers({**dict(call.headers), **{name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}})
    target, text = _resolved(words[1], made or {}), REFERENCE.sub(lambda found: (made or {}).get(found[1], found[0]), body.decode()) if made else body.decode()
    return request_of(call, words[0], target, headers, text)


def request_of(call: Call, method: str, target: str, headers: Mapping[str, str], text: str) -> Call:
    path, _, query = re.sub(r"^https?://[^/]+", "", target).partition("?")
    path = path if path.startswith("/api/") else f"/api/data/v9.2/{path.lstrip('/')}"
    body = json.loads(text) if text else None
    return Call(method, path, {}, headers, body, text.encode(), f"{path}?{query}" if query else path, call.root)


def _resolved(target: str, made: Mapping[str, str]) -> str:
    return REFERENCE.sub(lambda found: made.get(found[1], found[0]).lstrip("/"), target) if target.startswith("$") else target


def write_reply(reply: Reply, content_id: str = "") -> bytes:
    head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n" + (f"Content-ID: {content_id}\r\n" if content_id else "")
    headers = {**({"Content-Type": "application/json; odata.metadata=minimal"} if reply.body is not None else {}), "OData-Version": "4.0", **reply.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{head}\r\nHTTP/1.1 {reply.status} X\r\n{lines}\r\n".encode() + reply.content()


def split_parts(content: bytes, boundary: str) -> list[tuple[Mapping[str, str], bytes]]:
    pieces = (b"\r\n" + content).split(b"\r\n--" + boundary.encode())
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise DataverseError(400, "0x80048d19", "The batch is not valid multipart/mixed; lines end with CR LF.")
    return [_headed(piece.removeprefix(b"\r\n")) for piece in pieces[1:-1]]


def _headed(piece: bytes) -> tuple[Mapping[str, str], bytes]:
    head, _, body = piece.partition(b"\r\n\r\n")
    return Headers({name.strip(): value.strip() for name, _, value in (line.partition(":") for line in head.decode("ascii").split("\r\n"))}), body


def _join(pieces: list[bytes], boundary: str) -> bytes:
    edge = b"--" + boundary.encode()
    return b"".join(edge + b"\r\n" + piece + b"\r\n" for piece in pieces) + edge + b"--\r\n"


def _boundary(content_type: str) -> str:
    return content_type.partition("boundary=")[2].split(";")[0].strip().strip('"')
