"""The shape of a policy: the versioned numbers of the priority model, and who works what. `caseline.policy` reads one; its sections: policy_parts."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from functools import cached_property
from typing import Any

from pydantic import field_validator

from caseline.policy_parts import Part, Points
from caseline.policy_parts.deadlines import Calendars, Sla
from caseline.policy_parts.issues import Categories, Join, NeedRules, Reopen, StormRules
from caseline.policy_parts.people import Churn, CrmRules, Finds, Health, Identities, Metrics, Retention
from caseline.policy_parts.scoring import Bands, Floor, NeedFactor, Reach, Renewal, Repeat, Routing, Sentiment, Tiers


class Policy(Part):
    """All weights, floors, bands, targets and routes. `policy_version` names exactly these numbers."""

    version: str
    bands: Bands
    tiers: Tiers
    renewal: Renewal
    reach: Reach
    need_factor: NeedFactor
    severity: dict[str, Points]
    sentiment: Sentiment
    repeat: Repeat
    sla: Sla
    floors: list[Floor]
    routing: Routing
    need: NeedRules
    join: Join
    reopen: Reopen = Reopen()
    identities: Identities
    retention: Retention
    crm: CrmRules = CrmRules()
    categories: Categories = Categories()
    calendars: Calendars = Calendars()
    storms: StormRules = StormRules()
    metrics: Metrics = Metrics()
    health: Health = Health()
    churn: Churn = Churn()
    finds: Finds = Finds()

    @field_validator("version", mode="before")
    @classmethod
    def _read_version(cls, version: Any) -> str:
        if version is None or not str(version).strip():
            raise ValueError("write a version, such as 1 or 2026-11-21")
        return str(version)  # YAML reads 1 as a number and 2026-11-21 as a date

    @cached_property
    def weight_hash(self) -> str:
        """Of all numbers and names but the version: two policies that score alike have the same hash."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json", exclude={"version"}), sort_keys=True).encode()).hexdigest()

    @property
    def policy_version(self) -> str:
        return f"{self.version}+{self.weight_hash[:8]}"

    @property
    def fall_after(self) -> timedelta:
        return timedelta(minutes=self.bands.fall_after_minutes)

    @property
    def join_window(self) -> timedelta:
        return timedelta(hours=self.join.hours)

    def known_category(self, category: str | None) -> str:
        """The category, or `unknown` where this policy has no such category."""
        return category if category in self.severity else "unknown"


def line_maxima(policy: Policy) -> dict[str, int]:
    """The most points each line can have, by factor."""
    return {
        "value": policy.tiers.max, "renewal": policy.renewal.max, "reach": policy.reach.max,
        "severity": max(policy.severity.values(), default=0), "sentiment": max(policy.sentiment.max, policy.sentiment.unscored),
        "repeat": policy.repeat.max, "sla": policy.sla.max,
    }  # fmt: skip
