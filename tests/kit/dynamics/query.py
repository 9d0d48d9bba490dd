"""Reading: what of a row is shown, which rows, in which order, by pages, or only what changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.kit.dynamics.errors import bad_query, missing_property
from tests.kit.dynamics.odata import Filter, Test, parse_expand, split
from tests.kit.dynamics.org import Org, Row
from tests.kit.dynamics.schema import LOOKUPS, NUMBERS, Column, Table

MOST, MAX_EXPANDS = 5_000, 15
FORMATTED, LOGICAL = "OData.Community.Display.V1.FormattedValue", "Microsoft.Dynamics.CRM.lookuplogicalname"
OPTIONS = ("select", "filter", "orderby", "top", "expand", "count", "skiptoken", "deltatoken")


@dataclass(frozen=True)
class Reader:
    """`base` is the address of the organisation's API, for links."""

    org: Org
    base: str

    def page(self, table: Table, options: Mapping[str, str], prefer: str) -> dict[str, Any]:
        self._check(options)
        if "deltatoken" in options or "odata.track-changes" in prefer:
            return self._changes(table, options, prefer)
        rows = self._sorted(table, self._matching(table, options), options.get("orderby", ""))
        size = page_size(prefer)
        if "top" in options and size < MOST:
            raise bad_query("$top and odata.maxpagesize cannot be used together.")
        chosen, token = _cut(rows, options.get("skiptoken", ""), min(size, int(options.get("top", MOST))))
        found = {"@odata.context": f"{self.base}/$metadata#{table.plural}", "value": [self.show(table, row, options, prefer) for _, row in chosen]}
        if options.get("count") == "true":
            found["@odata.count"] = min(len(rows), MOST)
        return {**found, **({"@odata.nextLink": self._link(table, {**options, "skiptoken": token})} if token and "top" not in options else {})}

    def show(self, table: Table, row: Row, options: Mapping[str, str], prefer: str = "") -> dict[str, Any]:
        """Null values are shown too; the key and the version always."""
        names = [name.strip() for name in options.get("select", "").split(",") if name.strip()]
        columns = [self._column(table, name) for name in names] or list(table.columns.values())
        shown: dict[str, Any] = {"@odata.etag": etag(row), **self._shown(columns, row, "odata.include-annotations" in prefer), table.key: row[table.key]}
        for expansion in parse_expand(options.get("expand", "")):
            shown[expansion.navigation] = self._expanded(table, row, expansion.navigation, expansion.options, prefer)
        return shown

    def _shown(self, columns: list[Column], row: Row, annotated: bool) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for column in columns:
            value = row.get(column.name)
            shown[column.property] = value[1] if isinstance(value, tuple) else value
            label = self._label(column, value) if annotated else None
            if label:
                shown[f"{column.property}@{FORMATTED}"] = label
            if annotated and isinstance(value, tuple):
                shown[f"{column.property}@{LOGICAL}"] = value[0]
        return shown

    def _label(self, column: Column, value: Any) -> str | None:
        if isinstance(value, tuple):
            target = self.org.records[value[0]].get(value[1])
            return str(target.get(self.org.tables[value[0]].title) or "") if target else None
        return column.options.get(value) if column.options and value is not None else None

    def _expanded(self, table: Table, row: Row, navigation: str, options: Mapping[str, str], prefer: str) -> Any:
        if found := table.by_navigation(navigation):
            column, target = found
            value = row.get(column.name)
            here = value is not None and value[0] == target and value[1] in self.org.records[target]
            self._check_shape(self.org.tables[target], options)
            return self.show(self.org.tables[target], self.org.records[target][value[1]], options, prefer) if here else None
        other, lookup = self._collection(table, navigation)
        if not options.get("top") and not options.get("orderby"):
            self._check_shape(other, options)
        test = self._test(other, options.get("filter", ""))
        rows = [each for each in self.org.rows(other.name) if each.get(lookup) == (table.name, row[table.key]) and test(each)]
        return [self.show(other, each, options, prefer) for each in rows[: int(options.get("top", MOST))]]

    def _check_shape(self, table: Table, options: Mapping[str, str]) -> None:
        """Names are refused whether or not there is a row to show."""
        for name in filter(None, options.get("select", "").split(",")):
            self._column(table, name.strip())
        self._test(table, options.get("filter", ""))
        for expansion in parse_expand(options.get("expand", "")):
            inner = table.by_navigation(expansion.navigation)
            other = self.org.tables[inner[1]] if inner else self._collection(table, expansion.navigation)[0]
            self._check_shape(other, expansion.options)

    def _collection(self, table: Table, navigation: str) -> tuple[Table, str]:
        if navigation not in table.collections:
            raise missing_property(navigation, table.name)
        other, lookup = table.collections[navigation]
        return self.org.tables[other], lookup

    def _column(self, table: Table, name: str) -> Column:
        column = table.by_property(name)
        if column is None:
            raise missing_property(name, table.name)
        return column

    # ---- which rows, in which order

    def _check(self, options: Mapping[str, str]) -> None:
        for name in options:
            if name not in OPTIONS:
                raise bad_query(f"The query parameter ${name} is not supported.")
        if options.get("expand", "").count("$select") > MAX_EXPANDS:
            raise bad_query(f"No more than {MAX_EXPANDS} $expand options may be used.")

    def _matching(self, table: Table, options: Mapping[str, str]) -> list[Row]:
        self._check_shape(table, {name: value for name, value in options.items() if name != "filter"})
        test = self._test(table, options.get("filter", ""))
        return [row for row in self.org.rows(table.name) if test(row)]

    def _test(self, table: Table, text: str) -> Test:
        return Filter(text, lambda path: self._kind(table, path), lambda row, path: self._value(table, row, path)).parse() if text else lambda row: True

    def _kind(self, table: Table, path: str) -> str:
        """A lookup is walked by its navigation property, one step at a time."""
        first, _, rest = path.partition("/")
        if rest:
            found = table.by_navigation(first)
            if not found:
                raise missing_property(first, table.name)
            return self._kind(self.org.tables[found[1]], rest)
        return kind_of(self._column(table, first))

    def _value(self, table: Table, row: Row, path: str) -> Any:
        first, _, rest = path.partition("/")
        if rest:
            column, target = table.by_navigation(first) or (None, "")
            value = row.get(column.name) if column else None
            other = self.org.records[target].get(value[1]) if value and value[0] == target else None
            return self._value(self.org.tables[target], other, rest) if other else None
        value = row.get(self._column(table, first).name)
        return value[1] if isinstance(value, tuple) else value

    def _sorted(self, table: Table, rows: list[Row], order: str) -> list[tuple[list[Any], Row]]:
        wanted = [item.split() for item in order.split(",") if item.strip()]
        columns = [(self._column(table, item[0]), "desc" in item[1:]) for item in wanted]
        if any(down for _, down in columns):
            found = sorted(rows, key=lambda row: str(row.get(columns[0][0].name)), reverse=True)
            return [([str(place).zfill(9)], row) for place, row in enumerate(found)]
        keyed = [([[row.get(column.name) is not None, row.get(column.name)] for column, _ in columns] + [row[table.key]], row) for row in rows]
        return sorted(keyed, key=lambda pair: [[str(part) if not isinstance(part, list) else [part[0], part[1]]] for part in pair[0]])

    # ---- change tracking

    def _changes(self, table: Table, options: Mapping[str, str], prefer: str) -> dict[str, Any]:
        if not table.tracked:
            raise bad_query(f"Change tracking is not enabled for entity {table.name}.")
        if {"filter", "orderby", "expand", "top"} & set(options):
            raise bad_query("Only $select can be used with change tracking.")
        since = _token(options.get("deltatoken", ""))
        rows = sorted(([row["versionnumber"]], row) for row in self.org.rows(table.name) if row["versionnumber"] > since)
        chosen, token = _cut(rows, options.get("skiptoken", ""), page_size(prefer))
        shown = [self.show(table, row, options, prefer) for _, row in chosen]
        found: dict[str, Any] = {"@odata.context": f"{self.base}/$metadata#{table.plural}/$delta", "value": shown}
        if token:
            return {**found, "@odata.nextLink": self._link(table, {**options, "deltatoken": options.get("deltatoken", "0!"), "skiptoken": token})}
        context = f"{self.base}/$metadata#{table.plural}/$deletedEntity"
        graves = [dead for version, name, dead in self.org.graves if name == table.name and version > since > 0]
        gone = [{"@odata.context": context, "id": dead, "reason": "deleted"} for dead in graves]
        kept = {"select": options["select"]} if "select" in options else {}
        link = self._link(table, {**kept, "deltatoken": f"{self.org.version}!{self.org.clock():%m/%d/%Y}"})
        return {**found, "value": [*shown, *gone], "@odata.deltaLink": link}

    def _link(self, table: Table, options: Mapping[str, str]) -> str:
        return f"{self.base}/{table.plural}?" + "&".join(f"${name}={quote(value, safe='')}" for name, value in options.items())


def etag(row: Row) -> str:
    return f'W/"{row["versionnumber"]}"'


def kind_of(column: Column) -> str:
    if column.type in LOOKUPS or column.type == "Uniqueidentifier":
        return "guid"
    if column.type in NUMBERS:
        return "number"
    return {"DateTime": "time", "Boolean": "bool"}.get(column.type, "string")


def page_size(prefer: str) -> int:
    found = [item.partition("=")[2] for item in split(prefer, ",") if item.strip().startswith("odata.maxpagesize=")]
    return min(int(found[0]), MOST) if found and found[0].isdigit() else MOST


def _token(text: str) -> int:
    number = text.partition("!")[0] or "0"
    if not number.isdigit():
        raise bad_query("The delta token is not valid.")
    return int(number)


def _cut(rows: list[tuple[list[Any], Row]], after: str, size: int) -> tuple[list[tuple[list[Any], Row]], str]:
    """The next page by the last row's place in the order, so that rows that move meanwhile are not skipped."""
    left = [pair for pair in rows if pair[0] > json.loads(after)] if after else rows
    chosen = left[:size]
    return chosen, json.dumps(chosen[-1][0]) if len(left) > size else ""
