"""The priority model: integer lines of impact and urgency, floors as lines of their own, a band, a queue. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any

from caseline.crm import Account, Fact
from caseline.policy import Condition, Floor, Policy, line_maxima
from caseline.priority import Evidence, Line, Priority
from caseline.priority.words import explain_lines, headline, priority_from_json
from caseline.signals import isoformat

__all__ = ["explain_lines", "headline", "is_key_account", "prioritise", "priority_from_json", "renewal_points", "route", "settle"]


def prioritise(policy: Policy, evidence: Evidence, override: Mapping[str, Any] | None = None) -> Priority:
    """Score 0-100 with the lines that sum to it. `override` is what a human set: {band, by, at, ...}; it changes the band, never the score."""
    scene = Scene(policy, evidence)
    lines = [*_impact_lines(scene), *_urgency_lines(scene)]
    lines += _floor_lines(scene, sum(line.points for line in lines))
    score = sum(line.points for line in lines)
    priority = Priority(score, policy.bands.band_of(score), tuple(lines), policy.policy_version, override=override)
    return replace(priority, queue=route(policy, evidence.category, scene.account, priority.band))


def route(policy: Policy, category: str, account: Account | None, band: str) -> str:
    """The queue of the first rule whose conditions all hold."""
    key = is_key_account(policy, account)
    for rule in policy.routing.rules:
        if (key or not rule.key_account) and _admits(rule.categories, category) and _admits(rule.bands, band):
            return rule.queue
    return policy.routing.default


def settle(previous: Priority | None, fresh: Priority) -> Priority:
    """What stands after `fresh` was computed for a case that had `previous`: a priority rises at once and is never lowered by a retry or an
    older signal; a human's band stands (the newer one, where two are known)."""
    if previous is None:
        return fresh
    override = max(filter(None, (previous.override, fresh.override)), key=lambda o: str(o.get("at", "")), default=None)
    return replace(fresh if fresh.score > previous.score else previous, override=override)


def is_key_account(policy: Policy, account: Account | None) -> bool:
    return _word(_fact(account, "tier")) in policy.tiers.key


@dataclass(frozen=True)
class Scene:
    """The evidence with what follows from it under a policy. An ambiguous match links no account."""

    policy: Policy
    evidence: Evidence

    @property
    def account(self) -> Account | None:
        return None if self.evidence.ambiguous else self.evidence.account

    @property
    def factor(self) -> float:
        """The need factor n, which multiplies the impact lines."""
        factors = self.policy.need_factor
        if not self.evidence.ask:
            return factors.none
        return factors.star_only if self.evidence.star_only else factors.ask

    @cached_property
    def unpaid(self) -> Fact | None:
        """The fact that says there is nothing to renew: a trial, or no paid contract."""
        tier, status = _fact(self.account, "tier"), _fact(self.account, "contract_status")
        known = next((fact for fact in (status, tier) if _word(fact) in self.policy.renewal.unpaid), None)
        ended = status if _word(status) in self.policy.renewal.ended and self.renewal_date is None else None
        return known or ended

    @cached_property
    def renewal_date(self) -> date | None:
        return _read_date(_fact(self.account, "renewal_date"))

    @property
    def renewal_days(self) -> int | None:
        """Days from today to the renewal date; None where there is nothing to renew or no date is known."""
        if self.unpaid or self.renewal_date is None:
            return None
        return (self.renewal_date - self.evidence.now.date()).days

    @property
    def audience(self) -> int:
        return (self.evidence.audience or 0) if self.evidence.public else 0

    @property
    def velocity(self) -> float:
        return self.evidence.velocity if self.evidence.public else 0.0

    @property
    def signal_at(self) -> str:
        return self.evidence.signal_at or self.now

    @property
    def now(self) -> str:
        return isoformat(self.evidence.now)

    def line(self, factor: str, points: int, value: Any, source: str, as_of: str, text: str, assumed: bool = False) -> Line:
        return Line(factor, points, line_maxima(self.policy)[factor], value, source, as_of, text, assumed)


# ---- impact


