"""A simulator over HTTP, or behind a requests session in the same process."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from tests.kit.simulated.faults import Fault, Faults


@dataclass
class Call:
    """A request as it came. `query` has the last value of each name, `form` that of a urlencoded body; `target` is the path with its query as sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any = None
    raw: bytes = b""
    target: str = ""
    root: str = ""

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def queries(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)


@dataclass
class Reply:
    """`body`: None for none, text or bytes as they are, anything else as JSON."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


class Simulator:
    """Subclasses answer one call at a time (`answer`); `faults` is what goes wrong, `calls` what came in, `url` where it is served."""

    content_type = "application/json;charset=UTF-8"
    has_batches = False  # many requests in one, any of which may fail
    good_parts: int | None = None  # of the batches to come, until one fails; below zero once it did

    def __init__(self) -> None:
        self.faults, self.calls, self.url = Faults(), list[Call](), ""
        self._under_way = set[int]()
        self._turn = threading.RLock()

    def answer(self, call: Call) -> Reply:
        raise NotImplementedError

    def fail_part(self, after: int) -> None:
        """Of the parts of batches that come, the one after so many others fails: the CRM has no time for it just then."""
        if not self.has_batches:
            raise NotImplementedError
        self.good_parts = after

    def part_fails(self) -> bool:
        """Asked once for each part."""
        self.good_parts = None if self.good_parts is None else self.good_parts - 1
        return self.good_parts == -1

    def is_quiet(self) -> bool:
        """No call is under way, not even one whose answer nobody waits for."""
        return not self._under_way

    def respond(self, call: Call) -> tuple[Reply, Fault | None]:
        """The reply with the fault that shapes how it is sent; DroppedError where none comes."""
        self.calls.append(call)
        self._under_way.add(id(call))
        try:
            return _respond(self, call)
        finally:
            self._under_way.discard(id(call))

    def take(self, call: Call) -> Reply:
        """One at a time, as one database would."""
        with self._turn:
            return self.answer(call)


class DroppedError(Exception):
    """The connection ends without an answer."""


def _respond(simulator: Simulator, call: Call) -> tuple[Reply, Fault | None]:
    fault = simulator.faults.take(f"{call.method} {call.path}")
    if fault and fault.kind == "pause":
        time.sleep(fault.pause)
    if fault and fault.kind == "drop_before":
        raise DroppedError
    if fault and fault.kind == "answer":
        return Reply(fault.status, fault.body, dict(fault.headers)), None
    reply = simulator.take(call)
    if fault and fault.kind == "drop_after":
        raise DroppedError
    return reply, fault


def read_call(method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Call:
    split = urlsplit(target)
    try:
        body = json.loads(raw) if raw and "json" in (headers.get("Content-Type") or "") else None
    except ValueError:
        body = None
    return Call(method, split.path, dict(parse_qsl(split.query, keep_blank_values=True)), headers, body, raw, target)


class _Handler(BaseHTTPRequestHandler):
    """Headers and body leave in one packet each at once: no waiting for the other side's acknowledgement."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        pass

    def _handle(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        simulator: Simulator = self.server.simulator
        try:
            reply, fault = simulator.respond(read_call(self.command, self.path, self.headers, raw))
        except DroppedError:
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self._write(reply, fault, simulator.content_type)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = _handle  # noqa: N815

    def _write(self, reply: Reply, fault: Fault | None, content_type: str) -> None:
        content = reply.content()
        content = content[: len(content) // 2] if fault and fault.kind == "malformed" else content
        self.send_response(reply.status)
        for name, value in {"Content-Type": content_type, **reply.headers}.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        for piece in _pieces(content, fault):
            self.wfile.write(piece)
            self.wfile.flush()

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            return  # the client has gone


def _pieces(content: bytes, fault: Fault | None) -> Iterator[bytes]:
    if not fault or fault.kind != "drip":
        yield content
        return
    for at in range(len(content)):
        time.sleep(fault.pause)
        yield content[at : at + 1]


@contextmanager
def serving(simulator: Simulator) -> Iterator[str]:
    """On 127.0.0.1 at a free port; the simulator's `url` while it lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.simulator = simulator
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    simulator.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield simulator.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Drops(io.BytesIO):
    """Byte by byte."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(1)

    read1 = read


class _InProcess(BaseAdapter):
    """`before(call)` and `after(call)` may raise: a process that dies before or after the CRM did its work."""

    def __init__(self, simulator: Simulator, before: Callable[[Call], None], after: Callable[[Call], None]) -> None:
        super().__init__()
        self._simulator, self._before, self._after = simulator, before, after

    def send(self, request: Any, *_: Any, **__: Any) -> requests.Response:
        body = request.body or b""
        parts = urlsplit(request.url)
        target = f"{parts.path}{'?' + parts.query if parts.query else ''}"
        call = read_call(request.method, target, request.headers, body.encode() if isinstance(body, str) else body)
        self._before(call)
        try:
            reply, fault = self._simulator.respond(call)
        except DroppedError:
            raise requests.ConnectionError("dropped") from None
        self._after(call)
        return self._response(request, reply, fault)

    def _response(self, request: Any, reply: Reply, fault: Fault | None) -> requests.Response:
        content = reply.content()
        content = content[: len(content) // 2] if fault and fault.kind == "malformed" else content
        headers = {"Content-Type": self._simulator.content_type, **reply.headers}
        response = requests.Response()
        body = _Drops(content) if fault and fault.kind == "drip" else io.BytesIO(content)
        response.raw = HTTPResponse(body, headers=headers, status=reply.status, preload_content=False)
        response.status_code, response.url, response.request = reply.status, request.url, request
        response.headers.update(headers)
        return response

    def close(self) -> None:
        pass


def _nothing(call: Call) -> None:
    pass


def in_process(simulator: Simulator, before: Callable[[Call], None] = _nothing, after: Callable[[Call], None] = _nothing) -> requests.Session:
    session, adapter = requests.Session(), _InProcess(simulator, before, after)
    session.trust_env = False  # nothing of it leaves the process; to look for proxies takes as long as most calls
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
