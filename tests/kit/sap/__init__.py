"""SAP over HTTP: Sales and Service Cloud V2 (`v2`) and Cloud for Customer (`c4c`), each with its own state, language, errors and quirks."""

from tests.kit.sap.c4c import C4c
from tests.kit.sap.tenant import APP, CLIENT_ID, CLIENT_SECRET, PASSWORD, PERSON, USER
from tests.kit.sap.v2 import V2

__all__ = ["APP", "CLIENT_ID", "CLIENT_SECRET", "PASSWORD", "PERSON", "USER", "V2", "C4c"]