def _impact_lines(scene: Scene) -> list[Line]:
    return [_apply_need(scene, line) for line in (_value_line(scene), _renewal_line(scene), _reach_line(scene))]


def _apply_need(scene: Scene, line: Line) -> Line:
    if scene.factor == 1:
        return line
    why = "a rating without words" if scene.evidence.ask else "nothing is asked"
    how = "not counted" if scene.factor == 0 else f"counted {scene.factor:g} times"
    return replace(line, points=round_half_up(line.points * scene.factor), text=f"{line.text}; {how}: {why}")


def _value_line(scene: Scene) -> Line:
    tiers, tier = scene.policy.tiers, _fact(scene.account, "tier")
    word = _word(tier)
    if tier is None or word not in tiers.points:
        return scene.line("value", tiers.unknown, None, "policy", scene.now, f"{_why_unknown(scene, 'tier')}: {tiers.unknown} points assumed", assumed=True)
    return scene.line("value", tiers.points[word], word, tier.source, tier.as_of, f"{word} account{_if_stale(scene)}")


def _renewal_line(scene: Scene) -> Line:
    renewal, fact = scene.policy.renewal, _fact(scene.account, "renewal_date")
    if scene.unpaid:
        return scene.line("renewal", 0, _word(scene.unpaid), scene.unpaid.source, scene.unpaid.as_of, f"no paid contract{_if_stale(scene)}")
    if fact is None or scene.renewal_days is None:
        text = f"{_why_unknown(scene, 'renewal date')}: {renewal.unknown} points assumed"
        return scene.line("renewal", renewal.unknown, None, "policy", scene.now, text, assumed=True)
    text = f"{_say_renewal(scene.renewal_days)}{_if_stale(scene)} ({scene.renewal_date})"
    return scene.line("renewal", renewal_points(scene.policy, scene.renewal_days), str(scene.renewal_date), fact.source, fact.as_of, text)


def renewal_points(policy: Policy, days: int) -> int:
    """Full until `near_days`, then falling to none at `far_days`; a contract that lapsed lately can still be saved."""
    renewal = policy.renewal
    if days < 0:
        return renewal.lapsed if days >= -renewal.lapsed_days else 0
    left = (renewal.far_days - days) / (renewal.far_days - renewal.near_days)
    return round_half_up(renewal.points * min(1.0, max(0.0, left)))


def _reach_line(scene: Scene) -> Line:
    reach = scene.policy.reach
    seen = reach.per_tenfold * math.log10(max(scene.audience, 1) / reach.from_audience)
    points = _clamp(seen, reach.audience_max) + _clamp(math.log2(max(scene.velocity, 1.0)), reach.velocity_max)
    return scene.line("reach", points, scene.evidence.audience, "Signal.reach", scene.signal_at, _say_reach(scene))


# ---- urgency


def _urgency_lines(scene: Scene) -> list[Line]:
    return [_severity_line(scene), _sentiment_line(scene), _repeat_line(scene), _sla_line(scene)]


def _severity_line(scene: Scene) -> Line:
    category = scene.policy.known_category(scene.evidence.category)
    label = category.replace("_", "-")
    return scene.line("severity", scene.policy.severity[category], category, "Assessment.category", scene.signal_at, f"issue category {label}")


def _sentiment_line(scene: Scene) -> Line:
    sentiment, assessment = scene.policy.sentiment, scene.evidence.assessment
    if assessment.sentiment is None:
        points = sentiment.unscored if scene.evidence.ask else 0
        text = f"sentiment not scored: {points} points assumed"
        return scene.line("sentiment", points, None, "policy", scene.now, text, assumed=True)
    points = round_half_up(sentiment.max * min(1.0, assessment.strength))
    conflict = "; rating and words disagree" if assessment.conflict else ""
    text = f"{assessment.sentiment}, strength {assessment.strength:.2f}{conflict}"
    return scene.line("sentiment", points, assessment.strength, "Assessment.strength", scene.signal_at, text)


