"""What the contract suite needs of each CRM: one module here for each module of caseline.crm, with `world()`.

`world()` is a context manager that gives a `World`: a CRM that can be filled, looked into and, where it is reached over HTTP, broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from caseline.crm import CaseRecord, Crm
from caseline.crm._http import Limits
from caseline.sources import Source
from caseline.web import WebhookRequest

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
IMPATIENT = Limits(connect=0.3, read=0.3, total=0.5)
VARIANTS = {"sap_c4c": "sap"}  # a second product that the same adapter speaks to, by the name of its kit
# What the CRMs can do in one way or another, but not each of them: `drop <entity>.<key>` is that a field of ours can be missing,
# `parts` that many requests go in one, of which one can fail, `take back` that it gives notes back, `plan` that it is asked what it lacks, `apply` that its
# API makes it.
KINDS = ("case", "comment", "contact", "account", "deleted")
DROPPED = (
    *(f"drop case.{key}" for key in ("case_key", "headline", "version", "band", "reasons", "outcome")),
    *("drop contact.handles", "drop contact.health", "drop account.tier", "drop account.product_tier", "drop account.lifecycle"),
)
ABILITIES = ("take back", *(f"webhook {kind}" for kind in KINDS), "merge", "lock", *DROPPED, "plan", "apply", "parts")
RECORD = CaseRecord(
    case_key="cx-0123456789abcdef", version=1, subject="Parcel lost twice", headline="80 P1: strategic account, renewal in 24 days", score=80, band="P1",
    reasons=("+20 strategic account", "+60 others"), status="open", category="delivery", queue="senior-care", brand="acme",
    url="https://desk.example/cases/cx-0123456789abcdef", opened_at="2026-11-21T10:00:00.000000Z", signal_count=1, channels=("x",),
)  # fmt: skip


@dataclass(frozen=True)
class StoredCase:
    """A case as it stands in the CRM, looked at past the adapter."""

    crm_id: str
    case_key: str
    version: int
    score: int
    band: str
    reasons: str
    notes: list[str] = field(default_factory=list)
    status: str = "open"
    owner: str = ""
    native_priority: str = ""


class Wire(Protocol):
    """`reading` and `writing` are patterns of the requests that look an account up and save a case, `noting` of those that write a note."""

    reading: str
    writing: str
    noting: str

    def answer(self, match: str, status: int, headers: Mapping[str, str] | None = None, times: int = 1) -> None:
        """Answer the next requests that match in the CRM's own error shape for that status."""

    def break_off(self, match: str, kind: str, **values: Any) -> None:
        """`kind`: drop_before, drop_after, drip, malformed, pause, redirect."""


class World(Protocol):
    """`wire` is None for a CRM that is not reached over HTTP. What is done here is done by people in the CRM, past the adapter."""

    wire: Wire | None
    simulator: Any

    def adapter(self, impatient: bool = False, session: Any = None, **settings: Any) -> Crm:
        """A fresh adapter with nothing cached; an impatient one gives up within half a second. Its clock is the world's."""

    def calls(self) -> int:
        """How many calls came in so far, without logins. A batch or composite is one."""

    def expire_login(self) -> None:
        """The tokens given so far are refused from now on."""

    def refuse_login(self) -> None:
        """The credentials are wrong from now on."""

    def tick(self, seconds: float) -> None:
        """The world's clock goes on; it begins at NOW."""

    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str: ...
    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str: ...
    def cases(self) -> list[StoredCase]: ...
    def lose_case(self, crm_id: str) -> None:
        """As when somebody deletes it in the CRM."""

    def close_case(self, crm_id: str, outcome: str = "") -> None: ...
    def reopen_case(self, crm_id: str) -> None: ...
    def set_band(self, crm_id: str, band: str) -> None:
        """A person sets the CRM's own priority, to what the adapter's mapping has for the band (the CRM may know fewer)."""

    def set_owner(self, crm_id: str, owner: str) -> None: ...
    def comment(self, crm_id: str, text: str, public: bool = False) -> None: ...
    def merge_case(self, crm_id: str, into: str) -> None:
        """NotImplementedError where the kit lacks `merge`: the CRM has none that leaves a trace."""

    def lock_case(self, crm_id: str, times: int = 1) -> None:
        """The next writes to it are refused as they are while somebody else holds it; NotImplementedError where the kit lacks `lock`."""

    def set_tier(self, account_id: str, tier: str) -> None: ...
    def contact_values(self, contact_id: str) -> dict[str, Any]:
        """What stands in the contact's fields of ours, by the keys of `Profile.values`."""

    def account_values(self, account_id: str) -> dict[str, Any]: ...
    def contacts(self) -> int:
        """How many contacts and leads there are."""

    def drop_field(self, entity: str, key: str) -> None:
        """The field of ours (by its key in infra/crm/schema.yaml) is missing from now on; NotImplementedError where the kit lacks that."""

    def webhook(self, kind: str, crm_id: str) -> tuple[WebhookRequest, Source] | None:
        """A signed request as the CRM sends it for a change of that kind (of KINDS); None where the kit lacks that."""


def kit_names() -> list[str]:
    """Of the CRMs, and of their variants beside them."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def why_not(name: str, ability: str) -> str:
    """Why the CRM of that kit lacks the ability, "" if it has it. Its module says so in `LACKS`, of the ability itself or of all abilities of that sort."""
    lacks: Mapping[str, str] = getattr(import_module(f"{__name__}.{name}"), "LACKS", {})
    return lacks.get(ability) or lacks.get(ability.partition(" ")[0], "")


def shipped(name: str) -> Mapping[str, Any]:
    """What the kit sets for the contract's sake and nobody else has to, as it is by default (`SHIPPED` of its module): what costs calls is off."""
    found: Mapping[str, Any] = getattr(import_module(f"{__name__}.{name}"), "SHIPPED", {})
    return found


def kits_that(ability: str) -> list[str]:
    assert ability in ABILITIES, "no kit is asked whether it lacks that"
    return [name for name in kit_names() if not why_not(name, ability)]


def open_world(name: str) -> AbstractContextManager[World]:
    found: AbstractContextManager[World] = import_module(f"{__name__}.{name}").world()
    return found
