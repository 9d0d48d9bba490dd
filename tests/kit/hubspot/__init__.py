"""A simulator that speaks HubSpot's CRM API over HTTP.

with hubspot() as sim:
    sim.portal.create("companies", {"name": "Globex"}, PERSON)
    sim.faults.add("answer", match="PATCH .*/tickets", status=503, times=2)
    ... requests to sim.url ...
    sim.portal.live("tickets"), sim.api_calls()
"""

from tests.kit.hubspot.errors import by_status
from tests.kit.hubspot.portal import APP, APP_ID, PERSON, PORTAL_ID, Portal, Record
from tests.kit.hubspot.server import CLIENT_ID, CLIENT_SECRET, PRIVATE_TOKEN, REFRESH_TOKEN, Simulator, hubspot

__all__ = [
    "APP", "APP_ID", "CLIENT_ID", "CLIENT_SECRET", "PERSON", "PORTAL_ID", "PRIVATE_TOKEN", "REFRESH_TOKEN", "Portal", "Record", "Simulator",
    "by_status", "hubspot",
]  # fmt: skip
