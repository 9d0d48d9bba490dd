"""What a Zendesk account holds: users, organizations, tickets with their audits, and the fields that admins define."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import escape, unescape
from typing import Any

from tests.kit.zendesk.errors import ZendeskError, invalid, not_found

Row = dict[str, Any]
ME, AGENT, GROUP = 900_001, 900_002, 360_001
STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")
FIELD_TYPES = {
    "ticket_field": ("text", "textarea", "integer", "decimal", "date", "checkbox", "tagger", "multiselect", "regexp"),
    "user_field": ("text", "textarea", "integer", "decimal", "date", "checkbox", "dropdown", "multiselect", "regexp"),
    "organization_field": ("text", "textarea", "integer", "decimal", "date", "checkbox", "dropdown", "multiselect", "regexp"),
}
WRITABLE = frozenset((
    "subject comment external_id priority status type requester_id organization_id assignee_id group_id tags additional_tags custom_fields fields "
    "safe_update updated_stamp via_followup_source_id submitter_id brand_id due_at collaborator_ids email_ccs metadata"
).split())
PLAIN = ("subject", "external_id", "priority", "status", "type", "requester_id", "organization_id", "assignee_id", "group_id")
TYPES = ("problem", "incident", "question", "task", None)
EMAIL = re.compile(r"[^@\s,;<>\"\\]+@[a-z0-9-]+(\.[a-z0-9-]+)+\Z", re.IGNORECASE)
NUMBERS = {"integer": int, "decimal": float}


def show_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


class Desk:
    """`locked` is how often writes to a ticket are refused yet, `lag` how many seconds the search index is late."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock, self.lag = clock, 0.0
        self.users, self.organizations, self.tickets = dict[int, Row](), dict[int, Row](), dict[int, Row]()
        self.comments, self.events = dict[int, list[Row]](), list[Row]()
        self.fields: dict[str, dict[int, Row]] = {kind: {} for kind in FIELD_TYPES}
        self.groups, self.locked = {GROUP: {"id": GROUP, "name": "Support"}}, dict[int, int]()
        self._last_id = 1_000
        for user_id, name in ((ME, "Caseline"), (AGENT, "Mara Agent")):
            self.users[user_id] = self._user(user_id, name=name, email=f"{name.split()[0].lower()}@acme.example", role="admin")

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def now(self) -> str:
        return show_time(self.clock())

    # Fields.
    def add_field(self, kind: str, given: Mapping[str, Any]) -> Row:
        if given.get("type") not in FIELD_TYPES[kind]:
            raise invalid(type=f"Type: {given.get('type')} is not a valid field type")
        if not str(given.get("title") or "").strip():
            raise invalid(title="Title: cannot be blank")
        if kind != "ticket_field" and any(row["key"] == given.get("key") for row in self.fields[kind].values()):
            raise invalid(key=f"Key: {given.get('key')} has already been taken!")
        if given["type"] in ("tagger", "dropdown") and not given.get("custom_field_options"):
            raise invalid(custom_field_options="Custom field options: cannot be blank")
        row = {"id": 360_000_000 + self.next_id(), "active": True, "created_at": self.now(), "updated_at": self.now(), **given}
        self.fields[kind][row["id"]] = row
        return row

    def drop_field(self, kind: str, title: str) -> None:
        [number] = [number for number, row in self.fields[kind].items() if row["title"] == title]
        gone = self.fields[kind].pop(number)
        for ticket in self.tickets.values():
            ticket["custom"].pop(number, None)
        for row in (*self.users.values(), *self.organizations.values()):
            row.get(f"{kind}s", {}).pop(gone.get("key"), None)

    # Users and organizations.
    def add_user(self, **given: Any) -> Row:
        if not str(given.get("name") or "").strip():
            raise invalid(name="Name: is too short (minimum is 1 character)")
        self._check_user(given, None)
        user_id = self.next_id()
        self.users[user_id] = self._user(user_id, **given)
        return self.users[user_id]

    def _user(self, user_id: int, **given: Any) -> Row:
        row = {
            "id": user_id, "name": "", "email": None, "phone": None, "external_id": None, "role": "end-user", "organization_id": None, "active": True,
            "created_at": self.now(), "updated_at": self.now(), "tags": [], "born": self.clock(), "user_fields": {},
        }  # fmt: skip
        return row | {name: value for name, value in given.items() if name in row and name != "user_fields"} | {
            "user_fields": self._values("user_field", {}, given.get("user_fields") or {})
        }

    def update_user(self, user: Row, given: Mapping[str, Any]) -> Row:
        self._check_user(given, user)
        user |= {name: value for name, value in given.items() if name in user and name not in ("id", "user_fields", "born")}
        user["user_fields"] = self._values("user_field", user["user_fields"], given.get("user_fields") or {})
        user["updated_at"] = self.now()
        return user

    def _check_user(self, given: Mapping[str, Any], user: Row | None) -> None:
        for name, label in (("email", "Email"), ("external_id", "External")):
            value = str(given.get(name) or "").casefold()
            if value and any(str(other.get(name) or "").casefold() == value for other in self.users.values() if other is not user):
                raise invalid(**{name: f"{label}: {given[name]} is already being used by another user!"})
        if given.get("email") and not EMAIL.match(str(given["email"])):
            raise invalid(email=f"Email: {given['email']} is not properly formatted")
        if given.get("organization_id") and given["organization_id"] not in self.organizations:
            raise invalid(organization_id="Organization: is invalid")

    def add_organization(self, **given: Any) -> Row:
        self._check_organization(given, None)
        row = {
            "id": self.next_id(), "name": given["name"], "external_id": given.get("external_id"), "tags": [], "domain_names": [], "created_at": self.now(),
            "updated_at": self.now(), "born": self.clock(),
            "organization_fields": self._values("organization_field", {}, given.get("organization_fields") or {}),
        }  # fmt: skip
        self.organizations[row["id"]] = row
        return row

    def update_organization(self, row: Row, given: Mapping[str, Any]) -> Row:
        self._check_organization(given, row)
        row |= {name: given[name] for name in ("name", "external_id", "tags", "domain_names") if name in given}
        row["organization_fields"] = self._values("organization_field", row["organization_fields"], given.get("organization_fields") or {})
        row["updated_at"] = self.now()
        return row

    def _check_organization(self, given: Mapping[str, Any], row: Row | None) -> None:
        if row is None and not given.get("name"):
            raise invalid(name="Name: cannot be blank")
        if any(other["name"] == given.get("name") for other in self.organizations.values() if other is not row):
            raise invalid(name=f"Name: {given['name']} has already been taken!")

    def _values(self, kind: str, standing: Mapping[str, Any], given: Mapping[str, Any]) -> Row:
        """All keys are shown, with null where nothing is set; a key that is not defined is passed over."""
        known = {row["key"]: row for row in self.fields[kind].values()}
        for key, value in given.items():
            if key in known:
                check_value(known[key], value, key)
        return {key: given.get(key, standing.get(key)) for key in known}

    # Tickets.
    def live(self) -> list[Row]:
        return [ticket for ticket in self.tickets.values() if ticket["status"] != "deleted"]

    def find(self, ticket_id: int) -> Row:
        ticket = self.tickets.get(ticket_id)
        if ticket is None or ticket["status"] == "deleted":
            raise not_found()
        return ticket

    def add_ticket(self, author: int, given: Mapping[str, Any]) -> tuple[Row, Row]:
        comment = given.get("comment") or {}
        if not (comment.get("body") or comment.get("html_body") or given.get("description")):
            raise invalid(base="Description: cannot be blank")
        self._check_followed(given)
        requester = given.get("requester_id") or author
        ticket_id = self.next_id()
        ticket: Row = {
            "id": ticket_id, "status": "new", "priority": None, "type": None, "subject": None, "external_id": None, "requester_id": requester, "tags": [],
            "submitter_id": author, "assignee_id": None, "group_id": GROUP, "custom": {}, "created_at": self.now(), "born": self.clock(), "via": "api",
            "organization_id": (self.users.get(requester) or {}).get("organization_id"), "followup": given.get("via_followup_source_id"),
        }  # fmt: skip
        children = self._apply(ticket, given, author)
        self.tickets[ticket_id], self.comments[ticket_id] = ticket, []
        created = [{**child, "event_type": "Create"} for child in children]
        return ticket, self._audit(ticket, author, [*created, self._say(ticket, author, comment or {"body": given.get("description")})])

    def _check_followed(self, given: Mapping[str, Any]) -> None:
        source = given.get("via_followup_source_id")
        if source is not None and self.tickets.get(source, {}).get("status") != "closed":
            raise invalid(via_followup_source_id="Follow-up source: is not closed")

    def update(self, ticket: Row, author: int, given: Mapping[str, Any]) -> Row:
        if self.locked.get(ticket["id"]):
            self.locked[ticket["id"]] -= 1
            raise ZendeskError(409, {"error": "DatabaseConflict", "description": "Database collision"})
        if ticket["status"] == "closed":
            raise invalid(status="Status: closed prevents ticket update")
        if given.get("safe_update") and given.get("updated_stamp") != ticket["updated_at"]:
            raise ZendeskError(409, {"error": "UpdateConflict", "description": "Safe Update prevented the update due to outdated ticket data."})
        children = self._apply(ticket, given, author)
        if given.get("comment"):
            children.append(self._say(ticket, author, given["comment"]))
        return self._audit(ticket, author, children)

    def _apply(self, ticket: Row, given: Mapping[str, Any], author: int) -> list[Row]:
        """What changes, after all was checked."""
        values = {name: given[name] for name in PLAIN if name in given}
        self._check(ticket, values)
        custom = self._custom(given)
        for number, value in custom.items():
            check_value(self.fields["ticket_field"][number], value, "custom_fields")
        tags = list(given.get("tags", ticket["tags"]))
        for number, value in custom.items():
            if self.fields["ticket_field"][number]["type"] == "tagger":
                tags = [tag for tag in tags if tag != ticket["custom"].get(number)] + [value] * bool(value)
        if "assignee_id" in values and values["assignee_id"] and ticket["status"] == "new" and "status" not in values:
            values["status"] = "open"
        children = [_changed(name, value, ticket.get(name)) for name, value in values.items() if ticket.get(name) != value]
        children += [_changed("custom_ticket_fields", {str(number): value}, None) for number, value in custom.items() if ticket["custom"].get(number) != value]
        added = [tag for tag in dict.fromkeys(tags) if tag not in ticket["tags"]]
        if tags != ticket["tags"]:
            children.append({"id": self.next_id(), "via": "API", "event_type": "Change", "tags": tags, "added_tags": added, "removed_tags": []})
        ticket |= {**values, "tags": list(dict.fromkeys(tags)), "custom": {**ticket["custom"], **custom}}
        return [{"id": self.next_id(), **child} for child in children]

    def _custom(self, given: Mapping[str, Any]) -> dict[int, Any]:
        """Numbers that are not defined are passed over."""
        listed = given.get("custom_fields") or given.get("fields") or []
        return {int(each["id"]): each["value"] for each in listed if int(each["id"]) in self.fields["ticket_field"]}

    def _check(self, ticket: Row, values: Mapping[str, Any]) -> None:
        for name, known in (("status", STATUSES), ("priority", (*PRIORITIES, None)), ("type", TYPES)):
            if name in values and values[name] not in known:
                raise invalid(**{name: f"{name.title()}: {values[name]} is not properly formatted"})
        if "requester_id" in values and values["requester_id"] not in self.users:
            raise invalid(requester="Requester: is invalid")
        if values.get("organization_id") and values["organization_id"] not in self.organizations:
            raise invalid(organization="Organization: is invalid")
        if values.get("assignee_id") and self.users.get(values["assignee_id"], {}).get("role") == "end-user":
            raise invalid(assignee="Assignee: is not an agent")
        if values.get("assignee_id") and values["assignee_id"] not in self.users:
            raise invalid(assignee="Assignee: is invalid")
        if values.get("group_id") and values["group_id"] not in self.groups:
            raise invalid(group="Group: is invalid")
        if values.get("status") == "solved" and not values.get("assignee_id", ticket.get("assignee_id")):
            raise invalid(base="Assignee: is required when solving a ticket")

    def _say(self, ticket: Row, author: int, given: Mapping[str, Any]) -> Row:
        body = str(given.get("body") or given.get("html_body"))
        comment = {
            "id": self.next_id(), "type": "Comment", "author_id": given.get("author_id") or author, "body": body, "plain_body": body,
            "html_body": show_html(body), "public": given.get("public", True), "created_at": self.now(), "attachments": [], "via": {"channel": "api"},
        }  # fmt: skip
        self.comments.setdefault(ticket["id"], []).append(comment)
        return {**comment, "event_type": "Comment", "via": "API", "comment_present": True, "comment_public": comment["public"]}

    def _audit(self, ticket: Row, author: int, children: list[Row]) -> Row:
        ticket["updated_at"], ticket["generated_timestamp"] = self.now(), int(self.clock().timestamp())
        event = {
            "id": self.next_id(), "ticket_id": ticket["id"], "timestamp": int(self.clock().timestamp()), "created_at": self.now(), "updater_id": author,
            "via": "API", "system": {}, "event_type": "Audit", "child_events": children,
        }  # fmt: skip
        self.events.append(event)
        return event

    def redact(self, ticket: Row, author: int, comment_id: int, html_body: str) -> Row:
        """What stands between tags `redact` is gone for ever, from the events too; all else has to be as it was. Closed tickets are no exception."""
        comment = next((each for each in self.comments[ticket["id"]] if each["id"] == comment_id), None)
        if comment is None:
            raise not_found()
        if re.sub(r"</?redact>", "", html_body) != comment["html_body"]:
            raise invalid(html_body="HTML body: does not match the comment's")
        shown = re.sub(r"<redact>(.*?)</redact>", lambda found: "▇" * len(found[1]), html_body, flags=re.DOTALL)
        words = unescape(re.sub(r"<[^<>]+>", "", shown.replace("<br>", "\n")))
        for each in (comment, *(child for event in self.events for child in event["child_events"] if child["id"] == comment_id)):
            each |= {"body": words, "plain_body": words, "html_body": shown}
        self._audit(ticket, author, [{"id": self.next_id(), "event_type": "CommentRedactionEvent", "via": "API", "comment_id": comment_id}])
        return comment

    # What people and Zendesk itself do.
    def delete(self, ticket: Row, author: int = AGENT) -> None:
        children = [{"id": self.next_id(), **_changed("status", "deleted", ticket["status"])}]
        ticket["status"] = "deleted"
        self._audit(ticket, author, children)

    def finish(self, ticket: Row) -> None:
        """As the automation does some days after it was solved."""
        children = [{"id": self.next_id(), **_changed("status", "closed", ticket["status"])}]
        ticket["status"] = "closed"
        self._audit(ticket, -1, children)

    def merge(self, ticket: Row, into: Row, author: int = AGENT) -> None:
        said = f"Request #{ticket['id']} \"{ticket['subject']}\" was closed and merged into this request."
        self._audit(into, author, [self._say(into, author, {"body": said, "public": False})])
        comment = self._say(ticket, author, {"body": f"This request was closed and merged into request #{into['id']} \"{into['subject']}\".", "public": False})
        status = {"id": self.next_id(), **_changed("status", "closed", ticket["status"])}
        tags = {"id": self.next_id(), "event_type": "Change", "via": "Merge", "tags": [*ticket["tags"], "closed_by_merge"], "added_tags": ["closed_by_merge"]}
        ticket |= {"status": "closed", "tags": tags["tags"]}
        self._audit(ticket, author, [comment, status, tags])


def show_html(text: str) -> str:
    return f'<div class="zd-comment" dir="auto">{escape(text, quote=False).replace(chr(10), "<br>")}<br></div>'


def _changed(name: str, value: Any, before: Any) -> Row:
    return {"event_type": "Change", "via": "API", name: value, "previous_value": before}


def check_value(field: Row, value: Any, name: str) -> None:
    if value in (None, ""):
        return
    if field["type"] in ("tagger", "dropdown") and value not in {option["value"] for option in field["custom_field_options"]}:
        raise invalid(**{name: f"{field['title']}: {value} is not a valid option"})
    if field["type"] in NUMBERS:
        try:
            NUMBERS[field["type"]](str(value))
        except ValueError:
            raise invalid(**{name: f"{field['title']}: {value} is not a valid number"}) from None
    if field["type"] == "date" and not re.fullmatch(r"\d{4}-\d\d-\d\d.*", str(value)):
        raise invalid(**{name: f"{field['title']}: {value} is not a valid date"})
    if len(str(value).encode()) > 65_535:
        raise invalid(**{name: f"{field['title']}: is too long (maximum is 65535 characters)"})
