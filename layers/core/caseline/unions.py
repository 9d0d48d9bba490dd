"""Customers joined and split by people. A split restores what was before the link, and stands against the next link of the same two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caseline.cases.merging import settle_merges
from caseline.cases.rescoring import rescore_customers
from caseline.customers import FAN_IN_CAP, Claimed, customer_id_of, identity_key, join_writes, load_customer, nodes_of
from caseline.errors import ConflictError, NotFoundError
from caseline.table import ConditionFailed, Item, Table, key

ATTEMPTS = 8
UNDONE = "REMOVE merged_into, linked_at, at, lacked, linked_by, why, known_by"


@dataclass(frozen=True)
class Unions:
    """`by` is the person, `now` the time of what they do."""

    table: Table
    by: str
    now: str

    def merge(self, customer_id: str, other_id: str, why: str = "") -> str:
        """Join two customers; returns the id of the older, which stands. ConflictError where they are of two CRM contacts. Safe to repeat."""
        for _ in range(ATTEMPTS):
            one, other = self._root(customer_id), self._root(other_id)
            if one["customer_id"] == other["customer_id"]:
                return self._follow(str(one["customer_id"]))
            winner, loser = sorted((one, other), key=lambda row: (row["first_seen"], row["customer_id"]))
            _check(winner, loser)
            claimed = Claimed((), f"person:{self.by}", self.now, "verified", scope=winner.get("scope", ""), by=self.by, why=why)
            try:
                self.table.transact(*join_writes(self.table, claimed, _reconciled(winner, loser), [_reconciled(loser, winner)]))
            except ConditionFailed:
                continue
            return self._follow(str(winner["customer_id"]))
        raise ConflictError("the customers keep changing; try again")

    def split(self, customer_id: str, identity: str = "", why: str = "") -> tuple[str, str]:
        """Undo the link by which a merged customer, or the one identity of a customer, was joined; returns both ids. Safe to repeat.

        Where people had joined the identity's customer to another, that is undone, and all that came with it goes; else the identity goes alone.
        """
        named = customer_id_of(identity, self._root(customer_id).get("scope", "")) if identity else customer_id
        for _ in range(ATTEMPTS):
            root = self._root(named, f"nobody has the identity {identity}" if identity else "")
            if root["customer_id"] == named or _is_parting(root):
                return self._split_before(root)
            if self._root(customer_id)["customer_id"] != root["customer_id"]:
                raise NotFoundError(f"{identity} is another customer's")
            nodes = load_nodes(self.table, root)
            if named not in nodes:
                raise NotFoundError(f"no link of {named}")
            node_id = _joined_by_people(nodes, named)
            try:
                self.table.transact(*self._split_writes(root, nodes, node_id, why))
            except ConditionFailed:
                continue
            self._follow(node_id)
            return self._follow(str(root["customer_id"])), node_id
        raise ConflictError("the customers keep changing; try again")

    def _split_before(self, row: Item) -> tuple[str, str]:
        """A split that died before the cases had followed goes on; what was never joined cannot be split."""
        if not row.get("parting"):
            raise ConflictError(f"this was not joined to another customer; {_say_joined(load_nodes(self.table, row), row)}")
        root_id, node_id = str(row["parting"][-1]).split(">")
        self._follow(node_id)
        return self._follow(root_id), node_id

    def _split_writes(self, root: Item, nodes: Mapping[str, Item], node_id: str, why: str) -> list[Mapping[str, Any]]:
        node, path = nodes[node_id], chain(nodes, node_id)[1:]
        going = [identity for identity in root["identities"] if node_id in (row["customer_id"] for row in chain(nodes, _node_of(root, identity)))]
        marks = {"parting": [f"{root['customer_id']}>{node_id}"], "version": node["version"] + 1, **node.get("known_by", {})}
        writes = [
            self._update(node, {"identities": going, "apart": _with_pair(node, node_id, root["customer_id"], set(going)), **marks}, UNDONE + ", account_as_of")
        ]
        lacked = set(node.get("lacked", ()))
        for row in path:
            writes.append(self._without(row, node, going, lacked, row is path[-1]))
            lacked &= set(row.get("lacked", ()))
        return [*writes, *(self.table.put_write(line) for line in self._told(root, node, why))]

    def _without(self, row: Item, node: Item, going: Sequence[str], lacked: set[str], is_root: bool) -> Mapping[str, Any]:
        """One of those above the split customer, as it was without it."""
        stays = [identity for identity in row["identities"] if identity not in set(going)]
        changes: dict[str, Any] = {"identities": stays, "version": row["version"] + 1}
        if "name" in lacked and row.get("name") == node.get("name"):
            changes["name"] = None
        gone = ["account_as_of"]
        if "contact" in lacked and row.get("contact"):
            changes["contact"] = ""
            gone += ["account", "match", "candidates", "asked_for"]
        if is_root:
            changes["apart"] = _with_pair(row, row["customer_id"], node["customer_id"], set(stays))
            changes["parting"] = [*row.get("parting", []), f"{row['customer_id']}>{node['customer_id']}"]
        return self._update(row, changes, "REMOVE " + ", ".join(gone))

    def _update(self, row: Item, changes: Mapping[str, Any], removed: str) -> Mapping[str, Any]:
        expression = "SET " + ", ".join(f"{name} = :{name}" for name in changes) + " " + removed
        same = "version = :same AND " + ("merged_into = :into" if row.get("merged_into") else "attribute_not_exists(merged_into)")
        into = {"into": row["merged_into"]} if row.get("merged_into") else {}
        return self.table.update_write(row["PK"], row["SK"], expression, same, same=row["version"], **into, **changes)

    def _told(self, root: Item, node: Item, why: str) -> list[Item]:
        """On both timelines: who split them and why, and what the link rested on."""
        undone = {name: node.get(name) for name in ("provenance", "trust", "linked_at", "linked_by")}
        facts = {"type": "link", "schema": 1, "what": "split", "by": self.by, "why": why, "undone": undone, "from": root["customer_id"], "at_time": self.now}
        rows = [(row, row["identity"], f"{self.now}#split#{row['customer_id']}#{node['customer_id']}") for row in (root, node)]
        return [key(row["PK"], f"HISTORY#{at}") | facts | {"identity": identity, "at": at, "split": node["customer_id"]} for row, identity, at in rows]

    def _follow(self, customer_id: str) -> str:
        settle_merges(self.table, customer_id, self.now)
        rescore_customers(self.table, [customer_id], self.now)
        return customer_id

    def _root(self, customer_id: str, otherwise: str = "") -> Item:
        row = load_customer(self.table, customer_id)
        if row is None:
            raise NotFoundError(otherwise or f"no customer {customer_id}")
        return row


def load_nodes(table: Table, root: Item) -> dict[str, Item]:
    """The rows of all identities of a customer, by their own ids; one read."""
    rows = table.get_many([key(f"CUSTOMER#{node_id}", "CUSTOMER") for node_id in sorted(nodes_of(root) | {root["customer_id"]})])
    return {str(row["customer_id"]): row for row in rows}


def chain(nodes: Mapping[str, Item], node_id: str) -> list[Item]:
    """A node and those above it, up to the root."""
    found: list[Item] = []
    while (row := nodes.get(node_id)) is not None and row not in found:
        found.append(row)
        node_id = str(row.get("merged_into", ""))
    return found


def _joined_by_people(nodes: Mapping[str, Item], node_id: str) -> str:
    """The node on the way up that a person joined last; the node itself where nobody did."""
    joined = [row for row in chain(nodes, node_id) if row.get("merged_into") and row.get("linked_by")]
    return str(max(joined, key=lambda row: str(row["linked_at"]))["customer_id"]) if joined else node_id


def _is_parting(root: Item) -> bool:
    """Whether it was split off, and its cases have yet to follow."""
    return any(str(pair).endswith(f">{root['customer_id']}") for pair in root.get("parting", ()))


def show_links(table: Table, root: Item) -> list[dict[str, Any]]:
    """How each identity came to be this customer's: `{customer_id, identity, identities, joined_to, at, provenance, trust, by, why}`, the oldest first."""
    nodes, scope = load_nodes(table, root), str(root.get("scope", ""))
    plain = {node_id: str(row["identity"]).removeprefix(identity_key("", scope)) for node_id, row in nodes.items()}
    links = [
        {
            "customer_id": node_id, "identity": plain[node_id], "identities": list(row["identities"]), "joined_to": row.get("merged_into"),
            "at": row.get("linked_at") or row["first_seen"], "provenance": row.get("provenance"), "trust": row.get("trust"),
            "by": row.get("linked_by"), "why": row.get("why"),
        }
        for node_id, row in nodes.items()
    ]  # fmt: skip
    return sorted(links, key=lambda link: (link["joined_to"] is not None, str(link["at"]), str(link["customer_id"])))


