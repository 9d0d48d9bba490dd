"""One item of a batch that was not understood is kept so that its channel can read it again, once the cause is mended: that item, and not its neighbours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from caseline.errors import PayloadError
from caseline.intake import Intake
from caseline.quarantine import quarantine_row
from caseline.replaying import replay
from caseline.settings import Config
from caseline.signals import Signal, Unreadable, parse_time

from tests.contract.test_channels import ALL, POLLED, names, parse_event
from tests.kit.platforms import Platform, Recorded
from tests.kit.samples import Sample, open_session, reader, samples, sign_in

BATCHES = [sample for sample in ALL if len(sample.expected.get("signals", ())) > 1 and "complete" not in sample.data]
PAGES = [sample for sample in POLLED if any("native_id" in item for page in sample.expected["pages"][:1] for item in page)]
Items = list[Signal | Unreadable]


class Shelf:
    """A table that only takes the item off the list."""

    def __init__(self) -> None:
        self.updated: list[str] = []

    def update(self, pk: str, *_: Any, **__: Any) -> None:
        self.updated.append(pk)


@contextmanager
def broken(native_id: str) -> Iterator[None]:
    """While it lasts nobody can make a signal of that id."""
    make: Callable[..., None] = Signal.__init__

    def refuse(self: Signal, *args: Any, **facts: Any) -> None:
        make(self, *args, **facts)
        if self.native_id == native_id:
            raise PayloadError("cannot be read today", "somewhere")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Signal, "__init__", refuse)
        yield


def read(sample: Sample) -> Items:
    if "event" in sample.data:
        return parse_event(sample, sample.data["event"], sample.data.get("objects", {}))
    found: Items = sample.module.parse(sample.request, sample.source)
    return found


def replayed(sample: Sample, item: Unreadable, objects: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """What comes to the queue of an item that was kept."""
    described, sent = sample.data.get("source", {}), []
    config = Config.from_json({
        "brands": {"acme": {"own_ids": described.get("own_ids", [])}},
        "sources": [{"channel": sample.channel, "name": "default", "brand": "acme", "settings": described.get("settings", {})}],
    })
    envelope = {"channel": sample.channel, "source": "default", "brand": "acme", "received_at": sample.data["received_at"]}
    kept = json.loads(json.dumps({"reason": item.reason, "field": item.field, "raw": item.raw}))
    row, shelf = quarantine_row(envelope, kept, "delivery.0", timedelta(days=30)), Shelf()
    shelf_table: Any = shelf
    read_object = reader(sample.data.get("objects", {}) if objects is None else objects)
    replay(row, shelf_table, config, Intake(lambda body, *_: sent.append(json.loads(body)), lambda key, content: None), read_object)
    assert shelf.updated == [row["PK"]]
    return [signal for body in sent for signal in body["signals"]]


def check(sample: Sample, whole: Items, native_id: str, kept: list[Unreadable]) -> None:
    """Each kept item brings the signal that was missing; beside it at most what it hangs on, or what hangs on it: a duplicate."""
    wanted = [item.to_json() for item in whole if isinstance(item, Signal) and item.native_id == native_id]
    found = [replayed(sample, item) for item in kept]
    assert [signal for brought in found for signal in brought if signal["native_id"] == native_id] == wanted
    for brought in found:
        beside = [signal for signal in brought if signal["native_id"] != native_id]
        assert len(beside) <= 1 and all(wanted[0].get("parent_id") == each["native_id"] or each.get("parent_id") == native_id for each in beside)


@pytest.mark.parametrize("sample", BATCHES, ids=names(BATCHES))
def test_a_bad_item_of_a_batch_comes_back_alone(sample: Sample) -> None:
    whole = read(sample)
    before = [item for item in whole if isinstance(item, Unreadable)]
    for native_id in dict.fromkeys(item.native_id for item in whole if isinstance(item, Signal)):
        with broken(native_id):
            try:
                items = read(sample)
            except PayloadError:
                continue  # nothing else of it was good: it is kept whole
        check(sample, whole, native_id, [item for item in items if isinstance(item, Unreadable) and item.reason == "cannot be read today"])
        assert len([item for item in items if isinstance(item, Unreadable)]) > len(before)


@pytest.mark.parametrize("sample", PAGES, ids=names(PAGES))
def test_a_bad_item_of_a_page_comes_back_alone(sample: Sample, platform: Platform, private_keys: dict[str, str]) -> None:
    received_at = parse_time(sample.data["received_at"])

    def first_page() -> Items:
        """As a replay sees it: all of it received at one time."""
        platform.play(Recorded(sample.data["exchanges"]))
        items, _ = next(iter(sample.module.fetch(open_session(platform, sample), sign_in(sample, private_keys), sample.data["cursor"])))
        return [item.with_(received_at=received_at) if isinstance(item, Signal) else item for item in items]

    whole = first_page()
    for native_id in dict.fromkeys(item.native_id for item in whole if isinstance(item, Signal)):
        with broken(native_id):
            items = first_page()
        check(sample, whole, native_id, [item for item in items if isinstance(item, Unreadable) and item.reason == "cannot be read today"])


def test_a_file_that_a_record_points_to_is_read_again() -> None:
    [sample] = [sample for sample in samples("amazon_connect") if sample.name == "a_bad_one_among_good"]
    mended = {name: {**content, "Channel": "VOICE"} for name, content in sample.data["objects"].items()}
    [good, bad] = read(sample)
    assert isinstance(good, Signal) and isinstance(bad, Unreadable)
    [brought] = replayed(sample, bad, mended)
    assert (brought["native_id"], brought["revision"]) == (good.native_id, "2-redacted")
