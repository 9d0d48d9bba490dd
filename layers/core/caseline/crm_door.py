"""The door of the CRM's own webhooks: verified, parsed, queued for sync_crm, acknowledged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

from caseline.crm import Change, open_crm
from caseline.crm._pace import BUILTIN
from caseline.crm_messages import write_changes, write_messages
from caseline.door import JSON, RETRY_SECONDS, Log, RefusedError, public_url, read_body, read_headers
from caseline.errors import ConfigError, PayloadError, SignatureError, UnavailableError
from caseline.metrics import emit
from caseline.sources import Source
from caseline.web import WebhookRequest, WebhookResponse

BODY_LIMIT = 1_000_000  # bytes; a batch of a hundred records
_open = cache(open_crm)


class CrmDoor:
    """`wiring` gives configuration, the CRM's secret, queue and clock."""

    def __init__(self, wiring: Any, log: Log) -> None:
        self._wiring, self._log = wiring, log

    def receive(self, source_name: str, event: Mapping[str, Any]) -> WebhookResponse:
        label = "unknown"
        try:
            name = self._wiring.config.crm.name
            if name == BUILTIN or source_name not in (name, "default"):
                raise RefusedError(404, "unknown source")
            label = f"crm/{name}"
            return self._receive(_open(name), label, event)
        except (RefusedError, SignatureError) as error:
            refusal = error if isinstance(error, RefusedError) else RefusedError(401, "signature")
            emit({"Rejected": 1}, label, self._wiring.clock(), self._wiring.stack, reason=refusal.reason)
            return refusal.response
        except (UnavailableError, ConfigError) as error:
            self._log.error("not accepted", extra={"source": label, "reason": str(error)})
            return WebhookResponse(503, "", {"Retry-After": str(RETRY_SECONDS)})

    def _receive(self, crm: ModuleType, label: str, event: Mapping[str, Any]) -> WebhookResponse:
        url = public_url(self._wiring.config.public_url, event)
        request = WebhookRequest(event["httpMethod"], url, read_headers(event), read_body(event, BODY_LIMIT), self._wiring.clock())
        source: Source = self._wiring.crm_source
        greeting: WebhookResponse | None = crm.challenge(request, source) if hasattr(crm, "challenge") else None
        if greeting is not None:
            return greeting
        if request.method != "POST":
            raise RefusedError(405, "method", headers={"Allow": "POST"})
        crm.verify(request, source)
        changes = self._queue(crm, request, source, label)
        if hasattr(crm, "acknowledge"):
            answer: WebhookResponse = crm.acknowledge(request, source, changes)
            return answer
        return WebhookResponse(202, json.dumps({"accepted": len(changes)}), JSON)

    def _queue(self, crm: ModuleType, request: WebhookRequest, source: Source, label: str) -> list[Change]:
        """What is not understood is not lost: the CRM is asked for its changes instead."""
        try:
            changes: list[Change] = crm.parse(request, source)
        except PayloadError as error:
            self._log.error("not understood, polling instead", extra={"source": label, "field": error.field})
            emit({"NotUnderstood": 1}, label, request.received_at, self._wiring.stack)
            self._wiring.send_changes(write_changes([], poll=True))
            return []
        for message in write_messages(changes, request.received_at):
            self._wiring.send_changes(message)
        return changes
