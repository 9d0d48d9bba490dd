"""The records of an organisation: accounts, contacts, tickets, deals, comments, custom fields, and the activities that all writing leaves behind."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from tests.kit.bottlecrm.members import Member

Row = dict[str, Any]
STATUSES, PRIORITIES = ("New", "Assigned", "Pending", "Closed", "Rejected", "Duplicate"), ("Low", "Normal", "High", "Urgent")
OPEN_STATUSES = STATUSES[:3]
KINDS = {"text", "textarea", "number", "dropdown", "date", "checkbox"}
SLUG = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
PHONE = re.compile(r"[\d\s\-().+]{7,25}\Z")
EMAIL = re.compile(r"[^@\s\"(),:;<>\[\]\\]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\Z")


class RefusedError(Exception):
    """`errors` by field, as a 400 has them."""

    def __init__(self, errors: Any) -> None:
        super().__init__(str(errors))
        self.errors = errors


def new_id() -> str:
    return str(uuid.uuid4())


def read_id(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


@dataclass
class Org:
    """`clock` tells the time; `member` is who writes."""

    clock: Callable[[], datetime]
    definitions: list[Row] = field(default_factory=list)
    accounts: dict[str, Row] = field(default_factory=dict)
    contacts: dict[str, Row] = field(default_factory=dict)
    cases: dict[str, Row] = field(default_factory=dict)
    deals: list[Row] = field(default_factory=list)
    comments: list[Row] = field(default_factory=list)
    activities: list[Row] = field(default_factory=list)

    def now(self) -> str:
        return self.clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def note(self, member: Member, model: str, record: Row, action: str, **metadata: Any) -> None:
        """Of a ticket the name is cut, of others it is not: one that does not fit breaks it."""
        name = record.get("name") or f"{record.get('first_name', '')} {record.get('last_name', '')}".strip()
        if len(name) > 255:
            raise BrokenError
        self.activities.append({
            "id": new_id(), "member": member, "action": action, "entity_type": model, "entity_id": record["id"], "entity_name": name[:255], "description": "",
            "metadata": metadata, "created_at": self.now(),
        })  # fmt: skip

    # Custom fields.
    def define(self, body: Mapping[str, Any]) -> Row:
        errors: dict[str, Any] = {}
        key, model, kind = str(body.get("key", "")), body.get("target_model"), body.get("field_type")
        if not SLUG.match(key):
            errors["key"] = ['Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.']
        if kind not in KINDS:
            errors["field_type"] = [f'"{kind}" is not a valid choice.']
        if model not in ("Case", "Contact", "Account", "Opportunity", "Lead", "Task"):
            errors["target_model"] = [f'"{model}" is not a valid choice.']
        if not body.get("label"):
            errors["label"] = ["This field is required."]
        errors = errors or _check_options(kind, body.get("options")) or {}
        if not errors and any((row["target_model"], row["key"]) == (model, key) for row in self.definitions):
            errors["key"] = [f"a {model} field with key '{key}' already exists"]
        if errors:
            raise RefusedError(errors)
        row = {
            "id": new_id(), "target_model": model, "key": key, "label": body["label"], "field_type": kind, "options": body.get("options"),
            "is_required": False, "is_filterable": bool(body.get("is_filterable")), "display_order": 0, "is_active": True,
            "created_at": self.now(), "updated_at": self.now(),
        }  # fmt: skip
        self.definitions.append(row)
        return row

    def custom(self, model: str, given: Any, existing: Mapping[str, Any]) -> Row:
        """What is not defined is dropped without a word; what is not given stays; an empty value takes one away."""
        if not isinstance(given or {}, dict):
            raise RefusedError({"custom_fields": {"custom_fields": "must be an object"}})
        known = {row["key"]: row for row in self.definitions if row["target_model"] == model}
        active = {key for key, row in known.items() if row["is_active"]}
        values = {key: value for key, value in existing.items() if key in known and (key not in (given or {}) or key not in active)}
        errors = {}
        for key, raw in (given or {}).items():
            if key not in active:
                continue
            value, error = _coerce(known[key], raw)
            if error:
                errors[key] = error
            elif value in (None, ""):
                values.pop(key, None)
            else:
                values[key] = value
        if errors:
            raise RefusedError({"custom_fields": errors})
        return values

    # Accounts and contacts.
    def write_account(self, member: Member, body: Mapping[str, Any], standing: Row | None = None) -> Row:
        name = body.get("name", (standing or {}).get("name"))
        if not name:
            raise RefusedError({"name": ["This field is required."]})
        if any(row["name"].lower() == name.lower() and row is not standing for row in self.accounts.values()):
            raise RefusedError({"name": ["Account already exists with this name"]})
        base = standing or {"id": new_id(), "created_at": self.now(), "is_active": True, "custom_fields": {}, "annual_revenue": None, "assigned_to": []}
        custom = self.custom("Account", body.get("custom_fields"), base["custom_fields"])
        row = {**base, **{key: body[key] for key in ("annual_revenue", "assigned_to", "is_active") if key in body}, "name": name, "custom_fields": custom}
        return self._store(member, self.accounts, "Account", base, row, standing is None)

    def write_contact(self, member: Member, body: Mapping[str, Any], standing: Row | None = None) -> Row:
        errors: dict[str, list[str]] = {}
        for name in ("first_name", "last_name"):
            if name in body or standing is None:
                said = check_text(body.get(name), 255)
                errors |= {name: said} if said else {}
        email, phone = body.get("email") or None, body.get("phone") or None
        if email and (len(email) > 254 or not EMAIL.match(email)):
            errors["email"] = ["Enter a valid email address."]
        elif email and any((row["email"] or "").lower() == email.lower() and row is not standing for row in self.contacts.values()):
            errors["email"] = ["Contact already exists with this email"]
        if phone and not PHONE.match(phone):
            errors["phone"] = ["Enter a valid phone number (7-25 characters, digits and separators only)"]
        account = body.get("account")
        if account and account not in self.accounts:
            errors["account"] = ["No such account."]
        if errors:
            raise RefusedError(errors)
        base = standing or {"id": new_id(), "created_at": self.now(), "is_active": True, "custom_fields": {}, "email": None, "phone": None, "account": None}
        custom = self.custom("Contact", body.get("custom_fields"), base["custom_fields"])
        kept = {name: body[name].strip() or None for name in ("first_name", "last_name", "email", "phone") if name in body}
        row = {**base, **kept, **({"account": account} if "account" in body else {}), "custom_fields": custom, "updated_at": self.now()}
        return self._store(member, self.contacts, "Contact", base, row, standing is None)

    def _store(self, member: Member, table: dict[str, Row], model: str, base: Row, row: Row, is_new: bool) -> Row:
        self.note(member, model, row, "CREATE" if is_new else "UPDATE")
        base.update(row)
        table[base["id"]] = base
        return base

    # Tickets.
    def write_case(self, member: Member, body: Mapping[str, Any], standing: Row | None = None) -> Row:
        errors = self._check_case(body, standing)
        if errors:
            raise RefusedError(errors)
        custom = self.custom("Case", body["custom_fields"], (standing or {}).get("custom_fields", {})) if "custom_fields" in body else None
        for name in ("contacts", "assigned_to"):
            for each in body.get(name) or ():
                if read_id(str(each)) is None:
                    raise BadIdError({name: [f"'{each}' is not a valid id."]})
        return self._changed(member, body, standing, custom) if standing else self._added(member, body, custom or {})

    def _check_case(self, body: Mapping[str, Any], standing: Row | None) -> dict[str, list[str]]:
        errors: dict[str, list[str]] = {}
        for name, known in (("status", STATUSES), ("priority", PRIORITIES)):
            if (name in body or standing is None) and body.get(name) not in known:
                errors[name] = [f'"{body.get(name)}" is not a valid choice.'] if body.get(name) else ["This field is required."]
        said = self._check_name(body.get("name"), standing) if "name" in body or standing is None else []
        errors |= {"name": said} if said else {}
        if standing is None and body.get("account") and body["account"] not in self.accounts:
            errors["account"] = ["No such account."]
        return errors or (_check_move(standing, body["status"]) if standing and "status" in body else {})

    def _check_name(self, name: Any, standing: Row | None) -> list[str]:
        taken = any(row["name"].lower() == str(name).strip().lower() and row is not standing for row in self.cases.values())
        return check_text(name, 64) or (["Case already exists with this name"] if taken else [])

    def _added(self, member: Member, body: Mapping[str, Any], custom: Row) -> Row:
        row = {
            "id": new_id(), "name": str(body["name"]).strip(), "status": body["status"], "priority": body["priority"], "closed_on": None,
            "description": body.get("description"), "created_by": member, "created_at": self.now(), "is_active": True, "account": body.get("account"),
            "contacts": [each for each in body.get("contacts") or () if each in self.contacts], "assigned_to": [], "custom_fields": custom, "merged_into": None,
        }  # fmt: skip
        self._date(row)
        self.cases[row["id"]] = row
        self.note(member, "Case", row, "CREATE")
        self._assign(member, row, body)
        return row

    def _changed(self, member: Member, body: Mapping[str, Any], row: Row, custom: Row | None) -> Row:
        old = dict(row)
        row.update({name: body[name] for name in ("name", "status", "priority", "description", "is_active") if name in body})
        if custom is not None:
            row["custom_fields"] = custom
        self._date(row)
        if old["is_active"] and not row["is_active"]:
            self.note(member, "Case", row, "DELETE")
            return row
        for name, action in (("status", "STATUS_CHANGED"), ("priority", "PRIORITY_CHANGED")):
            if old[name] != row[name]:
                self.note(member, "Case", row, action, before=old[name], after=row[name])
        changes = {name: {"before": old[name], "after": row[name]} for name in ("name", "description", "closed_on") if old[name] != row[name]}
        if changes:
            self.note(member, "Case", row, "UPDATE", changes=changes)
        self._assign(member, row, body)
        return row

    def _assign(self, member: Member, row: Row, body: Mapping[str, Any]) -> None:
        """Who is named anew is told anew: all are taken off and put on again."""
        if "assigned_to" in body:
            row["assigned_to"] = [each for each in body["assigned_to"] if each in self.profiles]
            if row["assigned_to"]:
                self.note(member, "Case", row, "ASSIGN", added=list(row["assigned_to"]))

    @property
    def profiles(self) -> set[str]:
        return self._profiles

    def admit(self, *members: Member) -> None:
        self._profiles = {member.profile for member in members}

    def _date(self, row: Row) -> None:
        if row["status"] == "Closed":
            row["closed_on"] = row["closed_on"] or self.clock().date().isoformat()
        elif row["status"] in OPEN_STATUSES:
            row["closed_on"] = None

    def delete_case(self, member: Member, row: Row) -> None:
        self.note(member, "Case", row, "DELETE", hard_deleted=True)
        del self.cases[row["id"]]
        for other in self.cases.values():
            other["merged_into"] = None if other["merged_into"] == row["id"] else other["merged_into"]

    def comment(self, member: Member, row: Row, text: str, is_internal: bool) -> None:
        comment = {"id": new_id(), "object_id": row["id"], "comment": text, "member": member, "is_internal": is_internal, "commented_on": self.now()}
        self.comments.append(comment)
        self.note(member, "Case", row, "COMMENT", comment_id=comment["id"], is_internal=is_internal)

    def merge(self, member: Member, source: Row, target: Row) -> None:
        for comment in self.comments:
            comment["object_id"] = target["id"] if comment["object_id"] == source["id"] else comment["object_id"]
        before, today = source["status"], self.clock().date().isoformat()
        changes = {"closed_on": {"before": source["closed_on"], "after": today}}
        source.update(merged_into=target["id"], status="Duplicate", closed_on=today)
        self.note(member, "Case", source, "STATUS_CHANGED", before=before, after="Duplicate")
        self.note(member, "Case", source, "UPDATE", changes=changes)
        self.note(member, "Case", target, "MERGE_TARGET", source_id=source["id"])
        self.note(member, "Case", source, "MERGED", merged_into=target["id"])

    # Sums.
    def rollups(self, account_id: str) -> Row:
        won = [deal for deal in self.deals if deal["account"] == account_id and deal["stage"] == "CLOSED_WON"]
        total = f"{sum(float(deal['amount']) for deal in won):.2f}"
        open_tickets = sum(row["account"] == account_id and row["status"] in OPEN_STATUSES for row in self.cases.values())
        by_currency = [{"currency": "USD", "won_amount": total, "open_pipeline": "0", "overdue_amount": "0"}] if won else []
        return {
            "won_count": len(won), "open_deal_count": 0, "open_tickets": open_tickets, "first_won_on": None, "won_amount": total if won else "0",
            "open_pipeline": "0", "overdue_amount": "0", "by_currency": by_currency,
        }  # fmt: skip


class BrokenError(Exception):
    """A fault of BottleCRM's own: 500."""


