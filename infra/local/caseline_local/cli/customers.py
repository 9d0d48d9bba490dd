"""`caseline customers`: who somebody is here, and joining and splitting what was linked, giving out or erasing all of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from caseline.identity import is_identity

from caseline_local.cli.api import Api
from caseline_local.cli.terminal import FindingsError, RefusedError, clean, count_words, home_option, json_option, say, show, show_json

_WHY = click.option("--why", default="", help="The reason, for the timeline.")
_ERASED = {
    "signal": "signals", "note": "notes", "link": "links", "case": "cases", "of_cases": "entries of cases", "customer": "identities", "profile": "profiles",
    "quarantine": "payloads in quarantine", "buyer": "carts", "incident": "places in incidents", "crm_note": "notes in the CRM", "crm_case": "cases in the CRM",
    "crm_contact": "rows of the contact in the CRM", "crm_change": "changes told by the CRM",
}  # fmt: skip


@click.group()
def customers() -> None:
    """Who a customer is: show, join two that are one person, split what was joined; export or erase a person.

    ID is always a customer's id (cus_...) or one of their identities, such as email:ann@example.com, phone:+4930123456 or x:@ann.
    """


@customers.command("show")
@click.argument("customer", metavar="ID")
@home_option
@json_option
def show_customer(customer: str, home: Path, as_json: bool) -> None:
    """Who somebody is, and how they stand.

    Shows identities with what each link rests on, what was split, open cases, health and signs of leaving. ID is a customer's id, or an identity such as
    email:ann@example.com.
    """
    found = _find(Api(home), customer)
    if as_json:
        show_json(found)
        return
    show(f"{found['customer_id']}  {clean(found.get('name') or '(no name)', 80)}")
    for link in found["links"]:
        show(f"  {clean(link['identity'], 80)}  {clean(link['text'], 300)}")
    for split in found["splits"]:
        show(f"  {clean(split['text'], 300)}  " + (clean(split["other"], 80) if split["other"] else "(joined again since)"))
    for case in found["open_cases"]:
        number, priority = case["crm"].get("number") or "not in the CRM yet", case["priority"]
        show(f"  {case['case_key']}  {number}  {priority['band']} {priority['score']} {case['category']}")
    for part in ("departure", "health", "churn"):
        if found.get(part):
            show(f"  {clean(found[part]['text'], 500)}")
    say(f"account: {_say_account(found.get('account') or {})}; {count_words(len(found['open_cases']), 'open case')}")


@customers.command()
@click.argument("customer", metavar="ID")
@click.argument("other", metavar="OTHER")
@_WHY
@home_option
def merge(customer: str, other: str, why: str, home: Path) -> None:
    """Join two customers, each named by id or identity.

    The older stands; the other's id still leads to it. Open cases follow, and `split` undoes it all.
    """
    api = Api(home)
    ids = {_find(api, each)["customer_id"] for each in (customer, other)}
    kept = _post(api, min(ids), "merge", {"with": max(ids), "why": why})
    show(f"{kept['customer_id']}  {', '.join(clean(identity, 80) for identity in kept['identities'])}")
    if len(ids) == 1:
        say("they are one customer already: nothing was changed")
    else:
        say(f"they are one customer now; undone by: caseline customers split {(ids - {kept['customer_id']}).pop()}")


@customers.command()
@click.argument("customer", metavar="ID")
@click.option("--identity", default="", help="The identity to take out; without it ID names what is to go.")
@_WHY
@home_option
def split(customer: str, identity: str, why: str, home: Path) -> None:
    """Undo a link: of an identity, or of a customer that was joined, by the id it had.

    The two are not linked again by what arrives, but only by a person.
    """
    api = Api(home)
    customer_id = _find(api, customer)["customer_id"] if is_identity(customer) else customer
    parted = _post(api, customer_id, "split", {"identity": identity or (customer if is_identity(customer) else ""), "why": why})
    show(f"{parted['stayed']}  {parted['left']}")
    for customer_id in parted.values():
        say(f"{customer_id} is {', '.join(clean(each, 80) for each in api.get('customers', customer_id)['identities'])}")
    say(f"undone by: caseline customers merge {parted['stayed']} {parted['left']}")


@customers.command()
@click.argument("customer", metavar="ID")
@home_option
def export(customer: str, home: Path) -> None:
    """All that is kept of a person, as JSON. ID is a customer's id, or an identity."""
    api = Api(home)
    show_json(api.get("customers", _find(api, customer)["customer_id"], "export"))


@customers.command()
@click.argument("customer", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
def erase(customer: str, yes: bool, home: Path) -> None:
    """Erase a person from every store. ID is a customer's id, or an identity.

    What is delivered late does not bring them back; what they say from now on is new.
    """
    api = Api(home)
    found = _find(api, customer)
    if not yes:
        who = clean(found.get("name") or found["customer_id"], 80)
        count = len(found["identities"])
        click.confirm(f"Erase {who} with {count} {'identity' if count == 1 else 'identities'} for good?", abort=True, err=True)
    told = _post(api, found["customer_id"], "erase", {"confirm": found["customer_id"]})
    show("erased " + ", ".join(f"{_ERASED.get(kind, kind.replace('_', ' '))}: {count}" for kind, count in told["erased"].items() if count))
    for line in told["elsewhere"]:
        say(line)


def _say_account(account: Mapping[str, Any]) -> str:
    """Two that it could be are told apart from none."""
    names = [clean(each.get("name") or each.get("account_id") or "without a name", 80) for each in account.get("candidates") or ()]
    return f"not sure, one of {', '.join(names)}" if names else clean(account.get("name") or "none", 80)


def _find(api: Api, wanted: str) -> Any:
    """By id, or by an identity that one customer has."""
    if not is_identity(wanted):
        try:
            return api.get("customers", wanted)
        except RefusedError as error:
            if error.status != 404:
                raise
            raise FindingsError(f"{error.message}; write an id (cus_...) or an identity such as email:ann@example.com") from None
    found = api.get("customers", identity=wanted)["customers"]
    if len(found) != 1:
        named = ", ".join(f"{each['customer_id']} ({clean(each.get('name') or 'no name', 80)})" for each in found)
        raise FindingsError(f"{len(found)} customers have {wanted}; name one by its id: {named}" if found else f"no customer has {wanted}")
    return api.get("customers", found[0]["customer_id"])


def _post(api: Api, customer_id: str, verb: str, body: dict[str, Any]) -> Any:
    return api.post("customers", customer_id, verb, body=json.dumps(body).encode())
