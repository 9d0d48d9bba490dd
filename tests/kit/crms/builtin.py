"""The built-in CRM over the test kit's table; accounts go in as CSV, as people bring them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn

from caseline.crm import builtin
from caseline.crm._builtin_contacts import PROFILE
from caseline.crm._builtin_csv import HEADER
from caseline.crm._builtin_import import import_accounts
from caseline.crm._builtin_rows import account_key, contact_key
from caseline.table import Table

from tests.kit.aws import aws
from tests.kit.crms import NOW, StoredCase

LACKS = {
    "merge": "its cases are not merged",
    "lock": "it is written under conditions, by nobody for long",
    "drop": "its fields are its own",
    "parts": "it takes no requests",
    "plan": "its fields are its own",
    "apply": "its fields are its own",
    "webhook": "people work with it through Caseline itself",
}


class BuiltinWorld:
    """It is reached through the table: there is no wire, no login, and no call to count."""

    wire = None
    simulator = None

    def __init__(self, table: Table) -> None:
        self.table, self.now, self._accounts, self._contacts = table, NOW, dict[str, dict[str, str]](), 0

    def adapter(self, impatient: bool = False, session: Any = None, **settings: Any) -> Any:
        return builtin.create(settings, table=self.table, clock=lambda: self.now)

    def calls(self) -> int:
        return 0

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def add_account(self, name: str, tier: str = "", deal_value: str = "", renewal_date: str = "") -> str:
        account_id = f"A-{len(self._accounts) + 1}"
        self._accounts[account_id] = {"account_id": account_id, "account_name": name, "tier": tier, "deal_value": deal_value, "renewal_date": renewal_date}
        return account_id

    def add_contact(self, account_id: str, name: str, email: str = "", phone: str = "", handles: str = "") -> str:
        self._contacts += 1
        contact = {"contact_id": f"C-{self._contacts}", "contact_name": name, "email": email, "phone": phone, "handles": handles}
        self._accounts[account_id] |= contact
        self._bring(account_id)
        return contact["contact_id"]

    def set_tier(self, account_id: str, tier: str) -> None:
        self._accounts[account_id]["tier"] = tier
        self._bring(account_id)

    def _bring(self, account_id: str) -> None:
        report = import_accounts(self.table, as_csv([self._accounts[account_id]]), self.now)
        assert not report.errors, report.errors

    def cases(self) -> list[StoredCase]:
        crm = self.adapter()
        return [_stored(crm.read_case(row["case_key"])) for status in ("open", "pending", "closed") for row in crm.most_urgent(status, 1_000)]

    def lose_case(self, crm_id: str) -> None:
        self.adapter().delete_case(crm_id, "ann")

    def close_case(self, crm_id: str, outcome: str = "") -> None:
        self.adapter().update_case(crm_id, "ann", status="closed", **({"outcome": outcome} if outcome else {}))

    def reopen_case(self, crm_id: str) -> None:
        self.adapter().update_case(crm_id, "ann", status="open")

    def set_band(self, crm_id: str, band: str) -> None:
        self.adapter().update_case(crm_id, "ann", band=band)

    def set_owner(self, crm_id: str, owner: str) -> None:
        self.adapter().update_case(crm_id, "ann", owner=owner)

    def comment(self, crm_id: str, text: str, public: bool = False) -> None:
        self.adapter().update_case(crm_id, "ann", public, note=text)

    def contact_values(self, contact_id: str) -> dict[str, Any]:
        return _profile_of(self.table.get(*contact_key(contact_id)) or {})

    def account_values(self, account_id: str) -> dict[str, Any]:
        return _profile_of(self.table.get(*account_key(account_id)) or {})

    def contacts(self) -> int:
        found = self.table.client.scan(TableName=self.table.name, FilterExpression="SK = :c", ExpressionAttributeValues={":c": {"S": "CONTACT"}})
        return int(found["Count"])

    def webhook(self, kind: str, crm_id: str) -> None:
        return None

    def _has_none(self, *_: Any, **__: Any) -> NoReturn:
        """Its cases are neither merged nor locked, and its fields are its own."""
        raise NotImplementedError

    merge_case = lock_case = drop_field = expire_login = refuse_login = _has_none


def _stored(row: dict[str, Any]) -> StoredCase:
    notes, status = [note["text"] for note in row["notes"]], "closed" if row["status"] == "closed" else "open"
    return StoredCase(
        row["case_key"], row["case_key"], row["version"], row["score"], row["auto_band"], "\n".join(row["reasons"]), notes, status, row["owner"], row["band"]
    )


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


def _profile_of(row: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(PROFILE): value for name, value in row.items() if name.startswith(PROFILE) and name != "profile_at"}