class BadIdError(RefusedError):
    """Answered without the usual wrapping."""


def check_text(value: Any, limit: int) -> list[str]:
    if value is None:
        return ["This field is required."]
    text = str(value).strip()
    said = [] if text else ["This field may not be blank."]
    said += [f"Ensure this field has no more than {limit} characters."] if len(text) > limit else []
    return said + (["Null characters are not allowed."] if "\x00" in text else [])


def _check_options(kind: Any, options: Any) -> dict[str, Any]:
    if kind != "dropdown":
        return {"options": ["options is only valid for dropdown fields"]} if options not in (None, [], {}) else {}
    fine = isinstance(options, list) and options and all(isinstance(each, dict) and each.get("value") and each.get("label") for each in options)
    return {} if fine else {"options": ["Dropdown fields require a non-empty list of {value, label} pairs"]}


def _check_move(standing: Row, status: str) -> dict[str, list[str]]:
    if standing["merged_into"] and status != standing["status"]:
        return {"status": ["This ticket is merged into another. Unmerge it first to change its status."]}
    if status == "Duplicate" and standing["status"] != "Duplicate":
        return {"status": ["A ticket becomes Duplicate only by merging it into another ticket."]}
    return {}


def _coerce(definition: Row, raw: Any) -> tuple[Any, str]:
    kind = definition["field_type"]
    if raw is None or raw == "":
        return None, ""
    if kind in ("text", "textarea"):
        return str(raw), ""
    if kind == "number":
        try:
            return (None, "must be a number") if isinstance(raw, bool) else (float(raw), "")
        except (TypeError, ValueError):
            return None, "must be a number"
    if kind == "date":
        try:
            return date.fromisoformat(raw).isoformat(), ""
        except (TypeError, ValueError):
            return None, "must be a YYYY-MM-DD date"
    allowed = sorted(option["value"] for option in definition["options"] or [])
    return (str(raw), "") if str(raw) in allowed else (None, f"must be one of {allowed}")
