"""The case ledger: what should stand in the CRM for each case, with a version and what of it was pushed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from caseline.packing import PACKED, pack
from caseline.table import ConditionFailed, Item, Table, key

OPEN, CLOSED = "open", "closed"
LOOK = "look"  # the due shard of open cases, by when they are judged again
KEPT = "kept"  # the due shard of closed cases, by when they were closed
CASE_KEY = "case-"  # how the key of a case begins, and no signal's id
ANY = "any"  # the issue of a claim where the policy has one case of a customer and brand
PAST = "~"  # how the key of a claim's mark begins once its case is closed
# What judgement writes and reads as a whole, and no expression names: it stands compressed in the row.
JUDGED = frozenset("priority headline subject signal_ids threads weighs missed author_name channels first_signal_at updated_at told".split())
UNCHANGED = "version = :old_version"
KEPT_SIGNALS = 200  # ids kept on the row; the count goes on


def case_key_of(opener_id: str, generation: int = 0) -> str:
    """The key of the case a signal opened: opaque, safe in a URL, the same whoever computes it."""
    return CASE_KEY + hashlib.sha256(f"{opener_id}|{generation}".encode()).hexdigest()[:26]


def case_of(case_key: str) -> Item:
    """The key of the case's row."""
    return key(f"CASE#{case_key}", "CASE")


def load_case(table: Table, case_key: str) -> Item | None:
    return table.get(f"CASE#{case_key}", "CASE")


def load_cases(table: Table, case_keys: list[str]) -> dict[str, Item]:
    return {row["case_key"]: row for row in table.get_many([key(f"CASE#{case_key}", "CASE") for case_key in case_keys])}


def claim_key(customer_id: str, brand: str, category: str) -> Item:
    """One query on the customer's partition finds all its open cases."""
    return key(f"CLAIMS#{customer_id}", f"{brand}#{category}")


def load_claims(table: Table, customer_id: str) -> list[Item]:
    return [row for row in load_shelf(table, customer_id) if not is_past(row)]


def load_shelf(table: Table, customer_id: str) -> list[Item]:
    """The customer's claims, and of each issue the mark of the case that was closed last: one query."""
    return list(table.query(f"CLAIMS#{customer_id}"))


def is_past(row: Mapping[str, Any]) -> bool:
    """Whether it marks the closed case that a message of the same issue may open again."""
    return str(row["SK"]).startswith(PAST)


def give_back(table: Table, claim: Item) -> list[Mapping[str, Any]]:
    """A case that is closed holds its claim no more, and is found as the last of its issue."""
    brand, category = str(claim["SK"]).split("#")[:2]
    past = {**claim, **key(claim["PK"], f"{PAST}{brand}#{category}"), "type": "past"}
    return [table.delete_write(claim["PK"], claim["SK"], "case_key = :case_key", case_key=claim["case_key"]), table.put_write(past)]


def listed(row: Mapping[str, Any]) -> Item:
    """The keys that put a case on its list, the most urgent first when read backwards."""
    return {"list_name": f"CASES#{row['status']}", "list_rank": f"{row['priority']['score']:03d}#{row['opened_at']}#{row['case_key']}"}


def marked_case(row: Mapping[str, Any]) -> str:
    """The key of the case that a row marks on the timeline, "" if it marks none. A case from before stands there itself."""
    return str(row["PK"]).removeprefix("CASE#") if row["type"] in ("history", "case") else ""


def history_row(case_key: str, at: str, what: str, text: str, version: int, by: str = "caseline", mark: str = "") -> Item:
    """One line of a case's history; `mark` makes the same event the same row."""
    facts = {"type": "history", "schema": 1, "at": at, "what": what, "by": by, "text": text, "version": version}
    return key(f"CASE#{case_key}", f"HISTORY#{at}#{mark or what}") | facts


def open_case(table: Table, claim: Item, case: Item, opened: Item, *history: Item, version: int = 1) -> bool:
    """Take the claim and write the case in one go; False if someone else holds it, the case was there before, or the customer has changed since.

    `opened` is the line that tells of it. It marks the case on the timeline, too: it is written once, where the case is written at every turn.
    `version` is the customer's, as it was read: two runs at once learn by it that another case was opened meanwhile, which theirs may belong to.
    """
    mark = opened | {"identity": case["identity"], "at": case["at"]}
    row = {name: value for name, value in case.items() if name != "at"} | listed(case) | {"told": [_line(line) for line in history]}
    try:
        table.transact(
            stand_still(table, case["customer_id"], version),
            table.put_write(held_by(claim, case), "attribute_not_exists(PK)"),
            table.put_write(pack(row, JUDGED), "attribute_not_exists(PK)"),
            table.put_write(mark),
        )
    except ConditionFailed:
        return False
    return True


def stand_still(table: Table, customer_id: str, version: int) -> Mapping[str, Any]:
    """The condition that a customer was not merged, linked or given another case since it was read; makes the next version of it."""
    condition = "version = :version AND attribute_not_exists(merged_into)"
    return table.update_write(f"CUSTOMER#{customer_id}", "CUSTOMER", "SET version = :next", condition, version=version, next=version + 1)


def held_by(claim: Item, case: Item) -> Item:
    return {**claim, "type": "claim", "schema": 1, "case_key": case["case_key"], "opened_at": case["opened_at"], "identity": case["identity"]}


