"""The built-in CRM over the test kit's table; accounts go in as CSV, as people bring them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from caseline.crm import builtin
from caseline.crm._builtin_csv import HEADER
from caseline.crm._builtin_import import import_accounts
from caseline.table import Table

from tests.kit.aws import aws
from tests.kit.crms import NOW, StoredCase


class BuiltinWorld:
    wire = None

    def __init__(self, table: Table) -> None:
        self.table, self._accounts, self._count = table, {}, 0  # type: ignore[var-annotated]

    def adapter(self, impatient: bool = False) -> Any:
        return builtin.create(table=self.table, clock=lambda: NOW)

    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        account_id = f"A-{self._next()}"
        self._accounts[account_id] = {"account_id": account_id, "account_name": name, "tier": tier, "deal_value": deal_value, "renewal_date": renewal_date}
        return account_id

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        contact_id = f"C-{self._next()}"
        row = {**self._accounts[account_id], "contact_id": contact_id, "contact_name": name, "email": email, "phone": phone, "handles": handles}
        report = import_accounts(self.table, as_csv([row]), NOW)
        assert not report.errors, report.errors
        return contact_id

    def cases(self) -> list[StoredCase]:
        rows = [row for status in ("open", "pending", "closed") for row in self.adapter().list_cases(status)]
        return [self._stored(row["case_key"]) for row in rows]

    def lose_case(self, crm_id: str) -> None:
        self.table.delete(f"CRM#CASE#{crm_id}", "CASE")

    def _stored(self, crm_id: str) -> StoredCase:
        row = self.adapter().read_case(crm_id)
        notes = [note["text"] for note in row["notes"]]
        return StoredCase(crm_id, row["case_key"], row["version"], row["score"], row["band"], "\n".join(row["reasons"]), notes)

    def _next(self) -> int:
        self._count += 1
        return self._count


def as_csv(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@contextmanager
def world() -> Iterator[BuiltinWorld]:
    with aws() as cloud:
        yield BuiltinWorld(Table(cloud.client("dynamodb"), cloud.table))
