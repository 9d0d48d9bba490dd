"""The outbox: the only writer of cases to the CRM. Push, then mark pushed if the version is still the same, else push again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from caseline.cases.changes import work_case
from caseline.cases.circumstances import tell_case
from caseline.cases.ledger import CLOSED, OPEN, count_of, crm_case_key, due, history_row, load_case, owes_erasure, rest
from caseline.cases.newcomers import Newcomers
from caseline.cases.notes import due_notes, notes_are_due, people_wrote, told_notes
from caseline.cases.waiting import DUE_SHARDS, URGENT
from caseline.crm import ALL, LATER, NOTES_STAND, CaseRecord, Crm, SavedCase
from caseline.crm._guard import URGENT_BAND
from caseline.errors import ConflictError, CrmConflictError, CrmError, CrmNotFoundError, CrmRejectedError, CrmUnavailableError
from caseline.priority.model import explain_lines, priority_from_json
from caseline.signals import isoformat, parse_time
from caseline.table import ConditionFailed, Item, Table

LEASE = timedelta(seconds=20)  # longer than a push takes; who is slower pushes for nothing, and the newest version once more
# Where the CRM has no unique key, a slow worker that makes a case must be over before the next one looks for it: longer than any of them lives.
MAKING = timedelta(seconds=65)
ROUNDS = 10
DUE = ("due_shard", "due_at", "tries")  # what has the watcher push a case
COMPARED = ("status", "band", "queue", "owner")  # what people in the CRM may set, too


@dataclass(frozen=True)
class Outbox:
    """`patience`: how long after a push the next one may wait, if it has nothing but news to tell. `takes_notes`: whether the CRM is told of each signal."""

    table: Table
    crm: Crm
    clock: Callable[[], datetime]
    case_url: Callable[[str], str]
    patience: timedelta = timedelta(0)
    takes_notes: bool = False
    newcomers: Newcomers | None = None

    def push(self, case_key: str, patient: bool = False) -> Item:
        """Until the CRM has the newest version; the row as it stands then. CrmConflictError while another worker pushes.

        A patient push leaves for later what can wait, so that a case that gathers many signals costs a CRM's quota few calls.
        """
        for _ in range(ROUNDS):
            case = load_case(self.table, case_key)
            if case is None:
                raise CrmNotFoundError("the ledger has no such case")
            if self._is_settled(case):
                return self._let_rest(case)
            if patient and self._can_wait(case):
                return self._wait(case)
            leased = self._lease(case)
            self._push(leased, untold="upto" not in case and leased["fence"] == case.get("fence", 0) + 1)
        raise CrmConflictError("the case changes faster than it can be pushed")

    def _is_settled(self, case: Item) -> bool:
        return bool(case["version"] <= case["pushed_version"]) and not (self.takes_notes and (notes_are_due(case) or owes_erasure(case)))

    def _let_rest(self, case: Item) -> Item:
        """What was due for what there is nothing to push of is looked at again when its time comes, and not before."""
        if case.get("due_shard") != "due":
            return case
        later = rest(case)
        expression = ("SET " + ", ".join(f"{name} = :{name}" for name in later) if later else "") + _remove(["tries"] if later else DUE)
        with suppress(ConditionFailed):
            same, at = "version = :same AND due_shard = :listed AND due_at = :at", case["due_at"]
            return self.table.update(case["PK"], case["SK"], expression, same, same=case["version"], listed="due", at=at, **later)
        return case

    def _can_wait(self, case: Item) -> bool:
        """Nothing that people in the CRM act upon has changed, and the last push was a short while ago."""
        if not case.get("sent") or case["sent"] != _compared(case) or people_wrote(case) or owes_erasure(case):
            return False
        return self.clock() < parse_time(case["pushed_at"]) + self.patience

    def _wait(self, case: Item) -> Item:
        """The watcher pushes it when the time has come; a deadline before that is looked at first, and then it waits on."""
        due_at, look_at = isoformat(parse_time(case["pushed_at"]) + self.patience), str(case.get("look_at") or "")
        due_at = look_at if isoformat(self.clock()) < look_at < due_at else due_at
        if case.get("due_at") == due_at:
            return case
        return self.table.update(case["PK"], case["SK"], "SET due_shard = :due, due_at = :at", due="due", at=due_at)

    def _lease(self, case: Item) -> Item:
        """Only the holder of the newest fencing number may mark a push. `upto` is how many signals the notes tell of, `sending` what people may set;
        a push that died keeps its own."""
        now = self.clock()
        try:
            return self.table.update(
                case["PK"], case["SK"],
                "SET lease_until = :until, upto = if_not_exists(upto, :count), sending = if_not_exists(sending, :sending) ADD fence :one",
                "attribute_not_exists(lease_until) OR lease_until < :now",
                until=int((now + (MAKING if self._makes(case) else LEASE)).timestamp()), now=int(now.timestamp()), one=1, count=case["signal_count"],
                sending={**_compared(case), "version": case["version"]},
            )  # fmt: skip
        except ConditionFailed as error:
            raise CrmConflictError("another worker is pushing this case") from error

    def _makes(self, case: Item) -> bool:
        """Whether a call of ours could make a second case."""
        return not self.crm.native_upsert and not case["crm"].get("id")

    def _push(self, case: Item, untold: bool) -> None:
        """`untold`: nobody else has begun a push since the last one that ended well, nor can have, as long as the lease lasts."""
        try:
            case = self._take_back(case)
            record = replace(self._next_record(case), untold=untold and self.clock().timestamp() < case["lease_until"])
            saved = self.crm.save_case(record)
        except CrmError as error:
            self._mark_failed(case, error)
            raise
        if saved.crm_id != record.crm_id and self.takes_notes:
            self.table.put(crm_case_key(self.crm.name, saved.crm_id) | {"type": "crm_case", "case_key": case["case_key"]})
        self._mark_saved(case, record, saved)
        if saved.crm_id != record.crm_id:
            self._tell(case, record, saved)
        if saved.crm_id != record.crm_id != "" and not saved.created:
            self.table.update(case["PK"], case["SK"], "SET merged_there = :yes", yes=True)
        if saved.status == CLOSED and record.status == OPEN:
            self._close(case)

    def _tell(self, case: Item, record: CaseRecord, saved: SavedCase) -> None:
        """Where it stands there; when it was last brought up to date is on the row."""
        mark = f"sync{record.version:06d}"
        self.table.put(history_row(case["case_key"], isoformat(self.clock()), "sync", f"saved in {self.crm.name} as {saved.number}", record.version, mark=mark))

    def _take_back(self, case: Item) -> Item:
        """What was told of signals that are gone is erased there before anything is told again; what cannot be erased is noted for people, and stands.

        Of a case whose place there is not known yet, once it is.
        """
        crm_id = str(case["crm"].get("id") or "")
        if not (self.takes_notes and owes_erasure(case) and crm_id):
            return case
        remains = list(self.crm.erase_notes(crm_id, case["subject"] if case.get("erased") else ""))
        done: dict[str, Any] = {"taken_back": len(case["gone"]), "remains": remains, **({} if NOTES_STAND in remains else {"noted": 0, "noted_version": 0})}
        done |= {"in_field": [crm_id, 0, 0]} if "noted" in done and case.get("in_field") else {}
        expression = "SET " + ", ".join(f"{name} = :{name}" for name in done)
        try:
            return self.table.update(case["PK"], case["SK"], expression, "fence = :fence", fence=case["fence"], **done)
        except ConditionFailed as error:
            raise CrmConflictError("another worker is pushing this case") from error

    def _mark_saved(self, case: Item, record: CaseRecord, saved: SavedCase) -> None:
        crm = {"name": self.crm.name, "id": saved.crm_id, "number": saved.number, "url": saved.url, "sync": "synced"}
        noted = max(case.get("noted", 0), case["upto"]) if self.takes_notes else 0
        rests, field = rest(case), self._field(case, record, saved, noted)
        later = {**rests, **({"in_field": field} if field else {})}
        gone = ("lease_until", "upto", "sending", "push", "tries", *(() if field else ("in_field",)))
        looks = "".join(f", {name} = :{name}" for name in later)
        self._mark(
            case,
            f"SET pushed_version = :version, crm = :crm, sent = :sent, noted = :noted, noted_version = :version, wrote = :version, pushed_at = :at{looks}",
            gone if rests else tuple(dict.fromkeys((*gone, *DUE))), **later,
            version=record.version, crm=crm, sent={name: getattr(record, name) for name in COMPARED}, noted=noted, at=isoformat(self.clock()),
        )  # fmt: skip

    def _field(self, case: Item, record: CaseRecord, saved: SavedCase, noted: int) -> list[Any]:
        """Where a field of ours holds our notes, and from which count of signals and version on; nothing where that is not known."""
        if saved.field == ALL or (saved.field == LATER and saved.created):
            return [saved.crm_id, *((0, 0) if saved.field == ALL else (noted, record.version))]
        known: list[Any] = case.get("in_field") or []
        return known if saved.field and known and known[0] == saved.crm_id else []

    def _close(self, case: Item) -> None:
        """A person closed it over there before the change came back by itself, and has not seen what this push told."""
        now, seen = self.clock(), case.get("pushed_at", "")
        try:
            work_case(self.table, case["case_key"], {"status": CLOSED}, self.crm.name, now, True, {"status": [CLOSED, isoformat(now)]}, seen)
        except ConflictError:
            return

    def _mark_failed(self, case: Item, error: CrmError) -> None:
        """The case shows what went wrong; the class alone, because a CRM's message may quote the customer. What was refused is not begun again,
        and what got no answer may still be under way. A P1 is tried again before all others."""
        lease = () if self._makes(case) and isinstance(error, CrmUnavailableError) and error.asked else ("lease_until",)
        begun = ("sending",) if isinstance(error, CrmRejectedError) else ()
        crm = {**case["crm"], "sync": "failed", "error": type(error).__name__}
        listed = {} if case.get("due_shard") in DUE_SHARDS else due(isoformat(self.clock()))  # its run may come to no end
        listed |= {"due_shard": URGENT} if case["priority"]["band"] == URGENT_BAND else {}
        self._mark(case, "SET crm = :crm" + "".join(f", {name} = :{name}" for name in listed), (*lease, *begun), crm=crm, **listed)

    def _mark(self, case: Item, expression: str, removed: Sequence[str], **values: Any) -> None:
        """A later version keeps the case due: its keys are removed only when nothing newer waits."""
        same, condition = values.get("version", case["version"]), "fence = :fence AND version = :same"
        try:
            self.table.update(case["PK"], case["SK"], expression + _remove(removed), condition, fence=case["fence"], same=same, **values)
        except ConditionFailed:
            self._mark_superseded(case, expression + _remove([name for name in removed if name not in ("push", *DUE)]), values)

    def _mark_superseded(self, case: Item, expression: str, values: Mapping[str, Any]) -> None:
        """What reached the CRM is noted; the case stays due for the version that came meanwhile."""
        try:
            self.table.update(case["PK"], case["SK"], expression, "fence = :fence", fence=case["fence"], **values)
        except ConditionFailed:
            self._push_again(case)

    def _push_again(self, case: Item) -> None:
        """The lease ran out while the CRM was slow: our older version may have landed on a newer one, so that one goes out again."""
        self.table.update(case["PK"], case["SK"], "SET pushed_version = :none", none=0)

    def _next_record(self, case: Item) -> CaseRecord:
        """What a push that died has begun, with the notes up to its version; else the case as it stands."""
        begun, known = _begun(case), self.newcomers.welcome(case) if self.newcomers else {}
        return replace(self._record(case | known | {"version": begun.get("version", case["version"])}), **begun)

    def _record(self, case: Item) -> CaseRecord:
        priority, crm_id = priority_from_json(case["priority"], case["queue"]), case["crm"].get("id", "")
        return CaseRecord(
            case_key=case["case_key"], version=case["version"], subject=case["subject"], headline=case["headline"],
            reasons=[*explain_lines(priority), *tell_case(case)],
            score=priority.score, band=priority.band, status=case["status"], queue=case["queue"], brand=case["brand"],
            category=case.get("corrected") or case["category"],  # what a person there says it is stands there
            url=self.case_url(case["case_key"]), account_id=case.get("account_id", ""), contact_id=case.get("contact_id", ""), opened_at=case["opened_at"],
            signal_count=count_of(case), channels=case["channels"], owner=case.get("owner", ""), crm_id=crm_id,
            first=not crm_id and case["fence"] == 1, before=case.get("sent") or {},
            saved_version=case.get("noted_version", 0) if case.get("sent") else 0,
            notes=due_notes(self.table, case, case["upto"]) if self.takes_notes else (), told=told_notes(self.table, case) if self.takes_notes else None,
        )  # fmt: skip


def _compared(case: Item) -> dict[str, str]:
    return {"status": case["status"], "band": case["priority"]["band"], "queue": case["queue"], "owner": case.get("owner", "")}


def _begun(case: Item) -> dict[str, Any]:
    """What a push that died may have left in the CRM goes out first, so that it is known what we set there, and what a person did."""
    begun: dict[str, Any] = case["sending"]
    return {} if {**begun, "version": 0} == {**_compared(case), "version": 0} else begun


def _remove(names: Sequence[str]) -> str:
    return f" REMOVE {', '.join(names)}" if names else ""
