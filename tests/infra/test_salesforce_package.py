"""What Salesforce admins install has the names and sizes that the adapter writes and that the simulator keeps."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from caseline.crm.salesforce._settings import ACCOUNT_FIELDS, CASE_FIELDS, Settings

from tests.kit.salesforce.org import VERSION_RULE
from tests.kit.salesforce.schema import default_entities

ROOT = Path(__file__).parents[2] / "infra/crm/salesforce"
SOURCE = ROOT / "force-app/main/default"
NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"
KINDS = {"Text": "text", "Number": "number", "Picklist": "picklist", "LongTextArea": "textarea", "Url": "url"}


def read(path: Path) -> ElementTree.Element:
    return ElementTree.parse(path).getroot()


def text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(f"{NAMESPACE}{name}") or ""


def installed() -> dict[str, ElementTree.Element]:
    return {f"{path.parents[1].name}.{path.name.removesuffix('.field-meta.xml')}": read(path) for path in SOURCE.glob("objects/*/fields/*.xml")}


def own_defaults() -> set[str]:
    accounts = {f"Account.{name}" for name in ACCOUNT_FIELDS.values() if name.endswith("__c")}
    return {f"Case.{name}" for name in CASE_FIELDS.values()} | accounts | {f"Contact.{Settings().handles_field}"}


def test_the_fields_are_the_adapters_defaults() -> None:
    assert set(installed()) == own_defaults()
    assert all(text(element, "fullName") == name.partition(".")[2] for name, element in installed().items())


def test_the_key_is_a_unique_external_id() -> None:
    key = installed()["Case.CX_Case_Key__c"]
    assert (text(key, "externalId"), text(key, "unique"), text(key, "type")) == ("true", "true", "Text")


@pytest.mark.parametrize("name", sorted(own_defaults()))
def test_the_simulator_has_the_same_fields(name: str) -> None:
    entity, _, column = name.partition(".")
    element, field = installed()[name], default_entities()[entity].fields[column]
    kind = KINDS[text(element, "type")]
    assert field.kind == kind or (kind, field.kind) == ("picklist", "text"), "the tier is free text in the simulator: orgs bring their own"
    assert field.external_id == (text(element, "externalId") == "true")
    assert not text(element, "length") or int(text(element, "length")) == field.length


def test_the_permission_set_grants_each_field_and_no_more_than_needed() -> None:
    granted = read(SOURCE / "permissionsets/Caseline_Integration.permissionset-meta.xml")
    fields = {text(each, "field"): text(each, "editable") == "true" for each in granted.iter(f"{NAMESPACE}fieldPermissions")}
    assert fields == {name: name.startswith("Case.") for name in own_defaults()}
    rights = ("allowCreate", "allowDelete", "modifyAllRecords")
    objects = {text(each, "object"): [text(each, right) for right in rights] for each in granted.iter(f"{NAMESPACE}objectPermissions")}
    assert objects.pop("Case") == ["true", "false", "false"]
    assert all(given == ["false", "false", "false"] for given in objects.values())


def test_the_validation_rule_says_what_the_simulator_says() -> None:
    rule = read(SOURCE / "objects/Case/validationRules/CX_Version_Never_Falls.validationRule-meta.xml")
    assert (text(rule, "active"), text(rule, "errorMessage")) == ("true", VERSION_RULE)
    assert "CX_Version__c < PRIORVALUE(CX_Version__c)" in text(rule, "errorConditionFormula")


def test_the_project_and_the_readme_name_what_is_there() -> None:
    project = json.loads((ROOT / "sfdx-project.json").read_text())
    assert (ROOT / project["packageDirectories"][0]["path"]).is_dir() and project["sourceApiVersion"] == Settings().api_version
    readme = (ROOT / "README.md").read_text()
    assert {f"{name}" for name in re.findall(r"CX_\w+__c", readme)} == {name.partition(".")[2] for name in own_defaults()}
    settings = re.search(r"```yaml\ncrm:\n(.*?)```", readme, re.DOTALL)
    assert settings and set(re.findall(r"^  (\w+):", settings[1], re.MULTILINE)) - {"name"} <= set(Settings.__dataclass_fields__)
