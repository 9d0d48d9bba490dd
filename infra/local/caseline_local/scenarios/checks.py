"""Holds what stands against what a story expects; every check gives what is wrong, as sentences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from caseline_local.scenarios.stage import Reader
from caseline_local.scenarios.story import Story, StoryError

Case = Mapping[str, Any]
OUTCOMES = ("recorded", "revised", "duplicates", "quarantined", "in_flight")
INCIDENT = "incident"


def check_all(reader: Reader, story: Story, expect: Mapping[str, Any]) -> Iterator[str]:
    unknown = set(expect) - set(_CHECKS)
    if unknown:
        raise StoryError(f"{story.name}: expect: there is no {', '.join(sorted(unknown))}; write {', '.join(_CHECKS)}")
    return chain.from_iterable(_CHECKS[name](reader, story, wanted) for name, wanted in expect.items())


def check_sound(reader: Reader) -> Iterator[str]:
    """What must hold after every story: the balance, lines that sum to their score, timelines in order, cases in the CRM."""
    total = reader.get("stats")["total"]
    if total["accepted"] != sum(total[name] for name in OUTCOMES):
        yield f"the counts do not balance: {total}"
    if total["in_flight"] or total["pending"]:
        yield f"something is still under way: {total}"
    for case in _load_cases(reader):
        priority = case["priority"]
        if sum(line["points"] for line in priority["lines"]) != priority["score"]:
            yield f"the lines of {case['case_key']} do not sum to {priority['score']}"
        if case["crm"]["sync"] != "synced":
            yield f"{case['case_key']} is {case['crm']['sync']} and not in the CRM"


# ---- cases


def _check_cases(reader: Reader, story: Story, wanted: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Exactly these, open and closed: each is one of its own."""
    left = _load_cases(reader)
    for each in wanted:
        least, most = _range(each.get("count", 1))
        problems = [(list(_differences(reader, story, case, each)), case) for case in left]
        found = [case for differs, case in problems if not differs][:most]
        left = [case for case in left if case not in found]
        if len(found) < least:
            nearest = min((differs for differs, case in problems if differs), key=len, default=["there are no more cases"])
            yield f"{len(found)} of {least} cases are as {_brief(each)}: {'; '.join(nearest)}"
    yield from (f"a case too many: {_shown(case)}" for case in left)


def _range(value: Any) -> tuple[int, int]:
    low, high = value if isinstance(value, list) else (value, value)
    return low, high


def _load_cases(reader: Reader) -> list[dict[str, Any]]:
    return [reader.get("cases", case["case_key"]) for status in ("open", "closed") for case in reader.cases(status)]


def _differences(reader: Reader, story: Story, case: Case, wanted: Mapping[str, Any]) -> Iterator[str]:
    for name, value in ({"status": "open"} | dict(wanted)).items():
        if name in ("customer", "identity"):
            if not _is_of(reader, story, case, value):
                yield f"{value} has {_shown(case)} not"
        elif name != "count":
            yield from _FACTS[name](case, value)


def _is_of(reader: Reader, story: Story, case: Case, who: str) -> bool:
    if who == INCIDENT:
        return str(case.get("subject") or "").startswith("Incident")
    return "{n}" in who or case["customer_id"] in reader.customers(story.identity_of(who))


def _same(name: str, read: Callable[[Case], Any]) -> Callable[[Case, Any], Iterator[str]]:
    def compare(case: Case, value: Any) -> Iterator[str]:
        if read(case) != value:
            yield f"{name} is {read(case)!r}, not {value!r}"

    return compare


def _score(case: Case, value: Any) -> Iterator[str]:
    low, high = _range(value)
    if not low <= case["priority"]["score"] <= high:
        yield f"score is {case['priority']['score']}, not {value}"


def _says(name: str, read: Callable[[Case], Sequence[str]]) -> Callable[[Case, Any], Iterator[str]]:
    """Each of the wanted words stands in one of the texts."""

    def look(case: Case, wanted: Sequence[str]) -> Iterator[str]:
        texts = read(case)
        yield from (f"no {name} says {words!r}: {texts}" for words in wanted if not any(words.casefold() in text.casefold() for text in texts))

    return look


def _says_not(name: str, read: Callable[[Case], Sequence[str]]) -> Callable[[Case, Any], Iterator[str]]:
    def look(case: Case, unwanted: Sequence[str]) -> Iterator[str]:
        yield from (f"a {name} says {text!r}" for words in unwanted for text in read(case) if words.casefold() in text.casefold())

    return look


