"""What is a case, and which signals are one: need, categories, joining, reopening, storms."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from caseline.policy_parts import Minutes, Part, Share


class LowRating(Part):
    """By metric, the share of the scale up to which a rating is a complaint; a metric left out never is one."""

    stars: Share | None = None
    nps: Share | None = None
    csat: Share | None = None
    ces: Share | None = None


NeedRule = Literal["spam", "auto-reply", "rating-only", "news", "courtesy", "low-rating", "complaint", "category", "trouble", "question"]


class NeedRules(Part):
    """`off`: rules, by their names, that are not asked."""

    negative_from: Annotated[float, Field(gt=0, le=1)]
    vague_from: Annotated[float, Field(gt=0, le=1)]
    learned: bool
    categories: list[str]
    questions: bool
    low_rating: LowRating
    star_only: bool
    quiet_kinds: list[str]
    event_kinds: list[str]
    off: list[NeedRule] = []


class OwnCategory(Part):
    """`like` is a general category: its points, floors and queues count, unless the policy names this one there itself."""

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")]
    like: str = "unknown"
    phrases: dict[str, list[str]]
    exceptions: Annotated[list[str], Field(alias="except")] = []


class Categories(Part):
    """How issues are recognised: shipped example taxonomies by name, phrases of the tenant's own, and general categories that are not wanted.

    `indirect`: whether a small model finds what is grave but told without its words, and doubts words that only sound grave.
    """

    examples: list[Literal["airline", "app", "finance"]] = []
    own: list[OwnCategory] = []
    without: list[str] = []
    indirect: bool = True


JoinRule = Literal["number", "thread", "category", "unnamed", "similar"]


class Join(Part):
    """Which signals are one case. `off`: rules, by their names, that are not asked; `threads`: kinds whose thread is about one matter."""

    hours: Annotated[int, Field(ge=0)]
    by: Literal["category", "customer"]
    off: list[JoinRule] = []
    threads: list[str] = ["email", "ticket", "chat", "call"]
    alone: list[str] = ["safety", "legal", "security"]


class Reopen(Part):
    """`days` after it was closed a case opens again for a message of the same issue; 0: never. So many times `most_a_day`."""

    days: Annotated[int, Field(ge=0, le=3000)] = 7
    most_a_day: Annotated[int, Field(ge=1, le=1000)] = 3
    closed_in_crm: bool = False
    not_an_issue: bool = False


class StormRules(Part):
    """Many customers on one issue within `minutes` are one incident; up to `own_cases` have a case of their own before it is seen."""

    active: bool = True
    minutes: Minutes = 30
    own_cases: Annotated[int, Field(ge=1, le=10)] = 5
    by: list[Literal["text", "link", "thread"]] = ["text", "link", "thread"]
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.6
    min_words: Annotated[int, Field(ge=3)] = 4
    alone: list[str] = ["safety"]
    apart: list[str] = ["legal", "security"]
    key_accounts_alone: bool = True

    def stands_alone(self, category: str, incident: str) -> bool:
        """Whether a signal of this category has a case of its own beside an incident of that one."""
        return category in self.alone or (category in self.apart and category != incident)

    @property
    def window(self) -> timedelta:
        return timedelta(minutes=self.minutes)
