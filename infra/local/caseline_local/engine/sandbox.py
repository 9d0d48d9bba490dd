"""Functions behind a pool of execution environments each: started when needed, last used first, no more than their limit."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from caseline_local.engine.environment import Environment, Function, Invocation, Outcome, failure

_STARTS = 3


class Nursery:
    """The process that forks environments; started at once, so that its imports overlap with the rest of the start."""

    def __init__(self, *library: str) -> None:
        """`library` are directories that every function imports from."""
        self._library, self._lock = library, threading.Lock()
        self._start()

    def _start(self) -> None:
        self._commands, theirs = socket.socketpair()
        boot = Path(__file__).with_name("boot.py")
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, str(boot), str(theirs.fileno()), *self._library], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def spawn(self, request: Mapping[str, object], output: int) -> int:
        """Fork a child for `request`, its output going to the descriptor `output`; returns its process id."""
        with self._lock:
            try:
                return self._ask(request, output)
            except OSError:  # it has ended, and so have its children
                self._start()
                return self._ask(request, output)

    def _ask(self, request: Mapping[str, object], output: int) -> int:
        message = json.dumps(request).encode() + b"\n"
        sent = socket.send_fds(self._commands, [message], [output])
        self._commands.sendall(message[sent:])
        answer = b""
        while not answer.endswith(b"\n"):
            chunk = self._commands.recv(64)
            if not chunk:
                raise ConnectionError("the process that starts functions has ended")
            answer += chunk
        return int(answer)

    def stop(self) -> None:
        self._commands.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self._process.kill()
        self._process.wait()


class Pool:
    """The environments of one function."""

    def __init__(self, function: Function, start: Callable[[Callable[[Environment], None]], Environment]) -> None:
        self.function, self._start = function, start
        self._changed = threading.Condition()
        self._idle: list[Environment] = []
        self._running: set[Environment] = set()
        self._stale: set[Environment] = set()
        self._starting = 0

    def invoke(self, payload: bytes) -> Outcome:
        """Run one event; a child that ended while it was idle is replaced without the caller noticing."""
        for _ in range(_STARTS):
            environment, invocation = self._take(), Invocation(payload)
            outcome = environment.run(invocation)
            self._give_back(environment)
            if outcome.error != "Runtime.ExitError" or invocation.reached:
                break
        return outcome

    def warm(self) -> None:
        self._give_back(self._take())

    def renew(self) -> None:
        """Have the next invocations start afresh; what runs is left to finish."""
        with self._changed:
            idle, self._idle = self._idle, []
            self._stale |= self._running - set(idle)
        for environment in idle:
            environment.kill()

    def stop(self) -> None:
        for environment in list(self._running):
            environment.kill()

    def _take(self) -> Environment:
        with self._changed:
            while not self._idle and len(self._running) + self._starting >= self.function.concurrency:
                self._changed.wait()
            if self._idle:
                return self._idle.pop()
            self._starting += 1
        environment = None
        try:
            environment = self._start(self._forget)
        finally:
            with self._changed:
                self._starting -= 1
                if environment and environment.alive:
                    self._running.add(environment)
                self._changed.notify()
        return environment

    def _give_back(self, environment: Environment) -> None:
        with self._changed:
            stale = environment in self._stale
            if environment.alive and not stale:
                self._idle.append(environment)
                self._changed.notify()
        if stale:
            environment.kill()

    def _forget(self, environment: Environment) -> None:
        with self._changed:
            self._running.discard(environment)
            self._stale.discard(environment)
            if environment in self._idle:
                self._idle.remove(environment)
            self._changed.notify()


class Sandboxes:
    """Every function of the template by name; `on_line(function name, line)` gets what they print."""

    def __init__(self, functions: Iterable[Function], nursery: Nursery, libraries: list[str], on_line: Callable[[str, str], None]) -> None:
        self._nursery, self._libraries, self._on_line = nursery, libraries, on_line
        self._pools = {function.name: Pool(function, self._starter(function)) for function in functions}

    def _starter(self, function: Function) -> Callable[[Callable[[Environment], None]], Environment]:
        def start(on_end: Callable[[Environment], None]) -> Environment:
            return Environment(function, self._nursery.spawn, [str(function.code), *self._libraries], lambda line: self._on_line(function.name, line), on_end)

        return start

    def invoke(self, name: str, payload: bytes) -> Outcome:
        """Run a function (by name or ARN) on a JSON event."""
        pool = self._pools.get(name.rsplit(":", 1)[-1])
        return pool.invoke(payload) if pool else failure("ResourceNotFoundException", f"Function not found: {name}")

    def warm(self, names: Iterable[str]) -> None:
        for name in names:
            self._pools[name].warm()

    def renew(self) -> None:
        """End idle environments, and the others when they are done."""
        for pool in self._pools.values():
            pool.renew()

    def stop(self) -> None:
        for pool in self._pools.values():
            pool.stop()
