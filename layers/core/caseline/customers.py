"""A customer is an alias graph over identities: one node a row, `merged_into` its edges, the root the customer.

Merging or splitting customers moves no timeline row, because the timeline is kept by identity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from caseline.table import ConditionFailed, Item, Table, key

FAN_IN_CAP = 50
SHARED_MAILBOXES = frozenset("info contact hello support office sales admin help service team noreply no-reply".split())


@dataclass(frozen=True)
class Claimed:
    """Identities that `provenance` (`signal:<id>` or `crm:<name>:<contact id>`) says belong to one person.

    `contact` is the CRM contact's id where a CRM says so: two customers of different contacts are never joined. `by` and `why` are a person's.
    `most` is how many identities a customer may have: what would join more (an office phone) joins nobody further.
    """

    identities: Sequence[str]
    provenance: str
    at: str
    trust: str = "asserted"
    name: str | None = None
    contact: str = ""
    scope: str = ""
    by: str = ""
    why: str = ""
    most: int = FAN_IN_CAP


def customer_id_of(identity: str, scope: str = "") -> str:
    """The node of an identity; `scope` is the brand where customers must not span brands."""
    return "cus_" + hashlib.sha256(f"{scope}|{identity}".encode("utf-8", "surrogatepass")).hexdigest()[:24]


def identity_key(identity: str, scope: str = "") -> str:
    """The partition of the index `timeline` that holds everything of an identity."""
    return f"IDENTITY#{scope}|{identity}" if scope else f"IDENTITY#{identity}"


def load_customer(table: Table, customer_id: str) -> Item | None:
    """The customer an id stands for after all merges, None if there is none."""
    return load_customers(table, [customer_id]).get(customer_id)


def load_customers(table: Table, customer_ids: Iterable[str]) -> dict[str, Item]:
    """Each id that exists, with the root it resolves to; one batch read for each length of a merge chain."""
    nodes: dict[str, Item] = {}
    wanted = set(customer_ids)
    asked = set(wanted)
    while wanted:
        nodes |= {row["customer_id"]: row for row in table.get_many([_key(customer_id) for customer_id in sorted(wanted)])}
        wanted = {row["merged_into"] for row in nodes.values() if row.get("merged_into")} - set(nodes)
    return {customer_id: _root(nodes, customer_id) for customer_id in asked if customer_id in nodes}


def new_nodes(claimed: Claimed) -> list[Item]:
    """The rows of identities nobody has seen yet: the first is the customer, the others point to it."""
    linkable = linkable_identities(claimed.identities, claimed.most)
    root = customer_id_of(linkable[0], claimed.scope)
    return [_node(claimed, linkable[0], linkable), *(_alias(claimed, identity, root) for identity in linkable[1:])]


def linkable_identities(identities: Sequence[str], most: int = FAN_IN_CAP) -> list[str]:
    """All but shared mailboxes, which would join strangers; the first always stands. No more than one customer may have."""
    return [identity for i, identity in enumerate(dict.fromkeys(identities)) if i == 0 or not _is_shared(identity)][:most]


def link(table: Table, claimed: Claimed) -> tuple[str, bool]:
    """Join the identities to one customer; returns its id, and whether customers were merged whose open cases are to follow.

    The oldest customer stands. Nothing is joined across two CRM contacts, past the cap of identities, or against what a person has split.
    """
    for _ in range(8):
        try:
            plan = _plan(table, claimed)
            if plan.writes:
                table.transact(*plan.writes)
            return plan.winner, bool(plan.losers)
        except ConditionFailed:
            continue
    raise ConditionFailed()


@dataclass(frozen=True)
class _Plan:
    winner: str
    losers: list[str]
    writes: list[Mapping[str, Any]]


def _plan(table: Table, claimed: Claimed) -> _Plan:
    identities = linkable_identities(claimed.identities, claimed.most)
    ids = {identity: customer_id_of(identity, claimed.scope) for identity in identities}
    found = load_customers(table, ids.values())
    if rings := {row["customer_id"] for row in found.values() if row.get("merged_into")}:
        table.transact(*(_free_write(table, customer_id) for customer_id in sorted(rings)))
        found = load_customers(table, ids.values())
    left = [identity for identity in identities if ids[identity] not in found or not _has_passed_on(found[ids[identity]], identity, identities)]
    if not any(ids[identity] in found for identity in left):
        fresh_rows = new_nodes(replace(claimed, identities=left))
        return _Plan(ids[left[0]], [], [table.put_write(row, "attribute_not_exists(PK)") for row in fresh_rows])
    roots = _joinable([found[ids[identity]] for identity in left if ids[identity] in found], found, claimed)
    winner = min(roots, key=lambda row: (row["first_seen"], row["customer_id"]))
    losers = [row for row in roots if row is not winner]
    added, strays = _unlisted(identities, ids, found, roots, claimed.most)
    fresh = [identity for identity in added if ids[identity] not in found]
    others = _others(identities, ids, found, roots)
    writes = join_writes(table, claimed, winner, losers, added, fresh, others)
    writes += [_free_write(table, ids[identity]) for identity in strays if ids[identity] in found]
    return _Plan(winner["customer_id"], [*(row["customer_id"] for row in losers), *winner.get("merging", ())], writes)  # who joined them may have died


def _unlisted(identities: Sequence[str], ids: Mapping[str, str], found: Mapping[str, Item], roots: list[Item], most: int) -> tuple[list[str], list[str]]:
    """Identities that the joined customers do not list yet, and those for which there is no room.

    A new identity of a known customer points to it from `new_nodes` already, inserted before anyone knew how many there are.
    """
    listed, members = {identity for row in roots for identity in row["identities"]}, {row["customer_id"] for row in roots}
    unlisted = [i for i in identities if i not in listed and (ids[i] not in found or found[ids[i]]["customer_id"] in members)]
    room = max(0, most - len(listed))
    return unlisted[:room], unlisted[room:]


def _joinable(named: Sequence[Item], found: Mapping[str, Item], claimed: Claimed) -> list[Item]:
    """The roots that may be one person, in the order in which the claim names them."""
    ordered = list({row["customer_id"]: row for row in named}.values())
    chosen: list[Item] = []
    for row in (_own(row, found) for row in ordered):
        contacts = {c for c in (claimed.contact, row.get("contact"), *(other.get("contact") for other in chosen)) if c}
        size = sum(len(other["identities"]) for other in (*chosen, row))
        if not chosen or (len(contacts) <= 1 and size <= claimed.most and not any(are_apart(row, other) for other in chosen)):
            chosen.append(row)
    names = {row["customer_id"] for row in chosen}
    return [row for row in ordered if row["customer_id"] in names]


def _has_passed_on(row: Item, handle: str, claimed: Sequence[str]) -> bool:
    """Whether a handle (`x:@ann`) that the claim names was this customer's, and is now of another account of that platform: names are given up and taken."""
    platform, mark, _ = handle.partition(":@")
    if not mark:
        return False
    natives = [{i for i in each if i.startswith(f"{platform}:") and not i.startswith(f"{platform}:@")} for each in (claimed, row["identities"])]
    return all(natives) and not natives[0] & natives[1]


