"""The command line on the real product: the demo story, and every command beside it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from caseline.crm._builtin_csv import HEADER
from caseline_local.cli import main
from caseline_local.cli.api import Api
from caseline_local.cli.story import DEMO, find_cases, load_story
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]
ACCOUNTS = ",".join(HEADER) + "\n"
ROW = "A-9,Quayside Inn,{tier},1000,EUR,,active,customer,standard,C-9,Bea Lund,bea@quayside.example,,\n"


def run(*words, **more):
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False, **more)


def command(*words):
    """The words to run the command line in a process of its own, and its environment."""
    code = "from caseline_local.cli import main; main(prog_name='caseline')"
    path = os.pathsep.join([str(ROOT / "layers" / "core"), str(ROOT / "infra" / "local")])
    return [sys.executable, "-c", code, *map(str, words)], {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


def start(home, *words):
    arguments, environment = command("dev", "--port", 0, "--home", home, *words)
    return subprocess.Popen(arguments, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


def read_until(process, text):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError("ended: " + "".join(lines))


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    return process.wait(30)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """(home, what `caseline dev` said until the story was told)."""
    home = tmp_path_factory.mktemp("cli") / "home"
    process = start(home)
    said = read_until(process, "Running;")
    yield home, said
    assert stop(process) == 0


def test_the_demo_story_comes_out_as_it_is_told(running):
    home, said = running
    api, expect = Api(home), load_story(DEMO, datetime.now(UTC)).expect
    for wanted in expect["cases"]:
        [case] = find_cases(api, wanted["identity"])
        seen = {**case, "identity": wanted["identity"], "band": case["priority"]["band"], "signals": case["signal_count"]}
        assert {name: seen[name] for name in wanted} == wanted
    assert not [case for identity in expect["no_case"] for case in find_cases(api, identity)]
    total = api.get("stats")["total"]
    assert {name: total[name] for name in expect["counts"]} == expect["counts"]
    assert re.search(r"^P1 80 .*\n +\+20  strategic account .*\n +\+15  renewal in 30 days", said, re.MULTILINE)
    assert f"{api.url}/console?token=" in said and f"{api.url}/webhooks/x/acme" in said


def test_trigger_follows_a_sample_to_its_case_and_explain_says_why(running):
    home, _ = running
    followed = run("trigger", "x.mention", "--follow", "--home", home)
    assert followed.exit_code == 0 and re.search(r"recorded: .*\n.*case case-\w+: P\d \d+, queue \w+\n.*builtin case C-\d+, synced", followed.output)
    number = re.search(r"C-\d+", followed.output)[0]
    explained = run("explain", number, "--home", home)
    score = int(re.search(r"= (\d+) P\d -> queue", explained.output)[1])
    assert score == sum(map(int, re.findall(r"^ +([+-]\d+)  ", explained.output, re.MULTILINE)))
    assert json.loads(run("explain", number, "--home", home, "--json").output)["priority"]["score"] == score


def test_trigger_changes_a_value(running):
    done = run("trigger", "standard_webhooks.post", "--set", "data.text=Lovely, thank you!", "--follow", "--home", running[0])
    assert done.exit_code == 0 and "case none (praise)" in done.output


def test_an_import_while_it_runs_says_what_is_wrong_with_a_row(running, tmp_path):
    file = tmp_path / "accounts.csv"
    file.write_text(ACCOUNTS + ROW.format(tier="mid") + ROW.format(tier="huge"))
    done = run("crm", "import", file, "--home", running[0])
    assert done.exit_code == 1 and "accounts: 1 created" in done.output and "accounts.csv:3:3: tier: 'huge' is no tier" in done.output
    file.write_text(ACCOUNTS + ROW.format(tier="mid"))
    assert "1 unchanged" in run("crm", "import", file, "--home", running[0]).output


def test_replay_posts_the_example_and_again_changes_nothing(running):
    home, _ = running
    words = ("replay", ROOT / "events/scenarios/posts.csv", "--map", ROOT / "events/scenarios/posts_map.yaml", "--home", home)
    assert "accepted 12 in" in run(*words).output and "accepted 12 in" in run(*words).output
    api = Api(home)
    settle(api)
    counts = api.get("stats")["sources"]["standard_webhooks/default"]
    assert counts["accepted"] == counts["recorded"] + counts["duplicates"] + counts["revised"] and counts["duplicates"] + counts["revised"] == 12
    [customer] = api.get("customers", identity="x:@lena_rides")["customers"]
    entries = api.get("customers", customer["customer_id"], "timeline")["entries"]
    assert [entry["direction"] for entry in entries if entry["type"] == "signal"] == ["inbound", "outbound", "inbound"]


def test_quarantine_is_listed_shown_and_dropped(running):
    home, _ = running
    assert run("trigger", "meta.page_comment", "--set", "object=planet", "--home", home).exit_code == 0
    deadline = time.monotonic() + 20
    while not (found := re.search(r"^(qua_\w+).*meta/acme  object: ", run("quarantine", "list", "--home", home).stdout, re.MULTILINE)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert json.loads(run("quarantine", "show", found[1], "--home", home).output)["whole"]
    assert run("doctor", "--home", home).exit_code == 1
    assert run("quarantine", "replay", found[1], "--home", home).exit_code == 1  # still not understood
    assert "dropped" in run("quarantine", "drop", found[1], "--home", home).output
    assert run("quarantine", "list", "--home", home).stdout == ""
    healthy = run("doctor", "--home", home)
    assert healthy.exit_code == 0, healthy.output


@pytest.fixture(scope="module")
def two(running, tmp_path_factory):
    """Two customers with a complaint each about one issue."""
    home, folder = running[0], tmp_path_factory.mktemp("two")
    (folder / "rows.csv").write_text("no,when,who,mail,words\n" + "".join(
        f"t-{who},2026-01-0{n}T09:00:00Z,{who},{who}@birch.example,You charged me twice and nobody refunds me. {who}\n" for n, who in ((1, "ada"), (2, "bo"))
    ))  # fmt: skip
    (folder / "map.yaml").write_text('{id: no, occurred_at: when, author: {id: who, identities: ["email:{mail}"]}, text: words}')
    assert run("replay", folder / "rows.csv", "--map", folder / "map.yaml", "--home", home).exit_code == 0
    settle(Api(home))
    return home


def settle(api):
    deadline = time.monotonic() + 30
    while (total := api.get("stats")["total"])["in_flight"] or total["pending"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_customers_are_joined_split_and_erased_by_hand(two):
    def do(*words):
        return run("customers", *words, "--home", two)

    shown = do("show", "ada@birch.example").output
    assert re.search(r"case-\w+  C-\d+  P\d \d+ billing\n", shown), shown
    ada, bo = (do("show", f"{who}@birch.example").stdout.split()[0] for who in ("ada", "bo"))
    joined = do("merge", "email:ada@birch.example", "bo@birch.example", "--why", "the same voice")
    assert joined.exit_code == 0 and f"undone by: caseline customers split {bo}" in joined.stderr
    assert "nothing was changed" in do("merge", ada, bo).stderr
    explained = run("explain", *(case["case_key"] for case in Api(two).get("cases", status="closed")["cases"] if case["joined"]), "--home", two).stdout
    assert "closed 20" in explained and "it goes on in case-" in explained and f"  {ada}" in explained and "needs a case: the customer complains" in explained
    assert do("split", "email:nobody@birch.example").output == "Error: no customer has email:nobody@birch.example\n"
    parted = do("split", bo)
    assert parted.stdout.split() == [ada, bo] and f"undone by: caseline customers merge {ada} {bo}" in parted.stderr
    assert f"{bo} is standard_webhooks:bo, email:bo@birch.example" in parted.stderr and "from a signal that named it" in do("show", bo).stdout
    assert json.loads(do("export", bo).stdout)["customer_id"] == bo
    erased = do("erase", bo, "--yes")
    assert erased.stdout.startswith("erased signals: 1, ") and "entries of cases: " in erased.stdout
    for again in (do("erase", bo, "--yes"), do("show", bo)):
        assert again.exit_code == 1 and again.output == f"Error: no customer {bo}; write an id (cus_...) or an identity such as email:ann@example.com\n"
    [left] = [case for case in Api(two).get("cases", status="closed")["cases"] if "(erased)" in case["headline"]]
    assert "Customer: erased" in run("explain", left["case_key"], "--home", two).stdout


def test_a_report_of_a_brand_that_nobody_has_says_so(running):
    wrong = run("report", "--brand", "acmee", "--home", running[0])
    assert wrong.exit_code == 1 and wrong.output == "Error: brand: nothing is known of a brand 'acmee'; did you mean 'acme'?\n"
    right = run("report", "--brand", "acme", "--home", running[0])
    assert right.exit_code == 0, right.output
    for words in (("--from", "yesterday"), ("--to", "2026-31-12")):
        done = run("report", *words, "--home", running[0])
        assert done.exit_code == 1 and done.output.startswith(f"Error: {words[0][2:]}: write a date or a time")


def test_labels_that_cannot_be_read_are_told_by_line(running, tmp_path):
    file = tmp_path / "labels.csv"
    wrong = {
        b"\x84\xff": "is not UTF-8 text", b"words\n": "labels.csv:1: write a header", b"text,sentiment\nhi,angry\n": "labels.csv:2: sentiment: no 'angry'",
        b'text,sentiment\n"' + b"x" * 200_000: "a quotation mark that is never closed",
    }  # fmt: skip
    for data, said in wrong.items():
        file.write_bytes(data)
        done = run("analysis", "train", "--from", file, "--home", running[0])
        assert done.exit_code == 1 and said in done.output
    assert run("analysis", "train", "--no-crm", "--home", running[0]).exit_code == 2


def test_what_is_not_there_is_said(running):
    home, _ = running
    for words in (("explain", ""), ("customers", "show", ""), ("quarantine", "show", " "), ("quarantine", "drop", "")):
        done = run(*words, "--home", home)
        assert done.exit_code == 1 and "an id is needed" in done.output
    assert run("explain", "C-999999", "--home", home).exit_code == 1
    assert run("trigger", "nowhere", "--home", home).exit_code == 1
    assert run("quarantine", "drop", "--home", home).exit_code == 2
    second = start(home)
    assert re.search(r"is in use by another caseline dev \(process \d+, port \d+\); stop it", second.stdout.read()) and second.wait(30) == 1


def test_an_import_while_nothing_runs_is_kept(tmp_path):
    file = tmp_path / "accounts.csv"
    file.write_text(ACCOUNTS + ROW.format(tier="mid"))
    arguments, environment = command("crm", "import", file, "--home", tmp_path / "home")
    for expected in ("contacts: 1 created, 0 updated, 0 unchanged", "contacts: 0 created, 0 updated, 1 unchanged"):
        done = subprocess.run(arguments, cwd=ROOT, text=True, capture_output=True, env=environment)
        assert done.returncode == 0 and expected in done.stdout, done.stderr
