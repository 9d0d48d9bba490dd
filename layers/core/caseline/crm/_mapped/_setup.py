"""Whether the CRM answers, and what the mapping leaves out of what Caseline could write there. Fields are made by who runs the CRM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from caseline.crm import Finding, Step
from caseline.crm._mapped._api import Api
from caseline.crm._mapped._mapping import Mapped, Request
from caseline.crm._schema import SchemaField


class SetUp:
    def __init__(self, api: Api, mapped: Mapped) -> None:
        self._api, self._mapped = api, mapped

    def check(self, schema: Sequence[SchemaField]) -> list[Finding]:
        if self._mapped.check:
            self._api.row(self._mapped.check, {})
        else:
            self._api.page(self._mapped.cases.list, {})
        return [_finding(field, place) for field, place in self._unwritten(schema)]

    def plan(self, schema: Sequence[SchemaField]) -> list[Step]:
        return [Step(finding.name, finding.problem, "hand", finding.fix) for finding in (_finding(*each) for each in self._unwritten(schema))]

    def apply(self, step: Step) -> None:
        """Nothing is by api."""

    def _unwritten(self, schema: Sequence[SchemaField]) -> Iterator[tuple[SchemaField, str]]:
        places = {entity: self._written(entity) for entity in ("case", "contact", "account")}
        for field in (field for field in schema if field.side == "ours"):
            place, names = places[field.entity]
            if field.key not in names:
                yield field, place

    def _written(self, entity: str) -> tuple[str, set[str]]:
        mapped = self._mapped
        if entity == "case":
            return "cases.create", mapped.cases.create.names
        if entity == "account":
            return "accounts.profile", _names(mapped.accounts.profile)
        return "people.profile", _names(mapped.people.profile) | _names(mapped.people.create)


def _names(request: Request | None) -> set[str]:
    return request.names if request else set()


def _finding(field: SchemaField, place: str) -> Finding:
    fix = f"give the CRM a field for it, and write {{{field.key}}} into crm.mapping.{place}"
    return Finding("error" if field.is_required else "warning", f"{field.entity}.{field.key}", f"the mapping does not write it: {field.about}", fix)
