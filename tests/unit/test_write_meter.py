"""The benchmark's meter of write units, on the rules AWS publishes."""

import pytest

from tests.bench.meter import Index, index_units, size_item, units, write_units


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"Name": {"S": "Ann"}}, 7),
        ({"é": {"S": "€"}}, 5),
        ({"n": {"N": "27"}}, 3),
        ({"n": {"N": "-27"}}, 4),
        ({"n": {"N": "1000"}}, 3),
        ({"b": {"B": "aGVsbG8="}}, 6),
        ({"t": {"BOOL": True}}, 2),
        ({"l": {"L": [{"S": "ab"}, {"NULL": True}]}}, 1 + 3 + 3 + 2),
        ({"m": {"M": {"k": {"S": "v"}}}}, 1 + 3 + 3),
        ({"s": {"SS": ["ab", "c"]}}, 4),
    ],
)
def test_sizes(item, size):
    assert size_item(item) == size


def test_a_write_costs_a_unit_for_each_kilobyte_begun():
    assert [units(size) for size in (1, 1024, 1025, 2048)] == [1, 1, 2, 2]


def item(**texts):
    return {name: {"S": text} for name, text in texts.items()}


def test_the_larger_image_counts():
    assert write_units(item(a="x" * 3000), item(a="x")) == 3


@pytest.mark.parametrize(
    ("old", "new", "spent"),
    [
        (None, item(h="1", r="1"), 1),
        (item(h="1", r="1"), item(h="1", r="1"), 0),
        (item(h="1", r="1"), item(h="1", r="1", other="x"), 1),
        (item(h="1", r="1"), item(h="1", r="2"), 2),
        (item(h="1", r="1"), item(h="1"), 1),
        (item(h="1"), item(h="1", other="x"), 0),
    ],
)
def test_an_index_costs_what_changes_in_it(old, new, spent):
    assert index_units(Index("h", "r"), old, new) == spent


def test_an_index_of_keys_does_not_see_other_attributes():
    assert index_units(Index("h", "r", frozenset({"h", "r"})), item(h="1", r="1"), item(h="1", r="1", other="x")) == 0
