"""Clients that are not ours, sent to a simulator."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter


class ToSimulator(HTTPAdapter):
    """The client insists on https and its real host: its requests go to the simulator instead."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        parts = urlsplit(request.url)
        request.url = f"{self._url}{parts.path}{'?' + parts.query if parts.query else ''}"
        return super().send(request, *args, **kwargs)
