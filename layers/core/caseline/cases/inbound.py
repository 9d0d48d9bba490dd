"""What people do in the CRM comes back: to the case, to the timeline, to whom a customer is. Applying a change twice changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from caseline.cases.changes import OUTCOMES, check_changes, has_place, work_case
from caseline.cases.ledger import CLOSED, OPEN, crm_case_key, load_case
from caseline.cases.merging import settle_merges
from caseline.cases.rescoring import rescore_case, rescore_cases, rescore_customers
from caseline.crm import AUTOMATIC, Change
from caseline.crm._text import fit_text
from caseline.crm_messages import NOTE_LIMIT
from caseline.customers import Claimed, customer_id_of, link, load_customers
from caseline.errors import ConflictError, NotFoundError, QueryError
from caseline.identity import normalise_identities
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Item, Table, key

WORKED = ("status", "band", "owner", "queue")
OWNER_LIMIT = 120  # characters


def account_key(crm: str, account_id: str, customer_id: str) -> Item:
    """The row that tells which customers are of an account."""
    return key(f"CRMACCOUNT#{crm}#{account_id}", customer_id)


@dataclass(frozen=True)
class Inbound:
    """`crm` is the CRM's name, `scopes` the prefixes that identities may have."""

    table: Table
    crm: str
    scopes: Iterable[str]
    clock: Callable[[], datetime]

    def apply(self, change: Change, dated: bool = True) -> bool:
        """Whether it changed anything here. `dated`: its time is when it was done, by the CRM's clock; without it, when we were told."""
        return self._work(change, dated) if change.kind == "case" else _STEPS[change.kind](self, change)

    def _work(self, change: Change, dated: bool) -> bool:
        case = self._find(change)
        if case is None or case.get("erased"):
            return False
        at = isoformat(change.at) if dated else ""
        told = {name: value for name in WORKED if (value := _told(change, name)) is not None}
        wanted = {name: value for name, value in told.items() if not _stands(case, name, value) and _is_news(case, name, value, at)}
        heard = {name: [value, at] for name, value in wanted.items()}
        if "band" in wanted:
            wanted["reason"] = f"set in {self.crm}"
        return bool(self._change(case, wanted, change, heard, at)) | self._learn(case, change)

    def _change(self, case: Item, wanted: Mapping[str, Any], change: Change, heard: Mapping[str, Any] | None = None, seen: str = "") -> bool:
        try:
            check_changes(wanted)
            return bool(wanted) and bool(work_case(self.table, case["case_key"], wanted, change.by or self.crm, self.clock(), True, heard, seen))
        except (QueryError, ConflictError, NotFoundError):
            return False  # a claim that another case has taken over

    def _learn(self, case: Item, change: Change) -> bool:
        """What an agent says a case was stays on it, for whoever learns from it."""
        known = {name: change.fields[name] for name in ("outcome", "category") if change.fields.get(name)}
        stands = case.get("corrected") or case["category"]
        said = {"outcome": known.get("outcome"), "corrected": known.get("category") if known.get("category") != stands else None}
        said = {name: value for name, value in said.items() if value and case.get(name) != value and (name != "outcome" or value in tuple(OUTCOMES))}
        if said:
            expression = "SET " + ", ".join(f"{name} = :{name}" for name in said)
            self.table.update(case["PK"], case["SK"], expression, "attribute_exists(PK)", **said)
        return bool(said)

    def _comment(self, change: Change) -> bool:
        """A comment stands on the timeline, once; one that the customer sees is an answer and stops the clock."""
        case, text = self._find(change), fit_text(str(change.fields.get("text") or "").strip(), NOTE_LIMIT)
        comment_id = str(change.fields.get("comment_id") or change.event_id)
        if case is None or case.get("erased") or not text or not comment_id:
            return False
        public, at = bool(change.fields.get("public")), isoformat(change.at)
        row = key(case["PK"], f"NOTE#{self.crm}#{comment_id}") | {
            "type": "note", "schema": 1, "text": text, "summary": text[:280], "by": change.by or self.crm, "brand": case["brand"], "crm": self.crm,
            "answers": public, "identity": case["identity"], "at": f"{at}#{case['case_key']}#{comment_id}", "occurred_at": at,
        }  # fmt: skip
        try:
            self.table.put(row, "attribute_not_exists(PK)")
        except ConditionFailed:
            return False
        if public and case["status"] == OPEN:
            rescore_case(self.table, case["case_key"], isoformat(self.clock()))
        return True

    def _contact(self, change: Change) -> bool:
        """Identities that a contact has by now join a customer that is known by one of them; nobody else becomes a customer."""
        identities = normalise_identities([str(identity) for identity in change.fields.get("identities") or ()])
        now, merged = isoformat(self.clock()), False
        for scope in self.scopes:
            known = load_customers(self.table, {customer_id_of(identity, scope) for identity in identities}) if identities else {}
            if known:
                provenance, name = f"crm:{self.crm}:{change.crm_id}", str(change.fields.get("name") or "") or None
                customer_id, merged = link(self.table, Claimed(identities, provenance, now, "verified", name, change.crm_id, scope))
                settle_merges(self.table, customer_id, now)
        rescore_cases(self.table, identities, self.scopes, now)
        return bool(identities) or merged

    def _account(self, change: Change) -> bool:
        return self._forget_account(change.crm_id)

    def _forget_account(self, account_id: str) -> bool:
        """What was read of the account is old: its customers are looked up again, and their open cases judged again."""
        customers = [str(row["SK"]) for row in self.table.query(f"CRMACCOUNT#{self.crm}#{account_id}")]
        rescore_customers(self.table, customers, isoformat(self.clock()))
        return bool(customers)

    def _deleted(self, change: Change) -> bool:
        """A case that people deleted there is closed here; a contact or account that is gone is looked up again."""
        if change.fields.get("entity") != "case":
            return self._forget_account(str(change.fields.get("account_id") or change.crm_id))
        case = self._find(change)
        if case is None or case["status"] != OPEN or not _stands_at(case, change.crm_id):
            return False
        self._note(case, deleted_there=True)
        return self._change(case, {"status": CLOSED, "note": f"Deleted in {self.crm}."}, change)

    def _merged(self, change: Change) -> bool:
        into, case = str(change.fields.get("into") or ""), self._find(change)
        if change.fields.get("entity") != "case":
            return self._forget_account(change.crm_id)
        if case is None or not into or into == change.crm_id or not _stands_at(case, change.crm_id):
            return False
        survivor = self._row_of(into)
        if survivor and survivor["case_key"] != case["case_key"]:
            if case["status"] == OPEN:
                self._note(case, joined=survivor["case_key"])
            return self._change(case, {"status": CLOSED, "note": f"Merged into case {survivor['case_key']} in {self.crm}."}, change)
        self.table.put(crm_case_key(self.crm, into) | {"type": "crm_case", "case_key": case["case_key"]})
        with suppress(ConditionFailed):  # a push has found the survivor meanwhile
            where, condition = "SET crm.#id = :into, merged_there = :yes", "attribute_not_exists(crm.#id) OR crm.#id = :gone"
            self.table.update(case["PK"], case["SK"], where, condition, {"#id": "id"}, into=into, gone=change.crm_id, yes=True)
        return True

    def _note(self, case: Item, **facts: Any) -> None:
        """What a message that comes later must know of a case that is closed."""
        expression = "SET " + ", ".join(f"{name} = :{name}" for name in facts)
        self.table.update(case["PK"], case["SK"], expression, "attribute_exists(PK)", **facts)

    def _find(self, change: Change) -> Item | None:
        known = {"case_key": change.case_key} if change.case_key else self._row_of(change.crm_id)
        return load_case(self.table, known["case_key"]) if known else None

    def _row_of(self, crm_id: str) -> Item | None:
        row = crm_case_key(self.crm, crm_id)
        return self.table.get(row["PK"], row["SK"])


