"""The parts of a mapping, as they stand under `crm.mapping`. Whatever is left out is done without.

An `Expression` is JMESPath on one row of an answer; which placeholders a request has is in `_checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from caseline.crm._mapped._expression import Expression
from caseline.crm._mapped._template import Path, Template

KINDS = ("cases", "comments", "people", "accounts", "deleted")


@dataclass(frozen=True)
class Login:
    """The secret has `token` (bearer, header), `username` and `password` (basic), or `client_id` and `client_secret` (oauth, at `path`)."""

    kind: str
    header: str = "X-Api-Key"
    path: str = "/oauth/token"
    scope: str = ""


@dataclass(frozen=True)
class Paging:
    """cursor: `next` is the token for `parameter`; page and offset: numbers, in pages of `size`; link: the header `Link`; after: the last row's id."""

    kind: str
    parameter: str = ""
    next: Expression | None = None
    size: int = 0


@dataclass(frozen=True)
class Request:
    path: str
    method: str = "GET"
    query: Mapping[str, Template] = field(default_factory=dict)
    body: Template | None = None
    form: Mapping[str, Template] = field(default_factory=dict)
    rows: Expression = field(default_factory=lambda: Expression("@"))
    row: Expression = field(default_factory=lambda: Expression("@"))
    paging: Paging | None = None

    @property
    def names(self) -> set[str]:
        parts = [*self.query.values(), *self.form.values(), *([self.body] if self.body else [])]
        return Path(self.path).names.union(*(part.names for part in parts))


@dataclass(frozen=True)
class PersonFields:
    id: Expression
    name: Expression | None = None
    emails: Expression | None = None
    phones: Expression | None = None
    handles: Expression | None = None
    account_id: Expression | None = None
    account: Expression | None = None
    customer_key: Expression | None = None
    at: Expression | None = None
    by: Expression | None = None


@dataclass(frozen=True)
class AccountFields:
    id: Expression
    name: Expression | None = None
    url: Expression | None = None
    facts: Mapping[str, Expression] = field(default_factory=dict)
    at: Expression | None = None
    by: Expression | None = None


@dataclass(frozen=True)
class CaseFields:
    id: Expression
    key: Expression
    status: Expression
    number: Expression | None = None
    url: Expression | None = None
    version: Expression | None = None
    band: Expression | None = None
    queue: Expression | None = None
    priority: Expression | None = None
    group: Expression | None = None
    owner: Expression | None = None
    notes: Expression | None = None
    outcome: Expression | None = None
    merged_into: Expression | None = None
    at: Expression | None = None
    by: Expression | None = None


@dataclass(frozen=True)
class CommentFields:
    id: Expression
    case_id: Expression
    text: Expression
    at: Expression
    case_key: Expression | None = None
    public: Expression | None = None
    by: Expression | None = None


@dataclass(frozen=True)
class DeletedFields:
    """`entity` gives one of case, contact, account by `entities`."""

    id: Expression
    entity: Expression
    at: Expression
    record_id: Expression | None = None
    by: Expression | None = None


@dataclass(frozen=True)
class People:
    find: tuple[Request, ...]
    fields: PersonFields
    create: Request | None = None
    profile: Request | None = None


@dataclass(frozen=True)
class Accounts:
    fields: AccountFields
    read: Request | None = None
    profile: Request | None = None


@dataclass(frozen=True)
class Cases:
    """`unique`: the CRM itself refuses a second case of one key, as `errors` says (`is: duplicate`). `erase` takes back all notes of ours, those with a
    mark, and puts {subject}, where there is one, in the place of the case's own and of its first text."""

    fields: CaseFields
    find: Request
    read: Request
    create: Request
    update: Request
    list: Request
    notes: Request | None = None
    note: Request | None = None
    erase: Request | None = None
    unique: bool = False


@dataclass(frozen=True)
class Changes:
    """`keyset`: requests ask for what comes after {after} and {after_id}, in this order, {limit} at most. Without it all pages since {after} are read."""

    cases: Request | None = None
    comments: Request | None = None
    people: Request | None = None
    accounts: Request | None = None
    deleted: Request | None = None
    comment: CommentFields | None = None
    deletion: DeletedFields | None = None
    keyset: bool = True
    limit: int = 200
    overlap: int = 120


@dataclass(frozen=True)
class Words:
    """Caseline's words to the CRM's; `tiers`, `outcomes` and `entities` the other way round. `statuses` has open, pending, closed and, for a
    case just made, new; `closed` are all statuses that mean closed, `resolution` is what goes with it."""

    priorities: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=lambda: {"open": "open", "pending": "pending", "closed": "closed"})
    closed: tuple[str, ...] = ()
    resolution: str = ""
    queues: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    tiers: Mapping[str, str] = field(default_factory=dict)
    outcomes: Mapping[str, str] = field(default_factory=dict)
    entities: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ErrorRule:
    """An error that says more than its status. `is` is one of `_checks.MEANINGS`, `field` what the CRM calls the wrong field."""

    is_: str
    status: int
    when: Expression | None = None
    field: Expression | None = None


@dataclass(frozen=True)
class UsageHeaders:
    remaining: str
    allowed: str
    window: int = 3_600


@dataclass(frozen=True)
class Event:
    """Where `when` is true of an event, `row` of it is what a row of that `is` (cases, comments, people, accounts, deleted) is when polled."""

    is_: str
    when: Expression
    row: Expression = field(default_factory=lambda: Expression("@"))


@dataclass(frozen=True)
class Webhook:
    """hmac: a header with `prefix` and the HMAC of the body, with `time` of `<time>.<body>`; header: a secret of ours; credentials: Basic, or ?token=."""

    kind: str
    events: tuple[Event, ...]
    header: str = ""
    prefix: str = ""
    encoding: str = "hex"
    algorithm: str = "sha256"
    time: str = ""
    rows: Expression = field(default_factory=lambda: Expression("[@]"))
    id: Expression | None = None


@dataclass(frozen=True)
class Mapped:
    login: Login
    people: People
    accounts: Accounts
    cases: Cases
    changes: Changes = field(default_factory=Changes)
    words: Words = field(default_factory=Words)
    errors: tuple[ErrorRule, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    usage: UsageHeaders | None = None
    webhook: Webhook | None = None
    check: Request | None = None
    user: str = ""
    case_url: str = ""
