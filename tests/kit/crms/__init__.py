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

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
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


class Wire(Protocol):
    """`reading` and `writing` are patterns of the requests that look an account up and save a case."""

    reading: str
    writing: str

    def answer(self, match: str, status: int, headers: Mapping[str, str] | None = None, times: int = 1) -> None: ...
    def break_off(self, match: str, kind: str, **values: Any) -> None:
        """`kind`: drop_before, drop_after, drip, malformed, pause, redirect."""


class World(Protocol):
    """`wire` is None for a CRM that is not reached over HTTP."""

    wire: Wire | None

    def adapter(self, impatient: bool = False) -> Crm:
        """A fresh adapter; an impatient one gives up within a second or so."""

    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str: ...
    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str: ...
    def cases(self) -> list[StoredCase]: ...
    def lose_case(self, crm_id: str) -> None:
        """As when somebody deletes it in the CRM."""


def kit_names() -> list[str]:
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def open_world(name: str) -> AbstractContextManager[World]:
    found: AbstractContextManager[World] = import_module(f"{__name__}.{name}").world()
    return found
