"""The request a channel verifies and the response it may give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit


class Headers(Mapping[str, str]):
    """Headers looked up without regard to case."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        self._values = {name.lower(): value for name, value in (headers or {}).items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True)
class WebhookRequest:
    """A request as the platform sent it.

    `url` is the public URL as configured, with query; `received_at` is aware, UTC, and the only clock a channel sees.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", Headers(self.headers))

    def with_headers(self, headers: Mapping[str, str]) -> WebhookRequest:
        return replace(self, headers={**self.headers, **headers})

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; of a repeated one the last stands."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))


@dataclass(frozen=True)
class WebhookResponse:
    status: int
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)
