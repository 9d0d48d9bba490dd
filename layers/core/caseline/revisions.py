"""What happens to a signal that was there before: a duplicate, an edit, a deletion, or the original an edit or a reply came before.

The outcome is the same for every order of arrival. Each delivery is counted on the row itself, so a redelivery counts nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.replies import release
from caseline.signals import CREATED, DELETED, POINTER, UPDATED
from caseline.table import ConditionFailed, Item, Table
from caseline.timeline import ERASED, EXPECTED, GONE, fingerprint, listing, read_text
from caseline.turns import asks_after

CONTENT = (
    *("text", "text_z", "text_cut", "rating", "attributes", "need", "need_reason", "category", "assessment", "author_name", "engagement", "reach"),
    *("url", "language", "revision", "rank", "previous", "asks", "deleted_at"),
)
STANDING = frozenset({"PK", "SK", "deliveries", "revisions", "more_duplicates", "expires"})
KEPT_VERSIONS = 5
KEPT_DELIVERIES = 200


def revise(table: Table, row: Item, scope: str, completes: bool = False) -> bool:
    """Apply `row` to the row of the same signal that stands; whether replies had waited for it. Raises ConditionFailed when others keep changing it.

    What `completes` a pointer comes under the pointer's own delivery: both are one signal, counted once.
    """
    for _ in range(8):
        old = table.get(row["PK"], row["SK"])
        try:
            if old is None:
                table.put(row, "attribute_not_exists(PK)")
            else:
                _apply(table, old, row, completes)
            return _release_waiting(table, row, old, scope)
        except ConditionFailed:
            continue
    raise ConditionFailed()


def _apply(table: Table, old: Item, row: Item, completes: bool) -> None:
    known = _is_known(old, row)
    if known and not completes:
        return
    changes = _changes(old, row)
    if changes is None and not known:
        _count_duplicate(table, old, row)
    elif changes is not None:
        _write(table, old, row, {**changes, **_relisted(old, changes)})


def _relisted(old: Item, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Where the row is listed follows from what it says now."""
    after = {**old, **changes}
    found = listing({name: value for name, value in after.items() if value is not None})
    return {name: found.get(name) for name in ("list_name", "list_rank") if found.get(name) != after.get(name)}


def _changes(old: Item, row: Item) -> dict[str, Any] | None:
    """What the row changes; None for a duplicate. A value of None removes the attribute."""
    if row.get("forgotten"):
        return None if old.get("forgotten") else dict.fromkeys(name for name in old if name not in STANDING) | _filled(row)
    if old["state"] == EXPECTED:
        return _filled(row)
    if old["state"] == GONE:
        return _restored(old, row) if _is_newer(row, old) else _placed(old, row)
    if row["state"] == GONE:
        return None if _is_newer(old, row) else _erased(row)
    if row["kind"] == POINTER:
        return None  # says that something happened to what is known; what it was comes when it is completed
    if old["kind"] == POINTER:
        return dict.fromkeys((*CONTENT, "not_completed")) | _filled(row)
    if fingerprint(old) != fingerprint(row) and row["rank"] > old["rank"]:
        return {name: row.get(name) for name in CONTENT} | {"previous": _previous(old, row), "asks": asks_after(old, row)} | _born(old, row)
    return _born(old, row) or None


def _is_known(old: Item, row: Item) -> bool:
    return bool(row["deliveries"] & set(old.get("deliveries", ())))


def _filled(row: Item) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("PK", "SK", "deliveries", "revisions")}


def _erased(row: Item) -> dict[str, Any]:
    gone: dict[str, Any] = dict.fromkeys(CONTENT)
    return gone | ERASED | {"state": GONE, "rank": row["rank"], "deleted_at": row["received_at"]}


def _is_newer(row: Item, deletion: Item) -> bool:
    """Whether something happened after a deletion that its platform dates; any other deletion is the last word."""
    return not deletion["rank"].startswith(" ") and row["rank"] > deletion["rank"]


def _restored(old: Item, row: Item) -> dict[str, Any]:
    """An item that came back, such as a reaction made anew, stands where it stood."""
    if row["state"] == GONE:
        return {"rank": row["rank"]}
    kept = {"identity", "at", "identities", "occurred_at", "born"} if old["born"] != DELETED and "identity" in old else set()
    return dict.fromkeys(CONTENT) | {name: value for name, value in _filled(row).items() if name not in kept} | _born(old, row)


def _placed(old: Item, row: Item) -> dict[str, Any] | None:
    """A deletion that came first did not know when the item was made, nor always by whom: the original still says so, and nothing more."""
    if old["born"] != DELETED or "identity" not in row or row["born"] == DELETED:
        return None
    return {name: row[name] for name in ("identity", "at", "identities", "occurred_at", "born")}


def _born(old: Item, row: Item) -> dict[str, Any]:
    """An original that comes after its edit still says when the item was made."""
    if (old.get("born"), row["born"]) != (UPDATED, CREATED):
        return {}
    moved = {"occurred_at": row["occurred_at"], "born": CREATED}
    return moved | ({"at": f"{row['occurred_at']}#{row['signal_id']}"} if "at" in old else {})


def _previous(old: Item, row: Item) -> list[Mapping[str, Any]]:
    """The versions that stood before, each with what it called for, until it was replaced."""
    version = {"revision": old.get("revision", ""), "text": read_text(old) or "", "until": row["received_at"]}
    return [*old.get("previous", []), version | {name: old.get(name) for name in ("need", "category")}][-KEPT_VERSIONS:]


def _write(table: Table, old: Item, row: Item, changes: Mapping[str, Any]) -> None:
    sets = {name: value for name, value in changes.items() if value is not None}
    removes = [name for name, value in changes.items() if value is None and name in old]
    first = old["state"] == EXPECTED
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in sets)
    expression += (" REMOVE " + ", ".join(f"#{name}" for name in removes)) if removes else ""
    expression += " ADD deliveries :deliveries, revisions :applied"
    table.update(
        row["PK"], row["SK"], expression, "#old_state = :old_state AND " + ("attribute_not_exists(#old_rank)" if first else "#old_rank = :old_rank"),
        names={f"#{name}": name for name in (*sets, *removes)} | {"#old_state": "state", "#old_rank": "rank"},
        old_state=old["state"], deliveries=row["deliveries"], applied=0 if first else _count(old, row), **({} if first else {"old_rank": old["rank"]}), **sets,
    )


def _count(old: Item, row: Item) -> int:
    """A delivery of its own is a revision. What completes a pointer was counted when that came: as the row, or as a duplicate, which it makes a revision."""
    if not _is_known(old, row):
        return 1
    return min(1, max(0, len(old["deliveries"]) - 1 - int(old["revisions"])))


def _count_duplicate(table: Table, old: Item, row: Item) -> None:
    if len(old.get("deliveries", ())) < KEPT_DELIVERIES:
        table.update(row["PK"], row["SK"], "ADD deliveries :deliveries", deliveries=row["deliveries"])
    else:
        table.update(row["PK"], row["SK"], "ADD more_duplicates :one", one=1)


def _release_waiting(table: Table, row: Item, old: Item | None, scope: str) -> bool:
    """Replies that came before the post they answer now learn whose timeline they stand on."""
    if old and old.get("awaited_by"):
        release(table, row["PK"], row["SK"], old["awaited_by"], row.get("identities", []), scope)
    return bool(old and old.get("awaited_by"))
