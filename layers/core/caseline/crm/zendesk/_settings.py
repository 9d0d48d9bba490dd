"""Settings of the Zendesk adapter: which account, which fields, which values. The door reads them too, to understand webhooks: nothing heavy here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caseline.crm import CLOSED, OPEN
from caseline.crm._schema import OF_ACCOUNTS, OF_CASES, OF_CONTACTS
from caseline.crm._settings import read_settings as read_fields
from caseline.crm._words import Words, status_of
from caseline.errors import ConfigError

# Fields of tickets, which Zendesk knows by number; the case key is the ticket's own external_id.
CASE_FIELDS = (*(name for name in OF_CASES if name != "case_key"), "noted")
# Zendesk has neither deals nor contracts: account value stands in fields of the organization.
ACCOUNT_FIELDS = {name: f"cx_{name}" for name in (
    "tier", "product_tier", "lifecycle_stage", "deal_value", "currency", "renewal_date", "contract_status", "purchases", "annual_revenue", "owner",
)} | {"lifecycle_stage": "cx_lifecycle"}  # fmt: skip


@dataclass(frozen=True)
class Settings(Words):
    """As under `crm:` in config.yaml.

    `case_fields` are the numbers of the ticket fields by Caseline's words; what is not named is looked up by its title, at one call at each start; "" is
    done without. `contact_fields` and `account_profile` are the keys of the user and organization fields that Caseline writes, `account_fields` of those of
    the organization that facts are read from. `priorities` maps a band, `tiers` the account's own words to ours, `statuses` open and closed to what is set,
    `closed_statuses` are all that mean closed. `queues` map to ids of groups, `owners` to ids of agents. `user_id` is the user who Caseline is; it is asked
    for once where it is not given. `tag` marks tickets of ours, `ticket_type` is the type that is set. `sideloads` come with found users.
    `phone_country_code` ("44") reads numbers stored without one, `currency` is that of deal values without one of their own.
    `overlap_seconds` is how late Zendesk may tell an event.
    """

    instance_url: str = ""
    case_fields: Mapping[str, str] = field(default_factory=dict)
    contact_fields: Mapping[str, str] = field(default_factory=lambda: {name: f"cx_{name}" for name in ("handles", *OF_CONTACTS)})
    account_profile: Mapping[str, str] = field(default_factory=lambda: {name: f"cx_{name}" for name in OF_ACCOUNTS})
    account_fields: Mapping[str, str] = field(default_factory=lambda: dict(ACCOUNT_FIELDS))
    priorities: Mapping[str, str] = field(default_factory=lambda: {"P1": "urgent", "P2": "high", "P3": "normal", "P4": "low"})
    statuses: Mapping[str, str] = field(default_factory=lambda: {OPEN: "open", CLOSED: "solved"})
    closed_statuses: tuple[str, ...] = ("solved", "closed")
    pending_statuses: tuple[str, ...] = ("pending", "hold")
    tiers: Mapping[str, str] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    user_id: str = ""
    tag: str = "caseline"
    ticket_type: str = ""
    sideloads: str = "organizations,identities"
    currency: str = ""
    phone_country_code: str = ""
    overlap_seconds: int = 120

    def status(self, status: str) -> str:
        return status_of(status, self.closed_statuses, self.pending_statuses)

    def tier(self, value: str) -> str | None:
        return super().tier(value) or super().tier(value.casefold().removeprefix("cx_tier_"))


def option_of(key: str, value: str) -> str:
    """The value of a choice is a tag in Zendesk, and has to be one of its own."""
    return f"cx_{key}_{value}".lower()


def title_of(key: str) -> str:
    """What a field of ours is called."""
    return f"Caseline {key.replace('_', ' ')}"


def read_settings(given: Mapping[str, Any]) -> Settings:
    """ConfigError for a setting that does not exist or cannot be what it should be."""
    settings = read_fields(Settings, "zendesk", given)
    for name, number in settings.case_fields.items():
        if name not in CASE_FIELDS or not (number.isdecimal() or not number):
            raise ConfigError(f"crm.case_fields.{name}: write the number of a ticket field, for any of {', '.join(CASE_FIELDS)}")
    return settings
