"""Salesforce Service Cloud over REST: account value, cases under a unique external id, comments, profiles, and what people do there.

Login by client credentials or JWT bearer. The fields and the permission set it needs are in infra/crm/salesforce, with how to set all up.

Webhooks are outbound messages (SOAP). Salesforce does not sign them: a token in the URL (`?token=`) or as the password of Basic credentials proves
them, and the source's setting `organization_id` holds them to one org. Change events that come by EventBridge are read by `parse_event`; AWS has proved
them. `user_id` in the source's settings is our own user there, whose changes are no news.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from caseline.crm.salesforce._pushed import acknowledge, parse, parse_event, verify

if TYPE_CHECKING:
    from caseline.crm._http import Limits
    from caseline.crm.salesforce._adapter import Salesforce

__all__ = ["acknowledge", "create", "parse", "parse_event", "verify"]


def utc_now() -> datetime:
    return datetime.now(UTC)


def create(
    settings: Mapping[str, Any], secret: Mapping[str, Any], *, session: Any = None, clock: Callable[[], datetime] = utc_now,
    limits: Limits | None = None, **_: Any,
) -> Salesforce:  # fmt: skip
    """`settings` as in config.yaml under `crm`, `secret` as kept under <prefix>/crm/salesforce. ConfigError where either is wrong."""
    from caseline.crm._http import Limits  # the door, which only verifies and parses, has no HTTP client
    from caseline.crm.salesforce._adapter import Salesforce

    return Salesforce(settings, secret, session, clock, limits or Limits())
