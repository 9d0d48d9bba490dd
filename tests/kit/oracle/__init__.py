"""A simulator that speaks Oracle Fusion's REST API (ADF) over HTTP.

with oracle() as sim:
    sim.pod.create("accounts", {"OrganizationName": "Globex"}, PERSON)
    sim.faults.add("answer", match="PATCH .*/serviceRequests", status=503, times=2)
    ... requests to sim.url ...
    sim.pod.rows("serviceRequests"), sim.api_calls()
"""

from tests.kit.oracle.errors import by_status
from tests.kit.oracle.pod import BRIDGE, PERSON, Pod
from tests.kit.oracle.server import CLIENT_ID, CLIENT_SECRET, PASSWORD, Simulator, oracle

__all__ = ["BRIDGE", "CLIENT_ID", "CLIENT_SECRET", "PASSWORD", "PERSON", "Pod", "Simulator", "by_status", "oracle"]
