"""What Salesforce admins install has the names and sizes that the adapter writes and that the simulator keeps."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

from caseline.crm.salesforce._metadata import EVENT, field_name
from caseline.crm.salesforce._settings import Settings

from tests.kit.salesforce.org import VERSION_RULE

ROOT = Path(__file__).parents[2] / "infra/crm/salesforce"
SOURCE = ROOT / "force-app/main/default"
EVENT_FIELDS = ("event_key", "at", "channel", "kind", "summary", "sentiment", "rating", "contact", "account")
NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"


def read(path: Path) -> ElementTree.Element:
    return ElementTree.parse(path).getroot()


def text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(f"{NAMESPACE}{name}") or ""


def installed() -> dict[str, ElementTree.Element]:
    return {f"{path.parents[1].name}.{path.name.removesuffix('.field-meta.xml')}": read(path) for path in SOURCE.glob("objects/*/fields/*.xml")}


def own_defaults() -> set[str]:
    """What the adapter reads and writes if nobody says otherwise."""
    settings = Settings()
    names = {
        "Case": settings.case_fields.values(), "Account": [*settings.account_fields.values(), *settings.account_profile.values()],
        "Contact": [*settings.contact_profile.values(), settings.handles_field, settings.customer_key_field],
        "Lead": [settings.handles_field, settings.customer_key_field], EVENT: [*map(field_name, EVENT_FIELDS)],
    }  # fmt: skip
    return {f"{entity}.{name}" for entity, each in names.items() for name in each if name.endswith("__c")}


def test_the_fields_are_the_adapters_defaults() -> None:
    assert set(installed()) == own_defaults()
    assert all(text(element, "fullName") == name.partition(".")[2] for name, element in installed().items())


def test_what_is_searched_in_is_of_a_type_that_can_be() -> None:
    for name in ("Contact.CX_Handles__c", "Lead.CX_Handles__c"):
        assert (text(installed()[name], "type"), text(installed()[name], "length")) == ("Text", "255")


def test_the_key_is_a_unique_external_id() -> None:
    key = installed()["Case.CX_Case_Key__c"]
    assert (text(key, "externalId"), text(key, "unique"), text(key, "type")) == ("true", "true", "Text")


def test_each_key_is_unique() -> None:
    keys = {name for name, element in installed().items() if text(element, "externalId") == "true"}
    assert keys == {"Case.CX_Case_Key__c", "Contact.CX_Customer_Key__c", "Lead.CX_Customer_Key__c", "CX_Event__c.CX_Event_Key__c"}


def test_the_permission_set_grants_each_field_and_no_more_than_needed() -> None:
    granted = read(SOURCE / "permissionsets/Caseline_Integration.permissionset-meta.xml")
    fields = {text(each, "field"): text(each, "editable") == "true" for each in granted.iter(f"{NAMESPACE}fieldPermissions")}
    theirs = {"Case.CX_Outcome__c", "Account.CX_Tier__c", "Account.CX_Product_Tier__c", "Account.CX_Lifecycle__c"}
    assert fields == {name: name not in theirs for name in own_defaults()}
    rights = ("allowCreate", "allowDelete", "modifyAllRecords")
    objects = {text(each, "object"): [text(each, right) for right in rights] for each in granted.iter(f"{NAMESPACE}objectPermissions")}
    assert {name for name, given in objects.items() if given[0] == "true"} == {"Case", "Contact", "Lead", EVENT}
    assert {name for name, given in objects.items() if given[1] == "true"} == {EVENT}  # of who is erased: it is Caseline's own
    assert all(given[2] == "false" for given in objects.values())


def test_the_manifest_names_every_part() -> None:
    members = {each.text for each in read(ROOT / "manifest/package.xml").iter(f"{NAMESPACE}members")}
    assert members == {*own_defaults(), EVENT, "Case.CX_Most_Urgent", "Caseline_Integration", "Case.CX_Version_Never_Falls"}


def test_the_list_view_shows_fields_that_are_there() -> None:
    view = read(SOURCE / "objects/Case/listViews/CX_Most_Urgent.listView-meta.xml")
    columns = {str(each.text) for each in view.iter(f"{NAMESPACE}columns")}
    assert {f"Case.{name}" for name in columns if name.endswith("__c")} <= set(installed())


def test_the_validation_rule_says_what_the_simulator_says() -> None:
    rule = read(SOURCE / "objects/Case/validationRules/CX_Version_Never_Falls.validationRule-meta.xml")
    assert (text(rule, "active"), text(rule, "errorMessage")) == ("true", VERSION_RULE)
    assert "CX_Version__c < PRIORVALUE(CX_Version__c)" in text(rule, "errorConditionFormula")


def test_the_project_and_the_readme_name_what_is_there() -> None:
    project = json.loads((ROOT / "sfdx-project.json").read_text())
    assert (ROOT / project["packageDirectories"][0]["path"]).is_dir() and project["sourceApiVersion"] == Settings().api_version
    readme = (ROOT / "README.md").read_text()
    assert set(re.findall(r"CX_\w+__c", readme)) <= {EVENT, *(name.partition(".")[2] for name in own_defaults())}
    settings = re.search(r"```yaml\ncrm:\n(.*?)```", readme, re.DOTALL)
    assert settings and set(re.findall(r"^  (\w+):", settings[1], re.MULTILINE)) - {"name"} <= set(Settings.__dataclass_fields__)
