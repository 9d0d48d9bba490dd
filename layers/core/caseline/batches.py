"""Batches: the good items come out, and a bad one is kept beside them, in as much of the body as it takes to read it again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NoReturn

from caseline.errors import PayloadError
from caseline.payloads import Field
from caseline.signals import Signal, Unreadable

Item = tuple[Field, Callable[[], Signal | None]]


def read_batch(items: Iterable[Item]) -> list[Signal | Unreadable]:
    """Each item is where it stands and how to read it; None is understood and says nothing. PayloadError only if all are bad."""
    read: list[Signal | tuple[Field, PayloadError]] = []
    places: list[Field] = []
    for place, read_item in items:
        places.append(place)
        try:
            read += [signal] if (signal := read_item()) else []
        except PayloadError as error:
            read.append((place, error))
    bad = [each[1] for each in read if isinstance(each, tuple)]
    if bad and len(bad) == len(places):
        raise PayloadError(bad[0].message, bad[0].field)
    return [each if isinstance(each, Signal) else Unreadable(each[1].message, each[1].field, keep_alone(each[0], places)) for each in read]


def list_items(place: Field, items: Callable[[], Iterable[Item]]) -> list[Item]:
    """The items of one part of a batch; a part that cannot be taken apart is one bad item, and its neighbours stand."""
    try:
        return list(items())
    except PayloadError as error:
        return [(place, partial(_refuse, error))]


def keep_alone(place: Field, places: Iterable[Field]) -> Any:
    """The body with this item and no other, so that its channel can read it again: what stands around it may say what it is."""
    way = list(place.above())
    others = {id(other.value) for other in places if isinstance(other.value, dict | list)} - {id(place.value), *(id(holder) for _, holder in way)}
    kept = _without(others, place.value)
    for name, holder in way:
        kept = [kept] if isinstance(holder, list) else {each: kept if each == name else _without(others, value) for each, value in holder.items()}
    return kept


def _without(others: set[int], value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(others, each) for name, each in value.items() if id(each) not in others}
    return [_without(others, each) for each in value if id(each) not in others] if isinstance(value, list) else value


def _refuse(error: PayloadError) -> NoReturn:
    raise error
