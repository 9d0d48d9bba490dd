"""A simulator that speaks Zendesk's Support API over HTTP.

with zendesk() as sim:
    sim.desk.add_organization(name="Globex")
    sim.faults.add("answer", match="PUT .*/tickets", status=503, times=2)
    ... requests to sim.url ...
    sim.desk.live(), sim.api_calls()
"""

from tests.kit.zendesk.desk import AGENT, ME, Desk
from tests.kit.zendesk.errors import by_status
from tests.kit.zendesk.server import API_TOKEN, CLIENT_ID, CLIENT_SECRET, EMAIL, Simulator, zendesk

__all__ = ["AGENT", "API_TOKEN", "CLIENT_ID", "CLIENT_SECRET", "EMAIL", "ME", "Desk", "Simulator", "by_status", "zendesk"]
