"""How often a CRM is called: settings that all CRMs share, beside their own under `crm:` in config.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from caseline.errors import ConfigError

BUILTIN = "builtin"


@dataclass(frozen=True)
class Pace:
    """Minutes. `coalesce_minutes`: what can wait is pushed at most this often for a case. `account_minutes`: how long an account is not read again unless
    the CRM says that it changed. `enrich_minutes`: how often a contact's profile is written at most, 0 for never. `changes_minutes`: how often the CRM
    is asked for changes, 0 for never."""

    coalesce_minutes: float = 60
    account_minutes: float = 60
    enrich_minutes: float = 60
    changes_minutes: float = 1

    @property
    def patience(self) -> timedelta:
        return timedelta(minutes=self.coalesce_minutes)

    @property
    def fresh(self) -> timedelta:
        return timedelta(minutes=self.account_minutes)


def read_pace(settings: Mapping[str, Any]) -> tuple[Pace, dict[str, Any]]:
    """The pace, and the settings that are the CRM's own. ConfigError for what is no number of minutes."""
    known = {field.name for field in fields(Pace)}
    return Pace(**{name: _minutes(name, value) for name, value in settings.items() if name in known}), {k: v for k, v in settings.items() if k not in known}


def _minutes(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10_080:
        raise ConfigError(f"crm.{name}: write a number of minutes from 0 to 10080")
    return float(value)
