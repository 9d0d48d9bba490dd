"""A simulator that speaks Freshdesk's API over HTTP.

with freshdesk() as sim:
    sim.desk.add_company({"name": "Globex"})
    sim.faults.add("answer", match="PUT .*/tickets", status=503, times=2)
    ... requests to sim.url ...
    sim.desk.live(), sim.calls
"""

from tests.kit.freshdesk.desk import AGENT, ME, Desk, by_status
from tests.kit.freshdesk.server import API_KEY, Simulator, freshdesk

__all__ = ["AGENT", "API_KEY", "ME", "Desk", "Simulator", "by_status", "freshdesk"]
