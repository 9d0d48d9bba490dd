"""The policy: read from text, validated, checked for contradictions. The shipped one is `policy.yaml` beside this module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from caseline.config_text import Location, read_yaml, report_problems, suggest
from caseline.errors import ConfigError
from caseline.policy_parts import BANDS, Part
from caseline.policy_parts.deadlines import ALWAYS
from caseline.policy_parts.issues import StormRules
from caseline.policy_parts.scoring import Condition, Floor
from caseline.policy_shape import Policy, line_maxima

__all__ = ["BANDS", "SHIPPED", "Condition", "Floor", "Policy", "find_contradictions", "line_maxima", "load_policy", "shipped_policy"]

RENEWAL = "renewal"  # the category of what Caseline itself finds
SHIPPED = Path(__file__).with_name("policy.yaml")


def load_policy(text: str | None = None, name: str = "policy.yaml") -> Policy:
    """The policy of a YAML or JSON text; the shipped one for None and "default". Raises ConfigError that says where and what to write."""
    if text is None or text.strip() == "default":
        return shipped_policy()
    data = read_yaml(text, name)
    if not isinstance(data, dict):
        raise ConfigError(f"{name}:1:1: a policy is a mapping; start it with `version: 1`")
    try:
        policy = place_categories(Policy.model_validate(_fill_in(data)))
    except ValidationError as error:
        problems = [(_path(e["loc"]), _say(e["type"], e["loc"], e["msg"], e["input"], e.get("ctx", {}))) for e in error.errors()]
        raise ConfigError(report_problems(problems, text, name)) from None
    if problems := list(find_contradictions(policy)):
        raise ConfigError(report_problems(problems, text, name))
    return policy


@lru_cache(maxsize=1)
def shipped_policy() -> Policy:
    return Policy.model_validate(_shipped_data())


@lru_cache(maxsize=1)
def _shipped_data() -> Mapping[str, Any]:
    data: Mapping[str, Any] = read_yaml(SHIPPED.read_text(encoding="utf-8"), SHIPPED.name)
    return data


def place_categories(policy: Policy) -> Policy:
    """Special categories have the points of the general one they are like, and stand where that one stands, unless the policy names them itself."""
    like = {row["name"]: row.get("like", "unknown") for row in _special_categories(policy)}
    new = {name: base for name, base in like.items() if base in policy.severity}
    if not new:
        return policy

    def widen(names: Sequence[str]) -> list[str]:
        return [*names, *(name for name, base in new.items() if base in names and name not in policy.severity)]

    return policy.model_copy(update={
        "severity": {**{name: policy.severity[base] for name, base in new.items()}, **policy.severity},
        "need": policy.need.model_copy(update={"categories": widen(policy.need.categories)}),
        "storms": policy.storms.model_copy(update={"alone": widen(policy.storms.alone), "apart": widen(policy.storms.apart)}),
        "floors": [floor.model_copy(update={"when": floor.when.model_copy(update={"categories": widen(floor.when.categories)})}) for floor in policy.floors],
        "routing": policy.routing.model_copy(update={
            "rules": [rule.model_copy(update={"categories": widen(rule.categories)}) for rule in policy.routing.rules],
        }),
    })  # fmt: skip


def _special_categories(policy: Policy) -> list[Mapping[str, Any]]:
    from caseline.assessment.taxonomy import read_example

    shown = [row for name in policy.categories.examples for row in read_example(name)["categories"]]
    return [*shown, *(row.model_dump(by_alias=True) for row in policy.categories.own)]


def find_contradictions(policy: Policy) -> Iterator[tuple[Location, str]]:
    """What is well formed by itself, but not together: the place, and what to write."""
    yield from _check_numbers(policy)
    yield from _check_calendars(policy)
    for place, names in _category_lists(policy):
        for index, category in enumerate(names):
            if category not in policy.severity and category != RENEWAL:  # which an older policy need not have
                yield (*place, index), f"no category {category!r} under severity{suggest(category, policy.severity)}"
    yield from _check_categories(policy)
    yield from _check_storms(policy)
    for index, tier in enumerate(policy.tiers.key):
        if tier not in policy.tiers.points:
            yield ("tiers", "key", index), f"no tier {tier!r} under tiers.points{suggest(tier, policy.tiers.points)}"
    for index, floor in enumerate(policy.floors):
        if floor.when == Condition():
            yield ("floors", index, "when"), "this floor would raise every case; write at least one condition"


def _check_storms(policy: Policy) -> Iterator[tuple[Location, str]]:
    for field, shipped in (("alone", StormRules().alone), ("apart", StormRules().apart)):
        for index, name in enumerate(getattr(policy.storms, field)):
            if name not in policy.severity and name not in shipped:  # an older policy need not have those that are shipped
                yield ("storms", field, index), f"no category {name!r} under severity{suggest(name, policy.severity)}"


def _check_numbers(policy: Policy) -> Iterator[tuple[Location, str]]:
    bands, renewal = policy.bands, policy.renewal
    if not bands.P1 > bands.P2 > bands.P3 > 0:
        yield ("bands",), "write P1 above P2 above P3 above 0"
    if renewal.far_days <= renewal.near_days:
        yield ("renewal", "far_days"), f"write more than near_days ({renewal.near_days})"
    if not {"unknown", "praise"} <= policy.severity.keys():
        yield ("severity",), "write points for `unknown` and `praise`, too"
    if (total := sum(line_maxima(policy).values())) > 100:
        yield (), f"the lines add up to {total} points; lower some, so that they are at most 100"


def _check_calendars(policy: Policy) -> Iterator[tuple[Location, str]]:
    known, chosen = [ALWAYS, *policy.calendars.named], {("default",): policy.calendars.default}
    for place, name in (chosen | {("brands", brand): name for brand, name in policy.calendars.brands.items()}).items():
        if name not in known:
            yield ("calendars", *place), f"no calendar {name!r} under calendars.named{suggest(name, known)}"


def _check_categories(policy: Policy) -> Iterator[tuple[Location, str]]:
    from caseline.assessment.phrases import check_phrases
    from caseline.assessment.taxonomy import read_default

    general = [row["name"] for row in read_default()["categories"]]
    for index, name in enumerate(policy.categories.without):
        if name not in general:
            yield ("categories", "without", index), f"no general category {name!r}{suggest(name, general)}"
    for index, row in enumerate(policy.categories.own):
        if row.like not in policy.severity:
            yield ("categories", "own", index, "like"), f"no category {row.like!r} under severity{suggest(row.like, policy.severity)}"
        if not any(row.phrases.values()):
            yield ("categories", "own", index, "phrases"), "write at least one phrase, by language: `en: [lounge closed]`"
        lists = [(("phrases", language), phrases) for language, phrases in row.phrases.items()] + [(("except",), row.exceptions)]
        for place, phrases in lists:
            for at, phrase in enumerate(phrases):
                try:
                    check_phrases([phrase])
                except ConfigError as error:
                    yield ("categories", "own", index, *place, at), str(error).removeprefix("taxonomy: ")


def _category_lists(policy: Policy) -> Iterator[tuple[Location, list[str]]]:
    yield ("need", "categories"), policy.need.categories
    for index, floor in enumerate(policy.floors):
        yield ("floors", index, "when", "categories"), floor.when.categories
    for index, rule in enumerate(policy.routing.rules):
        yield ("routing", "rules", index, "categories"), rule.categories


def _fill_in(data: Mapping[Any, Any]) -> dict[Any, Any]:
    """What a policy leaves out is as shipped: whole sections, and keys of a section; never a category or a floor. Its version it must say."""
    shipped = {name: value for name, value in _shipped_data().items() if name != "version"}
    filled = {name: {**shipped[name], **value} for name, value in data.items() if _is_section(name) and isinstance(value, dict)}
    return {**shipped, **data, **filled}


def _is_section(name: Any) -> bool:
    field = Policy.model_fields.get(name)
    return field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, Part)


def _path(location: Location) -> Location:
    return [part for part in location if part != "[key]"]


_KINDS: Mapping[type, str] = {dict: "a mapping", list: "a list", type(None): "nothing"}
_ADVICE: Mapping[str, str] = {
    "int_parsing": "write a whole number", "int_type": "write a whole number", "int_from_float": "write a whole number", "float_parsing": "write a number",
    "float_type": "write a number", "bool_parsing": "write true or false", "bool_type": "write true or false", "string_type": "write text",
    "list_type": "write a list", "dict_type": "write a mapping", "model_type": "write a mapping", "literal_error": "write {expected}",
    "less_than_equal": "write at most {le}", "greater_than_equal": "write at least {ge}",
    "less_than": "write less than {lt}", "greater_than": "write more than {gt}", "string_too_short": "write something",
    "string_pattern_mismatch": "write {pattern}",
}  # fmt: skip

_SHAPES: Mapping[str, str] = {
    "^[^:]+:.+$": "a kind and an id, such as email:qa@acme.example, domain:acme.example or account:A-1", "^[a-z]{2,3}$": "two letters, such as de",
    "^[a-z][a-z0-9_]{0,39}$": "lower-case letters, digits and underscores",
}  # fmt: skip


def _say(kind: str, location: Location, message: str, value: Any, known: Mapping[str, Any]) -> str:
    if kind == "missing":
        return f"missing; write `{location[-1]}:` and its value"
    if kind == "extra_forbidden":
        return f"unknown key{suggest(str(location[-1]), _known_keys(location[:-1]))}"
    plain = isinstance(value, str | int | float)
    if kind == "value_error":  # ours, which says what is wrong within
        return message.removeprefix("Value error, ") + (f", not {repr(value)[:80]}" if plain else "")
    known = {**known, "pattern": _SHAPES.get(str(known.get("pattern")), f"it in the shape {known.get('pattern')}")}
    advice = _ADVICE[kind].format(**known) if kind in _ADVICE else message[:1].lower() + message[1:]
    return f"{advice}, not {repr(value)[:80] if plain else _KINDS.get(type(value), 'something else')}"


def _known_keys(path: Location) -> Sequence[str]:
    """The keys of the section at `path`."""
    part: Any = Policy
    for step in path:
        part = part.model_fields[step].annotation if hasattr(part, "model_fields") else get_args(part)[-1]
    return list(part.model_fields)
