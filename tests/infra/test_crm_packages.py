"""What CRM admins install is made of infra/crm/schema.yaml, and no file of it was changed by hand or forgotten."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from caseline.crm._schema import OF_ACCOUNTS, OF_CASES, OF_CONTACTS, OUTCOMES, SchemaField
from caseline.crm.dynamics._settings import ACCOUNT_FIELDS, BANDS, CASE_FIELDS, CONTACT_FIELDS
from caseline.crm.dynamics._settings import Settings as DynamicsSettings

from infra.crm.packages import ROOT, __main__, drift, dynamics, load_schema, render, write

SCHEMA, HISTORY = load_schema(), load_schema(part="history")
SOLUTION = ROOT / "dynamics/solution"
TABLES = {"account": "Account", "contact": "Contact", "case": "Incident"}


def test_the_packages_are_as_the_schema_says() -> None:
    assert drift() == {}, "run `make crm-packages`"


def test_the_schema_describes_what_the_code_writes_and_reads() -> None:
    keys = {entity: {field.key for field in SCHEMA if field.entity == entity} for entity in ("case", "contact", "account")}
    assert keys["case"] == set(OF_CASES) and keys["contact"] == {*OF_CONTACTS, "handles", "customer_key"} and keys["account"] >= set(OF_ACCOUNTS)
    assert [field.values for field in SCHEMA if field.key == "outcome"] == [list(OUTCOMES)]


def test_drift_is_found_and_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("schema.yaml", "salesforce", "dynamics"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    changed, gone = (tmp_path / f"salesforce/force-app/main/default/objects/Case/fields/CX_{name}__c.field-meta.xml" for name in ("Score", "Band"))
    changed.write_text("by hand")
    gone.unlink()
    extra = tmp_path / "dynamics/solution/Entities/Old/Entity.xml"
    extra.parent.mkdir()
    extra.write_text("<Entity/>")
    expected = sorted(str(path.relative_to(tmp_path)) for path in (changed, gone, extra))
    assert sorted(drift(tmp_path)) == expected == write(tmp_path)
    assert drift(tmp_path) == {} and not extra.exists()
    monkeypatch.setattr(__main__, "drift", lambda: {"a.xml": "text"})
    assert __main__.main(["--check"]) == 1 and "infra/crm/a.xml" in capsys.readouterr().out


def test_every_file_is_well_formed_and_ends_with_a_line() -> None:
    for path, text in render(SCHEMA, HISTORY).items():
        ElementTree.fromstring(text)
        assert text.endswith(">\n") and "\t" not in text, path


def test_a_text_of_the_schema_is_only_ever_text() -> None:
    odd = SchemaField("case", "odd", "A & B <c>", "choice", "ours", "optional", '"quoted" ]]> &amp;', values=("a&b", "<x>"))
    files = render([*SCHEMA, odd], HISTORY)
    [path] = [path for path in files if path.endswith("CX_Odd__c.field-meta.xml")]
    found = {each.tag.rpartition("}")[2]: each.text for each in ElementTree.fromstring(files[path])}
    assert (found["label"], found["description"]) == (odd.label, odd.about)
    entity = ElementTree.fromstring(files["dynamics/solution/Entities/Incident/Entity.xml"])
    assert [label.get("description") for label in entity.iter("label")][-2:] == ["a&b", "<x>"]


# ---- Dataverse


def columns(entity: str) -> dict[str, ElementTree.Element]:
    root = ElementTree.parse(SOLUTION / f"Entities/{TABLES[entity]}/Entity.xml").getroot()
    return {str(each.findtext("LogicalName")): each for each in root.iter("attribute")}


def test_the_columns_are_those_that_the_adapter_writes_and_reads() -> None:
    read = {name for name in DynamicsSettings().fact_fields.values() if name.startswith("cx_")}
    assert set(columns("case")) == set(CASE_FIELDS.values())
    assert set(columns("contact")) == set(CONTACT_FIELDS.values())
    assert set(columns("account")) == {*ACCOUNT_FIELDS.values(), *read}


def test_the_options_have_the_numbers_that_the_adapter_knows() -> None:
    for name, values in (("cx_band", BANDS), ("cx_outcome", OUTCOMES)):
        options = {str(option.find("labels/label").get("description")): int(option.get("value")) for option in columns("case")[name].iter("option")}
        assert options == {value: DynamicsSettings().option(values, value) for value in values}


def test_each_unique_column_is_an_alternate_key_of_its_own() -> None:
    for entity, table in TABLES.items():
        root = ElementTree.parse(SOLUTION / f"Entities/{table}/Entity.xml").getroot()
        keys = [[each.text for each in key.iter("AttributeName")] for key in root.iter("EntityKey")]
        assert keys == [[dynamics.column_name(field.key)] for field in SCHEMA if field.entity == entity and field.unique]


def test_the_role_deletes_nothing_and_changes_no_table() -> None:
    root = ElementTree.parse(SOLUTION / "Roles/Caseline Integration.xml").getroot()
    names = [str(each.get("name")) for each in root.iter("RolePrivilege")]
    assert {"prvCreateIncident", "prvWriteIncident", "prvReadContact", "prvCreateNote"} <= set(names)
    assert not [name for name in names if name.startswith("prvDelete")]
    assert not {"prvCreateAttribute", "prvWriteEntity", "prvCreateEntity"} & set(names)


def test_the_solution_names_its_parts() -> None:
    root = ElementTree.parse(SOLUTION / "Other/Solution.xml").getroot()
    parts = {(each.get("type"), each.get("schemaName") or each.get("id")) for each in root.iter("RootComponent")}
    assert parts == {("1", "account"), ("1", "contact"), ("1", "incident"), ("20", f"{{{dynamics.ROLE_ID}}}")}
    assert (root.findtext(".//CustomizationPrefix"), root.findtext(".//UniqueName")) == ("cx", "Caseline")
