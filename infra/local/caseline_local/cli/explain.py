"""`caseline explain`: why a case has its priority."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from caseline_local.cli.api import Api
from caseline_local.cli.terminal import FindingsError, RefusedError, band, clean, home_option, json_option, show, show_json

_FACT_WIDTH, _QUOTE = 18, 90


@click.command()
@click.argument("case")
@home_option
@json_option
def explain(case: str, home: Path, as_json: bool) -> None:
    """Why CASE has its priority. CASE is a case key, or the case's id or number in the CRM."""
    api = Api(home)
    found = find_case(api, case)
    if as_json:
        show_json(found)
        return
    for line in explain_case(found, find_owner(api, found)):
        show(line)


def find_case(api: Api, name: str) -> dict[str, Any]:
    """The case of that key, or of that id or number in the CRM."""
    try:
        found: dict[str, Any] = api.get("cases", name)
        return found
    except RefusedError as error:
        if error.status != 404:
            raise
    for status in ("open", "closed"):
        for case in api.pages("cases", "after", status=status, limit=200):
            if name in (case["crm"].get("id"), case["crm"].get("number")):
                return find_case(api, case["case_key"])
    raise FindingsError(f"no case {name}; the console and GET /api/v1/cases list them")


def find_owner(api: Api, case: Mapping[str, Any]) -> dict[str, Any]:
    """The customer of a case; nothing of one who was erased, even if they are back."""
    if case["erased"]:
        return {}
    try:
        found: dict[str, Any] = api.get("customers", case["customer_id"])
        return found
    except RefusedError as error:
        if error.status != 404:
            raise
        return {}


def explain_case(case: Mapping[str, Any], customer: Mapping[str, Any]) -> Iterator[str]:
    """The priority's lines with their sum, how the case stands, the account's facts with source and time, the signals with what was made of each."""
    priority, account = case["priority"], customer.get("account") or {}
    yield headline(case, customer)
    yield from priority_lines(priority)
    yield f"  = {priority['score']} {priority['band']} -> queue {case['queue']}{_override(priority)}"
    yield f"  {describe_crm(case['crm'])}"
    for line in state_lines(case):
        yield f"  {line}"
    yield ""
    yield f"Customer: {clean(customer.get('name') or 'no name', 80)}  {customer['customer_id']}" if customer else "Customer: erased"
    yield f"Account: {clean(account.get('name') or 'not known')} (match: {account.get('match') or 'none'})"
    for name, fact in (account.get("facts") or {}).items():
        yield f"  {name:<{_FACT_WIDTH}} {clean(fact.get('value'))}  ({_origin(fact)})"
    yield ""
    yield f"Signals: {case['signal_count']}"
    for signal in case["signals"]:
        said = clean(signal.get("text") or "(no text)", _QUOTE)
        yield f"  {signal['occurred_at'][:19]}Z {signal['channel']} {signal['direction']} {_sentiment(signal)}: {said}"
        if why := "; ".join(filter(None, (signal.get("need_text"), signal.get("case_why")))):
            yield f"      {clean(why, 200)}"


def state_lines(case: Mapping[str, Any]) -> Iterator[str]:
    """Whether it is open, who has it, what was missed, what it belongs to, and what comes next."""
    stands = f"closed {case['closed_at'][:16]}Z" if case.get("closed_at") else f"open since {case['opened_at'][:16]}Z"
    waits = f", the customer waits since {case['waiting_since'][:16]}Z" if case.get("waiting_since") and not case.get("closed_at") else ""
    yield f"{stands}, owner {clean(case.get('owner') or 'nobody', 80)}{waits}"
    if case.get("joined"):
        yield f"it goes on in {case['joined']}, which is of the same issue"
    told = [*(miss["text"] for miss in case.get("missed") or ()), (case.get("incident") or {}).get("text"), case.get("outlook")]
    yield from (clean(text, 300) for text in told if text)


def headline(case: Mapping[str, Any], customer: Mapping[str, Any]) -> str:
    who = clean(customer.get("name") or (case.get("customer") or {}).get("name") or "somebody")
    return f"{band(case['priority']['band'])} {case['priority']['score']}  {clean(case.get('subject') or case['category'])}  {who}  {case['case_key']}"


def priority_lines(priority: Mapping[str, Any]) -> Iterator[str]:
    for line in priority["lines"]:
        yield f"  {line['points']:+4d}  {clean(line['text'])}  ({_origin(line)})"


def describe_crm(crm: Mapping[str, Any]) -> str:
    if not crm.get("id"):
        return f"CRM: not there yet ({crm.get('error') or crm.get('sync') or 'pending'})"
    return f"CRM: {crm.get('name')} case {crm.get('number') or crm['id']}, {crm.get('sync')}"


def _origin(fact: Mapping[str, Any]) -> str:
    return ", ".join(filter(None, (clean(fact.get("source") or ""), f"as of {str(fact['as_of'])[:16]}Z" if fact.get("as_of") else "")))


def _override(priority: Mapping[str, Any]) -> str:
    return f" (set by a person; the score says {priority['auto_band']})" if priority.get("override") else ""


def _sentiment(signal: Mapping[str, Any]) -> str:
    """`negative 0.86`; what could not be scored says why."""
    said = signal.get("assessment") or {}
    if not said.get("sentiment"):
        return f"unscored ({said.get('unscored') or 'no text'})"
    strength = said.get("strength")
    return str(said["sentiment"]).lower() + (f" {float(strength):.2f}" if strength is not None else "")
