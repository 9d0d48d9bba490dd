"""A home's sources as a sender knows them: the address each was given, and its newest secret."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from caseline.channels import open_channel
from caseline.config_text import read_yaml
from caseline.errors import ConfigError, SignatureError
from caseline.sources import Source
from caseline.web import WebhookRequest

from caseline_local.cli.api import find_url
from caseline_local.cli.samples import signing_setting
from caseline_local.cli.terminal import FindingsError, UnreachableError, read_file
from caseline_local.world import world_of

_PATIENCE = 30.0


@dataclass(frozen=True)
class Sender:
    """Signs for one source and posts to the product on this machine."""

    channel: str
    name: str
    secret: str
    public_url: str  # what the platform was given: some schemes sign it
    local_url: str
    settings: Mapping[str, Any] = field(default_factory=dict)  # some channels sign with one
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)  # the home's: a story may have moved it

    @property
    def key(self) -> str:
        return f"{self.channel}/{self.name}"

    @property
    def path(self) -> str:
        return f"/webhooks/{self.channel}/{self.name}"

    def sign(self, body: bytes, headers: dict[str, str]) -> WebhookRequest:
        """The request as the platform would send it now."""
        request = WebhookRequest("POST", self.public_url + self.path, headers, body, self.clock())
        try:
            signed: WebhookRequest = open_channel(self.channel).sign(request, Source(self.name, "", secrets=[self.secret], settings=self.settings))
        except (SignatureError, LookupError, ValueError):
            raise FindingsError(f"the secret of {self.key} in secrets.json is none that {self.channel} can sign with; `caseline doctor` says more") from None
        setting = signing_setting(self.channel)
        if setting and signed == request:
            advice = f"to send samples, put a private key of your own (a JWK with `d`) into its setting `{setting}`"
            raise FindingsError(f"only the platform can sign for {self.key}; {advice}")
        return signed

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        """(status, body) of the answer; UnreachableError if there is none."""
        connection = self.connect()
        try:
            return self.post_on(connection, body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"{self.local_url} does not answer ({error}); start it with `caseline dev`") from None
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.local_url).netloc, timeout=_PATIENCE)

    def post_on(self, connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        request = self.sign(body, headers)
        query = urlsplit(request.url).query
        connection.request("POST", self.path + (f"?{query}" if query else ""), request.body, dict(request.headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")


def read_home_config(home: Path) -> dict[str, Any]:
    """The configuration as plain data."""
    try:
        return dict(read_yaml(read_file(home / "config.yaml"), "config.yaml") or {})
    except OSError:
        raise FindingsError(f"{home}/config.yaml is missing; `caseline dev --home {home}` writes one to begin with") from None
    except ConfigError as error:
        raise FindingsError(str(error)) from None


def read_home_secrets(home: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(read_file(home / "secrets.json") or "{}"))
    except (OSError, ValueError) as error:
        raise FindingsError(f'{home}/secrets.json cannot be read ({error}); write {{"<channel>/<source>": ["newest", "older"]}}') from None


def find_sender(home: Path, channel: str, name: str | None = None, signs: bool = True) -> Sender:
    """The source of that name, else the channel's first. FindingsError says what is missing; a secret only where something is to be signed."""
    config = read_home_config(home)
    sources = {source.get("name", "default"): source for source in config.get("sources") or () if source.get("channel") == channel}
    names = list(sources)
    if not names or (name is not None and name not in names):
        raise FindingsError(f"{home}/config.yaml has no source of {channel}{f' named {name}' if name else ''}; add one under `sources:`")
    chosen = name or ("default" if "default" in names else names[0])
    needs_secret = signs and signing_setting(channel) is None
    found = read_home_secrets(home).get(f"{channel}/{chosen}") or ([] if needs_secret else [""])
    if not found:
        raise FindingsError(f"{home}/secrets.json has no secret for {channel}/{chosen}; write one")
    local = find_url(home)
    settings = sources[chosen].get("settings") or {}
    return Sender(channel, chosen, str(found[0]), str(config.get("public_url") or local).rstrip("/"), local, settings, world_of(home).now)
