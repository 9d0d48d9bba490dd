"""CRMs: one module each, behind one protocol. The module's name is its registration.

A module has `create(settings, secret, *, table, session, clock, limits)`, which gives a `Crm`, and for the CRM's own webhooks `verify(request, source)`,
`parse(request, source)` and, where the CRM needs them, `challenge` and `acknowledge`. The door imports the module: nothing heavy at its top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from caseline.errors import UnknownCrmError

if TYPE_CHECKING:
    from caseline.crm._schema import SchemaField

TIERS = ("strategic", "enterprise", "mid", "smb", "trial")
OPEN, CLOSED = "open", "closed"
ALL, LATER = "all", "later"  # what of our notes a field of ours holds
AUTOMATIC = "auto"  # the band of a case whose priority a person blanked: that of its score
NOTES_STAND = "its API takes no notes back; erase there those that end with [cx:...], the subject and the description"


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
class Note:
    """A note to a case, once for each id. A public one is an answer the customer sees, where the CRM has such notes."""

    note_id: str
    text: str
    public: bool = False


@dataclass(frozen=True)
class CaseRecord:
    """What should stand in the CRM for one case. `case_key` is the external id; `reasons` are the lines in plain text.

    `crm_id` is where it stands already, "" if it was never saved. `first` says that no call for this case can have reached the CRM before: there is
    nothing to look for. `before` has `status`, `band`, `queue` and `owner` as we saved them last: what equals is not sent again, and where the CRM shows
    another value a person set it, which stands. `notes` go with the save, in the same call where the CRM can; `untold`: no call with any of them can have
    reached the CRM before, so that none is looked for. `saved_version` is that of the last save whose answer we have, 0 if there is none: a CRM that shows
    no newer one holds nothing of ours that we do not know of. `told` are the notes that a field of ours holds since the save that said so
    (`SavedCase.field`): that field is written whole with what is new, and the case is not read for it. None where that is not known.
    """

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
    owner: str = ""
    crm_id: str = ""
    first: bool = False
    before: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[Note] = ()
    untold: bool = False
    saved_version: int = 0
    told: Sequence[Note] | None = None

    @property
    def moved(self) -> bool:
        """Whether anything that people may set, too, is not as we saved it last."""
        return any(self.before.get(name) != getattr(self, name) for name in ("status", "band", "queue", "owner"))

    @property
    def is_news(self) -> bool:
        """A CRM can be told without being read first: nobody's say is touched, and no note has to be looked for."""
        return bool(self.crm_id) and not self.moved and (self.untold or not self.notes)


@dataclass(frozen=True)
class SavedCase:
    """Where the case stands: the CRM's id (of the surviving record after a merge), the number people use, a link.

    `status` is open or closed as the CRM shows it, "" where the call did not tell. `field`: a field of ours that Caseline alone writes holds ALL of our
    notes there are, or those LATER than the save that made the case; "" where notes are kept in another way.
    """

    crm_id: str
    number: str
    url: str
    created: bool
    status: str = ""
    field: str = ""


@dataclass(frozen=True)
class Change:
    """Something a CRM user (or the CRM) did to a case, account or contact. `crm_id` is that record's; what we wrote ourselves is no change.

    kind       fields
    case       any of status (open, pending, closed), band (P1-P4, a person's; auto: blanked), owner ("": nobody), queue, category,
               outcome (valid, not_an_issue)
    comment    comment_id, text, public (an answer the customer sees); `crm_id` and `case_key` are the case's
    contact    account_id, name, identities, as far as known; empty: look it up
    account    facts as of `Account`, as far as known; empty: look it up
    deleted    entity: case, contact or account
    merged     entity, into: the surviving record's id

    `event_id` is the CRM's own id of the event, "" where it has none. `by` is who did it, as a name or an id.
    """

    kind: str
    crm_id: str
    at: datetime
    case_key: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""
    event_id: str = ""


@dataclass(frozen=True)
class Profile:
    """How a customer feels now, for its contact and account in the CRM.

    `values` is keyed: sentiment (-1 to 1), sentiment_trend (rising, steady, falling), last_nps, last_csat, last_ces, unanswered (number), channels (text),
    last_contact (ISO), health (0-100); a key that is absent is unknown, and not written; one that is None is to be blank. `events` are child records
    where the CRM has them.
    """

    contact_id: str
    account_id: str
    values: Mapping[str, Any]
    events: Sequence[ProfileEvent] = ()


