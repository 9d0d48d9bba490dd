"""Threads that repeat a step until they are told to stop, whatever the step runs into."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

Step = Callable[[], None]
_PAUSE_AFTER_ERROR = 1.0


class Steppers:
    """`report` gets a line for a step that failed; the step is tried again after a pause."""

    def __init__(self, stopping: threading.Event, report: Callable[[str], None]) -> None:
        self._stopping, self._report = stopping, report
        self._threads: list[threading.Thread] = []

    def start(self, steps: Iterable[tuple[str, Step]]) -> None:
        for name, step in steps:
            thread = threading.Thread(target=self._repeat, args=(name, step), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def join(self, seconds: float) -> bool:
        """Wait for all to end; whether they did."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._threads)

    def _repeat(self, name: str, step: Step) -> None:
        while not self._stopping.is_set():
            try:
                step()
            except Exception as error:
                if not self._stopping.is_set():
                    self._report(f"{name}: {type(error).__name__}: {error}")
                self._stopping.wait(_PAUSE_AFTER_ERROR)
