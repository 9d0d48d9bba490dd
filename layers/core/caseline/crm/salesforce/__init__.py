"""Salesforce Service Cloud over REST: account value, cases under a unique external id, comments, profiles, and what people do there.

Login by client credentials or JWT bearer. The fields and the permission set it needs are in infra/crm/salesforce, with how to set all up.

Webhooks are outbound messages (SOAP). Salesforce does not sign them: a token in the URL (`?token=`) or as the password of Basic credentials proves
them, and the source's setting `organization_id` holds them to one org. Change events that come by EventBridge are read by `parse_event`; AWS has proved
them. `user_id` in the source's settings is our own user there, whose changes are no news.
"""

from __future__ import annotations

from caseline.crm._adapter import opener
from caseline.crm.salesforce._pushed import acknowledge, parse, parse_event, verify

__all__ = ["EVENT_SOURCES", "acknowledge", "create", "parse", "parse_event", "verify"]

EVENT_SOURCES = ("aws.partner/salesforce.com/*",)

create = opener("caseline.crm.salesforce._adapter:Salesforce")
