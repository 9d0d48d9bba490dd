"""Zendesk: tickets, users and organizations over its Support API (v2).

Login with an API token (`email`, `api_token`), an OAuth client (`client_id`, `client_secret`) or an access token (`access_token`); webhooks are those
of Zendesk's events, signed with the webhook's secret, in `webhook_secrets`. The settings are in `_settings`, what an admin sets up in
infra/crm/zendesk/README.md. The door imports this module: nothing heavy at its top.
"""

from __future__ import annotations

from caseline.crm._adapter import opener
from caseline.crm.zendesk._webhooks import parse, verify

__all__ = ["create", "parse", "verify"]

create = opener("caseline.crm.zendesk._adapter:Zendesk")
