"""`caseline analysis`: what the embedded analyser learns from people's own judgements, and what it makes of a text."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click
from caseline.errors import ConfigError, ConflictError, UnavailableError

from caseline_local.cli.terminal import FindingsError, UnreachableError, clean, count_words, home_option, json_option, read_file, say, show, show_json
from caseline_local.cli.validate import region_option

_TASKS = {"sentiment": "sentiment", "category": "issue category"}


@dataclass(frozen=True)
class Place:
    """Where the table and the bucket of a product are; `client(service)` reaches its services."""

    client: Callable[[str], Any]
    table: str
    bucket: str
    policy: str


def place_options(command: Callable[..., None]) -> Callable[..., None]:
    """Hands the command its place: the product of a home, or a deployed stack."""

    @home_option
    @click.option("--stack", help="A deployed stack, instead of a product on this machine.")
    @region_option
    @wraps(command)
    def run(*args: Any, home: Path, stack: str | None, region: str | None, **options: Any) -> None:
        from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

        try:
            command(*args, place=_find_stack(stack, region) if stack else _find_home(home), **options)
        except (ConfigError, ConflictError) as error:
            raise FindingsError(str(error)) from None
        except ClientError as error:
            raise FindingsError(f"AWS refused: {error.response['Error']['Message']}") from None
        except NoRegionError:
            raise click.UsageError("say with --region where the stack is; the AWS profile has none") from None
        except (BotoCoreError, UnavailableError) as error:
            whose = f"stack {stack}" if stack else f"the product on {home}"
            raise UnreachableError(f"{whose} does not answer: {error}" + ("" if stack else f"; start it with `caseline dev --home {home}`")) from None

    return run


@click.group()
def analysis() -> None:
    """The embedded analyser learns from your own labels: which texts were complaints, and what about.

    A share of the labels is held back and measures; a model that is no better than what stands is never installed.
    """


@analysis.command()
@click.option("--from", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A CSV: text, and sentiment, category or outcome.")
@click.option("--no-crm", is_flag=True, help="Without what came back from the CRM: cases closed as valid or not an issue, corrected categories.")
@json_option
@place_options
def train(file: Path | None, no_crm: bool, as_json: bool, place: Place) -> None:
    """Learn from the CRM's outcomes and, with --from, from a CSV file; install what is better.

    Columns: text; sentiment (negative, neutral, positive); category (one of the policy's); outcome (valid, not_an_issue); language; channel.
    """
    from caseline.adaptation import labels_of_cases, read_labels
    from caseline.table import Table

    if no_crm and not file:
        raise click.UsageError("--no-crm alone leaves nothing to learn from; bring a file with --from")
    policy = _read_policy(place)
    labels = read_labels(read_file(file), file.name, policy) if file else []
    if not no_crm:
        labels += labels_of_cases(Table(place.client("dynamodb"), place.table), policy)
    if not labels:
        said = "say of cases, in the console, by the API or in the CRM, whether each was an issue and what about"
        raise FindingsError(f"no labels: {said}; or bring a file with --from")
    say(f"learning from {count_words(len(labels), 'label')}")
    report = _adapt(place, policy).train(labels)
    if as_json:
        show_json(report)
    else:
        _show_training(report)
    if not report["installed"]:
        raise FindingsError("nothing was installed: what stands is as good, or the labels are too few")


@analysis.command()
@json_option
@place_options
def report(as_json: bool, place: Place) -> None:
    """Which model counts, and what the last training measured."""
    found = _adapt(place, _read_policy(place)).report()
    if as_json:
        show_json(found)
        return
    current = found["current"]
    show(f"{current['version']}, of {current['labels']} labels, {current['at'][:19]}Z" if current else "the shipped model")
    if found["refused"]:
        show(f"refused, so the shipped model judges: {found['refused']}")
    say(f"{count_words(len(found['earlier']), 'earlier model')} can be put back")
    if found["last"]:
        _show_training(found["last"])


@analysis.command()
@place_options
def rollback(place: Place) -> None:
    """Put the previous model back; taken up within five minutes."""
    entry = _adapt(place, _read_policy(place)).rollback()["current"]
    show(f"{entry['version']}, of {entry['labels']} labels" if entry else "the shipped model")


@analysis.command()
@click.argument("text")
@click.option("--language", help="What the platform says it is in, such as en; else it is found out.")
@click.option("--channel", help="Where it was written: people praise more in a review, say google_play, than to support.")
@json_option
def explain(text: str, language: str | None, channel: str | None, as_json: bool) -> None:
    """What the shipped model makes of TEXT and, of English, what its words feel like: of 28 emotions, and of Ekman's seven.

    Needs no product that runs, and asks nobody: what a tenant taught, and a policy's own categories, do not count here.
    """
    from caseline.assessment import Text, open_analyser
    from caseline.assessment.emotions import find_emotions

    said = open_analyser("embedded").assess([Text(text, language, channel)])[0]
    felt = find_emotions(text, said.language)
    if as_json:
        show_json(said.to_json() | {"emotions": felt and felt.to_json()})
        return
    strength = f", strength {said.strength:.2f}" if said.strength else ""
    show(f"sentiment  {said.sentiment}{strength} (confidence {said.confidence:.2f})" if said.sentiment else f"sentiment  unscored, {said.unscored}")
    show(f"about      {said.category}, urgency {said.urgency}, language {said.language or 'not known'}")
    show(f"feels      {felt or 'not told: English alone is read so finely'}")


def _show_training(report: dict[str, Any]) -> None:
    show(f"{count_words(report['labels'], 'label')}, {report['held_back']} of them held back to measure")
    for task, name in _TASKS.items():
        before, after = report["before"][task], report["after"][task]
        show(f"{name}: {report['verdicts'][task]}")
        if after["n"]:
            show(f"  macro-F1 {before['macro_f1']:.3f} -> {after['macro_f1']:.3f}, right {before['accuracy']:.3f} -> {after['accuracy']:.3f}, of {after['n']}")
            for label, row in after["labels"].items():
                show(f"    {clean(label, 30):30} P {row['precision']:.2f} R {row['recall']:.2f} F1 {row['f1']:.2f} of {row['n']}")
    if (bar := report.get("bars", {}).get("complaint")) and report["verdicts"]["sentiment"] == "better":  # the two are installed together
        asked = "; enquiries of calm customers in public are none" if "question" in report["bars"] else ""
        show(f"a case from strength {bar:g} on{asked}")
    show("installed" if report["installed"] else "not installed")


def _adapt(place: Place, policy: Any) -> Any:
    from caseline.adaptation import Adaptation
    from caseline.model_shelf import Shelf

    store = place.client("s3")

    def read(object_key: str) -> bytes | None:
        try:
            return bytes(store.get_object(Bucket=place.bucket, Key=object_key)["Body"].read())
        except store.exceptions.NoSuchKey:
            return None

    def write(object_key: str, body: bytes) -> None:
        store.put_object(Bucket=place.bucket, Key=object_key, Body=body)

    return Adaptation(Shelf(read, write), policy, lambda: datetime.now(UTC))


def _read_policy(place: Place) -> Any:
    from caseline.policy import load_policy

    return load_policy(place.client("ssm").get_parameter(Name=place.policy)["Parameter"]["Value"])


def _find_home(home: Path) -> Place:
    """The product that runs on `home`; its lock file says where its services are."""
    import boto3

    from caseline_local.cli.api import find_url

    find_url(home)
    services = json.loads((home / "lock").read_text()).get("services")
    if not services:
        raise UnreachableError(f"the product on {home} is still starting; try again in a moment")
    session = boto3.Session("local", "local", region_name=services["region"])
    return Place(lambda name: session.client(name, endpoint_url=services["endpoint"]), services["table"], services["bucket"], services["policy"])


def _find_stack(stack: str, region: str | None) -> Place:
    import boto3

    session = boto3.Session(region_name=region)
    described = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {row["OutputKey"]: row["OutputValue"] for row in described.get("Outputs", ())}
    bucket = outputs["InboxUrl"].removeprefix("s3://").partition("/")[0]
    return Place(session.client, outputs["TableName"], bucket, outputs["PolicyParameterName"])
