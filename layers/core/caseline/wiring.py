"""The composition root: clients, adapters and settings of one execution environment, each made when first needed.

Nothing but the standard library is imported until then, so that the receive path pays for what it uses alone.
"""

from __future__ import annotations

import gc
import json
import os
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from caseline import __version__
from caseline.caches import LazySecrets, SecretShelf, read_secrets
from caseline.errors import UnavailableError, UnfitModelError
from caseline.settings import Config
from caseline.sources import Source

if TYPE_CHECKING:
    from caseline.assessment import Analyser
    from caseline.assessment.learned import Learned
    from caseline.assessment.rules import Rules
    from caseline.cases.lookup import AccountLookUp
    from caseline.cases.outbox import Outbox
    from caseline.cases.prioritise import Prioritiser
    from caseline.cases.save import CaseSaver
    from caseline.completing import Completer
    from caseline.crm import Crm
    from caseline.crm._pace import Pace
    from caseline.desk import Desk
    from caseline.intake import Intake
    from caseline.oidc import Provider
    from caseline.outside import Outside
    from caseline.policy import Policy
    from caseline.polling import Poller
    from caseline.reconciling import Reconciler
    from caseline.recording import Recorder
    from caseline.retention import Retention
    from caseline.runs import Runs
    from caseline.syncing import CrmSync
    from caseline.table import Table
    from caseline.watching import Watcher

CONFIG_SECONDS = 60
MODEL_SECONDS = 300  # until another model of the tenant counts everywhere
SECRET_SECONDS = 300
ERASURE_SECONDS = 1  # shorter than an erasure waits before it empties what it finds
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


@cache
def wiring() -> Wiring:
    """The wiring of this execution environment."""
    return Wiring(os.environ)


@dataclass
class _Cached:
    value: Any
    read_at: float


