"""Configuration, policy and secrets: read when needed, read anew when their time is over."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from caseline.caches import LazySecrets, SecretShelf, read_secrets
from caseline.errors import UnavailableError
from caseline.settings import Config
from caseline.sources import Source
from caseline.wiring.clients import Clients

if TYPE_CHECKING:
    from caseline.policy import Policy

CONFIG_SECONDS = 60
SECRET_SECONDS = 300


class Configured(Clients):
    def _parameter(self, variable: str) -> str:
        answer = self._call("ssm", "get_parameter", Name=self.environ[variable])
        return str(answer["Parameter"]["Value"])

    @property
    def config(self) -> Config:
        config: Config = self._fresh("config", CONFIG_SECONDS, lambda: Config.from_json(json.loads(self._parameter("CONFIG_PARAMETER"))))
        return config

    @property
    def policy(self) -> Policy:
        from caseline.policy import load_policy

        policy: Policy = self._fresh("policy", CONFIG_SECONDS, lambda: load_policy(self._parameter("POLICY_PARAMETER")))
        return policy

    def scope_of(self, brand: str) -> str:
        return brand if self.config.identity_scope == "brand" else ""

    @property
    def scopes(self) -> list[str]:
        """The prefixes that identities may have: none, or each brand."""
        return sorted(self.config.brands) if self.config.identity_scope == "brand" else [""]

    def secret(self, name: str) -> Any:
        """The JSON under the prefix; None where there is none."""
        return self._fresh(f"secret/{name}", SECRET_SECONDS, lambda: json.loads(self._read_secret(name) or "null"))

    def _read_secret(self, name: str) -> str | None:
        """The text of a secret, None where there is none of that name."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self.client("secretsmanager").get_secret_value(SecretId=f"{self.environ['SECRET_PREFIX']}/{name}")
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise UnavailableError("the secret store refused") from error
        except BotoCoreError as error:
            raise UnavailableError("the secret store did not answer") from error
        return str(answer.get("SecretString") or "")

    @cached_property
    def secret_shelf(self) -> SecretShelf:
        """The secrets of sources: past their life they are read anew or nothing is accepted, so that a withdrawn one does not live on."""
        return SecretShelf(lambda key: read_secrets(self._read_secret(key)), self.seconds)

    def source(self, channel: str, name: str) -> Source | None:
        """The source, None if it is not configured. Its secrets are read when they are first looked at."""
        known = self.config.source(channel, name)
        return known.open(LazySecrets(self.secret_shelf, known.key)) if known else None

    def case_url(self, case_key: str) -> str:
        base = self.environ.get("CONSOLE_URL") or self.config.public_url
        return f"{base.rstrip('/')}/console/cases/{case_key}"