@dataclass(frozen=True)
class ProfileEvent:
    """One signal in the history of a contact: its id, time (ISO), channel, kind, and what was read from it; no words of the customer."""

    event_id: str
    at: str
    channel: str
    kind: str
    summary: str
    sentiment: float | None = None
    rating: str = ""


@dataclass(frozen=True)
class NewContact:
    """A customer whom the CRM does not know. `kind` is contact or lead; `customer_id` is kept there where a field is for it, so that it is made once.

    `urgent`: a P1 case waits for it, so that it may use the quota that is kept back.
    """

    kind: str
    customer_id: str
    name: str
    identities: Sequence[str]
    origin: str
    urgent: bool = False


@dataclass(frozen=True)
class StandingCase:
    """A case of ours as it stands in the CRM. `band` and `version` are None where the CRM keeps none."""

    crm_id: str
    case_key: str
    status: str
    band: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class Usage:
    """Calls that are left of `allowed` in the CRM's window of `window` seconds, as its last answer said."""

    remaining: int
    allowed: int
    window: float


@dataclass(frozen=True)
class Finding:
    """Something the CRM lacks: what, why it matters, what to do. `severity` is error (cases cannot be saved) or warning (done without)."""

    severity: str
    name: str
    problem: str
    fix: str


@dataclass(frozen=True)
class Step:
    """One thing that setting up would change. `by` is api (`apply` can do it) or hand (`how` says where to click)."""

    name: str
    what: str
    by: str
    how: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Crm(Protocol):
    """`native_upsert`: two savers at once make one case even without Caseline's own claim."""

    name: str
    native_upsert: bool

    @property
    def usage(self) -> Usage | None:
        """None until an answer has told, and for a CRM that does not."""

    def find_account(self, identities: Sequence[str]) -> Match:
        """By the customer's identities; facts come with it. In as few calls as the CRM allows."""

    def save_case(self, record: CaseRecord) -> SavedCase:
        """Create or update by case key, with its notes; safe to repeat."""

    def add_note(self, crm_id: str, note_id: str, text: str) -> None:
        """Once for each note id."""

    def erase_notes(self, crm_id: str, subject: str = "") -> Sequence[str]:
        """Take back every note of ours on the case; what people wrote stands. With a `subject` it stands instead of the case's own and of its first
        text, which may name the customer. Safe to repeat.

        Returns a line of plain words for each thing of ours that the CRM's API does not let us take back, with NOTES_STAND where that is the notes
        themselves; none for a case that is gone.
        """

    def write_profile(self, profile: Profile) -> None:
        """Latest values on contact and account, events as child records; safe to repeat. A field that the CRM lacks is left out."""

    def erase_profile(self, contact_id: str, account_id: str, names: Sequence[str]) -> Sequence[str]:
        """Blank the values of these names on contact and account, and delete the contact's history of events; safe to repeat. Records and what people
        wrote stand.

        Returns a line of plain words for each thing of ours that the CRM's API does not let us take back; none for a contact that is gone.
        """

    def create_contact(self, contact: NewContact) -> Account:
        """Once for each customer id; the one that is there if there is one."""

    def read_changes(self, cursor: str = "") -> tuple[list[Change], str]:
        """One page of what happened since the cursor, oldest first, at least once, and the next cursor. An empty one begins
        a few minutes ago: with what people did since the first case was saved, before anybody asked.

        Nothing is missed that came late or shares its time with the page's last; no changes means that all is read.
        """

    def list_cases(self, cursor: str = "") -> tuple[list[StandingCase], str]:
        """A page of all cases that have a key of ours, with the next cursor, "" after the last."""

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        """What is missing in the live CRM: fields, permissions, settings. CrmAuthError where not even the login works."""

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        """What setting up would change; nothing is changed."""

    def apply(self, step: Step) -> None:
        """Do a step that is by api; done already is success."""


def crm_names() -> list[str]:
    return sorted(p.stem for p in Path(__file__).parent.iterdir() if _is_crm(p))


def open_crm(name: str) -> Any:
    """The module of that name, for its `verify`, `challenge`, `parse` and `create`."""
    if name not in crm_names():
        raise UnknownCrmError(f"crm.name: no CRM {name!r}; write one of {', '.join(crm_names())}")
    return import_module(f"{__name__}.{name}")


def _is_crm(path: Path) -> bool:
    return not path.stem.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").is_file())
