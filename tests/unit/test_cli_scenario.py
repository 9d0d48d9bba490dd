"""Stories as files: what they may say, and what the command line says of one that says it wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from caseline_local.cli import main
from caseline_local.scenarios.moments import fill_moments, read_offset
from caseline_local.scenarios.player import Player
from caseline_local.scenarios.shapes import fill_shape
from caseline_local.scenarios.story import StoryError, list_stories, load_story
from click.testing import CliRunner

from tests.kit.stage import InProcess

MINIMAL = """
story: One mail
people: {ann: {email: ann@north.example, name: Ann North}}
steps:
  - {at: 0m, email: {from: ann, subject: Late, text: "My parcel is two weeks late. Very annoying."}}
"""


def told(tmp_path, more=""):
    (tmp_path / "one.yaml").write_text(MINIMAL + more)
    story = load_story("one", tmp_path)
    return Player(story, InProcess(story)).play()


def test_each_story_is_listed_with_what_it_is_about():
    listed = CliRunner().invoke(main, ["scenario", "list"])
    assert listed.exit_code == 0 and [line.split()[0] for line in listed.output.splitlines()] == list_stories()


@pytest.mark.parametrize(("words", "code", "said"), [
    (["run", "nowhere"], 1, "there is no story nowhere"), (["run"], 2, "name a story"),
    (["run", "vip_tweet", "nowhere"], 1, "there is no story nowhere"), (["run", "--all", "--stay"], 2, "one story"),
])  # fmt: skip
def test_what_cannot_be_played_is_said(words, code, said):
    done = CliRunner().invoke(main, ["scenario", *words])
    assert done.exit_code == code and said in done.output and "vip_tweet:" not in done.output


@pytest.mark.parametrize(("more", "problem"), [
    ("expect: {cases: []}", "a case too many"),
    ("expect: {cases: [{customer: ann, band: P1}]}", "band is 'P4', not 'P1'"),
    ("expect: {cases: [{customer: ann}, {customer: ann}]}", "0 of 1 cases"),
    ('expect: {timeline: {ann: ["none: praise"]}}', "the timeline of ann says"),
    ("expect: {no_case: [ann]}", "ann has a case"),
    ("expect: {unknown: [ann]}", "ann is known"),
    ("expect: {unsaid: [parcel]}", "'parcel' still stands"),
    ("expect: {counts: {recorded: 2}}", "counted are"),
    ('expect: {customers: [[ann, "email:bob@north.example"]]}', "are not one customer"),
])  # fmt: skip
def test_what_is_not_as_expected_is_found(tmp_path, more, problem):
    assert any(problem in found for found in told(tmp_path, more))


@pytest.mark.parametrize(("more", "said"), [
    ("  - {at: soon}", "is no offset"), ("  - {telegram: {}}", "there is no telegram"), ("  - {email: {from: ann}}", "does not say"),
    ("  - {wait: 1, again: x}", "one thing happens"), ("expect: {case: []}", "there is no case"), ("expect: {no_case: [bob]}", "nobody is called bob"),
])  # fmt: skip
def test_a_story_that_is_told_wrong_is_refused(tmp_path, more, said):
    with pytest.raises(StoryError, match=said):
        told(tmp_path, more)


def test_moments_and_shapes_are_filled():
    now = datetime(2027, 3, 1, 9, tzinfo=UTC)
    filled = fill_moments({"a": "{time-2m}", "b": "{seconds}", "c": ["on {date+30d}"]}, now)
    assert filled == {"a": "2027-03-01T08:58:00.000Z", "b": int(now.timestamp()), "c": ["on 2027-03-31"]}
    shape = {"id": "$id", "name": "$name?", "lang": "$lang=en", "n": "$n=5", "ref": "<${id}>"}
    assert fill_shape(shape, {"id": 7}) == {"id": 7, "lang": "en", "n": 5, "ref": "<7>"}
    assert read_offset("1d2h30m") == timedelta(days=1, hours=2, minutes=30)