def read_splits(table: Table, root: Item) -> list[Item]:
    """What was split from or off this customer, each once, the newest first; one query for each identity."""
    nodes = sorted(nodes_of(root) | {str(root["customer_id"])})
    rows = [row for node_id in nodes for row in table.query(f"CUSTOMER#{node_id}", prefix="HISTORY#") if row.get("what") == "split"]
    return sorted({(row["at_time"], row["split"]): row for row in rows}.values(), key=lambda row: str(row["at_time"]), reverse=True)


def _say_joined(nodes: Mapping[str, Item], root: Item) -> str:
    """Which of its own can be split off."""
    scope = str(root.get("scope", ""))
    joined = [str(row["identity"]).removeprefix(identity_key("", scope)) for row in nodes.values() if row.get("merged_into")]
    return f"split off one of those that were joined to it: {', '.join(sorted(joined)[:9])}" if joined else "and nothing was joined to it"


def _check(winner: Item, loser: Item) -> None:
    contacts = sorted({str(row["contact"]) for row in (winner, loser) if row.get("contact")})
    if len(contacts) > 1:
        raise ConflictError(f"the CRM knows these as two contacts, {' and '.join(contacts)}; merge them there first")
    if winner.get("scope", "") != loser.get("scope", ""):
        raise ConflictError("these are customers of two brands, which this installation keeps apart")
    if len({*winner["identities"], *loser["identities"]}) > FAN_IN_CAP:
        raise ConflictError(f"a customer has at most {FAN_IN_CAP} identities")


def _reconciled(row: Item, other: Item) -> Item:
    """A person who joins two takes back that they were split."""
    foes = nodes_of(other)
    return {**row, "apart": [pair for pair in row.get("apart", ()) if pair.partition(">")[2] not in foes]}


def _with_pair(row: Item, own: str, foe: str, identities: set[str]) -> list[str]:
    """What a customer is kept apart from: the pairs of the nodes that it still has, and the new one."""
    nodes = {customer_id_of(identity, row.get("scope", "")) for identity in identities}
    return sorted({*(pair for pair in row.get("apart", ()) if pair.partition(">")[0] in nodes), f"{own}>{foe}"})


def _node_of(root: Item, identity: str) -> str:
    return customer_id_of(identity, root.get("scope", ""))