def _stands_at(case: Item, crm_id: str) -> bool:
    """Whether that record is the case's; where that is not known yet, the answer to our save is on its way."""
    return case["crm"].get("id") in (None, "", crm_id)


def _stands(case: Item, name: str, value: Any) -> bool:
    """A band that nobody has set cannot be given back."""
    if name != "band":
        return bool(value == case.get(name, ""))
    return bool(value == case["priority"]["band"]) or (value == AUTOMATIC and not case["priority"].get("override"))


def _told(change: Change, name: str) -> Any:
    """What has a place here; None for anything else. Pending is a way of being open, and an owner's name is cut; nobody is an owner, too."""
    value = change.fields.get(name)
    value = value[:OWNER_LIMIT] if name == "owner" and isinstance(value, str) else OPEN if (name, value) == ("status", "pending") else value
    return value if value is not None and has_place(name, value) and (value or name == "owner") else None


def _is_news(case: Item, name: str, value: Any, at: str) -> bool:
    """What people do comes twice, late and in any order, and a record tells of all its fields when one was changed: of what we are about to change there
    it still tells what stood before, which nobody has set now."""
    known, heard_at, version = (*case.get("heard", {}).get(name, ("", "")), 0)[:3]
    if at and heard_at and (at < heard_at or (at, value) == (heard_at, known)):
        return False
    there = [known] if version > case.get("wrote", 0) else [case.get("sent", {}).get(name, "")]
    return value not in (*there, case.get("sending", {}).get(name))


_STEPS: dict[str, Callable[[Inbound, Change], bool]] = {
    "comment": Inbound._comment, "contact": Inbound._contact, "account": Inbound._account,
    "deleted": Inbound._deleted, "merged": Inbound._merged,
}  # fmt: skip
