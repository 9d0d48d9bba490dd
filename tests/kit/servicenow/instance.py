"""The state of an instance: records by table, journals, deletions, and ServiceNow's habits when writing them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.kit.servicenow.errors import SnowError, no_record
from tests.kit.servicenow.schema import CLOSED, EXTENDS, FIELDS, JOURNALS, PREFIX, SYSTEM

BRIDGE, PERSON = "cx.bridge", "abel.tuter"
Row = dict[str, str]


class Instance:
    """`clock` is its time; `scripts` are values of queries that it was made to run."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock, self.scripts, self.numbers = clock, list[str](), 1_000
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in FIELDS}
        self.added: dict[str, dict[str, str]] = {name: {} for name in FIELDS}
        for table, fields in FIELDS.items():
            for element, kind in fields.items():
                self._describe(table, element, kind)
        self.insert("sys_user", {"user_name": BRIDGE, "time_zone": "GMT"}, "system")

    # Definitions.
    def fields(self, table: str) -> dict[str, str]:
        """All of a table's, with their types; its own, those it inherits and the system's."""
        if table not in FIELDS:
            raise SnowError(400, f"Invalid table {table}")
        inherited = self.fields(EXTENDS[table]) if table in EXTENDS else SYSTEM
        return {**inherited, **FIELDS[table], **self.added[table]}

    def _describe(self, table: str, element: str, kind: str, **more: str) -> None:
        sys_id = uuid.uuid4().hex
        self.tables["sys_dictionary"][sys_id] = {"sys_id": sys_id, "name": table, "element": element, "internal_type": kind.split(":")[0].split(">")[0], **more}

    def add_field(self, table: str, element: str, kind: str = "string", length: int = 0) -> None:
        self.added[table][element] = f"{kind}:{length}" if length else kind
        self._describe(table, element, kind)

    def drop_field(self, table: str, element: str) -> None:
        del self.added[table][element]
        rows = self.tables["sys_dictionary"]
        for sys_id in [key for key, row in rows.items() if (row["name"], row["element"]) == (table, element)]:
            del rows[sys_id]
        for row in self.tables[table].values():
            row.pop(element, None)

    # Records.
    def rows(self, table: str) -> list[Row]:
        self.fields(table)
        return list(self.tables[table].values())

    def find(self, table: str, sys_id: str) -> Row:
        self.fields(table)
        if sys_id not in self.tables[table]:
            raise no_record()
        return self.tables[table][sys_id]

    def insert(self, table: str, values: Mapping[str, Any], user: str) -> Row:
        row: Row = {"sys_id": uuid.uuid4().hex, "sys_created_on": self._now(), "sys_created_by": user, "sys_mod_count": "0"}
        if table in PREFIX:
            self.numbers += 1
            row["number"] = f"{PREFIX[table]}{self.numbers:07d}"
        if table == "sn_customerservice_case":
            row |= {"state": "1", "priority": "4", "active": "true", "opened_at": self._now()}
        kept = self._kept(table, values)
        self._check(table, {**row, **kept}, "")
        self.tables[table][row["sys_id"]] = row
        self._store(table, row, kept, user, force=True)
        if table == "sys_dictionary":
            self._learn(row)
        return row

    def update(self, table: str, sys_id: str, values: Mapping[str, Any], user: str) -> Row:
        row, kept = self.find(table, sys_id), self._kept(table, values)
        self._check(table, {**row, **kept}, sys_id)
        self._store(table, row, kept, user)
        return row

    def delete(self, table: str, sys_id: str, user: str) -> None:
        row = self.find(table, sys_id)
        del self.tables[table][sys_id]
        if not table.startswith("sys_"):
            self.insert("sys_audit_delete", {"tablename": table, "documentkey": sys_id, "display_value": row.get("number", row.get("name", ""))}, user)

    def _kept(self, table: str, values: Mapping[str, Any]) -> Row:
        """What ServiceNow makes of a body: unknown fields are dropped without a word, texts cut to their length."""
        fields = self.fields(table)
        return {name: self._cut(fields[name], _text(value)) for name, value in values.items() if name in fields and name not in SYSTEM}

    def _cut(self, kind: str, text: str) -> str:
        length = kind.partition(":")[2]
        return text[: int(length)] if length else text

    def _check(self, table: str, row: Mapping[str, str], sys_id: str) -> None:
        if table == "sn_customerservice_case" and row.get("state") in ("3", "6") and not (row.get("resolution_code") and row.get("close_notes")):
            raise SnowError(403, "Operation Failed", "Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes")
        for element in self._unique(table):
            others = (other for key, other in self.tables[table].items() if key != sys_id)
            if row.get(element) and any(other.get(element) == row[element] for other in others):
                raise SnowError(403, "Operation Failed", f"Error during insert of {table}: Unique Key violation detected by database")

    def _unique(self, table: str) -> list[str]:
        return [row["element"] for row in self.tables["sys_dictionary"].values() if row["name"] == table and row.get("unique") == "true"]

    def _store(self, table: str, row: Row, kept: Row, user: str, force: bool = False) -> None:
        """Journals are appended to and read back empty; a write that changes nothing is none."""
        journals = self.journals(table)
        entries = {name: text for name, text in kept.items() if name in journals and text}
        values = {name: text for name, text in kept.items() if name not in journals}
        for name, text in entries.items():
            self.insert("sys_journal_field", {"name": table, "element": name, "element_id": row["sys_id"], "value": text}, user)
        if not (force or entries or any(row.get(name, "") != text for name, text in values.items())):
            return
        row |= values
        row |= {"sys_updated_on": self._now(), "sys_updated_by": user, "sys_mod_count": str(int(row["sys_mod_count"]) + 1)}
        if table == "sn_customerservice_case":
            row["active"] = "false" if row["state"] in CLOSED else "true"
        if table in ("customer_contact", "csm_consumer"):
            row["name"] = " ".join(filter(None, [row.get("first_name", ""), row.get("last_name", "")]))

    def _learn(self, row: Row) -> None:
        """A new row of the dictionary is a new field."""
        table, element = row.get("name", ""), row.get("element", "")
        if table not in FIELDS or element in self.fields(table):
            raise SnowError(403, "Operation Failed", "Invalid insert: the table is not there, or the field is")
        kind, length = row.get("internal_type", "string"), row.get("max_length", "")
        self.added[table][element] = f"{kind}:{length}" if kind == "string" and length else kind

    def journals(self, table: str) -> list[str]:
        return [name for name, kind in self.fields(table).items() if name in JOURNALS and kind == "journal_input"]

    # Reading.
    def walk(self, table: str, row: Row, path: str) -> str | None:
        """A value along references; None where there is no such field."""
        name, _, rest = path.partition(".")
        kind = self.fields(table).get(name)
        if kind is None:
            return None
        if not rest:
            return row.get(name, "")
        target = kind.partition(">")[2]
        if not target:
            return None
        other = self.tables[target].get(row.get(name, ""))
        if other is None:
            return "" if rest.partition(".")[0] in self.fields(target) else None
        return self.walk(target, other, rest)

    def journal(self, row: Row, element: str) -> str:
        """As the display value has it: newest first, each entry under a line of who wrote it when."""
        label = {"comments": "Additional comments", "work_notes": "Work notes"}[element]
        entries = [each for each in self.tables["sys_journal_field"].values() if (each["element_id"], each["element"]) == (row["sys_id"], element)]
        return "".join(f"{each['sys_created_on']} - {each['sys_created_by']} ({label})\n{each['value']}\n\n" for each in reversed(entries))

    def references(self, table: str) -> Iterator[tuple[str, str]]:
        for name, kind in self.fields(table).items():
            if kind.startswith("reference>"):
                yield name, kind.partition(">")[2]

    def _now(self) -> str:
        return f"{self.clock().astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _text(value: Any) -> str:
    """All values are texts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value if isinstance(value, str) else str(value)
