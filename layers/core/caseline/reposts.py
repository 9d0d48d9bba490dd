"""A repost is reach, not a case: who passes a post on adds their audience to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caseline.signals import DELETED, INBOUND, Signal, signal_id
from caseline.table import ConditionFailed, Item, Table
from caseline.timeline import EXPECTED, signal_key

KEPT_REPOSTS = 200  # of a post's row; the policy's reach has long reached its most by then
NOBODY: dict[str, int] = {}


def is_repost(signal: Signal) -> bool:
    return signal.kind == "repost" and bool(signal.parent_id) and signal.direction == INBOUND and signal.action != DELETED


def spread(table: Table, repost: Item) -> None:
    """Note the repost's audience at the post, also where the post is still to come. Each repost counts once, however often this runs."""
    target = signal_key(signal_id(repost["channel"], repost["source"], repost["parent_id"]))
    firsts = {"state": "expected", "type": "kind", "signal_id": "id", "expires": "expires", "reposts": "nobody"}
    table.update(
        target["PK"], target["SK"], "SET " + ", ".join(f"{name} = if_not_exists({name}, :{value})" for name, value in firsts.items()),
        expected=EXPECTED, kind="signal", id=target["PK"].partition("#")[2], expires=repost["expires"], nobody=NOBODY,
    )
    try:
        table.update(
            target["PK"], target["SK"], "SET reposts.#by = :reach", "attribute_not_exists(reposts.#by) AND size(reposts) < :most",
            names={"#by": repost["signal_id"]}, reach=int(repost.get("reach") or 0), most=KEPT_REPOSTS,
        )
    except ConditionFailed:
        return


def engagement_of(row: Mapping[str, Any]) -> float:
    """As its platform counts it, and at least everybody who passed the post on: few platforms tell of likes after they told of a post."""
    return max(float(row.get("engagement") or 0), len(row.get("reposts", NOBODY)))


def audience_of(row: Mapping[str, Any]) -> int | None:
    """The author's audience and that of everybody who passed the post on; None where nobody's is known."""
    passed_on = sum(int(reach) for reach in row.get("reposts", NOBODY).values())
    return (row.get("reach") or 0) + passed_on if passed_on else row.get("reach")
