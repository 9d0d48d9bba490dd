"""Mails as strangers write them: charsets, encoded words, machines, own senders; nothing crashes, nothing is said twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from caseline.errors import PayloadError
from caseline.mail import is_automatic, read_mail
from caseline.mail.headers import MailHeaders, decode_bytes, decode_words
from caseline.mail.mime import read_mime
from caseline.multipart import read_multipart
from caseline.signals import Signal
from caseline.sources import Source
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
ACME = Source("default", "acme", ("domain:acme.example", "helper@agency.example"))
HEAD = b"From: Ann <ann@example.com>\r\nTo: care@acme.example\r\nSubject: Hi\r\nMessage-ID: <1@example.com>\r\n"


def read(content: bytes, **facts: Any) -> list[Signal]:
    return read_mail(read_mime(content, **facts), "ses", ACME, NOW)


def words(content: bytes) -> str | None:
    return read(HEAD + content)[0].text


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        ("café".encode(), None, "café"),
        ("café".encode("latin-1"), None, "café"),
        ("café".encode("latin-1"), "us-ascii", "café"),
        ("“é”".encode("cp1252"), "iso-8859-1", "“é”"),
        ("Привет".encode("koi8-r"), "KOI8-R", "Привет"),
        ("日本".encode("shift_jis"), "shift_jis", "日本"),
        (b"plain", "no-such-charset", "plain"),
        (b"plain", "zlib_codec", "plain"),
        (b"\\x41", "unicode_escape", "\\x41"),
        (b"x", "\x00", "x"),
        (b"\xff", "utf-8", "ÿ"),
    ],
)
def test_charsets(content: bytes, charset: str | None, text: str) -> None:
    assert decode_bytes(content, charset) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?q?Ren=C3=A9e?= =?iso-8859-1?q?_Caf=E9?=", "Renée Café"),
        ("=?utf-8?b?not base64", "=?utf-8?b?not base64"),
        ("=?x-none?q?a?=", "a"),
        ("caf\udcc3\udca9", "café"),
        ("a\x00b", "a\ufffdb"),
        ("=?utf-8?b?AAAA=A?=", None),
    ],
)
def test_words_of_headers(value: str, text: str | None) -> None:
    assert decode_words(value) == text or text is None


@pytest.mark.parametrize(
    ("value", "identities"),
    [
        ('"care@acme.example" <eve@example.com>', ["email:eve@example.com"]),
        ("=?utf-8?q?Lee=2C_Ann_=3Ceve=40x.example=3E?= <ann@example.com>", ["email:ann@example.com"]),
        ("Undisclosed recipients:;", []),
        ("((((" * 2000, []),
        ("", []),
        ("ANN@Example.COM, bob@example.com", ["email:ann@example.com", "email:bob@example.com"]),
    ],
)
def test_addresses(value: str, identities: list[str]) -> None:
    assert [identity for _, identity in MailHeaders([("From", value)]).addresses("from")] == identities


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Auto-Submitted", "auto-replied (vacation)"),
        ("Auto-Submitted", "auto-generated; owner-email=x"),
        ("X-Auto-Response-Suppress", "OOF, AutoReply"),
        ("Precedence", "Bulk"),
        ("Return-Path", "<>"),
        ("X-Autoreply", "yes"),
        ("Content-Type", "multipart/report; report-type=disposition-notification; boundary=x"),
        ("From", "Mail Delivery <MAILER-DAEMON@mx.example>"),
        ("Subject", "Abwesenheitsnotiz: Ihr Kessel"),
        ("Subject", "=?utf-8?q?R=C3=A9ponse_automatique_:_x?="),
    ],
)
def test_machines_are_known(name: str, value: str) -> None:
    head = b"" if name == "From" else b"From: ann@example.com\r\n"
    (signal,) = read(head + f"{name}: {value}\r\nTo: care@acme.example\r\n\r\nI am away.".encode())
    assert signal.attributes["auto_reply"] is True and signal.direction == "inbound"


@pytest.mark.parametrize(("sender", "automatic"), [("no-reply@digest.example", True), ("ann@example.com", False)])
def test_a_newsletter_reads_no_answer_and_a_person_behind_a_list_does(sender, automatic):
    (signal,) = read(f"From: {sender}\r\nList-Unsubscribe: <mailto:x@digest.example>\r\nTo: care@acme.example\r\n\r\nTen stories you missed.".encode())
    assert bool(signal.attributes.get("auto_reply")) is automatic


@pytest.mark.parametrize(
    "header", ["Auto-Submitted: no", "Precedence: list", "X-Auto-Response-Suppress: None", "Subject: Re: Automatic reply: you", "Return-Path: <a@b.example>"]
)
def test_people_are_not_machines(header: str) -> None:
    assert not is_automatic(MailHeaders([tuple(header.split(": ", 1))]))


def test_an_attached_mail_and_an_attached_text_are_not_what_was_written() -> None:
    content = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nLook.\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: x@y.example\r\n\r\nOld.\r\n"
    )
    content += b'--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename="log.txt"\r\n\r\nerror\r\n--b--\r\n'
    (signal,) = read(HEAD + content)
    assert signal.text == "Hi\n\nLook." and signal.attributes["attachments"] == [{"name": "log.txt", "type": "text/plain"}]


def test_of_alternatives_one_is_read_and_html_where_the_text_is_blank() -> None:
    parts = b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n%s\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n--b--"
    assert words(parts % b"plain") == "Hi\n\nplain" and words(parts % b"  ") == "Hi\n\nrich"


def test_own_senders() -> None:
    def mail(sender: str, to: str, more: str = "") -> list[Signal]:
        return read(f"From: {sender}\r\nTo: {to}\r\n{more}\r\nx".encode())

    for own in ("care@acme.example", "helper@agency.example"):
        (signal,) = mail(own, "sam@acme.example, ann@example.com, bob@example.com")
        assert (signal.direction, list(signal.identities)) == ("outbound", ["email:ann@example.com"]), "one mail links no two people"
        assert mail(own, "sam@acme.example") == []
    (asked,) = mail("forms@acme.example", "care@acme.example", "Reply-To: ann@example.com\r\n")
    assert (asked.direction, list(asked.identities)) == ("inbound", ["email:ann@example.com"])
    (forged,) = read(b"From: care@acme.example\r\nTo: ann@example.com\r\n\r\nx", authentic=False)
    assert forged.direction == "inbound"


@pytest.mark.parametrize(
    ("header", "automatic"), [("Auto-Submitted: auto-replied", True), ("Subject: Automatic reply: x", True), ("X-Auto-Response-Suppress: All", False)]
)
def test_a_machine_of_the_brand_is_one_but_its_desk_is_not(header: str, automatic: bool) -> None:
    (signal,) = read(f"From: care@acme.example\r\nTo: ann@example.com\r\n{header}\r\n\r\nx".encode())
    assert signal.direction == "outbound" and bool(signal.attributes.get("auto_reply")) is automatic


def test_the_whole_text_is_kept_up_to_a_limit_where_something_was_stripped() -> None:
    (long,) = read(HEAD + b"\r\nNo heat.\r\n\r\n-- \r\n" + b"Ann\r\n" * 9000)
    assert long.text == "Hi\n\nNo heat." and len(long.attributes["original"]) == 8000
    assert "original" not in read(HEAD + b"\r\nNo heat.")[0].attributes


def test_a_broken_clock_is_not_believed_and_a_far_future_is_refused() -> None:
    for date in ("", "yesterday", "Thu, 01 Jan 1960 00:00:00 +0000", "Sat, 99 Foo 2026", "Sat, 14 Mar 2026 09:00:00 +9999999"):
        assert read(HEAD + f"Date: {date}\r\n\r\nx".encode())[0].occurred_at <= NOW
    with pytest.raises(PayloadError) as caught:
        read(HEAD + b"Date: Sat, 14 Mar 2027 09:00:00 +0000\r\n\r\nx")
    assert caught.value.field == "Date"


LINES = [
    b"From: ann@example.com",
    b"From: =?utf-8?q?=ff?= <a@b.example>",
    b"To: care@acme.example",
    b"Content-Type: multipart/mixed; boundary=b",
    b"--b",
    b"--b--",
    b"",
    b"Content-Type: text/html; charset*0*=x''%ff",
    b"Content-Type: text/plain; charset=utf-99",
    b"Content-Type: multipart/report; boundary=b",
    b"Content-Transfer-Encoding: base64",
    b"Content-Type: message/rfc822",
    b"Content-Type: message/delivery-status",
    b"Final-Recipient: rfc822; x@y.example",
    b"Action: failed",
    b"Content-Transfer-Encoding: uuencode",
    b"Content-Disposition: attachment; filename*0*=a; filename*99999=b",
    b"Message-ID: [x",
    b"References: <a> <b",
    b"Date: x",
    b"begin 644 x",
    b"\xff\xfe",
    b"QUJD=",
    b" folded",
]


@given(st.lists(st.sampled_from(LINES) | st.binary(max_size=12), max_size=25))
def test_any_bytes_are_a_mail_or_refused(lines: list[bytes]) -> None:
    try:
        signals = read(b"\r\n".join(lines))
    except PayloadError as error:
        assert error.field
        return
    for signal in signals:
        json.dumps(signal.to_json()).encode()
        assert signal.native_id and signal.occurred_at <= NOW


def test_parts_in_parts_do_not_end_the_process() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2000))
    try:
        read(HEAD + deep)
    except PayloadError as error:
        assert error.field == "content"


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_forms_with_files(ending: bytes) -> None:
    lines = [
        b"--x",
        b'Content-Disposition: form-data; name="a"',
        b"",
        b"1",
        b"--x",
        b'Content-Disposition: form-data; name="f"; filename="p.png"',
        b"Content-Type: image/png",
        b"",
        b"--xy",
        b"--x--",
    ]
    parts = read_multipart('multipart/form-data; charset=utf-8; boundary="x"', ending.join(lines))
    assert [(part.name, part.content, part.file, part.type) for part in parts] == [("a", b"1", None, "text/plain"), ("f", b"--xy", "p.png", "image/png")]


@given(st.binary(max_size=200), st.sampled_from(["multipart/form-data; boundary=x", "multipart/form-data", "", "multipart/form-data; boundary="]))
def test_any_body_is_a_form_or_refused(body: bytes, kind: str) -> None:
    try:
        read_multipart(kind, b"--x\r\n" + body)
    except PayloadError as error:
        assert error.message
