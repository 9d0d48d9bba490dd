"""Every story of events/scenarios, played in this process; `caseline scenario run --all` plays them on the running product."""

from __future__ import annotations

from pathlib import Path

import pytest
from caseline_local.scenarios.player import Player
from caseline_local.scenarios.running import run_product
from caseline_local.scenarios.story import list_stories, load_story

from tests.kit.stage import InProcess


@pytest.mark.parametrize("name", list_stories())
def test_a_story_comes_out_as_it_is_told(name: str) -> None:
    story = load_story(name)
    assert Player(story, InProcess(story)).play() == []


def test_the_running_product_comes_out_alike(tmp_path: Path) -> None:
    """Over HTTP, in processes of its own, by the clock that the story moves; `caseline scenario run --all` plays the others so."""
    story = load_story("answered_on_the_platform")
    with run_product(story, tmp_path / "home") as stage:
        assert Player(story, stage).play() == []
