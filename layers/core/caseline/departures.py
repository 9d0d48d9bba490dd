"""A customer goes with the last of their signals: the table's stream tells of it. No policy here, whose libraries would weigh on every record."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from caseline.cases.inbound import account_key
from caseline.customers import customer_id_of, identity_key, load_customers
from caseline.publishing import Happening
from caseline.table import ConditionFailed, Item, Table, key


def forget_customers(table: Table, happenings: Sequence[Happening], scope_of: Callable[[str], str], crm: str) -> None:
    """Of whom the last signal has gone, and no case is kept, nothing is kept. Told by the table's stream; to be told twice changes nothing."""
    gone = [happening.old for happening in happenings if happening.old.get("type") == "signal" and not happening.new and happening.old.get("identities")]
    roots = load_customers(table, {customer_id_of(row["identities"][0], scope_of(row["brand"])) for row in gone}) if gone else {}
    for customer in {row["customer_id"]: row for row in roots.values()}.values():
        if not _is_known(table, customer):
            _forget_customer(table, customer, crm)


def _is_known(table: Table, customer: Item) -> bool:
    """Whether anything stands on the timeline but how the identities were linked."""
    partitions = (identity_key(identity, customer.get("scope", "")) for identity in customer["identities"])
    return any(row["type"] != "link" and row["type"] != "customer" for partition in partitions for row in table.query(partition, index="timeline"))


def _forget_customer(table: Table, customer: Item, crm: str) -> None:
    """The root last, and only as it was read: whoever spoke meanwhile stays."""
    ids = {customer_id_of(identity, customer.get("scope", "")) for identity in customer["identities"]} | {customer["customer_id"]}
    nodes = sorted(table.get_many([key(f"CUSTOMER#{each}", "CUSTOMER") for each in sorted(ids)]), key=lambda row: row["customer_id"] == customer["customer_id"])
    account = customer.get("account") or {}
    for node in nodes:
        rows = [account_key(crm, account[name], str(node["customer_id"])) for name in ("account_id", "contact_id") if account.get(name)]
        rows += [*table.query(f"CLAIMS#{node['customer_id']}"), *table.query(node["PK"], prefix="HISTORY#")]
        for row in (*rows, key(f"PROFILE#{node['customer_id']}", "PROFILE")):
            table.delete(str(row["PK"]), str(row["SK"]))
        try:
            table.delete(node["PK"], node["SK"], "version = :read", read=node["version"])
        except ConditionFailed:
            return
