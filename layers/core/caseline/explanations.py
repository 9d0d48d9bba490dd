"""What is said of a signal and of a link in one line of plain words, with the evidence. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from caseline.assessment import Assessment
from caseline.need import DUE, REASONS

Row = Mapping[str, Any]


def say_need(row: Row) -> str:
    """Whether a signal's row needs a case, and why: "needs a case: the customer complains (negative, strength 0.82)"."""
    reason = str(row.get("need_reason") or "")
    if not reason:
        return ""
    evidence = _EVIDENCE[reason](row) if reason in _EVIDENCE else ""
    said = f"{REASONS.get(reason, reason)} ({evidence})" if evidence else REASONS.get(reason, reason)
    return f"{'needs a case' if row.get('need') == DUE else 'no case needed'}: {said}"


def say_place(row: Row) -> str:
    """Its need, and the rule by which it came into its case."""
    return "; ".join(filter(None, [say_need(row), f"in this case: {row['case_why']}" if row.get("case_why") else ""]))


def say_link(link: Row) -> str:
    """How an identity came to be its customer's, of what `unions.show_links` gives."""
    why, day = f": {link['why']}" if link.get("why") else "", f"{str(link['at'])[:10]}"
    if not link.get("joined_to"):
        return f"known first, since {day}, from {say_origin(link)}"
    return f"joined on {day} by {link.get('by') or say_origin(link)}{why}"


def say_origin(link: Row) -> str:
    """What a link rests on."""
    kind, _, rest = str(link.get("provenance") or "").partition(":")
    trust = f" ({link['trust']})" if link.get("trust") else ""
    if kind == "signal":
        return f"a signal that named it{trust}"
    if kind == "crm":
        crm, _, contact = rest.partition(":")
        return f"contact {contact} of the CRM {crm}{trust}"
    return f"{rest}, a person" if kind == "person" else f"{kind or 'an unknown origin'}{trust}"


def say_split(row: Row) -> str:
    """Of the row that tells of a split."""
    undone, why = row.get("undone") or {}, f": {row['why']}" if row.get("why") else ""
    since = str(undone.get("linked_at") or "")[:10]
    return f"split by {row.get('by')}{why}; they had been joined on {since} by {undone.get('linked_by') or say_origin(undone)}"


def _say_sentiment(row: Row) -> str:
    assessment = Assessment.from_json(row.get("assessment") or {})
    if assessment.sentiment is None:
        return f"unscored, {assessment.unscored}" if assessment.unscored else ""
    return f"{assessment.sentiment}, strength {assessment.strength:.2f}" if assessment.strength else str(assessment.sentiment)


def _say_rating(row: Row) -> str:
    rating = row.get("rating") or {}
    return f"{rating['metric']} {rating['value']:g}, of {rating['low']:g} to {rating['high']:g}" if rating else ""


def _say_category(row: Row) -> str:
    """With the customer's words by which a grave one was told."""
    because = str((row.get("assessment") or {}).get("because") or "")
    return str(row.get("category") or "").replace("_", " ") + (f", because of: {because}" if because else "")


_EVIDENCE: Mapping[str, Callable[[Row], str]] = {
    "complaint": _say_sentiment, "praise": _say_sentiment, "unscored": _say_sentiment, "low-rating": _say_rating, "rating-only": _say_rating,
    "category": _say_category,
}  # fmt: skip