def _reasons(case: Case) -> list[str]:
    return [str(line["text"]) for line in case["priority"]["lines"]]


def _history(case: Case) -> list[str]:
    return [f"{entry['what']}: {entry['text']}" for entry in case["history"]]


def _joined_by(case: Case) -> list[str]:
    return [str(entry["text"]).partition(";")[0] for entry in case["history"][::-1] if entry["what"] == "joined"]


_FACTS: Mapping[str, Callable[[Case, Any], Iterator[str]]] = {
    **{name: _same(name, lambda case, name=name: case[name]) for name in ("status", "category", "queue", "owner", "channels", "account_id")},
    "band": _same("band", lambda case: case["priority"]["band"]),
    "auto_band": _same("the score's band", lambda case: case["priority"]["auto_band"]),
    "signals": _same("signals", lambda case: case["signal_count"]),
    "crm": _same("the CRM's record", lambda case: case["crm"]["sync"]),
    "missed": _same("missed deadlines", lambda case: [miss["clock"] for miss in case["missed"] or ()]),
    "joined_by": _same("the rules by which signals joined", _joined_by),
    "score": _score,
    "reasons": _says("line", _reasons),
    "not_reasons": _says_not("line", _reasons),
    "history": _says("history", _history),
    "subject": _says("subject", lambda case: [str(case["subject"])]),
}


def _shown(case: Case) -> str:
    priority = case["priority"]
    return f"{case['status']} {priority['band']} {priority['score']} {case['category']} in {case['queue']}, {case['signal_count']} signals, {case['subject']!r}"


def _brief(wanted: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in wanted.items())


# ---- timelines, people, counts, and what must not be


def _check_timelines(reader: Reader, story: Story, wanted: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Every signal of these people, oldest first, as `need: reason`."""
    for who, decisions in wanted.items():
        found = [f"{entry['need']}: {entry['need_reason']}" for entry in reader.timeline(story.identity_of(who)) if entry["type"] == "signal"]
        if found != list(decisions):
            yield f"the timeline of {who} says {found}, not {list(decisions)}"


def _check_links(reader: Reader, story: Story, wanted: Sequence[Sequence[str]]) -> Iterator[str]:
    """The identities of each list are one customer, and those of two lists are two."""
    seen: dict[str, int] = {}
    for number, people in enumerate(wanted):
        ids = {reader.customer(story.identity_of(who)) for who in people}
        if len(ids) != 1 or None in ids:
            yield f"{', '.join(people)} are not one customer"
        yield from (f"{', '.join(people)} are the customer of {', '.join(wanted[seen[each]])}" for each in ids if each in seen)
        seen |= {each: number for each in ids if each}


def _check_counts(reader: Reader, story: Story, wanted: Mapping[str, int]) -> Iterator[str]:
    total = reader.get("stats")["total"]
    found = {name: total[name] for name in wanted}
    if found != dict(wanted):
        yield f"counted are {found}, not {dict(wanted)}"


def _check_no_case(reader: Reader, story: Story, wanted: Sequence[str]) -> Iterator[str]:
    for who in wanted:
        customers = reader.customers(story.identity_of(who))
        yield from (f"{who} has a case: {_shown(case)}" for case in _load_cases(reader) if case["customer_id"] in customers)


def _check_unknown(reader: Reader, story: Story, wanted: Sequence[str]) -> Iterator[str]:
    yield from (f"{who} is known" for who in wanted if reader.customers(story.identity_of(who)))


def _check_unsaid(reader: Reader, story: Story, wanted: Sequence[str]) -> Iterator[str]:
    """Words that stand nowhere that can be read: in no case, and on no timeline of the story's people."""
    read = [json.dumps(_load_cases(reader), ensure_ascii=False)]
    read += [json.dumps(reader.timeline(story.identity_of(who)), ensure_ascii=False) for who in story.people]
    yield from (f"{words!r} still stands" for words in wanted for text in read if words in text)


_CHECKS: Mapping[str, Callable[[Reader, Story, Any], Iterator[str]]] = {
    "cases": _check_cases, "timeline": _check_timelines, "customers": _check_links, "counts": _check_counts,
    "no_case": _check_no_case, "unknown": _check_unknown, "unsaid": _check_unsaid,
}  # fmt: skip
