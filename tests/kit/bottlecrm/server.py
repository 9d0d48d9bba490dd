"""The API over the records: paths, filters, shapes and refusals as BottleCRM has them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from tests.kit.bottlecrm.members import DENIED, PAGE, Member
from tests.kit.bottlecrm.records import OPEN_STATUSES, PRIORITIES, STATUSES, BadIdError, BrokenError, Org, RefusedError, Row, new_id, read_id
from tests.kit.simulated import Call, Reply, Simulator

LINE = 4_094  # bytes of a request's first line
ORDERINGS = {name: (name.lstrip("-"), name.startswith("-")) for each in ("created_at", "priority", "id", "name") for name in (each, f"-{each}")}
MISSING = {"cases": "No such case.", "contacts": "No Contact matches the given query.", "accounts": "No Account matches the given query."}


class Simulated(Simulator):
    """`caseline` and `person` are its members; `refused`: Caseline's token is no longer good."""

    content_type = "application/json"

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime.now().astimezone()
        self.caseline, self.person = (Member(f"bcrm_pat_{new_id()}", new_id(), new_id(), name) for name in ("caseline", "ann"))
        self.org, self.refused = Org(lambda: self.now), False
        self.org.admit(self.caseline, self.person)
        self._routes: Sequence[tuple[str, re.Pattern[str], Callable[..., Any]]] = [
            (method, re.compile(f"/api/{path}/\\Z"), answer) for method, path, answer in (
                ("GET", "profile", self._profile), ("GET", "activities", self._feed), ("GET", "custom-fields", self._definitions),
                ("POST", "custom-fields", self._define), ("PUT", "custom-fields/([^/]+)", self._redefine), ("DELETE", "custom-fields/([^/]+)", self._undefine),
                ("GET", "contacts", self._contacts), ("POST", "contacts", self._new_contact), ("POST", "contacts/duplicates", self._duplicates),
                ("GET", "contacts/([^/]+)", self._contact), ("PATCH", "contacts/([^/]+)", self._edit_contact),
                ("GET", "accounts", self._accounts), ("POST", "accounts", self._new_account), ("GET", "accounts/([^/]+)", self._account),
                ("PATCH", "accounts/([^/]+)", self._edit_account), ("POST", "opportunities", self._new_deal),
                ("GET", "cases", self._cases), ("POST", "cases", self._new_case), ("POST", "cases/bulk/delete", self._hide_cases),
                ("GET", "cases/([^/]+)", self._case), ("POST", "cases/([^/]+)", self._comment), ("PATCH", "cases/([^/]+)", self._edit_case),
                ("DELETE", "cases/comment/([^/]+)", self._delete_comment), ("DELETE", "cases/([^/]+)", self._delete_case),
                ("GET", "cases/([^/]+)/activities", self._activities),
                ("POST", "cases/([^/]+)/merge/([^/]+)", self._merge),
            )
        ]  # fmt: skip

    def set_time(self, now: datetime) -> None:
        self.now = now

    def direct(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        """What a person does in the CRM: neither counted nor broken."""
        headers = {"Authorization": f"Bearer {self.person.token}"}
        names = {name: str(value) for name, value in query.items()}
        target = f"/api/{path}/?{urlencode(names)}"
        reply = self.take(Call(method, f"/api/{path}/", names, headers, json.loads(json.dumps(body)), json.dumps(body).encode(), target))
        return reply.status, reply.body if isinstance(reply.body, str) else json.loads(reply.content())

    def answer(self, call: Call) -> Reply:
        if len(call.target) > LINE:
            return Reply(414, PAGE.format("URI Too Long"), {"Content-Type": "text/html"})
        member = self._member(call.headers.get("Authorization", ""))
        if member is None:
            return Reply(403, DENIED)
        if _is_no_text(call):
            return Reply(500, PAGE.format("Server Error (500)"), {"Content-Type": "text/html"})
        try:
            return self._route(call, member)
        except BadIdError as error:
            return Reply(400, error.errors)
        except RefusedError as error:
            return Reply(400, {"error": True, "errors": error.errors})
        except BrokenError:
            return Reply(500, PAGE.format("Server Error (500)"), {"Content-Type": "text/html"})

    def _member(self, header: str) -> Member | None:
        members = [self.person] if self.refused else [self.person, self.caseline]
        return next((member for member in members if header == f"Bearer {member.token}"), None)

    def _route(self, call: Call, member: Member) -> Reply:
        for method, path, answer in self._routes:
            found = path.match(call.path) if method == call.method else None
            if found and (not found.groups() or read_id(found[1])):
                body = answer(call, member, *found.groups())
                return body if isinstance(body, Reply) else Reply(200, body)
        return Reply(404, PAGE.format("Not Found"), {"Content-Type": "text/html"})

    # Who, and what happened.
    def _profile(self, call: Call, member: Member) -> Row:
        return {"user_obj": {**member.as_profile(), "teams": []}}

    def _feed(self, call: Call, member: Member) -> Row:
        limit = min(max(int(call.query.get("limit", 10)), 1), 50)
        rows = [row for row in self._newest(self.org.activities) if row["entity_type"] == call.query.get("entity_type", row["entity_type"])][:limit]
        told = [{**_act(row), "user": row["member"].as_user(), "timestamp": row["created_at"], "humanized_time": "just now"} for row in rows]
        return {"error": False, "count": len(told), "activities": told}

    def _activities(self, call: Call, member: Member, case_id: str) -> Any:
        if case_id not in self.org.cases:
            return Reply(404, {"detail": MISSING["cases"]})
        rows = self._acts_of(case_id)
        start, limit = int(call.query.get("offset", 0)), int(call.query.get("limit", 10))
        return {"activities": rows[start : start + limit], "count": len(rows), "offset": None}

    def _acts_of(self, case_id: str) -> list[Row]:
        rows = [row for row in self._newest(self.org.activities) if row["entity_id"] == case_id]
        return [{**_act(row), "user": row["member"].as_author(), "metadata": row["metadata"], "created_at": row["created_at"]} for row in rows]

    def _newest(self, rows: Sequence[Row]) -> list[Row]:
        return sorted(reversed(rows), key=lambda row: row["created_at"], reverse=True)

    # Custom fields.
    def _definitions(self, call: Call, member: Member) -> Row:
        model = call.query.get("target_model")
        return {"definitions": [row for row in self.org.definitions if model in (None, row["target_model"])], "totals": None}

    def _define(self, call: Call, member: Member) -> Reply:
        return Reply(201, self.org.define(call.body))

    def _redefine(self, call: Call, member: Member, field_id: str) -> Any:
        row = next((row for row in self.org.definitions if row["id"] == field_id), None)
        if row is None:
            return Reply(404, {"error": True, "errors": "Custom field not found"})
        row.update({name: call.body[name] for name in ("is_active", "label", "options") if name in call.body})
        return row

    def _undefine(self, call: Call, member: Member, field_id: str) -> Any:
        call.body = {"is_active": False}
        row = self._redefine(call, member, field_id)
        return row if isinstance(row, Reply) else {"error": False, "message": "Custom field deactivated"}

    # Accounts and contacts.
    def _accounts(self, call: Call, member: Member) -> Row:
        rows = self._filtered(list(self.org.accounts.values()), call, {"name": ("name",)})
        return {
            "per_page": 10, "page_number": 1,
            "active_accounts": {"offset": None, "open_accounts": [self._as_account(row) for row in rows if row["is_active"]], "open_accounts_count": len(rows)},
            "closed_accounts": {"offset": 0, "close_accounts": [self._as_account(row) for row in rows if not row["is_active"]], "close_accounts_count": 0},
        }  # fmt: skip

    def _account(self, call: Call, member: Member, account_id: str) -> Any:
        row = self.org.accounts.get(account_id)
        return {"account_obj": self._as_account(row)} if row else Reply(404, {"detail": MISSING["accounts"]})

    def _new_account(self, call: Call, member: Member) -> Row:
        return {"error": False, "message": "Account Created Successfully", "id": self.org.write_account(member, call.body)["id"]}

    def _edit_account(self, call: Call, member: Member, account_id: str) -> Any:
        row = self.org.accounts.get(account_id)
        if row is None:
            return Reply(404, {"detail": MISSING["accounts"]})
        self.org.write_account(member, call.body, row)
        return {"error": False, "message": "Account Updated Successfully"}

    def _new_deal(self, call: Call, member: Member) -> Row:
        self.org.deals.append({"id": new_id(), **call.body})
        return {"error": False, "message": "Opportunity Created Successfully", "id": self.org.deals[-1]["id"]}

    def _as_account(self, row: Row) -> Row:
        assigned = [member.as_profile() for member in (self.caseline, self.person) if member.profile in row["assigned_to"]]
        return {**row, "currency": None, "assigned_to": assigned, "rollups": self.org.rollups(row["id"])}

    def _contacts(self, call: Call, member: Member) -> Row:
        wanted = {"email": ("email",), "phone": ("phone",), "name": ("first_name", "last_name"), "search": ("first_name", "last_name", "email", "phone")}
        found = self._matching(self._newest(list(self.org.contacts.values())), call, wanted)
        rows = [self._as_contact(row) for row in self._page(found, call)]
        return {"count": len(found), "results": rows, "contacts_count": len(found), "offset": None, "contact_obj_list": rows, "countries": []}

    def _contact(self, call: Call, member: Member, contact_id: str) -> Any:
        row = self.org.contacts.get(contact_id)
        return {"contact_obj": self._as_contact(row)} if row else Reply(404, {"detail": MISSING["contacts"]})

    def _new_contact(self, call: Call, member: Member) -> Row:
        return {"error": False, "message": "Contact created Successfuly", "id": self.org.write_contact(member, call.body)["id"]}

    def _edit_contact(self, call: Call, member: Member, contact_id: str) -> Any:
        row = self.org.contacts.get(contact_id)
        if row is None:
            return Reply(404, {"detail": MISSING["contacts"]})
        self.org.write_contact(member, call.body, row)
        return {"error": False, "message": "Contact Updated Successfully"}

    def _duplicates(self, call: Call, member: Member) -> Any:
        email, digits = str(call.body.get("email") or "").lower(), _last_ten(call.body.get("phone"))
        if len(str(call.body.get("phone") or "")) > 25:
            return Reply(400, {"error": True, "errors": {"phone": ["Ensure this field has no more than 25 characters."]}})
        rows = [
            row for row in self._newest(list(self.org.contacts.values()))
            if (email and (row["email"] or "").lower() == email) or (len(digits) >= 7 and _last_ten(row["phone"]) == digits)
        ]  # fmt: skip
        return {"duplicates": [{"id": row["id"], "name": row["first_name"], "email": row["email"] or "", "phone": row["phone"] or ""} for row in rows[:10]]}

    def _as_contact(self, row: Row) -> Row:
        account = self.org.accounts.get(row["account"] or "")
        named = {"id": account["id"], "name": account["name"]} if account else None
        number = "+" + "".join(filter(str.isdigit, row["phone"])) if (row["phone"] or "").startswith("+") else ""
        return {**row, "phone_e164": number, "account_detail": named, "linked_accounts": [named] if named else []}

    # Tickets.
    def _cases(self, call: Call, member: Member) -> Row:
        rows = self._newest(list(self.org.cases.values()))
        rows = rows if call.query.get("include_deleted") == "true" else [row for row in rows if row["is_active"]]
        if call.query.get("show_merged") != "true":
            rows = [row for row in rows if not row["merged_into"] and row["status"] != "Duplicate"]
        name, is_reverse = ORDERINGS.get(call.query.get("ordering", ""), ("", False))
        if name:
            rows.sort(key=lambda row: (row[name], row["id"]), reverse=is_reverse)
        statuses = call.queries.get("status") or []
        rows = [row for row in rows if not statuses or row["status"] in statuses]
        rows = self._matching(rows, call, {"name": ("name",), "search": ("name", "description")})
        found = self._page(rows, call)
        return {
            "cases_count": len(rows), "offset": None, "cases": [self._as_case(row) for row in found], "status": [[each, each] for each in STATUSES],
            "priority": [[each, each] for each in PRIORITIES], "open_count": sum(row["status"] in OPEN_STATUSES for row in rows),
        }  # fmt: skip

    def _new_case(self, call: Call, member: Member) -> Row:
        row = self.org.write_case(member, call.body)
        return {"error": False, "message": "Case Created Successfully", "id": row["id"], "cases_obj": self._as_case(row)}

    def _found(self, case_id: str) -> Row | Reply:
        return self.org.cases.get(case_id) or Reply(404, {"detail": MISSING["cases"]})

    def _case(self, call: Call, member: Member, case_id: str) -> Any:
        row = self._found(case_id)
        if isinstance(row, Reply):
            return row
        into = row["merged_into"]
        if into and call.query.get("show_merged") != "true":
            return {"redirect_to": into, "merged_into": into, "source_case_id": row["id"], "source_case_name": row["name"]}
        return {**self._with_comments(row), "activities": self._acts_of(case_id)[:20]}

    def _comment(self, call: Call, member: Member, case_id: str) -> Any:
        row = self._found(case_id)
        if isinstance(row, Reply):
            return row
        if call.body.get("comment"):
            self.org.comment(member, row, str(call.body["comment"]), call.body.get("is_internal") is True)
        return self._with_comments(row)

    def _edit_case(self, call: Call, member: Member, case_id: str) -> Any:
        row = self._found(case_id)
        if isinstance(row, Reply):
            return row
        self.org.write_case(member, call.body, row)
        return {"error": False, "message": "Case Updated Successfully"}

    def _delete_case(self, call: Call, member: Member, case_id: str) -> Any:
        row = self._found(case_id)
        if isinstance(row, Reply):
            return row
        self.org.delete_case(member, row)
        return {"error": False, "message": "Case Deleted Successfully."}

    def _delete_comment(self, call: Call, member: Member, comment_id: str) -> Any:
        """One's own, or anybody's as an admin."""
        comment = next((each for each in self.org.comments if each["id"] == comment_id), None)
        if comment is None:
            return Reply(404, {"detail": "No such Comment."})
        if member.role != "ADMIN" and comment["member"] != member:
            return Reply(403, {"error": True, "errors": "You do not have permission to perform this action"})
        self.org.comments.remove(comment)
        return {"error": False, "message": "Comment Deleted Successfully"}

    def _hide_cases(self, call: Call, member: Member) -> Row:
        for case_id in call.body["ids"]:
            self.org.write_case(member, {"is_active": False}, self.org.cases[case_id])
        return {"error": False, "deleted": len(call.body["ids"])}

    def _merge(self, call: Call, member: Member, source: str, target: str) -> Any:
        rows = [self._found(source), self._found(target)]
        if source == target or any(isinstance(row, Reply) for row in rows):
            return Reply(404, {"error": True, "errors": "Ticket not found."})
        self.org.merge(member, *rows)
        return {"error": False, "message": "Tickets merged", "source_case_id": source}

    def _with_comments(self, row: Row) -> Row:
        rows = [_as_comment(comment) for comment in self.org.comments if comment["object_id"] == row["id"]]
        listed = {"comments": [each for each in rows if not each["is_internal"]], "internal_notes": [each for each in rows if each["is_internal"]]}
        return {"cases_obj": self._as_case(row), "attachments": [], **listed}

    def _as_case(self, row: Row) -> Row:
        account = self.org.accounts.get(row["account"] or "")
        assigned = [member.as_profile() for member in (self.caseline, self.person) if member.profile in row["assigned_to"]]
        shown = {name: value for name, value in row.items() if name != "merged_into"}
        contacts = [{"id": each, "first_name": self.org.contacts[each]["first_name"]} for each in row["contacts"] if each in self.org.contacts]
        named = {"id": account["id"], "name": account["name"]} if account else None
        return {**shown, "created_by": row["created_by"].as_user(), "account": named, "contacts": contacts, "assigned_to": assigned, "teams": [], "tags": []}

    def _filtered(self, rows: Sequence[Row], call: Call, wanted: Mapping[str, Sequence[str]]) -> list[Row]:
        return self._page(self._matching(rows, call, wanted), call)

    def _matching(self, rows: Sequence[Row], call: Call, wanted: Mapping[str, Sequence[str]]) -> list[Row]:
        """By what texts contain, and by custom fields' whole value, a text's alone: a number never equals what a query says."""
        return [
            row for row in rows
            if all(any(text.lower() in str(row[name] or "").lower() for name in wanted[key]) for key, text in call.query.items() if key in wanted and text)
            and all(row["custom_fields"].get(key[3:]) == text for key, text in call.query.items() if key.startswith("cf_") and text)
        ]  # fmt: skip

    def _page(self, rows: Sequence[Row], call: Call) -> list[Row]:
        start, limit = int(call.query.get("offset", 0)), int(call.query.get("limit", 10)) or 10
        return list(rows[start : start + limit])


def _act(row: Row) -> Row:
    return {**{name: row[name] for name in ("id", "action", "entity_type", "entity_id", "entity_name", "description")}, "action_display": row["action"].title()}


def _as_comment(row: Row) -> Row:
    shown = {name: row[name] for name in ("id", "comment", "commented_on", "object_id", "is_internal")}
    return {**shown, "commented_by": row["member"].as_author(), "commented_by_contact": None, "content_type": "case"}


def _last_ten(phone: Any) -> str:
    return "".join(filter(str.isdigit, str(phone or "")))[-10:]


def _is_no_text(call: Call) -> bool:
    """PostgreSQL takes neither NUL nor half a character. Forms look for NUL; queries, comments and custom fields go there unseen."""
    body = call.body if isinstance(call.body, dict) else {}
    unseen = json.dumps([list(call.query.values()), body.get("comment"), body.get("custom_fields")])
    whole = re.sub(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}", "", json.dumps(body))
    return "\\u0000" in unseen or bool(re.search(r"\\ud[89a-f]", whole))
