"""One execution environment: a child process that asks for invocations over the Lambda Runtime API."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from caseline_local.engine.runtime_api import read_request, write_response

Spawn = Callable[[Mapping[str, object], int], int]


@dataclass(frozen=True)
class Function:
    """A function as the template describes it; `timeout` in seconds, `memory` in MB, `arn` as callers see it."""

    name: str
    arn: str
    code: Path
    handler: str
    timeout: float
    memory: int
    environment: Mapping[str, str]
    concurrency: int


@dataclass(frozen=True)
class Outcome:
    """What an invocation came to: its payload and, of a failure, the error's type."""

    payload: bytes
    error: str | None = None


@dataclass
class Invocation:
    """One event on its way; `reached` once the child has been given it."""

    payload: bytes
    reached: bool = False
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    delivered: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    outcome: Outcome | None = None

    def finish(self, outcome: Outcome) -> None:
        if not self.done.is_set():
            self.outcome = outcome
            self.delivered.set()
            self.done.set()


def failure(kind: str, message: str) -> Outcome:
    """A failed outcome with Lambda's shape of payload."""
    return Outcome(json.dumps({"errorType": kind, "errorMessage": message}).encode(), kind)


class Environment:
    """`spawn` starts the child and returns its process id; `on_line` gets each line it prints, `on_end` is told when it has gone."""

    def __init__(self, function: Function, spawn: Spawn, path: list[str], on_line: Callable[[str], None], on_end: Callable[[Environment], None]) -> None:
        self.function, self.alive = function, True
        self._on_line, self._on_end = on_line, on_end
        self._inbox: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._current: Invocation | None = None
        self._ending = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2)
        reader, writer = os.pipe()
        try:
            self.pid = spawn(self._request(path), writer)
        finally:
            os.close(writer)
        threading.Thread(target=self._serve, name=f"runtime-{function.name}", daemon=True).start()
        threading.Thread(target=self._listen, args=(reader,), name=f"output-{function.name}", daemon=True).start()

    def _request(self, path: list[str]) -> Mapping[str, object]:
        own = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._listener.getsockname()[1]}"}
        return {"code": str(self.function.code), "path": path, "handler": self.function.handler, "environment": {**self.function.environment, **own}}

    def run(self, invocation: Invocation, start_limit: float = 60.0) -> Outcome:
        """Have the child handle it; at the function's timeout the child is killed. `start_limit` is for importing, in seconds."""
        self._inbox.put(invocation)
        if not self.alive:
            invocation.finish(failure("Runtime.ExitError", "the environment has ended"))
        if not invocation.delivered.wait(start_limit):
            self.kill("Sandbox.Timedout", f"Init of {self.function.name} took more than {start_limit:.0f} seconds")
        elif not invocation.done.wait(self.function.timeout):
            self.kill("Sandbox.Timedout", f"{self.function.name}: Task timed out after {self.function.timeout:.2f} seconds", invocation)
        invocation.done.wait(5)
        return invocation.outcome or failure("Runtime.ExitError", "no answer")

    def kill(self, kind: str = "Runtime.ExitError", message: str = "the environment was stopped", invocation: Invocation | None = None) -> None:
        if invocation:
            invocation.finish(failure(kind, message))
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._end(kind, message)

    def _end(self, kind: str, message: str) -> None:
        with self._ending:
            if not self.alive:
                return
            self.alive = False
        self._on_end(self)
        self._inbox.put(None)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        outcome = failure(kind, message)
        for waiting in (self._current, *self._drain()):
            if waiting:
                waiting.finish(outcome)
        self._inbox.put(None)

    def _drain(self) -> list[Invocation]:
        waiting = []
        with suppress(queue.Empty):
            while True:
                invocation = self._inbox.get_nowait()
                if invocation:
                    waiting.append(invocation)
        return waiting

    def _listen(self, reader: int) -> None:
        """Output ends with the process: that is how its end is noticed, whatever ended it."""
        with os.fdopen(reader, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                self._on_line(line.rstrip("\n"))
        self._end("Runtime.ExitError", f"{self.function.name}: Runtime exited without an answer")

    def _serve(self) -> None:
        """The Runtime API of this environment; the client keeps one connection, but reports a failed start on another."""
        while self.alive:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection, connection.makefile("rb") as requests, suppress(OSError, ValueError):
                while self._answer(connection, requests):
                    pass

    def _answer(self, connection: socket.socket, requests: IO[bytes]) -> bool:
        request = read_request(requests)
        if request is None:
            return False
        if request.path.endswith("/invocation/next"):
            return self._deliver(connection)
        kind = request.headers.get("lambda-runtime-function-error-type", "Unhandled")
        if request.path.endswith("/init/error"):
            write_response(connection, 202, b"{}")
            self._end_with(Outcome(request.body, kind))
        elif self._current:
            invocation, self._current = self._current, None
            failed = request.path.endswith("/error")
            write_response(connection, 202, b"{}")
            invocation.finish(Outcome(request.body, kind if failed else None))
        return True

    def _end_with(self, outcome: Outcome) -> None:
        """A failed start fails whoever waits, with the reason the child gave."""
        for waiting in self._drain():
            waiting.finish(outcome)

    def _deliver(self, connection: socket.socket) -> bool:
        invocation = self._inbox.get()
        if invocation is None:
            return False
        self._current = invocation
        deadline = int((time.time() + self.function.timeout) * 1000)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": self.function.arn,
        }
        invocation.reached = True
        invocation.delivered.set()
        write_response(connection, 200, invocation.payload, headers)
        return True
