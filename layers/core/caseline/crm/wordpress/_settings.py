"""Settings of the WordPress adapter, and the mapping of its plugin that they make up. The door reads them too: nothing heavy here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from caseline.crm._mapped._checks import read_mapping
from caseline.crm._mapped._mapping import Mapped
from caseline.crm._mapped._settings import Place, Settings
from caseline.crm._settings import read_settings as read_fields
from caseline.crm.wordpress._mapping import mapping_of
from caseline.errors import ConfigError

STATUSES = {"new": "not-started", "open": "in-progress", "pending": "on-hold", "closed": "complete"}


@dataclass(frozen=True)
class WordPressSettings:
    """As under `crm:` in config.yaml.

    `path` is where WordPress is installed on its host ("/blog"), `user` the login name of our user there, whose writes are no news. `owners` maps an owner
    to the login name of a WordPress user, `tiers` the words in an organization's tier to ours; `currency` is what opportunities are in, `phone_region` (GB)
    reads numbers without a country's code.
    """

    instance_url: str = ""
    path: str = ""
    user: str = "caseline"
    priorities: Mapping[str, str] = field(default_factory=lambda: {"P1": "high", "P2": "high", "P3": "medium", "P4": "low"})
    statuses: Mapping[str, str] = field(default_factory=lambda: dict(STATUSES))
    owners: Mapping[str, str] = field(default_factory=dict)
    tiers: Mapping[str, str] = field(default_factory=dict)
    currency: str = ""
    phone_region: str = ""


NAMES = frozenset(WordPressSettings.__dataclass_fields__)


def read_settings(given: Mapping[str, Any]) -> Settings:
    """ConfigError for a setting that does not exist or cannot be what it should be."""
    found = read_fields(WordPressSettings, "wordpress", given)
    if found.path and (not found.path.startswith("/") or found.path.endswith("/")):
        raise ConfigError("crm.path: write a path such as /blog")
    prefix = f"{found.path}/wp-json/caseline/v1"
    return Settings(Place(found.instance_url, prefix, found.currency, found.phone_region), _mapped(found))


def _mapped(found: WordPressSettings) -> Mapped:
    words = {name: getattr(found, name) for name in ("priorities", "statuses", "owners", "tiers")}
    return _read(found.user, tuple((name, tuple(sorted(each.items()))) for name, each in words.items()))


@lru_cache(4)
def _read(user: str, words: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> Mapped:
    return read_mapping(mapping_of(user, {name: dict(each) for name, each in words}))
