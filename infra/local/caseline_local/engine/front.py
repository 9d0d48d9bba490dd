"""The front door on 127.0.0.1: HTTP in, the proxy events of API Gateway to the functions, their answers back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import urlsplit

from caseline_local.engine.access import AUTHORISED, Access
from caseline_local.engine.environment import Outcome
from caseline_local.engine.proxy import HttpAnswer, HttpRequest, answer_json, answer_message, build_event, encode_event, read_answer
from caseline_local.engine.routes import Routes
from caseline_local.engine.runtime_api import TooLargeError, read_body

_LARGEST_BODY = 10 * 1024 * 1024
_PATIENCE, _LAST_WORDS = 30.0, 2.0


class Door:
    """Decides what becomes of a request; answers 503 until it is opened and from when it is closed."""

    def __init__(self) -> None:
        self.is_open = False
        self._inside = 0
        self._left = threading.Condition()

    def guard(self, access: Access, public_url: str) -> None:
        self._access, self._public_url = access, urlsplit(public_url)

    def open(self, routes: Routes, invoke: Callable[[str, bytes], Outcome], own: Mapping[str, Callable[[HttpRequest], HttpAnswer]] | None = None) -> None:
        """`own` are paths of this runtime alone: what answers those who post there and hold the token."""
        self._routes, self._invoke, self._own = routes, invoke, dict(own or {})
        self.is_open = True

    def close(self) -> None:
        """Take nothing more in; what is already inside is answered."""
        self.is_open = False

    def wait_until_empty(self, seconds: float) -> bool:
        with self._left:
            return self._left.wait_for(lambda: self._inside == 0, seconds)

    def answer(self, request: HttpRequest) -> HttpAnswer:
        if not self.is_open:
            return HttpAnswer(503, [("Content-Type", "application/json"), ("Retry-After", "1")], b'{"status": "starting or stopping"}')
        if not self._access.serves_host(request):
            return answer_message(403, "Forbidden")
        with self._left:
            self._inside += 1
        try:
            return self._access.sign_in(request) or self._pass_on(request)
        finally:
            with self._left:
                self._inside -= 1
                self._left.notify_all()

    def _pass_on(self, request: HttpRequest) -> HttpAnswer:
        if request.method == "POST" and request.path in self._own:
            return self._own[request.path](request) if self._access.allows(request) else self._access.refuse(request)
        match = self._routes.match(request.method, request.path)
        if match is None and request.path == "/":
            return HttpAnswer(302, [("Location", "/console")], b"")  # what somebody opens who only knows the port
        if match is None:
            return answer_json(200, {"status": "ok"}) if request.path == "/healthz" else answer_message(403, "Missing Authentication Token")
        if match.route.guarded and not self._access.allows(request):
            return self._access.refuse(request)
        payload = encode_event(build_event(request, match, self._public_url, AUTHORISED if match.route.guarded else None))
        return read_answer(self._invoke(match.route.function, payload)) if payload else answer_message(413, "Request Too Long")


class Front(ThreadingHTTPServer):
    """Listens at once, so that the port is known; answers by its door."""

    daemon_threads, request_queue_size, allow_reuse_address = True, 256, True

    def __init__(self, port: int, door: Door) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.door = door
        self.port = int(self.server_address[1])
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, name="front", daemon=True)

    def server_bind(self) -> None:
        """Without the look-up of this machine's name that HTTPServer does: it may wait for a name server."""
        TCPServer.server_bind(self)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away mid-way is its own affair."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version, timeout, disable_nagle_algorithm, wbufsize = "HTTP/1.1", _PATIENCE, True, -1
    server: Front

    def _serve(self) -> None:
        try:
            answer = self.server.door.answer(self._read())
        except TooLargeError:
            answer, self.close_connection = answer_message(413, "Request Too Long"), True
        except ValueError:
            answer, self.close_connection = answer_message(400, "Bad Request"), True
        self._send(answer)
        if self.close_connection:
            self._hang_up()

    def _read(self) -> HttpRequest:
        """The whole request, whatever becomes of it: a client that is still sending would not see the answer."""
        body = read_body(self.rfile, {name.lower(): value for name, value in self.headers.items()}, _LARGEST_BODY)
        target = urlsplit(self.path)
        return HttpRequest(self.command, target.path or "/", target.query, list(self.headers.items()), body, self.client_address[0])

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _send(self, answer: HttpAnswer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value.replace("\r", "").replace("\n", ""))
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def _hang_up(self) -> None:
        """Take what still comes for a moment, or the answer would be lost to a reset."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LAST_WORDS)
            left = 4 * _LARGEST_BODY
            while left > 0 and (chunk := self.rfile.read1(65536)):
                left -= len(chunk)

    def version_string(self) -> str:
        return "caseline"

    def log_message(self, format: str, *args: object) -> None:
        """Requests are counted by the functions that answer them."""
