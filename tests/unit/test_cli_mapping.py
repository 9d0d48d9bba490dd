"""How rows become signals, for `caseline replay`."""

import pytest
from caseline_local.cli.mapping import MappingError, check_mapping, columns_of, map_row

PLAIN = {"id": "no", "occurred_at": "when", "author": {"id": "who"}, "text": "words"}
ROW = {"no": "7", "when": "2026-03-02T08:00:00Z", "who": "u1", "words": "It broke.", "followers": "1,204", "stars": "2", "blank": " "}


def test_a_column_a_text_a_constant_and_what_is_blank():
    mapping = PLAIN | {"url": "https://example.com/{who}/{no}", "kind": {"value": "review"}, "thread_id": "blank", "parent_id": "t-{blank}", "public": True}
    assert map_row(mapping, ROW) == {
        "id": "7", "occurred_at": "2026-03-02T08:00:00.000000Z", "author": {"id": "u1"}, "text": "It broke.", "url": "https://example.com/u1/7",
        "kind": "review", "public": True,
    }  # fmt: skip


def test_numbers_are_numbers():
    rating = {"metric": {"value": "stars"}, "value": "stars", "low": 1, "high": 5}
    found = map_row(PLAIN | {"author": {"id": "who", "reach": "followers"}, "rating": rating}, ROW)
    assert (found["author"]["reach"], found["rating"]) == (1204, {"metric": "stars", "value": 2.0, "low": 1, "high": 5})


def test_a_rating_without_a_value_is_none():
    assert "rating" not in map_row(PLAIN | {"rating": {"metric": {"value": "nps"}, "value": "blank"}}, ROW)


@pytest.mark.parametrize(("rule", "cell", "expected"), [
    ("when", "2026-03-02 08:00:00 -0800", "2026-03-02T16:00:00.000000Z"),
    ({"column": "when", "format": "%d.%m.%Y %H:%M", "timezone": "Europe/Berlin"}, "02.07.2026 08:00", "2026-07-02T06:00:00.000000Z"),
    ({"column": "when", "format": "epoch"}, "1772438400", "2026-03-02T08:00:00.000000Z"),
    ({"column": "when", "format": "epoch_ms"}, "1772438400500", "2026-03-02T08:00:00.500000Z"),
    ("when", "2026-03-02T08:00:00", "2026-03-02T08:00:00.000000Z"),
])  # fmt: skip
def test_times(rule, cell, expected):
    assert map_row(PLAIN | {"occurred_at": rule}, ROW | {"when": cell})["occurred_at"] == expected


def test_values_can_be_translated_and_split():
    direction = {"column": "who", "map": {"u1": "outbound"}, "default": "inbound"}
    mapping = PLAIN | {"direction": direction, "author": {"id": "who", "identities": {"column": "ids", "split": ";"}}}
    found = map_row(mapping, ROW | {"ids": "x:1; email:a@b.example"})
    assert found["direction"] == "outbound" and found["author"]["identities"] == ["x:1", "email:a@b.example"]
    assert map_row(mapping, ROW | {"who": "other", "ids": ""})["direction"] == "inbound"


def test_a_path_into_an_object():
    assert map_row(PLAIN | {"author": {"id": "user.id"}}, ROW | {"user": {"id": 12}})["author"] == {"id": "12"}


@pytest.mark.parametrize(("row", "field"), [
    ({"no": ""}, "id"), ({"when": "yesterday"}, "occurred_at"), ({"who": " "}, "author.id"), ({"words": ""}, "text"),
])  # fmt: skip
def test_a_row_that_cannot_be_mapped_says_which_field(row, field):
    with pytest.raises(MappingError, match=f"^{field}: "):
        map_row(PLAIN, ROW | row)


@pytest.mark.parametrize(("mapping", "said"), [
    ("id", "write a mapping"), ({"ids": "no"}, "ids: no field"), ({"id": "no"}, "occurred_at: is needed"),
    ({"id": "a", "occurred_at": "b", "author": "c"}, "text: is needed"),
])  # fmt: skip
def test_a_mapping_that_is_none(mapping, said):
    with pytest.raises(MappingError, match=said):
        check_mapping(mapping)


def test_the_columns_it_reads():
    assert set(columns_of(PLAIN | {"url": "{a}/{b}", "kind": {"value": "post"}, "rating": {"metric": {"value": "nps"}, "value": "score"}})) == {
        "no", "when", "who", "words", "a", "b", "score",
    }  # fmt: skip
