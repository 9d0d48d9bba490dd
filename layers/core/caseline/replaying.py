"""Replay from quarantine: the payload goes back through its channel, as it came and with its own time."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from caseline.arrivals import EVENT_URL
from caseline.channels import open_channel, proof_of
from caseline.errors import ConflictError, PayloadError, UnknownChannelError
from caseline.intake import Envelope, Intake, resolve_trust
from caseline.quarantine import mark_replayed, read_raw
from caseline.settings import Config
from caseline.signals import Signal, Unreadable, parse_time
from caseline.sources import Source
from caseline.table import Table
from caseline.web import WebhookRequest


def replay(row: Mapping[str, Any], table: Table, config: Config, intake: Intake, read: Callable[[str, str], bytes] | None = None) -> int:
    """Queue what the payload says now, then take it off the list; returns how many signals that was. `read(bucket, key)` is for events of AWS.

    A crash in between repeats the same deliveries, which count nothing twice. ConflictError if it is still not understood: it stays.
    """
    known = config.source(row["channel"], row["source"])
    if known is None:
        raise ConflictError("the source is not configured any more")
    try:
        channel = open_channel(row["channel"])
        items = _parse(channel, row, known.open(()), read)
    except (PayloadError, UnknownChannelError) as error:
        raise ConflictError(f"still not understood: {error}") from None
    trust = resolve_trust(known.trust, channel)
    envelope = Envelope(f"replay-{row['id']}", known.channel, known.name, known.brand, trust, parse_time(row["received_at"]), "replay")
    count = intake.accept(envelope, items) if items else 0
    mark_replayed(table, row["id"], count)
    return count


def _parse(channel: Any, row: Mapping[str, Any], source: Source, read: Any) -> list[Signal | Unreadable]:
    request = _request_of(row)
    by_event = request.url == EVENT_URL if row.get("whole") else proof_of(channel) == "none" and hasattr(channel, "parse_event")
    if by_event:
        event = json.loads(request.body)
        found: list[Signal | Unreadable] = channel.parse_event(event, source, received_at=request.received_at, read=read)
    else:
        found = channel.parse(request, source)
    return found


def _request_of(row: Mapping[str, Any]) -> WebhookRequest:
    """Of a whole payload the request as it was kept; of one item of a batch the item alone."""
    raw = read_raw(row) or ""
    body = base64.b64decode(raw) if row.get("whole") else raw.encode()
    headers = json.loads(row.get("headers") or "{}")
    return WebhookRequest("POST", row.get("url") or "", headers, body, parse_time(row["received_at"]))
