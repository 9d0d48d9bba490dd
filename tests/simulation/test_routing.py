"""Who gets a case: those who speak its language, and the agent who knew the customer last, where the policy says so; the history tells why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from caseline.assessment import Assessment
from caseline.cases.routing import language_of
from caseline.signals import AUTO_REPLY, OUTBOUND

from tests.kit.pipeline import START, FakeCrm, Pipeline, WordAnalyser, a_signal

LANGUAGES = "version: 2\nrouting: {default: care, rules: [{queue: care-de, languages: [de]}, {queue: service, categories: [service]}]}"
KNOWN = "version: 2\nrouting: {last_agent_days: 30}"


class German(WordAnalyser):
    def _assess(self, text: str) -> Assessment:
        return replace(super()._assess(text), language="de" if "wieder" in text else "en")


def history(pipeline: Pipeline, what: str) -> list[str]:
    return [row["text"] for row in pipeline.rows("history") if row["what"] == what]


def test_a_language_goes_to_those_who_speak_it_and_stays_there_while_the_case_is_judged_again(cloud):
    pipeline = Pipeline(cloud, FakeCrm(), German(), LANGUAGES)
    pipeline.send(a_signal("p-1", "Schon wieder kaputt. Angry!"), a_signal("p-2", "Broken again. Angry!", identities=("x:200",)))
    pipeline.settle()
    assert {case["language"]: case["queue"] for case in pipeline.cases()} == {"de": "care-de", "en": "service"}
    assert history(pipeline, "queue") == ["care-de, who speak de"]
    for _ in range(20):
        pipeline.now += timedelta(hours=2)
        pipeline.watch()
        pipeline.settle()
    assert {case["language"]: case["queue"] for case in pipeline.cases()} == {"de": "care-de", "en": "service"}


@pytest.mark.parametrize(
    ("policy", "days", "automatic", "owner"), [(KNOWN, 3, False, "Mo"), (KNOWN, 31, False, ""), (KNOWN, 3, True, ""), (None, 3, False, "")]
)
def test_the_agent_who_answered_last_owns_the_next_case(cloud, policy, days, automatic, owner):
    pipeline = Pipeline(cloud, FakeCrm(), policy=policy)
    attributes = {AUTO_REPLY: True} if automatic else {}
    said = {"direction": OUTBOUND, "attributes": attributes}
    pipeline.send(a_signal("r-0", "Hello.", agent="Jo", occurred_at=START - timedelta(days=days + 1), **said))
    pipeline.send(a_signal("r-1", "Solved.", agent="Mo", occurred_at=START - timedelta(days=days), **said))
    pipeline.send(a_signal())
    pipeline.settle()
    assert [case.get("owner", "") for case in pipeline.cases()] == [owner]
    assert history(pipeline, "owner") == ([f"to {owner}, who answered this customer last"] if owner else [])


@pytest.mark.parametrize(
    ("row", "language"),
    [({"assessment": {"language": "de"}, "language": "en"}, "de"), ({"language": "pt-BR"}, "pt"), ({"assessment": {}, "language": "EN_us"}, "en"), ({}, "")],
)
def test_a_language_is_what_analysis_found_else_what_the_platform_said(row, language):
    assert language_of(row) == language
