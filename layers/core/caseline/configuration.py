"""Reading `config.yaml` and `secrets.json`, for people: every mistake with its line and column and what to write. Never on the hot path."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from caseline.channels import channel_names, open_channel
from caseline.config_text import Location, read_yaml, report_problems, suggest
from caseline.crm import crm_names
from caseline.crm_settings import check_crm, check_crm_secret
from caseline.errors import ConfigError
from caseline.phones import is_region

ANALYSERS = ("comprehend", "embedded")
MIN_SECRET = 16  # characters; a channel may ask for more
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
Problem = tuple[Location, str]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BrandModel(_Model):
    own_ids: list[StrictStr] = []


class SourceModel(_Model):
    channel: StrictStr
    name: StrictStr = "default"
    brand: StrictStr
    trust: Literal["verified", "asserted"] | None = None
    own_ids: list[StrictStr] = []
    settings: dict[str, Any] = {}


class AdapterModel(BaseModel):
    """Beside its name an adapter's settings may stand in `settings` or next to it."""

    model_config = ConfigDict(extra="allow")
    name: StrictStr
    settings: dict[str, Any] = {}


class ConfigModel(_Model):
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] | None = None
    brands: dict[str, BrandModel | None]
    sources: list[SourceModel]
    crm: AdapterModel = AdapterModel(name="builtin")
    analysis: AdapterModel = AdapterModel(name="embedded")
    policy: StrictStr | None = None
    identity_scope: Literal["deployment", "brand"] = "deployment"


def read_config(text: str, name: str = "config.yaml") -> dict[str, Any]:
    """The configuration as plain data, as `Config.from_json` takes it. Raises ConfigError: `config.yaml:LINE:COLUMN: what is wrong and what to write`."""
    data = read_yaml(text, name)
    if not isinstance(data, dict):
        raise ConfigError(f"{name}:1:1: the configuration is a mapping; begin with `brands:` and `sources:`")
    problems = list(_check_shape(data)) or [problem for check in _CHECKS for problem in check(data)]
    if problems:
        raise ConfigError(report_problems(problems, text, name))
    plain: dict[str, Any] = json.loads(json.dumps(data, default=str))
    return plain


def read_secrets(text: str, config: Mapping[str, Any], name: str = "secrets.json") -> dict[str, Any]:
    """`{"<channel>/<source>": [newest, older], "crm/<name>": {..., "webhook_secrets": [newest, older]}}`.

    Raises ConfigError; a secret itself is never in its text.
    """
    data = read_yaml(text, name) if text.strip() else {}
    if not isinstance(data, dict):
        raise ConfigError(f'{name}:1:1: the secrets are an object; write {{"<channel>/<source>": ["newest", "older"]}}')
    known = {f"{source['channel']}/{source.get('name', 'default')}" for source in config.get("sources") or ()}
    problems = [problem for key, value in data.items() for problem in _check_secret(str(key), value, known, config)]
    if problems:
        raise ConfigError(report_problems(problems, text, name))
    return data


def _check_shape(data: Mapping[str, Any]) -> Iterator[Problem]:
    """What pydantic finds, in our words. What a mapping should hold stands beside what it does."""
    try:
        ConfigModel.model_validate(data)
    except ValidationError as error:
        for found in error.errors():
            place = tuple(part for part in found["loc"] if not str(part).startswith(("function-", "constrained-")))
            yield place, _say(found["type"], place, found["msg"])


def _say(kind: str, place: Location, message: str) -> str:
    word = str(place[-1]) if place else ""
    if kind == "extra_forbidden":
        return f"there is no key {word!r} here{suggest(word, _keys_at(place))}"
    if kind == "missing":
        return f"the key {word!r} is missing; write `{word}: ...`"
    if kind == "string_pattern_mismatch":
        return "this is not a URL; write one such as https://hooks.example.com"
    if kind == "literal_error":
        return f"this value is not known; write {message.partition('should be ')[2]}"
    kinds = {"string_type": "a text", "list_type": "a list", "dict_type": "a mapping", "model_type": "a mapping", "model_attributes_type": "a mapping"}
    return f"this must be {kinds[kind]}" + ("; put it in quotes" if kind == "string_type" else "") if kind in kinds else f"{message}; write another value"


