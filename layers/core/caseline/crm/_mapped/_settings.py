"""Settings of the adapter: where the CRM is, and its mapping. The door reads them too: nothing heavy here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from caseline.crm._mapped._checks import read_mapping
from caseline.crm._mapped._mapping import Mapped
from caseline.crm._settings import read_settings as read_fields
from caseline.errors import ConfigError


@dataclass(frozen=True)
class Place:
    """As under `crm:` in config.yaml, beside `mapping`.

    `prefix` is what all paths begin with. `currency` is what amounts are in where the CRM does not say; `phone_region` (GB) reads numbers stored without a
    country's code.
    """

    instance_url: str = ""
    prefix: str = ""
    currency: str = ""
    phone_region: str = ""


@dataclass(frozen=True)
class Settings:
    place: Place
    mapped: Mapped

    @property
    def instance_url(self) -> str:
        return self.place.instance_url


def read_settings(given: Mapping[str, Any], crm: str = "rest") -> Settings:
    """ConfigError for what does not exist or cannot be what it should be; one of the mapping has its place."""
    place = read_fields(Place, crm, {name: value for name, value in given.items() if name != "mapping"})
    if place.prefix and (not place.prefix.startswith("/") or place.prefix.endswith("/")):
        raise ConfigError("crm.prefix: write a path such as /api/v2")
    if not given.get("mapping"):
        raise ConfigError("crm.mapping: it is missing; write how the CRM is spoken to, see infra/crm/rest/README.md")
    return Settings(place, read_mapping(given["mapping"]))
