"""A small office for the tests of API and console: customers with accounts, signals on several channels, cases, and clients that count.

Everything is written with the product's own row builders, so that what is read is what the product writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from caseline.assessment import Assessment, unscored
from caseline.cases.ledger import case_key_of, claim_key, due, history_row, load_case, open_case
from caseline.cases.outbox import Outbox
from caseline.crm import Account, CaseRecord, Fact, SavedCase
from caseline.customers import Claimed, customer_id_of, new_nodes
from caseline.desk import Desk
from caseline.need import Need
from caseline.policy import load_policy
from caseline.priority import Evidence
from caseline.priority.model import headline, prioritise
from caseline.signals import Rating, Signal, isoformat
from caseline.table import Item, Table
from caseline.timeline import signal_row
from caseline.views import Gauges

NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
POLICY = load_policy()
HOSTILE = '<script>alert("x")</script>\' onmouseover=alert(1) {{7*7}} \u202egnp.exe'


class Office:
    """Fills a table. `now` is when everything is looked at; times are given in minutes before it."""

    def __init__(self, table: Table, now: datetime = NOW) -> None:
        self.table, self.now = table, now
        self.crm = FakeCrm()

    def ago(self, minutes: float) -> datetime:
        return self.now - timedelta(minutes=minutes)

    def customer(self, name: str, identities: list[str], account: Account | None = None, minutes: float = 5000, **more: Any) -> str:
        rows = new_nodes(Claimed(identities, "signal:first", isoformat(self.ago(minutes)), name=name))
        facts = {"account": account.to_json() if account else None, "match": "exact" if account else "none", "account_as_of": isoformat(self.ago(3))}
        for row in [rows[0] | facts | more, *rows[1:]]:
            self.table.put(row)
        return customer_id_of(identities[0])

    def account(self, name: str, tier: str, value: str = "0", renews_in: int | None = None, **facts: str) -> Account:
        read = isoformat(self.ago(3))
        known = {"tier": tier, "deal_value": value, "currency": "EUR", "contract_status": "active", **facts}
        if renews_in is not None:
            known["renewal_date"] = (self.now + timedelta(days=renews_in)).date().isoformat()
        return Account(f"A-{name[:3]}", name, f"C-{name[:3]}", facts={fact: Fact(value, f"builtin account.{fact}", read) for fact, value in known.items()})

    def signal(self, identity: str, minutes: float, text: str | None, strength: float | None = 0.7, channel: str = "x", **more: Any) -> Item:
        """A row of the timeline; `strength` below 0 is positive, None unscored."""
        native = f"{channel}-{minutes}-{identity}"
        facts = {"kind": "post", "public": True, "language": "en", "author_name": identity.partition(":")[2], **more}
        signal = Signal(
            channel=channel,
            source="acme",
            native_id=native,
            occurred_at=self.ago(minutes),
            received_at=self.ago(minutes),
            identities=(identity,),
            text=text,
            **facts,
        )
        need = Need("due", "complaint", "service") if strength is not None and strength > 0.2 and signal.direction == "inbound" else Need("none", "calm")
        row = signal_row(signal, "acme", "", assess(strength), need, f"delivery-{native}", timedelta(days=700))
        self.table.put(row)
        return row

    def case(self, customer_id: str, signals: list[Item], category: str = "service", account: Account | None = None, push: bool = True, **more: Any) -> str:
        opener = signals[0]
        evidence = Evidence(
            Assessment.from_json(opener["assessment"]),
            self.now,
            account,
            public=opener["public"],
            audience=opener.get("reach"),
            category=category,
            signal_at=opener["occurred_at"],
        )
        priority = prioritise(POLICY, evidence)
        case_key = case_key_of(opener["signal_id"])
        row: Item = {
            "PK": f"CASE#{case_key}",
            "SK": "CASE",
            "type": "case",
            "schema": 1,
            "case_key": case_key,
            "customer_id": customer_id,
            "brand": "acme",
            "category": category,
            "status": "open",
            "opened_at": opener["occurred_at"],
            "updated_at": opener["occurred_at"],
            "version": 1,
            "pushed_version": 0,
            "identity": opener["identity"],
            "at": f"{opener['occurred_at']}#{case_key}",
            "priority": priority.to_json(),
            "queue": priority.queue,
            "headline": headline(priority, category),
            "subject": f"{category.capitalize()}: {account.name if account else 'unknown'}",
            "crm": {"name": "builtin", "sync": "pending"},
            "signal_ids": [row["signal_id"] for row in signals],
            "signal_count": len(signals),
            "channels": sorted({row["channel"] for row in signals}),
            "account_id": account.account_id if account else "",
            "contact_id": "",
            **due(isoformat(self.now)),
            **more,
        }
        stands = int((self.table.get(f"CUSTOMER#{customer_id}", "CUSTOMER") or {}).get("version", 1))
        told = history_row(case_key, row["opened_at"], "opened", row["headline"], 1)
        assert open_case(self.table, claim_key(customer_id, "acme", category), row, told, version=stands)
        for signal in signals:
            self.table.update(signal["PK"], signal["SK"], "SET case_key = :key", key=case_key)
        if push:
            self.outbox().push(case_key)
        return case_key

    def outbox(self) -> Outbox:
        return Outbox(self.table, self.crm, lambda: self.now, lambda case_key: f"https://care.example/console/cases/{case_key}")

    def desk(self, **more: Any) -> Desk:
        parts: dict[str, Any] = {
            "table": self.table,
            "gauges": Gauges(FakeMetrics(), FakeExecutions(), "machine", ("triage",)),
            "sources": {"x/acme": "acme"},
            "scopes": ("",),
            "push": self.outbox().push,
            "replay": lambda row: None,
            "clock": lambda: self.now,
        }
        return Desk(**(parts | more))

    def load_case(self, case_key: str) -> Item:
        row = load_case(self.table, case_key)
        assert row
        return row


def assess(strength: float | None) -> Assessment:
    if strength is None:
        return unscored("language")
    if strength < 0:
        return Assessment("positive", positive=-strength, neutral=1 + strength, confidence=0.9, model="test")
    return (
        Assessment("negative", negative=strength, neutral=1 - strength, confidence=0.9, model="test")
        if strength > 0.2
        else Assessment("neutral", neutral=0.9, confidence=0.9)
    )


def stars(value: int) -> Rating:
    return Rating("stars", value, 1, 5)


class FakeCrm:
    """Keeps each case once, by its key, and numbers them."""

    name, native_upsert = "builtin", True

    def __init__(self) -> None:
        self.saved: dict[str, CaseRecord] = {}

    def save_case(self, record: CaseRecord) -> SavedCase:
        created = record.case_key not in self.saved
        self.saved[record.case_key] = record
        number = str(1000 + list(self.saved).index(record.case_key))
        return SavedCase(f"crm-{number}", number, f"https://crm.example/cases/{number}", created)


class FakeMetrics:
    """CloudWatch with the values it was given: by (metric, dimension value), newest first."""

    def __init__(self, values: Mapping[tuple[str, str], Iterable[float]] | None = None) -> None:
        self.values = {name: list(numbers) for name, numbers in (values or {}).items()}
        self.calls = 0

    def get_metric_data(self, MetricDataQueries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's names
        self.calls += 1
        return {"MetricDataResults": [{"Id": query["Id"], "Values": self._values(query["MetricStat"]["Metric"])} for query in MetricDataQueries]}

    def _values(self, metric: dict[str, Any]) -> list[float]:
        return self.values.get((metric["MetricName"], metric["Dimensions"][0]["Value"]), [])


class FakeExecutions:
    """Step Functions with so many executions running, a page at a time."""

    def __init__(self, running: int = 0, page: int = 2) -> None:
        self.running, self.page = running, page

    def list_executions(self, nextToken: str = "0", **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's names
        start = int(nextToken)
        found = [{"name": str(number)} for number in range(start, min(start + self.page, self.running))]
        more = {"nextToken": str(start + self.page)} if start + self.page < self.running else {}
        return {"executions": found, **more}


def rest_event(method: str, path: str, query: Mapping[str, str] | None = None, body: str | None = None, roles: str = "agent", **headers: str) -> dict[str, Any]:
    """The event a REST API sends to a proxy function, as its authoriser lets it through."""
    return {
        "httpMethod": method,
        "path": path,
        "resource": "/{proxy+}",
        "queryStringParameters": dict(query or {}) or None,
        "multiValueQueryStringParameters": None,
        "headers": {"Host": "care.example", **{name.replace("_", "-"): value for name, value in headers.items()}},
        "body": body,
        "isBase64Encoded": False,
        "requestContext": {
            "requestId": "req-1",
            "path": path,
            "httpMethod": method,
            "stage": "live",
            "authorizer": {"principalId": "ana@acme.example", "roles": roles},
        },
    }
