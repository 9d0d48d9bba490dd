"""The commands without a product: help, exit codes, findings."""

import json
import re
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from caseline_local.cli import COMMANDS, main, policy_trial
from caseline_local.cli.crm import split
from caseline_local.cli.terminal import clean
from click.testing import CliRunner
from moto import mock_aws

CONFIG = "brands: {acme: {}}\nsources: [{channel: standard_webhooks, brand: acme}]\n"


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def test_help_imports_nothing_heavy():
    heavy = "print(sorted({'boto3', 'moto', 'pydantic'} & sys.modules.keys()))"
    code = f"import sys; from caseline_local.cli import main; main(['--help'], standalone_mode=False); {heavy}"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2], env=_path()).stdout
    assert said.splitlines()[-1] == "[]" and all(name in said for name in COMMANDS)


def _path():
    root = Path(__file__).parents[2]
    return {"PYTHONPATH": f"{root / 'layers/core'}:{root / 'infra/local'}"}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help(name):
    assert run(name, "--help").exit_code == 0


def test_a_text_is_explained_without_a_product():
    said = run("analysis", "explain", "The app is down again, I am furious!", "--channel", "x").output
    assert "sentiment  negative, strength 0." in said and "language en" in said and "(of Ekman's seven: anger)" in said
    assert "feels      not told" in run("analysis", "explain", "Die App geht schon wieder nicht!").output
    found = json.loads(run("analysis", "explain", "Thank you so much!", "--json").output)
    assert found["sentiment"] == "positive" and list(found["emotions"]["nine"]) == ["gratitude"]


@pytest.mark.parametrize("words", [("quarantine", "list"), ("explain", "C-1"), ("trigger", "standard_webhooks"), ("replay", "FILE", "--map", "MAP")])
def test_what_needs_the_product_says_so_with_3(words, tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "secrets.json").write_text(json.dumps({"standard_webhooks/default": ["whsec_" + "c2VjcmV0" * 4]}))
    (tmp_path / "FILE").write_text("no,when,who,words\n1,2026-01-01,ann,hello\n")
    (tmp_path / "FILE").rename(tmp_path / "rows.csv")
    (tmp_path / "MAP").write_text("{id: no, occurred_at: when, author: {id: who}, text: words}")
    places = {"FILE": tmp_path / "rows.csv", "MAP": tmp_path / "MAP"}
    done = run(*[places.get(word, word) for word in words], "--home", tmp_path)
    assert done.exit_code == 3 and f"caseline dev --home {tmp_path}" in done.output


def test_wrong_usage_is_2():
    assert run("trigger", "--nothing").exit_code == 2 and run("replay").exit_code == 2


def test_a_wrong_configuration_is_told_with_its_line(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG + "analyzis: {}\n")
    done = run("config", "validate", tmp_path / "config.yaml")
    assert done.exit_code == 1 and "config.yaml:3:1" in done.output and "analysis" in done.output


def test_a_wrong_policy_is_told_with_its_line(tmp_path):
    (tmp_path / "policy.yaml").write_text("version: 2\nbands: {P1: 10}\n")
    done = run("policy", "validate", tmp_path / "policy.yaml")
    assert done.exit_code == 1 and "policy.yaml:2:1" in done.output


def test_two_policies_are_compared_and_a_policy_is_tried_on_a_home_at_rest(tmp_path):
    (tmp_path / "old.yaml").write_text("version: 1")
    (tmp_path / "new.yaml").write_text("version: 1\nsla: {max: 9}")
    done = run("policy", "diff", tmp_path / "old.yaml", tmp_path / "new.yaml")
    assert done.exit_code == 0 and "sla.max: 10 -> 9" in done.output
    routes = "routing: {rules: [{queue: vip, key_account: true}]}"
    (tmp_path / "routes.yaml").write_text(f"version: 1\nstorms: {{active: false}}\n{routes}\nhealth: {{weights: {{repeats: 0}}}}\n")
    done = run("policy", "diff", tmp_path / "old.yaml", tmp_path / "routes.yaml")
    assert "routing.rules[vip#0].queue: nothing -> vip" in done.output and "storms.active: yes -> no" in done.output
    assert "[vip#0].bands" not in done.output
    assert "health.weights.repeats: 15 -> 0" in done.output and not {"None", "[]"} & set(done.output.split())
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "secrets.json").write_text("{}")
    done = run("policy", "simulate", tmp_path / "new.yaml", "--home", tmp_path, "--fail-on", "band=0", "--json")
    assert done.exit_code == 0 and '"judged": 0' in done.output
    assert run("policy", "simulate", tmp_path / "new.yaml", "--home", tmp_path, "--fail-on", "bands=0").exit_code == 2