def _own(root: Item, found: Mapping[str, Item]) -> Item:
    """A root without what is another's by now."""
    mine = [i for i in root["identities"] if found.get(customer_id_of(i, root.get("scope", "")), root)["customer_id"] == root["customer_id"]]
    return {**root, "identities": mine}


def _others(identities: Sequence[str], ids: Mapping[str, str], found: Mapping[str, Item], roots: list[Item]) -> set[str]:
    """Identities of customers that are not joined: a first sighting listed them before anyone knew whose they are."""
    members = {row["customer_id"] for row in roots}
    return {identity for identity in identities if ids[identity] in found and found[ids[identity]]["customer_id"] not in members}


def are_apart(one: Item, other: Item) -> bool:
    """Whether a person has split them: `apart` holds pairs `<node of its own>><node of another>`, so that it can be divided when it is split again."""
    return bool(_foes(one) & nodes_of(other) or _foes(other) & nodes_of(one))


def _foes(row: Item) -> set[str]:
    return {pair.partition(">")[2] for pair in row.get("apart", ())}


def nodes_of(row: Mapping[str, Any]) -> set[str]:
    return {customer_id_of(identity, row.get("scope", "")) for identity in row["identities"]}


def join_writes(
    table: Table, claimed: Claimed, winner: Item, losers: list[Item], added: Sequence[str] = (), fresh: Sequence[str] = (), others: Iterable[str] = ()
) -> list[Mapping[str, Any]]:  # fmt: skip
    """What makes the losers the winner's; `added` identities come with them, `fresh` ones get their rows, `others` are not theirs."""
    contact = winner.get("contact") or next((row["contact"] for row in losers if row.get("contact")), "") or claimed.contact
    listed = dict.fromkeys([*winner["identities"], *(i for row in losers for i in row["identities"]), *added])
    identities = [identity for identity in listed if identity not in set(others)]
    name = winner.get("name") or claimed.name or next((row["name"] for row in losers if row.get("name")), None)
    merging = [*winner.get("merging", []), *(row["customer_id"] for row in losers)]
    apart = sorted({*winner.get("apart", ()), *(pair for row in losers for pair in row.get("apart", ()))})
    if identities == winner["identities"] and contact == winner.get("contact", "") and name == winner.get("name") and not losers:
        return []
    return [
        _winner_write(table, winner, identities=identities, contact=contact, name=name, merging=merging, **({"apart": apart} if apart else {})),
        *(_loser_write(table, claimed, row, winner) for row in losers),
        *(table.put_write(_alias(claimed, identity, winner["customer_id"]), "attribute_not_exists(PK)") for identity in fresh),
    ]