def _repeat_line(scene: Scene) -> Line:
    repeat, unresolved, same = scene.policy.repeat, scene.evidence.unresolved, scene.evidence.same_category
    points = _clamp(repeat.unresolved * unresolved + repeat.same_category * same, repeat.max)
    text = f"{_count(unresolved, 'other unresolved case')}, {same} of this category in 30 days"
    return scene.line("repeat", points, unresolved, "Caseline cases", scene.now, text)


def _sla_line(scene: Scene) -> Line:
    waited = max(0.0, scene.evidence.waited)
    points = round_half_up(scene.policy.sla.max * min(1.0, waited) ** 2)
    text = "reply target missed" if waited >= 1 else "waiting for a reply"
    return scene.line("sla", points, round(waited, 2), "Caseline timeline", scene.now, f"{text}: {math.floor(waited * 100)}% of the target has passed")


# ---- floors


def _floor_lines(scene: Scene, points: int) -> list[Line]:
    """The highest floor that applies, as one line; nothing where the lines reach it by themselves, or where nothing is asked."""
    met = [floor for floor in scene.policy.floors if scene.evidence.ask and _meets(scene, floor.when, points)]
    floor: Floor | None = max(met, key=lambda f: f.score, default=None)
    if floor is None or floor.score <= points:
        return []
    return [Line("floor", floor.score - points, floor.score, floor.name, "policy", scene.now, f"{floor.text}: at least {floor.score}")]


def _meets(scene: Scene, when: Condition, points: int) -> bool:
    measures = {
        "strength": scene.evidence.assessment.strength, "velocity": scene.velocity, "audience": scene.audience,
        "unresolved": scene.evidence.unresolved, "waited": scene.evidence.waited, "points": points,
    }  # fmt: skip
    return (
        all(measures[name] >= least for name, least in when.minima.items())
        and _admits(when.categories, scene.evidence.category)
        and (scene.evidence.public or not when.public)
        and (is_key_account(scene.policy, scene.account) or not when.key_account)
        and (when.renewal_within is None or _within(scene.renewal_days, when.renewal_within))
    )


def _admits(named: Sequence[str], word: str) -> bool:
    """An empty list admits all."""
    return not named or word in named


def _within(days: int | None, limit: int) -> bool:
    return days is not None and abs(days) <= limit


# ---- words


def _say_renewal(days: int) -> str:
    if days == 0:
        return "renewal today"
    return f"renewal in {_count(days, 'day')}" if days > 0 else f"renewal date passed {_count(-days, 'day')} ago"


def _say_reach(scene: Scene) -> str:
    if not scene.evidence.public:
        return "not public, so nobody else sees it"
    audience = "audience not known" if scene.evidence.audience is None else f"public, audience of {scene.audience}"
    return audience + (f", {scene.velocity:g} times the usual engagement" if scene.velocity > 1 else "")


def _why_unknown(scene: Scene, what: str) -> str:
    if scene.evidence.ambiguous:
        return f"{scene.evidence.candidates or 'several'} accounts match and none is linked, {what} not known"
    if scene.account is not None:
        return f"{what} not known{_if_stale(scene)}"
    return f"CRM did not answer, {what} not known" if scene.evidence.account_stale else f"customer not in the CRM, {what} not known"


def _if_stale(scene: Scene) -> str:
    return ", last known (the CRM did not answer)" if scene.evidence.account_stale else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


# ---- values


def round_half_up(number: float) -> int:
    """Python rounds halves to even, which people who check a line by hand do not expect."""
    return math.floor(number + 0.5)


def _clamp(number: float, high: int) -> int:
    return min(high, max(0, round_half_up(number)))


def _fact(account: Account | None, name: str) -> Fact | None:
    fact = account.facts.get(name) if account else None
    return None if fact is None or fact.value in (None, "") else fact


def _word(fact: Fact | None) -> str:
    return str(fact.value).strip().casefold() if fact else ""


def _read_date(fact: Fact | None) -> date | None:
    if fact is None:
        return None
    try:
        return datetime.fromisoformat(str(fact.value).strip()).date()
    except ValueError:
        return None
