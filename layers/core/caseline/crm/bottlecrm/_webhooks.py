"""BottleCRM's webhooks: one event each, signed with its time. They say what is there now and not who did it, so they only tell where to look.

An administrator adds the endpoint in BottleCRM's settings; a token may not. Facts: its webhooks/tasks.py and webhooks/events.py.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

from caseline.crm import Change
from caseline.errors import SignatureError
from caseline.payloads import read_json
from caseline.signatures import compare, decode_hex, live_keys, read_header, read_timestamp
from caseline.sources import Source
from caseline.web import WebhookRequest

SIGNATURE = "x-bottlecrm-signature"
_SIGNED = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})\Z")
COMMENTED = "ticket.comment_added"
KINDS: Mapping[str, str] = {
    "ticket.created": "case", "ticket.updated": "case", COMMENTED: "case", "contact.created": "contact", "contact.updated": "contact",
    "account.created": "account", "account.updated": "account", "contact.deleted": "deleted", "account.deleted": "deleted",
}  # fmt: skip


def verify(request: WebhookRequest, source: Source) -> None:
    """`t=<epoch seconds>,v1=<hex HMAC-SHA256 of t.body>`."""

    found = _SIGNED.match(read_header(request.headers, SIGNATURE))
    if not found:
        raise SignatureError(f"header {SIGNATURE} is malformed")
    read_timestamp(found[1], request.received_at)
    signed = f"{found[1]}.".encode("ascii") + request.body
    compare((hmac.digest(key, signed, "sha256") for key in live_keys(source.secrets)), [decode_hex(found[2], 32)])


def parse(request: WebhookRequest, source: Source) -> list[Change]:
    """One change with no fields: the poll that it asks for tells them. Events of other records say nothing."""
    event = read_json(request.body)
    name = event["event"].text()
    if name not in KINDS:
        return []
    data, at = event["data"], event["created_at"].time()
    crm_id = data["ticket_id" if name == COMMENTED else "id"].id()
    fields = {"entity": name.partition(".")[0]} if KINDS[name] == "deleted" else {}
    return [Change(KINDS[name], crm_id, at, fields=fields, event_id=event["id"].id_or_none() or "")]
