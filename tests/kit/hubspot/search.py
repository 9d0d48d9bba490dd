"""HubSpot's search: filter groups of which any, filters of which all must match; words, not substrings; a limit on everything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.kit.hubspot.errors import HubSpotError, bad_properties, invalid_input
from tests.kit.hubspot.portal import Portal, Record
from tests.kit.hubspot.schema import MODIFIED, SINGULAR, read_time

GROUPS, FILTERS, FILTERS_IN_ALL, PAGE, WINDOW, QUERY = 5, 10, 25, 200, 10_000, 3_000
NEEDED = ("filterGroups", "properties", "limit", "after", "sorts")
ONE, MANY, NONE = ("EQ", "NEQ", "LT", "LTE", "GT", "GTE", "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"), ("IN", "NOT_IN"), ("HAS_PROPERTY", "NOT_HAS_PROPERTY")
QUERIED = ("firstname", "lastname", "email", "phone", "company", "name", "domain", "subject", "content", "hs_note_body")


def search(portal: Portal, kind: str, body: Any) -> dict[str, Any]:
    asked = _check(portal, kind, body)
    indexed = portal.clock() - timedelta(seconds=portal.lag)
    found = [record for record in portal.live(kind) if record.updated <= indexed or not portal.lag]
    found = [record for record in found if _matches(portal, record, asked["filterGroups"]) and _said(portal, record, asked.get("query", ""))]
    found = _sorted(portal, kind, found, asked["sorts"])
    start = int(asked["after"] or 0)
    page = found[start : start + asked["limit"]]
    answer: dict[str, Any] = {"total": len(found), "results": [portal.show(record, asked["properties"]) for record in page]}
    if start + len(page) < len(found):
        answer["paging"] = {"next": {"after": str(start + len(page))}}
    return answer


def _check(portal: Portal, kind: str, body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or any(name not in body for name in NEEDED):
        raise invalid_input(f"{', '.join(NEEDED)} are required")
    groups, limit, after = body["filterGroups"], body["limit"], str(body["after"] or "0")
    if not isinstance(limit, int) or not 0 <= limit <= PAGE or not after.isdecimal() or int(after) + limit > WINDOW:
        raise HubSpotError(400, "VALIDATION_ERROR", f"limit is at most {PAGE}, and {WINDOW} in all")
    if len(groups) > GROUPS or any(len(group["filters"]) > FILTERS for group in groups) or sum(len(group["filters"]) for group in groups) > FILTERS_IN_ALL:
        raise HubSpotError(400, "VALIDATION_ERROR", "too many filters")
    if len(body["sorts"]) > 1 or len(body.get("query") or "") > QUERY:
        raise HubSpotError(400, "VALIDATION_ERROR", "too many sorts or too long a query")
    for group in groups:
        for each in group["filters"]:
            _check_filter(portal, kind, each)
    return body


def _check_filter(portal: Portal, kind: str, each: Mapping[str, Any]) -> None:
    name, operator = each.get("propertyName"), each.get("operator")
    if not isinstance(name, str) or (name not in portal.properties[kind] and not name.startswith("associations.")):
        raise bad_properties([("PROPERTY_DOESNT_EXIST", str(name), f"{name} does not exist")])
    texts = {"value": operator in (*ONE, "BETWEEN"), "highValue": operator == "BETWEEN"}
    right = all(isinstance(each.get(part), str) if needed else part not in each for part, needed in texts.items())
    lists = isinstance(each.get("values"), list) if operator in MANY else "values" not in each
    if operator not in (*ONE, *MANY, *NONE, "BETWEEN") or not right or not lists:
        raise invalid_input(f"a filter with {operator} has other values")
    if (operator == "EQ" and each["value"] == "") or (operator in MANY and not each["values"]):
        raise HubSpotError(400, "VALIDATION_ERROR", "a filter without a value")


def _matches(portal: Portal, record: Record, groups: list[Any]) -> bool:
    values = portal.values(record)
    return not groups or any(all(_matches_one(portal, record, values, each) for each in group["filters"]) for group in groups)


def _matches_one(portal: Portal, record: Record, values: Mapping[str, str], each: Mapping[str, Any]) -> bool:
    name, operator = each["propertyName"], each["operator"]
    if name.startswith("associations."):
        kind = next((kind for kind, one in SINGULAR.items() if name in (f"associations.{one}", f"associations.{kind}")), "")
        return each.get("value") in [other.id for other in portal.linked(record, kind)]
    has, kind = name in values, portal.properties[record.kind][name]["type"]
    if operator in NONE:
        return has == (operator == "HAS_PROPERTY")
    if operator in ("NEQ", "NOT_IN", "NOT_CONTAINS_TOKEN"):
        positive = {"NEQ": "EQ", "NOT_IN": "IN", "NOT_CONTAINS_TOKEN": "CONTAINS_TOKEN"}[operator]
        return not has or not _matches_one(portal, record, values, {**each, "operator": positive})
    return has and _compare(kind, operator, values[name], each)


def _compare(kind: str, operator: str, value: str, each: Mapping[str, Any]) -> bool:
    if operator == "CONTAINS_TOKEN":
        return _contains(value, each["value"])
    if operator == "IN":
        return any(_key(kind, value) == _key(kind, other) for other in each["values"])
    one, other = _key(kind, value), _key(kind, each["value"])
    if operator == "BETWEEN":
        return bool(other <= one <= _key(kind, each["highValue"]))
    return bool({"EQ": one == other, "LT": one < other, "LTE": one <= other, "GT": one > other, "GTE": one >= other}[operator])


def _key(kind: str, text: str) -> Any:
    if kind == "number":
        try:
            return float(text)
        except ValueError:
            raise HubSpotError(400, "VALIDATION_ERROR", "a number is needed") from None
    if kind in ("date", "datetime"):
        moment = read_time(text)
        if moment is None:
            raise HubSpotError(400, "VALIDATION_ERROR", "a time is needed")
        return moment
    return text.lower()


def _contains(text: str, wanted: str) -> bool:
    """Words in a row; a star stands for the rest of a word."""
    patterns = [re.escape(word).replace(r"\*", r"\w*") for word in re.findall(r"[\w*]+", wanted.lower())]
    if not patterns:
        return False
    return bool(re.search(r"(?<!\w)" + r"\W+".join(patterns) + r"(?!\w)", text.lower()))


def _said(portal: Portal, record: Record, query: str) -> bool:
    values = portal.values(record)
    return not query or any(_contains(values.get(name, ""), query) for name in QUERIED)


def _sorted(portal: Portal, kind: str, found: list[Record], sorts: list[Any]) -> list[Record]:
    """By creation where nothing is said. What shares its place comes in no order that can be relied upon: here the newest first."""
    given = sorts[0] if sorts else MODIFIED.get(kind, "hs_createdate")
    name, down = (given["propertyName"], given.get("direction") == "DESCENDING") if isinstance(given, dict) else (given.lstrip("-"), given.startswith("-"))
    if name not in portal.properties[kind]:
        raise HubSpotError(400, "VALIDATION_ERROR", f"{name} cannot be sorted by")
    type_name = portal.properties[kind][name]["type"]
    tied = sorted(found, key=lambda record: -int(record.id))
    return sorted(tied, key=lambda record: _key(type_name, text) if (text := portal.values(record).get(name)) else _key(type_name, "0"), reverse=down)
