"""HTTP/1.1 on a stream: bodies, and the short requests of the Lambda runtime client over one kept connection."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO


class TooLargeError(Exception):
    """The body is larger than it may be."""


@dataclass(frozen=True)
class RuntimeRequest:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def read_request(stream: IO[bytes]) -> RuntimeRequest | None:
    """The next request of a connection, its headers in lower case; None where the client has gone."""
    start = stream.readline()
    if not start:
        return None
    method, path, _ = start.decode("latin-1").split(" ", 2)
    headers = dict(_read_headers(stream))
    return RuntimeRequest(method, path, headers, read_body(stream, headers))


def write_response(connection: socket.socket, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    lines = [f"HTTP/1.1 {status} OK", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)


def _read_headers(stream: IO[bytes]) -> list[tuple[str, str]]:
    headers = []
    while line := stream.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.strip().lower(), value.strip()))
    return headers


def read_body(stream: IO[bytes], headers: Mapping[str, str], limit: int | None = None) -> bytes:
    """A request's body to its end, by length or in chunks; TooLargeError beyond `limit` bytes, ValueError if it is not HTTP."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _read_chunks(stream, limit)
    length = int(headers.get("content-length") or 0)
    if length < 0:
        raise ValueError("a negative length")
    if limit is not None and length > limit:
        raise TooLargeError
    body = stream.read(length)
    if len(body) < length:
        raise ValueError("the body ended early")
    return body


def _read_chunks(stream: IO[bytes], limit: int | None) -> bytes:
    chunks, total = [], 0
    while size := int(stream.readline(1024).split(b";")[0], 16):
        total += size
        if limit is not None and total > limit:
            raise TooLargeError
        chunks.append(stream.read(size))
        stream.readline(1024)
    while stream.readline(65536).strip():
        pass
    return b"".join(chunks)
