"""The clients of one execution environment, each made when first needed, and what was read through them, for a while."""

from __future__ import annotations

import gc
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from caseline import __version__
from caseline.errors import UnavailableError

USER_AGENT = f"caseline/{__version__}"
TIMEOUTS = {"connect_timeout": 3, "read_timeout": 10}


def _create_client(session: Any, service: str, config: Any) -> Any:
    """A third of a first request's CPU time is saved by two things: botocore does not look through all its services for this one,
    and nothing is collected while its descriptions, large and kept for good, are read."""
    session.get_component("data_loader").list_available_services = lambda type_name: [service]
    gc.disable()
    try:
        return session.create_client(service, config=config)
    finally:
        gc.enable()


@dataclass


class Cached:
    value: Any
    read_at: float


@dataclass


class Clients:
    """`environ` names the resources (never a secret); `seconds` is a monotonic clock for the caches."""

    environ: Mapping[str, str]
    seconds: Callable[[], float] = time.monotonic
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex
    _cache: dict[str, Cached] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def _session(self) -> Any:
        import botocore.session

        return botocore.session.get_session()

    def client(self, service: str) -> Any:
        """A low-level client by botocore's session alone: boto3 would cost a quarter more to import."""
        if service not in self._clients:
            from botocore.config import Config as ClientConfig

            # A fixed user agent and no second validation take a third off the CPU time of a call.
            config = ClientConfig(retries={"mode": "standard", "total_max_attempts": 3}, user_agent=USER_AGENT, parameter_validation=False, **TIMEOUTS)
            self._clients[service] = _create_client(self._session, service, config)
        return self._clients[service]

    def _call(self, service: str, operation: str, **request: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self.client(service), operation)(**request)
        except (BotoCoreError, ClientError) as error:
            raise UnavailableError(f"{service} did not answer {operation}") from error

    def _fresh(self, name: str, lifetime: float, read: Callable[[], Any]) -> Any:
        """The cached value; past its lifetime a new one, and the old one still while the service does not answer."""
        cached, now = self._cache.get(name), self.seconds()
        if cached and now - cached.read_at < lifetime:
            return cached.value
        try:
            self._cache[name] = Cached(read(), now)
        except UnavailableError:
            if not cached:
                raise
        return self._cache[name].value

    @property
    def stack(self) -> str:
        """Whose metrics these are: the stack's name, with which its secrets begin too."""
        return self.environ.get("SECRET_PREFIX", "")
