"""CRMs: one module each, behind one protocol. The module's name is its registration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from caseline.errors import UnknownCrmError

TIERS = ("strategic", "enterprise", "mid", "smb", "trial")


@dataclass(frozen=True)
class Fact:
    """One fact of account value with the CRM field it was read from and the time it was read (ISO, UTC)."""

    value: Any
    source: str
    as_of: str

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "source": self.source, "as_of": self.as_of}


@dataclass(frozen=True)
class Account:
    """An account with the contact that matched.

    `facts` is keyed: tier (one of TIERS), deal_value (decimal as text), currency, renewal_date (ISO date), contract_status,
    lifecycle_stage, product_tier, purchases, open_cases, owner. `identities` are the contact's, as `namespace:id`.
    """

    account_id: str
    name: str
    contact_id: str = ""
    contact_name: str = ""
    identities: Sequence[str] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    url: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "account_id": self.account_id, "name": self.name, "contact_id": self.contact_id, "contact_name": self.contact_name,
            "identities": list(self.identities), "url": self.url, "facts": {k: f.to_json() for k, f in self.facts.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Account:
        facts = {k: Fact(**f) for k, f in data.get("facts", {}).items()}
        return cls(**{**{k: v for k, v in data.items() if k in cls.__dataclass_fields__}, "facts": facts})


@dataclass(frozen=True)
class Match:
    """`kind` is exact (one account), ambiguous (candidates, none linked by guess) or none."""

    kind: str
    account: Account | None = None
    candidates: Sequence[Account] = ()


@dataclass(frozen=True)
class CaseRecord:
    """What should stand in the CRM for one case. `case_key` is the external id; `reasons` are the lines in plain text."""

    case_key: str
    version: int
    subject: str
    headline: str
    reasons: Sequence[str]
    score: int
    band: str
    status: str
    category: str
    queue: str
    brand: str
    url: str
    account_id: str = ""
    contact_id: str = ""
    opened_at: str = ""
    signal_count: int = 0
    channels: Sequence[str] = ()


@dataclass(frozen=True)
class SavedCase:
    """Where the case stands: the CRM's id, the number people use, a link."""

    crm_id: str
    number: str
    url: str
    created: bool


@dataclass(frozen=True)
class Change:
    """Something a CRM user (or the CRM) did to a case, account or contact of ours."""

    kind: str  # case | comment | account | contact | deleted | merged
    crm_id: str
    at: datetime
    case_key: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""


class Crm(Protocol):
    name: str

    def find_account(self, identities: Sequence[str]) -> Match:
        """By the customer's identities; facts come with it. In as few calls as the CRM allows."""

    def save_case(self, record: CaseRecord) -> SavedCase:
        """Create or update by case key; safe to repeat."""

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """Once for each note id."""


def crm_names() -> list[str]:
    return sorted(p.stem for p in Path(__file__).parent.iterdir() if _is_crm(p))


def open_crm(name: str) -> Any:
    """The module of that name, for its `verify`, `challenge`, `parse` and `create`."""
    if name not in crm_names():
        raise UnknownCrmError(f"crm.name: no CRM {name!r}; write one of {', '.join(crm_names())}")
    return import_module(f"{__name__}.{name}")


def _is_crm(path: Path) -> bool:
    return not path.stem.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").is_file())
