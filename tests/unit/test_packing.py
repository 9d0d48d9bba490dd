"""What stands compressed in a row comes back as it was, and what stands beside counts more."""

from __future__ import annotations

from caseline.cases.ledger import JUDGED
from caseline.images import deserialise, serialise
from caseline.packing import PACKED, pack, spread
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.text("aß\n\"\ud83d", max_size=4)
FACTS = st.none() | st.booleans() | st.integers(-9, 9) | WORDS
PLAIN = FACTS | st.lists(FACTS, max_size=3) | st.dictionaries(WORDS, FACTS, max_size=3)
ROWS = st.dictionaries(st.sampled_from([*sorted(JUDGED), "PK", "SK", "version"]), PLAIN)


@given(ROWS)
def test_a_packed_row_is_read_as_the_row(row):
    packed = pack(row, JUDGED)
    assert set(packed) == {name for name in row if name not in JUDGED} | {PACKED}
    assert spread(packed) == spread(row) == row


def test_what_was_set_beside_counts_more():
    packed = pack({"subject": "before", "headline": "h", "version": 1}, JUDGED) | {"subject": "after"}
    assert deserialise({name: serialise(value) for name, value in packed.items()}) == {"subject": "after", "headline": "h", "version": 1}