def change_case(
    table: Table, old: Item, new: Item, *rows: Item, writes: Sequence[Mapping[str, Any]] = (), pushed: Mapping[str, Any] | None = None
) -> bool:
    """Write the next version of a case with its lines of history, and the other `rows` and `writes` that must come with it; False if it changed since.

    Lines stand in the case's own row until its next version, before which they are put into theirs: no transaction where the case changes alone.
    Bookkeeping of the push is not touched, but for what `pushed` says: a change that came from the CRM is there already.
    """
    told = [_line(row) for row in rows if row["type"] == "history"]
    beside = [*(table.put_write(row) for row in rows if row["type"] != "history"), *writes]
    expression, names, values = _difference(old, {**new, "told": told}, pushed)
    try:
        for row in told_rows(old):
            table.put(row)
        if beside:
            table.transact(table.update_write(old["PK"], old["SK"], expression, UNCHANGED, names, **values), *beside)
        else:
            table.update(old["PK"], old["SK"], expression, UNCHANGED, names, **values)
    except ConditionFailed:
        return False
    return True


def change_write(table: Table, old: Item, new: Item) -> Mapping[str, Any]:
    """The next version of a case as a part of another's transaction."""
    expression, names, values = _difference(old, new)
    return table.update_write(old["PK"], old["SK"], expression, UNCHANGED, names, **values)


def _difference(old: Item, new: Item, pushed: Mapping[str, Any] | None = None) -> tuple[str, Mapping[str, str], Mapping[str, Any]]:
    """An update by what has changed. Where judgement has, all of it is packed anew, and what a row from before had beside goes."""
    changes = {name: value for name, value in (new | listed(new)).items() if old.get(name) != value and name not in PUSHED} | dict(pushed or {})
    removes = {name for name in old if name not in new and name not in PUSHED and name not in ("PK", "SK", "list_name", "list_rank")}
    if JUDGED & (changes.keys() | removes):
        changes = {name: value for name, value in changes.items() if name not in JUDGED} | {PACKED: pack(new, JUDGED)[PACKED]}
        removes |= JUDGED
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in changes)
    expression += " REMOVE " + ", ".join(f"#{name}" for name in sorted(removes)) if removes else ""
    return expression, {f"#{name}": name for name in (*changes, *removes)}, {**changes, "old_version": old["version"]}


def _line(row: Item) -> Item:
    return {name: row[name] for name in ("SK", "at", "what", "by", "text", "version")}


def told_rows(case: Mapping[str, Any]) -> list[Item]:
    """The lines of history that stand in the case's row, as rows of their own."""
    return [{"PK": case["PK"], "type": "history", "schema": 1, **line} for line in case.get("told") or ()]


# What the outbox keeps on a case, and judgement never touches.
PUSHED = frozenset({"pushed_version", "crm", "lease_until", "fence", "upto", "sending", "sent", "noted", "noted_version", "wrote", "pushed_at",
                    "gone", "taken_back", "remains", "in_field", "merged_there"})  # fmt: skip


def count_of(case: Mapping[str, Any]) -> int:
    """Its signals; `signal_count` goes on counting those that left it with a customer who was split off."""
    return int(case["signal_count"]) - int(case.get("parted", 0))


def crm_case_key(crm: str, crm_id: str) -> Item:
    """The row that tells which of our cases a CRM's record is."""
    return key(f"CRMCASE#{crm}#{crm_id}", "CASE")


def take_back(table: Table, case_key: str, signal_ids: Iterable[str], now: str) -> None:
    """What the CRM was told of these signals is to be taken back; asked twice, it is done once. A case that is no more is left alone."""
    with suppress(ConditionFailed):
        expression = "SET due_shard = :due, due_at = :now ADD gone :ids"
        table.update(f"CASE#{case_key}", "CASE", expression, "attribute_exists(PK)", due="due", now=now, ids=set(signal_ids))


def owes_erasure(case: Mapping[str, Any]) -> bool:
    """Whether the CRM still has words of signals that are gone."""
    return bool(len(case.get("gone", ())) > case.get("taken_back", 0))


def rest(case: Mapping[str, Any]) -> Item:
    """The keys of a case that the CRM has as it is: open, it is looked at again at `look_at`; closed, it is kept as long as the policy says."""
    if case["status"] == CLOSED:
        return {"due_shard": KEPT, "due_at": case["closed_at"]} if case.get("closed_at") else {}
    return {"due_shard": LOOK, "due_at": case["look_at"]} if case["status"] == OPEN and case.get("look_at") else {}


def owe(table: Table, case_key: str, now: str) -> bool:
    """Put a case whose run came to no end on the list of what is due; what is in the CRM already, or due anyhow, is left alone."""
    condition = "pushed_version < version AND (attribute_not_exists(due_shard) OR due_shard = :look)"
    try:
        table.update(f"CASE#{case_key}", "CASE", "SET due_shard = :due, due_at = :now", condition, look=LOOK, due="due", now=now)
    except ConditionFailed:
        return False
    return True


def due(now: str) -> Item:
    """The keys that put a row on the list of what the watcher reads."""
    return {"due_shard": "due", "due_at": now}
