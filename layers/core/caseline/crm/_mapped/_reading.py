"""A mapping as people write it, read into dataclasses. A mistake is known by its place, so that config.yaml's line can be told."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from caseline.crm._mapped._expression import Expression
from caseline.crm._mapped._template import Template
from caseline.errors import ConfigError

T = TypeVar("T")
Place = tuple[str | int, ...]


class MappingError(ConfigError):
    """`place` is the path below `crm`, `said` what to write."""

    def __init__(self, place: Place, said: str) -> None:
        self.place, self.said = place, said
        super().__init__(f"crm.{'.'.join(map(str, place))}: {said}")


def read(kind: type[T], value: Any, place: Place) -> T:
    """`value` as a `kind`: text, truth, number, expression, template, a dataclass of these, a tuple or mapping of one."""
    found: T = _read(kind, value, place)
    return found


def _read(kind: Any, value: Any, place: Place) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _read(inner[0], value, place)
    if is_dataclass(kind) and kind not in _READERS:
        return _read_object(kind, value, place)
    if origin is tuple:
        items = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else _refuse(place, "write a list")
        return tuple(_read(inner[0], item, (*place, number)) for number, item in enumerate(items))
    if origin is not None:
        return {str(key): _read(inner[1], each, (*place, str(key))) for key, each in _mapping(value, place).items()}
    return _READERS[kind](value, place)


def _read_object(kind: Any, value: Any, place: Place) -> Any:
    known = {field.name.rstrip("_"): field for field in fields(kind)}
    given = _mapping(value, place)
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            raise MappingError((*place, str(name)), f"there is no {str(name)!r} here; write {near[0] if near else 'one of ' + ', '.join(known)}")
    for name, field in known.items():
        if name not in given and _is_needed(field):
            raise MappingError(place, f"{name!r} is missing; write `{name}: ...`")
    types_of = get_type_hints(kind)
    return kind(**{field.name: _read(types_of[field.name], given[name], (*place, name)) for name, field in known.items() if given.get(name) is not None})


def _is_needed(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _mapping(value: Any, place: Place) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else _refuse(place, "write a mapping")


def _refuse(place: Place, said: str) -> Any:
    raise MappingError(place, said)


def _text(value: Any, place: Place) -> str:
    """YAML makes numbers of ids and versions: they are taken as text."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else str(_refuse(place, "write a text"))


def _number(value: Any, place: Place) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else int(_refuse(place, "write a whole number"))


def _truth(value: Any, place: Place) -> bool:
    return value if isinstance(value, bool) else bool(_refuse(place, "write true or false"))


def _made(make: Callable[[Any], Any]) -> Callable[[Any, Place], Any]:
    def made(value: Any, place: Place) -> Any:
        try:
            return make(value)
        except ValueError as error:
            raise MappingError(place, str(error)) from None

    return made


_READERS: Mapping[Any, Callable[[Any, Place], Any]] = {
    str: _text, int: _number, bool: _truth, Expression: _made(Expression), Template: _made(Template),
}  # fmt: skip
