"""Everything that has no faster way here goes through moto's own web application, one call at a time for each service."""

from __future__ import annotations

import contextlib
import io
import threading
from collections import defaultdict
from typing import Any
from urllib.parse import unquote, urlsplit

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from caseline_local.cloud.server import Answer, Request

_UNLOCKED = {"lambda"}  # an invocation lasts as long as the function


class MotoApi:
    def __init__(self) -> None:
        self._application: Any = DomainDispatcherApplication(create_backend_app)
        self._locks: dict[str, threading.RLock] = defaultdict(threading.RLock)

    def answer(self, request: Request, service: str) -> Answer:
        with contextlib.nullcontext() if service in _UNLOCKED else self._locks[service]:
            return self._run(request)

    def _run(self, request: Request) -> Answer:
        started: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], error: Any = None) -> None:
            started.update(status=int(status.split(" ", 1)[0]), headers=dict(headers))

        parts = self._application(_environment(request), start_response)
        body = b"".join(parts)
        return started["status"], started["headers"], body


def service_of(request: Request) -> str:
    """The service whose name signed the request; an empty text for an unsigned one."""
    scope = request.headers.get("authorization", "").partition("Credential=")[2].split(",", 1)[0].split("/")
    return scope[3].lower() if len(scope) == 5 else ""


def _environment(request: Request) -> dict[str, Any]:
    target = urlsplit(request.target)
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in request.headers.items()
        if name not in ("content-type", "content-length", "transfer-encoding")
    }
    host, _, port = request.headers.get("host", "127.0.0.1:80").partition(":")
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(target.path, "latin-1"),
        "QUERY_STRING": target.query,
        "REQUEST_URI": request.target,
        "RAW_URI": request.target,
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **headers,
    }
