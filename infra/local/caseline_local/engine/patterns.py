"""Event patterns, as event source filters and rules write them: which records a function sees."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping
from operator import eq, ge, gt, le, lt
from typing import Any

_ABSENT = object()
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {"=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}


def matches_any(patterns: Iterable[Mapping[str, Any]], record: Mapping[str, Any]) -> bool:
    """Whether a record passes a filter: any of its patterns, and an empty filter lets all pass."""
    chosen = list(patterns)
    return not chosen or any(matches(pattern, record) for pattern in chosen)


def matches(pattern: Mapping[str, Any], record: Any) -> bool:
    """Whether every field of the pattern is satisfied; fields it does not name do not matter."""
    return all(_field_matches(name, wanted, record) for name, wanted in pattern.items())


def _field_matches(name: str, wanted: Any, record: Any) -> bool:
    if name == "$or":
        return any(matches(alternative, record) for alternative in wanted)
    value = record.get(name, _ABSENT) if isinstance(record, Mapping) else _ABSENT
    if isinstance(wanted, Mapping):
        return matches(wanted, value)
    values = value if isinstance(value, list) else [value]
    return any(_rule_matches(rule, item) for rule in wanted for item in values)


def _rule_matches(rule: Any, value: Any) -> bool:
    if isinstance(rule, Mapping):
        name, argument = next(iter(rule.items()))
        return _RULES[name](argument, value)
    return value is not _ABSENT and type(rule) is type(value) and bool(rule == value)


def _differs(argument: Any, value: Any) -> bool:
    if isinstance(argument, Mapping):
        return value is not _ABSENT and not _rule_matches(argument, value)
    return value is not _ABSENT and value not in (argument if isinstance(argument, list) else [argument])


def _is_numeric(argument: list[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return all(_COMPARISONS[sign](value, bound) for sign, bound in zip(argument[::2], argument[1::2], strict=True))


_RULES: Mapping[str, Callable[[Any, Any], bool]] = {
    "exists": lambda argument, value: (value is not _ABSENT) is argument,
    "prefix": lambda argument, value: isinstance(value, str) and value.startswith(argument),
    "suffix": lambda argument, value: isinstance(value, str) and value.endswith(argument),
    "anything-but": _differs,
    "equals-ignore-case": lambda argument, value: isinstance(value, str) and value.lower() == argument.lower(),
    "wildcard": lambda argument, value: isinstance(value, str) and fnmatch.fnmatchcase(value, argument.replace("[", "[[]").replace("?", "[?]")),
    "numeric": _is_numeric,
}
