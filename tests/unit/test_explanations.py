"""Every decision is said in one plain line, with what it rests on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from caseline.cases.circumstances import say_incident, say_missed, say_outlook, tell_case
from caseline.cases.notes import _line
from caseline.explanations import say_link, say_need, say_split
from caseline.need import REASONS

NEGATIVE = {"sentiment": "negative", "negative": 0.8, "positive": 0.1, "neutral": 0.1}
AT = "2026-11-21T10:00:00.000000Z"
JOINED = {"joined_to": "cus_1", "at": AT, "trust": "verified"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"need": "due", "need_reason": "complaint", "assessment": NEGATIVE}, "needs a case: the customer complains (negative, strength 0.70)"),
        ({"need": "due", "need_reason": "category", "category": "data_loss"}, "needs a case: an issue of a kind that always needs a case (data loss)"),
        (
            {"need": "due", "need_reason": "low-rating", "rating": {"metric": "nps", "value": 0, "low": 0, "high": 10}},
            "needs a case: a low rating (nps 0, of 0 to 10)",
        ),
        ({"need": "none", "need_reason": "unscored", "assessment": {"unscored": "language"}}, f"no case needed: {REASONS['unscored']} (unscored, language)"),
        ({"need": "none", "need_reason": "praise", "assessment": {"sentiment": "positive", "positive": 0.9}}, "no case needed: praise (positive)"),
        ({"need": "none", "need_reason": "a rule of a later version"}, "no case needed: a rule of a later version"),
        ({}, ""),
    ],
)
def test_a_need(row, said):
    assert say_need(row) == said


def test_every_reason_can_be_said_of_a_bare_row():
    assert all(say_need({"need": "none", "need_reason": reason}) for reason in REASONS)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({"at": AT, "provenance": "signal:s1", "trust": "asserted"}, "known first, since 2026-11-21, from a signal that named it (asserted)"),
        (JOINED | {"provenance": "crm:salesforce:003", "trust": "verified"}, "joined on 2026-11-21 by contact 003 of the CRM salesforce (verified)"),
        (JOINED | {"provenance": "person:ana", "by": "ana", "why": "same voice"}, "joined on 2026-11-21 by ana: same voice"),
    ],
)
def test_a_link(link, said):
    assert say_link(link) == said


def test_a_split_says_what_it_undid():
    undone = {"linked_at": AT, "provenance": "signal:s1", "trust": "asserted", "linked_by": None}
    told = say_split({"by": "ben", "why": "her mother", "undone": undone})
    assert told == "split by ben: her mother; they had been joined on 2026-11-21 by a signal that named it (asserted)"


def test_what_stands_beside_a_score():
    missed = {"clock": "next", "since": AT, "due_at": "2026-11-21T12:30:00.000000Z", "band": "P2"}
    assert say_missed(missed) == "next reply was due 2026-11-21 12:30 UTC for P2, and missed"
    incident = {"status": "open", "kind": "incident", "why": "link", "people": 12, "missed": [missed]}
    assert tell_case(incident) == ["an incident: many customers write of the same link, 12 customers so far", say_missed(missed)]
    assert say_incident({"adopted_by": "case-1"}) == "part of incident case-1, which many customers are on" and say_incident({}) == ""
    ahead = {"status": "open", "lower_since": AT, "lower_why": "20 P4 by now, 60 P2 before", "look_at": AT}
    assert say_outlook(ahead, timedelta(minutes=30)).startswith("the score falls at 2026-11-21 10:30 UTC unless")
    assert say_outlook(ahead | {"lower_since": ""}, timedelta(0)).startswith("looked at again by 2026-11-21 10:00 UTC")
    assert say_outlook(ahead | {"status": "closed"}, timedelta(0)) == ""


def test_a_note_in_the_crm_says_why_its_words_are_a_case():
    row = {"channel": "x", "kind": "post", "public": True, "state": "live", "text": "Down again!", "occurred_at": AT, "need": "due", "need_reason": "complaint"}
    why = "(needs a case: the customer complains (negative, strength 0.70); in this case: same customer and category)"
    assert _line(row | {"assessment": NEGATIVE, "case_why": "same customer and category"}) == f"2026-11-21 10:00 UTC, x post, public:\nDown again!\n{why}"
    assert "needs a case" not in _line(row | {"state": "deleted"})
