"""What a Freshdesk account holds: contacts, companies, tickets with their conversations, and the fields that admins define."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import unescape
from typing import Any

from tests.kit.simulated import Reply

Row = dict[str, Any]
ME, AGENT = 80_001, 80_002
STATUSES, PRIORITIES, SOURCES = (2, 3, 4, 5, 6, 7), (1, 2, 3, 4), (1, 2, 3, 5, 6, 7, 9, 10, 11, 100, 101)
TICKET = frozenset((
    "name subject description email requester_id phone unique_external_id twitter_id facebook_id priority status source tags custom_fields group_id "
    "responder_id company_id type due_by cc_emails product_id"
).split())
CONTACT = frozenset("name email phone mobile unique_external_id twitter_id tags company_id custom_fields other_emails description address job_title".split())
COMPANY = frozenset("name description domains note custom_fields health_score account_tier renewal_date industry".split())
OUTBOUND = 10
EMAIL = re.compile(r"[^@\s,;<>\"\\]+@[a-z0-9-]+(\.[a-z0-9-]+)+\Z", re.IGNORECASE)
BODIES: dict[int, Any] = {
    400: {"description": "Validation failed", "errors": [{"field": "priority", "message": "It should be one of '1,2,3,4'", "code": "invalid_value"}]},
    401: {"code": "invalid_credentials", "message": "You have to be logged in to perform this action."},
    403: {"code": "access_denied", "message": "You are not authorized to perform this action."},
    404: None,
    409: {"description": "Validation failed", "errors": [{"field": "email", "message": "It should be a unique value", "code": "inconsistent_state"}]},
    429: {"message": "You have exceeded the limit of requests per hour"},
}


def by_status(status: int) -> Any:
    """A body for a fault that is set from outside."""
    return BODIES.get(status, {"code": "internal_error", "message": "We're sorry, but something went wrong."})


class FreshdeskError(Exception):
    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body, self.headers = status, body, headers or {}

    def reply(self) -> Reply:
        return Reply(self.status, self.body, dict(self.headers))


def refuse(field: str, message: str, code: str = "invalid_value", status: int = 400, **more: Any) -> FreshdeskError:
    return FreshdeskError(status, {"description": "Validation failed", "errors": [{"field": field, "message": message, "code": code, **more}]})


def not_found() -> FreshdeskError:
    return FreshdeskError(404, None)


def show_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


class Desk:
    """`lag` is how many seconds the search index is late."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock, self.lag = clock, 0.0
        self.contacts, self.companies, self.tickets = dict[int, Row](), dict[int, Row](), dict[int, Row]()
        self.conversations: dict[int, list[Row]] = {}
        self.agents, self.groups = {ME: {"id": ME, "contact": {"name": "Caseline"}}, AGENT: {"id": AGENT, "contact": {"name": "Mara"}}}, {700: {"id": 700}}
        self.fields: dict[str, dict[str, Row]] = {"ticket": {}, "contact": {}, "company": {}}
        self._last_id = 1_000

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def now(self) -> str:
        return show_time(self.clock())

    # Fields: the name is made of the label.
    def add_field(self, kind: str, given: Mapping[str, Any]) -> Row:
        if not given.get("label") or not str(given.get("type")).startswith("custom_"):
            raise refuse("label", "It should not be blank")
        name = ("cf_" if kind == "ticket" else "") + re.sub(r"\W+", "_", str(given["label"]).lower())
        if name in self.fields[kind]:
            raise refuse("label", "It should be a unique value", "duplicate_value", 409)
        if given["type"] == "custom_dropdown" and not given.get("choices"):
            raise refuse("choices", "It should not be blank", "missing_field")
        self.fields[kind][name] = {"id": self.next_id(), "name": name, **given}
        return self.fields[kind][name]

    def drop_field(self, kind: str, name: str) -> None:
        del self.fields[kind][name]
        for row in {"ticket": self.tickets, "contact": self.contacts, "company": self.companies}[kind].values():
            row["custom_fields"].pop(name, None)

    def _custom(self, kind: str, standing: Mapping[str, Any], given: Mapping[str, Any]) -> Row:
        for name, value in given.items():
            if name not in self.fields[kind]:
                raise refuse(f"custom_fields.{name}", "Unexpected/invalid field in request", "invalid_field")
            self._check(self.fields[kind][name], name, value)
        return {name: given.get(name, standing.get(name)) for name in self.fields[kind]}

    def _check(self, field: Row, name: str, value: Any) -> None:
        kind = field["type"]
        if value is None:
            return
        if kind == "custom_dropdown" and value not in [choice["value"] for choice in field["choices"]]:
            raise refuse(f"custom_fields.{name}", "It should be one of these values", "invalid_value")
        if kind == "custom_number" and (not isinstance(value, int) or isinstance(value, bool)):
            raise refuse(f"custom_fields.{name}", "Value set is of type String. It should be a/an Integer", "datatype_mismatch")
        if kind == "custom_decimal" and not isinstance(value, int | float | str):
            raise refuse(f"custom_fields.{name}", "It should be a/an Number", "datatype_mismatch")
        if kind in ("custom_text", "custom_paragraph") and not isinstance(value, str):
            raise refuse(f"custom_fields.{name}", "It should be a/an String", "datatype_mismatch")
        if kind == "custom_text" and len(value) > 255:
            raise refuse(f"custom_fields.{name}", "Has a length greater than 255", "invalid_value")

    # Contacts and companies.
    def add_contact(self, given: Mapping[str, Any]) -> Row:
        if not str(given.get("name") or "").strip():
            raise refuse("name", "It should not be blank as this is a mandatory field", "missing_field")
        if not any(given.get(name) for name in ("email", "phone", "mobile", "twitter_id", "unique_external_id")):
            raise refuse("email", "Please fill at least 1 of email, mobile, phone, twitter_id, unique_external_id fields", "missing_field")
        self._check_contact(given, None)
        contact_id = self.next_id()
        self.contacts[contact_id] = {
            **dict.fromkeys(sorted(CONTACT)), "other_emails": [], **given, "id": contact_id, "tags": list(given.get("tags") or ()), "created_at": self.now(),
            "updated_at": self.now(), "custom_fields": self._custom("contact", {}, given.get("custom_fields") or {}), "born": self.clock(),
        }  # fmt: skip
        return self.contacts[contact_id]

    def update_contact(self, row: Row, given: Mapping[str, Any]) -> Row:
        self._check_contact(given, row)
        custom = self._custom("contact", row["custom_fields"], given.get("custom_fields") or {})
        row |= {**given, "custom_fields": custom, "updated_at": self.now()}
        return row

    def _check_contact(self, given: Mapping[str, Any], row: Row | None) -> None:
        check_known(given, CONTACT)
        for name in ("email", "unique_external_id"):
            value = str(given.get(name) or "").casefold()
            taken = next((other for other in self.contacts.values() if value and other is not row and str(other[name] or "").casefold() == value), None)
            if taken:
                raise refuse(name, "It should be a unique value", "duplicate_value", 409, additional_info={"user_id": taken["id"]})
        if given.get("email") and not EMAIL.match(str(given["email"])):
            raise refuse("email", "It should be in the 'valid email address' format")
        if given.get("company_id") and given["company_id"] not in self.companies:
            raise refuse("company_id", f"There is no company matching the given company_id: {given['company_id']}")
        if any(len(tag) > 32 or "," in tag for tag in given.get("tags") or ()):
            raise refuse("tags", "It should not have more than 32 characters")

    def add_company(self, given: Mapping[str, Any]) -> Row:
        check_known(given, COMPANY)
        if any(row["name"] == given.get("name") for row in self.companies.values()):
            raise refuse("name", "It should be a unique value", "duplicate_value", 409)
        company_id = self.next_id()
        custom = self._custom("company", {}, given.get("custom_fields") or {})
        stamps = {"created_at": self.now(), "updated_at": self.now()}
        self.companies[company_id] = {**dict.fromkeys(sorted(COMPANY)), **given, "id": company_id, "custom_fields": custom, **stamps}
        return self.companies[company_id]

    def update_company(self, row: Row, given: Mapping[str, Any]) -> Row:
        check_known(given, COMPANY)
        custom = self._custom("company", row["custom_fields"], given.get("custom_fields") or {})
        row |= {**given, "custom_fields": custom, "updated_at": self.now()}
        return row

    # Tickets.
    def live(self) -> list[Row]:
        return [row for row in self.tickets.values() if not row["deleted"]]

    def find(self, ticket_id: int) -> Row:
        row = self.tickets.get(ticket_id)
        if row is None or row["deleted"]:
            raise not_found()
        return row

    def add_ticket(self, given: Mapping[str, Any]) -> Row:
        for name in ("subject", "description", "status", "priority", "source"):
            if not given.get(name):
                raise refuse(name, "It should not be blank as this is a mandatory field", "missing_field")
        self._check_ticket(given)
        custom, requester = self._custom("ticket", {}, given.get("custom_fields") or {}), self._requester(given)
        ticket_id, words = self.next_id(), strip(given["description"])
        plain = {name: value for name, value in given.items() if name not in ("email", "phone", "unique_external_id", "name")}
        self.tickets[ticket_id] = {
            "responder_id": None, "group_id": None, "company_id": self.contacts[requester]["company_id"], "type": None, **plain, "id": ticket_id,
            "requester_id": requester, "tags": list(given.get("tags") or ()), "custom_fields": custom, "description_text": words, "deleted": False,
            "created_at": self.now(), "updated_at": self.now(), "spam": False, "born": self.clock(),
        }  # fmt: skip
        self.conversations[ticket_id] = []
        return self.tickets[ticket_id]

    def _requester(self, given: Mapping[str, Any]) -> int:
        if given.get("requester_id"):
            if given["requester_id"] not in self.contacts:
                raise refuse("requester_id", f"There is no contact matching the given requester_id: {given['requester_id']}")
            return int(given["requester_id"])
        named = {name: given[name] for name in ("email", "phone", "unique_external_id") if given.get(name)}
        if not named:
            raise refuse("requester_id", "Please fill at least 1 of requester_id, phone, email, unique_external_id fields", "missing_field")
        known = next((row for row in self.contacts.values() if any(row[name] == value for name, value in named.items())), None)
        return int((known or self.add_contact({"name": given.get("name") or next(iter(named.values())), **named}))["id"])

    def update(self, row: Row, given: Mapping[str, Any]) -> Row:
        self._check_ticket(given)
        for name in ("subject", "description"):
            if name in given and row["source"] == OUTBOUND:
                raise refuse(name, "It cannot be updated for outbound tickets", "incompatible_field")
        custom = self._custom("ticket", row["custom_fields"], given.get("custom_fields") or {})
        words = {"description_text": strip(given["description"])} if "description" in given else {}
        row |= {**given, **words, "custom_fields": custom, "updated_at": self.now()}
        return row

    def _check_ticket(self, given: Mapping[str, Any]) -> None:
        check_known(given, TICKET)
        for name, known in (("status", STATUSES), ("priority", PRIORITIES), ("source", SOURCES)):
            if name in given and (given[name] not in known or isinstance(given[name], bool)):
                raise refuse(name, f"It should be one of these values: '{','.join(map(str, known))}'")
        for name, known_ids in (("responder_id", self.agents), ("group_id", self.groups), ("company_id", self.companies)):
            if given.get(name) and given[name] not in known_ids:
                raise refuse(name, f"There is no {name} matching the given id")
        if len(str(given.get("subject") or "")) > 255:
            raise refuse("subject", "Has a length greater than 255")

    def say(self, row: Row, author: int, body: str, private: bool = True, incoming: bool = False) -> Row:
        said = {
            "id": self.next_id(), "ticket_id": row["id"], "user_id": author, "body": body, "body_text": strip(body), "private": private, "incoming": incoming,
            "source": 2 if private else 0, "created_at": self.now(), "updated_at": self.now(),
        }  # fmt: skip
        self.conversations[row["id"]].append(said)
        row["updated_at"] = self.now()
        return said

    def delete(self, row: Row) -> None:
        row |= {"deleted": True, "updated_at": self.now()}


def check_known(given: Mapping[str, Any], known: frozenset[str]) -> None:
    for name in given:
        if name not in known:
            raise refuse(name, "Unexpected/invalid field in request", "invalid_field")


def strip(html: str) -> str:
    return unescape(re.sub(r"<[^<>]+>", "", re.sub(r"<br\s*/?>", "\n", html)))
