"""A mapping as it is read from config.yaml: into its parts, each request with the placeholders that it may have, each word one that is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from caseline.crm._mapped._mapping import KINDS, Cases, Changes, Mapped, Request, Webhook
from caseline.crm._mapped._reading import MappingError, Place, read
from caseline.crm._mapped._template import Path
from caseline.crm._schema import OF_CASES, OF_CONTACTS

PEOPLE = frozenset("emails phones phone_digits handles handle_names customer_key".split())
OURS = frozenset(OF_CASES) - {"case_key", "outcome"}
CHANGED = OURS | frozenset("crm_id case_key priority group owner status resolution notes answers".split())
MADE = CHANGED | frozenset("subject description account_id contact_id brand channels signal_count opened_at".split()) - {"crm_id"}
PROFILE = frozenset(OF_CONTACTS)
KEYSET = frozenset("after after_id limit".split())
NAMES: Mapping[str, frozenset[str]] = {
    "people.find": PEOPLE, "people.profile": PROFILE | {"contact_id", "account_id", "events"}, "accounts.profile": PROFILE | {"contact_id", "account_id"},
    "people.create": frozenset("customer_key kind name first_name last_name email phone handles origin".split()),
    "accounts.read": frozenset(("account_id", "account_ids")), "cases.find": frozenset(("case_key",)), "cases.read": frozenset(("crm_id",)),
    "cases.notes": frozenset(("crm_id",)), "cases.create": MADE, "cases.update": CHANGED, "cases.note": frozenset(("crm_id", "text", "public")),
    "cases.erase": frozenset(("crm_id", "subject")),
    "cases.list": KEYSET, **{f"changes.{kind}": KEYSET for kind in ("cases", "comments", "people", "accounts", "deleted")}, "check": frozenset(),
}  # fmt: skip
LOGINS, METHODS = ("bearer", "basic", "header", "oauth", "none"), ("GET", "POST", "PUT", "PATCH", "DELETE")
PAGINGS, PROOFS = ("cursor", "page", "offset", "link", "after"), ("hmac", "header", "credentials")
MEANINGS = ("duplicate", "conflict", "missing", "rejected", "stranger", "auth", "rate", "unavailable")


def read_mapping(value: Any, place: Place = ("mapping",)) -> Mapped:
    """MappingError with the place of what is wrong."""
    mapped = read(Mapped, value, place)
    for where, request in requests_of(mapped):
        _check_request((*place, *where), request, NAMES[".".join(part for part in where if isinstance(part, str))])
    _check_choices(mapped, place)
    _check_link(mapped.case_url, place)
    _check_notes(mapped.cases, place)
    return mapped


def requests_of(mapped: Mapped) -> Iterator[tuple[Place, Request]]:
    for part in ("people", "accounts", "cases", "changes"):
        held = getattr(mapped, part)
        for each in fields(held):
            value = getattr(held, each.name)
            if isinstance(value, Request):
                yield (part, each.name), value
            elif isinstance(value, tuple):
                yield from (((part, each.name, number), request) for number, request in enumerate(value))
    if mapped.check:
        yield ("check",), mapped.check


def _check_request(place: Place, request: Request, known: frozenset[str]) -> None:
    try:
        unknown = request.names - known
    except ValueError as error:
        raise MappingError((*place, "path"), str(error)) from None
    if unknown:
        raise MappingError(place, f"{{{min(unknown)}}} is no placeholder of this request; it has {', '.join(sorted(known)) or 'none'}")
    for name, template in request.query.items():
        if "text" in template.quotings:
            raise MappingError((*place, "query", name), "text within a query is quoted as its language does: odata, backslash, json or url")
    _one_of((*place, "method"), request.method, METHODS)
    if request.paging:
        _one_of((*place, "paging", "kind"), request.paging.kind, PAGINGS)
        if request.paging.kind == "cursor" and not request.paging.next:
            raise MappingError((*place, "paging"), "'next' is missing; write the expression that gives the next page's token")
        if request.paging.kind != "link" and not request.paging.parameter:
            raise MappingError((*place, "paging"), "'parameter' is missing; write the name that the page has in the query")


def _check_choices(mapped: Mapped, place: Place) -> None:
    _one_of((*place, "login", "kind"), mapped.login.kind, LOGINS)
    for name in ("open", "closed"):
        if name not in mapped.words.statuses:
            raise MappingError((*place, "words", "statuses"), f"{name!r} is missing; write the CRM's own word for it")
    for number, rule in enumerate(mapped.errors):
        _one_of((*place, "errors", number, "is"), rule.is_, MEANINGS)
    if mapped.changes.comments and not mapped.changes.comment:
        raise MappingError((*place, "changes"), "'comment' is missing; write the fields of a comment")
    if mapped.changes.deleted and not mapped.changes.deletion:
        raise MappingError((*place, "changes"), "'deletion' is missing; write the fields of a deletion")
    if mapped.webhook:
        _check_webhook(mapped.webhook, mapped.changes, (*place, "webhook"))


def _check_webhook(webhook: Webhook, changes: Changes, place: Place) -> None:
    _one_of((*place, "kind"), webhook.kind, PROOFS)
    _one_of((*place, "encoding"), webhook.encoding, ("hex", "base64"))
    _one_of((*place, "algorithm"), webhook.algorithm, ("sha256", "sha512", "sha1"))
    if webhook.kind != "credentials" and not webhook.header:
        raise MappingError(place, "'header' is missing; write the name of the header that proves the sender")
    for number, event in enumerate(webhook.events):
        _one_of((*place, "events", number, "is"), event.is_, KINDS)
        if (event.is_ == "comments" and not changes.comment) or (event.is_ == "deleted" and not changes.deletion):
            raise MappingError((*place, "events", number), "its fields are missing; write them under changes: comment, deletion")


def _check_link(case_url: str, place: Place) -> None:
    try:
        unknown = Path(case_url).names - {"crm_id"} if case_url else set()
    except ValueError as error:
        raise MappingError((*place, "case_url"), str(error)) from None
    if unknown:
        raise MappingError((*place, "case_url"), "write a path such as /tickets/{crm_id}")


def _check_notes(cases: Cases, place: Place) -> None:
    if not cases.note and not all("notes" in request.names for request in (cases.create, cases.update)):
        raise MappingError((*place, "cases"), "notes have no way in; write the request `note`, or {notes} into both `create` and `update`")


def _one_of(place: Place, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise MappingError(place, f"{value!r} is not known; write one of {', '.join(known)}")
