"""Settings of the Dynamics 365 adapter. The defaults are what the solution in infra/crm/dynamics installs, and Microsoft's own tables.

Facts of an organisation (numbers of options, names of relations, who stands for an unknown customer) are settings, never constants.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caseline.crm._schema import OF_ACCOUNTS, OF_CASES, OF_CONTACTS
from caseline.crm._settings import check_case_key, check_choice, check_names
from caseline.crm._settings import read_settings as read_typed
from caseline.errors import ConfigError

BANDS = ("P1", "P2", "P3", "P4")
TRENDS = ("rising", "steady", "falling")


def _columns(*keys: str) -> dict[str, str]:
    """As the solution names them: the publisher's prefix, and the key without underscores."""
    return {key: f"cx_{key.replace('_', '')}" for key in keys}


CASE_FIELDS = _columns(*OF_CASES)
ACCOUNT_FIELDS = _columns(*OF_ACCOUNTS)
CONTACT_FIELDS = _columns(*OF_CONTACTS, "handles", "customer_key")
FACT_FIELDS = {"tier": "cx_tier", "product_tier": "cx_producttier", "lifecycle_stage": "cx_lifecycle", "annual_revenue": "revenue", "owner": "_ownerid_value"}
# Collections of an account that value is read from; "" where the organisation does not use one.
RELATIONS = {"opportunities": "opportunity_customer_accounts", "contracts": "account_entitlement_Customer", "cases": "incident_customer_accounts"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RECORD = re.compile(rf"[a-z_]{{1,100}}\({_GUID.pattern}\)")


@dataclass(frozen=True)
class Settings:
    """As under `crm:` in config.yaml.

    `key` is alternate (the key over cx_casekey must be active) or primary (the case's own id is made of the case key; nothing to activate).
    `default_customer` ("accounts(<guid>)") has the cases of customers whom the CRM does not know: Dynamics takes no case without a customer.
    `queues` maps a queue to its guid, `owners` an owner to "systemusers(<guid>)" or "teams(<guid>)", `tiers` the organisation's labels to ours.
    `changes` is modified (by time; deletions are seen by webhook and reconciliation only) or delta (change tracking must be on for the tables).
    `overlap` is how many seconds a row may come late to be read still; `option_base` the number of the first option of our own choices.
    `webhook_header` carries the webhook's key; `user_id` is our application user's guid, so that webhooks of what we wrote are known.
    """

    instance_url: str = ""
    login_url: str = "https://login.microsoftonline.com"
    api_version: str = "9.2"
    key: str = "alternate"
    default_customer: str = ""
    case_fields: Mapping[str, str] = field(default_factory=lambda: dict(CASE_FIELDS))
    contact_fields: Mapping[str, str] = field(default_factory=lambda: dict(CONTACT_FIELDS))
    account_fields: Mapping[str, str] = field(default_factory=lambda: dict(ACCOUNT_FIELDS))
    fact_fields: Mapping[str, str] = field(default_factory=lambda: dict(FACT_FIELDS))
    relations: Mapping[str, str] = field(default_factory=lambda: dict(RELATIONS))
    email_fields: tuple[str, ...] = ("emailaddress1", "emailaddress2", "emailaddress3")
    phone_fields: tuple[str, ...] = ("telephone1", "mobilephone")
    phone_country_code: str = ""
    tiers: Mapping[str, str] = field(default_factory=dict)
    priorities: Mapping[str, int] = field(default_factory=lambda: {"P1": 1, "P2": 1, "P3": 2, "P4": 3})
    origins: Mapping[str, int] = field(default_factory=lambda: {"": 3, "email": 2, "phone": 1, "facebook": 2483, "x": 3986})
    option_base: int = 100_000_000
    queues: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    status_open: int = 1
    status_resolved: int = 5
    status_merged: int = 2000
    status_pending: tuple[str, ...] = ("2", "3")
    resolution: str = "Closed by Caseline"
    currency: str = ""
    leads: bool = False
    history: bool = True
    changes: str = "modified"
    overlap: int = 60
    webhook_header: str = "x-cx-webhook-key"
    user_id: str = ""

    def band_of(self, priority: Any, ours: str | None) -> str | None:
        """The band that a person meant by a priority that is not the one we set for our band; None where it is."""
        if priority is None or (ours and self.priorities.get(ours) == priority):
            return None
        return next((band for band in BANDS if self.priorities.get(band) == priority), None)

    def option(self, names: tuple[str, ...], name: Any) -> int | None:
        return self.option_base + names.index(name) if name in names else None

    def option_name(self, names: tuple[str, ...], number: Any) -> str | None:
        place = number - self.option_base if isinstance(number, int) else -1
        return names[place] if 0 <= place < len(names) else None


def read_settings(given: Mapping[str, Any]) -> Settings:
    """ConfigError for a setting that does not exist or cannot be what it should be."""
    settings = read_typed(Settings, "dynamics", given)
    _check_names(settings)
    for name, value in {"default_customer": settings.default_customer, **{f"owners.{k}": v for k, v in settings.owners.items()}}.items():
        if value and not _RECORD.fullmatch(value):
            raise ConfigError(f"crm.{name}: write a table and its id, such as accounts(00000000-0000-0000-0000-000000000000)")
    for name, value in settings.queues.items():
        if not _GUID.fullmatch(value):
            raise ConfigError(f"crm.queues.{name}: write the queue's guid")
    check_choice("key", settings.key, ("alternate", "primary"))
    check_choice("changes", settings.changes, ("modified", "delta"))
    return settings


def _check_names(settings: Settings) -> None:
    mappings = (settings.case_fields, settings.contact_fields, settings.account_fields, settings.fact_fields, settings.relations)
    names = [*(name for mapping in mappings for name in mapping.values()), *settings.email_fields, *settings.phone_fields]
    check_names(names, _NAME.fullmatch, "no column; write a logical name such as cx_tier")
    check_case_key(settings.case_fields)