@dataclass
class Wiring:
    """`environ` names the resources (never a secret); `seconds` is a monotonic clock for the caches."""

    environ: Mapping[str, str]
    seconds: Callable[[], float] = time.monotonic
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex
    _cache: dict[str, _Cached] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict)

    # ---- clients

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

    # ---- settings

    def _fresh(self, name: str, lifetime: float, read: Callable[[], Any]) -> Any:
        """The cached value; past its lifetime a new one, and the old one still while the service does not answer."""
        cached, now = self._cache.get(name), self.seconds()
        if cached and now - cached.read_at < lifetime:
            return cached.value
        try:
            self._cache[name] = _Cached(read(), now)
        except UnavailableError:
            if not cached:
                raise
        return self._cache[name].value

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
    def stack(self) -> str:
        """Whose metrics these are: the stack's name, with which its secrets begin too."""
        return self.environ.get("SECRET_PREFIX", "")

    # ---- secrets

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

    # ---- queue, bucket, bus, state machine

    def send_signals(self, body: str, group: str, attributes: Mapping[str, Any]) -> None:
        queue_url = self.environ["SIGNALS_QUEUE_URL"]
        self._call("sqs", "send_message", QueueUrl=queue_url, MessageBody=body, MessageGroupId=group, MessageAttributes=dict(attributes))

    def send_job(self, body: str, group: str) -> None:
        self._call("sqs", "send_message", QueueUrl=self.environ["POLL_QUEUE_URL"], MessageBody=body, MessageGroupId=group)

    @cached_property
    def intake(self) -> Intake:
        from caseline.intake import Intake

        return Intake(self.send_signals, self.put_object)

    @property
    def poller(self) -> Poller:
        from caseline.polling import Poller

        return Poller(self.config, self.table, self.intake, self.source, self.open_session, self.clock, self.new_id, self.stack)

    def open_session(self, channel: Any) -> Any:
        """An HTTP session that reaches the channel's hosts alone."""
        from caseline.outbound import Session

        return Session(getattr(channel, "HOSTS", ()), self.clock)

    @property
    def completer(self) -> Completer:
        from caseline.completing import Completer

        def open_session(channel: Any) -> Any:
            session = self.open_session(channel)
            session.read = self.read_from  # pointers may name objects
            return session

        return Completer(self.table, self.source, open_session, self.requeue, self.ask_completion, self.clock, self.stack)

    def ask_completion(self, job: Mapping[str, Any], seconds: int = 0) -> None:
        queue_url, body = self.environ["COMPLETION_QUEUE_URL"], json.dumps(job)
        self._call("sqs", "send_message", QueueUrl=queue_url, MessageBody=body, **({"DelaySeconds": seconds} if seconds else {}))

    def put_object(self, object_key: str, body: bytes) -> None:
        self._call("s3", "put_object", Bucket=self.environ["BUCKET_NAME"], Key=object_key, Body=body)

    def read_object(self, object_key: str) -> bytes:
        data: bytes = self._call("s3", "get_object", Bucket=self.bucket, Key=object_key)["Body"].read()
        return data

    def find_object(self, object_key: str, absent: Collection[str] = ("NoSuchKey", "404")) -> bytes | None:
        """None where there is none of that key; who asks must be allowed to list the bucket, or S3 says that access is denied."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            data: bytes = self.client("s3").get_object(Bucket=self.bucket, Key=object_key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in absent:
                return None
            raise UnavailableError("s3 refused an object") from error
        except BotoCoreError as error:
            raise UnavailableError("s3 did not answer") from error
        return data

    @property
    def bucket(self) -> str:
        return self.environ["BUCKET_NAME"]

    def read_from(self, bucket: str, object_key: str) -> bytes:
        """An object that an event names; only buckets that the function may read answer."""
        data: bytes = self._call("s3", "get_object", Bucket=bucket, Key=object_key)["Body"].read()
        return data

    @property
    def event_bus(self) -> str:
        return self.environ["EVENT_BUS_NAME"]

    def send_events(self, entries: list[dict[str, str]]) -> None:
        """All or UnavailableError; what is sent again is the same events once more."""
        if self._call("events", "put_events", Entries=entries)["FailedEntryCount"]:
            raise UnavailableError("the event bus refused some entries")

    def start_execution(self, name: str, data: str) -> None:
        """One of that name that exists already is success."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.client("stepfunctions").start_execution(stateMachineArn=self.environ["STATE_MACHINE_ARN"], name=name, input=data)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                raise UnavailableError("the state machine did not start") from error
        except BotoCoreError as error:
            raise UnavailableError("the state machine did not answer") from error

    # ---- the core's parts

    @cached_property
    def table(self) -> Table:
        from caseline.table import Table

        return Table(self.client("dynamodb"), self.environ["TABLE_NAME"])

    @cached_property
    def runs(self) -> Runs:
        from caseline.runs import Runs

        return Runs(self.table, self.start_execution, self.clock)

    @property
    def analyser(self) -> Analyser:
        return self._open_analyser(self.config.analysis.name)

    def _open_analyser(self, name: str) -> Analyser:
        """Made anew when the policy's categories or the tenant's model change."""
        from caseline.assessment import open_analyser

        known, rules = self._clients.get(f"analyser/{name}"), self.rules
        if known is None or known[0] is not rules:
            client = self.client("comprehend") if name == "comprehend" else None
            opened = open_analyser(name, client=client, settings=self.config.analysis.settings, rules=rules, learned=rules.learned)
            known = self._clients[f"analyser/{name}"] = (rules, opened)
        analyser: Analyser = known[1]
        return analyser

    @property
    def rules(self) -> Rules:
        from caseline.assessment.rules import rules_for

        return rules_for(self.policy.categories, self.learned if self.config.analysis.settings.get("adapt", True) else None)

    @property
    def learned(self) -> Learned | None:
        """The tenant's own model, None where there is none or it cannot be read: then the shipped one judges."""
        with suppress(UnavailableError):
            learned: Learned | None = self._fresh("learned", MODEL_SECONDS, self._read_learned)
            return learned
        self._cache["learned"] = _Cached(None, self.seconds())
        return None

    def _read_learned(self) -> Learned | None:
        from caseline.model_shelf import Shelf

        known = self._cache.get("learned")
        if not self.environ.get("BUCKET_NAME"):
            return None
        try:
            return Shelf(self._find_model, self._refuse_to_write).current(known.value if known else None)
        except UnfitModelError as error:
            import logging

            logging.getLogger(__name__).error("the tenant's model is refused and the shipped one judges: %s", error)
            return None

    @staticmethod
    def _refuse_to_write(object_key: str, body: bytes) -> None:
        raise UnavailableError(f"functions only read models, and {object_key} is one")

    def _find_model(self, object_key: str) -> bytes | None:
        """Functions that only read models may not list."""
        return self.find_object(object_key, ("NoSuchKey", "AccessDenied", "404", "403"))

    @property
    def crm(self) -> Crm:
        """The configured CRM; one that is reached over the network is guarded, so that all workers keep its limits together."""
        from caseline.crm import open_crm
        from caseline.crm._guard import GuardedCrm
        from caseline.crm._pace import read_pace

        chosen, key = self.config.crm, f"crm/{self.config.crm.name}"
        made_of, known = (chosen, self.secret(key) or {}), self._clients.get(key)
        if not known or known[0] != made_of:  # a new secret, or a change of settings, asks for a new adapter
            adapter = open_crm(chosen.name).create(settings=read_pace(chosen.settings)[1], secret=made_of[1], table=self.table, clock=self.clock)
            self._clients[key] = known = made_of, GuardedCrm(adapter, self.table, self.clock) if self.has_remote_crm else adapter
        crm: Crm = known[1]
        return crm

    @property
    def has_remote_crm(self) -> bool:
        """The built-in one stands in our own table: it needs no notes of what it can see, and tells of no changes."""
        from caseline.crm._pace import BUILTIN

        return self.config.crm.name != BUILTIN

    @property
    def crm_pace(self) -> Pace:
        from caseline.crm._pace import read_pace

        return read_pace(self.config.crm.settings)[0]

    @property
    def enrich_after(self) -> timedelta | None:
        """How long after a signal its customer's profile is written to the CRM; None for never."""
        minutes = self.crm_pace.enrich_minutes
        return timedelta(minutes=minutes) if self.has_remote_crm and minutes else None

    @property
    def crm_source(self) -> Source:
        """The CRM as the sender of its own webhooks; their secrets stand in its secret as `webhook_secrets`, newest first."""
        from caseline.crm._pace import read_pace

        chosen = self.config.crm
        known = self.secret(f"crm/{chosen.name}") or {}
        return Source(chosen.name, "", (), tuple(map(str, known.get("webhook_secrets") or ())), read_pace(chosen.settings)[1])

    def send_changes(self, body: str) -> None:
        self._call("sqs", "send_message", QueueUrl=self.environ["CRM_QUEUE_URL"], MessageBody=body)

    @property
    def crm_sync(self) -> CrmSync:
        from caseline.cases.inbound import Inbound
        from caseline.syncing import CrmSync

        inbound = Inbound(self.table, self.config.crm.name, self.scopes, self.clock)
        return CrmSync(self.table, self.crm, inbound, self.clock, self.stack)

    @property
    def reconciler(self) -> Reconciler:
        from caseline.reconciling import Reconciler

        return Reconciler(self.table, self.crm, self.clock, self.stack)

    def ask_count(self) -> None:
        """By the queue: the count may take longer than a request may."""
        from caseline.reconciling import REQUEST

        self.send_changes(REQUEST)

    @property
    def scopes(self) -> list[str]:
        """The prefixes that identities may have: none, or each brand."""
        return sorted(self.config.brands) if self.config.identity_scope == "brand" else [""]

    @property
    def recorder(self) -> Recorder:
        """Made once; the policy and the models it judges by are the newest."""
        from caseline.recording import Recorder

        if "recorder" not in self._clients:
            self._clients["recorder"] = Recorder(
                self.table, self.analyser, self.policy, self.scope_of, self.requeue, self.clock, None, self.ask_completion, self.cart_notes,
                erasure=self._last_erasure,
            )
        recorder: Recorder = self._clients["recorder"]
        recorder.policy, recorder.analyser, recorder.rules = self.policy, self.analyser, self.rules
        recorder.fallback = self._open_analyser("embedded") if self.config.analysis.name != "embedded" else None
        return recorder

    def _last_erasure(self) -> str:
        from caseline.tombstones import last_erasure

        return str(self._fresh("erasure", ERASURE_SECONDS, lambda: last_erasure(self.table)))

    @property
    def cart_notes(self) -> Any:
        from caseline.abandonment import PATIENCE, CartNotes

        def patience_of(channel: str, name: str) -> timedelta:
            known = self.config.source(channel, name)
            minutes = known.settings.get("abandoned_after_minutes") if known else None
            return timedelta(minutes=minutes) if isinstance(minutes, int | float) and 0 < minutes < 100_000 else PATIENCE

        return CartNotes(self.table, patience_of)

    def queue_signal(self, signal: Any, brand: str) -> None:
        """Take in what Caseline itself found out (an abandoned cart, a customer at risk), as if a platform had sent it."""
        from caseline.intake import Envelope
        from caseline.metrics import emit

        envelope = Envelope(self.new_id(), signal.channel, signal.source, brand, "asserted", signal.received_at, "poll")
        self.intake.accept(envelope, [signal])
        emit({"Accepted": 1}, f"{signal.channel}/{signal.source}", signal.received_at, self.stack)

    def requeue(self, envelope: Mapping[str, Any]) -> None:
        from caseline.intake import send_again

        send_again(envelope, self.send_signals)

    @property
    def account_look_up(self) -> AccountLookUp:
        from caseline.cases.lookup import AccountLookUp

        if not self.has_remote_crm:
            return AccountLookUp(self.table, self.crm, self.runs, self.clock)
        return AccountLookUp(self.table, self.crm, self.runs, self.clock, self.crm_pace.fresh, listens=True)

    @property
    def prioritiser(self) -> Prioritiser:
        from caseline.cases.prioritise import Prioritiser

        return Prioritiser(self.table, self.config.crm.name, self.policy, self.runs, self.clock, self.case_url)

    @property
    def case_saver(self) -> CaseSaver:
        from caseline.cases.save import CaseSaver

        return CaseSaver(self.outbox, self.runs)

    @property
    def outbox(self) -> Outbox:
        from caseline.cases.outbox import Outbox

        if not self.has_remote_crm:
            return Outbox(self.table, self.crm, self.clock, self.case_url)
        from caseline.cases.newcomers import Newcomers

        newcomers = Newcomers(self.table, self.crm, self.policy, self.clock)
        return Outbox(self.table, self.crm, self.clock, self.case_url, self.crm_pace.patience, takes_notes=True, newcomers=newcomers)

    @property
    def watcher(self) -> Watcher:
        from caseline.abandonment import CartWatch
        from caseline.finds import Finder
        from caseline.profiles import ProfileWriter
        from caseline.storms.incidents import Incidents
        from caseline.watching import Watcher

        profiles = ProfileWriter(self.table, self.crm, self.policy, self.clock) if self.enrich_after else None
        incidents = Incidents(self.table, self.policy, self.runs, self.clock, self.account_look_up)
        carts = CartWatch(self.table, self.queue_signal, self.clock)
        finder = Finder(self.table, self.policy, self.queue_signal, self.clock, self.account_look_up)
        return Watcher(self.table, self.runs, self.outbox, self.clock, carts, profiles, incidents, finder)

    @property
    def retention(self) -> Retention:
        from caseline.retention import Retention

        return Retention(self.table, self.policy, self.clock, not self.has_remote_crm)

    def case_url(self, case_key: str) -> str:
        base = self.environ.get("CONSOLE_URL") or self.config.public_url
        return f"{base.rstrip('/')}/console/cases/{case_key}"

    # ---- console and API

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
