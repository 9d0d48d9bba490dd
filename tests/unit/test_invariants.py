"""The checker of invariants notices each violation."""

from tests.kit.invariants import check_balance, check_claims, check_priorities, check_rows, check_timeline, check_words

COUNTS = {"accepted": 3, "recorded": 2, "revised": 0, "duplicates": 1, "quarantined": 0, "in_flight": 0}
STATS = {"total": COUNTS | {"pending": 0}, "sources": {"x/acme": COUNTS}}


def test_the_balance():
    assert not list(check_balance(STATS))
    assert list(check_balance({**STATS, "sources": {"x/acme": COUNTS | {"accepted": 4}}}))
    assert list(check_balance({**STATS, "total": COUNTS | {"pending": 2}}))
    assert list(check_balance({**STATS, "total": COUNTS | {"accepted": 4, "in_flight": 1, "pending": 0}}))


def test_rows():
    row = {"type": "signal", "signal_id": "s1", "state": "live"}
    assert not list(check_rows([row], ["s1"], {"recorded": 1}))
    assert list(check_rows([row, row], ["s1"], {"recorded": 1}))
    assert list(check_rows([row], ["s1", "s2"], {"recorded": 1}))
    assert list(check_rows([row], ["s1"], {"recorded": 2}))


def test_claims_are_of_customers_after_all_merges():
    case = {"type": "case", "status": "open", "PK": "CASE#1", "customer_id": "a", "brand": "acme", "category": "billing", "crm": {"id": "1"}}
    other = case | {"PK": "CASE#2", "customer_id": "b", "crm": {"id": "2"}}
    merged = {"type": "customer", "customer_id": "b", "merged_into": "a"}
    assert not list(check_claims([case, other]))
    assert list(check_claims([case, other, merged]))
    assert list(check_claims([case, other | {"crm": {"id": "1"}}]))


def entry(signal_id, at):
    return {"type": "signal", "signal_id": signal_id, "occurred_at": at}


def found(*entries):
    return list(check_timeline(lambda path: {"entries": list(entries), "next": None}, "cus_1", {"s1", "s2"}))


def test_timelines():
    first, second = entry("s1", "2026-03-01"), entry("s2", "2026-03-02")
    assert not found(second, first)
    assert found(first, second)
    assert found(second)
    assert found(second, first, first)


def test_a_timeline_that_changes_with_the_page_size():
    pages = {"3": [entry("s2", "2026-03-02")], "200": [entry("s2", "2026-03-02"), entry("s1", "2026-03-01")]}
    assert list(check_timeline(lambda path: {"entries": pages[path.partition("limit=")[2]], "next": None}, "cus_1"))


def test_lines_sum_to_the_score():
    def get(path, points=40):
        if path.startswith("/api/v1/cases?"):
            return {"cases": [{"case_key": "c", "priority": {"score": 40}}], "next": None}
        return {"priority": {"score": 40, "lines": [{"points": points}]}}

    assert not list(check_priorities(get))
    assert list(check_priorities(lambda path: get(path, 39)))


def test_words_are_found_and_not_repeated():
    (problem,) = check_words("the logs", ['{"text": "quokka"}'], {"quokka"})
    assert "quokka" not in problem
    assert not list(check_words("the logs", ["nothing"], {"quokka"}))
