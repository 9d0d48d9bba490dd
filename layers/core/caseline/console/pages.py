"""The console's pages: what each shows, as HTML text. Everything but the templates' own markup is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from caseline.cases.changes import BANDS, OUTCOMES
from caseline.console import wording
from caseline.crm import AUTOMATIC
from caseline.desk import Desk
from caseline.errors import NotFoundError
from caseline.people import Person

HERE = Path(__file__).parent
STATIC = {"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}
TABS = {"prioritised": "Prioritised", "open": "All open", "closed": "Closed"}
FILTERS = ("queue", "brand", "channel", "owner")
URGENT = "P1,P2"
SORTS = {"priority": "Most urgent first", "waiting": "Longest waiting first", "newest": "Newest first"}
FACTS = ("tier", "deal_value", "currency", "renewal_date", "contract_status", "lifecycle_stage", "product_tier", "purchases", "open_cases", "owner")
PAGE = "40"


@dataclass(frozen=True)
class Frame:
    """What every page has around it: who looks, when, and the path that the console's links start with."""

    person: Person
    now: datetime
    base: str = ""

    def render(self, template: str, here: str, **values: Any) -> str:
        words = {
            "since": partial(wording.say_since, now=self.now), "ago": partial(wording.say_ago, now=self.now),
            "renewal": partial(wording.say_renewal, now=self.now), "fact": partial(wording.say_fact, now=self.now),
        }
        return _templates().get_template(template).render(here=here, person=self.person, now=self.now, base=self.base, static=_versions(), **words, **values)

    def show_problem(self, title: str, text: str, correlation_id: str = "") -> str:
        return self.render("problem.html", "", title=title, text=text, correlation_id=correlation_id)


