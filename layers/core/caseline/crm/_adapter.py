"""What every adapter of a remote CRM is made of: parts that each know one thing, behind the one protocol.

A CRM's package ends with `create = opener("caseline.crm.dynamics._client:Dynamics")`: the adapter, and requests with it, comes with its first use,
so that the door can import the package for its webhooks alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from caseline.crm import NOTES_STAND, Account, CaseRecord, Change, Finding, Match, NewContact, Profile, SavedCase, StandingCase, Step, Usage
from caseline.crm._erasing import blank
from caseline.crm._optional import MissingFieldError
from caseline.errors import CrmError, CrmNotFoundError, CrmRejectedError

if TYPE_CHECKING:
    from caseline.crm._http import Limits
    from caseline.crm._schema import SchemaField

log = logging.getLogger(__name__)


class Wire(Protocol):
    @property
    def usage(self) -> Usage | None: ...


class Routing(Protocol):
    """Settings: whom the CRM knows as a queue, and as an owner."""

    @property
    def queues(self) -> Mapping[str, str]: ...
    @property
    def owners(self) -> Mapping[str, str]: ...


class Accounts(Protocol):
    def find(self, identities: Sequence[str]) -> Match: ...


class Cases(Protocol):
    def save(self, record: CaseRecord) -> SavedCase: ...
    def add_note(self, crm_id: str, note_id: str, text: str) -> None: ...


@runtime_checkable
class Erasing(Protocol):
    """Cases of a CRM whose API lets us take something back."""

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]: ...


class People(Protocol):
    def write_profile(self, profile: Profile) -> None: ...
    def create(self, contact: NewContact) -> Account: ...


class Changes(Protocol):
    def read(self, cursor: str) -> tuple[list[Change], str]: ...
    def list_cases(self, cursor: str) -> tuple[list[StandingCase], str]: ...


class Setup(Protocol):
    def check(self, schema: Sequence[SchemaField]) -> list[Finding]: ...
    def plan(self, schema: Sequence[SchemaField]) -> list[Step]: ...
    def apply(self, step: Step) -> None: ...


class Adapter:
    """The protocol `caseline.crm.Crm`, each method by the part that does it."""

    def __init__(
        self, wire: Wire, accounts: Accounts, cases: Cases, people: People, changes: Changes, setup: Setup, routing: Routing | None = None
    ) -> None:  # fmt: skip
        self._wire, self._accounts, self._cases, self._people, self._changes, self._setup = wire, accounts, cases, people, changes, setup
        self._routing = routing

    @property
    def usage(self) -> Usage | None:
        return self._wire.usage

    def find_account(self, identities: Sequence[str]) -> Match:
        return self._accounts.find(identities)

    def save_case(self, record: CaseRecord) -> SavedCase:
        """Without a queue or an owner that the CRM does not take, if that is all it minds: agents leave, and queues are closed. It then routes by itself."""
        try:
            return self._cases.save(record)
        except MissingFieldError:
            raise
        except (CrmRejectedError, CrmNotFoundError) as error:
            if not self._is_routed(record):
                raise
            return self._save_unrouted(record, error)

    def _is_routed(self, record: CaseRecord) -> bool:
        """Whether the CRM is told to whom it goes."""
        routing = self._routing
        return routing is not None and bool(routing.queues.get(record.queue) or routing.owners.get(record.owner))

    def _save_unrouted(self, record: CaseRecord, error: CrmError) -> SavedCase:
        """The first try may have got far enough to make the case: it is looked for."""
        try:
            saved = self._cases.save(replace(record, queue="", owner="", first=False))
        except (CrmRejectedError, CrmNotFoundError):
            raise error from None
        whom = (getattr(self, "name", "the CRM"), record.queue, record.owner)
        log.warning("%s does not take queue %r or owner %r as crm.queues and crm.owners have them: the case is saved without", *whom)
        return saved

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        self._cases.add_note(crm_id, note_id, text)

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]:
        return self._cases.erase_notes(crm_id, subject) if isinstance(self._cases, Erasing) else [NOTES_STAND]

    def write_profile(self, profile: Profile) -> None:
        self._people.write_profile(profile)

    def erase_profile(self, contact_id: str, account_id: str, names: Sequence[str]) -> Sequence[str]:
        return blank(self._people, contact_id, account_id, names)

    def create_contact(self, contact: NewContact) -> Account:
        return self._people.create(contact)

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        return self._changes.read(cursor)

    def list_cases(self, cursor: str = "") -> tuple[list[StandingCase], str]:
        return self._changes.list_cases(cursor)

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        return self._setup.check(schema)

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return self._setup.plan(schema)

    def apply(self, step: Step) -> None:
        self._setup.apply(step)


def utc_now() -> datetime:
    return datetime.now(UTC)


def opener(place: str) -> Callable[..., Any]:
    """A CRM module's `create`, for the class at `module:name`; it takes settings, secret, requests session, clock and limits, in this order."""

    def create(
        settings: Mapping[str, Any], secret: Mapping[str, Any], *, session: Any = None, clock: Callable[[], datetime] = utc_now,
        limits: Limits | None = None, **_: Any,
    ) -> Any:  # fmt: skip
        """`settings` as in config.yaml under `crm`, `secret` as kept under <prefix>/crm/<name>. ConfigError where either is wrong."""
        from caseline.crm._http import Limits

        module, _mark, name = place.partition(":")
        return getattr(import_module(module), name)(settings, secret, session, clock, limits or Limits())

    return create
