"""Oracle Fusion Service over its REST API (crmRestApi): account value, service requests by a key of ours, messages, profiles, what people do there.

Login by OAuth client credentials of the identity domain, or Basic. The settings are in `_settings`; what an admin sets up, the fields among it, is in
infra/crm/oracle/README.md. Fusion signs no webhooks: a secret of ours in the URL (`?token=`) or as the password of Basic credentials proves them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from caseline.crm.oracle._pushed import parse, verify

if TYPE_CHECKING:
    from caseline.crm._http import Limits
    from caseline.crm.oracle._adapter import Oracle

__all__ = ["create", "parse", "verify"]


def utc_now() -> datetime:
    return datetime.now(UTC)


def create(
    settings: Mapping[str, Any], secret: Mapping[str, Any], *, session: Any = None, clock: Callable[[], datetime] = utc_now,
    limits: Limits | None = None, **_: Any,
) -> Oracle:  # fmt: skip
    """`settings` as in config.yaml under `crm`, `secret` as kept under <prefix>/crm/oracle. ConfigError where either is wrong."""
    from caseline.crm._http import Limits  # the door, which only verifies and parses, has no HTTP client
    from caseline.crm.oracle._adapter import Oracle

    return Oracle(settings, secret, session, clock, limits or Limits())
