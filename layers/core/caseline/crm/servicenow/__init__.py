"""ServiceNow Customer Service Management over its Table and Batch APIs: account value, cases by correlation id, work notes, profiles, what people do there.

Login by OAuth (client credentials, or the password grant) or Basic. The settings are in `_settings`; what an admin sets up, the fields and the business
rules among it, is in infra/crm/servicenow/README.md. ServiceNow signs no webhooks: a secret of ours in the URL (`?token=`) or as the password of Basic
credentials proves them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from caseline.crm.servicenow._pushed import parse, verify

if TYPE_CHECKING:
    from caseline.crm._http import Limits
    from caseline.crm.servicenow._adapter import ServiceNow

__all__ = ["create", "parse", "verify"]


def utc_now() -> datetime:
    return datetime.now(UTC)


def create(
    settings: Mapping[str, Any], secret: Mapping[str, Any], *, session: Any = None, clock: Callable[[], datetime] = utc_now,
    limits: Limits | None = None, **_: Any,
) -> ServiceNow:  # fmt: skip
    """`settings` as in config.yaml under `crm`, `secret` as kept under <prefix>/crm/servicenow. ConfigError where either is wrong."""
    from caseline.crm._http import Limits  # the door, which only verifies and parses, has no HTTP client
    from caseline.crm.servicenow._adapter import ServiceNow

    return ServiceNow(settings, secret, session, clock, limits or Limits())
