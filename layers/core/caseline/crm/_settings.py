"""What stands under `crm:` in config.yaml, as the dataclass of one CRM's settings. Its fields and their types are all there is to know.

    settings = read_settings(Settings, "hubspot", given)

A field is str, bool, int, float, tuple[str, ...], Mapping[str, str] or Mapping[str, int]. A mapping that is given is laid over its default, so that one entry
can be changed alone; a text set to "" is switched off.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, Field, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from caseline.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
# Names of `crm:` that are no adapter's own.
COMMON = frozenset({"name"})


def read_settings(kind: type[T], crm: str, given: Mapping[str, Any]) -> T:
    """ConfigError for a setting that does not exist or cannot be what it should be; the text says what to write."""
    known = {field.name: field for field in fields(kind)}
    for name in set(given) - COMMON - set(known):
        raise ConfigError(f"crm.{name} is no setting of {crm}; write one of {', '.join(known)}")
    types = get_type_hints(kind)
    return kind(**{name: _read(f"crm.{name}", given[name], types[name], field) for name, field in known.items() if name in given})


def read_known(kind: type[T], read: Callable[[Mapping[str, Any]], T], given: Mapping[str, Any]) -> T:
    """Of a webhook's source, which has settings of its own besides. What is wrong with them is said where the adapter is made."""
    known = {field.name for field in fields(kind)}
    try:
        return read({name: value for name, value in given.items() if name in known})
    except ConfigError:
        return kind()


def check_names(names: Iterable[str], is_name: Callable[[str], object], hint: str) -> None:
    """ConfigError for a name that the CRM cannot have; "" switches a field off. `hint` goes on from "'x' is"."""
    for name in filter(None, names):
        if not is_name(name):
            raise ConfigError(f"crm: {name!r} is {hint}")


def check_case_key(case_fields: Mapping[str, str]) -> None:
    if not case_fields.get("case_key"):
        raise ConfigError("crm.case_fields.case_key: without it no case is found again")


def check_choice(name: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise ConfigError(f"crm.{name}: write {' or '.join(allowed)}")


def _read(name: str, value: Any, kind: Any, field: Field[Any]) -> Any:
    if get_origin(kind) is tuple:
        return _read_texts(name, value)
    if get_origin(kind) is not None:
        default = field.default_factory() if field.default_factory is not MISSING else {}
        return {**default, **_read_mapping(name, value, get_args(kind)[1])}
    return _READERS[kind](name, value)


def _read_texts(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{name}: write a list")
    return tuple(_read_text(name, each) for each in value)


def _read_mapping(name: str, value: Any, kind: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name}: write a mapping")
    return {str(key): _READERS[kind](f"{name}.{key}", each) for key, each in value.items()}


def _read_text(name: str, value: Any) -> str:
    """YAML makes numbers of ids and versions: they are taken as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigError(f"{name}: write a text")
    return str(value)


def _read_bool(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{name}: write true or false")
    return value


def _read_int(name: str, value: Any) -> int:
    try:
        if isinstance(value, str | int) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise ConfigError(f"{name}: write a whole number")


def _read_float(name: str, value: Any) -> float:
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return float(value)
    except ValueError:
        pass
    raise ConfigError(f"{name}: write a number")


_READERS: Mapping[Any, Callable[[str, Any], Any]] = {str: _read_text, bool: _read_bool, int: _read_int, float: _read_float}
