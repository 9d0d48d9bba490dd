"""The priority model: integer lines of impact and urgency, floors as lines of their own, a band, a queue. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from caseline.crm import Account
from caseline.policy import Condition, Floor, Policy
from caseline.policy_parts.scoring import Rule
from caseline.priority import Evidence, Line, Priority
from caseline.priority.scene import Scene, find_fact, is_key_account, read_word
from caseline.priority.words import explain_lines, headline, priority_from_json, say_fall

__all__ = ["explain_lines", "find_rule", "headline", "is_key_account", "prioritise", "priority_from_json", "renewal_points", "route", "say_fall", "settle"]


def prioritise(policy: Policy, evidence: Evidence, override: Mapping[str, Any] | None = None) -> Priority:
    """Score 0-100 with the lines that sum to it. `override` is what a human set: {band, by, at, ...}; it changes the band, never the score."""
    scene = Scene(policy, evidence)
    lines = [*_impact_lines(scene), *_urgency_lines(scene)]
    lines += _floor_lines(scene, sum(line.points for line in lines))
    score = sum(line.points for line in lines)
    priority = Priority(score, policy.bands.band_of(score), tuple(lines), policy.policy_version, override=override)
    return replace(priority, queue=route(policy, evidence.category, scene.account, priority.band))


def route(policy: Policy, category: str, account: Account | None, band: str, language: str = "") -> str:
    """The queue of the first rule whose conditions all hold."""
    rule = find_rule(policy, category, account, band, language)
    return rule.queue if rule else policy.routing.default


def find_rule(policy: Policy, category: str, account: Account | None, band: str, language: str = "") -> Rule | None:
    key = is_key_account(policy, account)
    admitted = (
        rule for rule in policy.routing.rules
        if (key or not rule.key_account) and _admits(rule.categories, category) and _admits(rule.bands, band) and _admits(rule.languages, language)
    )  # fmt: skip
    return next(admitted, None)


def settle(previous: Priority | None, fresh: Priority, may_fall: bool = False) -> Priority:
    """What stands after `fresh` was computed for a case that had `previous`: a priority rises at once, and falls only where `may_fall` says that it has
    been lower for long enough; a human's band stands (the newer one, where two are known). The same score for other reasons has those reasons."""
    if previous is None:
        return fresh
    override = max(filter(None, (previous.override, fresh.override)), key=lambda o: str(o.get("at", "")), default=None)
    taken = fresh.score > previous.score or (may_fall and fresh.score < previous.score)
    taken = taken or (fresh.score == previous.score and _made_of(fresh) != _made_of(previous))
    return replace(fresh if taken else previous, override=override)


def _made_of(priority: Priority) -> list[tuple[str, int, bool]]:
    """What its lines come to: not their times, nor words that change each day."""
    return sorted((line.factor, line.points, line.assumed) for line in priority.lines)


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
    tiers, tier = scene.policy.tiers, find_fact(scene.account, "tier")
    word = read_word(tier)
    if tier is None or word not in tiers.points:
        return scene.line("value", tiers.unknown, None, "policy", scene.now, f"{_why_unknown(scene, 'tier')}: {tiers.unknown} points assumed", assumed=True)
    return scene.line("value", tiers.points[word], word, tier.source, tier.as_of, f"{word} account{_if_stale(scene)}")


def _renewal_line(scene: Scene) -> Line:
    renewal, fact = scene.policy.renewal, find_fact(scene.account, "renewal_date")
    if scene.unpaid:
        return scene.line("renewal", 0, read_word(scene.unpaid), scene.unpaid.source, scene.unpaid.as_of, f"no paid contract{_if_stale(scene)}")
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
    state = "reply target missed" if waited >= 1 else "waiting for a reply"
    text = f"{state}, {math.floor(waited * 100)}% of the target has passed" if waited or scene.evidence.waits else "nothing waits for a reply"
    return scene.line("sla", points, round(waited, 2), "Caseline timeline", scene.now, text)


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
    audience = "public, audience not known" if scene.evidence.audience is None else f"public, audience of {scene.audience}"
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
    return f"{number or 'no'} {noun}" + ("" if number == 1 else "s")


# ---- values


def round_half_up(number: float) -> int:
    """Python rounds halves to even, which people who check a line by hand do not expect."""
    return math.floor(number + 0.5)


def _clamp(number: float, high: int) -> int:
    return min(high, max(0, round_half_up(number)))
