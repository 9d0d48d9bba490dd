"""What the CRM pushes, proved as the mapping says and read by the same expressions as what is polled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from caseline.crm import Change
from caseline.crm._mapped._expression import optional
from caseline.crm._mapped._mapping import Mapped, Webhook
from caseline.crm._mapped._rows import Reader
from caseline.crm._mapped._settings import Settings
from caseline.errors import ConfigError, PayloadError, SignatureError
from caseline.payloads import read_json, settle_time
from caseline.signatures import decode_base64, decode_hex, read_header, read_timestamp
from caseline.signatures.hmacs import verify_prefixed
from caseline.signatures.tokens import verify_credentials, verify_token
from caseline.sources import Source
from caseline.web import WebhookRequest

MAX_ROWS = 1_000


class Hook:
    """A CRM's `verify` and `parse`, by the settings that `read` gives; only those of `names` are its own."""

    def __init__(self, read: Callable[[Mapping[str, Any]], Settings], names: Iterable[str]) -> None:
        self._read, self._names = read, frozenset(names)
        self._known: dict[str, Settings] = {}

    def verify(self, request: WebhookRequest, source: Source) -> None:
        found = self._settings(source)
        if found is None or found.mapped.webhook is None:
            raise SignatureError("the mapping has no webhook")
        verify_as(found.mapped.webhook, request, source)

    def parse(self, request: WebhookRequest, source: Source) -> list[Change]:
        found = self._settings(source)
        if found is None or found.mapped.webhook is None:
            raise PayloadError("the mapping has no webhook")
        return parse_as(found.mapped, found.mapped.webhook, found.place.phone_region, request)

    def _settings(self, source: Source) -> Settings | None:
        """Read once: a deployment has one CRM, whose settings seldom change, and a mapping takes milliseconds to read."""
        given = {name: value for name, value in source.settings.items() if name in self._names}
        text, known = json.dumps(given, default=repr), self._known
        try:
            if text not in known:
                known = self._known = {text: self._read(given)}
        except ConfigError:
            return None
        return known[text]


def verify_as(webhook: Webhook, request: WebhookRequest, source: Source) -> None:
    headers = request.headers
    if webhook.kind == "credentials":
        return verify_credentials(request.url, request.headers, source.secrets)
    if webhook.kind == "header":
        return verify_token(read_header(headers, webhook.header.lower()), source.secrets)
    signed = request.body
    if webhook.time:
        moment = read_header(headers, webhook.time.lower(), limit=64)
        read_timestamp(moment, request.received_at)
        signed = moment.encode("ascii") + b"." + signed
    decode = decode_hex if webhook.encoding == "hex" else decode_base64
    return verify_prefixed(headers, webhook.header.lower(), webhook.prefix, signed, source.secrets, decode, webhook.algorithm)


def parse_as(mapped: Mapped, webhook: Webhook, region: str, request: WebhookRequest) -> list[Change]:
    reader = Reader(mapped, region)
    rows = webhook.rows.rows(read_json(request.body).value)
    if len(rows) > MAX_ROWS:
        raise PayloadError(f"holds more than {MAX_ROWS} events")
    changes = [change for row in rows for change in _changes(webhook, reader, row)]
    return [Change(**{**vars(change), "at": settle_time(change.at, request.received_at, "at")}) for change in changes]


def _changes(webhook: Webhook, reader: Reader, row: dict[str, object]) -> list[Change]:
    """By the first event whose `when` is true; what is none of them is not for us."""
    event = next((event for event in webhook.events if event.when.is_true(row)), None)
    record = event.row.value(row) if event else None
    if event is None:
        return []
    if not isinstance(record, dict):
        raise PayloadError("must be an object", event.row.text)
    return reader.changes(event.is_, record, optional(webhook.id, row))
