"""The priority model: the cases it must get right, the words it says, and the laws it obeys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from caseline.assessment import Assessment, unscored
from caseline.config_text import read_yaml
from caseline.crm import TIERS, Account, Fact
from caseline.policy import load_policy
from caseline.priority import Evidence, Line, Priority
from caseline.priority.model import explain_lines, headline, prioritise, priority_from_json, renewal_points, route, settle
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
READ = "2026-11-21T08:55:00.000000Z"
TABLE = read_yaml((Path(__file__).parent / "data/priorities.yaml").read_text(encoding="utf-8"), "priorities.yaml")
POLICY = load_policy()


def make_account(**facts: Any) -> Account:
    return Account("A-1", "Halden Mills", facts={name: Fact(value, f"builtin Account.{name}", READ) for name, value in facts.items()})


def make_assessment(sentiment: str | None = "negative", strength: float = 0.5) -> Assessment:
    return unscored("language") if sentiment is None else Assessment(sentiment, negative=strength)


def make_evidence(account: Account | None = None, sentiment: str | None = "negative", strength: float = 0.5, **given_fields: Any) -> Evidence:
    return Evidence(make_assessment(sentiment, strength), NOW, account, signal_at="2026-11-21T08:57:00.000000Z", **given_fields)


def points(priority: Priority) -> dict[str, int]:
    return {line.factor: line.points for line in priority.lines}


def line_of(priority: Priority, factor: str) -> Line:
    return next(line for line in priority.lines if line.factor == factor)


def evidence_of(row: dict[str, Any]) -> Evidence:
    account = make_account(**row["account"]) if "account" in row else None
    return make_evidence(account, row.get("sentiment", "negative"), row.get("strength", 0.0), **row["evidence"])


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["name"])
def test_table(row: dict[str, Any]) -> None:
    priority = prioritise(POLICY, evidence_of(row))
    assert {"score": priority.score, "band": priority.band, "queue": priority.queue, "lines": points(priority)} == row["expect"]


VIP = TABLE[0]


def test_every_line_is_explained_with_source_and_time() -> None:
    assert explain_lines(prioritise(POLICY, evidence_of(VIP))) == [
        "+20 strategic account (builtin Account.tier, read 2026-11-21T08:55Z)",
        "+15 renewal in 30 days (2026-12-21; builtin Account.renewal_date, read 2026-11-21T08:55Z)",
        "+3 public, audience of 300 (Signal.reach, read 2026-11-21T08:57Z)",
        "+9 issue category defect (Assessment.category, read 2026-11-21T08:57Z)",
        "+8 negative, strength 0.53 (Assessment.strength, read 2026-11-21T08:57Z)",
        "+0 no other unresolved cases, 0 of this category in 30 days (Caseline cases, read 2026-11-21T09:00Z)",
        "+0 waiting for a reply, 0% of the target has passed (Caseline timeline, read 2026-11-21T09:00Z)",
        "+25 key account unhappy within 30 days of its renewal: at least 80 (policy)",
        "= 80 P1 -> queue senior-care",
    ]


def test_headline_says_the_heaviest_reasons_first() -> None:
    text = headline(prioritise(POLICY, evidence_of(VIP)), "defect")
    assert text.startswith("P1 80 defect: key account unhappy within 30 days of its renewal: at least 80 +25; strategic account +20; renewal in 30 days")
    assert len(text) <= 255


def test_stranger_is_never_worth_nothing() -> None:
    value, renewal = prioritise(POLICY, make_evidence()).lines[:2]
    assert (value.points, value.assumed, value.text) == (7, True, "customer not in the CRM, tier not known: 7 points assumed")
    assert (renewal.points, renewal.assumed, renewal.text) == (3, True, "customer not in the CRM, renewal date not known: 3 points assumed")


def test_ambiguous_match_links_no_account() -> None:
    priority = prioritise(POLICY, make_evidence(make_account(tier="strategic", renewal_date="2026-12-01"), strength=1.0, ambiguous=True, candidates=2))
    assert points(priority)["value"] == 7 and "floor" not in points(priority) and priority.queue == "care"
    assert line_of(priority, "value").text == "2 accounts match and none is linked, tier not known: 7 points assumed"


def test_facts_from_before_an_outage_of_the_crm_say_so() -> None:
    priority = prioritise(POLICY, make_evidence(make_account(tier="mid", renewal_date="2026-12-01"), account_stale=True))
    assert line_of(priority, "value").text == "mid account, last known (the CRM did not answer)"
    assert line_of(priority, "renewal").text == "renewal in 10 days, last known (the CRM did not answer) (2026-12-01)"
    assert line_of(prioritise(POLICY, make_evidence(account_stale=True)), "value").text == "CRM did not answer, tier not known: 7 points assumed"


@pytest.mark.parametrize(
    ("facts", "expected", "assumed"),
    [
        ({"tier": "trial"}, 0, False), ({"tier": "smb", "contract_status": "none"}, 0, False),
        ({"tier": "strategic", "contract_status": "Trial", "renewal_date": "2026-12-01"}, 0, False),
        ({"tier": "mid", "contract_status": "cancelled"}, 0, False), ({"tier": "mid", "contract_status": "cancelled", "renewal_date": "2026-12-01"}, 15, False),
        ({"tier": "mid"}, 3, True), ({"tier": "mid", "renewal_date": "soon"}, 3, True), ({"tier": "mid", "renewal_date": "2026-12-01T00:00:00Z"}, 15, False),
    ],
)  # fmt: skip
def test_renewal_is_known_to_be_none_or_assumed(facts: dict[str, str], expected: int, assumed: bool) -> None:
    line = line_of(prioritise(POLICY, make_evidence(make_account(**facts))), "renewal")
    assert (line.points, line.assumed) == (expected, assumed)


@pytest.mark.parametrize(("days", "expected"), [(0, 15), (30, 15), (31, 15), (75, 8), (119, 0), (120, 0), (400, 0), (-1, 12), (-30, 12), (-31, 0)])
def test_renewal_curve(days: int, expected: int) -> None:
    assert renewal_points(POLICY, days) == expected


def test_tier_the_policy_does_not_know_is_assumed() -> None:
    assert line_of(prioritise(POLICY, make_evidence(make_account(tier="platinum"))), "value").assumed


def test_reach_counts_for_public_signals_only() -> None:
    assert points(prioritise(POLICY, make_evidence(audience=10**6, velocity=50.0)))["reach"] == 0
    assert points(prioritise(POLICY, make_evidence(audience=10**6, velocity=50.0, public=True)))["reach"] == 15
    assert line_of(prioritise(POLICY, make_evidence(public=True)), "reach").text == "public, audience not known"


def test_rating_without_words_counts_impact_by_half() -> None:
    line = prioritise(POLICY, make_evidence(make_account(tier="smb"), star_only=True)).lines[0]
    assert (line.points, line.text) == (3, "smb account; counted 0.5 times: a rating without words")


def test_conflict_of_rating_and_words_is_said() -> None:
    evidence = replace(make_evidence(), assessment=Assessment("negative", negative=0.5, conflict=True))
    assert line_of(prioritise(POLICY, evidence), "sentiment").text == "negative, strength 0.50; rating and words disagree"


def test_category_from_outside_the_policy_is_unknown_and_not_repeated() -> None:
    assert line_of(prioritise(POLICY, make_evidence(category="call me at home")), "severity").text == "issue category unknown"


def test_human_band_stands_beside_the_score() -> None:
    priority = prioritise(POLICY, evidence_of(VIP), {"band": "P3", "by": "ann", "at": READ})
    assert (priority.score, priority.auto_band, priority.band) == (80, "P1", "P3")
    assert explain_lines(priority)[-1] == "= 80 P3 (set by ann, automatic P1) -> queue senior-care"


def test_first_rule_that_holds_routes() -> None:
    policy = load_policy("version: 1\nrouting: {default: desk, rules: [{queue: war-room, bands: [P1]}, {queue: money, categories: [billing]}]}")
    assert [route(policy, "billing", None, "P1"), route(policy, "billing", None, "P2"), route(policy, "defect", None, "P2")] == ["war-room", "money", "desk"]


def test_stored_priority_reads_back() -> None:
    priority = prioritise(POLICY, evidence_of(VIP), {"band": "P2", "by": "ann", "at": READ})
    assert priority_from_json(priority.to_json(), priority.queue) == priority


def test_policy_version_names_the_weights() -> None:
    assert prioritise(POLICY, make_evidence()).policy_version == POLICY.policy_version


# ---- laws


def make_customer(tier: str, days: int | None, status: str) -> Account:
    renewal = "" if days is None else (NOW + timedelta(days=days)).date().isoformat()
    return make_account(tier=tier, contract_status=status, renewal_date=renewal)


accounts = st.one_of(
    st.none(),
    st.builds(
        make_customer,
        st.sampled_from([*TIERS, "", "platinum"]), st.one_of(st.none(), st.integers(-60, 400)), st.sampled_from(["active", "", "trial", "expired"]),
    ),
)  # fmt: skip
evidences = st.builds(
    make_evidence, account=accounts, sentiment=st.sampled_from(["negative", "neutral", "mixed", None]), strength=st.floats(0, 1),
    account_stale=st.booleans(), ambiguous=st.booleans(), candidates=st.integers(0, 5), public=st.booleans(),
    audience=st.one_of(st.none(), st.integers(0, 10**9)), velocity=st.floats(0, 1000), category=st.sampled_from([*POLICY.severity, "invented"]),
    ask=st.booleans(), star_only=st.booleans(), unresolved=st.integers(0, 20), same_category=st.integers(0, 20), waited=st.floats(0, 10),
)  # fmt: skip


@given(evidences)
def test_lines_sum_to_a_score_of_0_to_100(evidence: Evidence) -> None:
    priority = prioritise(POLICY, evidence)
    assert sum(line.points for line in priority.lines) == priority.score
    assert 0 <= priority.score <= 100 and priority.auto_band == POLICY.bands.band_of(priority.score)
    assert all(0 <= line.points <= line.max and line.text and line.source and line.as_of for line in priority.lines)
    assert len(headline(priority, evidence.category)) <= 255


def raise_tier(evidence: Evidence, by: int) -> Evidence:
    tier = evidence.account.facts["tier"].value if evidence.account else ""
    if evidence.account is None or tier not in TIERS:
        return evidence
    higher = TIERS[max(0, TIERS.index(tier) - by)]
    return replace(evidence, account=replace(evidence.account, facts={**evidence.account.facts, "tier": Fact(higher, "builtin Account.tier", READ)}))


def raise_strength(evidence: Evidence, by: int) -> Evidence:
    if evidence.assessment.sentiment is None:
        return evidence
    return replace(evidence, assessment=replace(evidence.assessment, negative=min(1.0, evidence.assessment.negative + by / 20)))


def raise_severity(evidence: Evidence, by: int) -> Evidence:
    ladder = ["praise", "how_to", "unknown", "service", "delivery", "defect", "billing", "outage", "cancel", "safety"]
    at = ladder.index(evidence.category) if evidence.category in ladder else len(ladder)
    return replace(evidence, category=ladder[min(at + by, 9)]) if at < 9 else evidence


def bring_renewal_near(evidence: Evidence, by: int) -> Evidence:
    if evidence.account is None or not evidence.account.facts["renewal_date"].value:
        return evidence
    date = datetime.fromisoformat(evidence.account.facts["renewal_date"].value).date()
    nearer = max(NOW.date(), date - timedelta(days=by * 10)) if date > NOW.date() else date
    return replace(evidence, account=replace(evidence.account, facts={**evidence.account.facts, "renewal_date": Fact(nearer.isoformat(), "builtin", READ)}))


RAISES = {
    "tier": raise_tier, "strength": raise_strength, "severity": raise_severity, "renewal": bring_renewal_near,
    "unresolved": lambda e, by: replace(e, unresolved=e.unresolved + by),
    "same category": lambda e, by: replace(e, same_category=e.same_category + by),
    "waited": lambda e, by: replace(e, waited=e.waited + by / 10),
    "velocity": lambda e, by: replace(e, velocity=e.velocity * by + by),
    "audience": lambda e, by: replace(e, audience=(e.audience or 0) * by + by),
    "public": lambda e, by: replace(e, public=True),
    "ask": lambda e, by: replace(e, ask=True),
    "words": lambda e, by: replace(e, star_only=False),
}  # fmt: skip


@pytest.mark.parametrize("factor", RAISES)
@settings(max_examples=60)
@given(evidence=evidences, by=st.integers(1, 12))
def test_raising_one_factor_never_lowers_the_score(factor: str, evidence: Evidence, by: int) -> None:
    assert prioritise(POLICY, RAISES[factor](evidence, by)).score >= prioritise(POLICY, evidence).score


@given(st.lists(evidences, min_size=1, max_size=5), st.randoms())
def test_settled_score_is_the_highest_in_any_order_and_never_falls(history: list[Evidence], random: Any) -> None:
    fresh = [prioritise(POLICY, evidence) for evidence in history]
    random.shuffle(fresh)
    stands: Priority | None = None
    for priority in [*fresh, *fresh]:
        before, stands = stands, settle(stands, priority)
        assert before is None or stands.score >= before.score
    assert stands is not None and stands.score == max(priority.score for priority in fresh)


@given(evidences)
def test_the_same_score_tells_the_reasons_that_it_has_now(evidence: Evidence) -> None:
    stands = prioritise(POLICY, evidence)
    assumed = replace(stands, lines=(*stands.lines, Line("value", 5, 20, None, "", "", "assumed", assumed=True), Line("reach", -5, 15, None, "", "", "less")))
    assert settle(assumed, stands).lines == stands.lines
    elapsed = replace(stands, lines=tuple(replace(line, as_of="later", text="said anew") for line in stands.lines))
    assert settle(stands, elapsed).lines == stands.lines, "time alone writes nothing"


@given(evidences, evidences)
def test_human_band_is_never_moved(earlier: Evidence, later: Evidence) -> None:
    override = {"band": "P2", "by": "ann", "at": READ}
    settled = settle(prioritise(POLICY, earlier, override), prioritise(POLICY, later))
    assert settled.band == "P2" and settled.override == override


def test_newer_human_band_stands() -> None:
    old, new = {"band": "P2", "at": "2026-11-20T09:00:00.000000Z"}, {"band": "P4", "at": READ}
    evidence = make_evidence()
    assert settle(prioritise(POLICY, evidence, old), prioritise(POLICY, evidence, new)).band == "P4"
    assert settle(prioritise(POLICY, evidence, new), prioritise(POLICY, evidence, old)).band == "P4"
