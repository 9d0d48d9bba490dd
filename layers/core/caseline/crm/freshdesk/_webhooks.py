"""What an automation rule of Freshdesk pushes: the fields that were ticked, in one object, with a secret of ours in a header.

`{"freshdesk_webhook": {"ticket_id": 42, "ticket_status": "Closed", "ticket_priority": "Low", "ticket_agent_id": "7", "ticket_cf_cx_case_key": "cx-..."}}`.
Such a rule says what stands, not what changed, and no time: it is taken as of its arrival.
"""

from __future__ import annotations

import re
from typing import Any

from caseline.crm import Change
from caseline.crm._settings import read_known
from caseline.crm.freshdesk._settings import Settings, read_settings
from caseline.payloads import Field, read_json
from caseline.signatures import read_header
from caseline.signatures.tokens import read_url_token, verify_token
from caseline.sources import Source
from caseline.web import WebhookRequest

HEADER = "x-caseline-token"
NAMES = {"low": "1", "medium": "2", "high": "3", "urgent": "4"}
_NUMBER = re.compile(r"[0-9]{1,18}\Z")


def verify(request: WebhookRequest, source: Source) -> None:
    """By the header, or by `?token=` in the address where the rule can send none."""
    given = request.headers.get(HEADER) and read_header(request.headers, HEADER)
    verify_token(given or read_url_token(request.url), source.secrets)


def parse(request: WebhookRequest, source: Source) -> list[Change]:
    """Nothing for a ticket that is none of our cases."""
    settings, ticket = read_known(Settings, read_settings, source.settings), read_json(request.body)["freshdesk_webhook"]
    case_key = ticket[f"ticket_{settings.case_fields['case_key']}"].id_or_none()
    if not case_key:
        return []
    fields = _fields(ticket, settings)
    number = ticket["ticket_id"].id().rpartition("-")[2].lstrip("#")
    if not _NUMBER.match(number):
        ticket["ticket_id"].refuse("must be the number of a ticket")
    return [Change("case", number, request.received_at, case_key, fields)] if fields else []


def _fields(ticket: Field, settings: Settings) -> dict[str, Any]:
    """A priority that is the one we set is nobody's."""
    status, agent = ticket["ticket_status"].id_or_none(), ticket["ticket_agent_id"].id_or_none()
    priority = (ticket["ticket_priority"].id_or_none() or "").lower()
    own = ticket[f"ticket_{settings.case_fields['band']}"].id_or_none() or ""
    outcome = ticket[f"ticket_{settings.case_fields['outcome']}"].id_or_none()
    found = {
        "status": settings.status(status) if status else "", "band": settings.hand_band(NAMES.get(priority, priority), own),
        "owner": agent and settings.owner(agent), "outcome": outcome,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}
