"""Every channel module, found by itself, against its samples and against what strangers may send. No sample, no green build."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from caseline.channels import PROOFS, channel_names, open_channel, proof_of
from caseline.errors import PayloadError, SignatureError, UnavailableError, UnknownChannelError
from caseline.signals import Signal, parse_time
from caseline.sources import Source
from caseline.web import WebhookRequest

from tests.kit.odd import ODD, paths_of, put
from tests.kit.platforms import Platform, Recorded
from tests.kit.samples import Sample, as_json, changed_headers, open_session, reader, samples, sign_in

CORE = Path(__file__).parents[2] / "layers" / "core"
ALL = [sample for name in channel_names() for sample in samples(name)]
WEB = [sample for sample in ALL if "request" in sample.data]
PARSED = [sample for sample in WEB if "response" not in sample.expected]
SIGNED = [sample for sample in PARSED if sample.source.secrets and sample.proof != "none"]
PROBED = list({sample.channel: sample for sample in SIGNED}.values())
POLLED = [sample for sample in ALL if "exchanges" in sample.data and "complete" not in sample.data]
COMPLETED = [sample for sample in ALL if "complete" in sample.data]
EVENTS = [sample for sample in ALL if "event" in sample.data]
HOSTILE = {
    "empty": b"", "not JSON": b"<xml/>", "scalar": b"1", "null": b"null", "list": b"[]", "string": b'"x"', "NaN": b'{"a": NaN}', "infinity": b'{"a": 1e999}',
    "deep list": b"[" * 100_000, "deep object": b'{"a":' * 40 + b"1" + b"}" * 40, "many values": b"[" + b"1," * 300_000 + b"1]",
    "5,000 digits": b'{"a": ' + b"9" * 5000 + b"}", "39 digits": b'{"a": ' + b"9" * 39 + b"}", "2 MB": b'{"a": "' + b"x" * 2_000_000 + b'"}',
    "surrogate": b'{"a": "\\ud800"}', "surrogate key": b'{"\\udfff": 1}', "NUL": b'{"a": "\\u0000"}', "raw NUL": b"\x00", "BOM": b'\xef\xbb\xbf{"a": 1}',
    "UTF-16": '{"a": 1}'.encode("utf-16"), "UTF-32": '{"a": 1}'.encode("utf-32"), "latin-1": '{"a": "é"}'.encode("latin-1"),
    "twice": b'{"a": 1, "a": 2}', "trailing": b"{} {}", "comment": b"{} // x", "form": b"a=1&b=2&&=&%ff=%zz", "percent": b"Body=%ff%fe&MessageSid=%00",
}


def names(values: list[Sample]) -> list[str]:
    return [f"{sample.channel}/{sample.name}" for sample in values]


def parse_event(sample: Sample, event: Any, objects: dict[str, Any]) -> list[Any]:
    received_at = parse_time(sample.data["received_at"])
    found: list[Any] = sample.module.parse_event(event, sample.source, received_at=received_at, read=reader(objects))
    return found


@pytest.mark.parametrize("name", channel_names())
def test_every_channel_has_samples_and_says_what_it_needs(name: str) -> None:
    channel = open_channel(name)
    assert samples(name), f"write events/channels/{name}/<case>.json"
    assert callable(channel.verify) and callable(channel.parse)
    assert proof_of(channel) in PROOFS and (proof_of(channel) == "none" or callable(channel.sign))
    assert "redential" in (channel.__doc__ or ""), "the docstring says what the credential is"


@pytest.mark.parametrize("name", channel_names())
def test_samples_show_all_that_a_channel_can_do_and_say(name: str) -> None:
    channel, shown = open_channel(name), samples(name)
    parts = {"challenge": "response", "acknowledge": "response", "fetch": "exchanges", "parse_event": "event", "complete": "complete"}
    missing = [part for part, field in parts.items() if hasattr(channel, part) and not any(field in sample.data | sample.expected for sample in shown)]
    assert not missing, f"no sample of {missing}"
    assert proof_of(channel) == "none" or any("error" in sample.expected for sample in shown), "no sample of what is not understood"
    said = {json.dumps(value) for sample in shown for signal in sample.signals for value in (signal["kind"], *signal.values()) if isinstance(value, str)}
    said |= {'"rating"' for sample in shown for signal in sample.signals if "rating" in signal}
    assert not (unsaid := sorted(words_of(channel) - said)), f"no sample brings {unsaid}"


def words_of(channel: Any) -> set[str]:
    """Kinds, actions, directions and ratings that the module's code names, as a signal's JSON has them."""
    files = [path for path in ([Path(channel.__file__)] if not hasattr(channel, "__path__") else sorted(Path(channel.__file__).parent.glob("*.py")))]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    named = {"DELETED": "deleted", "UPDATED": "updated", "OUTBOUND": "outbound", "Rating": "rating"}
    found = {named[node.id] for node in nodes if isinstance(node, ast.Name) and node.id in named}
    found |= {node.value.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "kind" and isinstance(node.value, ast.Constant)}
    return {json.dumps(word) for word in found - {"created"}}


HEAVY = set("boto3 botocore pydantic requests jwt cryptography urllib3 ruamel jinja2 email http xml asyncio ssl socket aws_xray_sdk".split())


@pytest.mark.parametrize("name", channel_names())
def test_opening_a_channel_imports_nothing_heavy(name: str) -> None:
    """What a cold start would pay for; a channel that needs one of these imports it where it is used."""
    code = (
        "import sys; from caseline.door import Door; from caseline.channels import open_channel; before = set(sys.modules); "
        f"open_channel({name!r}); print(*sorted({{each.partition('.')[0] for each in sys.modules.keys() - before}} & {HEAVY!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(CORE)}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", ["nowhere", "_x", "", "..", "x.y", "os", "errors", "x/../y", "ｘ"])
def test_nothing_but_a_channel_can_be_opened(name: str) -> None:
    with pytest.raises(UnknownChannelError):
        open_channel(name)


@pytest.mark.parametrize("sample", PARSED, ids=names(PARSED))
def test_sample_reads_as_expected(sample: Sample) -> None:
    request, source = sample.request, sample.source
    if "error" in sample.expected:
        with pytest.raises(PayloadError) as caught:
            sample.module.parse(request, source)
        assert {"message": caught.value.message, "field": caught.value.field} == sample.expected["error"]
        return
    assert as_json(sample.module.parse(request, source)) == sample.expected
    assert as_json(sample.module.parse(request, source)) == sample.expected, "parse is pure"
    for item in sample.module.parse(request, source):
        if isinstance(item, Signal):
            assert Signal.from_json(json.loads(json.dumps(item.to_json()))).to_json() == item.to_json()


@pytest.mark.parametrize("sample", SIGNED, ids=names(SIGNED))
def test_sample_is_accepted_with_each_live_secret_and_refused_without(sample: Sample) -> None:
    request, source, verify = sample.request, sample.source, sample.module.verify
    assert verify(request, source) is None
    other = [secret.swapcase() for secret in source.secrets]
    verify(request, replace(source, secrets=[*other, *source.secrets]))
    verify(request, replace(source, secrets=["", *source.secrets, *other]))
    for secrets in ((), [""], ["  "], other, ["whsec_"], ["é"], [""] * 3):
        with pytest.raises(SignatureError):
            verify(request, replace(source, secrets=secrets))


@pytest.mark.parametrize("sample", SIGNED, ids=names(SIGNED))
def test_spoilt_proof_is_refused(sample: Sample) -> None:
    """Every proving header, spoilt in every way; the other ones stay right."""
    request = sample.request
    for how, spoilt in changed_headers(request, getattr(sample.module, "KEPT_HEADERS", ())):
        if how.endswith("no prefix") and getattr(sample.module, "BARE_SIGNATURES", False):
            continue
        with pytest.raises(SignatureError):
            sample.module.verify(spoilt, sample.source)
            pytest.fail(f"{how} was accepted")
    if sample.proof == "body":
        return
    bare = replace(request, headers={"content-type": "application/json"}, url=request.url.partition("?")[0])
    with pytest.raises(SignatureError):
        sample.module.verify(bare, sample.source)


@pytest.mark.parametrize("sample", [s for s in SIGNED if s.proof == "signature"], ids=lambda s: f"{s.channel}/{s.name}")
def test_changed_body_is_refused(sample: Sample) -> None:
    request = sample.request
    for body in (request.body + b" ", request.body[:-1], request.body[:-1] + b"\x00", b"", request.body * 2):
        with pytest.raises(SignatureError):
            sample.module.verify(replace(request, body=body), sample.source)


@pytest.mark.parametrize("sample", SIGNED, ids=names(SIGNED))
def test_stale_request_is_refused_where_the_platform_signs_the_time(sample: Sample) -> None:
    request = sample.request
    if not any("timestamp" in name for name in request.headers):
        return
    for seconds, right in ((0, True), (300, True), (-300, True), (301, False), (-301, False), (86_400 * 400, False)):
        moved = replace(request, received_at=request.received_at + timedelta(seconds=seconds))
        if right:
            sample.module.verify(moved, sample.source)
        else:
            with pytest.raises(SignatureError):
                sample.module.verify(moved, sample.source)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("sample", PROBED, ids=names(PROBED))
def test_hostile_body_never_crashes(sample: Sample, kind: str) -> None:
    request = replace(sample.request, body=HOSTILE[kind])
    with pytest.raises(SignatureError):
        if sample.proof == "token":
            request = replace(request, headers={}, url=request.url.partition("?")[0])
        sample.module.verify(request, sample.source)
    try:
        json.dumps(as_json(sample.module.parse(request, sample.source))).encode()
    except PayloadError as error:
        error.message.encode()


@pytest.mark.parametrize("sample", [s for s in PARSED if s.expected.get("signals") and "json" in s.data["request"]], ids=lambda s: f"{s.channel}/{s.name}")
def test_each_field_may_be_anything(sample: Sample) -> None:
    """Every value of the payload, one at a time, becomes something else: signals, unreadables or PayloadError, nothing else."""
    body = sample.data["request"]["json"]
    for path in paths_of(body):
        for value in ODD:
            request = replace(sample.request, body=json.dumps(put(body, path, value)).encode())
            try:
                items = sample.module.parse(request, sample.source)
            except PayloadError:
                continue
            signals = [item for item in items if isinstance(item, Signal)]
            assert all(item.native_id and isinstance(item.native_id, str) and item.occurred_at <= request.received_at for item in signals)
            json.dumps(as_json(items)).encode()


@pytest.mark.parametrize("sample", [s for s in WEB if "response" in s.expected], ids=lambda s: f"{s.channel}/{s.name}")
def test_answer_is_the_platforms(sample: Sample) -> None:
    expected, request = sample.expected["response"], sample.request
    if expected.get("refused"):
        with pytest.raises(SignatureError):
            sample.module.challenge(request, sample.source)
        return
    challenge = getattr(sample.module, "challenge", lambda request, source: None)
    response = challenge(request, sample.source) or sample.module.acknowledge(request, sample.source, [])
    assert response.status == expected["status"]
    assert "json" not in expected or json.loads(response.body) == expected["json"]
    assert response.body == expected.get("body", response.body)
    assert response.headers.get("Content-Type", "").startswith(expected.get("content_type", ""))


@pytest.mark.parametrize("sample", EVENTS, ids=names(EVENTS))
def test_event_reads_as_expected(sample: Sample) -> None:
    """An event of AWS itself, and the objects it points to: `{"<bucket>/<key>": text or JSON}`."""

    def parse() -> dict[str, Any]:
        return as_json(parse_event(sample, sample.data["event"], sample.data.get("objects", {})))

    if "error" in sample.expected:
        with pytest.raises(PayloadError) as caught:
            parse()
        assert {"message": caught.value.message, "field": caught.value.field} == sample.expected["error"]
        return
    assert parse() == sample.expected == parse()


@pytest.mark.parametrize("sample", [s for s in EVENTS if s.expected.get("signals")], ids=lambda s: f"{s.channel}/{s.name}")
def test_each_field_of_an_event_may_be_anything(sample: Sample) -> None:
    event, objects = sample.data["event"], sample.data.get("objects", {})
    odd = [(put(event, path, value), objects) for path in paths_of(event) for value in ODD]
    odd += [(event, put(objects, path, value)) for path in paths_of(objects) for value in ODD]
    for changed, found in odd:
        try:
            items = parse_event(sample, changed, found)
        except (PayloadError, UnavailableError):
            continue
        assert all(item.native_id and item.occurred_at <= item.received_at for item in items if isinstance(item, Signal))
        json.dumps(as_json(items)).encode()


def shown(error: Exception) -> dict[str, Any]:
    return {"error": type(error).__name__} | ({"retry_after": wait} if (wait := getattr(error, "retry_after", 0)) else {})


@pytest.mark.parametrize("sample", POLLED, ids=names(POLLED))
def test_recorded_exchange_is_polled_as_expected(sample: Sample, platform: Platform, private_keys: dict[str, str]) -> None:
    recorded = Recorded(sample.data["exchanges"])
    platform.play(recorded)
    pages, cursor, failure = [], sample.data["cursor"], {}
    try:
        for items, moved in sample.module.fetch(open_session(platform, sample), sign_in(sample, private_keys), cursor):
            cursor = moved
            pages.append([as_json([item])["signals"][0] if isinstance(item, Signal) else {"unreadable": item.field} for item in items])
    except UnavailableError as error:
        failure = shown(error)
    assert not recorded.problems and not recorded.left
    assert {"pages": pages, "cursor": cursor, **failure} == sample.expected


@pytest.mark.parametrize("name", [name for name in channel_names() if proof_of(open_channel(name)) == "none"])
def test_what_does_not_come_by_webhook_is_refused_there(name: str) -> None:
    request = WebhookRequest("POST", f"https://hooks.example.com/webhooks/{name}", {}, b"{}", parse_time("2026-03-14T09:30:00Z"))
    for secrets in ((), [""], ["a-secret-of-sixteen-or-more"]):
        with pytest.raises(SignatureError):
            open_channel(name).verify(request, Source("default", "acme", (), secrets))


@pytest.mark.parametrize("sample", COMPLETED, ids=names(COMPLETED))
def test_pointer_is_completed_as_expected(sample: Sample, platform: Platform, private_keys: dict[str, str]) -> None:
    recorded, pointer = Recorded(sample.data.get("exchanges", ())), Signal.from_json(sample.data["complete"])
    platform.play(recorded)
    try:
        completed = sample.module.complete(open_session(platform, sample), sign_in(sample, private_keys), pointer)
    except (PayloadError, UnavailableError) as error:
        found = shown(error)
    else:
        found = {"signal": completed.to_json()}
        assert completed.signal_id == pointer.signal_id, "it becomes that signal, not another"
    assert not recorded.problems and not recorded.left
    assert found == sample.expected
