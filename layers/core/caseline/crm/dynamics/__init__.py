"""Dynamics 365 Customer Service over the Dataverse Web API: account value, cases by alternate key, notes, profiles, changes, set-up.

Login by an application user of Microsoft Entra, with a client secret or a certificate. What an admin sets up is in infra/crm/dynamics.
Its webhooks are not signed: they carry a key of our choice in a header or in the URL (`verify`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from caseline.crm.dynamics._webhook import parse, verify

if TYPE_CHECKING:
    from caseline.crm._http import Limits
    from caseline.crm.dynamics._client import Dynamics

__all__ = ["create", "parse", "verify"]


def utc_now() -> datetime:
    return datetime.now(UTC)


def create(
    settings: Mapping[str, Any], secret: Mapping[str, Any], *, session: Any = None, clock: Callable[[], datetime] = utc_now,
    limits: Limits | None = None, **_: Any,
) -> Dynamics:  # fmt: skip
    """`settings` as in config.yaml under `crm`, `secret` as kept under <prefix>/crm/dynamics. ConfigError where either is wrong."""
    from caseline.crm._http import Limits
    from caseline.crm.dynamics._client import Dynamics

    return Dynamics(settings, secret, session, clock, limits or Limits())
