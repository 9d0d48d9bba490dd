"""Signs that a customer may leave, as rules with points; each says in a line what it saw. Rules, not charts: one customer has too few events for those."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median
from typing import Any

from caseline.health.history import History
from caseline.policy import Policy
from caseline.priority.model import round_half_up
from caseline.reports.rows import first_of_turns
from caseline.signals import parse_time
from caseline.table import Item
from caseline.timeline import read_text
from caseline.turns import asks_of

REPEATED, REPEATS = 30, 3  # days, contacts
HOURS = 48  # that a public post may wait
DROP, LAST, TURN = 2, 5, 0.4  # points of a score; signals; of sentiment
QUIET, TIMES, USUAL = 21, 3, 4  # days of silence; times the usual gap; signals that make a habit


@dataclass(frozen=True)
class Sign:
    text: str
    evidence: Sequence[str] = ()


def find_signs(policy: Policy, history: History) -> dict[str, Any] | None:
    """`{"score": 0-100, "signs": [{rule, points, text, evidence}], "text"}`, the weightiest first; None where the policy asks for none."""
    rules, worth = policy.churn, policy.churn.rules
    if not rules.active:
        return None
    found = {name: sign for name, rule in RULES.items() if name in worth and (sign := rule(policy, history))}
    near = history.renewal_days is not None and 0 <= history.renewal_days <= rules.renewal_days
    points = sum(worth[name] for name in found) * (rules.renewal_factor if near else 1)
    ranked = sorted(found, key=lambda name: (-worth[name], name))
    signs = [{"rule": name, "points": worth[name], "text": found[name].text, "evidence": list(found[name].evidence)[-5:]} for name in ranked]
    more = f"; renewal in {history.renewal_days} days, times {rules.renewal_factor:g}" if near and found else ""
    said = ("; ".join(f"{sign['text']} +{sign['points']}" for sign in signs) or "no sign of leaving") + more
    return {"score": min(100, round_half_up(points)), "signs": signs, "text": said}


def _unresolved(policy: Policy, history: History) -> Sign | None:
    cases = history.unresolved
    return Sign(f"{len(cases)} cases unresolved", [case["case_key"] for case in cases]) if len(cases) >= 2 else None


def _unanswered(policy: Policy, history: History) -> Sign | None:
    posts = [row for row in history.unanswered if row.get("public") and history.since <= asks_of(row)[-1] <= history.ago(HOURS / 24)]
    return Sign(f"{_posts(len(posts))} unanswered for {history.days_since(asks_of(posts[0])[-1])} days", _ids(posts)) if posts else None


def _score_drop(policy: Policy, history: History) -> Sign | None:
    """The last answer against the customer's own median before it, on the same scale."""
    for row, last in reversed(history.ratings):
        if last.metric not in ("nps", "csat") or row["occurred_at"] < history.since:
            continue
        scale = (last.metric, last.low, last.high)
        before = [r.value for other, r in history.ratings if (r.metric, r.low, r.high) == scale and other["at"] < row["at"]]
        if before and median(before) - last.value >= DROP:
            return Sign(f"{last.metric.upper()} fell from {median(before):g} to {last.value:g}", _ids([row]))
        return None
    return None


def _detractor(policy: Policy, history: History) -> Sign | None:
    answers = [(row, rating.value) for row, rating in history.ratings if rating.metric == "nps" and (rating.low, rating.high) == (0, 10)]
    if len(answers) < 2 or answers[-1][1] > 6 or answers[-1][0]["occurred_at"] < history.since or not any(value >= 9 for _, value in answers[:-1]):
        return None
    return Sign(f"a promoter before, a detractor now (NPS {answers[-1][1]:g})", _ids([answers[-1][0]]))


def _repeats(policy: Policy, history: History) -> Sign | None:
    turns = first_of_turns(history.contacts, policy.metrics.turn_minutes)
    lately = [row for row in turns if row["occurred_at"] >= history.ago(REPEATED)]
    counts = Counter((row["brand"], row["category"]) for row in lately)
    issue, count = max(counts.items(), key=lambda pair: (pair[1], pair[0]), default=(("", ""), 0))
    rows = [row for row in lately if (row["brand"], row["category"]) == issue]
    return Sign(f"{count} contacts about {issue[1].replace('_', ' ')} in {REPEATED} days", _ids(rows)) if count >= REPEATS else None


def _sentiment(policy: Policy, history: History) -> Sign | None:
    fall = find_fall(history.feelings)
    if fall is None or history.feelings[-1][0]["occurred_at"] < history.since:
        return None
    return Sign(f"sentiment fell from {fall[0]:+.2f} to {fall[1]:+.2f}", _ids([row for row, _ in history.feelings[-LAST:]]))


def find_fall(feelings: Sequence[tuple[Item, float]]) -> tuple[float, float] | None:
    """The mean before and of the last five, where that is lower by at least .4 than the customer's own before."""
    before, last = [value for _, value in feelings[:-LAST]], [value for _, value in feelings[-LAST:]]
    if len(last) < LAST or not before or mean(before) - mean(last) < TURN - 1e-9:
        return None
    return mean(before), mean(last)


def _silence(policy: Policy, history: History) -> Sign | None:
    """Much longer than the customer's usual gap; or since a complaint that nobody has seen to."""
    if not history.heard:
        return None
    last = history.heard[-1]
    quiet = history.days_since(last["occurred_at"])
    gaps = [(parse_time(later["occurred_at"]) - parse_time(row["occurred_at"])).total_seconds() / 86_400 for row, later in pairwise(history.heard)]
    if last in history.unanswered and quiet >= QUIET:
        return Sign(f"silent for {quiet} days since a complaint that nobody answered", _ids([last]))
    if len(history.heard) >= USUAL and quiet >= max(QUIET, TIMES * median(gaps)) and quiet <= 365:
        return Sign(f"silent for {quiet} days, usually heard every {max(1, round(median(gaps)))}", _ids([last]))
    return None


def _cancel(policy: Policy, history: History) -> Sign | None:
    """Said so, or named a competitor that the policy knows."""
    rival = _find_words(policy.churn.words)
    rows = [row for row in history.heard if row["occurred_at"] >= history.since and (_wants_out(row) or _names(row, rival))]
    return Sign("spoke of leaving" if any(map(_wants_out, rows)) else "named a competitor", _ids(rows)) if rows else None


def _wants_out(row: Mapping[str, Any]) -> bool:
    return bool(row.get("category") == "cancel" and row.get("need") == "due")


def _names(row: Item, rival: re.Pattern[str] | None) -> bool:
    return bool(rival and rival.search((read_text(row) or "").casefold()))


def _find_words(words: Sequence[str]) -> re.Pattern[str] | None:
    """Any of them, as a word of its own: `SAP` is not in "disappointed"."""
    known = "|".join(re.escape(word.casefold().strip()) for word in words if word.strip())
    return re.compile(rf"(?<!\w)(?:{known})(?!\w)") if known else None


RULES: Mapping[str, Callable[[Policy, History], Sign | None]] = {
    "cancel": _cancel, "unresolved": _unresolved, "unanswered": _unanswered, "score_drop": _score_drop, "detractor": _detractor, "repeats": _repeats,
    "sentiment": _sentiment, "silence": _silence,
}  # fmt: skip


def _posts(number: int) -> str:
    return "a public post" if number == 1 else f"{number} public posts"


def _ids(rows: Sequence[Item]) -> list[str]:
    return [str(row["signal_id"]) for row in rows]
