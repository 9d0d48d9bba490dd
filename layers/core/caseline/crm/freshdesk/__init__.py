"""Freshdesk: tickets, contacts and companies over its API (v2).

Login with the API key of an agent (`api_key`). Webhooks are made by an automation rule; Freshdesk does not sign them: the rule sends a secret in the
header X-Caseline-Token, which is one of `webhook_secrets`. The settings are in `_settings`, what an admin sets up in infra/crm/freshdesk/README.md.
The door imports this module: nothing heavy at its top.
"""

from __future__ import annotations

from caseline.crm._adapter import opener
from caseline.crm.freshdesk._webhooks import parse, verify

__all__ = ["create", "parse", "verify"]

create = opener("caseline.crm.freshdesk._client:Freshdesk")
