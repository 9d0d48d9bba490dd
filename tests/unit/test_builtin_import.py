"""Accounts from CSV files as people have them: good, changed, faulty, and saved by a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from caseline.crm import builtin
from caseline.crm._builtin_csv import HEADER, read_rows
from caseline.crm._builtin_import import ImportReport, Tally, import_accounts
from caseline.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.aws import FakeCloud, aws
from tests.kit.crms import NOW, RECORD

DATA = Path(__file__).parent / "data/accounts"
FIRST, SECOND, FAULTY = ((DATA / f"{name}.csv").read_bytes() for name in ("first", "second", "faulty"))
HEAD = ",".join(HEADER).encode()


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    with aws() as found:
        yield found


@pytest.fixture
def table(cloud: FakeCloud) -> Table:
    return Table(cloud.client("dynamodb"), cloud.table)


def found(table: Table, identity: str) -> tuple[str, str]:
    account = builtin.create(table=table).find_account([identity]).account
    return (account.account_id, account.contact_id) if account else ("", "")


def test_a_file_goes_in(table: Table) -> None:
    report = import_accounts(table, FIRST, NOW)
    assert report == ImportReport(Tally(created=2), Tally(created=3), [])
    for identity in ("email:ann@globex.example", "phone:+442079460000", "x:12345", "x:@ann"):
        assert found(table, identity) == ("G-1", "C-1")
    assert found(table, "email:bob@globex.example") == ("G-1", "C-2")
    assert found(table, "phone:+49301234567") == found(table, "instagram:987") == ("I-1", "C-3")


def test_a_blank_cell_of_a_later_row_leaves_what_an_earlier_one_said(table: Table) -> None:
    import_accounts(table, FIRST, NOW)
    account = builtin.create(table=table).find_account(["email:bob@globex.example"]).account
    assert account and account.name == "Globex" and account.contact_name == "Bob, Jr."
    values = {name: fact.value for name, fact in account.facts.items()}
    assert values == {
        "tier": "strategic", "deal_value": "120000.50", "currency": "EUR", "renewal_date": "2026-12-15", "contract_status": "active",
        "lifecycle_stage": "live", "product_tier": "enterprise", "open_cases": 0,
    }  # fmt: skip


def test_the_same_file_again_changes_nothing(cloud: FakeCloud, table: Table) -> None:
    import_accounts(table, FIRST, NOW)
    cloud.stream_records()
    assert import_accounts(table, FIRST, NOW) == ImportReport(Tally(unchanged=2), Tally(unchanged=3), [])
    assert cloud.stream_records() == []


def test_a_changed_file_updates_and_moves_identities(table: Table) -> None:
    import_accounts(table, FIRST, NOW)
    assert import_accounts(table, SECOND, NOW) == ImportReport(Tally(updated=1, unchanged=1), Tally(created=1, updated=1, unchanged=1), [])
    assert found(table, "email:ann@globex.example") == ("", "")
    assert found(table, "email:ann.lee@globex.example") == ("G-1", "C-1")
    assert list(table.query("CRM#IDENTITY#email:ann@globex.example")) == []
    assert found(table, "email:cy@initech.example") == ("I-1", "C-3"), "who is not in the file stays"


def test_an_import_keeps_the_count_of_open_cases(table: Table) -> None:
    import_accounts(table, FIRST, NOW)
    crm = builtin.create(table=table)
    crm.save_case(RECORD.__class__(**{**RECORD.__dict__, "account_id": "G-1"}))
    import_accounts(table, SECOND, NOW)
    account = crm.find_account(["x:12345"]).account
    assert account and account.facts["open_cases"].value == 1


def test_a_left_over_index_row_finds_nobody(table: Table) -> None:
    """An import killed before its last step leaves the old address in the index."""
    import_accounts(table, FIRST, NOW)
    table.put({"PK": "CRM#IDENTITY#email:old@globex.example", "SK": "C-1"})
    assert found(table, "email:old@globex.example") == ("", "")


def test_an_identity_of_very_many_contacts_is_nobodys(table: Table) -> None:
    rows = [f"G-{n},Firm {n},,,,,,,,C-{n},Ann,,+442079460000," for n in range(51)]
    import_accounts(table, b"\n".join([HEAD, *map(str.encode, rows)]), NOW)
    assert builtin.create(table=table).find_account(["phone:+442079460000"]).kind == "none"


def test_faults_are_named_and_the_good_rows_go_in(table: Table) -> None:
    report = import_accounts(table, FAULTY, NOW)
    assert "\n".join(map(str, report.errors)) + "\n" == (DATA / "faulty.expected").read_text()
    assert (report.accounts.created, report.contacts.created) == (2, 2)
    assert found(table, "email:cy@good.example") == ("G-2", "C-3") and found(table, "email:fay@good.example") == ("G-6", "C-6")


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + FIRST, FIRST.replace(b"\n", b"\r\n")], ids=["byte order mark", "windows lines"])
def test_what_spreadsheets_add_is_understood(table: Table, data: bytes) -> None:
    assert import_accounts(table, data, NOW).contacts.created == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (FIRST.decode().encode("utf-16"), "1: the file is UTF-16; save it as CSV UTF-8"),
        (FIRST.replace(b"Ann Lee", "Zoë".encode("latin-1")), "2: the byte 0xeb is not UTF-8; save the file as CSV UTF-8"),
        (FIRST.replace(b",", b";"), "1: the cells are not separated by commas"),
        (FIRST.replace(b",", b"\t"), "1: the cells are not separated by commas"),
        (FIRST.replace(b"tier,deal", b"tiers,deal"), "1: the header lacks tier;"),
        (FIRST.replace(b"handles\n", b"handles,notes\n", 1), "1:15: notes: is unknown or there twice"),
        (FIRST.replace(b"handles\n", b"handles,email\n", 1), "1:15: email: is unknown or there twice"),
        (b"", "1: the header lacks account_id,"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_not_guessed(table: Table, data: bytes, message: str) -> None:
    report = import_accounts(table, data, NOW)
    assert len(report.errors) == 1 and str(report.errors[0]).startswith(message)
    assert (report.accounts.total, report.contacts.total) == (0, 0)


def test_columns_may_stand_in_any_order(table: Table) -> None:
    order = [*reversed(HEADER)]
    row = {"account_id": "G-1", "account_name": "Globex", "contact_id": "C-1", "email": "ann@globex.example"}
    data = "\n".join([",".join(order), ",".join(row.get(name, "") for name in order)]).encode()
    assert import_accounts(table, data, NOW).errors == [] and found(table, "email:ann@globex.example") == ("G-1", "C-1")


@settings(deadline=None)
@given(st.binary(max_size=400) | st.text(alphabet=',;"\n\r=@x:1\x00é', max_size=200).map(str.encode))
def test_no_bytes_crash_the_reader(tail: bytes) -> None:
    for row in read_rows(HEAD + b"\n" + tail):
        assert row.line >= 1


def test_a_mailbox_that_two_contacts_share_says_who_neither_of_them_is(table: Table) -> None:
    rows = "A-1,North,,,,,,,,C-1,Ann,desk@north.example,,x:1\nA-2,South,,,,,,,,C-2,Bob,desk@north.example,,x:2\n"
    import_accounts(table, f"{','.join(HEADER)}\n{rows}".encode(), NOW)
    crm = builtin.create(table=table)
    match = crm.find_account(["x:1", "x:@ann"])
    assert match.account and match.account.contact_id == "C-1" and list(match.account.identities) == ["x:1"]
    assert crm.find_account(["email:desk@north.example"]).kind == "ambiguous"
