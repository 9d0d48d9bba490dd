"""Dataverse's errors: a status, a code and a message that quotes what was sent."""

from __future__ import annotations

from typing import Any


class DataverseError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message}}


def missing_property(name: str, entity: str) -> DataverseError:
    return DataverseError(400, "0x80060888", f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{entity}'.")


def undeclared_property(name: str, entity: str) -> DataverseError:
    text = f"The property '{name}' does not exist on type 'Microsoft.Dynamics.CRM.{entity}'. Make sure to only use property names that are defined by the type."
    return DataverseError(400, "0x80048d19", f"Error identified in Payload provided by the user for Entity :'{entity}s'; {text}")


def bad_query(message: str) -> DataverseError:
    return DataverseError(400, "0x80060888", message)


def bad_value(name: str, entity: str, why: str) -> DataverseError:
    return DataverseError(400, "0x80044331", f"A validation error occurred. The value of '{name}' on record of type '{entity}' {why}.")


def not_found(entity: str, record_id: str) -> DataverseError:
    return DataverseError(404, "0x80040217", f"Entity '{entity}' With Id = {record_id} Does Not Exist")


def no_record_with_key(entity: str) -> DataverseError:
    return DataverseError(404, "0x80060891", f"A record with the specified key values does not exist in {entity} entity")


def no_such_key(entity: str) -> DataverseError:
    text = "Ensure that the names and number of key properties match the declared or alternate key properties for the resource."
    return DataverseError(400, "0x80060888", f"The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.{entity}'. {text}")


def duplicate_key(entity: str) -> DataverseError:
    return DataverseError(412, "0x80040237", f"A record that has the attribute values already exists. Entity: {entity}.")


def version_mismatch() -> DataverseError:
    return DataverseError(412, "0x80060882", "The version of the existing record doesn't match the RowVersion property provided.")


def no_route(target: str) -> DataverseError:
    return DataverseError(404, "0x8006088a", f"Resource not found for the segment '{target}'.")
