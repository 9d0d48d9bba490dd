"""The configuration as the functions use it: plain data, checked before it was put."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from caseline.identity import normalise_identity
from caseline.sources import Source

DEFAULT_URL = "http://127.0.0.1:8787"


@dataclass(frozen=True)
class SourceConfig:
    """One configured connection of a channel. `trust` is empty where the channel's own default stands."""

    channel: str
    name: str
    brand: str
    trust: str = ""
    own_ids: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.channel}/{self.name}"

    def open(self, secrets: Sequence[str]) -> Source:
        return Source(self.name, self.brand, self.own_ids, secrets, self.settings, self.trust)


@dataclass(frozen=True)
class Adapter:
    """A CRM or an analyser by name, with its settings."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    public_url: str = DEFAULT_URL
    brands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sources: Sequence[SourceConfig] = ()
    crm: Adapter = Adapter("builtin")
    analysis: Adapter = Adapter("embedded")
    identity_scope: str = "deployment"
    _by_key: Mapping[str, SourceConfig] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_key", {source.key: source for source in self.sources})

    def source(self, channel: str, name: str) -> SourceConfig | None:
        return self._by_key.get(f"{channel}/{name}")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Config:
        brands = {name: _own_ids(brand) for name, brand in (data.get("brands") or {}).items()}
        return cls(
            public_url=str(data.get("public_url") or DEFAULT_URL).rstrip("/"), brands=brands,
            sources=tuple(_read_source(source, brands) for source in data.get("sources") or ()),
            crm=_read_adapter(data.get("crm"), "builtin"), analysis=_read_adapter(data.get("analysis"), "embedded"),
            identity_scope=data.get("identity_scope") or "deployment",
        )


def _read_source(data: Mapping[str, Any], brands: Mapping[str, Sequence[str]]) -> SourceConfig:
    brand = data.get("brand") or ""
    own = (*brands.get(brand, ()), *_own_ids(data))
    return SourceConfig(data["channel"], data.get("name") or "default", brand, data.get("trust") or "", tuple(dict.fromkeys(own)), data.get("settings") or {})


def _own_ids(data: Mapping[str, Any] | None) -> tuple[str, ...]:
    """In canonical spelling; a bare id stays as it is and means the channel's own namespace."""
    return tuple(normalise_identity(text) or text.strip() for text in map(str, (data or {}).get("own_ids") or ()))


def _read_adapter(data: Mapping[str, Any] | None, default: str) -> Adapter:
    """`{name: ..., settings: {...}}`; other keys beside the name are settings too."""
    data = data or {}
    beside = {name: value for name, value in data.items() if name not in ("name", "settings")}
    return Adapter(data.get("name") or default, {**beside, **(data.get("settings") or {})})
