"""`caseline crm check|plan|apply|status|reconcile`, on a home and on a deployed stack, with a simulated CRM."""

import json
from datetime import UTC, datetime

import boto3
import pytest
from caseline_local.cli import crm_place, main
from click.testing import CliRunner
from moto import mock_aws

from tests.kit.aws import create_table
from tests.kit.crms.salesforce import SECRET
from tests.kit.salesforce import salesforce

REGION = "eu-west-1"


def run(*words, **more):
    return CliRunner().invoke(main, ["crm", *map(str, words)], catch_exceptions=False, **more)


@pytest.fixture
def simulator():
    with salesforce() as simulator:
        yield simulator


@pytest.fixture
def home(tmp_path, simulator):
    return write_home(tmp_path, {"name": "salesforce", "instance_url": simulator.url})


def write_home(path, crm, secret=SECRET):
    (path / "config.yaml").write_text(json.dumps({"brands": {}, "sources": [], "crm": crm}))
    (path / "secrets.json").write_text(json.dumps({"crm/salesforce": secret}))
    return path


def test_what_is_missing_is_named_planned_and_made(home, simulator):
    assert run("check", "--home", home).exit_code == 0
    simulator.org.drop_field("Case", "CX_Case_Key__c")
    checked = run("check", "--home", home)
    assert checked.exit_code == 1 and "✖ Case.CX_Case_Key__c" in checked.output and "fix: " in checked.output
    findings = json.loads(run("check", "--home", home, "--json").stdout)["findings"]
    assert [found["severity"] for found in findings if found["name"] == "Case.CX_Case_Key__c"] == ["error"]
    assert "CX_Case_Key__c" in run("plan", "--home", home).output
    asked = run("apply", "--home", home, input="n\n")
    assert asked.exit_code == 1 and "Do " in asked.output and run("check", "--home", home).exit_code == 1
    done = json.loads(run("apply", "--home", home, "--yes", "--json").stdout)
    assert "Case.CX_Case_Key__c" in done["done"] and done["failed"] == {} and not [step for step in done["by_hand"] if step["by"] != "hand"]
    assert run("check", "--home", home).exit_code == 0


def test_a_step_that_fails_keeps_no_other_from_being_done(home, simulator):
    for name in ("CX_Score__c", "CX_Headline__c"):
        simulator.org.drop_field("Case", name)
    simulator.faults.add("answer", match="POST .*/tooling/sobjects/CustomField", status=403, body=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}])
    done = run("apply", "--home", home, "--yes")
    assert done.exit_code == 1 and "✖ Case." in done.output and "✔ Case." in done.output and "1 of 2 steps failed" in done.output


def test_json_asks_nothing(home):
    assert run("apply", "--home", home, "--json").exit_code == 2


def test_a_login_that_is_refused_is_a_finding(home, simulator):
    simulator.refuses = True
    done = run("check", "--home", home)
    assert done.exit_code == 1 and "✖ login: Salesforce refused the login" in done.output
    assert run("plan", "--home", home).exit_code == 1


def test_a_crm_that_does_not_answer_is_3(home, simulator):
    simulator.faults.add("answer", match=".", status=503, times=100, body=[])
    assert run("check", "--home", home).exit_code == 3 and run("plan", "--home", home).exit_code == 3


def test_the_built_in_one_needs_nothing(tmp_path):
    write_home(tmp_path, {"name": "builtin"})
    for words in (("check",), ("plan",), ("apply",)):
        done = run(*words, "--home", tmp_path)
        assert done.exit_code == 0 and "needs no setting up" in done.output


def test_wrong_settings_and_secrets_are_told_with_their_place(tmp_path, simulator):
    write_home(tmp_path, {"name": "salesforce", "instance_url": simulator.url, "quues": {}})
    assert "crm.quues: salesforce has no setting 'quues'; did you mean 'queues'?" in run("check", "--home", tmp_path).output
    write_home(tmp_path, {"name": "salesforce", "instance_url": simulator.url}, {"client_id": "c"})
    assert "secrets.json:1:2: crm/salesforce: the secret of crm salesforce lacks client_secret" in run("check", "--home", tmp_path).output
    assert run("check", "--home", tmp_path / "nowhere").exit_code == 1


def test_status_and_a_count_need_the_product(home):
    assert run("status", "--home", home).exit_code == run("reconcile", "--home", home).exit_code == 3


@pytest.fixture
def stack(monkeypatch, simulator):
    """The stack `s`, with its table, configuration and secret."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        create_table(boto3.client("dynamodb", REGION), "caseline-table")
        config = {"brands": {}, "sources": [], "crm": {"name": "salesforce", "instance_url": simulator.url, "changes_minutes": 5}}
        boto3.client("ssm", REGION).put_parameter(Name="/s/config", Type="String", Value=json.dumps(config))
        boto3.client("secretsmanager", REGION).create_secret(Name="s/crm/salesforce", SecretString=json.dumps(SECRET))
        monkeypatch.setattr(crm_place.StackPlace, "resource", lambda place, name: {"Table": "caseline-table"}.get(name, name))
        yield ("--stack", "s", "--region", REGION)


def test_a_stacks_crm_is_checked_with_its_own_secret(stack, simulator):
    assert run("check", *stack).exit_code == 0 and simulator.logins == 1
    found = json.loads(run("status", *stack, "--json").stdout)
    assert (found["name"], found["state"], found["unsynced"]) == ("salesforce", "up", 0)
    said = run("status", *stack).output
    assert "salesforce  up" in said and "last poll    never" in said and "unsynced     0 cases" in said and "last count   never" in said


def test_a_count_on_a_stack_is_made_by_its_function(stack, monkeypatch):
    asked = []

    class Function:
        def invoke(self, **request):
            asked.append(request)
            difference = {"kind": "missing", "case_key": "case-1", "crm_id": "", "text": "open here and not in the CRM"}
            report = {"crm": "salesforce", "at": datetime.now(UTC).isoformat(), "here": 2, "there": 1, "count": 1, "differences": [difference]}
            boto3.resource("dynamodb", REGION).Table("caseline-table").put_item(Item={"PK": "RECONCILIATION", "SK": "REPORT", **report})
            return {}

    call = crm_place.StackPlace.call
    monkeypatch.setattr(crm_place.StackPlace, "call", lambda place, service, use: use(Function()) if service == "lambda" else call(place, service, use))
    done = run("reconcile", *stack)
    assert done.exit_code == 1 and "2 cases here, 1 there, 1 difference" in done.output and "missing  case-1" in done.output
    assert [(request["FunctionName"], json.loads(request["Payload"])) for request in asked] == [("SyncCrmFunction", {"job": "reconcile"})]
