"""What is asked of the simulated org: SOQL with joins, groups and pages, and search."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from threading import RLock
from typing import Any

from tests.kit.salesforce.errors import SalesforceError, at, malformed, no_column
from tests.kit.salesforce.ids import is_id
from tests.kit.salesforce.schema import Entity, Field
from tests.kit.salesforce.soql import Column, Condition, Join, Query, matches, parse, parse_search

Record = dict[str, Any]


class Queries:
    """Over the records of an org."""

    entities: dict[str, Entity]
    records: dict[str, dict[str, Record]]
    unindexed: set[str]
    batch_size: int
    lock: RLock
    _count: int

    def __init__(self) -> None:
        self._pages: dict[str, list[Record]] = {}
        self._totals: dict[str, int] = {}

    def entity(self, name: str) -> Entity:
        found = next((entity for entity in self.entities.values() if entity.name.casefold() == name.casefold()), None)
        if not found:
            raise SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")
        return found

    def query(self, text: str, root: str, include_deleted: bool = False) -> dict[str, Any]:
        query = parse(text)
        entity = next((e for e in self.entities.values() if e.name.casefold() == query.entity.casefold()), None)
        if not entity:
            raise SalesforceError(400, "INVALID_TYPE", f"{at(text, query.entity)}sObject type '{query.entity}' is not supported.")
        self._check_query(query, entity, text)
        with self.lock:
            query.where = self._joined(query.where, text)
            visible = [row for row in self.records[entity.name].values() if include_deleted or not row["IsDeleted"]]
            rows = [row for row in visible if matches(query.where, row, self._getter(entity))]
            return self._answer(query, entity, rows, root)

    def _joined(self, where: Any, text: str) -> Any:
        """With each semi join as the ids that it selects."""
        if where is None:
            return None
        if not isinstance(where, Condition):
            return (where[0], *(self._joined(part, text) for part in where[1:]))
        if not isinstance(where.value, Join):
            return where
        inner = where.value.query
        entity = self.entities.get(inner.entity)
        if not entity:
            raise SalesforceError(400, "INVALID_TYPE", f"{at(text, inner.entity)}sObject type '{inner.entity}' is not supported.")
        self._check_query(inner, entity, text)
        if self._resolve(entity, inner.columns[0].path, text).kind not in ("id", "reference"):
            raise malformed("semi join sub-selects select one id field")
        get = self._getter(entity)
        rows = [row for row in self.records[entity.name].values() if not row["IsDeleted"] and matches(inner.where, row, get)]
        return Condition(where.path, where.operator, [value for row in rows if (value := get(row, inner.columns[0].path))])

    def _check_query(self, query: Query, entity: Entity, text: str) -> None:
        for path in query.paths():
            self._resolve(entity, path, text)
        for condition in query.filters():
            field = self._resolve(entity, condition.path, text)
            if not field.filterable:
                raise SalesforceError(400, "INVALID_FIELD", f"field '{condition.path}' can not be filtered in a query call")
            if isinstance(condition.value, Join):
                continue
            given = condition.value if isinstance(condition.value, list) else [condition.value]
            if field.kind in ("id", "reference") and condition.operator != "LIKE" and not all(value is None or is_id(str(value)) for value in given):
                raise SalesforceError(400, "INVALID_QUERY_FILTER_OPERATOR", f"{at(text, condition.path)}invalid ID field: {given[0]}")
            if field.kind in ("number", "boolean") and isinstance(condition.value, str):
                reason = f"value of filter criterion for field '{condition.path}' must be of type {field.kind} and should not be enclosed in quotes"
                raise SalesforceError(400, "INVALID_FIELD", reason)
        if query.group and any(not c.function and c.path not in query.group for c in query.columns):
            raise malformed("Field must be grouped or aggregated")
        if not query.group and any(c.function for c in query.columns) and any(not c.function for c in query.columns):
            raise malformed("Field must be grouped or aggregated")

    def _resolve(self, entity: Entity, path: str, text: str) -> Field:
        head, _, rest = path.partition(".")
        if not rest:
            name = entity.column(head)
            if not name:
                raise no_column(head, entity.name, text)
            return entity.fields[name]
        found = entity.relationship(head)
        if not found:
            raise SalesforceError(400, "INVALID_FIELD", f"{at(text, head)}Didn't understand relationship '{head}' in field path.")
        return self._resolve(self.entities[found[1].target[0]], rest, text)

    def _getter(self, entity: Entity) -> Callable[[Mapping[str, Any], str], Any]:
        def get(row: Mapping[str, Any], path: str) -> Any:
            head, _, rest = path.partition(".")
            if not rest:
                return row[str(entity.column(head))]
            _, target, related = self._related(entity, row, head)
            return self._getter(target)(related, rest) if related else None

        return get

    def _related(self, entity: Entity, row: Mapping[str, Any], head: str) -> tuple[str, Entity, Record | None]:
        """What the record refers to by a relationship: its own spelling, the entity, and the record if it is there."""
        found = entity.relationship(head)
        assert found, head
        name, field = found
        target = next((target for target in field.target if row[name] in self.records[target]), None)
        return field.relationship, self.entities[target or field.target[0]], self.records[target][row[name]] if target else None

    def _answer(self, query: Query, entity: Entity, rows: list[Record], root: str) -> dict[str, Any]:
        get = self._getter(entity)
        if [(c.function, c.path) for c in query.columns] == [("COUNT", "")]:
            return {"totalSize": len(rows), "done": True, "records": []}
        if any(c.function for c in query.columns) or query.group:
            found = [_aggregate(query.columns, group, get) for group in _grouped(query.group, rows, get)]
            return {"totalSize": len(found), "done": True, "records": found}
        for path, descending, last in reversed(query.order):
            keyed = sorted(rows, key=lambda row, path=path: _sortable(get(row, path)), reverse=descending)
            rows = sorted(keyed, key=lambda row, path=path, last=last: (get(row, path) is None) is last)
        rows = rows[query.offset :][: query.limit]
        return self._page([self._shown(query, entity, row, root) for row in rows], root, 0, len(rows))

    def _page(self, records: list[Record], root: str, start: int, total: int) -> dict[str, Any]:
        page = {"totalSize": total, "done": start + self.batch_size >= total, "records": records[: self.batch_size]}
        if not page["done"]:
            locator = f"01g{self._count:09d}{start + self.batch_size:06d}-{start + self.batch_size}"
            self._pages[locator] = records[self.batch_size :]
            page["nextRecordsUrl"] = f"{root}/query/{locator}"
            self._totals[locator] = total
        return page

    def next_page(self, locator: str, root: str) -> dict[str, Any]:
        if locator not in self._pages:
            raise SalesforceError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(self._pages[locator], root, int(locator.rpartition("-")[2]), self._totals[locator])

    def _shown(self, query: Query, entity: Entity, row: Record, root: str) -> Record:
        shown: Record = {"attributes": attributes(entity, row, root)}
        for column in query.columns:
            self._show(shown, entity, row, column.path, root)
        return shown

    def _show(self, shown: Record, entity: Entity, row: Record, path: str, root: str) -> None:
        head, _, rest = path.partition(".")
        if not rest:
            shown[str(entity.column(head))] = row[str(entity.column(head))]
            return
        relationship, target, related = self._related(entity, row, head)
        if not related:
            shown[relationship] = None
            return
        inner = shown.setdefault(relationship, {"attributes": attributes(target, related, root)})
        self._show(inner, target, related, rest, root)

    def search(self, text: str, root: str) -> dict[str, Any]:
        terms, scope, name, columns = parse_search(text)
        entities = [self.entity(name)] if name else [*self.entities.values()]
        return {"searchRecords": [record for entity in entities for record in self.find_terms(terms, scope, entity, columns, root)]}

    def find_terms(self, terms: Iterable[str], scope: str, entity: Entity, columns: list[str], root: str) -> list[Record]:
        wanted = {"PHONE": "phone", "EMAIL": "email"}.get(scope)
        names = [name for name, field in entity.fields.items() if field.kind in ((wanted,) if wanted else ("text", "email", "phone"))]
        query = Query([Column(column) for column in columns], entity.name)
        self._check_query(query, entity, f"RETURNING {entity.name}({','.join(columns)})")
        with self.lock:
            rows = [row for row in self.records[entity.name].values() if row["Id"] not in self.unindexed and not row["IsDeleted"]]
            found = [row for row in rows if any(_contains(str(row[name] or ""), entity.fields[name].kind, term) for name in names for term in terms)]
            return [self._shown(query, entity, row, root) for row in found]


def _contains(value: str, kind: str, term: str) -> bool:
    """Phones are indexed by their digits, texts by their words."""
    if kind == "phone":
        digits = re.sub(r"\D", "", term)
        return bool(digits) and re.sub(r"\D", "", value) == digits
    return term.casefold() in re.split(r"[\s,;]+", value.casefold())


def _grouped(paths: list[str], rows: list[Record], get: Callable[..., Any]) -> list[list[Record]]:
    if not paths:
        return [rows]
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for row in rows:
        groups.setdefault(tuple(get(row, path) for path in paths), []).append(row)
    return list(groups.values())


def _aggregate(columns: list[Column], rows: list[Record], get: Callable[..., Any]) -> Record:
    shown: Record = {"attributes": {"type": "AggregateResult"}}
    for column in columns:
        if not column.function:
            shown[column.path] = rows[0][column.path] if column.path in rows[0] else get(rows[0], column.path)
            continue
        values = [value for row in rows if (value := get(row, column.path)) is not None] if column.path else rows
        shown[column.alias] = _FUNCTIONS[column.function](values)
    return shown


_FUNCTIONS: Mapping[str, Callable[[list[Any]], Any]] = {
    "COUNT": len,
    "COUNT_DISTINCT": lambda values: len(set(values)),
    "SUM": lambda values: float(sum(values)) if values else None,
    "AVG": lambda values: sum(values) / len(values) if values else None,
    "MAX": lambda values: max(values, default=None),
    "MIN": lambda values: min(values, default=None),
}


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is not None, value.casefold() if isinstance(value, str) else (value or 0)


def attributes(entity: Entity, row: Record, root: str) -> Record:
    return {"type": entity.name, "url": f"{root}/sobjects/{entity.name}/{row['Id']}"}
