"""Batches: the good items come out, and a bad one is kept beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NoReturn

from caseline.errors import PayloadError
from caseline.signals import Signal, Unreadable

Item = tuple[Any, Callable[[], Signal | None]]


def read_batch(items: Iterable[Item]) -> list[Signal | Unreadable]:
    """Each item is its raw value and how to read it; None is understood and says nothing. PayloadError only if all are bad."""
    read: list[Signal | Unreadable] = []
    understood, first = 0, None
    for raw, read_item in items:
        try:
            signal = read_item()
        except PayloadError as error:
            first = first or error
            read.append(Unreadable(error.message, error.field, raw))
        else:
            understood += 1
            read += [signal] if signal else []
    if first and not understood:
        raise PayloadError(first.message, first.field)
    return read


def list_items(raw: Any, items: Callable[[], Iterable[Item]]) -> list[Item]:
    """The items of one part of a batch; a part that cannot be taken apart is one bad item, and its neighbours stand."""
    try:
        return list(items())
    except PayloadError as error:
        return [(raw, partial(_refuse, error))]


def _refuse(error: PayloadError) -> NoReturn:
    raise error
