"""The parts that answer people: console, API, signing in."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING

from caseline.wiring.working import Working

if TYPE_CHECKING:
    from caseline.desk import Desk
    from caseline.oidc import Provider
    from caseline.outside import Outside

SECRET_SECONDS = 300


class Serving(Working):
    @property
    def desk(self) -> Desk:
        from caseline.desk import Desk
        from caseline.replaying import replay
        from caseline.views import Gauges

        config, streams = self.config, [self.environ[name] for name in ("PUBLISH_FUNCTION", "TRIAGE_FUNCTION") if self.environ.get(name)]
        return Desk(
            self.table, Gauges(self.client("cloudwatch"), self.client("stepfunctions"), self.environ["STATE_MACHINE_ARN"], streams, self.stack),
            {source.key: source.brand for source in config.sources}, self.scopes, lambda case_key: self.outbox.push(case_key),
            lambda row: replay(row, self.table, config, self.intake, self.read_from), self.clock, lambda: self.crm,
            config.crm.name, self.ask_count, lambda: self.policy, self.outside,
        )

    @property
    def outside(self) -> Outside:
        """What a person's data may stand in besides the table."""
        from caseline.outside import Outside
        from caseline.stores import Bucket, DeadLetters

        letters = DeadLetters(self._call, self.environ.get("DEAD_LETTERS", "").split(",") if self.environ.get("DEAD_LETTERS") else [])
        return Outside(Bucket(self._call, self.bucket, self.find_object), letters, self.requeue)

    @cached_property
    def provider(self) -> Provider:
        """The issuer people sign in with; its endpoints stand on its own host, or on one of OIDC_HOSTS."""
        from caseline.oidc import Provider, Settings, fetch_json

        accepted = {self.environ.get("OIDC_AUDIENCE", ""), self.environ.get("OIDC_CLIENT_ID", "")} - {""}
        client_id = self.environ.get("OIDC_CLIENT_ID") or self.environ.get("OIDC_AUDIENCE", "")
        hosts = frozenset(self.environ.get("OIDC_HOSTS", "").replace(",", " ").split())
        return Provider(Settings(self.environ.get("OIDC_ISSUER", ""), client_id, frozenset(accepted), hosts), fetch_json, self.clock)

    def client_secret(self) -> str:
        """What the issuer gave us to prove that it is us who redeem a code."""
        arn = self.environ["OIDC_CLIENT_SECRET_ARN"]
        found = self._fresh("oidc", SECRET_SECONDS, lambda: json.loads(self._call("secretsmanager", "get_secret_value", SecretId=arn)["SecretString"]))
        return str(found.get("client_secret") or "")