def _keys_at(place: Location) -> Sequence[str]:
    models: Mapping[str, type[BaseModel]] = {"sources": SourceModel, "brands": BrandModel}
    return list((models[str(place[0])] if len(place) > 1 else ConfigModel).model_fields)


def _check_channels(data: Mapping[str, Any]) -> Iterator[Problem]:
    names = channel_names()
    for index, source in enumerate(data["sources"]):
        if source["channel"] not in names:
            yield ("sources", index, "channel"), f"there is no channel {source['channel']!r}{suggest(source['channel'], names)}"


def _check_sources(data: Mapping[str, Any]) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for index, source in enumerate(data["sources"]):
        key = (source["channel"], source.get("name", "default"))
        if not NAME.match(key[1]):
            yield ("sources", index, "name"), f"{key[1]!r} cannot stand in a URL; write letters, digits, dots, dashes and underscores, at most 64"
        if key in seen:
            yield ("sources", index), f"the source {'/'.join(key)} stands here twice; give one of them another name"
        if source["brand"] not in data["brands"]:
            yield ("sources", index, "brand"), f"there is no brand {source['brand']!r} under brands{suggest(source['brand'], map(str, data['brands']))}"
        seen.add(key)


def _check_adapters(data: Mapping[str, Any]) -> Iterator[Problem]:
    for kind, known in (("crm", crm_names()), ("analysis", ANALYSERS)):
        chosen = (data.get(kind) or {}).get("name")
        if chosen is not None and chosen not in known:
            yield (kind, "name"), f"there is no {kind} {chosen!r}{suggest(chosen, known)}"


def _check_settings(data: Mapping[str, Any]) -> Iterator[Problem]:
    for index, source in enumerate(data["sources"]):
        needed = getattr(open_channel(source["channel"]), "REQUIRED_SETTINGS", ()) if source["channel"] in channel_names() else ()
        for name in needed:
            if not (source.get("settings") or {}).get(name):
                yield ("sources", index), f"{source['channel']} needs the setting {name!r}; write `settings: {{{name}: ...}}`"


def _check_regions(data: Mapping[str, Any]) -> Iterator[Problem]:
    for index, source in enumerate(data["sources"]):
        region = (source.get("settings") or {}).get("region")
        if region is not None and not is_region(region):
            yield ("sources", index, "settings", "region"), f"{region!r} is no country; write two letters of ISO 3166, such as GB"


_CHECKS: Sequence[Callable[[Mapping[str, Any]], Iterator[Problem]]] = (
    _check_channels, _check_sources, _check_settings, _check_regions, _check_adapters, check_crm,
)  # fmt: skip


def _check_secret(key: str, value: Any, sources: set[str], config: Mapping[str, Any]) -> Iterator[Problem]:
    if key.startswith("crm/"):
        yield from check_crm_secret(key, value, config)
    elif key not in sources:
        yield (key,), f"there is no source {key!r} in the configuration{suggest(key, sorted(sources))}"
    elif not isinstance(value, list) or not all(isinstance(secret, str | dict) for secret in value):
        yield (key,), 'the secrets of a source are a list, newest first; write ["newest", "older"]'
    else:
        yield from _check_lengths(key, value)


def _check_lengths(key: str, secrets: Sequence[Any]) -> Iterator[Problem]:
    shortest = getattr(open_channel(key.partition("/")[0]), "MIN_SECRET", MIN_SECRET)
    for index, secret in enumerate(secrets):
        if isinstance(secret, str) and len(secret.removeprefix("whsec_")) < shortest:
            yield (key, index), f"this secret is too short to be safe; write one of at least {shortest} characters"
