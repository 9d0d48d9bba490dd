"""What is kept of a payload that nobody understood."""

import base64
import random
from datetime import timedelta

import pytest
from caseline.quarantine import quarantine_row, read_raw
from caseline.table import Table

from tests.kit.aws import aws

ENVELOPE = {"id": "e-1", "channel": "meta", "source": "shop", "brand": "acme", "received_at": "2026-11-21T10:00:00.000000Z"}


@pytest.mark.parametrize("raw", ["x" * 400_000, "鳥" * 200_000, {"text": "鳥" * 100_000}, "\ud800"])
def test_however_large_the_table_takes_it(raw):
    row = quarantine_row(ENVELOPE, {"reason": "not read", "raw": raw}, "e-1.u0", timedelta(days=30))
    with aws() as cloud:
        table = Table(cloud.client("dynamodb"), cloud.table)
        assert table.insert_many([row]).refused == []
        assert read_raw(table.get(row["PK"], row["SK"])) == read_raw(row)


@pytest.mark.parametrize("body", [random.Random(1).randbytes(262_144), b'{"object": "page", "entry": []}' * 90_000])
def test_a_whole_payload_of_any_size_the_door_takes_is_kept_whole(body):
    row = quarantine_row(ENVELOPE, {"reason": "not read", "raw": base64.b64encode(body).decode(), "whole": True}, "e-1.u0", timedelta(days=30))
    with aws() as cloud:
        table = Table(cloud.client("dynamodb"), cloud.table)
        assert table.insert_many([row]).refused == []
        assert base64.b64decode(read_raw(table.get(row["PK"], row["SK"]))) == body
