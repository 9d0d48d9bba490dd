"""The state machine open_case: what it retries, where it ends, how many states a case costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from caseline import errors
from statelint.cli import main as statelint

from tests.infra.deployment import ROOT, deploy, machine

STATES: dict[str, Any] = machine()["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
PRODUCT = {name for name, state in TASKS.items() if "lambda" in state["Resource"]}
HOPELESS = {"CrmAuthError", "CrmRejectedError", "CrmNotFoundError"}
SERVICE_FAULTS = {"UnavailableError"} | {
    f"Lambda.{name}" for name in ("ServiceException", "AWSLambdaException", "SdkClientException", "TooManyRequestsException", "Unknown")
}


def retried(state: Any) -> set[str]:
    return {name for rule in state.get("Retry", []) for name in rule["ErrorEquals"]}


def paths(state: str) -> Iterator[list[str]]:
    """Every way from here to an end on which nothing fails."""
    following = [STATES[state][field] for field in ("Next", "Default") if field in STATES[state]]
    following += [choice["Next"] for choice in STATES[state].get("Choices", [])]
    if not following:
        yield [state]
    for after in following:
        yield from ([state, *rest] for rest in paths(after))


def test_the_linter_is_content(capsys: pytest.CaptureFixture[str]) -> None:
    assert statelint(["--yaml", str(ROOT / "infra/statemachines/open_case.asl.yaml")]) == 0, capsys.readouterr().out


def test_a_case_costs_at_most_six_states() -> None:
    assert sorted(len(path) for path in paths(machine()["StartAt"])) == [4, 5]


@pytest.mark.parametrize("name", sorted(PRODUCT))
def test_faults_that_pass_are_tried_again(name: str) -> None:
    assert retried(TASKS[name]) >= SERVICE_FAULTS
    assert not retried(TASKS[name]) & (HOPELESS | {"States.ALL", "States.TaskFailed"})


@pytest.mark.parametrize("name", ["LookUpAccount", "SaveCase"])
def test_the_crm_gets_time(name: str) -> None:
    assert retried(TASKS[name]) >= {"CrmRateLimitError", "CrmUnavailableError", "CrmConflictError"}


@pytest.mark.parametrize("name", sorted(TASKS))
def test_tasks_end(name: str) -> None:
    task = TASKS[name]
    assert task["TimeoutSeconds"] <= 120
    assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
    assert all(rule["MaxAttempts"] <= 10 and rule["BackoffRate"] >= 2 and rule["JitterStrategy"] == "FULL" for rule in task["Retry"])


def test_tasks_outlast_their_functions() -> None:
    functions = deploy().functions()
    for state, function in {"LookUpAccount": "look_up_account", "PrioritiseCase": "prioritise_case", "SaveCase": "save_case"}.items():
        assert TASKS[state]["TimeoutSeconds"] > functions[function]["Timeout"]


@pytest.mark.parametrize("name", sorted(PRODUCT))
def test_failure_is_recorded_then_seen(name: str) -> None:
    assert TASKS[name]["Catch"][-1] == {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "RecordFailure"}
    assert {TASKS["RecordFailure"]["Next"], TASKS["RecordFailure"]["Catch"][0]["Next"]} == {"CaseFailed"} and STATES["CaseFailed"]["Type"] == "Fail"


def test_a_silent_crm_does_not_hold_up_a_case() -> None:
    first = TASKS["LookUpAccount"]["Catch"][0]
    every_crm_error = {error.__name__ for error in errors.CrmError.__subclasses__()}
    assert first["Next"] == "PrioritiseCase" and set(first["ErrorEquals"]) >= every_crm_error | {"States.Timeout"}


def test_an_alert_that_fails_does_not_hold_up_a_case() -> None:
    assert TASKS["AlertPeople"]["Catch"][0]["Next"] == TASKS["AlertPeople"]["Next"] == "SaveCase"


def test_errors_are_those_that_exist() -> None:
    ours = {name for task in TASKS.values() for name in retried(task) if "." not in name}
    ours |= {name for task in TASKS.values() for rule in task["Catch"] for name in rule["ErrorEquals"] if "." not in name}
    assert all(issubclass(getattr(errors, name), errors.CaselineError) for name in ours)


def test_every_substitution_is_given() -> None:
    (opened,) = deploy().of_type("AWS::StepFunctions::StateMachine").values()
    text = (ROOT / "infra/statemachines/open_case.asl.yaml").read_text()
    assert all(f"${{{name}}}" in text for name in opened["DefinitionSubstitutions"])
    assert text.count("${") == len(opened["DefinitionSubstitutions"])


def test_logs_hold_no_data() -> None:
    (opened,) = deploy().of_type("AWS::StepFunctions::StateMachine").values()
    assert opened["LoggingConfiguration"] == {**opened["LoggingConfiguration"], "IncludeExecutionData": False, "Level": "ERROR"}
    assert opened["TracingConfiguration"] == {"Enabled": True}
