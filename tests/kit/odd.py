"""Odd values, and how to put one into any place of a payload."""

from __future__ import annotations

from typing import Any

ODD: tuple[Any, ...] = (None, "", [], {}, -1, 2**70, 1.5, True, "x" * 9000, "\u0000", [None], {"a": {}}, "2026-99-99T00:00:00Z")


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of each value in a JSON value, as the names and indexes that lead there."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, member in members for found in ((*path, name), *paths_of(member, (*path, name)))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with `new` in that place."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy
