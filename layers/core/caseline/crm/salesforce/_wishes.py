"""What we want of a case, and where people have a say: status, priority and owner move only while they are as we left them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caseline.crm import CLOSED, CaseRecord
from caseline.crm._text import fit_text
from caseline.crm.salesforce._settings import Settings
from caseline.crm.salesforce._soql import is_id, quote, unreferenced

QUEUE_PREFIX = "00G"


@dataclass(frozen=True)
class Wish:
    """`values` are sent if `column` stands at `left`: what we sent last, as far as is known. An owner of whom we know nothing must be a queue."""

    values: Mapping[str, Any]
    column: str
    left: str | bool

    def holds(self, standing: Mapping[str, Any]) -> bool:
        found = standing.get(self.column)
        return found is self.left if isinstance(self.left, bool) else str(found or "").startswith(self.left)

    @property
    def condition(self) -> str:
        """As SOQL; "" where it cannot be asked."""
        if isinstance(self.left, bool):
            return f"{self.column} = {str(self.left).lower()}"
        return f"{self.column} = {quote(self.left)}" if self.left and self.left != QUEUE_PREFIX else ""


def wishes_of(record: CaseRecord, before: Mapping[str, str], settings: Settings) -> Sequence[Wish]:
    """Of what is to be another than `before`."""
    return [wish for wish in (_priority(record, before, settings), _owner(record, before, settings), _status(record, before, settings)) if wish]


def _priority(record: CaseRecord, before: Mapping[str, str], settings: Settings) -> Wish | None:
    left, wanted = settings.priority(before["band"]) if before.get("band") else "", settings.priority(record.band)
    return None if left == wanted else Wish({"Priority": wanted}, "Priority", left)


def _owner(record: CaseRecord, before: Mapping[str, str], settings: Settings) -> Wish | None:
    left, wanted = settings.owner_id(before.get("owner", ""), before.get("queue", "")), settings.owner_id(record.owner, record.queue)
    return None if not wanted or wanted == left else Wish({"OwnerId": wanted}, "OwnerId", left or QUEUE_PREFIX)


def _status(record: CaseRecord, before: Mapping[str, str], settings: Settings) -> Wish | None:
    """A case is opened again only if it was we who closed it."""
    if record.status == CLOSED:
        return None if before.get("status") == CLOSED else Wish({"Status": settings.status_closed, **settings.closing}, "IsClosed", False)
    return Wish({"Status": settings.status_reopened}, "IsClosed", True) if before.get("status") == CLOSED else None


def new_values(record: CaseRecord, settings: Settings) -> dict[str, Any]:
    """Of a case that is made: all that people may change later."""
    closed = {"Status": settings.status_closed, **settings.closing}
    state = closed if record.status == CLOSED else {"Status": settings.status_new}
    values = {"Subject": _fit(record.subject, 255), "Priority": settings.priority(record.band), "Origin": settings.origin, **state}
    owner = settings.owner_id(record.owner, record.queue)
    links = {"AccountId": (record.account_id, "001"), "ContactId": (record.contact_id, "003")}
    return {**values, **({"OwnerId": owner} if owner else {}), **{name: key for name, (key, prefix) in links.items() if is_id(key, prefix)}}


def own_values(record: CaseRecord, settings: Settings) -> dict[str, Any]:
    """Our own fields. A url field takes 255 characters, the reasons are a long text area of 32,768."""
    values = {
        "version": record.version,
        "score": record.score,
        "band": record.band,
        "reasons": _fit("\n".join(record.reasons), 32_000),
        "headline": _fit(record.headline, 255),
        "category": _fit(record.category, 255),
        "queue": _fit(record.queue, 80),
        "link": record.url if len(record.url) <= 255 else "",
    }
    return {settings.case_fields[name]: value for name, value in values.items()}


def _fit(text: str, limit: int) -> str:
    return fit_text(unreferenced(text), limit)
