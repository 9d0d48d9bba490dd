"""HubSpot: tickets, contacts and companies over its CRM API (v3, or a dated version by `objects_path` and `properties_path`).

Login with a private app's access token or an OAuth app's refresh token; webhooks are those of the app, with its client secret in `webhook_secrets`.
The settings are in `_settings`, what an admin sets up in infra/crm/hubspot/README.md. The door imports this module: nothing heavy at its top.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from caseline.crm.hubspot._webhooks import parse, verify

if TYPE_CHECKING:
    from caseline.crm._http import Limits
    from caseline.crm.hubspot._adapter import HubSpot

__all__ = ["create", "parse", "verify"]


def utc_now() -> datetime:
    return datetime.now(UTC)


def create(
    settings: Mapping[str, Any], secret: Mapping[str, Any], *, session: Any = None, clock: Callable[[], datetime] = utc_now,
    limits: Limits | None = None, **_: Any,
) -> HubSpot:  # fmt: skip
    """`settings` as in config.yaml under `crm`, `secret` as kept under <prefix>/crm/hubspot. ConfigError where either is wrong."""
    from caseline.crm._http import Limits
    from caseline.crm.hubspot._adapter import HubSpot

    return HubSpot(settings, secret, session, clock, limits or Limits())
