"""`caseline channels`: the README's table is what the modules say; a new channel's tests fail until it has a sample."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from caseline.channels import channel_names
from caseline_local.cli import main
from caseline_local.cli.channel_facts import describe
from caseline_local.cli.channels import BEGIN, END, put_table
from caseline_local.cli.terminal import FindingsError
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]


def run(*words):
    return CliRunner().invoke(main, ["channels", *map(str, words)], catch_exceptions=False)


def test_the_readme_has_the_table_that_the_modules_make():
    text = (ROOT / "README.md").read_text()
    assert put_table(text, [describe(name) for name in channel_names()]) == text, "`make docs` writes it"


@pytest.mark.parametrize("name", channel_names())
def test_each_channel_says_what_comes_and_what_opens_it(name):
    facts = describe(name)
    assert 10 < len(facts.about) < 200 and 2 < len(facts.credential) < 400 and facts.way and facts.answers
    assert not any("|" in cell or "Facts" in cell for cell in (facts.about, facts.credential))


def test_the_list_has_a_line_for_each():
    assert [line.split()[0] for line in run("list").stdout.splitlines()] == channel_names()
    assert len(run("list", "--markdown").stdout.splitlines()) == len(channel_names()) + 2


def test_a_file_without_the_marks_is_left_alone(tmp_path):
    (tmp_path / "a.md").write_text("words")
    assert run("list", "--write", tmp_path / "a.md").exit_code == 1 and (tmp_path / "a.md").read_text() == "words"
    with pytest.raises(FindingsError):
        put_table(END + BEGIN, [])


@pytest.mark.parametrize(("name", "code"), [("x", 1), ("meta", 1), ("Guest", 2), ("../x", 2), ("a-b", 2), ("_a", 2)])
def test_a_name_that_will_not_do_is_refused(name, code):
    assert run("new", name).exit_code == code


def test_a_new_channel_fails_its_tests_until_it_has_a_sample(tmp_path):
    (tmp_path / "layers/core").mkdir(parents=True)
    shutil.copytree(ROOT / "layers/core/caseline", tmp_path / "layers/core/caseline")
    shutil.copytree(ROOT / "tests/kit", tmp_path / "tests/kit")
    shutil.copy(ROOT / "tests/__init__.py", tmp_path / "tests")
    (tmp_path / "tests/contract").mkdir()
    shutil.copy(ROOT / "tests/contract/test_channels.py", tmp_path / "tests/contract")
    (tmp_path / "events/channels").mkdir(parents=True)
    assert run("new", "guest_book", "--root", tmp_path).exit_code == 0
    assert (tmp_path / "events/channels/guest_book").is_dir()
    path = os.pathsep.join(str(tmp_path / part) for part in ("layers/core", "."))
    chosen = ["tests/contract/test_channels.py", "-k", "every_channel_has_samples and guest_book"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "write events/channels/guest_book/<case>.json" in done.stdout
