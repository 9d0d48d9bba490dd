"""Recorded webhooks of CRMs that sign nothing: proved by their secret, and read as their samples say."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from caseline.crm import open_crm
from caseline.errors import SignatureError
from caseline.signals import isoformat, parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest

EVENTS = Path(__file__).parents[2] / "events" / "crm"
SAMPLES = [path for crm in ("servicenow", "oracle", "sap") for path in sorted((EVENTS / crm).glob("*.json"))]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recorded_webhook_is_read_as_its_sample_says(path: Path) -> None:
    sample, module = json.loads(path.read_text()), open_crm(path.parent.name)
    sent = sample["request"]
    request = WebhookRequest(sent["method"], sent["url"], sent["headers"], sent["body"].encode(), parse_time(sample["received_at"]))
    source = Source(path.parent.name, "acme", secrets=tuple(sample["secrets"]), settings=sample["source"]["settings"])
    module.verify(request, source)
    assert [asdict(change) | {"at": isoformat(change.at)} for change in module.parse(request, source)] == sample["expected"]["changes"]
    with pytest.raises(SignatureError):
        module.verify(request, replace(source, secrets=("another",)))