@pytest.mark.parametrize(
    "words", [("config", "validate", "BIN"), ("policy", "validate", "BIN"), ("policy", "diff", "BIN", "BIN"), ("policy", "simulate", "BIN"),
              ("replay", "BIN", "--map", "MAP"), ("replay", "LINES", "--map", "MAP"), ("replay", "ROWS", "--map", "BIN"), ("doctor", "--home", "HOME"),
              ("crm", "check", "--home", "HOME"), ("trigger", "x", "--home", "HOME")],
)  # fmt: skip
def test_a_file_that_is_no_text_is_told_by_its_name(words, tmp_path):
    names = {"BIN": "wrong.csv", "LINES": "wrong.jsonl", "ROWS": "rows.csv", "MAP": "map.yaml", "HOME": "."}
    for name in ("wrong.csv", "wrong.jsonl", "config.yaml"):
        (tmp_path / name).write_bytes(b"\x84\xff\x00text")
    (tmp_path / "map.yaml").write_text("{id: no, occurred_at: when, author: {id: who}, text: words}")
    (tmp_path / "rows.csv").write_text("no,when,who,words\n")
    done = run(*[tmp_path / names[word] if word in names else word for word in words])
    assert done.exit_code == 1 and re.search(r"(wrong|config)\.\w+ is not UTF-8 text; save it as UTF-8", done.output)


def test_a_file_without_rows_and_a_quotation_mark_that_is_never_closed_are_told(tmp_path):
    (tmp_path / "map.yaml").write_text("{id: no, occurred_at: when, author: {id: who}, text: words}")
    for text, said in (("", "rows.csv has no rows"), ("no,when,who,words\n", "rows.csv has no rows"), ('no\n"' + "x" * 200_000, "never closed")):
        (tmp_path / "rows.csv").write_text(text)
        done = run("replay", tmp_path / "rows.csv", "--map", tmp_path / "map.yaml", "--dry-run")
        assert done.exit_code == 1 and said in done.output


def test_a_trial_names_what_it_did_not_judge_and_why_a_case_changes():
    verdict = {"score": 80, "band": "P1", "queue": "care", "category": "billing"}
    fallen, moved = verdict | {"band": "P2"}, verdict | {"queue": "desk"}
    sides = [(verdict, fallen), (verdict, moved), (verdict, verdict), (None, None)]
    cases = [{"case_key": f"c-{n}", "standing": one, "proposed": other, "why": []} for n, (one, other) in enumerate(sides)]
    page = {"standing": "1", "proposed": "2", "cases": cases, "uncased": [], "next": "more"}
    report = policy_trial.gather(lambda wanted: page, {}, ("open",), 4)
    assert (report["judged"], report["gone"], report["more"]) == (3, 1, True) and report["counts"]["band"] == 1
    assert [policy_trial._say_why(case) for case in report["cases"]] == ["another band for the same score", "another queue"]


@pytest.mark.parametrize("lock", [
    "", "[1]", '{"pid": 1}',
    '{"pid": 1, "port": 9, "services": {"endpoint": "http://127.0.0.1:9", "region": "eu-west-1", "table": "t", "bucket": "b", "policy": "p"}}',
])  # fmt: skip
def test_what_a_product_that_was_killed_leaves_is_nobody_who_answers(lock, tmp_path):
    (tmp_path / "lock").write_text(lock)
    (tmp_path / "api-token").write_text("token")
    for words in (("report",), ("analysis", "report"), ("customers", "show", "cus_1")):
        done = run(*words, "--home", tmp_path)
        assert done.exit_code == 3 and f"caseline dev --home {tmp_path}" in done.output


def test_files_for_the_built_in_crm_are_refused_where_another_is_configured(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG + "crm: {name: salesforce, instance_url: https://acme.my.salesforce.com}\n")
    (tmp_path / "rows.csv").write_text("account_id\n")
    done = run("crm", "import", tmp_path / "rows.csv", "--home", tmp_path)
    assert done.exit_code == 1 and "is salesforce, which has its own accounts" in done.output


def test_a_stack_whose_region_nobody_knows_is_wrong_usage(tmp_path, monkeypatch):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for words in (("crm", "check"), ("analysis", "report"), ("policy", "simulate", tmp_path / "policy.yaml")):
        (tmp_path / "policy.yaml").write_text("version: 1")
        done = run(*words, "--stack", "s")
        assert done.exit_code == 2 and "--region" in done.output


