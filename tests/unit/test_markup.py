"""HTML of chats as text, whatever a stranger sends, in time that grows with its length alone."""

import time

import pytest
from caseline.markup import LIMIT, strip_tags, unescape_signs
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two</p>", "one\ntwo"), ("a<br>b<BR/>c", "a\nb\nc"), ("<b>very</b> bad", "very bad"), ("5 &lt; 6 &amp; 7", "5 < 6 & 7"),
        ("5 < 6", "5 < 6"), ("<p><br></p>", ""), ("", ""), ("plain", "plain"), ("<a href='https://example.com'>here</a>", "here"), ("<!-- no -->yes", "yes"),
        ("<![x[y]]>z", "z"), ("&#xd800;", "\ufffd"), ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
    ],
)
def test_blocks_are_lines_and_tags_are_gone(html: str, text: str) -> None:
    assert strip_tags(html) == text


@given(st.text(alphabet="<>/!-[]&;#ap b\n\"'=", max_size=200))
def test_anything_is_text(html: str) -> None:
    strip_tags(html).encode()


@pytest.mark.parametrize("piece", ["<", "<!--", "<p", "<br ", "</", "&", "<![CDATA[", "<a href="])
def test_openings_without_an_end_cost_no_more_than_other_text(piece: str) -> None:
    began = time.process_time()
    strip_tags(piece * LIMIT)
    assert time.process_time() - began < 1.0


def test_only_the_signs_that_a_platform_escapes_are_put_back_and_once() -> None:
    assert unescape_signs("1 &lt; 2 &amp;amp; 3 &gt; 2 &copy; &lt;b&gt;") == "1 < 2 &amp; 3 > 2 &copy; <b>"
