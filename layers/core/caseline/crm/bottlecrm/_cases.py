"""Tickets in BottleCRM, one for each case key. It refuses a name that is there already, so the name ends with a mark of the key.

The first notes are part of its description. Later ones stand in a field of ours, as a comment is a call of its own; where they do not fit they are comments.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from caseline.crm import CLOSED, LATER, OPEN, CaseRecord, Note, StandingCase
from caseline.crm._desk import NOTHING_YET, describe
from caseline.crm._keeping import DuplicateError, Standing
from caseline.crm._marks import MARK, join_notes, marked, pack_texts, without_notes
from caseline.crm._optional import OptionalFields
from caseline.crm._text import fit_text
from caseline.crm.bottlecrm._api import Api, Row, custom_of, is_id, object_in, rows_in, text_of
from caseline.crm.bottlecrm._errors import error_of, refused_fields
from caseline.crm.bottlecrm._settings import Settings

NAME, KEY, LONG, COMMENT, PAGE, FOUND = 64, 200, 32_000, 9_800, 100, 20
_MARKED = re.compile(r"\[([0-9a-f]{8,16})\]\Z")
LOGGED = "BottleCRM's log of activities keeps the ticket's earlier names and descriptions: who runs it deletes those rows in its database"


class CaseStore:
    def __init__(self, api: Api, settings: Settings, optional: OptionalFields) -> None:
        self._api, self._settings, self._optional = api, settings, optional
        self._fields, self._notes = settings.case_fields, settings.case_fields.get("notes", "")

    # Finding.
    def find(self, crm_id: str, case_key: str) -> Sequence[Standing]:
        """Where it was saved, or what that was merged into; else where its key is. A deleted one is not there."""
        found = self.read(crm_id) or (next(iter(self._living(case_key)), None) if case_key else None)
        return [self._standing(found)] if found else []

    def read(self, crm_id: str) -> Row | None:
        """The ticket with its comments and its last activities."""
        body = self._api.find(f"cases/{crm_id}") if is_id(crm_id) else None
        if body and "redirect_to" in body:
            body = self._api.find(f"cases/{text_of(body, 'redirect_to')}", show_merged="true")
        return body if body and object_in(body, "cases_obj").get("is_active") is not False else None

    def as_it_is(self, crm_id: str) -> Row | None:
        """Merged or deleted, too, as long as it is there."""
        return self._api.find(f"cases/{crm_id}", show_merged="true") if is_id(crm_id) else None

    def page(self, offset: int, size: int = PAGE) -> tuple[list[Row], bool]:
        """All tickets but deleted and merged ones, the oldest first, and whether there are more."""
        rows = rows_in(self._api.get("cases", slim="true", ordering="created_at", limit=size, offset=offset), "cases")
        return rows, len(rows) == size

    def key_in(self, row: Row) -> str:
        return text_of(custom_of(row), self._fields["case_key"])

    def as_listed(self, row: Row) -> StandingCase:
        stands = self._standing({"cases_obj": row})
        return StandingCase(stands.crm_id, stands.case_key, stands.status, stands.band or None, int(stands.version) if stands.version >= 0 else None)

    def _living(self, case_key: str) -> list[Row]:
        rows = self._by_key(case_key)
        return list(filter(None, [self.read(text_of(row, "id")) for row in rows if row.get("is_active") is not False][:1]))

    def _by_key(self, case_key: str) -> list[Row]:
        """Merged and deleted ones last."""
        asked = {f"cf_{self._fields['case_key']}": _key(case_key), "slim": "true", "show_merged": "true", "include_deleted": "true", "limit": FOUND}
        rows = [row for row in rows_in(self._api.get("cases", **asked), "cases") if self.key_in(row) == _key(case_key)]
        return sorted(rows, key=lambda row: (row.get("is_active") is False, row.get("status") == "Duplicate"))

    # Writing.
    def create(self, record: CaseRecord) -> Standing:
        """A ticket of that name is this case, unless two keys have the same mark."""
        made = self._post(record, _mark(record.case_key))
        if made is None:
            standing = self._by_key(record.case_key)
            if standing and standing[0].get("is_active") is not False:
                raise DuplicateError("BottleCRM has a ticket of that case key")
            made = self._revive(record, text_of(standing[0], "id")) if standing else self._post(record, _mark(record.case_key, 16))
        if made is None:
            raise DuplicateError("BottleCRM has a ticket of that name, which is no case of ours")
        crm_id = text_of(made, "id")
        return Standing(crm_id, _number(crm_id), record.case_key, record.status, field=LATER if custom_of(made).get(self._notes) else "")

    def update(self, crm_id: str, values: Mapping[str, Any], notes: Sequence[Note]) -> Standing | None:
        return self.write(crm_id, values, notes, None)

    def write(self, crm_id: str, values: Mapping[str, Any], notes: Sequence[Note], written: str | None) -> Standing | None:
        """One call for fields, one for comments; only the latter tells how the ticket stands then."""
        if not is_id(crm_id):
            return None
        text = "\n\n".join(filter(None, ["" if written == NOTHING_YET else written, join_notes(notes)]))
        in_field = {self._notes: text} if written is not None and self._notes and len(text) <= LONG else {}
        sent = _as_sent({**values, "custom_fields": {**values.get("custom_fields", {}), **(in_field if text else {})}})
        if (values or in_field) and self._api.change("PATCH", f"cases/{crm_id}", sent) is None:
            return None
        if notes and not in_field:
            body = self._note(crm_id, notes)
            return replace(self._standing(body), field="") if body else None
        return Standing(crm_id, _number(crm_id), "", "", field=LATER if in_field else "")

    def erase(self, standing: Standing, subject: str) -> Sequence[str]:
        """Comments are deleted; the first notes are cut out of the description. The name keeps its mark."""
        body = self.read(standing.crm_id)
        if body is None:
            return ()
        for note in _comments_in(body):
            if MARK in text_of(note, "comment"):
                self._api.change("DELETE", f"cases/comment/{text_of(note, 'id')}", {})
        row = object_in(body, "cases_obj")
        name, description = text_of(row, "name"), text_of(row, "description")
        found = _MARKED.search(name)
        wanted = {"name": _named(subject, found[1] if found else ""), "description": subject} if subject else {"description": without_notes(description)}
        stands = {"name": name, "description": description}
        changed: dict[str, Any] = {field: value for field, value in wanted.items() if value != stands[field]}
        if text_of(custom_of(row), self._notes):
            changed["custom_fields"] = {self._notes: ""}
        if changed:
            self._api.change("PATCH", f"cases/{standing.crm_id}", changed)
        return [LOGGED]

    def ours(self, record: CaseRecord) -> dict[str, Any]:
        values = {
            "version": record.version, "score": record.score, "band": record.band, "headline": fit_text(record.headline, 255),
            "reasons": fit_text("\n".join(record.reasons), LONG), "category": fit_text(record.category, 255), "queue": fit_text(record.queue, 80),
            "link": fit_text(record.url, 2_000),
        }  # fmt: skip
        return {"custom_fields": {self._fields[name]: value for name, value in values.items() if self._fields[name]}}

    def shared(self, band: str, queue: str, owner: str) -> dict[str, str]:
        assigned = self._settings.owners.get(owner) or self._settings.queues.get(queue) or ""
        return {"priority": self._settings.priority(band), "assigned_to": assigned}

    def state(self, is_closed: bool) -> dict[str, Any]:
        return {"status": self._settings.statuses[CLOSED if is_closed else OPEN]}

    def link(self, standing: Standing) -> str:
        return f"{self._settings.app_url or self._api.base_url}/tickets/{standing.crm_id}"

    def _post(self, record: CaseRecord, mark: str) -> Row | None:
        """None where the name is taken. An account that is gone is left out."""
        body = self._new(record, mark)
        answer = self._api.call("POST", "cases", fine=(200, 400), body=body)
        if answer.status == 400 and "account" in refused_fields(answer) and body.pop("account", ""):
            answer = self._api.call("POST", "cases", fine=(200, 400), body=body)
        if answer.status == 400:
            if isinstance(error_of(answer), DuplicateError):
                return None
            raise error_of(answer)
        made = object_in(answer.json(), "cases_obj")
        if not self.key_in(made):
            self._optional.lacks("case", self._fields["case_key"])
        return made

    def _revive(self, record: CaseRecord, crm_id: str) -> Row | None:
        """A ticket that was deleted in a list is only hidden, and keeps its name."""
        body = {**self._new(record, _mark(record.case_key)), "is_active": True}
        return {"id": crm_id} if self._api.change("PATCH", f"cases/{crm_id}", body) is not None else None

    def _new(self, record: CaseRecord, mark: str) -> dict[str, Any]:
        status = self._settings.statuses[CLOSED if record.status == CLOSED else "new"]
        shared = {name: value for name, value in self.shared(record.band, record.queue, record.owner).items() if value}
        links = {"account": record.account_id if is_id(record.account_id) else "", "contacts": [record.contact_id] if is_id(record.contact_id) else []}
        said = {self._notes: NOTHING_YET} if self._notes else {}
        custom = {**self.ours(record)["custom_fields"], **said, self._fields["case_key"]: _key(record.case_key)}
        return {
            "name": _named(record.subject, mark), "status": status, "description": describe(record), "custom_fields": custom,
            **_as_sent(shared), **{name: value for name, value in links.items() if value},
        }  # fmt: skip

    def _note(self, crm_id: str, notes: Sequence[Note]) -> Row | None:
        """All in as few comments as they fit into, internal ones: a public one is mailed to the customer."""
        answered: Row | None = None
        for text in pack_texts((marked(note, COMMENT) for note in notes), COMMENT):
            answered = self._api.change("POST", f"cases/{crm_id}", {"comment": text, "is_internal": True})
        return answered

    def _standing(self, body: Row) -> Standing:
        row = object_in(body, "cases_obj")
        custom, key = custom_of(row), self.key_in(row)
        notes, written = [text_of(note, "comment") for note in _comments_in(body)], text_of(custom, self._notes) if self._notes else ""
        assigned = [text_of(each, "id") for each in row.get("assigned_to") or () if isinstance(each, Mapping)]
        version = custom.get(self._fields["version"])
        return Standing(
            text_of(row, "id"), _number(text_of(row, "id")), key, CLOSED if self._settings.status(text_of(row, "status")) == CLOSED else OPEN,
            version if isinstance(version, int | float) else -1, text_of(custom, self._fields["band"]), text_of(custom, self._fields["queue"]),
            {"priority": text_of(row, "priority"), "assigned_to": next(iter(assigned), "")}, "\n".join([text_of(row, "description"), written, *notes]),
            written=written or None, field=LATER if written and MARK not in "\n".join(notes) else "",
        )  # fmt: skip


def _comments_in(body: Row) -> list[Row]:
    return [note for listed in ("comments", "internal_notes") if listed in body for note in rows_in(body, listed)]


def _named(subject: str, mark: str) -> str:
    words = fit_text(" ".join(subject.split()), NAME - len(mark) - 3).strip()
    return f"{words} [{mark}]".strip() if mark else words


def _as_sent(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: [value] if name == "assigned_to" else value for name, value in values.items()}


def _number(crm_id: str) -> str:
    """BottleCRM numbers no tickets: the id's beginning, as its address shows it."""
    return crm_id[:8]


def _mark(case_key: str, size: int = 8) -> str:
    """What people find the ticket by."""
    return hashlib.blake2s(_key(case_key).encode(), digest_size=16).hexdigest()[:size]


def _key(case_key: str) -> str:
    """As BottleCRM can keep it; a key of ours is so already."""
    return " ".join(fit_text(case_key, KEY).split())