def _winner_write(table: Table, winner: Item, **changes: Any) -> Mapping[str, Any]:
    """`merging` names whose open cases are still to follow, for whoever comes next if we die before they do."""
    expression = "SET " + ", ".join(f"{name} = :{name}" for name in changes) + ", version = :next"
    return table.update_write(
        f"CUSTOMER#{winner['customer_id']}", "CUSTOMER", expression,
        condition="version = :version AND attribute_not_exists(merged_into)", version=winner["version"], next=winner["version"] + 1, **changes,
    )


def _free_write(table: Table, customer_id: str) -> Mapping[str, Any]:
    """An identity past the cap, or one of a ring, is a customer of its own again."""
    return table.update_write(f"CUSTOMER#{customer_id}", "CUSTOMER", "REMOVE merged_into, linked_at, at, lacked", "attribute_exists(merged_into)")


def _loser_write(table: Table, claimed: Claimed, loser: Item, winner: Item) -> Mapping[str, Any]:
    """`lacked` is what the winner did not know of itself: after a split it does not know it again. `known_by` is what the loser itself rested on."""
    said = {name: value for name, value in (("linked_by", claimed.by), ("why", claimed.why)) if value}
    values: dict[str, Any] = said | {
        "merged_into": winner["customer_id"], "provenance": claimed.provenance, "trust": claimed.trust, "linked_at": claimed.at,
        "at": f"{claimed.at}#link#{loser['customer_id']}", "lacked": [name for name in ("name", "contact") if not winner.get(name)],
        "known_by": {name: loser.get(name) for name in ("provenance", "trust")},
    }  # fmt: skip
    return table.update_write(
        f"CUSTOMER#{loser['customer_id']}", "CUSTOMER", "SET " + ", ".join(f"{name} = :{name}" for name in values) + ", version = :next",
        condition="version = :version AND attribute_not_exists(merged_into)", version=loser["version"], next=loser["version"] + 1, **values,
    )


def _node(claimed: Claimed, identity: str, identities: Sequence[str]) -> Item:
    customer_id = customer_id_of(identity, claimed.scope)
    return _key(customer_id) | {
        "type": "customer", "schema": 1, "customer_id": customer_id, "name": claimed.name, "identities": list(identities), "contact": claimed.contact,
        "first_seen": claimed.at, "version": 1, "provenance": claimed.provenance, "trust": claimed.trust, "identity": identity_key(identity, claimed.scope),
        "scope": claimed.scope,
    }


def _alias(claimed: Claimed, identity: str, root: str) -> Item:
    row = _node(claimed, identity, [identity])
    return row | {"merged_into": root, "linked_at": claimed.at, "at": f"{claimed.at}#link#{row['customer_id']}"}


def _root(nodes: Mapping[str, Item], customer_id: str) -> Item:
    """The end of the chain; of a ring, which two first sightings at the same instant can make, the same row whoever asks."""
    passed = [nodes[customer_id]]
    while (onward := nodes.get(passed[-1].get("merged_into", ""))) is not None:
        if onward in passed:
            return min(passed[passed.index(onward) :], key=lambda row: str(row["customer_id"]))
        passed.append(onward)
    return passed[-1]


def _is_shared(identity: str) -> bool:
    namespace, _, value = identity.partition(":")
    return namespace == "email" and value.partition("@")[0] in SHARED_MAILBOXES


def _key(customer_id: str) -> Item:
    return key(f"CUSTOMER#{customer_id}", "CUSTOMER")
