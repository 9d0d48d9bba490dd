"""The report of a window, from its facts: what customers say they think, how long they wait, whether they must come again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from caseline.reports.contacts import repeat_contacts
from caseline.reports.reading import Window
from caseline.reports.scores import effort, net_promoters, satisfaction
from caseline.reports.waits import adherence, response_times
from caseline.signals import isoformat

DEFINITIONS = {
    "nps": "integers of 0-10; one answer, the latest, of each person and survey; margin: 95 %; a trend from 30 answers on, where it exceeds the margin",
    "csat": "by scale, which are never mixed",
    "ces": "by scale; each says which end is easy",
    "response_times": "business minutes from the first unanswered ask to a person's first reply, likewise to each later one, and to the end of the case",
    "sla": "met / (met + missed) of what was due or answered in the window; what nobody answers is missed when it is due; level: sentiment of the ask",
    "repeat_contacts": "contacts with an earlier one of the same customer and category within the days / all contacts of that category",
}


def make_report(window: Window, facts: Iterable[Mapping[str, Any]], as_of: str, policy: Mapping[str, Any]) -> dict[str, Any]:
    """The same whatever the order of the facts, and if some are given twice. `policy` has its `policy_version` and `repeat_days`."""
    known = {(fact["kind"], fact["id"]): fact for fact in facts}
    kinds: dict[str, list[Mapping[str, Any]]] = {"rating": [], "clock": [], "contact": [], "case": []}
    for _, fact in sorted(known.items()):
        kinds[fact["kind"]].append(fact)
    before, since, until = map(isoformat, (window.before, window.since, window.until))
    ratings = [fact for fact in kinds["rating"] if since <= fact["at"] < until]
    earlier = [fact for fact in kinds["rating"] if before <= fact["at"] < since]
    days = int(policy["repeat_days"])
    return {
        "brands": sorted(window.brands), "from": since, "to": until, "as_of": as_of, "policy_version": policy["policy_version"],
        "nps": net_promoters(ratings, earlier), "csat": satisfaction(ratings), "ces": effort(ratings),
        "response_times": response_times(kinds["clock"], since, until), "sla": adherence(kinds["clock"], since, until),
        "repeat_contacts": {"within_days": days, "categories": repeat_contacts(kinds["contact"], kinds["case"], since, until, days)},
        "definitions": DEFINITIONS,
    }  # fmt: skip
