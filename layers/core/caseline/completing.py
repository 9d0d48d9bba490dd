"""Completing pointers: thin notices are fetched whole after they were acknowledged and recorded, on a queue of their own.

A job carries the pointer and the delivery it came by; what is fetched goes through the same queue as every signal, under that delivery, so that
both are one signal and count once. A platform that does not answer is asked again, each time later; in the end the pointer stays on the
timeline and says why.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caseline.channels import open_channel
from caseline.errors import PayloadError, SignatureError, UnavailableError
from caseline.metrics import emit
from caseline.signals import POINTER, Signal
from caseline.sources import Source
from caseline.table import ConditionFailed, Table

WAITS = (30, 60, 120, 240, 480, 900, 900, 900)  # seconds before each further try: more than an hour in all
REASON_LIMIT = 200
Job = Mapping[str, Any]


@dataclass(frozen=True)
class Completer:
    """`open_source` gives a source with its secrets, `open_session` an HTTP session for a channel's hosts.

    `send_again(envelope)` queues a signal for recording, `send_job(job, seconds)` a further try.
    """

    table: Table
    open_source: Callable[[str, str], Source | None]
    open_session: Callable[[Any], Any]
    send_again: Callable[[Mapping[str, Any]], None]
    send_job: Callable[[Job, int], None]
    clock: Callable[[], datetime]
    stack: str = ""

    def complete(self, job: Job) -> bool:
        """Complete one pointer; False if it is tried again later, or was given up. Raises UnavailableError only where our own queue does not answer."""
        pointer, key = Signal.from_json(job["signal"]), f"{job['envelope']['channel']}/{job['envelope']['source']}"
        try:
            completed = self._fetch(job, pointer)
        except (PayloadError, SignatureError, UnavailableError) as error:
            self._fail(job, pointer, key, error)
            return False
        self.send_again({**job["envelope"], "signals": [completed.to_json()], "unreadable": [], "part": job["part"], "completes": True})
        emit({"Completed": 1}, key, self.clock(), self.stack)
        return True

    def _fetch(self, job: Job, pointer: Signal) -> Signal:
        source = self.open_source(job["envelope"]["channel"], job["envelope"]["source"])
        if source is None:
            raise PayloadError("its source is not configured any more")
        channel = open_channel(job["envelope"]["channel"])
        if not hasattr(channel, "complete"):
            raise PayloadError("its channel cannot fetch it")
        completed: Signal = channel.complete(self.open_session(channel), source, pointer)
        if completed.signal_id != pointer.signal_id:
            raise PayloadError("the platform answered with another item")
        return completed.with_(received_at=pointer.received_at)

    def _fail(self, job: Job, pointer: Signal, key: str, error: Exception) -> None:
        """A wrong answer stays wrong; an absent one, or a credential that is refused, may be mended within the hour."""
        tries = int(job["tries"])
        if isinstance(error, PayloadError) or tries >= len(WAITS):
            self._give_up(pointer, error)
            emit({"NotCompleted": 1}, key, self.clock(), self.stack, reason=type(error).__name__)
        else:
            self.send_job({**job, "tries": tries + 1}, min(max(WAITS[tries], math.ceil(getattr(error, "retry_after", 0))), WAITS[-1]))

    def _give_up(self, pointer: Signal, error: Exception) -> None:
        """The notice stays, with the reason; unless it was completed, or deleted, meanwhile."""
        try:
            self.table.update(
                f"SIGNAL#{pointer.signal_id}", "SIGNAL", "SET need_reason = :reason, not_completed = :why", "kind = :pointer AND #s = :live",
                {"#s": "state"}, reason="not-completed", why=f"{type(error).__name__}: {error}"[:REASON_LIMIT], pointer=POINTER, live="live",
            )
        except ConditionFailed:
            return


def read_job(body: str) -> Job:
    """Raises ValueError or KeyError for what is no job."""
    job: Job = json.loads(body)
    if job["v"] != 1 or not isinstance(job["signal"], dict):
        raise ValueError("unknown job")
    return job
