"""The template as CloudFormation would see it: translated offline, its conditions settled, what they exclude left out."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
CONSOLE = {"OidcIssuer": "https://login.example.com", "OidcClientId": "console", "PublicUrl": "https://care.example.com"}
_ABSENT: dict[str, Any] = {"Ref": "AWS::NoValue"}


@cache
def source() -> Any:
    """The template as it is written."""
    return yaml_parse((ROOT / "template.yaml").read_text())


@cache
def machine() -> Any:
    return yaml_parse((ROOT / "infra/statemachines/open_case.asl.yaml").read_text())


@dataclass(frozen=True)
class Deployment:
    """`resources` by logical id; intrinsics other than conditions stand as they are."""

    resources: Mapping[str, Any]

    def of_type(self, kind: str) -> dict[str, Any]:
        """Logical id to properties."""
        return {name: resource.get("Properties", {}) for name, resource in self.resources.items() if resource["Type"] == kind}

    def functions(self) -> dict[str, Any]:
        """Folder under functions/ to properties."""
        return {folder(properties): properties for properties in self.of_type("AWS::Lambda::Function").values()}

    def environment(self, function: str) -> dict[str, Any]:
        return dict(self.functions()[function]["Environment"]["Variables"])

    def properties(self, reference: Any) -> Any:
        """The properties of what a Ref or GetAtt names."""
        return self.resources[target(reference)]["Properties"]

    def statements(self, role: str) -> list[Any]:
        """What a role may do: its own policies, and those of ours that are attached."""
        own = self.resources[role]["Properties"]
        documents = [policy["PolicyDocument"] for policy in own.get("Policies", [])]
        documents += [self.properties(policy)["PolicyDocument"] for policy in own.get("ManagedPolicyArns", []) if "Ref" in policy]
        return [statement for document in documents for statement in document["Statement"]]

    def routes(self) -> Iterator[tuple[str, str, Any]]:
        """(path, METHOD, operation) of the API."""
        for path, operations in self.resources["Api"]["Properties"]["Body"]["paths"].items():
            for method, operation in operations.items():
                yield path, {"x-amazon-apigateway-any-method": "ANY"}.get(method, method.upper()), operation


@cache
def deploy(**parameters: str) -> Deployment:
    """The deployment that these parameters make; defaults stand for the others."""
    template = _translated()
    values = {name: declared.get("Default", "") for name, declared in template["Parameters"].items()} | parameters
    settled = {name: _holds(condition, values) for name, condition in template["Conditions"].items()}
    kept = {name: resource for name, resource in template["Resources"].items() if settled.get(resource.get("Condition", ""), True)}
    return Deployment(_settle(kept, settled))


@cache
def _translated() -> Any:
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    template = copy.deepcopy(source())
    for resource in template["Resources"].values():
        if field := CODE.get(resource["Type"]):
            resource["Properties"][field] = "s3://code/" + resource["Properties"][field]
    opened = template["Resources"]["OpenCase"]["Properties"]
    opened["Definition"] = json.loads(json.dumps(machine()))
    del opened["DefinitionUri"]
    defaults = {name: declared.get("Default", "") for name, declared in template["Parameters"].items()}
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    return json.loads(json.dumps(translator.translate(template, defaults)))


def _holds(condition: Any, values: Mapping[str, str]) -> bool:
    ((operator, operands),) = condition.items()
    if operator == "Fn::Not":
        return not _holds(operands[0], values)
    if operator == "Fn::Equals":
        left, right = (values[each["Ref"]] if isinstance(each, dict) else each for each in operands)
        return str(left) == str(right)
    raise ValueError(f"no rule for {operator}")


def _settle(value: Any, settled: Mapping[str, bool]) -> Any:
    """The value with every Fn::If decided, and what is AWS::NoValue gone."""
    if isinstance(value, list):
        return [each for each in (_settle(each, settled) for each in value) if each != _ABSENT]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::If"}:
        condition, yes, no = value["Fn::If"]
        return _settle(yes if settled[condition] else no, settled)
    known = {key: _settle(each, settled) for key, each in value.items()}
    return known if known == _ABSENT else {key: each for key, each in known.items() if each != _ABSENT}


def target(reference: Any) -> str:
    """The logical id that a Ref or GetAtt names."""
    return str(reference.get("Ref") or reference["Fn::GetAtt"][0])


def folder(function: Any) -> str:
    """receive_webhook, of the properties of a translated function."""
    return Path(function["Code"]["S3Key"]).name


def walk(value: Any) -> Iterator[Any]:
    """Every value within, itself first."""
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(each)
