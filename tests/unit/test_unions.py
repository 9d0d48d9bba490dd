"""Merge and split by people: a split restores, stands against the next automatic link, and no order of links makes another graph."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from caseline.cases.ledger import load_claims
from caseline.customers import Claimed, customer_id_of, link, load_customer, new_nodes
from caseline.errors import ConflictError, NotFoundError
from caseline.signals import isoformat
from caseline.table import ConditionFailed, Table
from caseline.unions import Unions
from caseline.views import read_timeline, show_customer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit.aws import aws
from tests.kit.memory import MemoryClient
from tests.kit.pipeline import FakeCrm, Grim, Killed, Mortal, Pipeline, a_signal

PEOPLE = [f"email:p{number}@birch.example" for number in range(6)]
CLAIMS = st.lists(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3, unique=True), min_size=1, max_size=7)
AT = "2026-11-21T10:00:{:02d}.000000Z"
SHOWN = ("identities", "name", "contact", "scope", "first_seen", "merged_into", "provenance", "trust")
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def a_table() -> Table:
    return Table(MemoryClient(), "memory", sleep=lambda _: None)


def see(table: Table, identities: list[str], second: int = 0, contact: str = "") -> None:
    claimed = Claimed(identities, f"signal:sig_{second}", AT.format(second), name=identities[0].partition("@")[0], contact=contact)
    for row in new_nodes(claimed):
        with suppress(ConditionFailed):
            table.put(row, "attribute_not_exists(PK)")
    link(table, claimed)


def people(table: Table) -> set[frozenset[str]]:
    """Who stands, as sets of identities; each list says what the graph says."""
    roots = {identity: load_customer(table, customer_id_of(identity)) for identity in PEOPLE}
    known = {identity: row for identity, row in roots.items() if row}
    for identity, row in known.items():
        assert identity in row["identities"], (identity, row)
    groups = {row["customer_id"]: frozenset(i for i, other in known.items() if other["customer_id"] == row["customer_id"]) for row in known.values()}
    for row in known.values():
        assert groups[row["customer_id"]] == set(row["identities"])
    return set(groups.values())


def picture(table: Table) -> dict[str, Any]:
    rows = {i: table.get(f"CUSTOMER#{customer_id_of(i)}", "CUSTOMER") for i in PEOPLE}
    return {i: {name: row.get(name) for name in SHOWN} for i, row in rows.items() if row}


@QUICK
@given(CLAIMS, st.randoms())
def test_any_order_of_links_ends_in_the_same_graph(claims, chance):
    one, other = a_table(), a_table()
    shuffled = chance.sample(list(enumerate(claims)), len(claims)) + chance.choices(list(enumerate(claims)), k=2)
    for number, identities in enumerate(claims):
        see(one, identities, number)
    for number, identities in shuffled:
        see(other, identities, number)
    assert people(one) == people(other)


@pytest.mark.parametrize("named", PEOPLE[2:4])
def test_a_merge_is_undone_by_whichever_identity_of_the_other_is_named(named):
    table = a_table()
    see(table, PEOPLE[:2])
    see(table, PEOPLE[2:4], 1)
    before = people(table)
    unions = Unions(table, "mo", AT.format(5))
    one = unions.merge(*(customer_id_of(PEOPLE[i]) for i in (0, 2)))
    unions.split(one, named)
    assert people(table) == before
    unions.split(customer_id_of(PEOPLE[2]), PEOPLE[3])
    assert frozenset(PEOPLE[3:4]) in people(table)


@QUICK
@given(CLAIMS, st.sampled_from(PEOPLE), st.sampled_from(PEOPLE))
def test_merge_then_split_restores(claims, first, second):
    table = a_table()
    for number, identities in enumerate(claims):
        see(table, identities, number, contact="")
    one, other = (load_customer(table, customer_id_of(identity)) for identity in (first, second))
    if not one or not other or one["customer_id"] == other["customer_id"]:
        return
    before, unions = picture(table), Unions(table, "ann", AT.format(50))
    kept = unions.merge(one["customer_id"], other["customer_id"], "same voice")
    gone = ({one["customer_id"], other["customer_id"]} - {kept}).pop()
    assert set(load_customer(table, kept)["identities"]) == {*one["identities"], *other["identities"]}
    unions.split(gone, why="a twin")
    assert picture(table) == before
    people(table)


@QUICK
@given(CLAIMS, st.sampled_from(PEOPLE), CLAIMS)
def test_a_split_of_any_one_identity_keeps_the_graph_whole_and_stands(claims, who, more):
    table = a_table()
    for number, identities in enumerate(claims):
        see(table, identities, number)
    unions = Unions(table, "ann", AT.format(50))
    row = load_customer(table, customer_id_of(who))
    if not row or row["customer_id"] == customer_id_of(who):
        return
    stayed, left = unions.split(row["customer_id"], who)
    assert left == customer_id_of(who)
    people(table)
    for number, identities in enumerate(more):
        see(table, identities, 20 + number)
        assert load_customer(table, stayed)["customer_id"] != load_customer(table, left)["customer_id"]
        people(table)


def test_the_same_two_are_not_linked_again_until_a_person_says_so():
    table = a_table()
    see(table, PEOPLE[:2])
    unions = Unions(table, "ann", AT.format(1))
    unions.split(customer_id_of(PEOPLE[0]), PEOPLE[1])
    for order in (PEOPLE[:2], PEOPLE[1::-1], [PEOPLE[2], *PEOPLE[:2]]):
        see(table, order, 2)
    groups = people(table)
    assert {len(groups), *(PEOPLE[0] in group and PEOPLE[1] in group for group in groups)} == {2, False}
    unions.merge(customer_id_of(PEOPLE[1]), customer_id_of(PEOPLE[0]))
    assert people(table) == {frozenset(PEOPLE[:3])}
    unions.split(customer_id_of(PEOPLE[0]), PEOPLE[1])
    assert len(people(table)) == 2


def test_two_contacts_of_the_crm_are_never_one():
    table = a_table()
    see(table, [PEOPLE[0]], contact="c-1")
    see(table, [PEOPLE[1]], contact="c-2")
    see(table, PEOPLE[:2], 3)
    assert len(people(table)) == 2
    with pytest.raises(ConflictError, match="two contacts"):
        Unions(table, "ann", AT.format(4)).merge(customer_id_of(PEOPLE[0]), customer_id_of(PEOPLE[1]))
    with pytest.raises(NotFoundError):
        Unions(table, "ann", AT.format(4)).merge(customer_id_of(PEOPLE[0]), "cus_none")
    with pytest.raises(ConflictError, match="not joined to another customer; and nothing was joined to it"):
        Unions(table, "ann", AT.format(4)).split(customer_id_of(PEOPLE[0]))
    see(table, [PEOPLE[0], PEOPLE[2]], 5)
    with pytest.raises(ConflictError, match=f"split off one of those that were joined to it: {PEOPLE[2]}$"):
        Unions(table, "ann", AT.format(6)).split(customer_id_of(PEOPLE[0]))


def test_only_what_is_the_customers_own_is_split_off():
    table = a_table()
    see(table, PEOPLE[:2], 1)
    see(table, PEOPLE[2:4], 2)
    unions, first = Unions(table, "mo", AT.format(5)), customer_id_of(PEOPLE[0])
    before = people(table)
    for identity, why in ((PEOPLE[3], "is another customer's"), ("email:nobody@x.example", "nobody has the identity email:nobody@x.example")):
        with pytest.raises(NotFoundError, match=why):
            unions.split(first, identity)
    assert people(table) == before


@pytest.fixture
def pipeline():
    with aws() as cloud:
        yield Pipeline(cloud, FakeCrm())


def two_cases(pipeline: Pipeline) -> tuple[str, str]:
    pipeline.send(a_signal("p-1", identities=("x:1",)))
    pipeline.settle()
    pipeline.now += timedelta(minutes=1)
    pipeline.send(a_signal("p-2", identities=("x:2",), received_at=pipeline.now))
    pipeline.settle()
    return customer_id_of("x:1"), customer_id_of("x:2")


def test_cases_follow_a_merge_and_its_undoing_and_no_timeline_row_moves(pipeline):
    one, two = two_cases(pipeline)
    places = {row["PK"]: (row["identity"], row["at"]) for row in pipeline.rows("signal")}
    before = {row["case_key"]: (row["status"], row["customer_id"]) for row in pipeline.cases()}
    unions = Unions(pipeline.table, "ann", isoformat(pipeline.now))
    assert unions.merge(two, one, "told us on the phone") == one
    pipeline.settle()
    assert sorted(row["status"] for row in pipeline.cases()) == ["closed", "open"]
    (told,) = [entry for entry in read_timeline(pipeline.table, one)["entries"] if entry["type"] == "link"]
    assert told["by"] == "ann" and told["summary"].endswith("by ann: told us on the phone")
    assert unions.split(one, "x:2", "two people, one phone") == (one, two)
    pipeline.settle()
    assert {row["case_key"]: (row["status"], row["customer_id"]) for row in pipeline.cases()} == before
    assert [len(load_claims(pipeline.table, customer)) for customer in (one, two)] == [1, 1]
    assert {row["PK"]: (row["identity"], row["at"]) for row in pipeline.rows("signal")} == places
    for customer in (one, two):
        (told,) = [entry for entry in read_timeline(pipeline.table, customer)["entries"] if entry["type"] == "link"]
        assert told["what"] == "split" and told["undone"]["linked_by"] == "ann" and "two people, one phone" in told["summary"]
        assert [case["customer_id"] for case in show_customer(pipeline.table, customer, pipeline.policy, pipeline.now)["open_cases"]] == [customer]


@pytest.fixture(scope="module")
def two_customers():
    """The rows of two customers with a case each, pushed and at rest."""
    with aws() as cloud:
        pipeline = Pipeline(cloud, FakeCrm())
        ids = two_cases(pipeline)
        return ids, [row for kind in ("customer", "case", "claim", "signal") for row in pipeline.rows(kind)]


@pytest.mark.parametrize("after", [False, True])
def test_killed_anywhere_and_asked_again_it_ends_the_same(after, two_customers):
    (one, two), rows = two_customers
    for number in count(1):
        table, grim = a_table(), Grim()
        for row in rows:
            table.put(row)
        mortal = Table(Mortal(table.client, grim), "memory", sleep=lambda _: None)
        before, grim.at, grim.after = _standing(table, rows), number, after
        unions = Unions(mortal, "ann", AT.format(40))
        died = _until_done(partial(unions.merge, two, one)) | _until_done(partial(unions.split, two))
        assert _standing(table, rows) == before
        assert [len(load_claims(table, customer)) for customer in (one, two)] == [1, 1]
        if not died:
            return


def _until_done(step) -> bool:
    try:
        step()
    except Killed:
        with suppress(ConflictError):  # it was through, and its answer lost
            step()
        return True
    return False


def _standing(table: Table, rows: list[dict[str, Any]]) -> dict[str, Any]:
    found = [table.get(row["PK"], row["SK"]) for row in rows if row["type"] == "case"]
    known = {i: load_customer(table, customer_id_of(i))["identities"] for i in ("x:1", "x:2")}
    return {row["case_key"]: (row["status"], row["customer_id"]) for row in found} | known
