"""A small HTTP/1.1 server on the loopback: connections are kept, nothing waits for Nagle, nothing is logged."""

from __future__ import annotations

import io
import itertools
import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass

_LOG = logging.getLogger(__name__)
_REQUESTS = itertools.count(1)
_MAXIMUM_BODY = 64 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """Header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, dict[str, str], bytes]


class Server(socketserver.ThreadingTCPServer):
    """Answers each request with `answer`, a thread for each connection."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.answer = answer
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="cloud", daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No further request is answered, also on connections that are open."""
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()
        for connection in list(self._open):
            _close(connection)
        if self._thread.is_alive():
            self._thread.join()

    def opened(self, connection: socket.socket) -> None:
        self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        self._open.discard(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


def _close(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        self.server.opened(self.connection)
        try:
            while (request := self._read_request()) is not None:
                self._write(request, *self._answer(request))
                if request.headers.get("connection", "").lower() == "close":
                    return
        except (ConnectionError, TimeoutError):
            return
        finally:
            self.server.closed(self.connection)

    def _answer(self, request: Request) -> Answer:
        try:
            return self.server.answer(request)
        except Exception:  # a fault of ours must not look like a lost connection, which clients would try again in silence
            _LOG.exception("%s %s %s", request.method, request.target, request.headers.get("x-amz-target", ""))
            return 500, {"Content-Type": "application/x-amz-json-1.0"}, b'{"__type": "InternalFailure", "message": "a fault of the local services"}'

    def _read_request(self) -> Request | None:
        line = self.rfile.readline(65536)
        if not line.strip():
            return None
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = self._read_headers()
        if headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(method, target, headers, self._read_body(headers))

    def _read_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while (line := self.rfile.readline(65536)) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return headers

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._read_chunks()
        length = int(headers.get("content-length") or 0)
        if length > _MAXIMUM_BODY:
            raise ConnectionAbortedError
        return self.rfile.read(length) if length else b""

    def _read_chunks(self) -> bytes:
        body = io.BytesIO()
        while size := int(self.rfile.readline(1024).split(b";")[0], 16):
            body.write(self.rfile.read(size))
            self.rfile.readline(16)
        while self.rfile.readline(65536) not in (b"\r\n", b"\n", b""):
            pass
        return body.getvalue()

    def _write(self, request: Request, status: int, headers: dict[str, str], body: bytes) -> None:
        added = {"x-amzn-RequestId": f"{next(_REQUESTS):016x}"}  # the interpreter of state machines reads it
        if request.method != "HEAD":
            added["Content-Length"] = str(len(body))
        lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in (added | headers).items()), "", ""]
        self.connection.sendall("\r\n".join(lines).encode("latin-1") + (b"" if request.method == "HEAD" else body))
