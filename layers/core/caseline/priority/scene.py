"""What a priority is computed from: the evidence, with what follows from it under a policy. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from caseline.crm import Account, Fact
from caseline.policy import Policy, line_maxima
from caseline.priority import Evidence, Line
from caseline.signals import isoformat


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
        tier, status = find_fact(self.account, "tier"), find_fact(self.account, "contract_status")
        known = next((fact for fact in (status, tier) if read_word(fact) in self.policy.renewal.unpaid), None)
        ended = status if read_word(status) in self.policy.renewal.ended and self.renewal_date is None else None
        return known or ended

    @cached_property
    def renewal_date(self) -> date | None:
        return _read_date(find_fact(self.account, "renewal_date"))

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


def is_key_account(policy: Policy, account: Account | None) -> bool:
    return read_word(find_fact(account, "tier")) in policy.tiers.key


def find_fact(account: Account | None, name: str) -> Fact | None:
    fact = account.facts.get(name) if account else None
    return None if fact is None or fact.value in (None, "") else fact


def read_word(fact: Fact | None) -> str:
    return str(fact.value).strip().casefold() if fact else ""


def _read_date(fact: Fact | None) -> date | None:
    if fact is None:
        return None
    try:
        return datetime.fromisoformat(str(fact.value).strip()).date()
    except ValueError:
        return None
