"""Import of accounts and contacts into the built-in CRM. Importing again updates; a bad row is reported, the good ones go in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any

from caseline.crm import Change
from caseline.crm._builtin_csv import ContactRow, CsvFault, read_rows
from caseline.crm._builtin_log import row_of
from caseline.crm._builtin_rows import ACCOUNT_FIELDS, Row, account_key, contact_key, identity_key, keyed
from caseline.signals import isoformat
from caseline.table import Item, Table

# Rows that are compared with what stands in one read.
CHUNK = 100


@dataclass
class Tally:
    created: int = 0
    updated: int = 0
    unchanged: int = 0

    @property
    def total(self) -> int:
        return self.created + self.updated + self.unchanged


@dataclass
class ImportReport:
    """What came of a file. `errors` are in its order, each with line, column and what to write; `touched` are identities it says something new about."""

    accounts: Tally = field(default_factory=Tally)
    contacts: Tally = field(default_factory=Tally)
    errors: list[CsvFault] = field(default_factory=list)
    touched: set[str] = field(default_factory=set, compare=False)


def import_accounts(table: Table, data: bytes, now: datetime) -> ImportReport:
    """`data` is the file as it stands on disk. An account's or a contact's last row counts; a blank account cell leaves what an earlier row said."""
    report = ImportReport()
    accounts, contacts = _collect(read_rows(data), report.errors)
    changed: set[str] = set()
    for chunk in _chunks(accounts.values()):
        pairs = _save(table, [_named(account) for account in chunk], account_key, "account_id", report.accounts, now)
        news = [account for before, account in pairs if _differs(before, account)]
        changed |= {account["account_id"] for account in news}
        _tell(table, [Change("account", account["account_id"], now, fields=_facts(account), by="import") for account in news])
    for chunk in _chunks(contacts.values()):
        pairs = _save_contacts(table, chunk, report.contacts, now)
        report.touched.update(name for before, new in pairs if _differs(before, new) or new["account_id"] in changed for name in new["identities"])
        _tell(table, [Change("contact", new["contact_id"], now, fields=_person(new), by="import") for before, new in pairs if _differs(before, new)])
    return report


def _tell(table: Table, changes: Sequence[Change]) -> None:
    """To whoever reads what happens in the CRM; a file that is brought twice at an instant says the same."""
    table.insert_many([row_of(replace(change, event_id=f"{change.kind}#{change.crm_id}")) for change in changes])


def _facts(account: Row) -> Row:
    return {name: account[name] for name in ACCOUNT_FIELDS if account[name]}


def _person(contact: Row) -> Row:
    return {name: contact[name] for name in ("account_id", "name", "identities")}


def _collect(rows: Iterator[ContactRow | CsvFault], errors: list[CsvFault]) -> tuple[dict[str, Row], dict[str, Row]]:
    accounts: dict[str, Row] = {}
    contacts: dict[str, Row] = {}
    for row in rows:
        if isinstance(row, CsvFault):
            errors.append(row)
            continue
        account, contact = _account(row.cells), _contact(row)
        earlier = accounts.get(account["account_id"], {})
        accounts[account["account_id"]] = {name: value or earlier.get(name, "") for name, value in account.items()}
        contacts[contact["contact_id"]] = contact
    return accounts, contacts


def _account(cells: Mapping[str, str]) -> Row:
    return {"account_id": cells["account_id"], "name": cells["account_name"], **{name: cells[name] for name in ACCOUNT_FIELDS}}


def _named(account: Row) -> Row:
    return {**account, "name": account["name"] or account["account_id"]}


def _contact(row: ContactRow) -> Row:
    cells = row.cells
    return {"contact_id": cells["contact_id"], "account_id": cells["account_id"], "name": cells["contact_name"], "identities": list(row.identities)}


def _save_contacts(table: Table, contacts: Sequence[Row], tally: Tally, now: datetime) -> list[tuple[Row, Row]]:
    """The index rows come first and the stale ones go last: killed in between, a contact is still found by what its own row says."""
    table.insert_many([_link(identity, contact["contact_id"]) for contact in contacts for identity in contact["identities"]])
    pairs = _save(table, contacts, contact_key, "contact_id", tally, now)
    for before, contact in pairs:
        for identity in set(before.get("identities", ())) - set(contact["identities"]):
            table.delete(*identity_key(identity, contact["contact_id"]))
    return pairs


def _link(identity: str, contact_id: str) -> Item:
    return keyed(identity_key(identity, contact_id), type="crm_identity")


def _save(table: Table, rows: Sequence[Row], key: Any, id_name: str, tally: Tally, now: datetime) -> list[tuple[Row, Row]]:
    """Write what differs; returns each row with what stood before. Only the file's own fields are set: counts of open cases stay."""
    standing = {item["PK"]: item for item in table.get_many([keyed(key(row[id_name])) for row in rows])}
    pairs = [(standing.get(key(row[id_name])[0], {}), row) for row in rows]
    for before, row in pairs:
        differs = _differs(before, row)
        outcome = "unchanged" if not differs else "updated" if id_name in before else "created"
        setattr(tally, outcome, getattr(tally, outcome) + 1)
        if differs:
            _set(table, key(row[id_name]), {**row, "type": f"crm_{id_name.removesuffix('_id')}", "updated_at": isoformat(now)})
    return pairs


def _differs(before: Row, row: Row) -> bool:
    return {name: before.get(name) for name in row} != row


def _set(table: Table, key: tuple[str, str], values: Row) -> None:
    assignments = ", ".join(f"#{name} = :{name}" for name in values)
    table.update(*key, f"SET {assignments}", names={f"#{name}": name for name in values}, **values)


def _chunks(rows: Any) -> Iterator[list[Row]]:
    waiting = iter(rows)
    while chunk := list(islice(waiting, CHUNK)):
        yield chunk
