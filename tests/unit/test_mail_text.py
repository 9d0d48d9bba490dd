"""What is new in a mail, from a table; and what strangers may send as text or HTML takes little time and never raises."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from caseline.config_text import read_yaml
from caseline.mail.html import html_to_text
from caseline.mail.text import strip_reply, tidy
from hypothesis import given
from hypothesis import strategies as st

REPLIES = read_yaml((Path(__file__).parent / "data/replies.yaml").read_text(encoding="utf-8"), "replies.yaml")
PIECES = [
    "> ",
    "On ",
    " wrote:",
    "schrieb",
    "<a@b.example>",
    "2026",
    ":",
    "\n",
    "\r\n",
    "-- ",
    "From: ",
    "Sent: ",
    "Subject: ",
    "____________",
    "Best regards,",
    "Sent from my iPhone",
    "a",
    " ",
    "<p>",
    "</p>",
    "<blockquote>",
    "<!--",
    "-->",
    "<style>",
    "</style>",
    "<![",
    "<?",
    "</",
    "<",
    "&amp;",
    "&#",
    "9" * 50,
    "\u00a0",
]
anything = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=40).map("".join)


@pytest.mark.parametrize("sample", REPLIES, ids=lambda sample: sample["name"])
def test_new_words(sample: dict[str, str]) -> None:
    assert strip_reply(tidy(sample["mail"])) == sample["new"]
    assert strip_reply(tidy(sample["mail"].replace("\n", "\r\n"))) == sample["new"]


@given(anything)
def test_nothing_is_invented_and_a_second_reading_finds_no_more_lines(text: str) -> None:
    new = strip_reply(tidy(text))
    assert set(new.split("\n")) <= set(tidy(text).split("\n")) | {""}
    assert new == tidy(new)


@given(anything)
def test_any_html_becomes_text(html: str) -> None:
    assert html_to_text(html) == tidy(html_to_text(html))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hi&nbsp;there,</p><div>it <b>broke</b>.<br>Now.</div>", "Hi there,\n\nit broke.\nNow."),
        ("<head><title>x</title><style>p{}</style></head><script>1<2</script><p>a &lt; b &eacute;</p>", "a < b é"),
        ("<!-- <p>no</p> -->yes<![if !vml]>!<![endif]>", "yes!"),
        ("new<blockquote type=cite>old<br>older</blockquote>", "new\n> old\n> older"),
        ("a<style>never closed", "a"),
        ("&#99999999999999999999;&#xZ;&bogus;", "\ufffd&#xZ;&bogus;"),
    ],
)
def test_html_reads_as_people_see_it(html: str, text: str) -> None:
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a ",
        "<!--",
        "<![",
        "</",
        "<style>",
        "</style>",
        "<blockquote>",
        "&",
        "&#1",
        "On a ",
        "> \n",
        "On 2026 wrote\n",
        "From: x\n",
        "regards\n",
        "\n",
        " ",
    ],
)
def test_time_grows_with_length_alone(piece: str) -> None:
    text = piece * (300_000 // len(piece))
    started = time.process_time()
    strip_reply(html_to_text(text))
    strip_reply(tidy(text))
    assert time.process_time() - started < 2