def test_a_doctor_without_a_patient(tmp_path):
    done = run("doctor", "--home", tmp_path / "nowhere")
    assert done.exit_code == 1 and "✖ product" in done.output and not (tmp_path / "nowhere").exists()


def test_a_doctor_finds_a_missing_secret_and_open_files(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "secrets.json").write_text("{}")
    (tmp_path / "api-token").write_text("token")
    (tmp_path / "secrets.json").chmod(0o644)
    said = run("doctor", "--home", tmp_path).output
    assert "✖ secrets: none for standard_webhooks/default" in said and "✖ private files" in said and "chmod 600" in said


def test_checked_files_are_put_where_a_stack_reads_them(tmp_path, monkeypatch):
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "secrets.json").write_text(json.dumps({"standard_webhooks/default": ["whsec_" + "c2VjcmV0" * 4]}))
    (tmp_path / "policy.yaml").write_text("version: 7\n")
    with mock_aws():
        store = boto3.client("ssm", "eu-west-1")
        store.put_parameter(Name="/s/config", Type="String", Value='{"public_url": "https://hooks.example.com", "brands": {}, "sources": []}')
        for _ in range(2):
            done = run("config", "put", tmp_path / "config.yaml", "--stack", "s", "--region", "eu-west-1", "--secrets", tmp_path / "secrets.json")
            assert done.exit_code == 0
        assert run("policy", "put", tmp_path / "policy.yaml", "--stack", "s", "--region", "eu-west-1").exit_code == 0
        put = json.loads(store.get_parameter(Name="/s/config")["Parameter"]["Value"])
        assert (put["public_url"], put["sources"]) == ("https://hooks.example.com", [{"channel": "standard_webhooks", "brand": "acme"}])
        assert json.loads(store.get_parameter(Name="/s/policy")["Parameter"]["Value"]) == {"version": 7}
        secret = boto3.client("secretsmanager", "eu-west-1").get_secret_value(SecretId="s/standard_webhooks/default")["SecretString"]
        assert json.loads(secret)[0].startswith("whsec_")


def test_a_new_secret_is_the_newest_and_the_one_before_stays_good(monkeypatch):
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)

    def put(name, typed, *more):
        words = ["secrets", "put", name, "--stack", "s", "--region", "eu-west-1", *more]
        return CliRunner().invoke(main, words, input=typed + "\n", catch_exceptions=False)

    def standing(name):
        return json.loads(boto3.client("secretsmanager", "eu-west-1").get_secret_value(SecretId=f"s/{name}")["SecretString"])

    one, two, three = ("secret-number-" + word for word in ("one", "two", "three"))
    config = {"brands": {"acme": {}}, "sources": [{"channel": "x", "name": "acme", "brand": "acme"}]}
    with mock_aws():
        boto3.client("ssm", "eu-west-1").put_parameter(Name="/s/config", Type="String", Value=json.dumps(config))
        assert [put("x/acme", typed).exit_code for typed in (one, two, three, three)] == [0] * 4 and standing("x/acme") == [three, two]
        assert put("x/acme", "").exit_code == 2 and standing("x/acme") == [three, two]
        assert put("x/acme", three, "--only").exit_code == 0 and standing("x/acme") == [three]
        assert put("crm/salesforce", '{"client_id": "c"}').exit_code == 0 and standing("crm/salesforce") == {"client_id": "c"}
        for name, typed in (("x/other", one), ("x/acme", "tiny-one"), ("crm/salesforce", "no json")):
            said = put(name, typed)
            assert said.exit_code == 1 and typed not in said.output


def test_a_long_file_goes_in_parts_and_keeps_its_lines():
    rows = "".join(f'A-{number % 3},"Two\nlines",C-{number}\n' for number in range(30))
    parts = split("account_id,name,contact_id\n" + rows, records=10)
    assert len(parts) == 3
    for part in parts:
        assert len({line.partition(",")[0] for line in part.text if line.startswith("A-")}) == 1  # an account stays together
        assert len(part.text) == len(part.lines) and part.text[0].startswith("account_id")
    lines = ("account_id,name,contact_id\n" + rows).splitlines(keepends=True)
    assert all(lines[number - 1] == text for part in parts for number, text in zip(part.lines, part.text, strict=True))


def test_strangers_text_does_not_drive_the_terminal():
    assert clean("a\x1b[31mred\x07\nb\u202e", 0) == "a [31mred b" and clean("x" * 50, 10) == "x" * 9 + "…"
