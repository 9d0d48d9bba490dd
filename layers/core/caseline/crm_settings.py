"""What stands under `crm:` in config.yaml and as `crm/<name>` in secrets.json, checked by the CRM's own readers before anything starts. No call is made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from caseline.config_text import Location, suggest
from caseline.crm import crm_names, open_crm
from caseline.crm._pace import BUILTIN, Pace, read_pace
from caseline.errors import ConfigError

MIN_SECRET = 16  # characters of a secret that proves webhooks
_NAMED = re.compile(r"crm\.(.+?)(?: (?=is no setting of )|: )(.*)", re.DOTALL)
_UNKNOWN = re.compile(r"is no setting of (\S+); write one of (.*)", re.DOTALL)
Problem = tuple[Location, str]


def check_crm(data: Mapping[str, Any]) -> Iterator[Problem]:
    """The first thing that the CRM's reader does not take, with its place in the configuration."""
    chosen = data.get("crm") or {}
    name, given = chosen.get("name"), settings_of(chosen)
    if name not in crm_names():
        return
    try:
        _read_own(name, read_pace(given)[1])
    except ConfigError as error:
        yield _exact(error, chosen) or _place(str(error), chosen)


def check_crm_secret(key: str, value: Any, config: Mapping[str, Any]) -> Iterator[Problem]:
    """`value` is what its login needs, with `webhook_secrets` as a list where the CRM sends webhooks. No secret is in the text."""
    name, chosen = key.partition("/")[2], config.get("crm") or {}
    if name not in crm_names():
        yield (key,), f"there is no CRM {name!r}{suggest(name, crm_names())}"
    elif not isinstance(value, dict):
        yield (key,), "a CRM's secret is an object with the fields it logs in with"
    else:
        yield from _check_webhook_secrets(key, value.get("webhook_secrets", []))
        if name == chosen.get("name"):
            yield from _check_login(key, name, settings_of(chosen), value)


def settings_of(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Beside the name, or under `settings`."""
    return {**{name: value for name, value in chosen.items() if name not in ("name", "settings")}, **(chosen.get("settings") or {})}


def _read_own(name: str, own: Mapping[str, Any]) -> None:
    reader = _reader(name)
    address = getattr(reader(own), "instance_url", None) if reader else None
    if address is not None:
        _check_address(name, address)


def _check_address(name: str, address: str) -> None:
    from caseline.crm._http import check_base_url

    try:
        check_base_url(name, address)
    except ConfigError as error:
        raise ConfigError(f"crm.instance_url: {str(error).partition(': ')[2] if address else f'{name} needs it; write https://host'}") from None


def _reader(name: str) -> Any:
    """`read_settings` of the CRM's package; None for one that has no settings."""
    place = f"caseline.crm.{name}._settings"
    return import_module(place).read_settings if getattr(open_crm(name), "__path__", None) and find_spec(place) else None


def _check_webhook_secrets(key: str, secrets: Any) -> Iterator[Problem]:
    if not isinstance(secrets, list) or not all(isinstance(secret, str) for secret in secrets):
        yield (key, "webhook_secrets"), 'these are a list, newest first; write ["newest", "older"]'
        return
    for index, secret in enumerate(secrets):
        if len(secret) < MIN_SECRET:
            yield (key, "webhook_secrets", index), f"this secret is too short to be safe; write one of at least {MIN_SECRET} characters"


def _check_login(key: str, name: str, given: Mapping[str, Any], secret: Mapping[str, Any]) -> Iterator[Problem]:
    """By making the adapter, which calls nobody; wrong settings are told of with the configuration."""
    if name == BUILTIN:
        return
    try:
        open_crm(name).create(settings=read_pace(given)[1], secret=secret, table=None)
    except ConfigError as error:
        if str(error).startswith("the secret of"):
            yield (key,), str(error)


def _exact(error: ConfigError, chosen: Mapping[str, Any]) -> Problem | None:
    """Of an error that knows its path below `crm`, and what to write there."""
    place, said = getattr(error, "place", None), getattr(error, "said", "")
    if not place:
        return None
    return (*(("crm", "settings") if place[0] in (chosen.get("settings") or {}) else ("crm",)), *place), said


def _place(text: str, chosen: Mapping[str, Any]) -> Problem:
    """Of a reader's text: `crm.queues.care: write ...` is said of that key, wherever the settings stand."""
    found = _NAMED.match(text)
    if not found:
        return ("crm",), text.removeprefix("crm: ")
    first = found[1].partition(".")[0]
    below = ("settings",) if first in (chosen.get("settings") or {}) else ()
    path = _walk(chosen[below[0]] if below else chosen, found[1])
    return ("crm", *below, *path), _shorten(first, found[2])


def _walk(value: Any, dotted: str) -> tuple[str, ...]:
    """The keys of a dotted place, some of which may have dots of their own; what is not there stays one word."""
    keys = sorted(map(str, value), key=len, reverse=True) if isinstance(value, Mapping) else ()
    key = next((key for key in keys if f"{dotted}.".startswith(f"{key}.")), None)
    if key is None or dotted == key:
        return (dotted,)
    return (key, *_walk(value[key], dotted[len(key) + 1 :]))


def _shorten(word: str, text: str) -> str:
    """A CRM has dozens of settings: the one that was meant, where it can be guessed, rather than all of them."""
    unknown = _UNKNOWN.match(text)
    if not unknown:
        return text
    known: Sequence[str] = (*unknown[2].split(", "), *(field.name for field in fields(Pace)))
    return f"{unknown[1]} has no setting {word!r}{suggest(word, known)}"
