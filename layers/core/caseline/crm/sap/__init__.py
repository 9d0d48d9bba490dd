"""SAP: Sales and Service Cloud V2 (JSON REST), or Cloud for Customer (OData v2) with `product: c4c`.

Login as a technical user or by OAuth client credentials. What an admin sets up is in infra/crm/sap/README.md, every name and code in `_settings`.
Its events are not signed: a token in the URL, or the password of Basic credentials, proves the sender. The door imports this module: nothing heavy here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from caseline.crm.sap._webhook import parse, verify

if TYPE_CHECKING:
    from caseline.crm._http import Limits
    from caseline.crm.sap._adapter import Sap

__all__ = ["create", "parse", "verify"]


def utc_now() -> datetime:
    return datetime.now(UTC)


def create(
    settings: Mapping[str, Any], secret: Mapping[str, Any], *, session: Any = None, clock: Callable[[], datetime] = utc_now,
    limits: Limits | None = None, **_: Any,
) -> Sap:  # fmt: skip
    """`settings` as in config.yaml under `crm`, `secret` as kept under <prefix>/crm/sap. ConfigError where either is wrong."""
    from caseline.crm._http import Limits
    from caseline.crm.sap._adapter import Sap

    return Sap(settings, secret, session, clock, limits or Limits())