@dataclass(frozen=True)
class Console:
    """The pages of one visit, made from what the desk knows."""

    desk: Desk
    frame: Frame

    def show_queue(self, query: Mapping[str, str]) -> str:
        """The cases that wait, the most urgent first; tab, filters and order stand in the query string."""
        tab = query.get("tab", "") if query.get("tab") in TABS else "prioritised"
        known: dict[str, str] = {name: value for name, value in query.items() if name in (*FILTERS, "band", "sort", "after") and value}
        asked = known | {"status": "closed" if tab == "closed" else "open", "limit": PAGE}
        if tab == "prioritised" and "band" not in known:
            asked["band"] = URGENT
        found = self.desk.list_cases(asked)
        link = partial(self._queue_link, {"tab": tab, **known})
        return self.frame.render(
            "queue.html", "queue", tab=tab, tabs=TABS, cases=found["cases"], next=found["next"], asked=known, counts=self.desk.summarise_open(), sorts=SORTS,
            filters=FILTERS, link=link, mark=_mark_of(found["cases"]),
        )

    def show_case(self, case_key: str, problem: str = "", typed: Mapping[str, str] | None = None, saved: bool = False) -> str:
        """Why this priority, line by line; the account's facts; the signals; the history; and the forms to work the case."""
        case = self.desk.show_case(case_key)
        customer = self._owner(case)
        return self.frame.render(
            "case.html", "queue", case=case, customer=customer, facts=_facts(customer), bands=BANDS, automatic=AUTOMATIC, problem=problem, typed=typed or {},
            saved=saved, queues=sorted({case["queue"], *self.desk.summarise_open().get("queue", {})}), outcomes=OUTCOMES, categories=self.desk.categories,
            erased="links" not in customer,
        )

    def _owner(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """Of a customer who was erased there is a case, but no name and no account; who comes back is somebody new."""
        with suppress(NotFoundError):
            if not case["erased"]:
                return self.desk.show_customer(case["customer_id"])
        return {"name": None, "account": {"facts": {}}}

    def find_customer(self, identity: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.desk.find_customers(identity)["customers"]
        return found

    def show_search(self, identity: str, found: list[dict[str, Any]]) -> str:
        return self.frame.render("search.html", "customers", identity=identity, found=found)

    def show_customer(self, customer_id: str, query: Mapping[str, str], problem: str = "", typed: Mapping[str, str] | None = None, saved: str = "") -> str:
        """One person's timeline across all channels: theirs on the left, the brand's on the right; who joined and split what; the forms to do so."""
        customer = self.desk.show_customer(customer_id)
        page = self.desk.read_timeline(customer_id, PAGE, query.get("before"))
        days, paged = self._by_day(page["entries"]), "before" in query
        links = {link["identity"]: link for link in customer["links"]}
        return self.frame.render(
            "customer.html", "customers", customer=customer, facts=_facts(customer), links=links, days=days, next=page["next"], paged=paged,
            problem=problem, typed=typed or {}, saved=saved,
        )

    def show_channels(self, query: Mapping[str, str], problem: str = "", saved: str = "") -> str:
        """Counts for each source, whether they balance, how the CRM is, and what was not understood."""
        channels, stats, held = self.desk.list_channels(), self.desk.read_stats(), self.desk.list_quarantine(PAGE, query.get("before"))
        return self.frame.render("channels.html", "channels", channels=channels, stats=stats, crm=self.desk.show_crm(), held=held, problem=problem, saved=saved)

    def show_quarantined(self, quarantine_id: str) -> str:
        item = self.desk.show_quarantined(quarantine_id)
        return self.frame.render("quarantined.html", "channels", item=item, text=_payload_of(item))

    def _by_day(self, entries: Iterable[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
        return [(day, list(group)) for day, group in groupby(entries, key=lambda entry: wording.say_day(entry["occurred_at"], self.frame.now))]

    def _queue_link(self, current: Mapping[str, str], **changes: str | None) -> str:
        """The queue with some of its query changed; a change of filter starts at the first page."""
        wanted = {name: value for name, value in {**current, "after": None, **changes}.items() if value}
        return f"{self.frame.base}/console?{urlencode(wanted)}"


def _facts(customer: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The account's facts in the order people read them, those we have no place for last; an amount stands with its currency."""
    facts = dict(customer["account"]["facts"])
    if "deal_value" in facts:
        currency = facts.pop("currency", {}).get("value")
        facts["deal_value"] = facts["deal_value"] | {"value": wording.say_amount(facts["deal_value"]["value"], currency)}
    return [(name, facts[name]) for name in (*(name for name in FACTS if name in facts), *sorted(set(facts) - set(FACTS)))]


def _payload_of(item: Mapping[str, Any]) -> str:
    """The payload to read; a whole one is kept in base64."""
    raw = str(item["raw"] or "")
    return base64.b64decode(raw).decode("utf-8", "replace") if item["whole"] else raw


def _mark_of(cases: Iterable[Mapping[str, Any]]) -> str:
    """Changes when the list does, so that a page that polls knows."""
    text = "|".join(f"{case['case_key']}:{case['version']}:{case['crm']['sync']}" for case in cases)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_static(name: str) -> tuple[str, str] | None:
    """(content type, text) of a file of ours; None for any other name."""
    return (STATIC[name], (HERE / "static" / name).read_text(encoding="utf-8")) if name in STATIC else None


@cache
def _versions() -> dict[str, str]:
    return {name: hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12] for name in STATIC}


@cache
def _templates() -> Environment:
    environment = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "channel": wording.say_channel, "clock": wording.say_clock, "moment": wording.say_moment, "money": wording.say_money, "mood": wording.mood_of,
        "name": wording.name_of, "rating": wording.say_rating, "safe_url": wording.safe_url, "sentence": wording.say_sentence, "trouble": wording.say_trouble,
    }
    environment.globals |= {
        "band_words": wording.BAND_WORDS, "sync_words": wording.SYNC_WORDS, "told_words": wording.TOLD_WORDS, "difference_words": wording.DIFFERENCE_WORDS,
    }
    return environment
