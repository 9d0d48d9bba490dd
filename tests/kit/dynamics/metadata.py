"""EntityDefinitions: tables, columns and keys, read and changed as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from tests.kit.dynamics.errors import DataverseError, missing_property, no_route
from tests.kit.dynamics.odata import Filter
from tests.kit.dynamics.org import Org
from tests.kit.dynamics.schema import Column, Key, Table, labels
from tests.kit.simulated import Reply

CRM = "Microsoft.Dynamics.CRM"
_PATH = re.compile(
    r"EntityDefinitions(?:\((?P<table>[^)]*)\))?(?:/(?P<part>Attributes|Keys)(?:/(?P<cast>[\w.]+))?(?:\((?P<item>[^)]*)\))?(?:/(?P<as>[\w.]+))?)?"
)
_KINDS = {
    "StringAttributeMetadata": "String", "MemoAttributeMetadata": "Memo", "IntegerAttributeMetadata": "Integer", "DecimalAttributeMetadata": "Decimal",
    "PicklistAttributeMetadata": "Picklist", "DateTimeAttributeMetadata": "DateTime", "BooleanAttributeMetadata": "Boolean",
}  # fmt: skip


class Metadata:
    def __init__(self, org: Org) -> None:
        self._org = org

    def answer(self, method: str, path: str, options: Mapping[str, str], body: Any, base: str) -> Reply:
        found = _PATH.fullmatch(path)
        if not found:
            raise no_route(path)
        if found["table"] is None:
            return Reply(200, {"value": _chosen([_of_table(table) for table in self._org.tables.values()], options)})
        table = self._table(found["table"])
        if found["part"] == "Attributes":
            return self._columns(method, table, found["item"], found["cast"], options, body, base)
        if found["part"] == "Keys":
            return self._keys(method, table, found["item"], options, body, base)
        return Reply(200, _of_table(table))

    def _table(self, address: str) -> Table:
        name = address.partition("=")[2].strip("'") if "=" in address else ""
        found = next((table for table in self._org.tables.values() if name == table.name or address == table.metadata_id), None)
        if not found:
            raise DataverseError(404, "0x80060888", f"Could not find an entity with name {name}.")
        return found

    # ---- columns

    def _columns(self, method: str, table: Table, item: str, cast: str, options: Mapping[str, str], body: Any, base: str) -> Reply:
        if method == "POST":
            return self._add_column(table, body, base)
        columns = [column for column in table.columns.values() if not cast or cast.removeprefix(f"{CRM}.") == f"{column.type}AttributeMetadata"]
        if item is None:
            return Reply(200, {"value": _chosen([_of_column(table, column) for column in columns], options)})
        name = item.partition("=")[2].strip("'") or next((c.name for c in columns if _column_id(table, c) == item), "")
        if name not in table.columns:
            raise DataverseError(404, "0x80060888", f"Could not find an attribute with name {name}.")
        if method == "DELETE":
            self.drop(table.name, name)
            return Reply(204)
        return Reply(200, _of_column(table, table.columns[name]))

    def _add_column(self, table: Table, body: Mapping[str, Any], base: str) -> Reply:
        name, kind = str(body["SchemaName"]).lower(), str(body.get("@odata.type", "")).removeprefix(f"{CRM}.")
        if name in table.columns:
            raise DataverseError(400, "0x80044340", f"An attribute with the specified name {name} already exists.")
        if kind not in _KINDS or not body.get("DisplayName"):
            raise DataverseError(400, "0x80048d19", "The attribute's type or display name is missing.")
        column = Column(name, _KINDS[kind], body.get("MaxLength") or 0, schema_name=body["SchemaName"])
        column.low, column.high, column.places = body.get("MinValue", column.low), body.get("MaxValue", column.high), body.get("Precision", 0)
        options = (body.get("OptionSet") or {}).get("Options", [])
        column.options = {option["Value"]: option["Label"]["LocalizedLabels"][0]["Label"] for option in options}
        table.columns[name] = column
        return Reply(204, None, {"OData-EntityId": f"{base}/EntityDefinitions({table.metadata_id})/Attributes({_column_id(table, column)})"})

    def drop(self, table_name: str, name: str) -> None:
        """With its values and the keys over it."""
        table = self._org.tables[table_name]
        del table.columns[name]
        table.keys = [key for key in table.keys if name not in key.columns]
        for record_id, row in list(self._org.records[table_name].items()):
            self._org.records[table_name][record_id] = {column: value for column, value in row.items() if column != name}

    # ---- keys

    def _keys(self, method: str, table: Table, item: str, options: Mapping[str, str], body: Any, base: str) -> Reply:
        if method == "POST":
            return self._add_key(table, body, base)
        if method == "DELETE":
            table.keys = [key for key in table.keys if key.key_id != item]
            return Reply(204)
        return Reply(200, {"value": _chosen([_of_key(table, key) for key in table.keys], options)})

    def _add_key(self, table: Table, body: Mapping[str, Any], base: str) -> Reply:
        name, columns = body["SchemaName"], list(body["KeyAttributes"])
        if any(key.name.lower() == name.lower() for key in table.keys):
            raise DataverseError(400, "0x80048d19", f"An entity key with the name {name} already exists.")
        for column in columns:
            if column not in table.columns:
                raise missing_property(column, table.name)
        key = Key(name, columns, str(uuid4()))
        table.keys.append(key)
        return Reply(204, None, {"OData-EntityId": f"{base}/EntityDefinitions({table.metadata_id})/Keys({key.key_id})"})


def _column_id(table: Table, column: Column) -> str:
    return str(uuid5(NAMESPACE_URL, f"column/{table.name}/{column.name}"))


def _of_table(table: Table) -> dict[str, Any]:
    return {
        "MetadataId": table.metadata_id, "LogicalName": table.name, "SchemaName": table.name.title(), "EntitySetName": table.plural,
        "PrimaryIdAttribute": table.key, "PrimaryNameAttribute": table.title, "ChangeTrackingEnabled": table.tracked,
    }  # fmt: skip


def _of_column(table: Table, column: Column) -> dict[str, Any]:
    name = column.schema_name or column.name
    found = {
        "MetadataId": _column_id(table, column), "LogicalName": column.name, "SchemaName": name, "AttributeType": column.type,
        "@odata.type": f"#{CRM}.{column.type}AttributeMetadata", "MaxLength": column.length or None, "IsValidForCreate": column.writable,
    }  # fmt: skip
    return {**found, "OptionSet": {"Options": labels(column)}} if column.type == "Picklist" else found


def _of_key(table: Table, key: Key) -> dict[str, Any]:
    return {
        "MetadataId": key.key_id, "SchemaName": key.name, "LogicalName": key.name.lower(), "EntityLogicalName": table.name, "KeyAttributes": list(key.columns),
        "EntityKeyIndexStatus": key.status,
    }  # fmt: skip


def _chosen(rows: list[dict[str, Any]], options: Mapping[str, str]) -> list[dict[str, Any]]:
    """Metadata has no paging and takes $select, $filter and $expand."""
    if options.get("filter"):
        test = Filter(options["filter"], lambda path: "bool" if isinstance(rows[0].get(path), bool) else "string", lambda row, path: row.get(path)).parse()
        rows = [row for row in rows if test(row)]
    names = [name for name in options.get("select", "").split(",") if name]
    kept = {*names, "MetadataId", "@odata.type", *(("OptionSet",) if "OptionSet" in options.get("expand", "") else ())}
    return [{name: value for name, value in row.items() if not names or name in kept} for row in rows]
