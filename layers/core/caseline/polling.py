"""Polled channels: one job for each source that is due, a lease so that two runs never race, a cursor that moves after its signals are queued.

The row `CURSOR#<channel>/<source>` holds the cursor, when the last run ended (`polled_at`) and the lease: its end (`lease_until`) and a fencing
number, which grows with each lease. Only the holder of the newest number moves the cursor. A run that the platform sent away keeps the lease for as long
as the platform wants to be left alone. Times are epoch seconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from types import ModuleType
from typing import Any

from caseline.channels import open_channel
from caseline.errors import PayloadError, SignatureError, UnavailableError
from caseline.intake import Envelope, Intake, resolve_trust
from caseline.metrics import emit
from caseline.settings import Config, SourceConfig
from caseline.sources import Source
from caseline.table import ConditionFailed, Item, Table, key

LEASE_SECONDS = 300  # of one page; longer than the function may run
POLL_SECONDS = 900  # between two runs, where neither the source nor the channel says otherwise
FREE_AND_DUE = "(attribute_not_exists(lease_until) OR lease_until < :now) AND (attribute_not_exists(polled_at) OR polled_at <= :due)"
SendJob = Callable[[str, str], None]  # body, group
OpenSession = Callable[[ModuleType], Any]
OpenSource = Callable[[str, str], Source | None]


def dispatch_due(config: Config, table: Table, now: datetime, send_job: SendJob) -> int:
    """Queue a job for each polled source whose time has come; returns how many."""
    polled = [source for source in config.sources if hasattr(open_channel(source.channel), "fetch")]
    rows = {row["PK"]: row for row in table.get_many([_key(source) for source in polled])} if polled else {}
    due = [source for source in polled if _is_due(source, rows.get(_key(source)["PK"], {}), now)]
    for source in due:
        send_job(json.dumps({"channel": source.channel, "source": source.name}), source.key)
    return len(due)


class Poller:
    """`open_source` gives a source with its secrets, `open_session` an HTTP session for a channel's hosts."""

    def __init__(
        self, config: Config, table: Table, intake: Intake, open_source: OpenSource, open_session: OpenSession,
        clock: Callable[[], datetime], new_id: Callable[[], str], stack: str = "",
    ) -> None:
        self._config, self._table, self._intake = config, table, intake
        self._open_source, self._open_session, self._clock, self._new_id = open_source, open_session, clock, new_id
        self._stack = stack

    def poll(self, channel_name: str, source_name: str) -> int:
        """Run one job; returns how many items were queued. A source that is leased, not due or no longer configured is left alone."""
        config, source = self._config.source(channel_name, source_name), self._open_source(channel_name, source_name)
        row = self._lease(config) if config and source else None
        if config is None or source is None or row is None:
            return 0
        wait = 0.0
        try:
            return self._read_pages(config, source, row)
        except (UnavailableError, PayloadError, SignatureError) as error:
            # The platform's limits and failures end the run; the next one goes on where this one stopped.
            emit({"PollFailed": 1}, config.key, self._clock(), self._stack, reason=type(error).__name__)
            wait = getattr(error, "retry_after", 0.0)
            return 0
        finally:
            self._release(config, row["fence"], wait)

    def _read_pages(self, config: SourceConfig, source: Source, row: Item) -> int:
        channel, count = open_channel(config.channel), 0
        for items, cursor in channel.fetch(self._open_session(channel), source, row.get("cursor")):
            now = self._clock()
            envelope = Envelope(self._new_id(), config.channel, config.name, config.brand, resolve_trust(config.trust, channel), now, "poll")
            accepted = self._intake.accept(envelope, items)
            if accepted:
                emit({"Accepted": accepted}, config.key, now, self._stack)
            count += accepted
            if not self._move(config, row["fence"], cursor):
                break
        return count

    def _lease(self, config: SourceConfig) -> Item | None:
        """Take the lease with the next fencing number; None while another run holds it, or if one has ended since the job was queued."""
        now = int(self._clock().timestamp())
        return self._update(
            config, "SET lease_until = :until, fence = if_not_exists(fence, :zero) + :one, #t = :type", FREE_AND_DUE, {"#t": "type"},
            until=now + LEASE_SECONDS, now=now, due=now - poll_seconds(config), zero=0, one=1, type="cursor",
        )

    def _move(self, config: SourceConfig, fence: int, cursor: str) -> bool:
        """Keep the cursor and the lease; False if another run has the lease by now."""
        until = int(self._clock().timestamp()) + LEASE_SECONDS
        row = self._update(config, "SET #c = :cursor, lease_until = :until", "fence = :fence", {"#c": "cursor"}, cursor=cursor, until=until, fence=fence)
        return row is not None

    def _release(self, config: SourceConfig, fence: int, wait: float) -> None:
        now = int(self._clock().timestamp())
        until = now + math.ceil(wait) if wait else 0
        self._update(config, "SET polled_at = :now, lease_until = :until", "fence = :fence", {}, now=now, until=until, fence=fence)

    def _update(self, config: SourceConfig, expression: str, condition: str, names: dict[str, str], **values: Any) -> Item | None:
        try:
            return self._table.update(_key(config)["PK"], _key(config)["SK"], expression, condition, names, **values)
        except ConditionFailed:
            return None


def poll_seconds(config: SourceConfig) -> int:
    """How long to wait between runs: the source's setting, else the channel's, else the default."""
    usual: int = getattr(open_channel(config.channel), "POLL_SECONDS", POLL_SECONDS)
    return int(config.settings.get("poll_seconds") or usual)


def _is_due(config: SourceConfig, row: Item, now: datetime) -> bool:
    moment = now.timestamp()
    return bool(row.get("lease_until", 0) < moment and row.get("polled_at", 0) <= moment - poll_seconds(config))


def _key(config: SourceConfig) -> Item:
    return key(f"CURSOR#{config.key}", "CURSOR")
